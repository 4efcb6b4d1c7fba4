"""BM25 over terms, kept as one array of postings whose weights are computed when the index is written (postings.py).

Why not an engine: the postings of a word are one slice of a mapped array, so a question costs a few additions
whatever the size, opens nothing and needs no writable folder; the file is the same to the byte for the same
corpus; and every word's weight is at hand for explaining and judging an answer (docs/architecture.md has figures).
"""

import math
from collections import Counter

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


def highest_weight(held: int, chunks: int) -> float:
    """Return what a term's weight stays under, however often it is in a chunk, where ``held`` of ``chunks`` have it."""
    return idf(held, chunks) * (K1 + 1)


def idf(held: int, chunks: int) -> float:
    """Return the inverse document frequency, by Lucene's formula, which is never negative."""
    return math.log(1 + (chunks - held + 0.5) / (held + 0.5))
