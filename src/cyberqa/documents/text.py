"""Text formats: .txt, .md, .rst, .csv and .tsv. The canonical text is the file's bytes decoded, and nothing else."""

import codecs
import re
from itertools import pairwise

from cyberqa.documents.joining import MARKDOWN_FOOTNOTE
from cyberqa.documents.reading import Reading
from cyberqa.documents.structure import MAX_HEADING_CHARS, Line, find_blocks, iter_lines
from cyberqa.errors import DocumentError
from cyberqa.types import Block, BlockKind, Metadata, Span

_BYTE_ORDER_MARKS = (  # the longer first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LIKELY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r"]
"""What text of Europe that is not UTF-8 is written in. Others are tried only where none of these fits: on a few lines
the detector prefers HP's code page of 1982."""
_MAX_CONTROL_SHARE = 0.05  # more than this is no text: a program, an archive, a database


def read_text(data: bytes, suffix: str) -> Reading:
    """Decode and divide a text file.

    Raises:
        DocumentError: not text, or in no encoding that can be told.
    """
    text, encoding = decode(data)
    metadata = Metadata()
    if sum(ch < " " and ch not in "\t\n\r\f\x1b" for ch in text) > _MAX_CONTROL_SHARE * len(text):
        raise DocumentError(f"expected text, found binary data under the name {suffix}")
    match suffix:
        case ".md" | ".markdown":
            blocks, metadata = _markdown_blocks(text)
        case ".csv" | ".tsv":
            blocks = _table_blocks(text)
        case _:
            blocks = find_blocks(text)
    return Reading(text, blocks, encoding=encoding, metadata=metadata)


def decode(data: bytes) -> tuple[str, str]:
    """Return the text and the name of its encoding: by byte-order mark, else UTF-8, else detected.

    A byte-order mark stays in the text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_strictly(data, encoding), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _detect(data)


def _decode_strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentError(f"its byte-order mark says {encoding}, but byte {error.start} is not") from error


def _detect(data: bytes) -> tuple[str, str]:
    from charset_normalizer import from_bytes  # 25 ms, for the rare file that is not UTF-8

    matches = from_bytes(data, cp_isolation=_LIKELY)
    best = matches.best() or from_bytes(data).best()
    if best is None:
        raise DocumentError("expected text, found bytes in no encoding that could be recognised")
    encoding = best.encoding
    # charset-normalizer tries cp1250 first and keeps it where cp1252 fits just as well: "à" becomes "ŕ".
    tied = [match.encoding for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    if encoding == "cp1250" and ("cp1252" in tied or not best.coherence):
        encoding = "cp1252"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:  # five bytes mean nothing in cp1252
        return data.decode(best.encoding), best.encoding


def _table_blocks(text: str) -> list[Block]:
    lines = [line for line in iter_lines(text) if not line.is_blank]
    return [Block(BlockKind.TABLE, Span(lines[0].span.start, lines[-1].span.end))] if lines else []


_MARKDOWN_KINDS = {
    "heading_open": BlockKind.HEADING,
    "bullet_list_open": BlockKind.LIST,
    "ordered_list_open": BlockKind.LIST,
    "table_open": BlockKind.TABLE,
}


def _markdown_blocks(text: str) -> tuple[list[Block], Metadata]:
    """Blocks of a Markdown file, as CommonMark (with tables) sees them, and what its front matter says.

    A list of links to anchors is a contents; front matter, like a running header, is never quoted.
    """
    from markdown_it import MarkdownIt

    lines = list(iter_lines(text))
    unclaimed = front = _front_matter_end(text, lines)
    blocks = _lines_block(BlockKind.RUNNING, lines[:unclaimed])
    source = text.removeprefix("\ufeff")
    if unclaimed:  # its rules would be read as headings; as many empty lines keep the count
        source = "\n" * (unclaimed - 1) + text[lines[unclaimed - 1].span.end :]
    for token in MarkdownIt("commonmark").enable("table").parse(source):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        first, last = token.map
        # Lines that make no token (link definitions, say) are still somebody's words.
        blocks.extend(_prose_blocks(lines[unclaimed:first]))
        unclaimed = max(unclaimed, last)
        kind = _MARKDOWN_KINDS.get(token.type, BlockKind.PARAGRAPH)
        if kind is BlockKind.PARAGRAPH and token.type == "paragraph_open":
            blocks.extend(_prose_blocks(lines[first:last]))
            continue
        if kind is BlockKind.HEADING and sum(len(line.text) for line in lines[first:last]) > MAX_HEADING_CHARS:
            kind = BlockKind.PARAGRAPH  # a heading is never quoted; a sentence of this length must be
        if kind is BlockKind.LIST and _links_to_anchors(lines[first:last]):
            kind = BlockKind.CONTENTS
        if token.type == "code_block" and blocks and blocks[-1].kind is BlockKind.FOOTNOTE:
            kind = BlockKind.FOOTNOTE  # indented below a note: its next paragraph
        blocks.extend(
            _lines_block(kind, lines[first:last], level=int(token.tag[1]) if kind is BlockKind.HEADING else 0)
        )
    blocks.extend(_prose_blocks(lines[unclaimed:]))
    return blocks, _front_matter(lines[:front])


def _prose_blocks(lines: list[Line]) -> list[Block]:
    """Divide lines where a footnote is defined (``[^1]: ...``)."""
    starts = [0, *(i for i, line in enumerate(lines) if i and MARKDOWN_FOOTNOTE.match(line.text)), len(lines)]
    blocks: list[Block] = []
    for first, last in pairwise(starts):
        is_note = bool(lines[first:last]) and bool(MARKDOWN_FOOTNOTE.match(lines[first].text))
        blocks += _lines_block(BlockKind.FOOTNOTE if is_note else BlockKind.PARAGRAPH, lines[first:last])
    return blocks


# --- YAML front matter ---------------------------------------------------------------------------------------

_MAX_FRONT_LINES = 100
_FRONT_LINE = re.compile(r"[\w-]+\s*:(?:\s|$)|#|- |$")
_FRONT_VALUE = re.compile(r"([\w-]+)\s*:\s+(\S.*)")


def _front_matter_end(text: str, lines: list[Line]) -> int:
    """Return how many lines of front matter a file begins with: ``---``, keys and values, ``---``."""
    if not lines or lines[0].text != "---":
        return 0
    for number, line in enumerate(lines[1:_MAX_FRONT_LINES], 1):
        if line.text in ("---", "..."):
            return number + 1 if number > 1 else 0
        is_indented = text[line.span.start - 1] in " \t"  # a list's item, or text that goes on
        if not (_FRONT_VALUE.match(line.text) if number == 1 else is_indented or _FRONT_LINE.match(line.text)):
            return 0
    return 0


def _front_matter(lines: list[Line]) -> Metadata:
    """Return what simple keys say; YAML's finer points (lists, folded text) mean nothing here."""
    found = {match[1].lower(): match[2].strip("\"'") for line in lines if (match := _FRONT_VALUE.match(line.text))}
    year = re.match(r"\d{4}(?!\d)", found.get("year", "") or found.get("date", ""))
    language = re.match(r"[a-z]{2}(?=[-_]|$)", (found.get("language", "") or found.get("lang", "")).lower())
    return Metadata(
        title=found.get("title"),
        publisher=found.get("publisher"),
        year=int(year.group()) if year else None,
        language=language.group() if language else None,
    )


def _lines_block(kind: BlockKind, lines: list[Line], level: int = 0) -> list[Block]:
    visible = [line for line in lines if not line.is_blank]
    return [Block(kind, Span(visible[0].span.start, visible[-1].span.end), level)] if visible else []


def _links_to_anchors(lines: list[Line]) -> bool:
    visible = [line.text for line in lines if not line.is_blank]
    return len(visible) >= 3 and all("](#" in text for text in visible)
