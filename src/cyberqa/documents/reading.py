"""What every reader returns."""

from dataclasses import dataclass

from cyberqa.types import Block, Page, Repair, Span


@dataclass(frozen=True, slots=True)
class Reading:
    """The canonical text of a file, divided; ``title`` is what the file says it is.

    ``marks`` are the footnote numbers that only their raised type tells from other digits, in the order of the text.
    """

    text: str
    blocks: list[Block]
    pages: tuple[Page, ...] = ()
    has_lines: bool = True
    title: str | None = None
    encoding: str | None = None
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[str, ...] = ()
    marks: tuple[Span, ...] = ()
