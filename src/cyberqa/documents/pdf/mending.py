"""The repairs of :mod:`cyberqa.documents.repairs`, applied to the lines of pages and counted per page."""

from collections.abc import Sequence

from cyberqa.documents import repairs
from cyberqa.documents.pdf.layout import paragraphs
from cyberqa.documents.pdf.lines import PageText
from cyberqa.documents.repairs import WitnessedWords
from cyberqa.types import BlockKind, Repair

_CHARACTERS = (
    (repairs.LIGATURE, repairs.mend_ligatures),
    (repairs.SOFT_HYPHEN, repairs.mend_soft_hyphens),
    (repairs.CONTROL, repairs.mend_controls),
)


def mend_characters(pages: Sequence[PageText]) -> None:
    """Mend what can be told from the character alone: ligatures, soft hyphens, control characters."""
    for page in pages:
        if not repairs.MENDABLE.search(page.text):
            continue
        for line in page.lines:
            for kind, mend in _CHARACTERS:
                line.text, count = mend(line.text)
                page.fixed[kind] += count
        page.lines = [line for line in page.lines if line.text.strip()]


def mend_words(pages: Sequence[PageText]) -> None:
    """Mend what takes a document's vocabulary to tell, inside paragraphs: lost and doubled spaces, hyphenation."""
    vocabulary = WitnessedWords([[line.plain for line in page.lines] for page in pages])
    for page in pages:
        for line in page.lines:
            if line.kind is not BlockKind.TABLE:
                line.text, doubled = repairs.mend_double_spaces(line.text)
                line.text, missing = repairs.mend_missing_spaces(line.text, vocabulary)
                page.fixed[repairs.DOUBLE_SPACE] += doubled
                page.fixed[repairs.MISSING_SPACE] += missing
        _join_lines(page, vocabulary)


def _join_lines(page: PageText, vocabulary: WitnessedWords) -> None:
    for group in paragraphs(page):
        if group[0].kind in (BlockKind.TABLE, BlockKind.CONTENTS):
            continue
        upper = group[0]
        for lower in group[1:]:
            joined = repairs.join_hyphenated(upper.text.rstrip(), lower.text, vocabulary)
            if joined:
                upper.text, lower.text = joined
                page.fixed[repairs.HYPHENATION] += 1
            if lower.text.strip():
                upper = lower
    page.lines = [line for line in page.lines if line.text.strip()]


def counted(pages: Sequence[PageText]) -> tuple[Repair, ...]:
    """Return what was mended, page by page."""
    return tuple(
        Repair(kind, number, page.fixed[kind])
        for number, page in enumerate(pages, 1)
        for kind in sorted(page.fixed)
        if page.fixed[kind]
    )
