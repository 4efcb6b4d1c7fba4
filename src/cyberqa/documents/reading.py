"""What every reader returns."""

from dataclasses import dataclass, field

from cyberqa.types import Block, Metadata, Page, Repair, Span


@dataclass(frozen=True, slots=True)
class Reading:
    """The canonical text of a file, divided; ``metadata`` is what the file says of itself.

    ``marks`` are the footnote numbers that only their raised type tells from other digits, in the order of the text.
    """

    text: str
    blocks: list[Block]
    pages: tuple[Page, ...] = ()
    has_lines: bool = True
    encoding: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[str, ...] = ()
    marks: tuple[Span, ...] = ()
