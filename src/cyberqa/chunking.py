"""A Document in, Chunks out: whole sentences, packed to the size asked for, with the trail of headings above them.

A chunk never crosses a heading, a footnote, a table or a page. Every character of running text (white space apart)
is in exactly one chunk, or in its continuation: the rest of a sentence that a page's end cut off.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from cyberqa.documents.joining import find_continuations, plain_marks
from cyberqa.documents.structure import heading_text, is_caption, iter_lines
from cyberqa.matching import joined_text, trail_text
from cyberqa.sentences import halve_to_fit, split_sentences
from cyberqa.types import NEVER_QUOTED, PROSE, BlockKind, Chunk, CountTokens, Document, Span

MIN_CHARS = 300
MAX_CHARS = 900
MAX_JOINED_CHARS = 1200
"""A passage that would leave a remainder under MIN_CHARS may grow to this."""

_CONTEXT_SHARE = 0.5  # of the room beside the trail; a caption and header row that need more are left out


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, list item or table row, or the part of one that fits the window."""

    span: Span
    tokens: int
    closes_block: bool
    introduces_list: bool
    continuation: Span | None = None


@dataclass(frozen=True, slots=True)
class _Segment:
    """Neighbouring blocks that one chunk may span, by their place in the document."""

    section: tuple[str, ...]
    places: list[int]


def chunk_document(
    document: Document, *, size_chars: int, count_tokens: CountTokens, window_tokens: int
) -> list[Chunk]:
    """Cut a document into chunks, in the order of its text.

    Args:
        document: what to cut.
        size_chars: the length aimed at; chunks have MIN_CHARS to MAX_CHARS characters where the section has that
            much, and a shorter remainder joins its neighbour up to MAX_JOINED_CHARS.
        count_tokens: tokens of a text as the encoder counts them, without its special ones.
        window_tokens: what the encoder takes, without its special tokens. No chunk exceeds it as it is matched.
    """
    return list(_Cutter(document, size_chars, count_tokens, window_tokens).chunks())


class _Cutter:
    def __init__(self, document: Document, size_chars: int, count_tokens: CountTokens, window_tokens: int) -> None:
        self._document = document
        self._text = document.text
        self._blocks = document.blocks
        self._starts = [block.span.start for block in document.blocks]
        self._size_chars = size_chars
        self._count = count_tokens
        self._window = window_tokens
        self._marks = plain_marks(document.text, document.footnotes)
        self._continued = find_continuations(document.text, document.blocks, self._marks)
        self._taken: set[int] = set()  # blocks whose first sentence belongs to an earlier block's last

    def chunks(self) -> Iterator[Chunk]:
        for segment in _segments(self._document):
            trail = trail_text(self._document.title, segment.section, self._count, self._window)
            room = self._window - self._count(trail)
            context = self._context(segment, room)
            room -= self._tokens(context)
            units = [unit for place in segment.places for unit in self._units(place, segment, room)]
            is_table = any(self._blocks[place].kind is BlockKind.TABLE for place in segment.places)
            for group in _pack(units, self._size_chars, room):
                for part in self._within_room(group, room):
                    first = bisect_right(self._starts, part[0].span.start) - 1
                    yield Chunk(
                        document=self._document.id,
                        kind=BlockKind.TABLE if is_table else self._blocks[first].kind,
                        span=Span(part[0].span.start, part[-1].span.end),
                        section=segment.section,
                        sentences=tuple(unit.span for unit in part),
                        continuation=part[-1].continuation,
                        context=context,
                    )

    def _context(self, segment: _Segment, room: int) -> tuple[Span, ...]:
        """Return caption and header row of a table."""
        blocks = [self._blocks[place] for place in segment.places]
        table = next((block for block in blocks if block.kind is BlockKind.TABLE), None)
        if table is None:
            return ()
        caption = [block.span for block in blocks if block is not table]
        rows = [line.span for line in iter_lines(self._text, table.span.start, table.span.end) if not line.is_blank]
        header = rows[:1] if len(rows) > 1 else []
        both = tuple(sorted([*caption, *header]))
        return next((spans for spans in (both, tuple(header)) if self._tokens(spans) <= room * _CONTEXT_SHARE), ())

    def _tokens(self, spans: Sequence[Span]) -> int:
        return sum(self._count(self._text[span.start : span.end]) for span in spans)

    def _units(self, place: int, segment: _Segment, room: int) -> list[_Unit]:
        block = self._blocks[place]
        sentences = split_sentences(self._text, block, self._marks)
        spans = [
            part
            for sentence in (sentences[1:] if place in self._taken else sentences)
            for part in halve_to_fit(self._text, sentence, MAX_JOINED_CHARS, self._count, room)
        ]
        units = [
            _Unit(
                span,
                self._tokens([span]),
                closes_block=span is spans[-1],
                introduces_list=self._text[span.end - 1] == ":",
            )
            for span in spans
        ]
        return [*units[:-1], self._continue(units[-1], place, segment, room)] if units else []

    def _continue(self, unit: _Unit, place: int, segment: _Segment, room: int) -> _Unit:
        """Give a block's last sentence its other half, where that lies in a later block and both fit together."""
        following = self._continued.get(place)
        if following is None:
            return unit
        rest = split_sentences(self._text, self._blocks[following], self._marks)[0]
        tokens = unit.tokens + self._tokens([rest])
        is_adjoining = following in segment.places  # only a blank line lies between: one sentence, one span
        length = rest.end - unit.span.start if is_adjoining else len(unit.span) + len(rest)
        if tokens > room or length > MAX_JOINED_CHARS:
            return unit
        self._taken.add(following)
        if is_adjoining:
            return _Unit(Span(unit.span.start, rest.end), tokens, closes_block=True, introduces_list=False)
        return _Unit(unit.span, tokens, closes_block=True, introduces_list=False, continuation=rest)

    def _within_room(self, group: list[_Unit], room: int) -> list[list[_Unit]]:
        """Take a chunk apart that counts more whole than in parts: pieces cut inside a word join otherwise."""
        span = Span(group[0].span.start, group[-1].span.end)
        if len(group) == 1 or self._count(joined_text(self._text, span, group[-1].continuation)) <= room:
            return [group]
        return [[unit] for unit in group]


# --- segments: stretches that may become one chunk -----------------------------------------------------------


def _segments(document: Document) -> Iterator[_Segment]:
    """Yield runs of blocks that chunks may span: prose of a section and page, a table with its caption, a footnote."""
    sections = _sections(document)
    tables = _tables(document)
    page_starts = [page.span.start for page in document.pages]

    def key(place: int) -> tuple[int, int | None, tuple[str, ...]]:
        block = document.blocks[place]
        is_prose = block.kind in PROSE and place not in tables
        return (
            bisect_right(page_starts, block.span.start),
            None if is_prose else tables.get(place, place),
            sections[place],
        )

    for (_, _, section), group in groupby(range(len(document.blocks)), key):
        places = list(group)
        if document.blocks[places[0]].kind not in NEVER_QUOTED:
            yield _Segment(section, places)


def _sections(document: Document) -> list[tuple[str, ...]]:
    """Return the trail of headings above each block; a footnote has that of the mark which refers to it."""
    trail: list[tuple[int, str]] = []
    sections: list[tuple[str, ...]] = []
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            while trail and trail[-1][0] >= max(block.level, 1):
                trail.pop()
            if block.level:
                trail.append((block.level, heading_text(document.text, block)))
        sections.append(tuple(text for _, text in trail))
    starts = [block.span.start for block in document.blocks]
    for footnote in document.footnotes:
        if footnote.reference is not None:
            place = bisect_right(starts, footnote.span.start) - 1
            sections[place] = sections[bisect_right(starts, footnote.reference) - 1]
    return sections


def _tables(document: Document) -> dict[int, int]:
    """Return for each table, and each caption that adjoins one, the place of the table."""
    tables: dict[int, int] = {}
    for place, block in enumerate(document.blocks):
        if block.kind is BlockKind.TABLE:
            tables[place] = place
            beside = (place - 1, place + 1)
            free = [i for i in beside if 0 <= i < len(document.blocks) and i not in tables]
            captions = [i for i in free if is_caption(document.text, document.blocks[i])]
            tables.update(dict.fromkeys(captions[:1], place))
    return tables


# --- packing -------------------------------------------------------------------------------------------------

# Costs are squared relative distances from the size aimed at, so 1.0 is a chunk of twice that size.
_COST_SHORT = 10.0
_COST_OVER_MAX = 4.0
_COST_INSIDE_BLOCK = 0.15
_COST_BEFORE_LIST = 0.5


def _pack(units: Sequence[_Unit], size_chars: int, room: int) -> list[list[_Unit]]:
    """Divide units into chunks at the least total cost (dynamic programming over the last cut)."""
    cost_of_length = _length_costs(size_chars)
    starts = [unit.span.start for unit in units]
    best = [0.0] + [math.inf] * len(units)
    cut_before = [0] * (len(units) + 1)
    lowest = tokens = 0
    for stop, last in enumerate(units, 1):
        end = last.span.end + len(last.continuation or ())
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


@lru_cache(1)
def _length_costs(size_chars: int) -> list[float]:
    """Return the cost of a chunk by its length.

    A table of one-character rows has a hundred thousand units, and each some hundred places to cut before it; a report
    has a thousand sections, and each is packed by itself.
    """
    return [_length_cost(length, size_chars) for length in range(MAX_JOINED_CHARS + 1)]


def _length_cost(length: int, size_chars: int) -> float:
    cost = ((length - size_chars) / size_chars) ** 2
    if length < MIN_CHARS:
        return cost + _COST_SHORT
    return cost + _COST_OVER_MAX if length > MAX_CHARS else cost


def _cut_cost(last: _Unit) -> float:
    return (0.0 if last.closes_block else _COST_INSIDE_BLOCK) + (_COST_BEFORE_LIST if last.introduces_list else 0.0)
