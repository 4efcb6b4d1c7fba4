"""What a word that stands nowhere in the corpus may have been meant to be."""

import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cyberqa.index.words import analyser, fold, spelled_words

_SHORTEST = 5  # letters; shorter words have a neighbour by chance
_SHORTEST_ACRONYM = 4
_LONG = 8  # letters; from here two slips are forgiven
_WEIGHTS = {1: 0.8, 2: 0.6}  # by distance, beside a word as it was asked
_MOST_MEANT = 3

Known = tuple[str, str, int]
"""A word of the corpus: folded, as it is mostly written, and how often it stands there."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A word of the question that stands nowhere, and one of at most three that may have been meant.

    ``typed`` is as in the question, ``meant`` as the corpus mostly writes it; ``weight`` is beside a word asked: 1.
    """

    typed: str
    meant: str
    weight: float


def count_words(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each word stands in some texts, as it is written."""
    return Counter(word for text in texts for word in spelled_words(text))


class WordCounter:
    """Takes the words of one document after the other; their order makes no difference."""

    def __init__(self) -> None:
        self._spelled: dict[bool, Counter[str]] = {}  # by whether Cyrillic stays

    def add(self, words: Mapping[str, int], language: str | None) -> None:
        """Take the words of a document in a language, as :func:`count_words` counts them."""
        _, cyrillic_stays = analyser(language)
        self._spelled.setdefault(cyrillic_stays, Counter()).update(words)

    def known_words(self) -> list[Known]:
        """Return the words that a typo may have been meant to be, sorted."""
        found: dict[str, list[tuple[int, str]]] = {}
        for cyrillic_stays, counts in self._spelled.items():
            for written, count in counts.items():
                parts = fold(written, cyrillic_stays)
                if len(parts) == 1 and len(parts[0]) >= _SHORTEST_ACRONYM and parts[0].isalpha():
                    found.setdefault(parts[0], []).append((-count, written))
        return [(word, min(found[word])[1], -sum(count for count, _ in found[word])) for word in sorted(found)]


def reach_of(typed: str) -> int:
    """Return how many slips a word may have, 0 to 2: none in numbers, short words and short acronyms.

    An acronym has one at most: three letters of five kept name another body, not the same one misspelt.
    """
    if not typed.isalpha():
        return 0
    if typed.isupper():
        return int(len(typed) >= _SHORTEST_ACRONYM)
    return 0 if len(typed) < _SHORTEST else 1 if len(typed) < _LONG else 2


def other_beginnings(word: str) -> list[str]:
    """Return what a folded word may have been with one slip in its first two letters."""
    found = [word[1:], word[0] + word[2:], word[1::-1] + word[2:], word[0] + word[2:0:-1] + word[3:]]
    for place in (0, 1):
        found += [word[:place] + ch + word[place + drop :] for ch in string.ascii_lowercase for drop in (0, 1)]
    return sorted({other for other in found if other[:2] != word[:2]})


def nearest(typed: str, word: str, known: Iterable[Known], *, is_first: bool) -> list[Correction]:
    """Return the nearest words, at most three: same first letter first, then the most frequent, then by alphabet.

    Distance is Damerau and Levenshtein's. A short word with a capital inside a question is a name, and means names
    only; one all in capitals is an acronym, and means acronyms only.
    """
    from rapidfuzz.distance import OSA  # 12 ms, so only where there is a typo

    reach = reach_of(typed)
    ranked = sorted(
        (distance, found[0] != word[0], -count, found, written)
        for found, written, count in known
        if (distance := OSA.distance(word, found, score_cutoff=reach)) <= reach
        and found != word
        and _is_alike(typed, written, is_first=is_first)
    )
    return [
        Correction(typed, _in_case_of(typed, written), _WEIGHTS[distance])
        for distance, _, _, _, written in ranked[:_MOST_MEANT]
        if distance == ranked[0][0]
    ]


def _is_alike(typed: str, written: str, *, is_first: bool) -> bool:
    if typed.isupper():
        return written.isupper()
    return is_first or len(typed) >= _LONG or not typed[0].isupper() or written[0].isupper()


def _in_case_of(typed: str, written: str) -> str:
    return written[0].upper() + written[1:] if typed[0].isupper() else written
