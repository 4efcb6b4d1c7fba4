"""A file in, a Document out: canonical text, pages and blocks, each with its span."""

import hashlib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from cyberqa.documents import formats
from cyberqa.documents.formats import READERS, TABLE_SUFFIXES, suffix_of
from cyberqa.documents.joining import link_footnotes
from cyberqa.documents.reading import Reading
from cyberqa.documents.sniffing import check_head
from cyberqa.documents.structure import MAX_TITLE_CHARS, NUMBERED, heading_text, iter_lines, looks_like_heading
from cyberqa.errors import DocumentError
from cyberqa.types import NEVER_QUOTED, BlockKind, Document, Metadata

_MOST_WARNINGS = 20


def reader_for(id_: str) -> str:
    """Return the name of the reader for a document id.

    Raises:
        DocumentError: no reader for files of this kind, or a name that cannot be written down.
    """
    suffix = suffix_of(id_)
    try:
        id_.encode("utf-8")
    except UnicodeEncodeError:
        raise DocumentError("its name is not UTF-8; rename it") from None
    if suffix not in READERS:
        raise DocumentError(f"files of type {suffix or 'no suffix'} are not read; expected one of {', '.join(READERS)}")
    return READERS[suffix]


def load_bytes(path: Path, max_file_mb: int) -> bytes:
    """Read a file.

    Raises:
        DocumentError: it cannot be opened, is empty, or is over the limit.
    """
    try:
        stat = path.stat()
        if not S_ISREG(stat.st_mode):
            raise DocumentError("it is no regular file")
        size = stat.st_size
        if size > max_file_mb * 1_000_000:
            raise DocumentError(f"it has {size / 1e6:.2f} MB, over the limit of {max_file_mb} MB (setting max_file_mb)")
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"it cannot be opened ({error.strerror})") from error
    if not data:
        raise DocumentError("it is empty (0 bytes)")
    return data


def read_bytes(id_: str, data: bytes) -> Reading:
    """Read the bytes of a file by the rules for its name.

    Raises:
        DocumentError: the reason why it cannot be read.
    """
    reader, suffix = reader_for(id_), suffix_of(id_)
    check_head(data, suffix)
    match reader:
        case formats.PDF:
            from cyberqa.documents.pdf import read_pdf

            return read_pdf(data)
        case formats.DOCX:
            from cyberqa.documents.docx import read_docx

            return read_docx(data)
        case formats.HTML:
            from cyberqa.documents.html import read_html

            return read_html(data)
        case _:
            from cyberqa.documents.text import read_text

            return read_text(data, suffix)


def read_document(
    id_: str,
    data: bytes,
    metadata: Metadata | None = None,
    *,
    read: Callable[[str, bytes], Reading] = read_bytes,
) -> Document:
    """Turn the bytes of a file into a Document.

    What ``metadata`` (of ``sources.toml``) does not say, the file may say of itself. Where neither gives a title it is
    the first heading or line, else the file's name. ``read`` may do its work in another process.

    Raises:
        DocumentError: the reason why it cannot be read, or why there would be nothing to quote.
    """
    reader_for(id_)
    return make_document(id_, hashlib.sha256(data).hexdigest(), read(id_, data), metadata)


def make_document(id_: str, sha256: str, reading: Reading, metadata: Metadata | None = None) -> Document:
    """Turn what was read of a file, whose bytes have this digest, into a Document; see :func:`read_document`.

    Raises:
        DocumentError: there would be nothing to quote.
    """
    metadata = _merged(metadata or Metadata(), reading.metadata)
    if all(block.kind in NEVER_QUOTED for block in reading.blocks):
        raise DocumentError("it holds no running text, only headings or nothing at all")
    doubts = [] if reading.encoding in (None, "utf-8") else [f"read as {reading.encoding}, not UTF-8"]
    return Document(
        id=id_,
        title=metadata.title or _title(reading, id_),
        text=reading.text,
        sha256=sha256,
        text_sha256=hashlib.sha256(reading.text.encode("utf-8")).hexdigest(),
        reader=reader_for(id_),
        blocks=tuple(reading.blocks),
        footnotes=link_footnotes(reading.text, reading.blocks, reading.marks),
        pages=reading.pages,
        has_lines=reading.has_lines,
        encoding=reading.encoding,
        language=metadata.language,
        metadata=metadata,
        repairs=reading.repairs,
        warnings=_few((*reading.warnings, *doubts)),
    )


def _merged(given: Metadata, own: Metadata) -> Metadata:
    """Return what ``sources.toml`` says, and where it is silent what the file says of itself, in moderation."""
    own = replace(own, title=_short(own.title), publisher=_short(own.publisher))
    return Metadata(**{item.name: getattr(given, item.name) or getattr(own, item.name) for item in fields(Metadata)})


def _short(words: str | None) -> str | None:
    """Return what a file says of itself, cut where it is too long to stand in a citation."""
    return words if words is None or len(words) <= MAX_TITLE_CHARS else words[: MAX_TITLE_CHARS - 1].rstrip() + "…"


def _few(warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first warnings, and how many there are besides: each of a thousand pages may be damaged."""
    more = len(warnings) - _MOST_WARNINGS
    return warnings if more <= 0 else (*warnings[:_MOST_WARNINGS], f"and {more} more warnings")


def _title(reading: Reading, id_: str) -> str:
    first_heading = next((heading_text(reading.text, b) for b in reading.blocks if b.kind is BlockKind.HEADING), "")
    first_line = next((line.text for line in iter_lines(reading.text) if not line.is_blank), "")
    is_section = NUMBERED.match(first_heading) and looks_like_heading(first_line)  # and the title stands before it
    found = first_line if is_section or not first_heading else first_heading
    is_title = 0 < len(found) <= MAX_TITLE_CHARS and not id_.lower().endswith(TABLE_SUFFIXES)
    return found if is_title else PurePosixPath(id_).stem
