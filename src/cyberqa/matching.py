"""What a chunk is matched by: more than is shown. None of it exceeds the encoder's window.

In front of a chunk stand the document's title and the trail of headings, and a table's caption and header row;
behind it the rest of a sentence that a page's end cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyberqa.types import PROSE, Chunk, CountTokens, Document, Span

NO_SENTENCE = 255  # so a chunk tells 255 sentences apart; the rest, rows of a letter or two, count as the last

_TRAIL_SHARE = 0.25  # of the encoder's window; a longer title and trail lose their outer parts


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


@dataclass(frozen=True, slots=True)
class Matched:
    """A text that a chunk is matched by; its first ``front`` characters stand in front of the chunk.

    ``firsts`` are ``(offset, place)``: where in the text that begins what belongs to a sentence of the chunk, and to
    which; None where it belongs to no single one.
    """

    text: str
    front: int
    firsts: tuple[tuple[int, int | None], ...]


Statement = tuple[int | None, str]
"""The place of a sentence in its chunk, None for none, and words that are matched as if they stood there."""


def matched_text(document: Document, chunk: Chunk, trail: str) -> Matched:
    """Return what a chunk is embedded and counted by: trail, context, its text, and the rest of its last sentence."""
    front = trail + _context_text(document.text, chunk.span, chunk.context)
    offset = len(front) - chunk.span.start
    firsts = tuple((sentence.start + offset, place) for place, sentence in enumerate(chunk.sentences))
    return Matched(front + joined_text(document.text, chunk.span, chunk.continuation), len(front), firsts)


def text_of_stored(document: Document, chunk: Chunk, count_tokens: CountTokens, window_tokens: int) -> str:
    """Return what a chunk of an index was embedded and counted by."""
    return matched_text(document, chunk, trail_text(document.title, chunk.section, count_tokens, window_tokens)).text


def matched_statements(front: str, statements: Sequence[Statement]) -> Matched:
    """Return statements, a line each, as a text that a chunk is matched by besides its own."""
    text, firsts = front, []
    for place, words in statements:
        firsts.append((len(text), place))
        text += words + "\n"
    return Matched(text, len(front), tuple(firsts))


def joined_text(text: str, span: Span, continuation: Span | None, context: Sequence[Span] = ()) -> str:
    """Return a span's text with its context in front, where that is not part of it, and its continuation behind."""
    behind = " " + text[continuation.start : continuation.end] if continuation else ""
    return _context_text(text, span, context) + text[span.start : span.end] + behind


def _context_text(text: str, span: Span, context: Sequence[Span]) -> str:
    """Return the context, a line each, where it is not part of the span."""
    return "".join(text[c.start : c.end] + "\n" for c in context if not span.start <= c.start < span.end)


def sentences_of(matched: Matched, starts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return for each character of the matched text in ``starts`` the sentence it belongs to, by place in the chunk.

    NO_SENTENCE for what stands in front. A continuation belongs to the last sentence.
    """
    offsets = [offset for offset, _ in matched.firsts]
    places = np.array([NO_SENTENCE, *(_numbered(place) for _, place in matched.firsts)], np.uint8)
    return places[np.searchsorted(offsets, starts, "right")]


def _numbered(place: int | None) -> int:
    return NO_SENTENCE if place is None else min(place, NO_SENTENCE - 1)


def chunks_before(chunks: Sequence[Chunk]) -> list[int]:
    """Return for each chunk the place of the chunk of running text before it in its section, -1 where there is none."""
    before = [-1] * len(chunks)
    latest: dict[tuple[str, ...], int] = {}
    for place, chunk in enumerate(chunks):
        if chunk.kind in PROSE:
            before[place] = latest.get(chunk.section, -1)
            latest[chunk.section] = place
    return before
