"""Ruled tables: the lines drawn on a page, and the grids that they make.

pdfium's own path objects are enough for tables with rules in both directions. pdfplumber would add 57 MB and read five
pages a second.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MAX_OBJECTS = 4_000  # a page with more is a map or a chart
_MAX_SEGMENTS = 64  # of one path: longer ones are drawings
_NEAR = 3.0  # points: rules are drawn as thin boxes, and meet within their thickness
_MIN_RULE = 6.0
_MAX_RULES = 400  # in one direction: comparing them all costs the square
_MAX_CELLS = 2_000
_MAX_CELL_CHARS = 800  # more is a page laid out with a table
_MIN_FILLED = 0.4  # of the cells that a table has; charts have fewer


@dataclass(frozen=True, slots=True)
class _Rule:
    """A horizontal or vertical line: where it stands on the other axis, and from where to where it runs."""

    at: float
    start: float
    end: float

    def covers(self, point: float) -> bool:
        return self.start - _NEAR <= point <= self.end + _NEAR


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of rules: ``xs`` from left to right, ``ys`` from top to bottom."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    upright: tuple[_Rule, ...]
    level: tuple[_Rule, ...]

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.xs) - 1

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Return row and column from 0 of the cell at a point, of its first part where cells are merged."""
        if not (self.xs[0] < x < self.xs[-1] and self.ys[-1] < y < self.ys[0]):
            return None
        column = sum(x > edge for edge in self.xs) - 1
        row = sum(y < edge for edge in self.ys) - 1
        while column and not any(abs(r.at - self.xs[column]) <= _NEAR and r.covers(y) for r in self.upright):
            column -= 1
        while row and not any(abs(r.at - self.ys[row]) <= _NEAR and r.covers(x) for r in self.level):
            row -= 1
        return row, column

    def is_table(self, cells: Mapping[tuple[int, int], str]) -> bool:
        """Whether the texts look like a table's: in rows and columns, most cells filled, none a page of prose."""
        filled = {cell for cell, text in cells.items() if text}
        rows, columns = {row for row, _ in filled}, {column for _, column in filled}
        return (
            len(rows) > 1
            and len(columns) > 1
            and len(filled) >= _MIN_FILLED * len(rows) * len(columns)
            and all(len(text) <= _MAX_CELL_CHARS for text in cells.values())
        )


def find_grids(page: Any) -> list[Grid]:
    """Return the grids of at least two rows and two columns on a pypdfium2 page."""
    level: list[_Rule] = []
    upright: list[_Rule] = []
    for (x1, y1), (x2, y2) in _segments(page):
        if abs(y1 - y2) <= 1 and abs(x1 - x2) >= _MIN_RULE:
            level.append(_Rule((y1 + y2) / 2, min(x1, x2), max(x1, x2)))
        elif abs(x1 - x2) <= 1 and abs(y1 - y2) >= _MIN_RULE:
            upright.append(_Rule((x1 + x2) / 2, min(y1, y2), max(y1, y2)))
    level, upright = _merged(level), _merged(upright)
    if min(len(level), len(upright)) < 3 or max(len(level), len(upright)) > _MAX_RULES:
        return []
    grids = (_grid(*group) for group in _connected(level, upright))
    return [grid for grid in grids if grid]


def _merged(rules: Sequence[_Rule]) -> list[_Rule]:
    """Make one of the pieces that a rule is drawn in, cell by cell."""
    merged: list[_Rule] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.at), rule.start)):
        last = merged[-1] if merged else None
        if last and round(last.at) == round(rule.at) and rule.start <= last.end + _NEAR:
            merged[-1] = _Rule(last.at, last.start, max(last.end, rule.end))
        else:
            merged.append(rule)
    return merged


def _grid(level: Sequence[_Rule], upright: Sequence[_Rule]) -> Grid | None:
    xs, ys = _distinct([rule.at for rule in upright]), _distinct([rule.at for rule in level])[::-1]
    if len(xs) < 3 or len(ys) < 3 or len(xs) * len(ys) > _MAX_CELLS:
        return None
    return Grid(tuple(xs), tuple(ys), tuple(upright), tuple(level))


def _distinct(values: Sequence[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > _NEAR:
            kept.append(value)
    return kept


def _connected(level: Sequence[_Rule], upright: Sequence[_Rule]) -> Iterator[tuple[list[_Rule], list[_Rule]]]:
    """Yield groups of rules that touch one another."""
    rest_level, rest_upright = list(level), list(upright)
    while rest_level:
        group_level, group_upright = [rest_level.pop()], list[_Rule]()
        grown = True
        while grown:
            touching = [u for u in rest_upright if any(_touch(h, u) for h in group_level)]
            rest_upright = [u for u in rest_upright if u not in touching]
            group_upright += touching
            more = [h for h in rest_level if any(_touch(h, u) for u in group_upright)]
            rest_level = [h for h in rest_level if h not in more]
            group_level += more
            grown = bool(touching or more)
        yield group_level, group_upright


def _touch(level: _Rule, upright: _Rule) -> bool:
    return level.covers(upright.at) and upright.covers(level.at)


_Point = tuple[float, float]


def _segments(page: Any) -> Iterator[tuple[_Point, _Point]]:
    """Yield the straight parts of the paths on a page, in its coordinates; a curve ends where it ends."""
    import pypdfium2.raw as raw

    count = raw.FPDFPage_CountObjects(page)
    if count > _MAX_OBJECTS:
        return
    x, y, matrix = ctypes.c_float(), ctypes.c_float(), raw.FS_MATRIX()
    for number in range(count):
        path = raw.FPDFPage_GetObject(page, number)
        if raw.FPDFPageObj_GetType(path) != raw.FPDF_PAGEOBJ_PATH:
            continue
        length = raw.FPDFPath_CountSegments(path)
        if not 1 < length <= _MAX_SEGMENTS or not raw.FPDFPageObj_GetMatrix(path, matrix):
            continue
        first = last = (0.0, 0.0)
        for position in range(length):
            segment = raw.FPDFPath_GetPathSegment(path, position)
            raw.FPDFPathSegment_GetPoint(segment, x, y)
            point = (
                matrix.a * x.value + matrix.c * y.value + matrix.e,
                matrix.b * x.value + matrix.d * y.value + matrix.f,
            )
            kind = raw.FPDFPathSegment_GetType(segment)
            if kind == raw.FPDF_SEGMENT_MOVETO:
                first = point
            elif kind == raw.FPDF_SEGMENT_LINETO:
                yield last, point
            last = point
            if raw.FPDFPathSegment_GetClose(segment):
                yield last, first
