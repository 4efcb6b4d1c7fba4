"""BM25 over stemmed words, kept as one array of postings whose weights are computed when the index is written.

Why not an engine: the postings of a word are one slice of a mapped array, so a question costs a few additions
whatever the size, opens nothing and needs no writable folder; the file is the same to the byte for the same
corpus; and every word's weight is at hand for explaining and judging an answer (docs/architecture.md has figures).
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import Stemmer
from numpy.typing import NDArray

K1 = 1.2
B = 0.75

POSTING = np.dtype([("row", "<u4"), ("weight", "<f4")])
Postings = NDArray[np.void]
"""``(n,)`` of POSTING: for each term in turn its chunks in order of row, each with the term's BM25 weight there."""

_WORD = re.compile(r"[^\W_]+")
_FOOTNOTE_MARK = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_stem = Stemmer.Stemmer("english").stemWord


def index_terms(text: str) -> list[str]:
    """Return the terms of a text, in order: folded to lower case without accents, and stemmed.

    Footnote marks part words: "force³" is "forc", not "force3".
    """
    folded = unicodedata.normalize("NFKD", _FOOTNOTE_MARK.sub(" ", text).casefold())
    plain = "".join(ch for ch in folded if not unicodedata.combining(ch))
    return [_stem(word) for word in _WORD.findall(plain)]


def build_postings(texts: Iterable[str]) -> tuple[list[tuple[str, int, int]], Postings]:
    """Count the terms of every chunk's text, in order of row.

    The weight is BM25's (Robertson and Zaragoza 2009), with Lucene's idf, which is never negative:
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))``.

    Returns:
        ``(term, first, count)`` in order of term, and the postings they point into.
    """
    counts: dict[str, list[tuple[int, int]]] = {}
    lengths: list[int] = []
    for row, text in enumerate(texts):
        terms = index_terms(text)
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


def add_scores(postings: Iterator[Postings], rows: int) -> NDArray[np.float32]:
    """Return the BM25 score of every chunk, ``(rows,)``, from the postings of the question's terms."""
    scores = np.zeros(rows, np.float32)
    for slice_ in postings:
        scores[slice_["row"]] += slice_["weight"]  # a term has one posting a chunk, so no row stands twice
    return scores
