"""What the lines of a PDF are, by where they stand and how they are set: running headers, footnotes, paragraphs.

Each rule looks at the lines that no rule before it has claimed, and writes what it finds into them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from cyberqa.documents.pdf.glyphs import MARK
from cyberqa.documents.pdf.lines import PageText, TextLine
from cyberqa.documents.structure import LIST_ITEM, NUMBERED, looks_like_heading
from cyberqa.types import BlockKind

_MIN_REPEATS = 3
_EDGE = 0.12  # of a page's height: where headers and footers stand
_MAX_EDGE_LINES = 3
_MOST_PAGES = 0.4  # left and right pages have each their own
_SAME_HEIGHT = 2.0  # points
_SMALL = 0.93  # of the body's size: footnotes are set at 75 to 90 %
_APART = 2.5  # of a line's size: notes follow each other more closely
_LARGER = 1.0  # points above the body: a heading, or a title
_SEPARATED = 1.5  # of a line's size, between baselines: 1.2 is usual
_OUTER_NUMBER = re.compile(r"^\d{1,4}\b|\b\d{1,4}$")
_WORDS = re.compile(r"[^\W\d_]")
_ROMAN = re.compile(r"\b[ivxlc]+\b")
_LABEL = re.compile(rf"{MARK}\d+{MARK}|[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\d{{1,3}}[.)]?\s+[^\W\d]|[*†‡§]+\s*\w|\[\d{{1,3}}\]\s")
_ENDED = re.compile(rf"[.!?:;…][\"”’»)]*(?:{MARK}\d+{MARK})?$")
_BULLET_SIGN = re.compile(r"[•▪●◦‣\uf0b7\uf0a7]\s")

_PITCH = 1.22  # of the usual distance between baselines: more parts paragraphs
_BELOW_BOLD = 1.06  # of it: enough below a line in bold that would fill its column
_INDENT = 0.8  # of the size
_SLACK = 0.35  # of the column's width, empty at a line's end: the line was meant to end there


@dataclass(frozen=True, slots=True)
class Style:
    """How text is set: its size in points, rounded to a half, and whether it is bold."""

    size: float
    bold: bool


def body_style(pages: Sequence[PageText]) -> Style:
    """Return the style that most characters are set in."""
    weights: Counter[Style] = Counter()
    for page in pages:
        for line in page.lines:
            if line.kind is None and line.size:
                weights[Style(line.size, line.bold)] += len(line.text)
    return max(weights, key=lambda style: (weights[style], -style.size), default=Style(0.0, False))


def free_lines(page: PageText) -> list[TextLine]:
    """Return the lines that no rule has claimed yet, in the order of the text."""
    return [line for line in page.lines if line.kind is None]


# --- running headers and footers -------------------------------------------------------------------------------


def mark_running(pages: Sequence[PageText]) -> None:
    """Claim headers and footers: what returns on three pages or more, numbers aside, at the same height of an edge.

    It must stand apart from the text, or on most pages, and less often elsewhere: lines of listings return, too.
    Also a line whose text changes, but that stands where most pages have one, apart from the text and smaller; and the
    outermost line where its number counts with the pages. Large words with a number that changes are a heading at the
    top of its page ("1 Albania", "Chapter 2").
    """
    body = body_style(pages)
    edges = [_edge_lines(page) for page in pages]
    repeats = Counter(key for edge in edges for key in {_key(line) for line in edge})
    everywhere = Counter(_key(line)[0] for page in pages for line in page.lines)
    usual_repeats = max(_MIN_REPEATS, _MOST_PAGES * len(pages))

    def returns(line: TextLine, is_apart: bool) -> bool:
        words, times = _key(line)[0], repeats[_key(line)]
        if times < _MIN_REPEATS or not any(map(str.isalnum, line.plain)) or _is_numbered_heading(line, body):
            return False
        return (is_apart or times >= usual_repeats) and (times * 2 >= everywhere[words] or not _WORDS.search(words))

    slots = Counter(slot for page in pages for slot in {_slot(x) for x in _apart(page, body)})
    counting = _counting_lines(pages, body)
    for page in pages:
        apart = {id(line) for line in _apart(page, body)}
        for side in _sides(page):
            outer = _outer_lines(side, page)
            for position, line in enumerate(side):
                known = returns(line, position < outer)
                usual = id(line) in apart and slots[_slot(line)] >= max(_MIN_REPEATS, len(pages) / 2)
                if not known and not usual and id(line) not in counting:
                    break  # what stands further in is no header if this is none
                line.kind, line.starts = BlockKind.RUNNING, True


def _sides(page: PageText) -> tuple[list[TextLine], list[TextLine]]:
    """Return the lines near the top and the bottom of a page, each from its edge inwards."""
    depth = (page.top - page.bottom) * _EDGE
    ordered = sorted((line for line in page.lines if line.kind is None), key=lambda line: line.base)
    upper = [line for line in reversed(ordered) if line.base > page.top - depth]
    lower = [line for line in ordered if line.base < page.bottom + depth]
    return upper[:_MAX_EDGE_LINES], lower[:_MAX_EDGE_LINES]


def _outer_lines(side: Sequence[TextLine], page: PageText) -> int:
    """Return how many lines of a side stand apart from what lies further in."""
    middle = (page.top + page.bottom) / 2
    for position in reversed(range(len(side))):
        line = side[position]
        outwards = 1 if line.base > middle else -1
        further_in = (outwards * (line.base - other.base) for other in page.lines)
        if min((d for d in further_in if d > _SAME_HEIGHT), default=page.top) > _SEPARATED * line.size:
            return position + 1
    return 0


def _is_numbered_heading(line: TextLine, body: Style) -> bool:
    key, _ = _key(line)
    return line.size > body.size + _LARGER and "#" in key and bool(_WORDS.search(key))


def _counting_lines(pages: Sequence[PageText], body: Style) -> set[int]:
    """Return the outermost lines with a number at an end that is as far from the page's on three pages."""
    found: defaultdict[tuple[bool, int], list[int]] = defaultdict(list)
    for index, page in enumerate(pages):
        for is_upper, side in zip((True, False), _sides(page), strict=True):
            if not side or _is_numbered_heading(side[0], body):
                continue
            for number in {int(n) for n in _OUTER_NUMBER.findall(side[0].plain)}:
                found[is_upper, number - index].append(id(side[0]))
    return {line for lines in found.values() if len(lines) >= _MIN_REPEATS for line in lines}


def _edge_lines(page: PageText) -> list[TextLine]:
    return [line for side in _sides(page) for line in side]


def _key(line: TextLine) -> tuple[str, int]:
    """Return a line's text without its numbers, and its height, coarsely."""
    text = re.sub(r"\d+", "#", line.plain.casefold())
    return _ROMAN.sub("#", " ".join(text.split())), round(line.base / (2 * _SAME_HEIGHT))


def _slot(line: TextLine) -> tuple[int, float]:
    return round(line.base / _SAME_HEIGHT), line.size


def _apart(page: PageText, body: Style) -> list[TextLine]:
    """Return the outermost line at each edge where it is smaller than the body and stands apart from it."""
    found = []
    upper, lower = _sides(page)
    for side in (upper, lower):
        is_note = side is lower and side and _LABEL.match(side[0].text)
        if not side or side[0].size > body.size - 0.5 or is_note:
            continue
        inner = [line.base for line in page.lines if abs(line.base - side[0].base) > _SAME_HEIGHT]
        if inner and min(abs(base - side[0].base) for base in inner) > _SEPARATED * side[0].size:
            found += [line for line in side if abs(line.base - side[0].base) <= _SAME_HEIGHT]
    return found


# --- footnotes -------------------------------------------------------------------------------------------------


def mark_footnotes(pages: Sequence[PageText], body: Style) -> None:
    """Claim runs of small lines at the foot of a page or column that open with a number; each number opens a block.

    A run that goes on from the page before needs no number.
    """
    continued = False
    for page in pages:
        found = False
        for run in _small_runs(page, body):
            labelled = [line for line in run if _LABEL.match(line.text)]
            if not _at_foot(run, page, body) or not (_LABEL.match(run[0].text) or (continued and labelled)):
                continue
            found = True
            previous: TextLine | None = None
            for line in run:
                line.kind = BlockKind.FOOTNOTE
                line.starts = previous is None or _opens(line, previous, run)
                previous = line
        continued = found
        if found:
            _order_notes(page)


def _order_notes(page: PageText) -> None:
    """Put footnotes that follow one another in the order in which they stand in their column, from the top."""
    runs = [list(run) for _, run in groupby(page.lines, key=lambda line: line.kind)]
    page.lines = [line for run in runs for line in (_by_height(run) if run[0].kind is BlockKind.FOOTNOTE else run)]


def _by_height(lines: Sequence[TextLine]) -> list[TextLine]:
    columns: list[list[list[TextLine]]] = []
    for line in lines:
        column = next((c for c in columns if line.left < c[0][0].right and line.right > c[0][0].left), None)
        if column is None:
            columns.append([[line]])
        elif line.starts:
            column.append([line])
        else:
            column[-1].append(line)
    notes = [note for column in columns for note in sorted(column, key=lambda note: -note[0].base)]
    return [line for note in notes for line in note]


def _opens(line: TextLine, previous: TextLine, run: Sequence[TextLine]) -> bool:
    """Whether a line opens a footnote: where the labels are raised, a number at a line's start is none."""
    if not _LABEL.match(line.text):
        return False
    raised = any(other.text.startswith(MARK) for other in run)
    return line.text.startswith(MARK) if raised else bool(_ENDED.search(previous.text)) or line.left < previous.left


def _small_runs(page: PageText, body: Style) -> Iterator[list[TextLine]]:
    run: list[TextLine] = []
    for line in page.lines:
        if line.kind is BlockKind.RUNNING:
            continue
        if line.kind is None and 0 < line.size <= body.size * _SMALL:
            drop = run[-1].base - line.base if run else 0.0
            if drop < -1 or drop > _APART * line.size:  # another column, or another thing
                if run:
                    yield run
                run = []
            run.append(line)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _at_foot(run: Sequence[TextLine], page: PageText, body: Style) -> bool:
    lowest = min(line.base for line in run)
    left, right = min(line.left for line in run), max(line.right for line in run)
    return not any(
        line.base < lowest and line.left < right and line.right > left and line.size > body.size * _SMALL
        for line in page.lines
        if line.kind is None
    )


# --- paragraphs ------------------------------------------------------------------------------------------------


def mark_starts(page: PageText) -> None:
    """Mark the lines that start a paragraph, by gaps, indents, short last lines, bullets and changes of style."""
    lines = free_lines(page)
    pitch = _usual_pitch(lines)
    columns = _column_ends(lines)
    previous: TextLine | None = None
    for line in page.lines:
        if line.kind is not None:
            if line.kind is not BlockKind.RUNNING:
                previous = None
            continue
        line.starts = line.starts or previous is None or _starts(previous, line, pitch, columns)
        previous = line


def _usual_pitch(lines: Sequence[TextLine]) -> dict[float, float]:
    """Return, per size, the distance between baselines that is usual within paragraphs."""
    found: defaultdict[float, list[float]] = defaultdict(list)
    for above, below in pairwise(lines):
        drop = above.base - below.base
        if above.size == below.size and 0 < drop < 3 * below.size:
            found[below.size].append(drop)
    return {size: sorted(drops)[len(drops) // 4] for size, drops in found.items()}


def _column_ends(lines: Sequence[TextLine]) -> dict[int, float]:
    """Return, per left edge, where full lines end; a title across two columns must not make all lines short."""
    ends: dict[int, float] = {}
    for line in lines:
        key = round(line.left)
        if key not in ends:
            rights = sorted(o.right for o in lines if abs(o.left - line.left) <= 3 * line.size and o.size == line.size)
            ends[key] = rights[len(rights) * 3 // 4]
    return ends


def _starts(above: TextLine, line: TextLine, pitch: dict[float, float], columns: dict[int, float]) -> bool:
    if abs(above.size - line.size) > 0.6 or not line.size:
        return bool(line.size) or bool(LIST_ITEM.match(line.text))
    ended = bool(_ENDED.search(above.text))
    drop = above.base - line.base
    if drop < 0 or line.left > above.right:  # the next column
        return ended or bool(LIST_ITEM.match(line.text))
    if abs(drop) < 1:  # the same line, further right
        return False
    usual = pitch.get(line.size, 1.2 * line.size)
    if drop > _PITCH * usual or _fits(above, line, columns, ended):
        return True
    if above.bold and not line.bold and (drop > _BELOW_BOLD * usual or _room(above, line, columns) > 0):
        return True
    if _BULLET_SIGN.match(line.text) or (ended and (LIST_ITEM.match(line.text) or looks_numbered(line))):
        return True
    indent = _INDENT * line.size
    if line.left > above.left + indent:
        return not LIST_ITEM.match(above.text) and ended
    return line.left < above.left - indent and not above.starts and ended


def _fits(above: TextLine, line: TextLine, columns: dict[int, float], ended: bool) -> bool:
    """Whether the first word of a line would have found room on the line above it, so that the end was meant."""
    if _room(above, line, columns) < 0:
        return False
    right = columns[round(above.left)]
    return ended or looks_numbered(above) or right - above.right > _SLACK * (right - above.left)


def _room(above: TextLine, line: TextLine, columns: dict[int, float]) -> float:
    """Return how much room a line's first word would have left on the line above it, in points."""
    first = len(line.plain.split(maxsplit=1)[0]) + 1
    return columns[round(above.left)] - above.right - first * (line.right - line.left) / max(1, len(line.plain))


def looks_numbered(line: TextLine) -> bool:
    """Whether a line reads like a numbered heading."""
    numbered = NUMBERED.match(line.plain)
    return bool(numbered and looks_like_heading(numbered[2]))


def paragraphs(page: PageText) -> list[list[TextLine]]:
    """Group the lines of a page: a line that starts something, or is of another kind, opens a group."""
    groups: list[list[TextLine]] = []
    for line in page.lines:
        before = groups[-1][-1] if groups else None
        if before is None or line.starts or before.kind is not line.kind:
            groups.append([line])
        else:
            groups[-1].append(line)
    return groups
