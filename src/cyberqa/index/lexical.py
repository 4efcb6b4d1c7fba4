"""BM25 over terms, kept as one array of postings whose weights are computed when the index is written.

Why not an engine: the postings of a word are one slice of a mapped array, so a question costs a few additions
whatever the size, opens nothing and needs no writable folder; the file is the same to the byte for the same
corpus; and every word's weight is at hand for explaining and judging an answer (docs/architecture.md has figures).
"""

import math
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


def build_postings(texts: Iterable[tuple[str, str | None]]) -> tuple[list[tuple[str, int, int]], Postings]:
    """Count the terms of every chunk's text and language, in order of row.

    The weight is BM25's (Robertson and Zaragoza 2009), with Lucene's idf, which is never negative:
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))``.

    Returns:
        ``(term, first, count)`` in order of term, and the postings they point into.
    """
    counts: dict[str, list[tuple[int, int]]] = {}
    lengths: list[int] = []
    for row, (text, language) in enumerate(texts):
        terms = index_terms(text, language)
        lengths.append(len(terms))
        for term, frequency in Counter(terms).items():
            counts.setdefault(term, []).append((row, frequency))
    mean = sum(lengths) / max(len(lengths), 1) or 1.0
    damping = [K1 * (1 - B + B * length / mean) for length in lengths]
    postings = np.empty(sum(map(len, counts.values())), POSTING)
    directory: list[tuple[str, int, int]] = []
    first = 0
    for term in sorted(counts):
        idf = math.log(1 + (len(lengths) - len(counts[term]) + 0.5) / (len(counts[term]) + 0.5))
        entries = [(row, idf * tf * (K1 + 1) / (tf + damping[row])) for row, tf in counts[term]]
        postings[first : first + len(entries)] = entries
        directory.append((term, first, len(entries)))
        first += len(entries)
    return directory, postings


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
