"""What every reader returns."""

from dataclasses import dataclass

from cyberqa.types import Block, Page, Repair, Span


@dataclass(frozen=True, slots=True)
class Reading:
    """The canonical text of a file, divided; ``title`` is what the file's own metadata says.

    ``marks`` are references to footnotes that look like plain digits, where the reader knows them for what they are.
    """

    text: str
    blocks: list[Block]
    pages: tuple[Page, ...] = ()
    marks: tuple[Span, ...] = ()
    has_lines: bool = True
    title: str | None = None
    encoding: str | None = None
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[str, ...] = ()
