"""Rows of cells in, what they say in sentences out.

Signs are said both ways round, for nothing tells whether the rows or the columns are those that have something: "Those
that have no strategy: Macedonia." and "Strategy has no Macedonia." What else stands in a cell follows the header of its
column. The sentences are English; of a table in another language signs say nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from cyberqa.tables.rows import Grid


class _Mark(Enum):
    """What a sign says: in words of several, and of one."""

    YES = ("have", "has")
    NO = ("have no", "has no")
    PARTLY = ("have in part", "has in part")


_SIGNS: Mapping[str, _Mark] = {
    **dict.fromkeys(("yes", "y", "+", "++", "✓", "✔", "☑", "√", "●", "•", "x", "☒"), _Mark.YES),
    **dict.fromkeys(("no", "n", "-", "--", "–", "—", "−", "✗", "✘", "×", "○", "☐", "none"), _Mark.NO),
    **dict.fromkeys(("partly", "partial", "partially", "-/+", "+/-", "±", "(+)", "(✓)", "~", "◐"), _Mark.PARTLY),
}
_TICKS = frozenset("✓✔☑√")  # beside one of these a cross denies; else it marks
_CROSSES = ("x", "☒")

_MOST_LABEL_CHARS = 80
_MOST_CELL_CHARS = 100  # longer ones are prose, which says as it stands what it says
_MOST_MEANING_CHARS = 60

Meaning = tuple[_Mark | None, str]
"""A sign's own, and what the legend says of it, "" where that is silent."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a row says: statements of its signs, and one of what else stands in it, "" for nothing."""

    signs: tuple[str, ...]
    values: str


def say_rows(grid: Grid, write_out: Callable[[str], str], legend: Mapping[str, str], *, is_english: bool) -> list[Said]:
    """Return what each row says.

    Args:
        grid: header and rows.
        write_out: a label in, the label with its abbreviations written out.
        legend: what signs and abbreviations mean in this table.
        is_english: whether signs may be put into English words.
    """
    heads = [write_out(head)[:_MOST_LABEL_CHARS] for head in grid.header]
    none: list[list[Meaning | None]] = [[None] * len(row.cells) for row in grid.rows]
    meanings = _Signs(grid, legend).meanings() if is_english else none
    return [
        _say(write_out(row.cells[0])[:_MOST_LABEL_CHARS], row.cells, heads, known)
        for row, known in zip(grid.rows, meanings, strict=True)
    ]


def _say(label: str, cells: Sequence[str], heads: Sequence[str], meanings: Sequence[Meaning | None]) -> Said:
    signs: dict[Meaning, list[str]] = {}
    values: list[str] = []
    for place in range(1, len(cells)):
        head = heads[place] if place < len(heads) else ""
        if meaning := meanings[place]:
            signs.setdefault(meaning, []).append(head)
        elif cells[place] and len(cells[place]) <= _MOST_CELL_CHARS:
            values.append(f"{head} {cells[place]}".strip())
    said = [words for (mark, told), those in signs.items() for words in _say_sign(label, mark, told, ", ".join(those))]
    return Said(tuple(said), f"{label}: {', '.join(values)}." if values else "")


def _say_sign(label: str, mark: _Mark | None, told: str, those: str) -> Iterator[str]:
    if mark is None:
        yield f"{label}, {told}: {those}."
        return
    several, one = mark.value
    yield f"Those that {several} {label}{f' ({told})' if told else ''}: {those}."
    yield f"{label} {one} {those}."


class _Signs:
    """Which cells of a grid hold signs: a dash among numbers is none, but where all of a row or column are it is."""

    def __init__(self, grid: Grid, legend: Mapping[str, str]) -> None:
        self._rows = [row.cells for row in grid.rows]
        self._legend = legend
        every = {cell.casefold() for cells in self._rows for cell in cells[1:]}
        self._has_ticks = bool(every & _TICKS)
        self._denies = any(_SIGNS.get(cell) is _Mark.NO for cell in every)

    def meanings(self) -> list[list[Meaning | None]]:
        """Return what each cell's sign means, None where it holds no sign."""
        width = max(map(len, self._rows), default=0)
        columns = [self._is_signs([cells[n] for cells in self._rows if n < len(cells)]) for n in range(width)]
        return [
            [self._meaning(cell) if n and (in_row or columns[n]) else None for n, cell in enumerate(cells)]
            for cells in self._rows
            for in_row in [self._is_signs(cells[1:])]
        ]

    def _is_signs(self, cells: Sequence[str]) -> bool:
        filled = [cell for cell in cells if cell]
        return any(map(self._affirms, filled)) and all(map(self._meaning, filled))

    def _affirms(self, cell: str) -> bool:
        return self._mark(cell) in (_Mark.YES, _Mark.PARTLY) or cell in self._legend

    def _meaning(self, cell: str) -> Meaning | None:
        told = self._legend.get(cell, "")
        mark = self._mark(cell)
        return (mark, told if len(told) <= _MOST_MEANING_CHARS else "") if mark or told else None

    def _mark(self, cell: str) -> _Mark | None:
        if not cell and not self._denies:  # boxes: what is not ticked is not there
            return _Mark.NO
        sign = cell.casefold()
        return _Mark.NO if sign in _CROSSES and self._has_ticks else _SIGNS.get(sign)
