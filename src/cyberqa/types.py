"""The nouns that flow from room to room: frozen, slotted, and without behaviour beyond their own fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""``(dim,)`` float32, unit length."""

Matrix = NDArray[np.float32]
"""``(n, dim)`` float32, rows unit length."""

Mask = NDArray[np.bool_]
"""``(chunks,)`` bool."""

CountTokens = Callable[[str], int]
"""What tells how many tokens a text has, without special ones."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open range ``[start, end)`` in Unicode code points of a document's canonical text."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


class BlockKind(StrEnum):
    """What a stretch of a document is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    FOOTNOTE = "footnote"
    CONTENTS = "contents"
    RUNNING = "running"
    """A running header or footer: what repeats from page to page."""


PROSE = (BlockKind.PARAGRAPH, BlockKind.LIST)
"""Running text: what a sentence may go on in, and what leads to a table."""
NEVER_QUOTED = (BlockKind.HEADING, BlockKind.CONTENTS, BlockKind.RUNNING)
"""What is no passage's text."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one kind. ``level`` is a heading's depth from 1; 0 is the title of the whole document."""

    kind: BlockKind
    span: Span
    level: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a paginated document: its number from 1 and the label printed on it, where known."""

    number: int
    label: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Repair:
    """How often one kind of damage was mended while a page was read; ``page`` is None in formats without pages."""

    kind: str
    page: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Footnote:
    """A footnote: its label, its span, and the position of the mark that refers to it, where one was found."""

    label: str
    span: Span
    reference: int | None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What ``sources.toml``, or the file itself, says of a document."""

    title: str | None = None
    publisher: str | None = None
    year: int | None = None
    language: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One source report, read.

    ``text`` is the canonical text, the only text that is ever quoted. ``has_lines`` says whether line numbers
    mean something to the reader of the file (they do not in a PDF). ``blocks`` are in order and do not overlap.
    ``language`` is an ISO 639-1 code: what ``sources.toml`` says, else what was detected.
    """

    id: str
    title: str
    text: str
    sha256: str
    text_sha256: str
    reader: str
    blocks: tuple[Block, ...]
    footnotes: tuple[Footnote, ...] = ()
    pages: tuple[Page, ...] = ()
    has_lines: bool = True
    encoding: str | None = None
    language: str | None = None
    metadata: Metadata = Metadata()
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is embedded and what is shown: one contiguous span with the headings above it.

    ``sentences`` lie inside ``span``, in order; the first starts where it starts, the last ends where it ends.
    ``continuation`` is the rest of the last sentence, where a page's end or footnotes cut it off. ``context`` is what
    is matched with the chunk but stands elsewhere: a table's caption and header row.
    """

    document: str
    kind: BlockKind
    span: Span
    section: tuple[str, ...]
    sentences: tuple[Span, ...]
    continuation: Span | None = None
    context: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question. ``rank`` counts from 1; a higher ``score`` is better.

    The score is the sum of its ``signals``.
    """

    row: int
    rank: int
    score: float
    signals: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Location:
    """Where a span lies. Pages and lines count from 1 and are inclusive; null where the format has none."""

    start: int
    end: int
    page: int | None = None
    page_label: str | None = None
    line_start: int | None = None
    line_end: int | None = None


@dataclass(frozen=True, slots=True)
class Repeat(Location):
    """Where another passage stands, in this document or another, that says the same."""

    document: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Verbatim text and where it stands: ``text == canonical[location.start:location.end]``."""

    text: str
    location: Location


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The sentences before and after a passage, None where a page, a heading or the like stands there."""

    before: Excerpt | None
    after: Excerpt | None


@dataclass(frozen=True, slots=True)
class Note:
    """A footnote that belongs to a passage."""

    label: str
    text: str
    location: Location


@dataclass(frozen=True, slots=True)
class Citation:
    """Which document, and which edition of it, a passage is quoted from."""

    document: str
    title: str
    publisher: str | None
    year: int | None
    language: str | None
    section: tuple[str, ...]
    sha256: str
    text_sha256: str
    reader: str


@dataclass(frozen=True, slots=True)
class Passage:
    """What a person is shown: one contiguous span, its answering sentence, and its citation.

    ``context`` is None where none was asked for. The score is the sum of its ``signals``.
    """

    rank: int
    score: float
    confidence: float | None
    text: str
    location: Location
    highlight: Excerpt
    continuation: Excerpt | None
    citation: Citation
    notes: tuple[Note, ...] = ()
    also_in: tuple[Repeat, ...] = ()
    context: Surroundings | None = None
    signals: Mapping[str, float] = field(default_factory=dict[str, float])


class Verdict(StrEnum):
    """Whether the corpus answers the question."""

    ANSWERED = "answered"
    NOT_IN_CORPUS = "not_in_corpus"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """The index an answer came from. ``stale`` is None where it cannot be told: no corpus, or no record of it."""

    generation: str
    model: str
    documents: int
    chunks: int
    stale: bool | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The passages that answer a question, best first, and whether they do.

    ``reason`` says in words what was found nowhere near, where the verdict is NOT_IN_CORPUS. ``question_forms`` are the
    ways it was put to the index: as asked first, then as it was rewritten.
    """

    question: str
    verdict: Verdict
    confidence: float | None
    threshold: float | None
    calibration: str | None
    missing: tuple[str, ...]
    passages: tuple[Passage, ...]
    index: IndexInfo
    reason: str = ""
    question_forms: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict[str, float])


JSON = dict[str, Any]
"""A JSON object, as the standard library reads and writes it."""
