"""The words of a generation: which chunks hold them, how much each counts, and what a typo may have meant."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cyberqa.index import lexical, typos
from cyberqa.index.arrays import distinct
from cyberqa.index.capitals import NO_CAPITALS, Capitals
from cyberqa.index.scoring import Clause, WordScores, stands_in
from cyberqa.index.typos import Correction
from cyberqa.index.words import analysers, fold, spelled_words, terms_of

_WORDS_KEPT = 4096  # of which a session remembers how they are written


class Vocabulary:
    """Looks up words and scores chunks by them.

    Raises:
        ValueError: these are not postings.
    """

    def __init__(self, database: sqlite3.Connection, postings: lexical.Postings, chunks: int) -> None:
        if postings.dtype != lexical.POSTING or postings.ndim != 1:
            raise ValueError("its postings are not what they should be")
        self._database = database
        self._postings = postings
        self._chunks = chunks
        languages = database.execute("SELECT DISTINCT language FROM documents")
        self._analysers = analysers(language for (language,) in languages)
        self._capitals = lru_cache(_WORDS_KEPT)(self._read_capitals)

    def word_scores(
        self, text: str, corrections: Sequence[Correction] = (), terms: Sequence[tuple[float, str]] = ()
    ) -> WordScores:
        """Return the BM25 scores for the words of ``text``, with those for each of ``terms`` at a weight beside it.

        In each of these a word counts once, by its stem under each language of the corpus; a typo by what may have
        been meant.
        """
        texts = [(1.0, self._clauses(text, corrections)), *((weight, self._clauses(term)) for weight, term in terms)]
        return WordScores(texts, self._chunks)

    def _clauses(self, text: str, corrections: Sequence[Correction] = ()) -> list[Clause]:
        meant: dict[str, list[Correction]] = {}
        for correction in corrections:
            meant.setdefault(correction.typed, []).append(correction)
        seen: set[str] = set()
        found: list[Clause] = []
        for word in dict.fromkeys(spelled_words(text)):
            weights = dict.fromkeys(self._terms_of(word), 1.0)
            for correction in meant.get(word, ()):
                weights = dict.fromkeys(self._terms_of(correction.meant), correction.weight) | weights
            found.append([(self._postings_of(term), weight) for term, weight in weights.items() if term not in seen])
            seen.update(weights)
        return list(filter(None, found))

    def rows_with_all(self, text: str) -> NDArray[np.uint32]:
        """Return the rows of the chunks that hold every word of ``text`` in some form, sorted."""
        words = [
            [self._postings_of(term) for term in self._terms_of(word)] for word in dict.fromkeys(spelled_words(text))
        ]
        if not words:
            return np.empty(0, np.uint32)
        rarest, *others = sorted(words, key=lambda spellings: sum(map(len, spellings)))
        rows: NDArray[np.uint32] = distinct(np.concatenate([postings["row"] for postings in rarest]))
        for spellings in others:
            rows = rows[np.any([stands_in(rows, postings) for postings in spellings], axis=0)]
        return rows

    def corrections(self, text: str, is_word: Callable[[str], bool] = lambda _: False) -> list[Correction]:
        """Return what may have been meant by the words of ``text`` that stand nowhere, in order, the likeliest first.

        Left alone is what the corpus knows under any of its languages, and what ``is_word`` says is no typo although
        it stands nowhere.
        """
        words = list(dict.fromkeys(spelled_words(text)))
        return [
            correction
            for word in words
            if typos.reach_of(word) and not self.word_frequency(word) and not is_word(word)
            for correction in self._meant_by(word, is_first=word == words[0])
        ]

    def has_word_like(self, beginning: str) -> bool:
        """Whether a word begins with ``beginning``, which is folded as words are."""
        upto = beginning[:-1] + chr(ord(beginning[-1]) + 1)
        row = self._database.execute("SELECT 1 FROM words WHERE word >= ? AND word < ? LIMIT 1", (beginning, upto))
        return row.fetchone() is not None

    def words_beginning(self, letters: str, most: int) -> list[str]:
        """Return the commonest words that begin with some letters, as the corpus mostly writes them."""
        counts: dict[str, int] = {}
        for front in {"".join(fold(letters, stays)) for _, stays in self._analysers}:
            counts |= self._database.execute(
                "SELECT written, count FROM words WHERE word >= ? AND word < ? ORDER BY count DESC, word LIMIT ?",
                (front, front + "\U0010ffff", most),
            )
        return sorted(counts, key=lambda written: (-counts[written], written))[:most]

    def capitals(self, word: str) -> Capitals:
        """Return how the corpus writes a word, given in lower case."""
        return self._capitals(word)

    def document_frequency(self, term: str) -> int:
        """Return how many chunks hold a term, as :func:`words.index_terms` makes it."""
        _, count = self._first_and_count(term) or (0, 0)
        return count

    def word_frequency(self, text: str) -> int:
        """Return how many chunks hold the commonest word of a text, under whichever language of the corpus."""
        terms = (term for word in spelled_words(text) for term in self._terms_of(word))
        return max(map(self.document_frequency, terms), default=0)

    def terms_by_row(self) -> list[set[str]]:
        """Return the terms of each chunk, having read all postings.

        Raises:
            IndexError: a posting is of no chunk.
        """
        terms: list[set[str]] = [set() for _ in range(self._chunks)]
        for term, first, count in self._database.execute("SELECT term, first, count FROM terms"):
            for row in self._postings["row"][first : first + count].tolist():
                terms[row].add(term)
        return terms

    def _terms_of(self, word: str) -> list[str]:
        """Return the terms that a word has under the languages of the corpus."""
        return list(dict.fromkeys(term for way in self._analysers for term in terms_of(word, way)))

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

    def _read_capitals(self, word: str) -> Capitals:
        row = self._database.execute("SELECT share, is_always FROM capitals WHERE word = ?", (word,)).fetchone()
        return Capitals(row[0], bool(row[1])) if row else NO_CAPITALS
