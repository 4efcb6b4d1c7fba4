"""Words of a text by their stems: what makes "Agencies" and "agency" one key."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import Stemmer

_WORD = re.compile(r"[^\W_⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLURAL_ACRONYM = re.compile(r"[A-Z][A-Za-z]*[A-Z]s")
_stem: Callable[[str], str] = Stemmer.Stemmer("english").stemWord

NAMED_AFTER_A_PLACE = re.compile(
    r"\s+(?:convention|treaty|manual|summit|agreement|declaration|process|protocol|university|accords?|call)\b", re.I
)
"""What stands behind a place where both together name something else: "Budapest Convention"."""

LONGEST_KEY_WORDS = 14
"""Words of the longest name that is looked up; longer ones are never stored."""


@dataclass(frozen=True, slots=True)
class StemmedWord:
    """A word of a text and its stem; ``start`` and ``end`` are code points of the text."""

    start: int
    end: int
    stem: str


def split_words(text: str) -> list[StemmedWord]:
    """Return the words of a text in order. Hyphens, apostrophes and footnote marks part words; CBMs is CBM."""
    return [StemmedWord(found.start(), found.end(), stem_word(found.group())) for found in _WORD.finditer(text)]


@lru_cache(65536)
def stem_word(word: str) -> str:
    """Return the stem of a word, in lower case and without accents."""
    if _PLURAL_ACRONYM.fullmatch(word):
        word = word[:-1]
    if word.isascii():
        return _stem(word.lower())
    folded = unicodedata.normalize("NFKD", word.casefold())
    return _stem("".join(ch for ch in folded if not unicodedata.combining(ch)))


@lru_cache(65536)
def key_of(text: str) -> str:
    """Return what a name is looked up by: its stems.

    >>> key_of("Law Enforcement Agencies")
    'law enforc agenc'
    """
    return " ".join(word.stem for word in split_words(text))


def letters_of(text: str) -> str:
    """Return the letters and digits of a text, as written: ``U.S.`` and ``US`` are the same to a reader."""
    return "".join(_WORD.findall(text))


def runs_of(words: list[StemmedWord]) -> Iterator[tuple[int, int, str]]:
    """Yield ``(first, last + 1, key)`` of every run of words that is short enough to be a name, longest first."""
    for length in range(min(len(words), LONGEST_KEY_WORDS), 0, -1):
        for first in range(len(words) - length + 1):
            yield first, first + length, " ".join(word.stem for word in words[first : first + length])
