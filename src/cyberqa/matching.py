"""What a chunk is matched by: more than is shown. None of it exceeds the encoder's window.

In front of a chunk stand the document's title and the trail of headings, and a table's caption and header row;
behind it the rest of a sentence that a page's end cut off.
"""

from collections.abc import Callable, Sequence

from cyberqa.types import Chunk, Document, Span

CountTokens = Callable[[str], int]  # not from `sentences`: a question comes through here, and needs no readers

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


def matched_text(document: Document, chunk: Chunk, trail: str) -> str:
    """Return the text that a chunk is embedded and counted by."""
    return trail + joined_text(document.text, chunk.span, chunk.continuation, chunk.context)


def joined_text(text: str, span: Span, continuation: Span | None, context: Sequence[Span] = ()) -> str:
    """Return a span's text with its context in front, where that is not part of it, and its continuation behind."""
    front = [text[c.start : c.end] + "\n" for c in context if not span.start <= c.start < span.end]
    behind = " " + text[continuation.start : continuation.end] if continuation else ""
    return "".join(front) + text[span.start : span.end] + behind


def sentence_texts(document: Document, chunk: Chunk, count_tokens: CountTokens, window_tokens: int) -> list[str]:
    """Return the text that each sentence of a chunk is matched by: a row of a table has caption and header with it."""
    last = chunk.sentences[-1]
    texts: list[str] = []
    for sentence in chunk.sentences:
        whole = joined_text(document.text, sentence, chunk.continuation if sentence is last else None, chunk.context)
        bare = document.text[sentence.start : sentence.end]
        texts.append(whole if whole == bare or count_tokens(whole) <= window_tokens else bare)
    return texts
