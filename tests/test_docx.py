"""DOCX: what a person reads in Word is the canonical text, in its order, each part with its kind."""

import contextlib
import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from cyberqa import ingest
from cyberqa.documents import docx as reader
from cyberqa.documents import read_document
from cyberqa.documents.numbering import count_in
from cyberqa.errors import DocumentError
from cyberqa.session import Session
from cyberqa.settings import Settings
from cyberqa.types import BlockKind, Document
from test_documents import assert_blocks_partition

W = nsdecls("w")


def packed(document: WordDocument) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def read(*body: str, title: str = "", make: Callable[[WordDocument], None] = lambda _: None) -> Document:
    """Read a document whose body is made of raw XML."""
    document = docx.Document()
    make(document)
    document.core_properties.title = title
    for xml in body:
        element = parse_xml(xml.replace(">", f" {W}>", 1))
        document.element.body.insert(len(document.element.body) - 1, element)
    found = read_document("a.docx", packed(document))
    assert_blocks_partition(found)
    return found


def p(inner: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}{inner}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def shape(document: Document) -> list[tuple[str, int, str]]:
    return [(b.kind.value, b.level, document.text[b.span.start : b.span.end]) for b in document.blocks]


def texts(document: Document, kind: BlockKind) -> list[str]:
    return [document.text[b.span.start : b.span.end] for b in document.blocks if b.kind is kind]


def add_notes(kind: str, notes: dict[int, str]) -> Callable[[WordDocument], None]:
    def make(document: WordDocument) -> None:
        inner = "".join(
            f'<w:{kind} w:id="{id_}"><w:p><w:r><w:{kind}Ref/></w:r>{r(" " + text)}</w:p></w:{kind}>'
            for id_, text in notes.items()
        )
        blob = f"<w:{kind}s {W}>{inner}</w:{kind}s>".encode()
        content_type = f"application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}s+xml"
        part = Part(PackURI(f"/word/{kind}s.xml"), content_type, blob, document.part.package)
        document.part.relate_to(part, getattr(RELATIONSHIP_TYPE, f"{kind.upper()}S"))

    return make


def reference(id_: int, kind: str = "footnote") -> str:
    return f'<w:r><w:{kind}Reference w:id="{id_}"/></w:r>'


# --- order and kinds -----------------------------------------------------------------------------------------


def test_the_body_is_read_in_its_order_each_part_with_its_kind():
    def make(document: WordDocument) -> None:
        document.add_heading("Harbour report", 0)
        document.add_heading("Findings", 1)
        document.add_paragraph("Nine agencies took part.")
        document.add_table(1, 2).rows[0].cells[1].text = "a cell"
        document.add_paragraph("Table 1: Cells", style="Caption")
        document.add_heading("Deeper", 2)
        document.add_paragraph("The end.")

    assert shape(read(make=make)) == [
        ("heading", 0, "Harbour report"),
        ("heading", 1, "Findings"),
        ("paragraph", 0, "Nine agencies took part."),
        ("table", 0, "\ta cell"),
        ("paragraph", 0, "Table 1: Cells"),
        ("heading", 2, "Deeper"),
        ("paragraph", 0, "The end."),
    ]


def test_headings_are_known_by_outline_level_where_styles_have_names_of_their_own():
    def make(document: WordDocument) -> None:
        document.styles.element.append(
            parse_xml(
                f'<w:style {W} w:type="paragraph" w:styleId="Titulli"><w:name w:val="Titulli im"/>'
                '<w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
            )
        )

    own = '<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr>' + r("Mine") + "</w:p>"
    document = read(p(r("Hyrje"), "Titulli"), own, p(r("Text.")), make=make)
    assert shape(document)[:2] == [("heading", 2, "Hyrje"), ("heading", 3, "Mine")]


def test_a_heading_too_long_for_one_can_be_quoted():
    assert shape(read(p(r("word " * 40), "Heading1")))[0][0] == "paragraph"


def test_title_is_the_properties_else_the_title_style_else_the_first_heading():
    title, heading = p(r("Styled"), "Title"), p(r("First"), "Heading1")
    assert read(title, p(r("Text.")), title="Of the file").title == "Of the file"
    assert read(heading, title, p(r("Text."))).title == "Styled"
    assert read(heading, p(r("Text.")), title="Untitled").title == "First"


def test_text_in_content_controls_and_text_boxes_is_read():
    control = f"<w:sdt><w:sdtPr/><w:sdtContent>{p(r('Controlled.'))}</w:sdtContent></w:sdt>"
    box = (
        '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f'<mc:Choice Requires="wps"><w:txbxContent>{p(r("Boxed."))}</w:txbxContent></mc:Choice>'
        f"<mc:Fallback><w:txbxContent>{p(r('Boxed.'))}</w:txbxContent></mc:Fallback>"
        "</mc:AlternateContent></w:r>" + r("Beside it.") + "</w:p>"
    )
    assert texts(read(control, box), BlockKind.PARAGRAPH) == ["Controlled.", "Beside it.", "Boxed."]


def test_a_contents_page_is_one_block_whether_control_style_or_field_makes_it():
    gallery = (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
        f"<w:sdtContent>{p(r('Contents'))}{p(r('One'))}</w:sdtContent></w:sdt>"
    )
    field = (
        p(
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> TOC \\o "1-3" </w:instrText></w:r>'
            '<w:r><w:fldChar w:fldCharType="separate"/></w:r>' + r("One") + "<w:r><w:tab/></w:r>" + r("3")
        ),
        p(r("Two") + "<w:r><w:tab/></w:r>" + r("9")),
        p('<w:r><w:fldChar w:fldCharType="end"/></w:r>'),
    )
    assert shape(read(gallery, p(r("Text."))))[0] == ("contents", 0, "Contents\nOne")
    assert shape(read(*field, p(r("Text.")))) == [("contents", 0, "One\t3\nTwo\t9"), ("paragraph", 0, "Text.")]


# --- what a person reads in a paragraph ----------------------------------------------------------------------


def test_tracked_changes_are_read_as_if_accepted():
    changed = r("It ") + f"<w:ins>{r('opened')}</w:ins><w:del><w:r><w:delText>closed</w:delText></w:r></w:del>" + r(".")
    moved = f"<w:moveFrom>{r('away')}</w:moveFrom><w:moveTo>{r('here')}</w:moveTo>"
    assert read(p(changed), p(moved)).text == "It opened.\n\nhere"


def test_links_and_fields_give_their_text_hidden_text_and_instructions_do_not():
    link = f'<w:hyperlink w:anchor="x">{r("a link")}</w:hyperlink>'
    field = f'<w:fldSimple w:instr=" PAGE ">{r("7")}</w:fldSimple>'
    assert (
        read(p(r("See ") + link + r(", p. ") + field + r("hidden", "<w:vanish/>") + r("."))).text == "See a link, p. 7."
    )


def test_breaks_hyphens_and_raised_numbers_are_written_as_they_are_read():
    hyphens = "<w:r><w:t>e</w:t><w:noBreakHyphen/><w:t>mail cyber</w:t><w:softHyphen/><w:t>space</w:t><w:br/></w:r>"
    raised = (
        r("10")
        + r("-6", '<w:vertAlign w:val="superscript"/>')
        + r(" 4")
        + r("th", '<w:vertAlign w:val="superscript"/>')
    )
    document = read(p(hyphens + raised))
    assert document.text == "e\u2011mail cyberspace\n10⁻⁶ 4th"
    assert [(repair.kind, repair.count) for repair in document.repairs] == [("soft hyphen", 1)]


# --- footnotes -----------------------------------------------------------------------------------------------


def test_footnotes_stand_behind_their_paragraph_with_the_mark_that_is_in_the_sentence():
    notes = {5: "See the law.", 2: "Interview, 2019.", 9: "Nobody refers to this."}
    document = read(
        p(r("It rained.") + reference(5) + r(" It snowed.") + reference(2)),
        p(r("End.")),
        make=add_notes("footnote", notes),
    )
    assert shape(document) == [
        ("paragraph", 0, "It rained.¹ It snowed.²"),
        ("footnote", 0, "¹ See the law."),
        ("footnote", 0, "² Interview, 2019."),
        ("paragraph", 0, "End."),
    ]


def test_endnotes_are_footnotes_and_a_list_is_not_taken_apart_for_one():
    items = [p(r("First") + reference(1, "endnote"), "ListBullet"), p(r("Second"), "ListBullet")]
    document = read(*items, p(r("End.")), make=add_notes("endnote", {1: "A note."}))
    assert shape(document) == [
        ("list", 0, "• First¹\n• Second"),
        ("footnote", 0, "¹ A note."),
        ("paragraph", 0, "End."),
    ]


def test_footnotes_of_a_table_follow_it():
    cell = f"<w:tc>{p(r('7') + reference(1))}</w:tc>"
    document = read(
        f"<w:tbl><w:tr><w:tc>{p(r('Score'))}</w:tc>{cell}</w:tr></w:tbl>", make=add_notes("footnote", {1: "Of ten."})
    )
    assert shape(document) == [("table", 0, "Score\t7¹"), ("footnote", 0, "¹ Of ten.")]


# --- numbers and bullets -------------------------------------------------------------------------------------

LEVELS = (
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
    '<w:pStyle w:val="Heading1"/><w:lvlText w:val="%1"/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>'
    '<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="cardinalText"/><w:lvlText w:val="%3"/></w:lvl>'
)


def number(document: WordDocument) -> None:
    root = document.part.numbering_part.element
    root.insert(0, parse_xml(f'<w:abstractNum {W} w:abstractNumId="77">{LEVELS}</w:abstractNum>'))
    root.append(parse_xml(f'<w:num {W} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))
    root.append(
        parse_xml(
            f'<w:num {W} w:numId="78"><w:abstractNumId w:val="77"/>'
            '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
        )
    )
    style = next(s for s in document.styles.element if s.get(docx.oxml.ns.qn("w:styleId")) == "Heading1")
    style.get_or_add_pPr().append(parse_xml(f'<w:numPr {W}><w:numId w:val="77"/></w:numPr>'))


def item(text: str, depth: int, list_id: int = 77) -> str:
    numbered = f'<w:pPr><w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr></w:pPr>'
    return f"<w:p>{numbered}{r(text)}</w:p>"


def test_numbers_of_headings_and_items_are_counted_as_word_counts_them():
    document = read(
        p(r("Start"), "Heading1"), item("x", 1), item("y", 1),
        p(r("Next"), "Heading1"), item("z", 1), item("other", 0, 78),
        make=number,
    )  # fmt: skip
    assert shape(document) == [
        ("heading", 1, "1 Start"),
        ("list", 0, "1.a) x\n1.b) y"),
        ("heading", 1, "2 Next"),
        ("list", 0, "2.a) z\n1 other"),
    ]


def test_a_number_that_cannot_be_computed_is_left_out():
    assert shape(read(item("Text.", 2), make=number)) == [("list", 0, "Text.")]


@pytest.mark.parametrize(
    ("style", "number", "written"),
    [("upperRoman", 1994, "MCMXCIV"), ("lowerLetter", 27, "aa"), ("decimalZero", 3, "03"), ("lowerRoman", 0, None)],
)
def test_numbers_are_written_in_their_style(style, number, written):
    assert count_in(style, number) == written


# --- tables --------------------------------------------------------------------------------------------------


def test_merged_cells_stand_once_and_columns_hold():
    def make(document: WordDocument) -> None:
        table = document.add_table(3, 3)
        for row, cells in enumerate(table.rows):
            for column, cell in enumerate(cells.cells):
                cell.text = f"{row}{column}"
        table.cell(0, 1).text = table.cell(2, 0).text = ""
        table.cell(0, 0).merge(table.cell(0, 1))
        table.cell(1, 0).merge(table.cell(2, 0))

    assert read(make=make).text == "00\t\t02\n10\t11\t12\n\t21\t22"


def test_nested_tables_give_their_text_and_a_frame_of_one_cell_is_no_table():
    inner = f"<w:tbl><w:tr><w:tc>{p(r('in'))}</w:tc><w:tc>{p(r('side'))}</w:tc></w:tr></w:tbl>"
    nested = f"<w:tbl><w:tr><w:tc>{p(r('out'))}</w:tc><w:tc>{inner}{p('')}</w:tc></w:tr></w:tbl>"
    frame = f"<w:tbl><w:tr><w:tc>{p(r('Framed head'), 'Heading1')}{p(r('Framed.'))}</w:tc></w:tr></w:tbl>"
    assert shape(read(nested, frame)) == [
        ("table", 0, "out\tin side"),
        ("heading", 1, "Framed head"),
        ("paragraph", 0, "Framed."),
    ]


# --- files that are not what they should be ------------------------------------------------------------------


def repacked(change: Callable[[str, bytes], bytes]) -> bytes:
    document = docx.Document()
    document.add_paragraph("Some text.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed(document))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


def in_body(xml: bytes) -> bytes:
    return repacked(lambda name, data: xml if name == "word/document.xml" else data)


def test_entities_are_not_resolved():
    bomb = b'<!ENTITY a "boom">' + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
    xml = (
        b"<!DOCTYPE x ["
        + bomb
        + f"]><w:document {W}><w:body><w:p><w:r><w:t>Some &m; text.</w:t></w:r></w:p></w:body></w:document>".encode()
    )
    with contextlib.suppress(DocumentError):  # to refuse it is as good
        assert "boom" not in read_document("a.docx", in_body(xml)).text


def test_external_entities_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("secret words")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    body = f"<w:body>{p(r('Text.') + r('&e;'))}</w:body>"
    xml = f"{entity}<w:document {W}>{body}</w:document>"
    assert read_document("a.docx", in_body(xml.encode())).text == "Text."


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(reader, "_MAX_XML_BYTES", 100_000)
    data = repacked(lambda name, data: data + b" " * 200_000 if name == "word/document.xml" else data)
    with pytest.raises(DocumentError, match="over the limit"):
        read_document("a.docx", data)


WORD = b"vnd.openxmlformats-officedocument.wordprocessingml.document.main"


def renamed(old: bytes, new: bytes) -> bytes:
    """Return a document that calls itself something else where a reader looks first."""
    heads = ("[Content_Types].xml", "_rels/.rels")
    return repacked(lambda name, data: data.replace(old, new) if name in heads else data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (in_body(b"<w:document"), "damaged"),
        (in_body(b"<document><body/></document>"), "no document with a body"),
        (in_body(f"<w:body {W}/>".encode()), "no document with a body"),
        (in_body(f"<w:document {W}/>".encode()), "no document with a body"),
        (packed(docx.Document())[:3000], "damaged"),
        (repacked(lambda name, data: b"" if name == "word/styles.xml" else data), "damaged"),
        (renamed(WORD, b"x"), "something else"),
        (renamed(WORD, b"vnd.ms-word.document.macroEnabled.main"), "with macros"),
        (renamed(b"schemas.openxmlformats.org/officeDocument/2006", b"purl.oclc.org/ooxml/officeDocument"), "Strict"),
        (packed(docx.Document()), "no running text"),
    ],
)  # fmt: skip
def test_broken_documents_are_refused_with_their_reason(data, reason):
    with pytest.raises(DocumentError, match=reason):
        read_document("a.docx", data)


# --- end to end ----------------------------------------------------------------------------------------------


def test_a_docx_answers_with_an_exact_span(settings: Settings, encoder):
    document = docx.Document()
    document.add_heading("Lagoon report", 0)
    document.add_heading("Dredging", 1)
    document.add_paragraph("The lagoon was dredged in 2014. Its ferry ran again in spring.")
    (settings.corpus / "lagoon.docx").write_bytes(packed(document))
    ingest.build_index(settings, encoder=encoder)
    with Session.open(settings, encoder=encoder) as session:
        first = session.ask("when was the lagoon dredged").passages[0]
        assert first.citation.document == "lagoon.docx"
        assert (first.citation.reader, first.citation.section) == ("docx/1", ("Dredging",))
        assert (first.location.page, first.location.line_start) == (None, None)
        canonical = read_document("lagoon.docx", packed(document)).text
        assert canonical[first.location.start : first.location.end] == first.text
        assert "dredged in 2014" in first.text
