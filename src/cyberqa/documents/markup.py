"""A tree of HTML in, its leaves out: paragraphs, headings, items and tables as a browser shows them.

No leaf is left out here; which of them are the page's main text is decided in html.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cyberqa.documents.composing import Part, raised, superscript, table_text
from cyberqa.documents.numbering import BULLET, count_in
from cyberqa.types import BlockKind

if TYPE_CHECKING:
    from lxml.etree import _Element

_UNSEEN = """script style noscript template head title meta link svg math iframe object embed canvas audio video select
    option button input textarea datalist map area dialog rp rt"""
_SET_IN_LINE = """a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark nobr q ruby s
    samp small span strike strong sub sup time tt u var wbr"""
UNSEEN = frozenset(_UNSEEN.split())
_INLINE = frozenset(_SET_IN_LINE.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LIST_STYLES = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_MAX_SPAN = 100  # of a cell: a page may claim any number

_SPACES = re.compile(r"[ \t\n\r\f]+")  # what a browser draws together; a no-break space is a character
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_NUMBER = re.compile(r"\s*\[?\s*(\d{1,4})\s*\]?\s*")
_NAMES_A_NOTE = re.compile(r"#.*(?:fn|ftn|note)", re.IGNORECASE)
_NAMES_A_REFERENCE = re.compile(r"#.*(?:fn|ftn|note|cite|foot)[-_:]?ref|.*backlink", re.IGNORECASE)


@dataclass(slots=True)
class Leaf:
    """A part of the page, where its first characters stand in the tree, and the footnotes that it refers to.

    ``places`` are elements and whether the text is their own (``text``) or follows them (``tail``). The caption of a
    table has the ``group`` of its table: they are kept or left out together.
    """

    part: Part
    group: int
    places: "list[tuple[_Element, str]]"
    references: set[str] = field(default_factory=set)
    note: str | None = None


def find_leaves(root: "_Element") -> list[Leaf]:
    """Return the leaves of a tree in order. Nothing hidden, no scripts and no controls of forms are among them."""
    walk = _Walk(root)
    walk.block(root, _Context())
    walk.flush()
    return walk.leaves


@dataclass(frozen=True, slots=True)
class _Context:
    """What the elements around a leaf make of it."""

    kind: BlockKind = BlockKind.PARAGRAPH
    level: int = 0
    is_verbatim: bool = False
    note: str | None = None


class _Walk:
    """One pass over the tree; ``_words`` gathers what will be one leaf."""

    def __init__(self, root: "_Element") -> None:
        self.leaves: list[Leaf] = []
        self._references, self._notes = _footnotes(root)
        self._context = _Context()
        self._words: list[str] = []
        self._places: list[tuple[_Element, str]] = []
        self._marks: set[str] = set()
        self._note: str | None = None
        self._marker = ""
        self._markers: dict[_Element, dict[_Element, str | None]] = {}
        self._group: int | None = None

    def block(self, element: "_Element", context: _Context) -> None:
        """Walk an element that stands in lines of its own."""
        context = self._entered(element, context)
        self.flush()
        self._context = context
        self._say(element, "text")
        for child in element:
            self._child(element, child)
            self._context = context
            self._say(child, "tail")
        self.flush()

    def _child(self, parent: "_Element", child: "_Element") -> None:
        if not is_seen(child):
            return
        if child.tag == "br":
            self._words.append("\n")
        elif child.tag in _INLINE and not _holds_blocks(child):
            self._inline(child)
        elif child.tag == "table" and _is_data(child):
            self._table(child)
        else:
            context = self._context
            self.flush()
            if child.tag == "li":
                if parent not in self._markers:
                    self._markers[parent] = _markers(parent)
                self._marker = self._markers[parent][child] or ""
            self.block(child, context)
            self._marker = ""

    def _entered(self, element: "_Element", context: _Context) -> _Context:
        tag = element.tag
        note = self._note_at(element) or context.note
        if tag in _HEADINGS:
            return _Context(BlockKind.HEADING, _HEADINGS[tag], note=note)
        if tag in ("ul", "ol", "menu"):
            return _Context(BlockKind.LIST, note=note)
        return _Context(context.kind, context.level, context.is_verbatim or tag in ("pre", "listing"), note)

    def _note_at(self, element: "_Element") -> str | None:
        return next((name for key in ("id", "name") if (name := element.get(key)) in self._notes), None)

    def _inline(self, element: "_Element") -> None:
        if element.tag == "br":
            self._words.append("\n")
            return
        if not is_seen(element):
            return
        self._note = self._note or self._note_at(element)
        if (name := self._references.get(element)) is not None:
            self._marks.add(name)
            self._add(superscript(self._notes[name]), (element, "text"))
            return
        if _leads_back(element):
            return
        outside, self._words = self._words, []
        self._add("“" if element.tag == "q" else "", None)
        self._say(element, "text")
        for child in element:
            self._inline(child)
            self._say(child, "tail")
        self._add("”" if element.tag == "q" else "", None)
        inside = "".join(self._words)
        self._words = [*outside, _without_brackets(raised(inside)) if element.tag == "sup" else inside]

    def _say(self, element: "_Element", where: str) -> None:
        text = (element.text if where == "text" else element.tail) or ""
        self._add(text if self._context.is_verbatim else _SPACES.sub(" ", text), (element, where))

    def _add(self, text: str, place: "tuple[_Element, str] | None") -> None:
        if place is not None and text.strip() and not self._places:
            self._places.append(place)
        self._words.append(text)

    def flush(self) -> None:
        """End the leaf that is being gathered."""
        text = "".join(self._words)
        text = text.strip("\n") if self._context.is_verbatim else _drawn_together(text)
        note = self._note or self._context.note
        if text.strip() and self._places:
            self._leaf(text, note)
        self._words, self._places, self._marks, self._note = [], [], set(), None

    def _leaf(self, text: str, note: str | None) -> None:
        before = self.leaves[-1] if self.leaves else None
        if note is not None and before is not None and before.note == note:
            before.part = Part(BlockKind.FOOTNOTE, f"{before.part.text}\n{text}")
            return
        kind, level = self._context.kind, self._context.level
        if note is not None:
            label = self._notes[note]
            kind, level = BlockKind.FOOTNOTE, 0
            text = f"{superscript(label)} {_without_label(text, label)}"
        elif self._marker:
            text = f"{self._marker} {text}"
            self._marker = ""
        group = len(self.leaves) if self._group is None else self._group
        self.leaves.append(Leaf(Part(kind, text, level), group, self._places, self._marks, note))

    # --- tables

    def _table(self, table: "_Element") -> None:
        self.flush()
        self._group = len(self.leaves)
        for caption in table.iterchildren("caption"):
            self.block(caption, _Context())
        places: list[tuple[_Element, str]] = []
        marks: set[str] = set()
        rows = [list(self._row(row, places, marks)) for row in _rows(table)]
        text = table_text(_with_spans(rows))
        if text.strip():
            self.leaves.append(Leaf(Part(BlockKind.TABLE, text), self._group, places, marks))
        self._group = None

    def _row(
        self, row: "_Element", places: "list[tuple[_Element, str]]", marks: set[str]
    ) -> "Iterator[tuple[str, int, int]]":
        for cell in row.iterchildren("td", "th"):
            text = ""
            if is_seen(cell):
                self._context = _Context()
                self._gather(cell)
                text = "".join(self._words)
                places += self._places
                marks |= self._marks
            self._words, self._places, self._marks, self._note = [], [], set(), None
            yield text, _span(cell, "colspan"), _span(cell, "rowspan")

    def _gather(self, element: "_Element") -> None:
        """Gather all of a cell as one run of words, whatever blocks it holds."""
        self._say(element, "text")
        for child in element:
            if child.tag in _INLINE:
                self._inline(child)
            elif is_seen(child):
                self._words.append(" ")
                self._gather(child)
                self._words.append(" ")
            self._say(child, "tail")


def is_seen(element: "_Element") -> bool:
    """Whether a browser shows an element: not a script, a control or what is marked as hidden."""
    return (
        isinstance(element.tag, str)
        and element.tag not in UNSEEN
        and element.get("hidden") is None
        and not _HIDDEN.search(element.get("style", ""))
    )


def _holds_blocks(element: "_Element") -> bool:
    return any(isinstance(inner.tag, str) and inner.tag not in _INLINE | {"br"} | UNSEEN for inner in element.iter())


def _drawn_together(text: str) -> str:
    """Join the spaces that met where elements did; what is left of line ends are those of <br>."""
    return "\n".join(line for raw in re.sub(r" {2,}", " ", text).split("\n") if (line := raw.strip(" ")))


# --- footnotes -----------------------------------------------------------------------------------------------


def _footnotes(root: "_Element") -> "tuple[dict[_Element, str], dict[str, str]]":
    """Return the links that are marks of footnotes, with the name that each leads to, and the number of each name."""
    names = {name for element in root.iter() for key in ("id", "name") if (name := element.get(key))}
    references: dict[_Element, str] = {}
    numbers: dict[str, str] = {}
    for link in root.iter("a"):
        target = link.get("href", "")
        number = _NUMBER.fullmatch("".join(link.itertext()))
        if number and target[:1] == "#" and target[1:] in names and not _leads_back(link) and _is_mark(link, target):
            references[link] = target[1:]
            numbers.setdefault(target[1:], number[1])
    return references, numbers


def _is_mark(link: "_Element", target: str) -> bool:
    is_raised = link.find(".//sup") is not None or any(outer.tag == "sup" for outer in link.iterancestors())
    return is_raised or link.get("role") == "doc-noteref" or bool(_NAMES_A_NOTE.match(target))


def _leads_back(element: "_Element") -> bool:
    """Whether this is the arrow, or number, in front of or behind a footnote that leads back to its mark."""
    target = element.get("href", "")
    if element.tag != "a" or not target.startswith("#"):
        return False
    words = "".join(element.itertext())
    is_back = bool(_NAMES_A_REFERENCE.match(target)) or element.get("role") == "doc-backlink"
    return is_back and (not any(map(str.isalpha, words)) or len(words) == 1)


def _without_brackets(text: str) -> str:
    return text[1:-1] if re.fullmatch(r"\[[⁰¹²³⁴⁵⁶⁷⁸⁹]+\]", text) else text


def _without_label(text: str, label: str) -> str:
    """Take away the number that a note itself begins with."""
    return re.sub(rf"^[\[(]?(?:{label}|{superscript(label)})[\]).:]*\s+", "", text.lstrip(" ^↑"))


# --- lists and tables ----------------------------------------------------------------------------------------


def _markers(parent: "_Element") -> "dict[_Element, str | None]":
    """Return what a browser sets in front of each item of a list; None where that cannot be told."""
    items = list(parent.iterchildren("li"))
    if parent.tag != "ol":
        return dict.fromkeys(items, BULLET)
    step = 1 if parent.get("reversed") is None else -1
    start = _integer(parent.get("start"))
    number = start if start is not None else 1 if step > 0 else len(items)
    style = _LIST_STYLES.get(parent.get("type", ""), "decimal")
    markers: dict[_Element, str | None] = {}
    for item in items:
        written = _integer(item.get("value"))
        number = number if written is None else written
        # Browsers go on from z with "aa", "ab", where Word, which count_in follows, writes "aa", "bb".
        counted = None if "Letter" in style and number > 26 else count_in(style, number)
        markers[item] = f"{counted}." if counted else None
        number += step
    return markers


def _integer(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?\d{1,6}", text.strip()) else None


def _is_data(table: "_Element") -> bool:
    """Whether a table holds data; one that only lays out the page has a single column, headings or tables inside."""
    if table.get("role") in ("presentation", "none"):
        return False
    widths = [len(list(row.iterchildren("td", "th"))) for row in _rows(table)]
    return max(widths, default=0) > 1 and next(table.iterdescendants("table", *_HEADINGS), None) is None


def _rows(table: "_Element") -> "Iterator[_Element]":
    for child in table:
        if child.tag == "tr" and is_seen(child):
            yield child
        elif child.tag in ("thead", "tbody", "tfoot"):
            yield from filter(is_seen, child.iterchildren("tr"))


def _span(cell: "_Element", name: str) -> int:
    return min(max(_integer(cell.get(name)) or 1, 1), _MAX_SPAN)


def _with_spans(rows: list[list[tuple[str, int, int]]]) -> Iterator[list[str]]:
    """Yield rows with an empty cell wherever a wide or tall one reaches: its text stands once, and columns hold."""
    reach: dict[int, int] = {}
    for row in rows:
        cells: list[str] = []
        covered = {column for column, left in reach.items() if left}
        reach = {column: left - 1 for column, left in reach.items() if left}
        for text, columns, height in row:
            while len(cells) in covered:
                cells.append("")
            reach.update({len(cells) + i: height - 1 for i in range(columns)})
            cells += [text, *[""] * (columns - 1)]
        yield cells
