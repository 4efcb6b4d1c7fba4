"""The lines of all pages, put together: canonical text, pages, blocks and footnote marks, each with its span."""

import re
from collections.abc import Sequence

from cyberqa.documents.pdf.glyphs import MARK
from cyberqa.documents.pdf.layout import paragraphs
from cyberqa.documents.pdf.lines import PageText, TextLine
from cyberqa.documents.reading import Reading
from cyberqa.documents.structure import LIST_ITEM, Line, find_blocks, fold
from cyberqa.types import BlockKind, Metadata, Page, Repair, Span

PAGE_BREAK = "\n\f"
"""Stands between two pages in the canonical text, and belongs to neither."""

_FENCED = re.compile(f"{MARK}(.*?){MARK}")
_SUPERSCRIPT = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]")

Decision = tuple[BlockKind, int]


def compose(
    pages: Sequence[PageText],
    labels: Sequence[str | None],
    *,
    title: str | None,
    has_title: bool,
    listed: set[str],
    repairs: tuple[Repair, ...],
    warnings: tuple[str, ...],
) -> Reading:
    """Return the reading of a PDF: one line of text a line of the page, pages parted by PAGE_BREAK."""
    parts: list[str] = []
    places: list[Page] = []
    marks: list[Span] = []
    groups: list[list[Line]] = []
    decided: dict[int, Decision] = {}
    start = 0
    typeset = _has_typeset_headings(pages)
    for number, page in enumerate(pages, 1):
        if parts:
            parts.append(PAGE_BREAK)
            start += len(PAGE_BREAK)
        first = start
        for group in paragraphs(page):
            lines = []
            for line in group:
                if start > first:
                    parts.append("\n")
                    start += 1
                lines.append(_placed(line, start))
                marks += _marks(line, start)
                parts.append(_shown(line))
                start += len(parts[-1])
            decision = _decision(group, listed, keep=typeset or (has_title and not groups))
            if decision:
                decided[len(groups)] = decision
            groups.append(lines)
        places.append(Page(number, labels[number - 1], Span(first, start)))
    text = "".join(parts)
    blocks = find_blocks(text, groups, decided, listed)
    return Reading(
        text,
        blocks,
        tuple(places),
        has_lines=False,
        metadata=Metadata(title=title),
        repairs=repairs,
        warnings=warnings,
        marks=tuple(marks),
    )


def _shown(line: TextLine) -> str:
    return line.plain.strip("\n ") if line.kind is BlockKind.TABLE else line.plain.strip()


def _placed(line: TextLine, start: int) -> Line:
    text = _shown(line)
    return Line(Span(start, start + len(text.rstrip())), text.rstrip())


def _marks(line: TextLine, start: int) -> list[Span]:
    text = line.text.strip("\n ") if line.kind is BlockKind.TABLE else line.text.strip()
    return [
        Span(start + match.start() - 2 * number, start + match.start() - 2 * number + len(match[1]))
        for number, match in enumerate(_FENCED.finditer(text))
    ]


_MIN_TYPESET = 3


def _has_typeset_headings(pages: Sequence[PageText]) -> bool:
    """Whether headings are told by type: then a numbered line in the body's type is none."""
    return sum(line.level > 0 and line.starts for page in pages for line in page.lines) >= _MIN_TYPESET


def _decision(group: Sequence[TextLine], listed: set[str], keep: bool) -> Decision | None:
    """Return what is known of a group; unless ``keep``, a single line may yet be a heading by its number."""
    if group[0].kind is not None:
        return group[0].kind, group[0].level
    text = group[0].plain
    if _SUPERSCRIPT.match(text) or (len(group) == 1 and (not keep or fold(text) in listed)):
        return None
    return (BlockKind.LIST if LIST_ITEM.match(text) else BlockKind.PARAGRAPH), 0
