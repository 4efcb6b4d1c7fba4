"""DOCX: python-docx opens the package; its body is read here in document order, as a person reads it.

Out are what was deleted or hidden, comments, and the headers and footers of pages. Footnotes and endnotes follow the
paragraph, list or table that refers to them.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyberqa.documents.composing import Part, compose, own_title, raised, superscript, table_text
from cyberqa.documents.numbering import Numbering, W, value
from cyberqa.documents.reading import Reading
from cyberqa.errors import DocumentError
from cyberqa.types import BlockKind, Metadata

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from lxml.etree import _Element


_MAX_UNPACKED_BYTES = 500_000_000  # pictures count, too, but cost no more than their bytes
_MAX_XML_BYTES = 60_000_000  # parsed, XML takes some ten times its size; a report of 1,000 pages has 15 MB

_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_WRAPPERS = {f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag")}
_UNSEEN = {
    f"{W}{name}"
    for name in ("del", "moveFrom", "pPr", "rPr", "sdtPr", "tblPr", "tcPr", "trPr", "footnoteRef", "endnoteRef", "rt")
}
_WRITTEN = {
    f"{W}tab": "\t",
    f"{W}ptab": "\t",
    f"{W}br": "\n",
    f"{W}cr": "\n",
    f"{W}noBreakHyphen": "\u2011",
    f"{W}softHyphen": "\xad",
}

_HEADING_STYLE = re.compile(r"heading ([1-9])")
_CONTENTS_STYLE = re.compile(r"toc (?:[1-9]|heading)|table of (?:figures|authorities)|contents heading")
_LIST_STYLE = re.compile(r"list (?:bullet|number)")


def read_docx(data: bytes) -> Reading:
    """Extract the text of a Word document.

    Raises:
        DocumentError: no Word document, damaged, or one that would unpack to more than is reasonable.
    """
    _check_size(data)
    document = _open(data)
    content = _content(document)
    body = _Body(document)
    text, blocks, repairs = compose(body.parts(content))
    warnings = ("it embeds other files, whose text is not read",) if body.embeds_files else ()
    title, language = _metadata(document)
    metadata = Metadata(title=title or body.title, language=language)
    return Reading(text, blocks, has_lines=False, metadata=metadata, repairs=repairs, warnings=warnings)


def _check_size(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            files = package.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DocumentError(f"the Word document is damaged: it is no whole ZIP archive ({error})") from error
    if any(file.flag_bits & 1 for file in files):
        raise DocumentError("it is encrypted with a password; save a copy without one")
    unpacked = sum(file.file_size for file in files)
    xml = sum(file.file_size for file in files if file.filename.endswith((".xml", ".rels")))
    for size, limit in ((unpacked, _MAX_UNPACKED_BYTES), (xml, _MAX_XML_BYTES)):
        if size > limit:
            what = "XML" if limit == _MAX_XML_BYTES else "it"
            raise DocumentError(f"{what} would unpack to {size / 1e6:.0f} MB, over the limit of {limit / 1e6:.0f} MB")


def _open(data: bytes) -> "WordDocument":
    import docx

    try:
        return docx.Document(io.BytesIO(data))
    except ValueError as error:
        if "macroEnabled" in str(error):
            raise DocumentError("it is a document with macros under the name .docx; save it as .docx") from error
        raise DocumentError(f"expected a Word document, found something else ({_type_in(error)})") from error
    except Exception as error:  # damage comes up as KeyError, XMLSyntaxError, zlib.error and more
        if _is_strict(data):
            raise DocumentError("it is saved as 'Strict Open XML'; save it as a Word document (.docx)") from error
        raise DocumentError(f"the Word document is damaged and cannot be opened ({error})") from error


def _content(document: "WordDocument") -> "_Element":
    """Return the body; python-docx opens any XML as a document, and asks what it is only when it is used."""
    body = document.element.find(f"{W}body") if document.element.tag == f"{W}document" else None
    if body is None:
        raise DocumentError("the Word document is damaged: its main part is no document with a body")
    return body


def _type_in(error: ValueError) -> str:
    return str(error).rpartition("content type is ")[2].strip("'") or str(error)


def _is_strict(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return b"purl.oclc.org/ooxml" in package.read("_rels/.rels")
    except Exception:
        return False


def _metadata(document: "WordDocument") -> tuple[str | None, str | None]:
    """Return title and language from the core properties; dates there say when a file was saved, not published."""
    try:
        properties = document.core_properties
        language = re.match(r"[a-z]{2}(?=[-_]|$)", properties.language.lower())
        return own_title(properties.title), language.group() if language else None
    except Exception:  # the text was read: a broken title must not cost it
        return None, None


# --- styles --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Style:
    """What a paragraph style says of a paragraph; ``level`` is a heading's, 0 the title's."""

    kind: BlockKind = BlockKind.PARAGRAPH
    level: int = 0
    list_id: str | None = None
    depth: int | None = None


def _styles(document: "WordDocument") -> tuple[dict[str, _Style], str]:
    """Return the paragraph styles by id, each with what it inherits, and the id of the default one."""
    found: dict[str, _Element] = {
        style.get(f"{W}styleId", ""): style
        for style in document.styles.element.findall(f"{W}style")
        if style.get(f"{W}type") == "paragraph"
    }
    default = next((id_ for id_, style in found.items() if style.get(f"{W}default") in ("1", "true", "on")), "")
    return {id_: _style(id_, found) for id_ in found}, default


def _style(id_: str, found: "dict[str, _Element]") -> _Style:
    kind, level, list_id, depth = None, 0, None, None
    seen: set[str] = set()
    current: str | None = id_
    while current in found and current not in seen:
        seen.add(current)
        style = found[current]
        name = (value(style, "name") or "").casefold()
        properties = style.find(f"{W}pPr")
        if kind is None:
            kind, level = _kind(name, properties)
        if properties is not None and list_id is None and (numbered := properties.find(f"{W}numPr")) is not None:
            list_id = value(numbered, "numId")
            depth = _depth(numbered) if numbered.find(f"{W}ilvl") is not None else None
        current = value(style, "basedOn")
    return _Style(kind or BlockKind.PARAGRAPH, level, list_id, depth)


def _kind(name: str, properties: "_Element | None") -> tuple[BlockKind | None, int]:
    if heading := _HEADING_STYLE.fullmatch(name):
        return BlockKind.HEADING, int(heading[1])
    if name == "title":
        return BlockKind.HEADING, 0
    if _CONTENTS_STYLE.match(name):
        return BlockKind.CONTENTS, 0
    if _LIST_STYLE.match(name):
        return BlockKind.LIST, 0
    level = _outline_level(properties)  # what tells a heading where styles have names of their own
    return (BlockKind.HEADING, level) if level else (None, 0)


def _outline_level(properties: "_Element | None") -> int | None:
    """Return the level from 1, 0 for body text, None where nothing is said."""
    written = None if properties is None else value(properties, "outlineLvl")
    if written is None:
        return None
    return int(written) + 1 if written in tuple("012345678") else 0


def _depth(numbered: "_Element") -> int:
    written = value(numbered, "ilvl") or "0"
    return int(written) if written in tuple("012345678") else 0


# --- the body ------------------------------------------------------------------------------------------------


class _Body:
    """One pass over the body, counting lists, footnotes and fields as it goes."""

    def __init__(self, document: "WordDocument") -> None:
        self.title: str | None = None
        self.embeds_files = False
        self._styles, self._default_style = _styles(document)
        self._numbering = Numbering(_related(document, "numbering"))
        self._notes = {
            kind: {note.get(f"{W}id"): note for note in _children(_related(document, f"{kind}s"), kind)}
            for kind in ("footnote", "endnote")
        }
        self._note_count = 0
        self._new_notes: list[Part] = []
        self._boxes: list[_Element] = []
        self._fields: list[str] = []

    def parts(self, container: "_Element") -> Iterator[Part]:
        """Yield the text in document order, each note behind the paragraph, list or table that refers to it."""
        notes: list[Part] = []
        for part, new_notes in self._blocks(container):
            if part.kind is not BlockKind.LIST:
                yield from notes
                notes = []
            yield part
            notes += new_notes
            if part.kind is not BlockKind.LIST:  # a list is not taken apart for a note
                yield from notes
                notes = []
        yield from notes

    def _blocks(self, container: "_Element", in_contents: bool = False) -> Iterator[tuple[Part, list[Part]]]:
        for child in container:
            if child.tag == f"{W}p":
                part = self._paragraph(child, in_contents)
            elif child.tag == f"{W}tbl":
                if (only_cell := _only_cell(child)) is not None:  # a frame around text, no table
                    yield from self._blocks(only_cell, in_contents)
                    continue
                part = Part(BlockKind.TABLE, table_text(self._rows(child)))
            elif child.tag in _WRAPPERS:
                yield from self._blocks(child, in_contents or _is_contents(child))
                continue
            else:
                if child.tag == _ALTERNATIVES and len(child):
                    yield from self._blocks(child[0], in_contents)
                self.embeds_files |= child.tag == f"{W}altChunk"
                continue
            notes, self._new_notes = self._new_notes, []
            boxes, self._boxes = self._boxes, []
            if part.text.strip() or notes:
                yield part, notes
            for box in boxes:
                yield from self._blocks(box)

    def _paragraph(self, paragraph: "_Element", in_contents: bool) -> Part:
        in_contents |= any(map(_is_contents_field, self._fields))
        text = self._text(paragraph)
        in_contents |= any(map(_is_contents_field, self._fields))
        properties = paragraph.find(f"{W}pPr")
        style_id = (value(properties, "pStyle") if properties is not None else None) or self._default_style
        style = self._styles.get(style_id, _Style())
        marker, is_numbered = self._marker(properties, style_id, style) if text.strip() else (None, False)
        kind, level = style.kind, style.level
        if in_contents:
            kind = BlockKind.CONTENTS
        elif own_level := _outline_level(properties):
            kind, level = BlockKind.HEADING, own_level
        elif is_numbered and kind is BlockKind.PARAGRAPH:
            kind = BlockKind.LIST
        if kind is BlockKind.HEADING and not level and text.strip():
            level = 0 if self.title is None else 1
            self.title = self.title or " ".join(text.split())
        return Part(kind, f"{marker} {text.strip()}" if marker else text, level)

    def _marker(self, properties: "_Element | None", style_id: str, style: _Style) -> tuple[str | None, bool]:
        """Return the number or bullet in front of a paragraph, and whether it is in a list at all."""
        numbered = None if properties is None else properties.find(f"{W}numPr")
        list_id = value(numbered, "numId") if numbered is not None else None
        list_id = list_id or style.list_id
        if list_id in (None, "", "0"):  # 0 takes a paragraph out of its style's list
            return None, False
        if numbered is not None and numbered.find(f"{W}ilvl") is not None:
            depth = _depth(numbered)
        else:
            depth = self._numbering.depth_of(list_id, style_id) if style.depth is None else style.depth
        return self._numbering.count(list_id, depth), True

    # --- tables

    def _rows(self, table: "_Element") -> Iterator[list[str]]:
        for row in _within(table, "tr"):
            marks = row.find(f"{W}trPr")
            if marks is not None and marks.find(f"{W}del") is not None:
                continue
            cells = [""] * (_count(marks, "gridBefore") if marks is not None else 0)
            for cell in _within(row, "tc"):
                properties = cell.find(f"{W}tcPr")
                merged = None if properties is None else value(properties, "vMerge")
                # A merged cell's text stands once, at its first place; the others stay empty, so that columns hold.
                cells.append("" if merged in ("", "continue") else self._cell(cell))
                cells += [""] * (_count(properties, "gridSpan") - 1 if properties is not None else 0)
            yield cells

    def _cell(self, cell: "_Element") -> str:
        words: list[str] = []
        for child in _within(cell, "p", "tbl"):
            if child.tag == f"{W}p":
                words.append(self._paragraph(child, in_contents=False).text)
            else:
                words.extend(text for row in self._rows(child) for text in row)
        return " ".join(word for word in words if word.strip())

    # --- what stands inside a paragraph

    def _text(self, element: "_Element") -> str:
        return "".join(map(self._inline, element))

    def _inline(self, element: "_Element") -> str:
        tag = element.tag
        if tag == f"{W}t" or tag == _MATH_TEXT:
            return element.text or ""
        if tag in _WRITTEN:
            return _WRITTEN[tag]
        if tag in _UNSEEN or not isinstance(tag, str):  # entities are never resolved, and comments have no tag
            return ""
        match tag.removeprefix(W):
            case "r":
                return self._run(element)
            case "footnoteReference" | "endnoteReference" as reference:
                return self._reference(element, reference.removesuffix("Reference"))
            case "sym":
                return _symbol(element)
            case "fldChar":
                self._field(element.get(f"{W}fldCharType"))
            case "instrText" if self._fields:
                self._fields[-1] += element.text or ""
            case "txbxContent":
                self._boxes.append(element)
            case _ if tag == _ALTERNATIVES:
                return self._inline(element[0]) if len(element) else ""  # the others say the same for older programs
            case _:
                return self._text(element)
        return ""

    def _run(self, run: "_Element") -> str:
        properties = run.find(f"{W}rPr")
        if properties is None:
            return self._text(run)
        if properties.find(f"{W}vanish") is not None and value(properties, "vanish") not in ("0", "false", "off"):
            return ""
        text = self._text(run)
        return raised(text) if value(properties, "vertAlign") == "superscript" else text

    def _field(self, change: str | None) -> None:
        if change == "begin":
            self._fields.append("")
        elif change == "end" and self._fields:
            self._fields.pop()

    def _reference(self, reference: "_Element", kind: str) -> str:
        note = self._notes[kind].pop(reference.get(f"{W}id"), None)
        if note is None:
            return ""
        mark = ""
        if reference.get(f"{W}customMarkFollows") not in ("1", "true", "on"):  # else the mark stands in both texts
            self._note_count += 1
            mark = superscript(str(self._note_count))
        outside, self._new_notes = self._new_notes, []  # a note may not refer to others, but a file may say so
        words = [self._paragraph(p, in_contents=False).text.strip() for p in note.iter(f"{W}p")]
        text = "\n".join(word for word in words if word)
        self._new_notes = [*outside, Part(BlockKind.FOOTNOTE, f"{mark} {text}" if mark else text), *self._new_notes]
        return mark


def _related(document: "WordDocument", name: str) -> "_Element | None":
    """Return the root of a part of the package by the end of its relation's name; None where there is none to read."""
    from docx.oxml.parser import parse_xml
    from lxml.etree import XMLSyntaxError

    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(f"/{name}"):
            try:
                return parse_xml(relation.target_part.blob)
            except XMLSyntaxError as error:
                raise DocumentError(f"the Word document is damaged: its {name} cannot be read ({error})") from error
    return None


def _children(root: "_Element | None", name: str) -> "list[_Element]":
    return [] if root is None else root.findall(f"{W}{name}")


def _within(element: "_Element", *names: str) -> "Iterator[_Element]":
    """Yield children of these names in order, also those that content controls and tracked changes wrap."""
    for child in element:
        if child.tag in _WRAPPERS:
            yield from _within(child, *names)
        elif any(child.tag == f"{W}{name}" for name in names):
            yield child


def _only_cell(table: "_Element") -> "_Element | None":
    cells = [cell for row in _within(table, "tr") for cell in _within(row, "tc")]
    return cells[0] if len(cells) == 1 else None


def _count(properties: "_Element", name: str) -> int:
    written = value(properties, name) or ""
    return int(written) if re.fullmatch(r"\d{1,2}", written) else 0


def _is_contents(wrapper: "_Element") -> bool:
    gallery = wrapper.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
    return gallery is not None and gallery.get(f"{W}val") == "Table of Contents"


def _is_contents_field(instruction: str) -> bool:
    return instruction.split()[:1] == ["TOC"]


def _symbol(element: "_Element") -> str:
    """Return a symbol that is a character; most are places in a font, which mean nothing outside it."""
    code = element.get(f"{W}char") or ""
    if not re.fullmatch(r"[0-9A-Fa-f]{4}", code):
        return ""
    character = chr(int(code, 16))
    return character if character.isprintable() else ""
