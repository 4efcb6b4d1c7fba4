"""Forms of a question and an open generation in, Hits out."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cyberqa.errors import UsageError
from cyberqa.index.generation import Generation, Mask, distinct
from cyberqa.index.phrases import phrase_matches, quoted_phrases
from cyberqa.retrieval.forms import Form, Query
from cyberqa.retrieval.late import late_interaction
from cyberqa.types import Hit

RANKING = "late/5"
"""Raised with any change of the rules here, in late.py, in names/ or of the token codec: a calibration is for one."""

_CANDIDATES = 100
"""Chunks that are ranked by all signals, at least: the best by cosine plus _PROPOSED_BY_WORDS x relative BM25.
On dev, 60 to 200 give the same Success@1, and the same Success@5 within one question."""
_PROPOSED_BY_WORDS = 0.4

# Beside late interaction, whose weight is 1. docs/retrieval.md has what each is worth.
_VECTOR_WEIGHT = 0.1
_LEXICAL_WEIGHT = 0.02


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
    query: Query,
    k: int,
    mode: Mode = Mode.HYBRID,
    allowed: Mask | None = None,
) -> list[Hit]:
    """Return the ``k`` best chunks for a question, best first; ties by document and position.

    A hit's score is the sum of its signals. HYBRID: late interaction, 0.1 x the cosine of the vectors, and 0.02 x BM25
    divided by the best BM25 of any chunk; the first two are the best of the forms. DENSE goes without BM25; LEXICAL is
    BM25 divided by its best, and nothing else. A chunk that holds what the question quotes gains 1, by share of the
    phrases, which no other chunk can make up for (not in DENSE). With ``allowed``, ``(chunks,)`` bool, all this is
    among these chunks only.
    """
    forms = query.forms
    bm25 = _lexical(generation, query, allowed)
    quoted = _quoted(generation, query.asked, mode, allowed)
    rows = _candidates(generation, forms, bm25 + quoted, max(_CANDIDATES, k), mode, allowed)
    signals: dict[str, NDArray[np.float32]] = {}
    if mode is not Mode.LEXICAL:
        signals["late interaction"] = _best_of(late_interaction(generation, forms, rows))
        signals["passage vector"] = _VECTOR_WEIGHT * _cosines(generation, forms, rows)
    if mode is not Mode.DENSE:
        signals["words"] = (_LEXICAL_WEIGHT if mode is Mode.HYBRID else 1.0) * bm25[rows]
    if quoted.any():
        signals["quoted words"] = quoted[rows]
    scores = np.sum(list(signals.values()), axis=0)
    # Scores are shown to six decimals: what looks equal is ordered as a tie. Rows follow document and position.
    order = sorted(range(len(rows)), key=lambda place: (-round(float(scores[place]), 6), int(rows[place])))[:k]
    return [
        Hit(
            int(rows[place]),
            rank,
            round(float(scores[place]), 6),
            {name: float(values[place]) for name, values in signals.items()},
        )
        for rank, place in enumerate(order, 1)
    ]


def _quoted(generation: Generation, form: Form, mode: Mode, allowed: Mask | None) -> NDArray[np.float32]:
    """Return the share of the quoted phrases that every allowed chunk holds, ``(chunks,)``."""
    phrases = quoted_phrases(form.text) if mode is not Mode.DENSE else ()
    shares = phrase_matches(generation, phrases)
    if allowed is not None:
        shares[~allowed] = 0.0
    return shares


def _lexical(generation: Generation, query: Query, allowed: Mask | None) -> NDArray[np.float32]:
    """Return BM25 of every allowed chunk divided by the best, ``(chunks,)``; zeros where no word is known."""
    bm25 = generation.lexical_scores(query.asked.text, query.corrections)
    for term in query.terms:
        bm25 += np.float32(term.weight) * generation.lexical_scores(term.text)
    if allowed is not None:
        bm25[~allowed] = 0.0
    best = bm25.max(initial=0.0)
    return bm25 / best if best > 0 else bm25


def _candidates(
    generation: Generation,
    forms: Sequence[Form],
    bm25: NDArray[np.float32],
    candidates: int,
    mode: Mode,
    allowed: Mask | None,
) -> NDArray[np.int64]:
    """Return the rows that are worth ranking, ascending."""
    if mode is Mode.LEXICAL:
        return np.sort(_best_rows(bm25, candidates))
    proposed = [generation.nearest_rows(form.vector, candidates, allowed) for form in forms]
    if mode is Mode.HYBRID:
        proposed.append(_best_rows(bm25, candidates))
    rows = distinct(np.concatenate(proposed)).astype(np.int64)
    worth = _cosines(generation, forms, rows) + (_PROPOSED_BY_WORDS * bm25[rows] if mode is Mode.HYBRID else 0.0)
    return np.sort(rows[np.argsort(-worth, kind="stable")[:candidates]])


def _cosines(generation: Generation, forms: Sequence[Form], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    vectors = generation.chunk_vectors(rows)
    return _best_of([vectors @ form.vector for form in forms])


def _best_of(values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return for each chunk its best score over the forms: a way to ask that nobody writes must cost nothing."""
    best: NDArray[np.float32] = np.max(values, axis=0)
    return best


def _best_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the rows of the ``k`` highest scores above zero, in any order but always the same."""
    found = np.flatnonzero(scores)
    if len(found) > k:
        found = found[np.argsort(-scores[found], kind="stable")[:k]]
    return found
