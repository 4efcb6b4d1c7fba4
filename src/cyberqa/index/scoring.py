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

_LONG = 8
"""A word in more than one of so many chunks is worth asking first whether it can still change which are the best: that
costs about as much as adding it."""

_ROUNDING = 1e-5
"""Relative, and far over what the order of summing some dozens of float32 can change."""

_READ_WHOLE = 32
"""Places looked up in fewer postings than so many times as many are found faster by reading all of these."""


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

    def of(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the scores of some chunks, ``(len(rows),)``."""
        total = np.zeros(len(rows), np.float32)
        for factor, clauses in self._texts:
            scores = np.zeros(len(rows), np.float32)
            for clause in clauses:
                scores += _credited(clause, rows)
            total += np.float32(factor) * scores
        return total

    def leading(self, k: int, allowed: Mask | None = None) -> NDArray[np.int64]:
        """Return the rows of the ``k`` best chunks that hold a word, ascending, and of some more: all that come near.

        With ``allowed``, ``(chunks,)`` bool, of these chunks only.
        """
        partial = np.zeros(self._chunks, np.float32)
        left = sorted(self._words(), key=lambda word: -word.most)
        while left and not (self._is_long(left[0]) and _are_settled(partial, left, k, allowed)):
            word = left.pop(0)
            _add(partial, word)
        rows = _holding(partial, allowed)
        if len(rows) > k:
            scores = partial[rows]
            rows = rows[scores >= _kth(scores, k) * (1 - _ROUNDING) - _most(left)]
        return rows

    def _words(self) -> Iterator[_Word]:
        for factor, clauses in self._texts:
            for clause in clauses:
                most = max((weight * highest_weight(len(found), self._chunks) for found, weight in clause), default=0.0)
                yield _Word(clause, factor, factor * most)

    def _is_long(self, word: _Word) -> bool:
        return word.postings * _LONG > self._chunks


def stands_in(rows: NDArray[np.integer], postings: Postings) -> NDArray[np.bool_]:
    """Return which chunks have a posting, ``(len(rows),)``."""
    return _find(postings, rows)[1]


def _credited(clause: Clause, rows: NDArray[np.integer]) -> NDArray[np.float32]:
    best = np.zeros(len(rows), np.float32)
    for postings, weight in clause:
        places, is_there = _find(postings, rows)
        best[is_there] = np.maximum(best[is_there], postings["weight"][places[is_there]] * np.float32(weight))
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
    low, high = np.zeros(len(rows), np.int64), np.full(len(rows), len(held), np.int64)
    for _ in range(len(held).bit_length()):
        middle = (low + high) >> 1
        is_below = (middle < high) & (held[np.minimum(middle, len(held) - 1)] < rows)
        low, high = np.where(is_below, middle + 1, low), np.where(is_below, high, middle)
    return low


def _add(partial: NDArray[np.float32], word: _Word) -> None:
    """Add what a word gives every chunk; the order of words, and so the last bits, are not those of ``of``."""
    if len(word.clause) == 1:
        ((postings, weight),) = word.clause
        partial[postings["row"]] += postings["weight"] * np.float32(word.factor * weight)  # a term has one a chunk
    elif word.clause:
        rows = distinct(np.concatenate([postings["row"] for postings, _ in word.clause]))
        partial[rows] += np.float32(word.factor) * _credited(word.clause, rows)


def _are_settled(partial: NDArray[np.float32], left: Sequence[_Word], k: int, allowed: Mask | None) -> bool:
    """Whether no chunk that holds only words that are left can be among the ``k`` best."""
    scores = partial[_holding(partial, allowed)]
    return len(scores) > k and _kth(scores, k) * (1 - _ROUNDING) > _most(left)


def _holding(partial: NDArray[np.float32], allowed: Mask | None) -> NDArray[np.int64]:
    rows = np.flatnonzero(partial)
    return rows if allowed is None else rows[allowed[rows]]


def _kth(scores: NDArray[np.float32], k: int) -> float:
    """Return the ``k``-th highest of more than ``k`` scores."""
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


def _most(left: Sequence[_Word]) -> float:
    return sum(word.most for word in left) * (1 + _ROUNDING)
