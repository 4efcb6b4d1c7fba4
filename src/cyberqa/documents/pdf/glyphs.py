"""What pdfium knows of single characters on a page. Each question to it costs about a microsecond."""

import ctypes
import re
from typing import Any

MARK = "\ufdd0"
"""Stands on both sides of a footnote's mark while a page is read; a noncharacter, dropped where a file has one."""

SMALLER = 0.8  # a mark is set at 50 to 75 % of the size of its line,
_HIGHER = 0.1  # and raised by a third of it
_HEAVY = re.compile(rb"bold|black|heavy|semibold|demi", re.IGNORECASE)
_HEAVY_WEIGHT = 650  # pdfium guesses a weight from the stems: 400 to 550 for upright faces, over 700 for bold ones
_LAST_CODE_POINT = 0x10FFFF
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_NO_SIGN = re.compile("\ufffe")  # what FPDFText_GetText makes of U+0002


class Glyphs:
    """Asks pdfium about single characters of a page."""

    def __init__(self, textpage: Any) -> None:
        import pypdfium2.raw as raw

        self._raw = raw
        self._page = textpage.raw
        self._matrix = raw.FS_MATRIX()
        self._box = raw.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._name = ctypes.create_string_buffer(128)
        self._flags = ctypes.c_int()

    def text(self) -> str:
        """Return one code point a character, so that a position in it is pdfium's number of the character.

        A sign beyond U+FFFF is two characters to pdfium: its second place holds U+0000.
        """
        count = self._raw.FPDFText_CountChars(self._page)
        units = (ctypes.c_ushort * (count + 1))()
        if self._raw.FPDFText_GetText(self._page, 0, count, units) != count + 1:
            return "".join(self._char(index) for index in range(count))
        text = bytes(units)[: 2 * count].decode("utf-16-le", "surrogatepass").replace(MARK, "\0")
        text = _BEYOND.sub("\\g<0>\0", text)
        return _NO_SIGN.sub(lambda match: self._char(match.start()), text)

    def _char(self, index: int) -> str:
        code = self._raw.FPDFText_GetUnicode(self._page, index)
        return chr(code) if code <= _LAST_CODE_POINT and code != ord(MARK) else "\0"

    def size(self, index: int) -> float:
        """Return the size of type, in points as drawn."""
        size = float(self._raw.FPDFText_GetFontSize(self._page, index))
        if self._raw.FPDFText_GetMatrix(self._page, index, self._matrix):  # many programs write size 1 and scale it
            size *= (self._matrix.c**2 + self._matrix.d**2) ** 0.5
        return size

    def is_bold(self, index: int) -> bool:
        """Whether the font says so by its name, or its stems do."""
        length = self._raw.FPDFText_GetFontInfo(self._page, index, self._name, len(self._name), self._flags)
        if length and _HEAVY.search(self._name.value):
            return True
        return bool(self._raw.FPDFText_GetFontWeight(self._page, index) >= _HEAVY_WEIGHT)

    def base(self, index: int) -> float:
        """Return the height that a character stands on."""
        self._raw.FPDFText_GetCharOrigin(self._page, index, self._x, self._y)
        return self._y.value

    def sides(self, index: int) -> tuple[float, float]:
        """Return where a character starts and ends on its line."""
        self._raw.FPDFText_GetLooseCharBox(self._page, index, self._box)
        return self._box.left, self._box.right

    def centre(self, index: int) -> tuple[float, float]:
        """Return the middle of a character's box."""
        self._raw.FPDFText_GetLooseCharBox(self._page, index, self._box)
        return (self._box.left + self._box.right) / 2, (self._box.bottom + self._box.top) / 2

    def is_raised(self, index: int, size: float, base: float) -> bool:
        """Whether a character is set smaller and higher than its line."""
        return self.size(index) < SMALLER * size and self.base(index) > base + _HIGHER * size

    def has_ink(self, index: int) -> bool:
        """Whether a character leaves anything on the page."""
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        self._raw.FPDFText_GetCharBox(self._page, index, left, right, bottom, top)
        return right.value - left.value > 0.01 and top.value - bottom.value > 0.01
