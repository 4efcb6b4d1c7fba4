"""A passage in, the sentences around it out: what stands next to it in running text, and nothing else."""

from collections.abc import Iterable, Iterator
from itertools import takewhile

import numpy as np

from cyberqa.index.generation import Generation
from cyberqa.types import BlockKind, Chunk, Document, Span


def sentences_around(generation: Generation, row: int, count: int) -> tuple[Span | None, Span | None]:
    """Return the spans of up to ``count`` sentences before and after a chunk, None where there is none.

    Each is contiguous, in the chunk's own section and on its page, and runs into no heading, footnote, table or
    contents. Between it and the chunk footnotes may stand, and the rest of the chunk's last sentence.
    """
    chunk = generation.contents.chunk(row)
    document = generation.contents.document(chunk.document)
    before = _collect(document, chunk, _sentences_before(generation, row), count)
    after = _collect(document, chunk, _sentences_after(generation, row), count)
    return before, after


def _sentences_before(generation: Generation, row: int) -> Iterator[Span]:
    while (previous := int(generation.rows["before"][row])) >= 0 and _only_notes_between(generation, previous, row):
        yield from reversed(generation.contents.chunk(previous).sentences)
        row = previous


def _sentences_after(generation: Generation, row: int) -> Iterator[Span]:
    while (following := _row_after(generation, row)) >= 0 and _only_notes_between(generation, row, following):
        yield from generation.contents.chunk(following).sentences
        row = following


def _row_after(generation: Generation, row: int) -> int:
    found = np.flatnonzero(generation.rows["before"][row + 1 :] == row)
    return row + 1 + int(found[0]) if len(found) else -1


def _only_notes_between(generation: Generation, first: int, last: int) -> bool:
    return all(generation.contents.chunk(row).kind is BlockKind.FOOTNOTE for row in range(first + 1, last))


def _collect(document: Document, chunk: Chunk, sentences: Iterable[Span], count: int) -> Span | None:
    """Return the span of the first sentences, as far as nothing but white space stands between them."""
    page = _page(document, chunk.span)
    found: list[Span] = []
    for sentence in takewhile(lambda span: _page(document, span) == page, sentences):
        if len(found) == count or (found and not _is_blank(document.text, found[-1], sentence)):
            break
        found.append(sentence)
    return Span(min(s.start for s in found), max(s.end for s in found)) if found else None


def _is_blank(text: str, one: Span, other: Span) -> bool:
    first, second = sorted((one, other))
    return not text[first.end : second.start].strip()


def _page(document: Document, span: Span) -> int | None:
    return next((page.number for page in document.pages if page.span.start <= span.start < page.span.end), None)
