"""Writes the files of a generation beside the others; index.publishing puts them in their place."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyberqa.index import typos
from cyberqa.index.cache import Entry
from cyberqa.index.capitals import CapitalCounter
from cyberqa.index.clustering import arrange_vectors
from cyberqa.index.files import SCRATCH_PREFIX
from cyberqa.index.glossary import pack_glossary
from cyberqa.index.growing import RowFile
from cyberqa.index.layout import schema_sql
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
from cyberqa.index.opening import empty_vectors, list_header
from cyberqa.index.parcel import Parcel
from cyberqa.index.postings import PostingsBuilder
from cyberqa.index.publishing import put_in_place
from cyberqa.index.tokens import ChunkTokens, TokenFiles
from cyberqa.names.aliases import Alias, Kind
from cyberqa.names.collecting import AliasCollector, FoundNames
from cyberqa.types import Matrix, Vector

_DOCUMENT_COLUMNS = (
    "row", "id", "title", "publisher", "year", "language", "source", "tags", "sha256", "text_sha256", "reader",
    "encoding", "has_lines", "blocks", "repairs", "warnings", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document by its id, what it brings, and for each of its chunks the entries of the texts it is matched by.

    The first is of the chunk's own text.
    """

    id: str
    parcel: Parcel
    entries: Sequence[Sequence[Entry]]


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
        sqlite3.OperationalError, OSError: it cannot be written, for want of space, say.
    """
    final = generation_folder(index, recipe.generation)
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=final.parent))
    try:
        chunks = _write_files(scratch, documents, recipe.encoder.dim, names)
        search = arrange_vectors(scratch, recipe.encoder.dim, int(recipe.search["approximate_from"]))
        files = {file.name: file_digest(file) for file in sorted(scratch.iterdir())}
        manifest = Manifest(recipe.generation, recipe, dict(failures), chunks, search, files)
        (scratch / MANIFEST_FILE).write_text(manifest.dump(), encoding="utf-8")
        scratch.chmod(0o755)
        put_in_place(scratch, final, manifest)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _write_files(folder: Path, documents: Iterator[IndexedDocument], dim: int, names: AliasCollector) -> int:
    """Write all files but the manifest, row by row as the documents come; return how many chunks there are.

    What is held in memory meanwhile grows with the words and names of the corpus, not with its size.
    """
    token_files = (folder / name for name in (ROWS_FILE, TOKENS_FILE, TOKEN_SENTENCES_FILE))
    with (
        contextlib.closing(sqlite3.connect(folder / DATABASE_FILE)) as database,
        _VectorFile(folder / CHUNK_VECTORS_FILE, dim) as vectors,
        TokenFiles(*token_files) as tokens,
        PostingsBuilder(folder) as postings,
    ):
        database.executescript(schema_sql())
        with database:
            capitals, words = CapitalCounter(), typos.WordCounter()
            for row, indexed in enumerate(documents):
                parcel = indexed.parcel
                _insert_document(database, row, indexed)
                _insert_chunks(database, row, indexed, vectors.rows)
                vectors.append(np.stack([_common_vector(entries) for entries in indexed.entries]))
                tokens.add(_tokens(indexed), parcel.before)
                for terms in parcel.terms:
                    postings.add(terms)
                words.add(parcel.words, parcel.document["language"])
                capitals.add(parcel.inside, parcel.spellings)
                names.add(indexed.id, FoundNames.from_rows(parcel.definitions, parcel.lower_case, parcel.names))
            database.executemany("INSERT INTO terms VALUES (?, ?, ?)", postings.write(folder / POSTINGS_FILE))
            database.executemany("INSERT INTO words VALUES (?, ?, ?)", words.known_words())
            database.executemany("INSERT INTO capitals VALUES (?, ?, ?)", capitals.rows())
            _insert_aliases(database, names.aliases())
        np.save(folder / PIECES_FILE, tokens.piece_counts(), allow_pickle=False)
        return vectors.rows


class _VectorFile(RowFile):
    """Vectors as FAISS writes an index of the kind of ``opening.empty_vectors``, ``(n, dim)``."""

    def __init__(self, file: Path, dim: int) -> None:
        super().__init__(file)
        self._dim = dim
        self._kind = empty_vectors(dim)

    def header(self) -> bytes:
        """See RowFile."""
        return list_header(self._dim, self.rows)

    def append(self, vectors: Matrix) -> None:
        """Write vectors in the precision of the index."""
        self.write(self._kind.sa_encode(vectors))


def _common_vector(entries: Sequence[Entry]) -> Vector:
    """Return the direction between the vector of a chunk's own text and the mean of the others'."""
    own, *others = (entry.vector for entry in entries)
    if not others:
        return own
    both = own + np.mean(others, axis=0)
    common: Vector = both / np.linalg.norm(both)
    return common


def _tokens(indexed: IndexedDocument) -> list[ChunkTokens]:
    parcel = indexed.parcel
    return [
        ChunkTokens(
            np.concatenate([entry.codes[first:] for entry, first in zip(entries, skipped, strict=True)]),
            pieces,
            np.frombuffer(bytes.fromhex(sentences), np.uint8),
        )
        for entries, skipped, pieces, sentences in zip(
            indexed.entries, parcel.skipped, parcel.pieces, parcel.sentences, strict=True
        )
    ]


def _insert_document(database: sqlite3.Connection, row: int, indexed: IndexedDocument) -> None:
    parcel = indexed.parcel
    values = {"row": row, "id": indexed.id, **parcel.document, "text": parcel.document["text"].encode("utf-8")}
    columns, marks = ", ".join(_DOCUMENT_COLUMNS), ", ".join(f":{name}" for name in _DOCUMENT_COLUMNS)
    database.execute(f"INSERT INTO documents ({columns}) VALUES ({marks})", values)  # noqa: S608 - our own names
    database.executemany("INSERT INTO footnotes VALUES (?, ?, ?, ?, ?)", [(row, *note) for note in parcel.footnotes])
    database.executemany("INSERT INTO pages VALUES (?, ?, ?, ?, ?)", [(row, *page) for page in parcel.pages])


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
        for row, alias in enumerate(alias for alias in aliases if alias.kind is not Kind.GLOSSARY)
    ]
    database.executemany("INSERT INTO aliases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    packed = pack_glossary(alias for alias in aliases if alias.kind is Kind.GLOSSARY)
    database.execute("INSERT INTO glossary VALUES (?)", (packed,))


def _insert_chunks(database: sqlite3.Connection, document: int, indexed: IndexedDocument, first_row: int) -> None:
    chunks = indexed.parcel.chunks
    spans = [(start, stop) for _, start, stop, *_ in chunks]
    places = _byte_places(indexed.parcel.document["text"], [place for span in spans for place in span])
    database.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (row, document, *chunk, places[start], places[stop])
            for row, (chunk, (start, stop)) in enumerate(zip(chunks, spans, strict=True), first_row)
        ],
    )


def _byte_places(text: str, places: Iterable[int]) -> dict[int, int]:
    """Return place in code points -> place in bytes of UTF-8."""
    found: dict[int, int] = {}
    done = size = 0
    for place in sorted(set(places)):
        size += len(text[done:place].encode("utf-8"))
        found[place] = size
        done = place
    return found
