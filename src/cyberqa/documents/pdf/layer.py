"""Whether the text that a page carries is text: fonts without a map to characters yield signs that mean nothing."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from cyberqa.location import page_ranges

_MAX_GARBLED = 0.05
"""Share of a page's tokens. A stray bullet or symbol is less; a font without a map leaves a third and more."""

_MIN_LETTERS = 100
"""What is left of a page that is mostly garbled is worth keeping from here on; less is its header and its number."""

_GLYPH_NAMES = re.compile(r"(?:/\d{1,5})*(?:/[ig]\d{1,5}|/G\d{2,5}|\(cid:\d+\))")
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e\xa0-\u2fff\u3000-\ud7ff\uf900-\ufdcf\ufdf0-\uffef]|/[igG]\d|\(cid:")
_NOT_TEXT = ("Cc", "Co", "Cn", "Cs")


def is_readable(text: str) -> bool:
    """Whether at most one token in twenty is control characters, private-use characters or glyph names."""
    if not _SUSPECT.search(text):
        return True
    tokens = text.split()
    return sum(map(_is_garbled, tokens)) <= _MAX_GARBLED * len(tokens)


def readable_lines(lines: Sequence[str]) -> list[bool]:
    """Say of each line of a page whether to keep it: half of it is in words that can be read.

    None is kept where they come to less than half of the page, and to hardly more than a header.
    """
    kept = [_readable_chars(line) * 2 >= len("".join(line.split())) for line in lines]
    readable = "".join(line for line, keep in zip(lines, kept, strict=True) if keep)
    letters, all_chars = sum(map(str.isalpha, readable)), len("".join("".join(lines).split()))
    if letters < _MIN_LETTERS and len("".join(readable.split())) * 2 < all_chars:
        return [False] * len(lines)
    return kept


def _readable_chars(line: str) -> int:
    return sum(len(token) for token in line.split() if not _is_garbled(token))


def _is_garbled(token: str) -> bool:
    if _GLYPH_NAMES.match(token):
        return True
    if len(token) == 1 and unicodedata.category(token) == "Co":
        return False  # Word's bullets
    return any(char == "\ufffd" or unicodedata.category(char) in _NOT_TEXT for char in token)


def page_names(numbers: Iterable[int]) -> str:
    """Write ``page 3`` or ``pages 3, 7-9``."""
    found = sorted(numbers)
    return f"{'page' if len(found) == 1 else 'pages'} {page_ranges(found)}"
