"""Hits that say the same in the same words: one is shown, and the places of the others are named."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cyberqa.index.generation import Generation
from cyberqa.index.words import folded_words
from cyberqa.types import Hit

_COMMON = 0.8  # of the letters of both together
_PROBE = 20  # letters on each side of a passage's middle

_MOST_COMPARED = 50  # hits; with each other, so the cost is the square
_TEXTS_KEPT = 2048  # 2 KB each

_DIGITS = re.compile(r"\d+")
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
    return _read(one).is_repeated_by(_read(other))


@dataclass(frozen=True, slots=True)
class _Said:
    """The letters of a text, and its numbers and negations."""

    letters: str
    telling: tuple[str, ...]

    def is_repeated_by(self, other: "_Said") -> bool:
        return self.telling == other.telling and _overlap(self.letters, other.letters) >= _COMMON


@lru_cache(_TEXTS_KEPT)
def _read(text: str) -> _Said:
    words = folded_words(_NEGATION.sub(" not ", text))
    telling = (word for word in words if word in _NEGATIONS or not word.isalpha())
    return _Said("".join(words), tuple(telling))


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
    texts = [generation.contents.text_of_chunk(hit.row) for hit in hits[:_MOST_COMPARED]]
    repeats: dict[int, list[Hit]] = {}
    by_digits: dict[str, list[int]] = {}  # most differ in these already, and need not be read word by word
    for number, text in enumerate(texts):
        alike = by_digits.setdefault("".join(_DIGITS.findall(text)), [])
        repeated = next((earlier for earlier in alike if says_the_same(texts[earlier], text)), None)
        if repeated is None:
            alike.append(number)
            repeats[number] = []
        else:
            repeats[repeated].append(hits[number])
    shown = [(hits[number], found) for number, found in repeats.items()]
    shown += [(hit, []) for hit in hits[_MOST_COMPARED:]]
    return [(replace(hit, rank=rank), found) for rank, (hit, found) in enumerate(shown[:k], 1)]
