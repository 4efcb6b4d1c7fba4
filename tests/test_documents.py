"""Files to documents: the canonical text is the file's own, and its parts are recognised."""

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import CORPUS
from cyberqa import corpus
from cyberqa.documents import load_bytes, read_document
from cyberqa.documents.reading import Reading
from cyberqa.documents.structure import find_blocks, heading_text, iter_lines
from cyberqa.errors import CorpusError, DocumentError
from cyberqa.settings import Settings
from cyberqa.types import Block, BlockKind, Document, Metadata, Span

SOURCES = corpus.read_sources(CORPUS)
HERE = Settings(corpus=CORPUS, index=CORPUS.parent / "index")
REPORTS = {
    id_: read_document(id_, path.read_bytes(), SOURCES.get(id_)) for id_, path in corpus.list_files(HERE).items()
}
BALKANS = REPORTS["western-balkans-cybersecurity.txt"]


def read(text: str | bytes, name: str = "a.txt") -> Document:
    return read_document(name, text if isinstance(text, bytes) else text.encode())


def texts(document: Document, kind: BlockKind) -> list[str]:
    return [document.text[b.span.start : b.span.end] for b in document.blocks if b.kind is kind]


# --- the corpus that ships -----------------------------------------------------------------------------------

DIGESTS = {
    "albania-cyber-diplomacy.txt": "acabd964fc0b81ac87c9859781192ac43b866dcd21821532bf21da0526c2927f",
    "albania-international-partners.txt": "e53df67c5fa6dbd8c43cc84cbe03b9b72fb269bff834355f79d7671f1e8e5822",
    "albania-strategy-planning-seminar.txt": "c1d1a396bad80fc0638411694469ee2a0921a3c7c2e3117ec511560ec8a07e4f",
    "cyber-capacity-building-profiles.txt": "6060baafa4e0b37d6807b2a7ce59a1fe9a5b84fbbbe5cfdf8a007ddfa36bdc12",
    "western-balkans-cybersecurity.txt": "c722b2ed9c930b10a27ad311d864aeaf401db6cc3cd41b53ae5411985d67c336",
}


def test_the_corpus_is_the_five_reports_byte_for_byte():
    found = {id_: hashlib.sha256(path.read_bytes()).hexdigest() for id_, path in corpus.list_files(HERE).items()}
    assert found == DIGESTS


def test_every_report_has_its_sources_entry_and_no_other():
    assert set(SOURCES) == set(REPORTS)


@pytest.mark.parametrize("id_", REPORTS)
def test_canonical_text_is_the_bytes_decoded_and_nothing_else(id_):
    assert REPORTS[id_].text.encode("utf-8") == (CORPUS / id_).read_bytes()


@pytest.mark.parametrize("id_", REPORTS)
def test_every_visible_character_of_a_report_is_in_exactly_one_block(id_):
    assert_blocks_partition(REPORTS[id_])


def assert_blocks_partition(document: Document) -> None:
    position = 0
    for block in document.blocks:
        assert block.span.start >= position
        assert is_blank(document.text[position : block.span.start])
        assert len(block.span) > 0
        position = block.span.end
    assert is_blank(document.text[position:])


def test_balkans_report_has_the_headings_that_its_contents_page_lists():
    contents = "\n".join(texts(BALKANS, BlockKind.CONTENTS))
    headings = [heading_text(BALKANS.text, b) for b in BALKANS.blocks if b.kind is BlockKind.HEADING and b.level]
    listed = [line.split("\t")[0].rstrip(".") for line in contents.splitlines() if "\t" in line]
    assert headings == listed
    assert "4.1 Albania" in headings


def test_balkans_report_has_179_footnotes_each_a_block_of_its_own():
    footnotes = texts(BALKANS, BlockKind.FOOTNOTE)
    assert len(footnotes) == 179
    assert all(note[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹" for note in footnotes)


def test_balkans_report_has_one_table():
    (table,) = texts(BALKANS, BlockKind.TABLE)
    assert table.startswith("\tALB\tBIH\tCRO"), "the empty first cell"
    assert table.endswith("CB/Education\t-\t-/+\t+\t-\t-\t+\t-")


# --- decoding ------------------------------------------------------------------------------------------------


def test_utf8_byte_order_mark_stays_in_the_text_and_out_of_the_blocks():
    document = read(b"\xef\xbb\xbfTirana has a team. It works.")
    assert document.text[0] == "\ufeff"
    assert document.blocks[0].span.start == 1


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_told_by_their_byte_order_mark(encoding):
    document = read("\ufeffTirana – çelësi i ri.".encode(encoding))
    assert document.text == "\ufeffTirana – çelësi i ri."
    assert document.encoding == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Le café de la république a été fermé à midi; l'été, il était très fréquenté. ", "cp1252"),
        ("Zakon je usvojen, a Vlada Crne Gore i Srbije će češće sarađivati. Šta žele građani? ", "cp1250"),
        ("El señor Núñez informó al año siguiente.", "cp1252"),
        ("Strategy cost €5 million – the ‘plan’ in A Coruña", "cp1252"),
        ("Peña", "cp1252"),
        ("L'été à Genève.", "cp1252"),
        ("国家网络安全战略已经通过，各部门应当加强合作。", "gb18030"),
        ("Законот за информациска безбедност беше усвоен во Скопје. ", "cp1251"),
    ],
)
def test_other_encodings_are_detected_and_named(text, encoding):
    document = read(text.encode(encoding))
    assert document.text == text
    assert document.encoding == encoding


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_are_kept_as_they_are(newline):
    text = newline.join(["One line.", "", "Another one."])
    assert read(text).text == text
    assert [line.text for line in iter_lines(text)] == ["One line.", "", "Another one."]


def test_lines_end_at_nothing_but_newlines():
    text = "a\u2028b\x0bc\x85d\x0ce"
    assert len(list(iter_lines(text))) == 1


@given(st.text(alphabet=st.sampled_from("aB1 .\n\r\t#-=⁴²\ufeff*|é漢\u2028"), max_size=120))
def test_any_text_is_divided_without_loss(text):
    position = 0
    for block in find_blocks(text):
        assert is_blank(text[position : block.span.start])
        position = block.span.end
    assert is_blank(text[position:])


def is_blank(text: str) -> bool:
    return not text.replace("\ufeff", "").strip()


@given(st.text(alphabet=st.sampled_from("aB1 .\n\r#-=>`*|[]()é漢"), max_size=120))
def test_any_markdown_is_divided_without_loss(text):
    try:
        document = read(text.encode(), "a.md")
    except DocumentError:
        return  # nothing to quote in it
    assert_blocks_partition(document)


# --- structure -----------------------------------------------------------------------------------------------


def headings(text: str, name: str = "a.txt") -> list[tuple[int, str]]:
    document = read(text, name)
    return [(b.level, heading_text(document.text, b)) for b in document.blocks if b.kind is BlockKind.HEADING]


def test_numbered_headings_have_the_depth_of_their_number():
    text = "1 Start\n\nText here.\n\n1.1 Albania\n\nMore text.\n\n1.2.1 Deep\n\nMore.\n\n2 End\n\nLast text."
    assert headings(text) == [(1, "1 Start"), (2, "1.1 Albania"), (3, "1.2.1 Deep"), (1, "2 End")]


def test_items_of_a_numbered_list_are_no_headings():
    text = "Intro text.\n\n1. Raise awareness\n\n2. Share information\n\n3. Train people\n\nThe end comes here."
    assert headings(text) == []


def test_a_sentence_that_starts_with_a_number_is_no_heading():
    assert headings("Intro.\n\n1 Member State was late.\n\nMore text.") == []
    assert headings("Intro.\n\n2016 Elections in the region\n\nMore text.") == []


def test_unnumbered_headings_are_known_from_the_contents_page():
    text = "Contents\n\nStart\t1\nAlbania\t2\nSerbia\t3\nAuthors\t9\n\nStart\n\nText.\n\nAuthors\n\nA person wrote it."
    assert headings(text) == [(1, "Start"), (1, "Authors")]


def test_contents_with_leaders_need_no_title():
    text = "1 One ..... 4\n2 Two ..... 5\n3 Three .... 7\n4 Four ...... 9\n\n1 One\n\nThe text.\n\n2 Two\n\nIts end."
    document = read(text)
    assert texts(document, BlockKind.CONTENTS) == [text.split("\n\n")[0]]


def test_a_list_that_ends_in_rising_numbers_is_no_contents_page():
    text = (
        "Open ports.\n\nSSH ........ 22\nSMTP ....... 25\nHTTP ....... 80\nHTTPS ...... 443\n\nAll were closed in May."
    )
    assert texts(read(text), BlockKind.CONTENTS) == []


def test_a_sentence_marked_as_a_heading_can_still_be_quoted():
    long = (
        "# " + "This sentence is far too long to be the heading of anything at all, " * 3 + "but it is marked as one."
    )
    for name in ("a.txt", "a.md"):
        assert read(f"{long}\n\nText.", name).blocks[0].kind is BlockKind.PARAGRAPH


def test_a_byte_order_mark_does_not_hide_a_markdown_heading():
    assert headings("\ufeff# Titel\n\nText.", "a.md") == [(1, "Titel")]


@pytest.mark.parametrize(
    "line",
    ["A " + "." * 20_000 + "x", " ." * 10_000, "\t" * 20_000, "a" + " " * 20_000 + "b", "# A" + " " * 20_000 + "x"],
)
def test_no_line_takes_for_ever(line):
    started = time.process_time()
    find_blocks(f"Text.\n\n{line}\n\nText.")
    assert time.process_time() - started < 5, "a pattern that backtracks would need hours"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    for name, reason in (
        ("pipe.txt", "no regular file"),
        ("zero.txt", "no regular file"),
        ("loop.txt", "cannot be opened"),
    ):
        with pytest.raises(DocumentError, match=reason):
            load_bytes(tmp_path / name, 1)
        assert corpus.file_state(tmp_path / name).sha256 is None


def test_a_table_of_numbers_is_no_contents_page():
    text = "Country\tIncidents\tYear\nAlbania\t12\t2014\nKosovo\t14\t2015\nSerbia\t20\t2016\nCroatia\t31\t2017"
    assert texts(read(text), BlockKind.CONTENTS) == []
    assert texts(read(text), BlockKind.TABLE) == [text]


def test_markdown_headings_lists_tables_and_code():
    text = "# Title\n\nText.\n\n## Part\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n"
    text += "```\n# no heading\n```\n\nSetext\n---\n\nEnd.\n"
    document = read(text, "a.md")
    kinds = [b.kind.value for b in document.blocks]
    assert kinds == ["heading", "paragraph", "heading", "list", "table", "paragraph", "heading", "paragraph"]
    assert headings(text, "a.md") == [(1, "Title"), (2, "Part"), (2, "Setext")]


def test_markdown_list_of_links_to_anchors_is_contents():
    document = read("# T\n\n- [A](#a)\n- [B](#b)\n- [C](#c)\n\nText.", "a.md")
    assert [b.kind for b in document.blocks][1] is BlockKind.CONTENTS


def test_restructured_text_headings_by_their_underlines():
    text = "Title\n=====\n\nText.\n\nPart\n----\n\nMore.\n\nOther\n=====\n\nEnd."
    assert headings(text, "a.rst") == [(1, "Title"), (2, "Part"), (1, "Other")]


def test_footnotes_start_with_a_raised_number_and_keep_their_address():
    document = read(
        "Text with a mark.⁴⁷ More.\n\n⁴⁷ Available at:\n\n<https://example.org/a>\n\n⁴⁸ ibid.\n\nText goes on."
    )
    assert texts(document, BlockKind.FOOTNOTE) == ["⁴⁷ Available at:\n\n<https://example.org/a>", "⁴⁸ ibid."]


def test_a_footnote_takes_no_address_from_the_next_page():
    document = read("¹ See the report\n\f\nhttps://example.org/a\n\nText.")
    assert texts(document, BlockKind.FOOTNOTE) == ["¹ See the report"]


# --- titles --------------------------------------------------------------------------------------------------


def test_title_comes_from_metadata_then_heading_then_first_line_then_name():
    assert read_document("a.txt", b"First line\n\nText.", Metadata(title="Given")).title == "Given"
    assert read("# Heading\n\nText.", "a.md").title == "Heading"
    assert read("A first line\n\nText here.").title == "A first line"
    assert read("word " * 100, "long-report.txt").title == "long-report"


# --- Markdown ------------------------------------------------------------------------------------------------

FRONT = '---\ntitle: "A: plan"\ndate: 2019-04-05\nlang: en-GB\npublisher: Harbour Office\ntags:\n  - a\n---\n'


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_front_matter_is_never_quoted_and_says_what_sources_do_not(newline):
    text = (FRONT + "\n# Head\n\nThe text.\n").replace("\n", newline)
    document = read_document("a.md", text.encode(), Metadata(year=2020))
    assert document.text == text
    assert document.metadata == Metadata(title="A: plan", year=2020, language="en", publisher="Harbour Office")
    assert (document.title, document.language) == ("A: plan", "en")
    assert texts(document, BlockKind.RUNNING) == [FRONT.strip().replace("\n", newline)]
    assert texts(document, BlockKind.HEADING) == ["# Head"]
    assert_blocks_partition(document)


def test_a_rule_at_the_top_begins_no_front_matter():
    document = read("---\nThe port was closed.\n\n---\n\nIt opened again.", "a.md")
    assert texts(document, BlockKind.RUNNING) == []


def test_markdown_footnotes_are_blocks_of_their_own():
    text = "It rained.[^1] It snowed.[^b]\n\n[^1]: See\n[^b]: The second note\ngoes on.\n\n    To its end.\n\nMore."
    document = read(text, "a.md")
    assert texts(document, BlockKind.FOOTNOTE) == ["[^1]: See", "[^b]: The second note\ngoes on.", "To its end."]
    assert texts(document, BlockKind.PARAGRAPH) == ["It rained.[^1] It snowed.[^b]", "More."]


def test_fenced_code_is_one_paragraph():
    code = "```\n# no heading\n\n[^1]: no note\n```"
    assert texts(read(f"Text.\n\n{code}\n", "a.md"), BlockKind.PARAGRAPH) == ["Text.", code]


# --- what cannot be read -------------------------------------------------------------------------------------

OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"no pdf at all", "no %PDF header"),
        ("a.pdf", b"%PDF-1.7\nbroken", "damaged"),
        ("a.txt", b"PK\x03\x04" + bytes(200), "binary"),
        ("a.txt", b"  \n\n ", "no running text"),
        ("a.xyz", b"whatever", "type .xyz"),
        ("a.docx", b"whatever", "no ZIP archive"),
        ("a.docx", b"%PDF-1.7 text", "it is a PDF: rename it to .pdf"),
        ("a.pdf", b"<!DOCTYPE html><p>Text.", "it is a web page: rename it to .html"),
        ("a.pdf", b"\x89PNG\r\n\x1a\n", "it is a picture"),
        ("a.html", b"%PDF-1.7 text", "it is a PDF"),
        ("a.txt", b"%PDF-1.7 text", "it is a PDF"),
        ("a.docx", OLD_OFFICE + "WordDocument".encode("utf-16-le"), "Word 2003 or earlier"),
        ("a.docx", OLD_OFFICE + "EncryptedPackage".encode("utf-16-le"), "encrypted with a password"),
        ("noending", b"whatever", "no suffix"),
    ],
)
def test_unreadable_files_are_refused_with_their_reason(name, data, reason):
    with pytest.raises(DocumentError, match=reason):
        read(data, name)


def test_empty_large_and_missing_files_are_refused(tmp_path: Path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "large.txt").write_bytes(b"a" * 1_000_001)
    with pytest.raises(DocumentError, match="empty"):
        load_bytes(tmp_path / "empty.txt", 1)
    with pytest.raises(DocumentError, match="over the limit"):
        load_bytes(tmp_path / "large.txt", 1)
    with pytest.raises(DocumentError, match="cannot be opened"):
        load_bytes(tmp_path / "missing.txt", 1)


# --- the folder ----------------------------------------------------------------------------------------------


def test_what_is_no_document_is_left_out(tmp_path: Path):
    for name in (
        "a.txt",
        "README.md",
        "NOTICE",
        "sources.toml",
        ".hidden.txt",
        "sub/README.md",
        "sub/b.txt",
        ".git/c.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    settings = Settings(corpus=tmp_path, index=tmp_path / "index")
    assert list(corpus.list_files(settings)) == ["a.txt", "sub/README.md", "sub/b.txt"]
    assert list(corpus.list_files(replace(settings, exclude=("sub/*",)))) == ["a.txt"]


def test_an_index_inside_the_corpus_is_no_document(tmp_path: Path):
    (tmp_path / "index").mkdir()
    for name in ("a.txt", "index/manifest.txt", "README-set.txt"):
        (tmp_path / name).touch()
    (tmp_path / "README-set").mkdir()
    (tmp_path / "README-set" / "b.txt").touch()
    settings = Settings(corpus=tmp_path, index=tmp_path / "index")
    assert list(corpus.list_files(settings)) == ["README-set/b.txt", "a.txt"]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[x", "TOML"),
        ('["a.txt"]\ntitel = "x"', "unknown key 'titel'"),
        ('["a.txt"]\nyear = "2016"', "a year"),
        ('["a.txt"]\ntags = "one"', "a list of texts"),
        ('"a.txt" = 1', "expected a table"),
    ],
)
def test_a_broken_sources_file_is_named_with_what_was_expected(tmp_path: Path, toml, message):
    (tmp_path / "sources.toml").write_text(toml)
    with pytest.raises(CorpusError, match=message):
        corpus.read_sources(tmp_path)


def test_what_a_file_says_of_itself_is_cut_where_it_is_endless_and_so_are_warnings():
    own = Metadata(title="word " * 1000, publisher="x" * 201)
    blocks = [Block(BlockKind.PARAGRAPH, Span(0, 4))]
    reading = Reading("Text", blocks, metadata=own, warnings=tuple(f"page {n} is damaged" for n in range(1000)))
    document = read_document("a.pdf", b"", read=lambda *_: reading)
    assert len(document.title) <= 200
    assert document.title.endswith("word…")
    assert document.metadata.publisher == "x" * 199 + "…"
    assert document.warnings == (*(f"page {n} is damaged" for n in range(20)), "and 980 more warnings")
    users = read_document("a.pdf", b"", Metadata(title="t" * 300), read=lambda *_: reading)
    assert users.title == "t" * 300  # what the user gives is the user's


def test_a_title_is_on_one_line_whatever_sources_toml_says(settings):
    (settings.corpus / "sources.toml").write_text('["alpha.txt"]\ntitle = """Alpha\n2. Forged"""\n', "utf-8")
    assert corpus.read_sources(settings.corpus)["alpha.txt"].title == "Alpha 2. Forged"


def test_a_line_above_the_first_numbered_heading_is_the_title():
    front = "NATIONAL GUIDANCE ON REPORTING\nMinistry of Affairs\n\n"
    numbered = "1. Purpose\n\nIt sets out how.\n\n2. Scope\n\nAll of it."
    assert read(front + numbered).title == "NATIONAL GUIDANCE ON REPORTING"
    assert read(f"It is what it is, and it ends.\n\n{numbered}").title == "1. Purpose"


def test_a_paragraph_with_a_number_in_brackets_is_a_footnote_where_the_text_refers_to_it():
    document = read(
        "Title\n\nThe court upheld the fine [1] in 2021.\n\n[1] Judgment of 9 June 2021.\n\n[7] No mark refers here."
    )
    (footnote,) = document.footnotes
    assert document.text[footnote.span.start : footnote.span.end] == "[1] Judgment of 9 June 2021."
    assert document.text[footnote.reference :].startswith("[1] in 2021")


def test_a_folder_may_be_excluded_by_its_name():
    for glob in ("sub", "sub/", "s*"):
        assert corpus.is_excluded("sub/deep/a.txt", [glob])
    assert not corpus.is_excluded("other/sub.txt", ["sub"])
