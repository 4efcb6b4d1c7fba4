"""Text formats: .txt, .md, .rst and .csv. The canonical text is the file's bytes decoded, and nothing else."""

import codecs

from cyberqa.documents.reading import Reading
from cyberqa.documents.structure import MAX_HEADING_CHARS, Line, find_blocks, iter_lines
from cyberqa.errors import DocumentError
from cyberqa.types import Block, BlockKind, Span

READER = "text/1"
SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst", ".csv")

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
    if sum(ch < " " and ch not in "\t\n\r\f\x1b" for ch in text) > _MAX_CONTROL_SHARE * len(text):
        raise DocumentError(f"expected text, found binary data under the name {suffix}")
    match suffix:
        case ".md" | ".markdown":
            blocks = _markdown_blocks(text)
        case ".csv":
            blocks = _table_blocks(text)
        case _:
            blocks = find_blocks(text)
    return Reading(text, blocks, encoding=encoding)


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


def _markdown_blocks(text: str) -> list[Block]:
    """Blocks of a Markdown file, as CommonMark (with tables) sees them; a list of links to anchors is a contents."""
    from markdown_it import MarkdownIt

    lines = list(iter_lines(text))
    blocks: list[Block] = []
    unclaimed = 0
    for token in MarkdownIt("commonmark").enable("table").parse(text.removeprefix("\ufeff")):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        first, last = token.map
        # Lines that make no token (link definitions, say) are still somebody's words.
        blocks.extend(_lines_block(BlockKind.PARAGRAPH, lines[unclaimed:first]))
        kind = _MARKDOWN_KINDS.get(token.type, BlockKind.PARAGRAPH)
        if kind is BlockKind.HEADING and sum(len(line.text) for line in lines[first:last]) > MAX_HEADING_CHARS:
            kind = BlockKind.PARAGRAPH  # a heading is never quoted; a sentence of this length must be
        if kind is BlockKind.LIST and _links_to_anchors(lines[first:last]):
            kind = BlockKind.CONTENTS
        blocks.extend(
            _lines_block(kind, lines[first:last], level=int(token.tag[1]) if kind is BlockKind.HEADING else 0)
        )
        unclaimed = max(unclaimed, last)
    blocks.extend(_lines_block(BlockKind.PARAGRAPH, lines[unclaimed:]))
    return blocks


def _lines_block(kind: BlockKind, lines: list[Line], level: int = 0) -> list[Block]:
    visible = [line for line in lines if not line.is_blank]
    return [Block(kind, Span(visible[0].span.start, visible[-1].span.end), level)] if visible else []


def _links_to_anchors(lines: list[Line]) -> bool:
    visible = [line.text for line in lines if not line.is_blank]
    return len(visible) >= 3 and all("](#" in text for text in visible)
