"""What a table is matched by besides its rows as they stand: the same in words. None of it is ever shown.

A model that learned to read sentences makes little of ``n-CERT  +  -/+  +`` under ``ALB  BIH  CRO``. So each row is put
into words too, with the header of each cell, the caption in front, and abbreviations written out; and the sentence of
the running text that names a table, or leads to it, is matched with it.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cyberqa.matching import Matched, Statement, matched_statements
from cyberqa.names.given import Groups
from cyberqa.tables.introducing import Introductions
from cyberqa.tables.longforms import LongForms
from cyberqa.tables.rows import read_grid, table_of
from cyberqa.tables.saying import Said, say_rows
from cyberqa.types import Block, BlockKind, Chunk, CountTokens, Document, Span

_MOST_SIGN_VIEWS = 8  # of a chunk: a row of signs is found best alone, but each view is a pass through the model
_MOST_CAPTION_CHARS = 150  # in front of a row; legends stand behind that, and have been read


def views_of_tables(
    document: Document, chunks: Sequence[Chunk], trails: Sequence[str], groups: Groups, count: CountTokens, window: int
) -> list[tuple[Matched, ...]]:
    """Return what each chunk is also matched by: nothing where it is no table, or has no rows of cells.

    Args:
        document: the chunks' own.
        chunks: of which the tables get views.
        trails: what stands in front of each chunk.
        groups: names that the user gives.
        count: tokens of a text, as the encoder counts them, without its special ones.
        window: how many it takes, without these. No view exceeds it.
    """
    if not any(chunk.kind is BlockKind.TABLE for chunk in chunks):
        return [()] * len(chunks)
    viewer = _Viewer(document, groups, count, window)
    return [
        tuple(viewer.views(chunk, trail)) if chunk.kind is BlockKind.TABLE else ()
        for chunk, trail in zip(chunks, trails, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Table:
    """What all chunks of a table share."""

    block: Block
    caption: str
    introduction: str
    legend: Mapping[str, str]


class _Viewer:
    def __init__(self, document: Document, groups: Groups, count: CountTokens, window: int) -> None:
        self._document = document
        self._count = count
        self._window = window
        self._long_forms = LongForms(document, groups)
        self._introductions = Introductions(document)
        self._tables: dict[int, _Table] = {}

    def views(self, chunk: Chunk, trail: str) -> Iterator[Matched]:
        """Yield the sentence that leads to the table, then its rows in words: of signs few a view, else as fit in."""
        place = table_of(self._document.blocks, chunk)
        if place is None:
            return
        table = self._tables.get(place) or self._tables.setdefault(place, self._read(place, chunk))
        if table.introduction:
            yield from self._fitting(trail, [(None, table.introduction)])
        front = trail + (table.caption + "\n" if table.caption else "")
        said = self._said(chunk, table)
        signs = [[(row, words) for words in each.signs] for row, each in said if each.signs]
        few = math.ceil(len(signs) / _MOST_SIGN_VIEWS)
        for first in range(0, len(signs), few or 1):
            yield from self._fitting(front, [statement for row in signs[first : first + few] for statement in row])
        yield from self._fitting(front, [(row, each.values) for row, each in said if each.values])

    def _read(self, place: int, chunk: Chunk) -> _Table:
        block = self._document.blocks[place]
        outside = [span for span in chunk.context if not block.span.start <= span.start < block.span.end]
        caption = self._text(outside[0]) if outside else ""
        introduction = self._introductions.sentence(place, caption)
        return _Table(
            block,
            caption[:_MOST_CAPTION_CHARS].rstrip(),
            self._text(introduction) if introduction else "",
            self._long_forms.legend(block),
        )

    def _said(self, chunk: Chunk, table: _Table) -> list[tuple[int, Said]]:
        """Return what each row says, with the place of its first sentence in the chunk."""
        grid = read_grid(self._document, table.block, chunk.span)
        write_out = partial(self._long_forms.write_out, table=table.block, legend=table.legend)
        said = say_rows(grid, write_out, table.legend, is_english=self._document.language in ("en", None))
        starts = [sentence.start for sentence in chunk.sentences]
        return [(bisect_right(starts, row.start) - 1, each) for row, each in zip(grid.rows, said, strict=True)]

    def _fitting(self, front: str, statements: Sequence[Statement]) -> Iterator[Matched]:
        """Yield as many views as statements need; one that does not fit even alone is left out."""
        room = self._window - self._count(front)
        left = room
        held: list[Statement] = []
        for place, words in statements:
            tokens = self._count(words)
            if tokens > left and held:
                yield matched_statements(front, held)
                held, left = [], room
            if tokens <= left:
                held.append((place, words))
                left -= tokens
        if held:
            yield matched_statements(front, held)

    def _text(self, span: Span) -> str:
        return self._document.text[span.start : span.end]
