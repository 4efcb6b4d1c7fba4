"""BM25 of one question, of the chunks that matter: the best ones, and whichever are asked about.

A word that stands in most chunks says next to nothing, and has the longest postings. So words are added from the
rarest on, until those left can bring no other chunk among the best (MaxScore: Turtle and Flood 1995); these are looked
up for single chunks. A score is the same to the bit as if all had been added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyberqa.index.arrays import distinct
from cyberqa.index.lexical import Postings, highest_weight
from cyberqa.types import Mask

Clause = Sequence[tuple[Postings, float]]
"""One word of a question: the postings of its spellings (stems under several languages, what a typo may have meant),
each with a weight. A chunk is credited with the best of them, so that a word counts once."""

_FEW_CHUNKS = 20_000
"""Up to so many, all words are simply added up: to look for what can be left out costs more than it spares."""

_LONG = 16
"""Before a word that more than one in so many chunks hold is added: can it still change which are the k best?"""

_FEW = 3
"""No more words are looked up once at most so many times k chunks can be among the k best."""

_POOL = 10_000
"""Chunks with the rarest words that are kept in sight: the k-th best of all is no worse than the k-th best of these."""

_ROUNDING = 1e-5
"""Relative, and far over what the order of summing some dozens of float32 can change."""

_READ_WHOLE = 32
"""Rows looked up in fewer postings than so many times as many are found faster by reading all of these."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A clause with the factor of its text; ``most`` is over what it can give any chunk."""

    clause: Clause
    factor: float
    most: float

    @property
    def postings(self) -> int:
        return sum(len(postings) for postings, _ in self.clause)


class WordScores:
    """The BM25 scores of all chunks for some texts, summed with a factor each, worked out where they are asked for."""

    def __init__(self, texts: Sequence[tuple[float, Sequence[Clause]]], chunks: int) -> None:
        self._texts = texts
        self._chunks = chunks
        self._rows = np.arange(chunks if chunks <= _FEW_CHUNKS else 0)
        self._scores = self._work_out(self._rows)
        """Of ``_rows``, ascending: those that were asked for so far."""

    def of(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the scores of some chunks, ``(len(rows),)``."""
        if len(self._rows) < self._chunks:
            self._look_up(distinct(rows.astype(np.int64)))
        return self._scores[np.searchsorted(self._rows, rows)]

    def _look_up(self, rows: NDArray[np.int64]) -> None:
        places = np.searchsorted(self._rows, rows)
        is_known = np.append(self._rows, -1)[places] == rows
        new = rows[~is_known]
        places = places[~is_known]
        self._rows, scores = np.insert(self._rows, places, new), self._work_out(new)
        self._scores = np.insert(self._scores, places, scores)

    def _work_out(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        total = np.zeros(len(rows), np.float32)
        for factor, clauses in self._texts:
            scores = np.zeros(len(rows), np.float32)
            for clause in clauses:
                scores += _credited(clause, rows, self._chunks)
            total += np.float32(factor) * scores
        return total

    def leading(self, k: int, allowed: Mask | None = None) -> NDArray[np.int64]:
        """Return the rows of the ``k`` best chunks that hold a word, ascending, and of some more: all that come near.

        With ``allowed``, ``(chunks,)`` bool, of these chunks only.
        """
        if len(self._rows) == self._chunks:
            return _near(self._scores, k, 0.0, np.empty(0, np.int64), allowed)
        words = sorted(self._words(), key=lambda word: -word.most)
        partial = np.zeros(self._chunks, np.float32)
        pool = np.empty(0, np.int64)
        for place, word in enumerate(words):
            left = _most(words[place:])
            if word.postings * _LONG > self._chunks and _worst_wanted(partial[pool], k) > left:
                rows = _near(partial, k, left, pool, allowed)
                if len(rows) * _LONG <= word.postings:
                    return _narrowed(rows, partial[rows], words[place:], k, self._chunks)
            _add(partial, word)
            if len(pool) < _POOL:
                held = np.concatenate([postings["row"][:_POOL] for postings, _ in word.clause]).astype(np.int64)
                pool = distinct(np.concatenate([pool, held if allowed is None else held[allowed[held]]]))
        return _near(partial, k, 0.0, pool, allowed)

    def _words(self) -> Iterator[_Word]:
        for factor, clauses in self._texts:
            for clause in clauses:
                most = max(weight * highest_weight(len(found), self._chunks) for found, weight in clause)
                yield _Word(clause, factor, factor * most)


def stands_in(rows: NDArray[np.integer], postings: Postings) -> NDArray[np.bool_]:
    """Return which chunks have a posting, ``(len(rows),)``."""
    return _find(postings, rows)[1]


def _credited(clause: Clause, rows: NDArray[np.int64], chunks: int) -> NDArray[np.float32]:
    best = np.zeros(len(rows), np.float32)
    for postings, weight in clause:
        if len(rows) == chunks:  # all of them, in order
            places, found = postings["row"], postings["weight"]
        else:
            at, is_there = _find(postings, rows)
            places, found = np.flatnonzero(is_there), postings["weight"][at[is_there]]
        best[places] = np.maximum(best[places], found * np.float32(weight))
    return best


def _find(postings: Postings, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the place of each row among the postings of a term, and whether it is there."""
    held = postings["row"]
    if len(held) == 0:
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    if len(held) < _READ_WHOLE * len(rows):
        places = np.searchsorted(np.ascontiguousarray(held), rows)
    else:
        places = _bisect(held, rows)
    places = np.minimum(places, len(held) - 1)
    return places, held[places] == rows


def _bisect(held: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return what ``np.searchsorted`` does, which would first copy all of a mapped array with gaps."""
    places, left = np.zeros(len(rows), np.int64), len(held)
    if not left:
        return places
    while left > 1:
        half = left >> 1
        places += (held[places + (half - 1)] < rows) * half
        left -= half
    places += held[places] < rows
    return places


def _add(partial: NDArray[np.float32], word: _Word) -> None:
    """Add what a word gives every chunk; the order of words, and so the last bits, are not those of ``of``."""
    if len(word.clause) == 1:
        ((postings, weight),) = word.clause
        partial[postings["row"]] += postings["weight"] * np.float32(word.factor * weight)  # a term has one a chunk
    else:
        best = np.zeros(len(partial), np.float32)  # faster than to sort the rows of both
        for postings, weight in word.clause:
            rows = postings["row"]
            best[rows] = np.maximum(best[rows], postings["weight"] * np.float32(weight))
        partial += np.float32(word.factor) * best


def _near(
    partial: NDArray[np.float32], k: int, left: float, pool: NDArray[np.int64], allowed: Mask | None
) -> NDArray[np.int64]:
    """Return the rows that can be among the ``k`` best, where what is left to add to any is no more than ``left``."""
    floor = _worst_wanted(partial[pool], k) - left
    rows = np.flatnonzero(partial >= floor if floor > 0 else partial)
    if allowed is not None:
        rows = rows[allowed[rows]]
    scores = partial[rows]
    return rows[scores >= _worst_wanted(scores, k) - left]


def _narrowed(
    rows: NDArray[np.int64], scores: NDArray[np.float32], left: Sequence[_Word], k: int, chunks: int
) -> NDArray[np.int64]:
    """Look the words that are left up for ``rows`` until few can be among the ``k`` best; ``scores`` are without."""
    for place, word in enumerate(left, 1):
        if len(rows) <= _FEW * k:
            break
        scores = scores + np.float32(word.factor) * _credited(word.clause, rows, chunks)
        is_near = scores >= _worst_wanted(scores, k) - _most(left[place:])
        rows, scores = rows[is_near], scores[is_near]
    return rows


def _most(words: Sequence[_Word]) -> float:
    return sum(word.most for word in words) * (1 + _ROUNDING)


def _worst_wanted(scores: NDArray[np.float32], k: int) -> float:
    """Return what the last of the ``k`` highest scores is no lower than, but for rounding; 0 where there are fewer."""
    if len(scores) < k:
        return 0.0
    return float(np.partition(scores, len(scores) - k)[len(scores) - k]) * (1 - _ROUNDING)
