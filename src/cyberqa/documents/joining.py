"""What a page's end parts: footnotes from the marks that refer to them, and the halves of a sentence."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from cyberqa.documents.structure import LIST_ITEM
from cyberqa.types import PROSE, Block, BlockKind, Footnote, Span

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_MARKDOWN_LABEL = r"\[\^[^\]\s]{1,60}\]"
_MARK = re.compile(rf"[⁰¹²³⁴⁵⁶⁷⁸⁹]+|{_MARKDOWN_LABEL}|\[\d{{1,3}}\]")
_LABEL = re.compile(rf"[⁰¹²³⁴⁵⁶⁷⁸⁹]+|{_MARKDOWN_LABEL}|\[[\w-]{{1,20}}\]|\d{{1,3}}(?=[\s.)])")
MARKDOWN_FOOTNOTE = re.compile(rf"{_MARKDOWN_LABEL}:")
"""How a footnote begins in Markdown."""

_BODY = (BlockKind.PARAGRAPH, BlockKind.LIST, BlockKind.TABLE, BlockKind.HEADING)
_STANDS_BETWEEN = (BlockKind.FOOTNOTE, BlockKind.RUNNING)
_ENDED = re.compile(r"[.!?:;…][\"”’»)\]]*(?:\s*(?:[⁰¹²³⁴⁵⁶⁷⁸⁹]|\[\s*\w{1,3}\s*\]))*\s*\Z")
_GOES_ON = re.compile(r"[\"“‘«(]?[^\W\d_A-ZÀ-Þ]")
_MIN_CUT_CHARS = 40  # a shorter line without a full stop is a label, not half a sentence


def link_footnotes(text: str, blocks: Sequence[Block], marks: Sequence[Span] = ()) -> tuple[Footnote, ...]:
    """Tie each footnote to the nearest mark before it that bears its label; each mark is taken once.

    Args:
        text: the canonical text.
        blocks: in order.
        marks: what the reader knows to be marks though it looks like plain digits; the others (superscripts,
            ``[1]`` and ``[^1]``) are found here.
    """
    free: dict[str, list[int]] = {}
    for position, label in sorted({*_marks(text, blocks), *((m.start, text[m.start : m.end]) for m in marks)}):
        free.setdefault(label, []).append(position)
    linked: list[Footnote] = []
    for block in blocks:
        if block.kind is not BlockKind.FOOTNOTE or not (match := _LABEL.match(text, block.span.start, block.span.end)):
            continue
        label = _label_of(match)
        before = bisect_left(free.get(label, []), block.span.start)
        linked.append(Footnote(label, block.span, free[label].pop(before - 1) if before else None))
    return tuple(linked)


def _marks(text: str, blocks: Sequence[Block]) -> Iterator[tuple[int, str]]:
    for block in blocks:
        if block.kind in _BODY:
            for match in _MARK.finditer(text, block.span.start, block.span.end):
                yield match.start(), _label_of(match)


def _label_of(mark: re.Match[str]) -> str:
    return mark[0].removeprefix("[").removeprefix("^").removesuffix("]").translate(_SUPERSCRIPTS)


def plain_marks(text: str, footnotes: Sequence[Footnote]) -> tuple[Span, ...]:
    """Return the marks that only their footnotes tell from other digits, in order: ``ended.12``."""
    return tuple(
        sorted(
            Span(note.reference, note.reference + len(note.label))
            for note in footnotes
            if note.reference is not None and text.startswith(note.label, note.reference)
        )
    )


def find_continuations(text: str, blocks: Sequence[Block], marks: Sequence[Span] = ()) -> dict[int, int]:
    """Return block -> block where the first one's last sentence goes on, both by their place in ``blocks``.

    Footnotes, running headers and page ends may stand between the two. Where nothing does, the second must go on
    in lower case. ``marks`` are those of :func:`plain_marks`: a sentence ends before its own.
    """
    last = {mark.end: mark.start for mark in marks}
    return {
        first: second
        for first, block in enumerate(blocks)
        if block.kind in PROSE
        and (second := _next_prose(blocks, first))
        and _is_cut(text, blocks, first, second, last.get(block.span.end, block.span.end))
    }


def _next_prose(blocks: Sequence[Block], position: int) -> int | None:
    following = position + 1
    while following < len(blocks) and blocks[following].kind in _STANDS_BETWEEN:
        following += 1
    return following if following < len(blocks) and blocks[following].kind in PROSE else None


def _is_cut(text: str, blocks: Sequence[Block], first: int, second: int, end: int) -> bool:
    before = text[blocks[first].span.start : end]
    after = text[blocks[second].span.start : blocks[second].span.end]
    if _ENDED.search(before[-40:]) or LIST_ITEM.match(after):
        return False
    if _GOES_ON.match(after):
        return True
    is_parted = second > first + 1 or "\f" in text[blocks[first].span.end : blocks[second].span.start]
    return is_parted and len(before) >= _MIN_CUT_CHARS
