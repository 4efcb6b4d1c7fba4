"""Writes the files of a generation beside the others; index.publishing puts them in their place."""

import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from cyberqa.errors import SearchIndexError
from cyberqa.index import lexical, typos
from cyberqa.index.capitals import CapitalCounter
from cyberqa.index.files import SCRATCH_PREFIX
from cyberqa.index.manifest import (
    CHUNK_VECTORS_FILE,
    DATABASE_FILE,
    MANIFEST_FILE,
    PIECES_FILE,
    POSTINGS_FILE,
    ROWS_FILE,
    TOKEN_SENTENCES_FILE,
    TOKENS_FILE,
    Manifest,
    Recipe,
    file_digest,
    generation_folder,
)
from cyberqa.index.opening import empty_vectors, schema_sql
from cyberqa.index.publishing import put_in_place
from cyberqa.index.tokens import ChunkTokens, TokenTable
from cyberqa.names.aliases import Alias
from cyberqa.names.collecting import AliasCollector
from cyberqa.types import Chunk, Document, Matrix


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document with its chunks and, row for row, what they are matched by.

    ``matched`` is each chunk's text with title and trail in front; ``vectors`` are of these, ``(chunks, dim)``;
    ``tokens`` are theirs. ``before`` and ``refers`` say what stands beside a chunk: see matching.neighbours.
    """

    document: Document
    chunks: Sequence[Chunk]
    matched: Sequence[str]
    vectors: Matrix
    tokens: Sequence[ChunkTokens]
    before: Sequence[int]
    refers: Sequence[int]


def write_generation(
    index: Path,
    recipe: Recipe,
    documents: Iterator[IndexedDocument],
    failures: Mapping[str, str],
    names: AliasCollector,
) -> Manifest:
    """Write a generation and rename it into its place, finished; it is not made current yet.

    ``documents`` come sorted by id and are taken one at a time; ``failures`` may still grow while they are, and
    ``names`` is shown each.

    Raises:
        SearchIndexError: it cannot be written, for want of space, say.
    """
    final = generation_folder(index, recipe.generation)
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=final.parent))
    try:
        chunks = _write_files(scratch, documents, recipe.encoder.dim, names)
        files = {file.name: file_digest(file) for file in sorted(scratch.iterdir())}
        manifest = Manifest(recipe.generation, recipe, dict(failures), chunks, files)
        (scratch / MANIFEST_FILE).write_text(manifest.dump(), encoding="utf-8")
        scratch.chmod(0o755)
        put_in_place(scratch, final, manifest)
    except sqlite3.OperationalError as error:  # SQLite's word for a full disk
        raise SearchIndexError(
            f"the index in {index} cannot be written ({error})", hint="free some space, then run: cyberqa index"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _write_files(folder: Path, documents: Iterator[IndexedDocument], dim: int, names: AliasCollector) -> int:
    vectors = empty_vectors(dim)
    tokens = TokenTable()
    matched: list[tuple[str, str | None]] = []
    capitals = CapitalCounter()
    database = sqlite3.connect(folder / DATABASE_FILE)
    try:
        database.executescript(schema_sql())
        with database:
            for row, entry in enumerate(documents):
                _insert_document(database, row, entry.document)
                _insert_chunks(database, row, entry.chunks, vectors.ntotal)
                vectors.add(entry.vectors)
                chars = [len(chunk.span) + len(chunk.continuation or ()) for chunk in entry.chunks]
                tokens.add(entry.tokens, chars, entry.before, entry.refers)
                matched.extend((text, entry.document.language) for text in entry.matched)
                capitals.add(entry.document.text)
                names.add(entry.document)
            directory, postings = lexical.build_postings(matched)
            database.executemany("INSERT INTO terms VALUES (?, ?, ?)", directory)
            database.executemany("INSERT INTO words VALUES (?, ?, ?)", typos.known_words(matched))
            database.executemany("INSERT INTO capitals VALUES (?, ?, ?)", capitals.rows())
            _insert_aliases(database, names.aliases())
    finally:
        database.close()
    try:
        faiss.write_index(vectors, str(folder / CHUNK_VECTORS_FILE))
    except RuntimeError as error:  # FAISS's word for it
        raise sqlite3.OperationalError(f"the vectors could not be written: {error}") from error
    arrays: tuple[NDArray[Any], ...] = tokens.arrays()
    for name, array in zip((ROWS_FILE, TOKENS_FILE, TOKEN_SENTENCES_FILE, PIECES_FILE), arrays, strict=True):
        np.save(folder / name, array, allow_pickle=False)
    np.save(folder / POSTINGS_FILE, postings, allow_pickle=False)
    return int(vectors.ntotal)


def _insert_document(database: sqlite3.Connection, row: int, document: Document) -> None:
    about = document.metadata
    values = {
        "row": row,
        "id": document.id,
        "title": document.title,
        "publisher": about.publisher,
        "year": about.year,
        "language": document.language,
        "source": about.source,
        "tags": json.dumps(about.tags, ensure_ascii=False),
        "sha256": document.sha256,
        "text_sha256": document.text_sha256,
        "reader": document.reader,
        "encoding": document.encoding,
        "has_lines": document.has_lines,
        "blocks": json.dumps(Counter(block.kind.value for block in document.blocks), sort_keys=True),
        "repairs": json.dumps([(repair.kind, repair.page, repair.count) for repair in document.repairs]),
        "warnings": json.dumps(document.warnings, ensure_ascii=False),
        "text": document.text.encode("utf-8"),
    }
    columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    database.execute(f"INSERT INTO documents ({columns}) VALUES ({marks})", values)  # noqa: S608 - our own names
    database.executemany(
        "INSERT INTO footnotes VALUES (?, ?, ?, ?, ?)",
        [(row, f.reference, f.label, f.span.start, f.span.end) for f in document.footnotes if f.reference is not None],
    )
    database.executemany(
        "INSERT INTO pages VALUES (?, ?, ?, ?, ?)",
        [(row, page.number, page.label, page.span.start, page.span.end) for page in document.pages],
    )


def _insert_aliases(database: sqlite3.Connection, aliases: Sequence[Alias]) -> None:
    rows = [
        (
            alias.key,
            row,
            alias.word,
            alias.meant,
            alias.kind.value,
            alias.origin.value,
            alias.is_exact,
            alias.document,
            alias.span.start if alias.span else None,
            alias.span.end if alias.span else None,
            alias.definitions,
            alias.rank,
        )
        for row, alias in enumerate(aliases)
    ]
    database.executemany("INSERT INTO aliases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _insert_chunks(database: sqlite3.Connection, document: int, chunks: Sequence[Chunk], first_row: int) -> None:
    for row, chunk in enumerate(chunks, first_row):
        section = json.dumps(chunk.section, ensure_ascii=False)
        sentences = json.dumps([(span.start, span.end) for span in chunk.sentences])
        values = (
            row,
            document,
            chunk.kind.value,
            chunk.span.start,
            chunk.span.end,
            section,
            sentences,
            json.dumps((chunk.continuation.start, chunk.continuation.end)) if chunk.continuation else None,
            json.dumps([(span.start, span.end) for span in chunk.context]),
        )
        database.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
