"""A Document in, Chunks out: whole sentences, packed to the size asked for, with the trail of headings above them.

A chunk never crosses a heading, a footnote, a table or a page, and every character of running text (white space
apart) is in exactly one chunk.
"""

import bisect
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cyberqa.documents.structure import BULLET, heading_text, iter_lines
from cyberqa.types import Block, BlockKind, Chunk, Document, Span

MIN_CHARS = 300
MAX_CHARS = 900
MAX_JOINED_CHARS = 1200
"""A passage that would leave a remainder under MIN_CHARS may grow to this."""

_TRAIL_SHARE = 0.25  # of the encoder's window; a longer title and trail lose their outer parts

CountTokens = Callable[[str], int]

_MARK = (
    r"(?:[⁰¹²³⁴⁵⁶⁷⁸⁹]|\[\s*\w{1,3}\s*\])"  # one, and no repetition inside: repeated twice it would backtrack for ever
)
_LEADING_MARKS = re.compile(rf"(?:{_MARK}\s*)+")
_MARKED_END = re.compile(rf"[.!?…][\"”’»)]*\s?{_MARK}+\s+(?=[\"“‘«(]?[^\W\d_a-z])")


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, list item or table row, or the part of one that fits the window."""

    span: Span
    tokens: int
    closes_block: bool
    introduces_list: bool


def chunk_document(
    document: Document, *, size_chars: int, count_tokens: CountTokens, window_tokens: int
) -> list[Chunk]:
    """Cut a document into chunks, in the order of its text.

    Args:
        document: what to cut.
        size_chars: the length aimed at; chunks have MIN_CHARS to MAX_CHARS characters where the section has that
            much, and a shorter remainder joins its neighbour up to MAX_JOINED_CHARS.
        count_tokens: tokens of a text as the encoder counts them, without its special ones.
        window_tokens: what the encoder takes, without its special tokens. No chunk exceeds it together with
            :func:`trail_text`.
    """
    chunks: list[Chunk] = []
    for section, blocks in _segments(document):
        room = window_tokens - count_tokens(trail_text(document.title, section, count_tokens, window_tokens))
        units = [unit for block in blocks for unit in _units(document.text, block, count_tokens, room)]
        ends = [block.span.end for block in blocks]
        for group in _pack(units, size_chars, room):
            for part in _within_room(document.text, group, count_tokens, room):
                span = Span(part[0].span.start, part[-1].span.end)
                kind = blocks[bisect.bisect_right(ends, span.start)].kind
                chunks.append(Chunk(document.id, kind, span, section, tuple(unit.span for unit in part)))
    return chunks


def trail_text(title: str, section: Sequence[str], count_tokens: CountTokens, window_tokens: int) -> str:
    """Return what stands in front of a chunk where it is matched, and is never quoted: its title and headings.

    Where it would take more than a quarter of the window, the outermost parts go first, then the end of the last.
    """
    budget = int(window_tokens * _TRAIL_SHARE)
    parts = [title, *section]
    while len(parts) > 1 and count_tokens(_join_trail(parts)) > budget:
        parts.pop(0)
    trail = _join_trail(parts)
    while count_tokens(trail) > budget:
        trail = trail[: len(trail) * 3 // 4].rstrip() + "\n"
    return trail


def _join_trail(parts: Sequence[str]) -> str:
    return ". ".join(parts) + "\n"


# --- segments: stretches that may become one chunk -----------------------------------------------------------


def _segments(document: Document) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """Yield runs of blocks that chunks may span, each with its section trail."""
    trail: list[tuple[int, str]] = []
    run: list[Block] = []
    page_starts = [page.span.start for page in document.pages]

    def section() -> tuple[str, ...]:
        return tuple(text for _, text in trail)

    for block in document.blocks:
        if run and not _may_join(run[-1], block, page_starts):
            yield section(), run
            run = []
        if block.kind is BlockKind.HEADING:
            while trail and trail[-1][0] >= max(block.level, 1):
                trail.pop()
            if block.level:
                trail.append((block.level, heading_text(document.text, block)))
        elif block.kind not in (BlockKind.CONTENTS, BlockKind.RUNNING):
            run.append(block)
    if run:
        yield section(), run


_PROSE = (BlockKind.PARAGRAPH, BlockKind.LIST)


def _may_join(before: Block, after: Block, page_starts: Sequence[int]) -> bool:
    same_page = bisect.bisect_right(page_starts, before.span.start) == bisect.bisect_right(
        page_starts, after.span.start
    )
    return same_page and before.kind in _PROSE and after.kind in _PROSE


# --- units: what is never cut ---------------------------------------------------------------------------------


def split_sentences(text: str, block: Block) -> list[Span]:
    """Return the sentences of a block, without the white space between them.

    nupunkt finds them; added here: items of a list and rows of a table stand alone, and footnote marks stay with
    the sentence before them.
    """
    from nupunkt import sent_spans  # only indexing needs it

    start, end = block.span.start, block.span.end
    body = text[start:end]
    cuts = {0} | {first for first, _ in sent_spans(body)} | {match.end() for match in _MARKED_END.finditer(body)}
    for line in iter_lines(text, start, end):
        if not line.is_blank and (
            block.kind is BlockKind.TABLE or (block.kind is BlockKind.LIST and BULLET.match(line.text))
        ):
            cuts.add(line.span.start - start)
    if block.kind is not BlockKind.FOOTNOTE:  # whose own number leads it
        cuts = {match.end() if cut and (match := _LEADING_MARKS.match(body, cut)) else cut for cut in cuts}
    ordered = sorted(cut for cut in cuts if cut < len(body))
    pieces = zip(ordered, [*ordered[1:], len(body)], strict=True)
    blank = "\n\r " if block.kind is BlockKind.TABLE else None  # a leading tab is an empty first cell
    return [span for first, last in pieces if (span := _trim(text, start + first, start + last, blank))]


def _trim(text: str, start: int, end: int, blank: str | None = None) -> Span | None:
    piece = text[start:end]
    if not piece.strip():
        return None
    return Span(start + len(piece) - len(piece.lstrip(blank)), end - len(piece) + len(piece.rstrip()))


def _units(text: str, block: Block, count_tokens: CountTokens, room: int) -> list[_Unit]:
    spans = [part for sentence in split_sentences(text, block) for part in _fitting(text, sentence, count_tokens, room)]
    return [
        _Unit(
            span,
            count_tokens(text[span.start : span.end]),
            closes_block=span is spans[-1],
            introduces_list=text[span.end - 1] == ":",
        )
        for span in spans
    ]


_SEPARATORS = (
    re.compile(r"(?<=[;:])\s+|\n+"),
    re.compile(r"(?<=[,–—])\s+"),
    re.compile(r"\s+"),
    re.compile(r"(?<=[/&?=_-])"),
)


def _fitting(text: str, span: Span, count_tokens: CountTokens, room: int) -> list[Span]:
    """Halve what is too long for one chunk, at the strongest separator in the middle half."""
    if len(span) <= MAX_JOINED_CHARS and count_tokens(text[span.start : span.end]) <= room:
        return [span]
    cut = _middle_cut(text, span)
    halves = [_trim(text, span.start, cut), _trim(text, cut, span.end)]
    return [part for half in halves if half for part in _fitting(text, half, count_tokens, room)]


def _middle_cut(text: str, span: Span) -> int:
    middle = (span.start + span.end) // 2
    low, high = span.start + len(span) // 4, span.end - len(span) // 4
    for separator in _SEPARATORS:
        cuts = [match.end() for match in separator.finditer(text, low, high) if low < match.end() < high]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - middle))
    return middle  # a single run of characters: inside a word is the only place left


# --- packing -------------------------------------------------------------------------------------------------

# Costs are squared relative distances from the size aimed at, so 1.0 is a chunk of twice that size.
_COST_SHORT = 10.0
_COST_OVER_MAX = 4.0
_COST_INSIDE_BLOCK = 0.15
_COST_BEFORE_LIST = 0.5


def _pack(units: Sequence[_Unit], size_chars: int, room: int) -> list[list[_Unit]]:
    """Divide units into chunks at the least total cost (dynamic programming over the last cut)."""
    # A table of one-character rows has a hundred thousand units, and each some hundred places to cut before it.
    cost_of_length = [_length_cost(length, size_chars) for length in range(MAX_JOINED_CHARS + 1)]
    starts = [unit.span.start for unit in units]
    best = [0.0] + [math.inf] * len(units)
    cut_before = [0] * (len(units) + 1)
    lowest = tokens = 0
    for stop, last in enumerate(units, 1):
        end = last.span.end
        tokens += last.tokens
        while lowest < stop - 1 and (end - starts[lowest] > MAX_JOINED_CHARS or tokens > room):
            tokens -= units[lowest].tokens
            lowest += 1
        least = math.inf
        for start in range(stop - 1, lowest - 1, -1):
            cost = best[start] + cost_of_length[end - starts[start]]
            if cost < least:
                least, cut_before[stop] = cost, start
        best[stop] = least + (_cut_cost(last) if stop < len(units) else 0.0)
    groups: list[list[_Unit]] = []
    stop = len(units)
    while stop:
        groups.append(list(units[cut_before[stop] : stop]))
        stop = cut_before[stop]
    return groups[::-1]


def _within_room(text: str, group: list[_Unit], count_tokens: CountTokens, room: int) -> list[list[_Unit]]:
    """Take a chunk apart that counts more whole than in parts: pieces that were cut inside a word join otherwise."""
    if len(group) == 1 or count_tokens(text[group[0].span.start : group[-1].span.end]) <= room:
        return [group]
    return [[unit] for unit in group]


def _length_cost(length: int, size_chars: int) -> float:
    cost = ((length - size_chars) / size_chars) ** 2
    if length < MIN_CHARS:
        return cost + _COST_SHORT
    return cost + _COST_OVER_MAX if length > MAX_CHARS else cost


def _cut_cost(last: _Unit) -> float:
    return (0.0 if last.closes_block else _COST_INSIDE_BLOCK) + (_COST_BEFORE_LIST if last.introduces_list else 0.0)
