"""Hits that say the same in the same words: one is shown, and the places of the others are named."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cyberqa.index.generation import Generation
from cyberqa.index.words import folded_words
from cyberqa.types import Hit

_COMMON = 0.8  # of the letters of both together
_PROBE = 20  # letters on each side of a passage's middle
_NEAR = 0.6  # cosine; the same text under another title has more

_MOST_COMPARED = 50  # hits; with each other, so the cost is the square

_NEGATION = re.compile(r"n['’]t\b", re.IGNORECASE)
_NEGATIONS = frozenset((
    "no", "not", "none", "nor", "never", "neither", "cannot", "without", "nobody", "nothing", "except", "unless",
    "nicht", "kein", "keine", "keinen", "ohne", "nie", "ne", "pas", "sans", "jamais", "aucun", "non", "senza",
    "nessuno", "mai", "sin", "nunca", "nije", "nisu", "nema", "nemaju", "bez", "nikad", "nikada", "ni", "nuk", "mos",
    "pa", "asnje", "kurre", "net", "nikogda",
))  # fmt: skip
"""Of the languages around, folded."""


def says_the_same(one: str, other: str) -> bool:
    """Whether two passages are one: letter for letter, but for what is cut off at their ends.

    At least .8 of their letters are common, in one piece, and neither end adds a number or a negation. Line breaks,
    hyphens, accents and punctuation do not matter; a single other word does: "adopted" is not "rejected", and two
    reports that answer differently are both shown. (By shared shingles, one word of a hundred makes no difference.)
    """
    words, others = (folded_words(_NEGATION.sub(" not ", text)) for text in (one, other))
    return _telling(words) == _telling(others) and _overlap("".join(words), "".join(others)) >= _COMMON


def _telling(words: Sequence[str]) -> list[str]:
    return [word for word in words if word in _NEGATIONS or any(ch.isnumeric() for ch in word)]


def _overlap(one: str, other: str) -> float:
    """Return the share of both that is common when the middle of the one is laid on the other; 0 where they differ."""
    if one == other:  # also where the probe stands more than once
        return float(bool(one))
    start = max(len(one) // 2 - _PROBE, 0)
    probe = one[start : start + 2 * _PROBE]
    found = other.find(probe)
    if not probe or found < 0:
        return 0.0
    shift = found - start
    common = one[max(-shift, 0) : len(other) - shift]
    if other[max(shift, 0) : shift + len(one)] != common:
        return 0.0
    return len(common) / (max(len(other), len(one) + shift) - min(shift, 0))


def fold_repeats(generation: Generation, hits: Sequence[Hit], k: int) -> list[tuple[Hit, list[Hit]]]:
    """Return the ``k`` best hits that differ, in their order and ranked anew, each with the hits that repeat it.

    The best 50 are compared.
    """
    compared = hits[:_MOST_COMPARED]
    alike = _look_alike(generation, compared)
    repeats: dict[int, list[Hit]] = {}
    for number, hit in enumerate(compared):
        same = (p for p in repeats if alike[p, number] and _repeats(generation, hits[p], hit))
        if (repeated := next(same, None)) is not None:
            repeats[repeated].append(hit)
        else:
            repeats[number] = []
    shown = [(hits[number], found) for number, found in repeats.items()]
    shown += [(hit, []) for hit in hits[_MOST_COMPARED:]]
    return [(replace(hit, rank=rank), found) for rank, (hit, found) in enumerate(shown[:k], 1)]


def _look_alike(generation: Generation, hits: Sequence[Hit]) -> NDArray[np.bool_]:
    """Return which hits have near vectors, ``(hits, hits)``: a look at vectors spares reading all texts."""
    if not hits:
        return np.zeros((0, 0), np.bool_)
    vectors = generation.chunk_vectors(np.array([hit.row for hit in hits]))
    alike: NDArray[np.bool_] = vectors @ vectors.T >= _NEAR
    return alike


def _repeats(generation: Generation, one: Hit, other: Hit) -> bool:
    return says_the_same(*(_text(generation, hit) for hit in (one, other)))


def _text(generation: Generation, hit: Hit) -> str:
    chunk = generation.chunk(hit.row)
    return generation.document(chunk.document).text[chunk.span.start : chunk.span.end]
