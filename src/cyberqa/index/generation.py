"""A finished index, open for reading: rows in, rows out. It knows nothing of what a question means."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import faiss
import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding.token_codec import Codes
from cyberqa.errors import CorpusError, SearchIndexError
from cyberqa.index import lexical, typos
from cyberqa.index.capitals import NO_CAPITALS, Capitals
from cyberqa.index.manifest import (
    CHUNK_VECTORS_FILE,
    DATABASE_FILE,
    PIECES_FILE,
    POSTINGS_FILE,
    REBUILD_HINT,
    ROWS_FILE,
    TOKEN_SENTENCES_FILE,
    TOKENS_FILE,
    Manifest,
    current_generation,
    generation_folder,
)
from cyberqa.index.tokens import ROW
from cyberqa.index.typos import Correction
from cyberqa.index.words import analysers, fold, spelled_words, terms_of
from cyberqa.names.aliases import Alias, Kind, Origin
from cyberqa.types import BlockKind, Chunk, Document, Footnote, Matrix, Metadata, Page, Repair, Span, Vector

Mask = NDArray[np.bool_]
"""``(chunks,)`` bool."""

Number = TypeVar("Number", bound=np.generic)

_WORDS_KEPT = 4096  # of which a session remembers how they are written
_DOCUMENTS_KEPT = 32  # canonical texts held in memory while a session lasts


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Return the values sorted, each once: ``np.unique``, which imports all of numpy.ma to ask what they are."""
    ordered = np.sort(values)
    is_new = np.ones(len(ordered), np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]


class Generation:
    """One generation. Rows of chunks count from 0 and are the same in vectors, postings and database."""

    def __init__(self, folder: Path) -> None:
        self.manifest = Manifest.load(folder)
        self._vectors = faiss.read_index(str(folder / CHUNK_VECTORS_FILE))
        self.rows = _mapped(folder / ROWS_FILE)
        """What stands beside each chunk: (chunks,) of tokens.ROW."""
        self.pieces = _mapped(folder / PIECES_FILE)
        """In how many chunks a word piece stands, by its id."""
        self._tokens = _mapped(folder / TOKENS_FILE)
        self._token_sentences = _mapped(folder / TOKEN_SENTENCES_FILE)
        self._postings = _mapped(folder / POSTINGS_FILE)
        address = f"file:{quote(str((folder / DATABASE_FILE).absolute()))}?mode=ro&immutable=1"
        self._database = sqlite3.connect(address, uri=True, check_same_thread=False)
        is_ours = self._postings.dtype == lexical.POSTING and self.rows.dtype == ROW
        if not is_ours or self._database.execute("SELECT 1 FROM chunks").fetchone() is None:
            raise ValueError("its files are not what they should be")
        languages = self._database.execute("SELECT DISTINCT language FROM documents")
        self._analysers = analysers(language for (language,) in languages)
        self._document = lru_cache(_DOCUMENTS_KEPT)(self._read_document)
        self._capitals = lru_cache(_WORDS_KEPT)(self._read_capitals)

    @classmethod
    def open_current(cls, index: Path) -> "Generation":
        """Open the generation that answers.

        Raises:
            NoIndexError: none has been built.
            IncompatibleIndexError: another format.
            SearchIndexError: it is damaged.
        """
        name = current_generation(index)
        try:
            return cls(generation_folder(index, name))
        except (OSError, EOFError, RuntimeError, ValueError, sqlite3.Error, SearchIndexError) as error:
            if (now := current_generation(index)) != name:  # a builder swept it while it was being opened
                return cls(generation_folder(index, now))
            if isinstance(error, SearchIndexError):
                raise
            raise SearchIndexError(f"the index in {index} is damaged ({error})", hint=REBUILD_HINT) from error

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()

    # --- searching -------------------------------------------------------------------------------------------

    def nearest_rows(self, vector: Vector, k: int, allowed: Mask | None = None) -> NDArray[np.int64]:
        """Return the rows of the ``k`` chunks nearest by inner product, best first; fewer where there are fewer.

        With ``allowed``, ``(chunks,)`` bool, of these chunks only, and exactly so.
        """
        parameters = None
        if allowed is not None:
            k = min(k, int(allowed.sum()))
            selector: Any = faiss.IDSelectorBitmap  # SWIG's signatures are not those of Python
            search_parameters: Any = faiss.SearchParameters
            parameters = search_parameters(sel=selector(np.packbits(allowed, bitorder="little")))
        _, rows = self._vectors.search(vector[None], min(k, self._vectors.ntotal), params=parameters)
        found: NDArray[np.int64] = rows[0]
        return found[found >= 0]

    def chunk_vectors(self, rows: NDArray[np.int64]) -> Matrix:
        """Return ``(len(rows), dim)`` float32 unit rows."""
        vectors: Matrix = self._vectors.reconstruct_batch(rows)
        return vectors

    def lexical_scores(self, text: str, corrections: Sequence[Correction] = ()) -> NDArray[np.float32]:
        """Return the BM25 score of every chunk for the words of ``text``, ``(chunks,)``; each word counts once.

        A word counts by its stem under each language of the corpus; a typo by what may have been meant.
        """
        meant: dict[str, list[Correction]] = {}
        for correction in corrections:
            meant.setdefault(correction.typed, []).append(correction)
        seen: set[str] = set()
        found: list[list[tuple[lexical.Postings, float]]] = []
        for word in dict.fromkeys(spelled_words(text)):
            weights = dict.fromkeys(self._terms_of(word), 1.0)
            for correction in meant.get(word, ()):
                weights = dict.fromkeys(self._terms_of(correction.meant), correction.weight) | weights
            found.append([(self._postings_of(term), weight) for term, weight in weights.items() if term not in seen])
            seen.update(weights)
        return lexical.add_scores(filter(None, found), self._vectors.ntotal)

    def corrections(self, text: str, is_word: Callable[[str], bool] = lambda _: False) -> list[Correction]:
        """Return what may have been meant by the words of ``text`` that stand nowhere, in order, the likeliest first.

        Left alone is what the corpus knows under any of its languages, and what ``is_word`` says is no typo although
        it stands nowhere.
        """
        words = list(dict.fromkeys(spelled_words(text)))
        return [
            correction
            for word in words
            if typos.reach_of(word) and not self._is_known(word) and not is_word(word)
            for correction in self._meant_by(word, is_first=word == words[0])
        ]

    def has_word_like(self, beginning: str) -> bool:
        """Whether a word begins with ``beginning``, which is folded as words are."""
        upto = beginning[:-1] + chr(ord(beginning[-1]) + 1)
        row = self._database.execute("SELECT 1 FROM words WHERE word >= ? AND word < ? LIMIT 1", (beginning, upto))
        return row.fetchone() is not None

    def rows_with_all(self, text: str) -> NDArray[np.uint32]:
        """Return the rows of the chunks that hold every word of ``text`` in some form, sorted."""
        rows: NDArray[np.uint32] | None = None
        for word in dict.fromkeys(spelled_words(text)):
            slices = [self._postings_of(term)["row"] for term in self._terms_of(word)]
            holding = distinct(np.concatenate(slices))
            rows = holding if rows is None else np.intersect1d(rows, holding, assume_unique=True)
        return np.empty(0, np.uint32) if rows is None else rows

    def chunks_of(self, ids: Sequence[str]) -> Mask:
        """Return which chunks are of these documents, ``(chunks,)`` bool."""
        wanted = set(ids)
        mask = np.zeros(self._vectors.ntotal, np.bool_)
        for id_, first, last in self._database.execute(
            "SELECT d.id, MIN(c.row), MAX(c.row) FROM chunks c JOIN documents d ON d.row = c.document GROUP BY d.row"
        ):
            mask[first : last + 1] = id_ in wanted  # the chunks of a document follow each other
        return mask

    def aliases_for(self, keys: Sequence[str]) -> dict[str, list[Alias]]:
        """Return the aliases of those keys that have any, best first; see :data:`cyberqa.names.expanding.Lookup`."""
        marks = ", ".join("?" * len(keys))
        found: dict[str, list[Alias]] = {}
        for key, *columns in self._database.execute(
            f"SELECT key, {_ALIAS_COLUMNS} FROM aliases WHERE key IN ({marks}) ORDER BY key, row",  # noqa: S608
            tuple(keys),
        ):
            found.setdefault(key, []).append(_alias(*columns))
        return found

    def places(self) -> list[tuple[str, str]]:
        """Return ``(capital, adjective or other name, country)`` of the countries that the documents name."""
        of_countries = (Kind.CAPITAL.value, Kind.ADJECTIVE.value)
        return self._database.execute(
            "WITH of_countries AS (SELECT meant FROM aliases WHERE kind IN (?, ?)) "
            "SELECT word, meant FROM aliases WHERE meant IN of_countries AND kind IN (?, ?, ?) ORDER BY row",
            (*of_countries, *of_countries, Kind.NAME.value),
        ).fetchall()

    def aliases(self) -> list[Alias]:
        """Return all aliases, sorted by the stems of the word; of one word the best first."""
        rows = self._database.execute(f"SELECT {_ALIAS_COLUMNS} FROM aliases ORDER BY row")  # noqa: S608
        return [_alias(*columns) for columns in rows]

    def _terms_of(self, word: str) -> list[str]:
        """Return the terms that a word has under the languages of the corpus."""
        return list(dict.fromkeys(term for way in self._analysers for term in terms_of(word, way)))

    def _is_known(self, word: str) -> bool:
        return any(self._first_and_count(term) for term in self._terms_of(word))

    def _meant_by(self, typed: str, *, is_first: bool) -> list[Correction]:
        found: dict[Correction, None] = {}
        for folded in dict.fromkeys(fold(typed, stays) for _, stays in self._analysers):
            if len(folded) == 1 and len(folded[0]) > 1:
                near = self._words_near(folded[0], typos.reach_of(typed))
                found |= dict.fromkeys(typos.nearest(typed, folded[0], near, is_first=is_first))
        return list(found)

    def _words_near(self, word: str, reach: int) -> Iterator[typos.Known]:
        """Yield the words of about its length with the same two letters in front, and those with one slip there.

        All words of its first letter would be 50,000 where the corpus has a million.
        """
        columns = "SELECT word, written, count FROM words WHERE "
        front = word[:2]
        yield from self._database.execute(
            columns + "word >= ? AND word < ? AND length(word) BETWEEN ? AND ?",
            (front, front[0] + chr(ord(front[1]) + 1), len(word) - reach, len(word) + reach),
        )
        others = typos.other_beginnings(word)
        yield from self._database.execute(columns + f"word IN ({', '.join('?' * len(others))})", others)

    def _postings_of(self, term: str) -> lexical.Postings:
        first, count = self._first_and_count(term) or (0, 0)
        postings: lexical.Postings = self._postings[first : first + count]
        return postings

    def _first_and_count(self, term: str) -> tuple[int, int] | None:
        found: tuple[int, int] | None = self._database.execute(
            "SELECT first, count FROM terms WHERE term = ?", (term,)
        ).fetchone()
        return found

    def capitals(self, word: str) -> Capitals:
        """Return how the corpus writes a word, given in lower case."""
        return self._capitals(word)

    def document_frequency(self, term: str) -> int:
        """Return how many chunks hold a term, as :func:`lexical.index_terms` makes it."""
        _, count = self._first_and_count(term) or (0, 0)
        return count

    # --- reading ---------------------------------------------------------------------------------------------

    def chunk(self, row: int) -> Chunk:
        """Return a chunk by its row."""
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

    def token_codes(self, rows: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int64]]:
        """Return the codes of all tokens of some chunks, ``(n, dims / 8)``, and the place of each chunk's first."""
        found = [self._tokens[span] for span in map(self._token_span, rows)]
        firsts = np.cumsum([0, *map(len, found)])[:-1]
        return np.concatenate(found), firsts

    def token_sentences(self, row: int) -> NDArray[np.uint8]:
        """Return the sentence of each token of a chunk, by place in the chunk; see matching.sentences_of."""
        sentences: NDArray[np.uint8] = self._token_sentences[self._token_span(row)]
        return sentences

    def _token_span(self, row: int) -> slice:
        first, count = int(self.rows["first_token"][row]), int(self.rows["tokens"][row])
        return slice(first, first + count)

    def document(self, id_: str) -> Document:
        """Return a document as it was indexed, without its blocks.

        Raises:
            CorpusError: no document of that id in the index.
        """
        return self._document(id_)

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

    def _read_capitals(self, word: str) -> Capitals:
        row = self._database.execute("SELECT share, is_always FROM capitals WHERE word = ?", (word,)).fetchone()
        return Capitals(row[0], bool(row[1])) if row else NO_CAPITALS

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


def _mapped(file: Path) -> Any:
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))  # slices of a memmap cost ten times as much


_ALIAS_COLUMNS = "word, meant, kind, origin, is_exact, document, start, stop, definitions, rank"


def _alias(
    word: str,
    meant: str,
    kind: str,
    origin: str,
    is_exact: int,
    document: str | None,
    start: int | None,
    stop: int | None,
    definitions: int,
    rank: int,
) -> Alias:
    span = None if start is None or stop is None else Span(start, stop)
    return Alias(word, meant, Kind(kind), Origin(origin), bool(is_exact), document, span, definitions, rank)


def _spans(pairs: str) -> tuple[Span, ...]:
    return tuple(Span(*pair) for pair in json.loads(pairs))


def _checked(id_: str, text: bytes, text_sha256: str) -> str:
    """Decode a stored text, having made sure that it is the one that was indexed: nothing else may be quoted."""
    if hashlib.sha256(text).hexdigest() != text_sha256:
        raise SearchIndexError(f"the text of {id_} in the index is damaged", hint=REBUILD_HINT)
    return text.decode("utf-8")
