"""Headings of a PDF: from its bookmarks, its table of contents, and type that is larger or bolder than the body's."""

import re
from collections import Counter
from collections.abc import Sequence

from cyberqa.documents.pdf.layout import Style, free_lines, paragraphs
from cyberqa.documents.pdf.lines import PageText, TextLine
from cyberqa.documents.pdf.second import Bookmark
from cyberqa.documents.structure import (
    CONTENTS_TITLE,
    LIST_ITEM,
    MAX_HEADING_CHARS,
    MAX_TITLE_CHARS,
    MIN_CONTENTS_ENTRIES,
    NUMBERED,
    SENTENCE_END,
    contents_entry,
    fold,
)
from cyberqa.types import BlockKind

_LARGER = 1.08  # times the body's size
_TITLE_LARGER = 1.25
_MAX_LINES = 4
_MAX_LEVEL = 6
_NUMBER = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_PREFIX = re.compile(r"^(?:(?:chapter|section|part|annex|appendix)\s+)?(?:\d{1,2}(?: \d{1,2})*|[ivx]{1,5}|[a-z])\s+")
_BARE_ENTRY = re.compile(r"(\S.*\S)\s+(?:\d{1,4}|[ivxlc]{1,6})$")
_LEADERS = re.compile(r"(?:[.·…]\s*){3,}(?:\d{1,4}|[ivxlc]{1,6})$")
_MAX_WRAPPED = 2  # lines of one entry before the line with its page


# --- table of contents -----------------------------------------------------------------------------------------


def mark_contents(pages: Sequence[PageText]) -> set[str]:
    """Claim the lines of the table of contents, and return the titles that it lists, folded."""
    lines = [line for page in pages for line in free_lines(page)]
    titles: set[str] = set()
    position = 0
    while position < len(lines):
        named = bool(CONTENTS_TITLE.match(lines[position].plain.strip()))
        if not named and not _is_entry(lines[position], named):
            position += 1
            continue
        stop, found = _entries(lines, position + named, named)
        if len(found) >= MIN_CONTENTS_ENTRIES:
            for number, line in enumerate(lines[position:stop]):
                line.kind, line.starts = BlockKind.CONTENTS, number == 0
            titles |= found
        position = max(stop, position + 1)
    return titles


def _is_entry(line: TextLine, named: bool) -> bool:
    text = line.plain
    return bool(_LEADERS.search(text[-200:]) or contents_entry(text) or (named and _BARE_ENTRY.match(text)))


def _entries(lines: Sequence[TextLine], first: int, named: bool) -> tuple[int, set[str]]:
    """Return the end of a run of entries, and its titles; an entry may need up to three lines."""
    titles: set[str] = set()
    stop = first
    pending: list[str] = []
    for position in range(first, len(lines)):
        text = lines[position].plain
        if _is_entry(lines[position], named):
            head = _LEADERS.sub("", text) if _LEADERS.search(text[-200:]) else text.rsplit(maxsplit=1)[0]
            titles.add(fold(" ".join([*pending, head])))
            stop, pending = position + 1, []
        elif len(pending) == _MAX_WRAPPED:
            break
        else:
            pending.append(text)
    return stop, titles


# --- bookmarks -------------------------------------------------------------------------------------------------


def mark_bookmarks(pages: Sequence[PageText], bookmarks: Sequence[Bookmark]) -> None:
    """Claim the lines that a bookmark names, on the page that it points to."""
    shift = _root_levels(bookmarks)
    for bookmark in bookmarks:
        if bookmark.page < len(pages):
            found = _named_lines(free_lines(pages[bookmark.page]), _squeezed(bookmark.title))
            _claim(found, min(max(1, bookmark.level - shift), _MAX_LEVEL))


def _root_levels(bookmarks: Sequence[Bookmark]) -> int:
    """Return 1 where a single bookmark, the title's, stands over all others."""
    return int(len(bookmarks) > 1 and sum(bookmark.level == 1 for bookmark in bookmarks) == 1)


def _named_lines(lines: Sequence[TextLine], title: str) -> list[TextLine]:
    """Return the lines, up to four in a row and of one size, that read like the title, but for its number."""
    best: list[TextLine] = []
    for first in range(len(lines) if title else 0):
        read = ""
        for stop in range(first, min(first + _MAX_LINES, len(lines))):
            read = f"{read} {lines[stop].plain}"
            if lines[stop].size != lines[first].size or not title.startswith(_squeezed(read)):
                break
            if _squeezed(read) == title and lines[first].size > (best[0].size if best else -1):
                best = list(lines[first : stop + 1])
    return best


def _squeezed(title: str) -> str:
    """Return a title as its lines on the page are compared: without number, spaces and hyphens at line ends."""
    return _PREFIX.sub("", fold(title), count=1).replace(" ", "")


def _claim(lines: Sequence[TextLine], level: int) -> None:
    for number, line in enumerate(lines):
        line.kind, line.level, line.starts = BlockKind.HEADING, level, number == 0


# --- type ------------------------------------------------------------------------------------------------------


def mark_title(pages: Sequence[PageText], body: Style) -> str | None:
    """Claim the largest lines of the first page as the title (level 0), and return it; None where none stands out."""
    lines = [line for line in pages[0].lines if line.kind in (None, BlockKind.HEADING)] if pages else []
    largest = max((line.size for line in lines), default=0.0)
    if not body.size or largest < _TITLE_LARGER * body.size:
        return None
    first = next(position for position, line in enumerate(lines) if line.size == largest)
    group: list[TextLine] = []
    for line in lines[first : first + _MAX_LINES]:
        if line.size != largest or (group and _NUMBER.match(line.plain)):
            break
        group.append(line)
    title = " ".join(line.plain.strip() for line in group)
    if len(title) > MAX_TITLE_CHARS or _NUMBER.match(title) or not any(map(str.isalpha, title)):
        return None
    _claim(group, 0)
    return title


def mark_headings(pages: Sequence[PageText], body: Style) -> None:
    """Claim short paragraphs that are larger or bolder than the body; their levels follow their numbers and sizes."""
    groups = [group for page in pages for group in paragraphs(page)]
    found = [group for group in groups if group[0].kind is None and _stands_out(group, body)]
    known = [group for group in groups if group[0].kind is BlockKind.HEADING and group[0].level]
    levels = _levels(found, known)
    for group in found:
        number = _NUMBER.match(group[0].plain)
        depth = number[1].count(".") + 1 if number and "." in number[1].strip(".") else 0
        _claim(group, min(depth or levels[_style(group)], _MAX_LEVEL))


def _style(group: Sequence[TextLine]) -> Style:
    return Style(group[0].size, all(line.bold for line in group))


def _stands_out(group: Sequence[TextLine], body: Style) -> bool:
    text = " ".join(line.plain for line in group)
    if not body.size or len(group) > _MAX_LINES or len(text) > MAX_HEADING_CHARS or not any(map(str.isalpha, text)):
        return False
    if text[0].islower() or "\t" in text:
        return False
    larger = all(line.size >= _LARGER * body.size for line in group)
    bolder = all(line.bold for line in group) and not body.bold and group[0].size >= body.size - 0.5
    if larger:
        return not text.endswith(tuple(set(SENTENCE_END) - set("?!:")))
    return bolder and not text.endswith(SENTENCE_END) and (not LIST_ITEM.match(text) or bool(NUMBERED.match(text)))


def _levels(found: Sequence[Sequence[TextLine]], known: Sequence[Sequence[TextLine]]) -> dict[Style, int]:
    """Return the level of each style: what numbers and bookmarks say of it, else one below the next larger."""
    votes: dict[Style, Counter[int]] = {}
    for group in [*found, *known]:
        number = _NUMBER.match(group[0].plain)
        level = group[0].level or (number[1].count(".") + 1 if number else 0)
        votes.setdefault(_style(group), Counter())[level] += 1
    levels: dict[Style, int] = {}
    last = 0
    for style in sorted(votes, key=lambda style: (-style.size, not style.bold)):
        votes[style].pop(0, None)
        told = max(votes[style], key=lambda level: (votes[style][level], -level), default=0)
        levels[style] = told or last + 1
        last = max(last, levels[style])
    return levels
