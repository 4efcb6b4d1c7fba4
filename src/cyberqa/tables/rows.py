"""A chunk of a table in, its rows as cells out, under the header row of the table."""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cyberqa.documents.structure import Line, iter_lines
from cyberqa.types import Block, BlockKind, Chunk, Document, Span

_RULE = frozenset(" |:+=-")  # of Markdown and reStructuredText
_MOST_LINE_CHARS = 5000  # of a row that is parted into cells: a header may be as long as the file
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")
_EMPHASIS = re.compile(r"(?<!\w)[*_`]+(?=\S)|(?<=\S)[*_`]+(?!\w)")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: where it starts in the canonical text, and its cells."""

    start: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a chunk under the header row of their table; a table of one row has none to read."""

    header: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


def table_of(blocks: Sequence[Block], chunk: Chunk) -> int | None:
    """Return the place of the table that a chunk is of: the chunk starts there, or its header row does."""
    for start in (chunk.span.start, *(span.start for span in chunk.context)):
        place = bisect_right(blocks, start, key=lambda block: block.span.start) - 1
        if place >= 0 and blocks[place].kind is BlockKind.TABLE:
            return place
    return None


def read_grid(document: Document, table: Block, span: Span) -> Grid:
    """Return the rows of a table that stand in ``span`` whole; its header row is none of them.

    Cells are parted by tabs, else by bars, else, in a .csv file, by the sign that its first line has most of.
    """
    text = document.text
    first = list(islice(_rows(text, table.span), 2))
    if len(first) < 2:
        return Grid()
    head = first[0]
    signs = sorted(",;", key=head.text.count, reverse=True) if document.id.lower().endswith(".csv") else ()
    sign = next((sign for sign in ("\t", "|", *signs) if sign in head.text), "\t")
    header = _cells(head.text, sign)
    rows = [row for row in _rows(text, _whole_lines(text, table.span, span)) if row.span != head.span]
    inside = [row for row in rows if span.start <= row.span.start and row.span.end <= span.end]
    return Grid(header, tuple(Row(row.span.start, _padded(_cells(row.text, sign), len(header))) for row in inside))


def _rows(text: str, span: Span) -> Iterator[Line]:
    lines = iter_lines(text, span.start, span.end)
    return (line for line in lines if not line.is_blank and not _is_rule(line.text))


def _is_rule(line: str) -> bool:
    return _RULE.issuperset(line) and ("|" in line or "+" in line) and ("-" in line or "=" in line)


def _whole_lines(text: str, table: Span, span: Span) -> Span:
    """Return what a table has of a span, with the rest of the lines that the span cuts."""
    before = [text.rfind(end, table.start, max(span.start, table.start)) + 1 for end in "\r\n"]
    behind = [text.find(end, max(span.end, table.start), table.end) for end in "\r\n"]
    return Span(max(*before, table.start), min((place for place in behind if place >= 0), default=table.end))


def _cells(line: str, sign: str) -> tuple[str, ...]:
    line = line[:_MOST_LINE_CHARS]
    if sign == "\t":
        cells = line.split("\t")
    elif sign == "|":
        cells = _UNESCAPED_BAR.split(line.strip().removeprefix("|").removesuffix("|"))
    else:
        cells = next(csv.reader([line], delimiter=sign), [])
    return tuple(_plain(cell) for cell in cells)


def _padded(cells: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Return cells with those that are empty at the end of a line, where nobody sees them."""
    return (*cells, *[""] * (width - len(cells)))


def _plain(cell: str) -> str:
    """Return a cell without white space around it and without Markdown's signs."""
    return _EMPHASIS.sub("", _LINK.sub(r"\1", " ".join(cell.split())))
