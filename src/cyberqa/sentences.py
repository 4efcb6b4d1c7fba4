"""A block in, its sentences out: what is never cut, unless it is too long for one chunk."""

import re
from bisect import bisect_left
from collections.abc import Sequence

from cyberqa.documents.structure import LIST_ITEM, iter_lines
from cyberqa.types import Block, BlockKind, CountTokens, Span

_MARK = (
    r"(?:[⁰¹²³⁴⁵⁶⁷⁸⁹]|\[\s*\w{1,3}\s*\])"  # one, and no repetition inside: repeated twice it would backtrack for ever
)
_LEADING_MARKS = re.compile(rf"(?:{_MARK}\s*)+")
_MARKED_END = re.compile(rf"[.!?…][\"”’»)]*\s?{_MARK}+\s+(?=[\"“‘«(]?[^\W\d_a-z])")

_GLUED_MARK = re.compile(r"[.!?…][\"”’»]*(\(\d{1,3}\))\s+(?=[\"“‘«(]?[^\W\d_a-z])")  # as the EU's documents have them

_MAX_CLOSING = 6  # characters from a sentence's end to its mark: quotes, brackets, a line end
_ENDED = re.compile(r"[.!?…][\"”’»)]*\s*\Z")
_FOLLOWS = re.compile(r"\s+(?=[\"“‘«(]?[^\W\d_a-z])")

_SEPARATORS = (
    re.compile(r"(?<=[;:])\s+|\n+"),
    re.compile(r"(?<=[,–—])\s+"),
    re.compile(r"\s+"),
    re.compile(r"(?<=[/&?=_-])"),
)


def split_sentences(text: str, block: Block, marks: Sequence[Span] = ()) -> list[Span]:
    """Return the sentences of a block, without the white space between them.

    nupunkt finds them; added here: items of a list and rows of a table stand alone, and footnote marks stay with
    the sentence before them: superscripts, ``[12]``, ``ended.(12) The``, and those ``marks`` (in order) that look like
    plain digits.
    """
    from nupunkt import sent_spans  # only indexing needs it

    start, end = block.span.start, block.span.end
    body = text[start:end]
    cuts = {0} | {first for first, _ in sent_spans(body)} | {match.end() for match in _MARKED_END.finditer(body)}
    for glued in _GLUED_MARK.finditer(body):
        cuts = {cut for cut in cuts if not glued.start() < cut < glued.end()} | {glued.end()}
    for mark in marks[bisect_left(marks, block.span) : bisect_left(marks, Span(end, end))]:
        cuts = _cut_behind(mark, text, block, cuts)
    for line in iter_lines(text, start, end):
        if not line.is_blank and (
            block.kind is BlockKind.TABLE or (block.kind is BlockKind.LIST and LIST_ITEM.match(line.text))
        ):
            cuts.add(line.span.start - start)
    if block.kind is not BlockKind.FOOTNOTE:  # whose own number leads it
        cuts = {match.end() if cut and (match := _LEADING_MARKS.match(body, cut)) else cut for cut in cuts}
    ordered = sorted(cut for cut in cuts if cut < len(body))
    pieces = zip(ordered, [*ordered[1:], len(body)], strict=True)
    blank = "\n\r " if block.kind is BlockKind.TABLE else None  # a leading tab is an empty first cell
    return [span for first, last in pieces if (span := _trim(text, start + first, start + last, blank))]


def _cut_behind(mark: Span, text: str, block: Block, cuts: set[int]) -> set[int]:
    """Move a cut before a mark behind it, and cut there where another sentence follows: ``ended.12 The``."""
    start = block.span.start
    ended = _ENDED.search(text, max(start, mark.start - _MAX_CLOSING), mark.start)
    if not ended:
        return cuts
    follows = _FOLLOWS.match(text, mark.end, block.span.end)
    kept = {cut for cut in cuts if not ended.start() - start < cut <= mark.end - start}
    return kept | ({follows.end() - start} if follows else set())


def halve_to_fit(text: str, span: Span, max_chars: int, count_tokens: CountTokens, max_tokens: int) -> list[Span]:
    """Halve what is too long for one chunk, at the strongest separator in the middle half, until it fits."""
    if len(span) <= max_chars and count_tokens(text[span.start : span.end]) <= max_tokens:
        return [span]
    cut = _middle_cut(text, span)
    halves = [_trim(text, span.start, cut), _trim(text, cut, span.end)]
    return [part for half in halves if half for part in halve_to_fit(text, half, max_chars, count_tokens, max_tokens)]


def _trim(text: str, start: int, end: int, blank: str | None = None) -> Span | None:
    piece = text[start:end]
    if not piece.strip():
        return None
    return Span(start + len(piece) - len(piece.lstrip(blank)), end - len(piece) + len(piece.rstrip()))


def _middle_cut(text: str, span: Span) -> int:
    middle = (span.start + span.end) // 2
    low, high = span.start + len(span) // 4, span.end - len(span) // 4
    for separator in _SEPARATORS:
        cuts = [match.end() for match in separator.finditer(text, low, high) if low < match.end() < high]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - middle))
    return middle  # a single run of characters: inside a word is the only place left
