"""A question and an open generation in, Hits out."""

import numpy as np
from numpy.typing import NDArray

from cyberqa.index.generation import Generation
from cyberqa.types import Hit, Vector

_CANDIDATES = 200
"""Chunks that each side proposes, at least. Both scores are then computed for all of them."""

_LEXICAL_WEIGHT = 0.4
"""Of BM25 divided by its best, beside a cosine of weight 1. Best of the weights tried in the study that preceded
this code; adding scores won over reciprocal rank fusion there."""


def retrieve(generation: Generation, question: str, vector: Vector, k: int) -> list[Hit]:
    """Return the ``k`` best chunks for a question, best first; ties by document and position.

    The score is the cosine of the vectors plus 0.4 x BM25 divided by the best BM25 of any chunk.
    """
    candidates = max(_CANDIDATES, k)
    lexical = generation.lexical_scores(question)
    proposed = np.zeros(len(lexical), np.bool_)
    proposed[generation.nearest_rows(vector, candidates)] = True
    proposed[_best_rows(lexical, candidates)] = True
    rows = np.flatnonzero(proposed)
    best = float(lexical.max(initial=0.0))
    scores = generation.chunk_vectors(rows) @ vector
    if best > 0:
        scores = scores + np.float32(_LEXICAL_WEIGHT / best) * lexical[rows]
    # Scores are shown to six decimals: what looks equal is ordered as a tie. Rows follow document and position.
    ordered = sorted((-round(float(score), 6), int(row)) for score, row in zip(scores, rows, strict=True))
    return [Hit(row, rank, -negated) for rank, (negated, row) in enumerate(ordered[:k], 1)]


def _best_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the rows of the ``k`` highest scores above zero, in any order but always the same."""
    found = np.flatnonzero(scores)
    if len(found) > k:
        found = found[np.argsort(-scores[found], kind="stable")[:k]]
    return found
