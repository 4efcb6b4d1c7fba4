"""How words are written: which of them are names, whatever the question's own capitals say."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_NAME_SHARE = 0.5  # what is written so less often is no name, and not stored

_WORD = re.compile(r"[^\W\d_]+")
_INSIDE = re.compile(r"(?:(?<=[^\W\d_] )|(?<=[,;] ))[^\W\d_]+")  # a sentence does not start here


class Capitals(NamedTuple):
    """How a word is written in the whole corpus.

    ``share`` of its places inside a sentence have a capital; ``is_always``: it has one wherever it stands.
    """

    share: float
    is_always: bool


NO_CAPITALS = Capitals(0.0, False)
"""Of a word that the corpus writes small, or has not."""


def count_spellings(text: str) -> tuple[dict[str, int], list[str]]:
    """Return how often each word stands inside a sentence of a text, as it is written, and all spellings of words."""
    return Counter(_INSIDE.findall(text)), list(dict.fromkeys(_WORD.findall(text)))


class CapitalCounter:
    """Counts how the words of documents are written; the order of the documents makes no difference."""

    def __init__(self) -> None:
        self._inside: Counter[str] = Counter()
        self._spellings: set[str] = set()

    def add(self, inside: Mapping[str, int], spellings: Iterable[str]) -> None:
        """Take the words of a document, as :func:`count_spellings` counts them."""
        self._inside.update(inside)
        self._spellings.update(spellings)

    def rows(self) -> list[tuple[str, float, bool]]:
        """Return ``(word, share, is_always)`` of the words that may be names, folded to lower case and sorted."""
        total: Counter[str] = Counter()
        with_capital: Counter[str] = Counter()
        for form, count in self._inside.items():
            total[form.casefold()] += count
            with_capital[form.casefold()] += count if form[0].isupper() else 0
        small = {word.casefold() for word in self._spellings if not word[0].isupper()}
        found: list[tuple[str, float, bool]] = []
        for word in sorted({word.casefold() for word in self._spellings if word[0].isupper()}):
            share = round(with_capital[word] / total[word], 3) if total[word] else 0.0
            if share > _NAME_SHARE or word not in small:
                found.append((word, share, word not in small))
        return found
