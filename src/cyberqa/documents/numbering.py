"""The numbers and bullets that a word processor or browser sets in front of items and headings.

They stand nowhere in the file's text, but a person reads them. Where one cannot be computed truly there is none.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

BULLET = "•"
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MAX_ROMAN = 3999
_PLACE = re.compile(r"%([1-9])")


def count_in(style: str, number: int) -> str | None:
    """Return a number as a style of numbering writes it, in WordprocessingML's names of them.

    >>> count_in("lowerRoman", 4), count_in("upperLetter", 28), count_in("decimalZero", 7)
    ('iv', 'BB', '07')
    """
    match style:
        case "decimal":
            return str(number)
        case "decimalZero":
            return f"{number:02}"
        case "lowerLetter" | "upperLetter" if number > 0:
            # Word doubles the letter after z, where a spreadsheet would write "aa", "ab".
            letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        case "lowerRoman" | "upperRoman" if 0 < number <= _MAX_ROMAN:
            letters = _roman(number)
        case _:
            return None
    return letters.upper() if style.startswith("upper") else letters


def _roman(number: int) -> str:
    written = ""
    for value, letters in _ROMAN:
        written += letters * (number // value)
        number %= value
    return written


@dataclass(frozen=True, slots=True)
class _Level:
    """How one depth of a list is numbered: ``text`` is a pattern such as ``%1.%2``."""

    style: str
    text: str
    start: int
    is_legal: bool
    restarts: bool


class Numbering:
    """The lists of a DOCX (``word/numbering.xml``) and how far each has been counted."""

    def __init__(self, root: "_Element | None") -> None:
        abstract = {item.get(f"{W}abstractNumId"): item for item in _all(root, "abstractNum")}
        linked = {value(item, "styleLink"): id_ for id_, item in abstract.items() if value(item, "styleLink")}
        self._lists: dict[str, str] = {}
        self._levels: dict[tuple[str, int], _Level] = {}
        self._styles: dict[tuple[str, str], int] = {}
        self._begin_anew: dict[tuple[str, int], int] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        for item in _all(root, "num"):
            id_, list_id = item.get(f"{W}numId") or "", value(item, "abstractNumId")
            definition = abstract.get(list_id)
            if definition is not None and (link := value(definition, "numStyleLink")) in linked:
                list_id = linked[link]
                definition = abstract[list_id]
            self._lists[id_] = list_id or ""
            self._define(id_, _all(definition, "lvl"))
            for override in _all(item, "lvlOverride"):
                self._define(id_, _all(override, "lvl"))
                if (start := _number(value(override, "startOverride"))) is not None:
                    self._begin_anew[id_, _number(override.get(f"{W}ilvl")) or 0] = start

    def _define(self, id_: str, levels: "list[_Element]") -> None:
        for item in levels:
            depth = _number(item.get(f"{W}ilvl")) or 0
            start = _number(value(item, "start"))
            self._levels[id_, depth] = _Level(
                value(item, "numFmt") or "decimal",
                value(item, "lvlText") or "",
                0 if start is None else start,
                item.find(f"{W}isLgl") is not None,
                value(item, "lvlRestart") != "0",
            )
            if style := value(item, "pStyle"):
                self._styles[id_, style] = depth

    def depth_of(self, id_: str, style: str) -> int:
        """Return the depth that a paragraph style stands for in a list."""
        return self._styles.get((id_, style), 0)

    def count(self, id_: str, depth: int) -> str | None:
        """Count one paragraph of a list, and return what stands in front of it; None where that cannot be told."""
        level = self._levels.get((id_, depth))
        if level is None:
            return None
        counts = self._counts[self._lists[id_]]
        if (start := self._begin_anew.pop((id_, depth), None)) is not None:
            counts[depth] = start
        else:
            counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [other for other in counts if other > depth and self._restarts(id_, other)]:
            del counts[deeper]
        if level.style == "bullet":
            return level.text if _is_plain_bullet(level.text) else BULLET
        numbers = {place: self._shown(id_, int(place) - 1, level, counts) for place in _PLACE.findall(level.text)}
        if None in numbers.values():
            return None
        return _PLACE.sub(lambda match: numbers[match[1]] or "", level.text).strip()

    def _restarts(self, id_: str, depth: int) -> bool:
        level = self._levels.get((id_, depth))
        return level is None or level.restarts

    def _shown(self, id_: str, depth: int, shown_in: _Level, counts: dict[int, int]) -> str | None:
        level = self._levels.get((id_, depth))
        if level is None:
            return None
        return count_in("decimal" if shown_in.is_legal else level.style, counts.get(depth, level.start))


def _is_plain_bullet(text: str) -> bool:
    """Whether a bullet is a character of its own; most are places in a font of symbols, or the letter o."""
    return len(text) == 1 and not text.isalnum() and text.isprintable()


def value(element: "_Element", name: str) -> str | None:
    """Return the ``w:val`` of a child; None where there is no such child."""
    child = element.find(f"{W}{name}")
    return None if child is None else child.get(f"{W}val", "")


def _all(element: "_Element | None", name: str) -> "list[_Element]":
    return [] if element is None else element.findall(f"{W}{name}")


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,9}", text) else None
