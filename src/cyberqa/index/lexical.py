"""BM25 over terms, kept as one array of postings whose weights are computed when the index is written.

Why not an engine: the postings of a word are one slice of a mapped array, so a question costs a few additions
whatever the size, opens nothing and needs no writable folder; the file is the same to the byte for the same
corpus; and every word's weight is at hand for explaining and judging an answer (docs/architecture.md has figures).
"""

import math
from array import array
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cyberqa.index.words import index_terms

K1 = 1.2
B = 0.75

POSTING = np.dtype([("row", "<u4"), ("weight", "<f4")])
Postings = NDArray[np.void]
"""``(n,)`` of POSTING: for each term in turn its chunks in order of row, each with the term's BM25 weight there."""


def count_terms(text: str, language: str | None) -> dict[str, int]:
    """Return how often each term stands in a text in a language."""
    return Counter(index_terms(text, language))


class PostingsBuilder:
    """Takes the terms of one chunk after the other, in order of row."""

    def __init__(self) -> None:
        self._terms: dict[str, int] = {}  # a term's number, by first appearance
        self._numbers = array("I")
        self._frequencies = array("I")
        self._distinct = array("I")  # of each chunk
        self._lengths: list[int] = []

    def add(self, terms: Mapping[str, int]) -> None:
        """Take the terms of the next chunk, with how often each stands there."""
        known = self._terms
        self._numbers.extend([known.setdefault(term, len(known)) for term in terms])
        self._frequencies.extend(terms.values())
        self._distinct.append(len(terms))
        self._lengths.append(sum(terms.values()))

    def build(self) -> tuple[list[tuple[str, int, int]], Postings]:
        """Return ``(term, first, count)`` in order of term, and the postings they point into.

        The weight is BM25's (Robertson and Zaragoza 2009), with Lucene's idf, which is never negative:
        ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))``.
        """
        total = len(self._lengths)
        mean = sum(self._lengths) / max(total, 1) or 1.0
        damping = np.array([K1 * (1 - B + B * length / mean) for length in self._lengths])
        terms = sorted(self._terms)
        place = np.empty(len(terms), np.int64)
        place[[self._terms[term] for term in terms]] = np.arange(len(terms))
        places = place[np.asarray(self._numbers)]
        order = np.argsort(places, kind="stable")  # by term, and of one term by row
        counts = np.bincount(places, minlength=len(terms)).tolist()
        idf = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count in counts]
        rows = np.repeat(np.arange(total), np.asarray(self._distinct))[order]
        frequencies = np.asarray(self._frequencies).astype(np.float64)[order]
        postings = np.empty(len(order), POSTING)
        postings["row"] = rows
        postings["weight"] = np.repeat(idf, counts) * frequencies * (K1 + 1) / (frequencies + damping[rows])
        firsts = np.cumsum([0, *counts]).tolist()
        return list(zip(terms, firsts, counts, strict=False)), postings


def highest_weight(held: int, chunks: int) -> float:
    """Return what a term's weight stays under, however often it is in a chunk, where ``held`` of ``chunks`` have it."""
    return _idf(held, chunks) * (K1 + 1)


def _idf(held: int, chunks: int) -> float:
    return math.log(1 + (chunks - held + 0.5) / (held + 0.5))
