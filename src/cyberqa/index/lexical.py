"""BM25 over terms, kept as one array of postings whose weights are computed when the index is written (postings.py).

Why not an engine: the postings of a word are one slice of a mapped array, so a question costs a few additions
whatever the size, opens nothing and needs no writable folder; the file is the same to the byte for the same
corpus; and every word's weight is at hand for explaining and judging an answer (docs/architecture.md has figures).
"""

from collections import Counter
from collections.abc import Iterable, Sequence

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


def add_scores(words: Iterable[Sequence[tuple[Postings, float]]], rows: int) -> NDArray[np.float32]:
    """Return the BM25 score of every chunk, ``(rows,)``.

    Each word of the question comes with the postings of its spellings (stems under several languages, what a typo may
    have meant), each with a weight; a chunk is credited with the best of them, so that a word counts once.
    """
    scores = np.zeros(rows, np.float32)
    for spellings in words:
        best = scores if len(spellings) == 1 else np.zeros(rows, np.float32)
        for postings, weight in spellings:
            found = postings["row"]  # a term has one posting a chunk, so no row stands twice
            share = postings["weight"] * np.float32(weight)
            best[found] = best[found] + share if best is scores else np.maximum(best[found], share)
        if best is not scores:
            scores += best
    return scores
