"""Parts of a word processor's or web page's text in, canonical text and its blocks out.

Formats that hold structure, not lines, meet here: a reader yields parts in the order of reading, and :func:`compose`
sets them one below the other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cyberqa.documents.structure import MAX_HEADING_CHARS
from cyberqa.types import Block, BlockKind, Repair, Span

_BETWEEN_BLOCKS = "\n\n"
_INVISIBLE = {
    "soft hyphen": re.compile("\xad"),  # says where a word may be parted, and keeps a search from finding it
    "control character": re.compile("[\x00-\x08\x0b-\x1f\x7f]"),
}

_SUPERSCRIPTS = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
_RAISED = re.compile(r"\s*[-−]?[0-9]+(?:[,; ]+[0-9]+)*\s*")

NO_TITLES = ("", "untitled", "untitled document", "document", "word document", "home")
"""What programs write into the title's field when nobody gave one (folded)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, heading, list item, table (a line a row), entry of contents or footnote."""

    kind: BlockKind
    text: str
    level: int = 0


def compose(parts: Iterable[Part]) -> tuple[str, list[Block], tuple[Repair, ...]]:
    """Return the canonical text, its blocks, and how often something that nobody sees was taken out.

    A blank line parts two blocks. Items of a list that follow each other are one block, a line each, and so are
    entries of contents. A heading too long for one becomes a paragraph: headings are never quoted. Parts with nothing
    to see are left out.
    """
    pieces: list[str] = []
    blocks: list[Block] = []
    removed = dict.fromkeys(_INVISIBLE, 0)
    position = 0
    for part in parts:
        text = _trimmed(part.kind, _visible(part.text, removed))
        if not text:
            continue
        kind, level = _kind_and_level(part, text)
        joins = bool(blocks) and kind is blocks[-1].kind and kind in (BlockKind.LIST, BlockKind.CONTENTS)
        separator = "" if not blocks else "\n" if joins else _BETWEEN_BLOCKS
        start = position + len(separator)
        position = start + len(text)
        pieces += (separator, text)
        if joins:
            blocks[-1] = Block(kind, Span(blocks[-1].span.start, position))
        else:
            blocks.append(Block(kind, Span(start, position), level))
    repairs = tuple(Repair(kind, None, count) for kind, count in removed.items() if count)
    return "".join(pieces), blocks, repairs


def _visible(text: str, removed: dict[str, int]) -> str:
    for kind, pattern in _INVISIBLE.items():
        text, count = pattern.subn("", text)
        removed[kind] += count
    return text


def _trimmed(kind: BlockKind, text: str) -> str:
    if not text.replace("\ufeff", "").strip():
        return ""
    return text.strip("\n").rstrip() if kind is BlockKind.TABLE else text.strip()  # a tab leads where a cell is empty


def _kind_and_level(part: Part, text: str) -> tuple[BlockKind, int]:
    is_long = part.kind is BlockKind.HEADING and len(text) > MAX_HEADING_CHARS
    return (BlockKind.PARAGRAPH, 0) if is_long else (part.kind, part.level)


def table_text(rows: Iterable[Iterable[str]]) -> str:
    """Return rows of cells as lines, tabs between the cells; rows without a word are left out."""
    lines = ("\t".join(" ".join(cell.split()) for cell in row).rstrip() for row in rows)
    return "\n".join(line for line in lines if line)


def superscript(text: str) -> str:
    """Return digits as superscript digits: ``12`` -> ``¹²``."""
    return text.translate(_SUPERSCRIPTS)


def raised(text: str) -> str:
    """Return text that is set raised: numbers (marks of footnotes, powers) as superscript digits, the rest as it is."""
    return superscript(text) if _RAISED.fullmatch(text) else text


def own_title(title: str | None) -> str | None:
    """Return the title that a file gives of itself on one line; None where a program made it up."""
    words = " ".join((title or "").split())
    return None if words.casefold() in NO_TITLES else words
