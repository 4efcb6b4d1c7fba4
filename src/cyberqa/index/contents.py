"""What a generation quotes from: its documents and chunks, with what is known of them."""

import hashlib
import json
import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cyberqa.errors import CorpusError, SearchIndexError
from cyberqa.index.manifest import REBUILD_HINT
from cyberqa.location import Locator
from cyberqa.types import BlockKind, Chunk, Document, Footnote, Mask, Metadata, Page, Repair, Span

_DOCUMENTS_KEPT = 32  # canonical texts held in memory while a session lasts
_CHUNKS_KEPT = 1024  # 2 KB each; their texts 1 KB


class Contents:
    """Reads documents by id and chunks by row."""

    def __init__(self, database: sqlite3.Connection, chunks: int) -> None:
        self._database = database
        self._chunks = chunks
        self.chunk = lru_cache(_CHUNKS_KEPT)(self._read_chunk)
        """Return a chunk by its row."""
        self.text_of_chunk = lru_cache(_CHUNKS_KEPT)(self._read_text_of_chunk)
        """Return a chunk's text by its row, to compare it by: it is read alone, so that no digest vouches for it."""
        self._document = lru_cache(_DOCUMENTS_KEPT)(self._read_document)
        self.locator = lru_cache(_DOCUMENTS_KEPT)(self._make_locator)
        """Return what finds the lines and pages of a document by its id."""

    def _read_chunk(self, row: int) -> Chunk:
        document, kind, start, stop, section, sentences, continuation, context = self._database.execute(
            "SELECT d.id, c.kind, c.start, c.stop, c.section, c.sentences, c.continuation, c.context"
            " FROM chunks c JOIN documents d ON d.row = c.document WHERE c.row = ?",
            (row,),
        ).fetchone()
        return Chunk(
            document=document,
            kind=BlockKind(kind),
            span=Span(start, stop),
            section=tuple(json.loads(section)),
            sentences=_spans(sentences),
            continuation=Span(*json.loads(continuation)) if continuation else None,
            context=_spans(context),
        )

    def _read_text_of_chunk(self, row: int) -> str:
        document, start, stop = self._database.execute(
            "SELECT document, start_byte, stop_byte FROM chunks WHERE row = ?", (row,)
        ).fetchone()
        with self._database.blobopen("documents", "text", document, readonly=True) as text:
            text.seek(start)
            return text.read(stop - start).decode("utf-8")

    def document(self, id_: str) -> Document:
        """Return a document as it was indexed, without its blocks.

        Raises:
            CorpusError: no document of that id in the index.
        """
        return self._document(id_)

    def _make_locator(self, id_: str) -> Locator:
        return Locator(self.document(id_))

    def _read_document(self, id_: str) -> Document:
        found = self._database.execute(
            "SELECT row, title, publisher, year, language, source, tags, sha256, text_sha256, reader, encoding,"
            " has_lines, repairs, warnings, text FROM documents WHERE id = ?",
            (id_,),
        ).fetchone()
        if found is None:
            raise CorpusError(f"no document {id_!r} in the index")
        (
            row,
            title,
            publisher,
            year,
            language,
            source,
            tags,
            sha256,
            text_sha256,
            reader,
            encoding,
            has_lines,
            repairs,
            warnings,
            text,
        ) = found
        pages = self._database.execute(
            "SELECT number, label, start, stop FROM pages WHERE document = ? ORDER BY number", (row,)
        )
        return Document(
            id=id_,
            title=title,
            text=_checked(id_, text, text_sha256),
            sha256=sha256,
            text_sha256=text_sha256,
            reader=reader,
            blocks=(),
            pages=tuple(Page(number, label, Span(start, stop)) for number, label, start, stop in pages),
            has_lines=bool(has_lines),
            encoding=encoding,
            language=language,
            metadata=Metadata(title, publisher, year, language, source, tuple(json.loads(tags))),
            repairs=tuple(Repair(*repair) for repair in json.loads(repairs)),
            warnings=tuple(json.loads(warnings)),
        )

    def footnotes(self, id_: str, span: Span) -> list[Footnote]:
        """Return the footnotes that marks inside a span of a document refer to, in order of the marks."""
        found = self._database.execute(
            "SELECT label, f.start, f.stop, reference FROM footnotes f JOIN documents d ON d.row = f.document"
            " WHERE d.id = ? AND reference >= ? AND reference < ? ORDER BY reference",
            (id_, span.start, span.end),
        )
        return [Footnote(label, Span(start, stop), reference) for label, start, stop, reference in found]

    def document_ids(self) -> Sequence[str]:
        """Return the ids of all documents, sorted."""
        return [id_ for (id_,) in self._database.execute("SELECT id FROM documents ORDER BY id")]

    def metadata(self) -> dict[str, Metadata]:
        """Return document id -> what is known of it, of all documents, sorted by id, without reading their texts."""
        rows = self._database.execute(
            "SELECT id, title, publisher, year, language, source, tags FROM documents ORDER BY id"
        )
        return {
            id_: Metadata(title, publisher, year, language, source, tuple(json.loads(tags)))
            for id_, title, publisher, year, language, source, tags in rows
        }

    def languages(self) -> dict[str, list[str]]:
        """Return language -> ids of the documents in it, both sorted; documents without a language are in none."""
        found: dict[str, list[str]] = {}
        for language, id_ in self._database.execute(
            "SELECT language, id FROM documents WHERE language IS NOT NULL ORDER BY language, id"
        ):
            found.setdefault(language, []).append(id_)
        return found

    def chunks_of(self, ids: Sequence[str]) -> Mask:
        """Return which chunks are of these documents, ``(chunks,)`` bool."""
        mask = np.zeros(self._chunks, np.bool_)
        first = lru_cache(1)(self._first_chunk)  # documents that follow each other share a border
        for id_ in sorted(ids):
            found = self._database.execute("SELECT row FROM documents WHERE id = ?", (id_,)).fetchone()
            if found is not None:
                mask[first(found[0]) : first(found[0] + 1)] = True
        return mask

    def _first_chunk(self, document: int) -> int:
        """Return the first row of a document by its row; a scan would read all chunks, a second or more at a million.

        The chunks of a document follow each other, in the order of documents.
        """
        return bisect_left(range(self._chunks), document, key=self._document_of)

    def _document_of(self, row: int) -> int:
        (document,) = self._database.execute("SELECT document FROM chunks WHERE row = ?", (row,)).fetchone()
        return int(document)

    def block_counts(self, id_: str) -> dict[str, int]:
        """Return how many blocks of each kind a document of the index has."""
        (counts,) = self._database.execute("SELECT blocks FROM documents WHERE id = ?", (id_,)).fetchone()
        return dict(json.loads(counts))

    def repair_counts(self) -> dict[str, int]:
        """Return how often each kind of damage was mended in all documents together, sorted by kind."""
        return dict(
            self._database.execute(
                "SELECT json_extract(r.value, '$[0]'), SUM(json_extract(r.value, '$[2]'))"
                " FROM documents, json_each(documents.repairs) r GROUP BY 1 ORDER BY 1"
            )
        )

    def warnings(self) -> dict[str, tuple[str, ...]]:
        """Return document id -> warnings, of the documents that have any, sorted by id."""
        rows = self._database.execute("SELECT id, warnings FROM documents WHERE warnings != '[]' ORDER BY id")
        return {id_: tuple(json.loads(warnings)) for id_, warnings in rows}

    def damage(self) -> list[str]:
        """Return what SQLite finds wrong with the database, having read all of it."""
        return [text for (text,) in self._database.execute("PRAGMA integrity_check") if text != "ok"]


def _spans(pairs: str) -> tuple[Span, ...]:
    return tuple(Span(*pair) for pair in json.loads(pairs))


def _checked(id_: str, text: bytes, text_sha256: str) -> str:
    """Decode a stored text, having made sure that it is the one that was indexed: nothing else may be quoted."""
    if hashlib.sha256(text).hexdigest() != text_sha256:
        raise SearchIndexError(f"the text of {id_} in the index is damaged", hint=REBUILD_HINT)
    return text.decode("utf-8")
