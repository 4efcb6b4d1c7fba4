"""What every reader returns."""

from dataclasses import dataclass

from cyberqa.types import Block, Page, Repair


@dataclass(frozen=True, slots=True)
class Reading:
    """The canonical text of a file, divided; ``title`` is what the file's own metadata says."""

    text: str
    blocks: list[Block]
    pages: tuple[Page, ...] = ()
    has_lines: bool = True
    title: str | None = None
    encoding: str | None = None
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[str, ...] = ()
