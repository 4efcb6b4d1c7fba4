"""The lines of a page as pdfium finds them: characters, where they stand, and how large and heavy they are."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from cyberqa.documents import repairs
from cyberqa.documents.pdf.glyphs import MARK, SMALLER, Glyphs
from cyberqa.documents.pdf.tables import Grid, find_grids
from cyberqa.types import BlockKind

_MAX_RISE = 0.6  # of the size of the line
_SPACE = 0.15  # a space is a quarter of the size, less where a line is justified
_TOUCHING = 0.6  # what stands further off is another column
_MAX_MARK_DIGITS = 3
_DIGITS = re.compile(r"\d+")
_MAX_CUT_WORDS = 0.1  # a cell: rules that run through words are a grid that the page is laid out on
_SAMPLES = 5  # characters of a line whose size is asked for: each question to pdfium costs a microsecond
_SWALLOWED = "\x02"
_SOFT_HYPHEN = "\xad"
_LINE_ENDS = ("\r", "\n", "\f", _SWALLOWED)
_SPECIAL = re.compile("[\\0\\r\\n\\f\\x02\xad]")


@dataclass(slots=True)
class TextLine:
    """A line of a page, in points from its lower left corner. ``base`` is the height its characters stand on.

    ``kind``, ``level`` and ``starts`` (a new block) are for the rules of layout to fill in.
    """

    text: str
    left: float = 0.0
    right: float = 0.0
    base: float = 0.0
    size: float = 0.0
    bold: bool = False
    kind: BlockKind | None = None
    level: int = 0
    starts: bool = False

    @property
    def plain(self) -> str:
        """The text without the signs that fence in the footnote marks."""
        return self.text.replace(MARK, "")


@dataclass(slots=True)
class PageText:
    """What one page holds; ``lines`` in pdfium's order. ``fixed`` counts what was mended while it was read."""

    lines: list[TextLine]
    bottom: float = 0.0
    top: float = 0.0
    fixed: Counter[str] = field(default_factory=Counter[str])

    @property
    def text(self) -> str:
        """The lines, one below the other."""
        return "\n".join(line.plain for line in self.lines)


@dataclass(slots=True)
class _Piece:
    """Characters, and for each its number on pdfium's page."""

    text: str
    indices: list[int]
    is_row: bool = False

    def add(self, text: str, indices: Iterable[int]) -> None:
        self.text += text
        self.indices.extend(indices)


def read_lines(page: Any) -> PageText:
    """Return the lines of a pypdfium2 page; characters outside what a viewer shows are left out.

    The rows of a ruled table become one line each, its cells parted by tabs, where its first character stood.
    """
    left, bottom, right, top = page.get_bbox()
    textpage = page.get_textpage()
    fixed: Counter[str] = Counter()
    try:
        glyphs = Glyphs(textpage)
        pieces = _split(glyphs, fixed)
        for grid in find_grids(page):
            pieces = _in_rows(pieces, grid, glyphs)
        found = [_read_visible(piece, glyphs, left, right) for piece in pieces]
    finally:
        textpage.close()
    return PageText(_joined([line for line in found if line and bottom <= line.base <= top]), bottom, top, fixed)


def _in_rows(pieces: Sequence[_Piece], grid: Grid, glyphs: Glyphs) -> list[_Piece]:
    """Gather the characters inside a grid into its rows; what stands outside keeps its order."""
    cells: dict[tuple[int, int], _Piece] = {}
    others: list[_Piece] = []
    position: int | None = None
    cut_words = 0
    for piece in pieces:
        outside = _Piece("", [], piece.is_row)
        seen: set[tuple[int, int]] = set()
        cell: tuple[int, int] | None = None
        in_word = False
        for char, index in zip(piece.text, piece.indices, strict=True):
            if not char.isspace():
                before, cell = cell, None if piece.is_row else grid.cell(*glyphs.centre(index))
                cut_words += in_word and char.isalpha() and cell != before
            in_word = char.isalpha()
            target = outside
            if cell is not None:
                target = cells.setdefault(cell, _Piece("", [], True))
                if cell not in seen and target.text and not target.text[-1].isspace():
                    target.add(" ", [index])  # the cell's next line
                seen.add(cell)
            target.add(char, [index])
        if seen and position is None:
            position = len(others)
        if not seen or outside.text.strip():
            others.append(outside)
    texts = {cell: piece.text.strip() for cell, piece in cells.items()}
    if position is None or cut_words > _MAX_CUT_WORDS * len(texts) or not grid.is_table(texts):
        return list(pieces)
    return [*others[:position], *_rows(cells, grid.columns), *others[position:]]


def _rows(cells: dict[tuple[int, int], _Piece], columns: int) -> list[_Piece]:
    rows: list[_Piece] = []
    for number in sorted({row for row, _ in cells}):
        row = _Piece("", [], True)
        for column in range(columns):
            cell = cells.get((number, column), _Piece("", [], True))
            first = len(cell.text) - len(cell.text.lstrip())
            text = cell.text.strip()
            row.text += ("\t" if column else "") + text
            anchor = cell.indices[0] if cell.indices else -1
            row.indices += ([anchor] if column else []) + cell.indices[first : first + len(text)]
        known = next(index for index in row.indices if index >= 0)
        row.indices = [index if index >= 0 else known for index in row.indices]
        rows.append(row)
    return rows


def _joined(pieces: Sequence[TextLine]) -> list[TextLine]:
    """Join what pdfium takes for two lines because a raised mark stands between, or is the second."""
    lines: list[TextLine] = []
    for piece in pieces:
        before = lines[-1] if lines else None
        if before is None or not _continues(before, piece):
            lines.append(piece)
            continue
        text = piece.text
        if piece.size < SMALLER * before.size and _DIGITS.fullmatch(text) and piece.base > before.base:
            text = f"{MARK}{text}{MARK}"
        space = " " if piece.left - before.right > _SPACE * before.size else ""
        before.text += space + text
        before.right = piece.right
        before.bold = before.bold and piece.bold
    for above, line in pairwise(lines):
        if _is_wrapped_mark(above, line):
            line.text, line.size, line.bold = f"{MARK}{line.text}{MARK}", above.size, above.bold
    return lines


def _is_wrapped_mark(above: TextLine, line: TextLine) -> bool:
    """Whether a line is a footnote's mark that found no room behind the sentence above."""
    drop = above.base - line.base
    return (
        len(line.text) <= _MAX_MARK_DIGITS
        and bool(_DIGITS.fullmatch(line.text))
        and line.size < SMALLER * above.size
        and 0 < drop < 1.5 * above.size
        and line.left < above.left + above.size
    )


def _continues(before: TextLine, piece: TextLine) -> bool:
    gap, rise = piece.left - before.right, piece.base - before.base
    return -_SPACE * before.size < gap < _TOUCHING * before.size and -0.1 < rise / before.size < _MAX_RISE


def _split(glyphs: Glyphs, fixed: Counter[str]) -> list[_Piece]:
    """Divide the characters at line ends; U+0002 stands for a hyphen at a line's end and swallows that end.

    A soft hyphen that leaves ink is a hyphen: fonts that draw both with one glyph name it so. Others are dropped.
    """
    text = glyphs.text()
    pieces = [_Piece("", [])]
    done = 0
    for match in _SPECIAL.finditer(text):
        index, char = match.start(), match.group()
        pieces[-1].add(text[done:index], range(done, index))
        done = match.end()
        if char == _SWALLOWED or (char == _SOFT_HYPHEN and glyphs.has_ink(index)):
            pieces[-1].add("-", [index])
        if char == _SOFT_HYPHEN:
            fixed[repairs.SOFT_HYPHEN] += 1
        if char in _LINE_ENDS:
            pieces.append(_Piece("", []))
    pieces[-1].add(text[done:], range(done, len(text)))
    return [piece for piece in pieces if piece.text]


def _read_visible(piece: _Piece, glyphs: Glyphs, left: float, right: float) -> TextLine | None:
    line = _read_line(piece, glyphs)
    if line is None or (left <= min(line.left, line.right) and max(line.left, line.right) <= right):
        return line
    pairs = zip(piece.text, piece.indices, strict=True)
    inside = [(char, index) for char, index in pairs if left < glyphs.centre(index)[0] < right]
    return _read_line(_Piece("".join(char for char, _ in inside), [index for _, index in inside], piece.is_row), glyphs)


def _read_line(piece: _Piece, glyphs: Glyphs) -> TextLine | None:
    visible = [index for index, char in zip(piece.indices, piece.text, strict=True) if not char.isspace()]
    if not visible:
        return None
    samples = visible[:: max(1, len(visible) // _SAMPLES)]
    sizes = [glyphs.size(index) for index in samples]
    size = statistics.median_low(sizes)
    base = glyphs.base(samples[sizes.index(size)])
    marked = _fence_marks(piece, glyphs, size, base)
    return TextLine(
        text=marked if piece.is_row else marked.strip(),
        left=glyphs.sides(visible[0])[0],
        right=glyphs.sides(visible[-1])[1],
        base=base,
        size=round(size * 2) / 2,
        bold=all(glyphs.is_bold(index) for index in samples),
        kind=BlockKind.TABLE if piece.is_row else None,
    )


def _fence_marks(piece: _Piece, glyphs: Glyphs, size: float, base: float) -> str:
    """Put MARK around digits that are set smaller and higher than their line: they are a footnote's number."""
    parts, done = [], 0
    for match in _DIGITS.finditer(piece.text):
        start = match.end()
        while start > match.start() and glyphs.is_raised(piece.indices[start - 1], size, base):
            start -= 1
        if 0 < match.end() - start <= _MAX_MARK_DIGITS:
            parts += [piece.text[done:start], MARK, piece.text[start : match.end()], MARK]
            done = match.end()
    return "".join(parts) + piece.text[done:]
