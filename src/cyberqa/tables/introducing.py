"""The sentence of the running text that belongs to a table: the one that names it, or that leads to it."""

import re

from cyberqa.documents.structure import TABLE_LABEL, is_caption
from cyberqa.sentences import split_sentences
from cyberqa.types import PROSE, Block, BlockKind, Document, Span

_POINTS = re.compile(r":\s*$|\b(?:table|tabel|tabl[ei]au|below|following)|\bтаб[ел]", re.IGNORECASE)
_BETWEEN = (BlockKind.FOOTNOTE, BlockKind.RUNNING)  # and the caption


class Introductions:
    """Where a document's running text names its tables, or leads to them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._named: dict[str, list[tuple[int, Block]]] = {}
        for block in document.blocks:
            if block.kind in PROSE and not is_caption(document.text, block):
                for named in TABLE_LABEL.finditer(document.text, block.span.start, block.span.end):
                    self._named.setdefault(named[1], []).append((named.start(), block))

    def sentence(self, place: int, caption: str) -> Span | None:
        """Return the sentence that names the table at ``place`` by its caption's number, the nearest of several.

        Where none does, the one before the table that points at it: ``… as the following table shows``, ``… below:``.
        """
        start = self._document.blocks[place].span.start
        label = TABLE_LABEL.search(caption)
        naming = self._named.get(label[1], ()) if label else ()
        if naming:
            position, block = min(naming, key=lambda found: abs(found[0] - start))
            return next((s for s in self._sentences(block) if s.start <= position < s.end), None)
        return self._leading(place)

    def _leading(self, place: int) -> Span | None:
        text, blocks = self._document.text, self._document.blocks
        before = place - 1
        while before >= 0 and (blocks[before].kind in _BETWEEN or is_caption(text, blocks[before])):
            before -= 1
        if before < 0 or blocks[before].kind not in PROSE:
            return None
        last = self._sentences(blocks[before])[-1]
        return last if _POINTS.search(text, last.start, last.end) else None

    def _sentences(self, block: Block) -> list[Span]:
        return split_sentences(self._document.text, block)
