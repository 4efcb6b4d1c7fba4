"""A question and an open generation in, Hits out."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cyberqa.errors import UsageError
from cyberqa.index.generation import Generation, Mask
from cyberqa.index.phrases import phrase_matches, quoted_phrases
from cyberqa.index.typos import Correction
from cyberqa.types import Hit, Vector

_CANDIDATES = 200
"""Chunks that each side proposes, at least. Both scores are then computed for all of them."""

_LEXICAL_WEIGHT = 0.4
"""Of BM25 divided by its best, beside a cosine of weight 1. Best of the weights tried in the study that preceded
this code; adding scores won over reciprocal rank fusion there."""


class Mode(StrEnum):
    """Which sides are asked: both, or one alone."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


def parse_mode(name: str) -> Mode:
    """Return the mode of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return Mode(name)
    except ValueError:
        raise UsageError(f"expected a mode of {', '.join(Mode)}, found {name!r}") from None


def retrieve(
    generation: Generation,
    question: str,
    vector: Vector,
    k: int,
    mode: Mode = Mode.HYBRID,
    allowed: Mask | None = None,
    corrections: Sequence[Correction] = (),
) -> list[Hit]:
    """Return the ``k`` best chunks for a question, best first; ties by document and position.

    The score is the cosine of the vectors (DENSE), BM25 divided by the best BM25 of any chunk (LEXICAL), or the
    cosine plus 0.4 x the latter (HYBRID). A chunk that holds what the question quotes gains 1, by share of the phrases,
    which no other chunk can make up for. With ``allowed``, ``(chunks,)`` bool, all this is among these chunks only.
    """
    candidates = max(_CANDIDATES, k)
    proposed = np.zeros(generation.manifest.chunks, np.bool_)
    if mode is not Mode.LEXICAL:
        proposed[generation.nearest_rows(vector, candidates, allowed)] = True
    bm25 = quoted = np.zeros(len(proposed), np.float32)
    if mode is not Mode.DENSE:
        bm25 = generation.lexical_scores(question, corrections)
        quoted = phrase_matches(generation, quoted_phrases(question))
        if allowed is not None:
            bm25[~allowed] = quoted[~allowed] = 0.0
        proposed[_best_rows(bm25, candidates)] = True
        proposed[_best_rows(quoted, candidates)] = True
    rows = np.flatnonzero(proposed)
    scores = np.zeros(len(rows), np.float32)
    if mode is not Mode.LEXICAL:
        scores += generation.chunk_vectors(rows) @ vector
    if best := float(bm25.max(initial=0.0)):
        weight = _LEXICAL_WEIGHT if mode is Mode.HYBRID else 1.0
        scores += np.float32(weight / best) * bm25[rows]
    scores += quoted[rows]
    # Scores are shown to six decimals: what looks equal is ordered as a tie. Rows follow document and position.
    ordered = sorted((-round(float(score), 6), int(row)) for score, row in zip(scores, rows, strict=True))
    return [Hit(row, rank, -negated) for rank, (negated, row) in enumerate(ordered[:k], 1)]


def _best_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the rows of the ``k`` highest scores above zero, in any order but always the same."""
    found = np.flatnonzero(scores)
    if len(found) > k:
        found = found[np.argsort(-scores[found], kind="stable")[:k]]
    return found
