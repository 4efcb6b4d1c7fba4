"""Detects the language of a document's running text.

Takes 100 MB: called by the process that indexes, not by each of its readers.
"""

from collections.abc import Sequence
from dataclasses import replace

from cyberqa import languages
from cyberqa.documents.detector import NO_LANGUAGE, open_detector
from cyberqa.documents.reading import Reading
from cyberqa.types import PROSE, Block, BlockKind, Document

DETECTOR = "language/1"
"""Raised with any change of the rules in this module."""

_MAX_CHARS = 20_000
_PIECES = 20  # a report may begin with a summary in another language
_MIN_LETTERS = 60
_MIN_CONFIDENCE = 0.8
"""Short English of 70 letters can come at .5, and Bulgarian of 40 looks like Macedonian; from 150 letters on, right
answers were over .89 in all twelve languages tried."""


def with_language(document: Document, detected: str | None) -> Document:
    """Return the document with its language: the one that ``sources.toml`` gives, as a code, else the one detected."""
    given = document.metadata.language
    return replace(document, language=languages.code_of(given) if given else detected)


def detect_language(document: Document | Reading) -> str | None:
    """Return the ISO 639-1 code of a document's running text; None where there is too little of it, or too much doubt.

    The same text has the same language, always.
    """
    text = _sample(document.text, document.blocks)
    if sum(map(str.isalpha, text)) < _MIN_LETTERS:
        return None
    shares: dict[str, float] = {}
    best: dict[str, str] = {}
    for code, share in open_detector().rank(text):  # best first
        kind = "family" if code in languages.FAMILY else code
        best.setdefault(kind, code)
        shares[kind] = shares.get(kind, 0.0) + share
    kind = max(shares, key=lambda name: shares[name])
    return best[kind] if shares[kind] >= _MIN_CONFIDENCE and kind != NO_LANGUAGE else None


def _sample(text: str, blocks: Sequence[Block]) -> str:
    wanted = [b for b in blocks if b.kind in PROSE] or [b for b in blocks if b.kind is BlockKind.TABLE]
    running = "\n".join(text[block.span.start : block.span.end] for block in wanted)
    if len(running) <= _MAX_CHARS:
        return running
    size, step = _MAX_CHARS // _PIECES, len(running) // _PIECES
    return "\n".join(running[first : first + size] for first in range(0, step * _PIECES, step))
