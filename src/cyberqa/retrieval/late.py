"""Late interaction (Khattab and Zaharia 2020): each token of the question looks for its best match in a chunk."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cyberqa.index.arrays import distinct
from cyberqa.index.generation import Generation
from cyberqa.retrieval.forms import Form
from cyberqa.types import Matrix

IDF_POWER = 0.75
"""Of a token's weight. 1 is within .006 of it in Success@1 on dev and practice; 0 costs .031."""

BORROWED_FROM_BEFORE = 0.10
"""What a token costs that stands not in the chunk but in the one before it, of the same section: passages go on about
what the one before them named."""

_NOT_FOUND = -1.0


def token_weights(generation: Generation, form: Form) -> NDArray[np.float32]:
    """Return each token's share of the score, ``(n,)``, summing to 1: its idf among word pieces, to IDF_POWER."""
    chunks, pieces = generation.manifest.chunks, generation.pieces
    held = np.array([pieces[id_] if id_ < len(pieces) else 0 for id_ in form.ids], np.float64)
    weights = np.log(1 + (chunks - held + 0.5) / (held + 0.5)) ** IDF_POWER
    shares: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return shares


def late_interaction(
    generation: Generation, forms: Sequence[Form], rows: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Return for each form the score of each of ``rows`` (ascending), ``(len(rows),)``, from -1 to 1."""
    before = generation.rows["before"][rows]
    needed = distinct(np.concatenate([rows, before]))
    needed = needed[needed >= 0]
    best = _best_cosines(generation, forms, needed)
    total = best[np.searchsorted(needed, rows)]
    has = np.flatnonzero(before >= 0)
    borrowed = best[np.searchsorted(needed, before[has])] - np.float32(BORROWED_FROM_BEFORE)
    total[has] = np.maximum(total[has], borrowed)
    ends = np.cumsum([len(form.ids) for form in forms])[:-1]
    parts = zip(forms, np.split(total, ends, axis=1), strict=True)
    return [token_weights(generation, form) @ np.ascontiguousarray(part).T for form, part in parts]


def _best_cosines(generation: Generation, forms: Sequence[Form], rows: NDArray[np.int64]) -> Matrix:
    """Return ``(len(rows), tokens of all forms)``; a chunk without any word has _NOT_FOUND throughout."""
    question = np.concatenate([form.tokens for form in forms])  # the tokens of a chunk are decoded once for all
    best = np.full((len(rows), len(question)), _NOT_FOUND, np.float32)
    with_words = np.flatnonzero(generation.rows["tokens"][rows] > 0)
    if len(with_words):
        best[with_words] = forms[0].codec.best_cosines(question, *generation.tokens.codes(rows[with_words]))
    return best
