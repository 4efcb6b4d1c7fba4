"""HTML: the main text of a page, word for word as a browser shows it, without what surrounds it."""

import contextlib
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import ROOT
from cyberqa import ingest
from cyberqa.documents import read_document
from cyberqa.documents.composing import Part, compose
from cyberqa.errors import DocumentError
from cyberqa.session import Session
from cyberqa.settings import Settings
from cyberqa.types import BlockKind, Document, Metadata
from test_documents import assert_blocks_partition, is_blank

PAGE = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Cyber drill in the valley | Valley Institute</title>
<meta property="og:site_name" content="Valley Institute">
<meta property="article:published_time" content="2021-03-04T10:00:00Z">
<style>.a { color: red }</style><script>var tracking = "never read me";</script></head>
<body>
<div id="cookie-banner" class="cookie-consent"><p>We use cookies. Accept all cookies?</p><button>Accept</button></div>
<header><nav><ul><li><a href="/">Home</a></li><li><a href="/reports">Reports</a></li></ul></nav></header>
<main><div class="row"><article>
<h1>Cyber drill in the valley</h1>
<p>The drill of the un<b>believ</b>able valley began on a Monday&nbsp;morning &amp; lasted three days, led by
   the team&rsquo;s deputy.<sup><a href="#fn1" id="fnref1">1</a></sup> <em>All <strong>nine</strong></em>
filed a report.</p>
<h2>What was <i>found</i></h2>
<p>The teams found that backups were missing in two of the five ministries.<br>It cost 10<sup>6</sup> euro, and the
   sum was paid by the <!-- not --> seven towns<span style="display:none">secretly</span>.</p>
<ul><li>Passwords were shared among <a href="/x">colleagues</a> in four of the agencies that were visited.</li>
<li>Alerts went unread over the weekend, for no one was on call.<ul><li>Twice.</li></ul></li></ul>
<ol start="3"><li>The third recommendation is to appoint an officer on duty.</li></ol>
<table><caption>Table 1: Agencies</caption>
<thead><tr><th>Agency</th><th>Score</th><th>Year</th></tr></thead>
<tbody><tr><td rowspan="2">Water</td><td>7</td><td>2020</td></tr><tr><td colspan="2">none <b>given</b></td></tr></tbody>
</table>
<h3>Next steps</h3>
<p>The next drill is planned for the autumn, when cyber&shy;security will be taught at both of the schools.</p>
<section class="footnotes"><ol><li id="fn1"><p>Interview, 2021. <a href="#fnref1">↩</a></p><p>By telephone.</p></li>
</ol></section>
</article>
<aside class="sidebar"><h3>Related</h3><ul><li><a href="/1">Ten tips for strong passwords</a></li></ul></aside>
</div></main>
<footer><p>© 2021 Valley Institute. All rights reserved. <a href="/privacy">Privacy policy</a></p></footer>
</body></html>"""


def read(page: str | bytes, name: str = "a.html") -> Document:
    document = read_document(name, page if isinstance(page, bytes) else page.encode())
    assert_blocks_partition(document)
    return document


def shape(document: Document) -> list[tuple[str, int, str]]:
    return [(b.kind.value, b.level, document.text[b.span.start : b.span.end]) for b in document.blocks]


def article(body: str) -> Document:
    filler = "<p>This is a paragraph of words that stand for the article, and it is as long as they often are.</p>" * 3
    return read(f"<html><body><article><h1>Head</h1>{filler}{body}{filler}</article></body></html>")


def added(body: str) -> list[tuple[str, int, str]]:
    """Return the shape of what stands between the paragraphs of an article."""
    return shape(article(body))[4:-3]


# --- the main text -------------------------------------------------------------------------------------------


def test_a_page_gives_its_article_word_for_word_and_nothing_around_it():
    document = read(PAGE)
    assert shape(document) == [
        ("heading", 1, "Cyber drill in the valley"),
        (
            "paragraph", 0,
            "The drill of the unbelievable valley began on a Monday\xa0morning & lasted three days, led by the team’s "
            "deputy.¹ All nine filed a report.",
        ),
        ("heading", 2, "What was found"),
        (
            "paragraph", 0,
            "The teams found that backups were missing in two of the five ministries.\nIt cost 10⁶ euro, and the sum "
            "was paid by the seven towns.",
        ),
        (
            "list", 0,
            "• Passwords were shared among colleagues in four of the agencies that were visited.\n"
            "• Alerts went unread over the weekend, for no one was on call.\n• Twice.\n"
            "3. The third recommendation is to appoint an officer on duty.",
        ),
        ("paragraph", 0, "Table 1: Agencies"),
        ("table", 0, "Agency\tScore\tYear\nWater\t7\t2020\n\tnone given"),
        ("heading", 3, "Next steps"),
        (
            "paragraph", 0,
            "The next drill is planned for the autumn, when cybersecurity will be taught at both of the schools.",
        ),
        ("footnote", 0, "¹ Interview, 2021.\nBy telephone."),
    ]  # fmt: skip
    assert [(repair.kind, repair.count) for repair in document.repairs] == [("soft hyphen", 1)]
    assert not document.has_lines
    assert document.pages == document.warnings == ()


def test_a_page_says_its_title_publisher_year_and_language_where_sources_are_silent():
    assert read(PAGE).metadata == Metadata(
        title="Cyber drill in the valley", publisher="Valley Institute", year=2021, language="en"
    )
    document = read_document("a.html", PAGE.encode(), Metadata(title="Drill", year=2020, tags=("x",)))
    assert document.metadata == Metadata("Drill", "Valley Institute", 2020, "en", tags=("x",))
    assert (document.title, document.language) == ("Drill", "en")


def test_the_same_bytes_give_the_same_text():
    assert read(PAGE) == read(PAGE)


def test_reading_a_page_says_nothing(capfd, caplog):
    logging.getLogger("trafilatura").setLevel(logging.NOTSET)
    read(PAGE)
    with pytest.raises(DocumentError):
        read("<html><body></body></html>")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_page_without_main_text_is_read_whole_with_a_warning():
    document = read("<footer><p>Ferries leave from here.</p><p>Open at nine.</p></footer>")
    assert document.text == "Ferries leave from here.\n\nOpen at nine."
    assert "no main text" in document.warnings[0]


def test_reading_a_page_needs_no_network_and_other_files_no_library():
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from cyberqa.documents import read_document\n"
        "read_document('a.md', b'Some text.')\n"
        "assert not {'trafilatura', 'docx', 'lxml'} & set(sys.modules)\n"
        "assert 'drill' in read_document('a.html', sys.stdin.buffer.read()).text\n"
    )
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    page = PAGE.replace("<head>", '<head><link rel="canonical" href="https://example.org/drill">')
    done = subprocess.run([sys.executable, "-c", code], input=page.encode(), env=env, check=False)
    assert done.returncode == 0


# --- as a browser shows it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<pre>a  b\n  c</pre>", [("paragraph", 0, "a  b\n  c")]),
        ("<div>One<p>Two</p>3</div>", [("paragraph", 0, "One"), ("paragraph", 0, "Two"), ("paragraph", 0, "3")]),
        ("<p>He said <q>no</q>.</p>", [("paragraph", 0, "He said “no”.")]),
        ("<p>Braille ⠓⠊ stays.</p>", [("paragraph", 0, "Braille ⠓⠊ stays.")]),
        ("<p>Cafe\u0301 &#128512; ﬁn</p>", [("paragraph", 0, "Cafe\u0301 😀 ﬁn")]),
        ("<h2>" + "word " * 40 + "</h2>", [("paragraph", 0, ("word " * 40).strip())]),
        (
            "<ol type='i' start='0'><li value='4'>Four of the towns agreed.<li>Five of the towns did not.</ol>",
            [("list", 0, "iv. Four of the towns agreed.\nv. Five of the towns did not.")],
        ),
        (
            "<table><tr><td><h3>Laid out</h3><p>By a table, as pages once were.</p></td><td>x</td></tr></table>",
            [("heading", 3, "Laid out"), ("paragraph", 0, "By a table, as pages once were."), ("paragraph", 0, "x")],
        ),
    ],
)  # fmt: skip
def test_elements_are_read_as_they_are_shown(body, expected):
    assert added(body) == expected


@pytest.mark.parametrize(
    ("mark", "note"),
    [
        ('<sup><a href="#n3">[3]</a></sup>', '<p id="n3">3. A note of its own words.</p>'),
        ('<a href="#n3" role="doc-noteref">3</a>', '<div id="n3">A note of its own words.</div>'),
        (
            '<a href="#_ftn3" name="_ftnref3">[3]</a>',
            '<p><a href="#_ftnref3" name="_ftn3">[3]</a> A note of its own words.</p>',
        ),
        (
            '<sup id="cite_ref-3"><a href="#cite_note-3"><span>[</span>3<span>]</span></a></sup>',
            '<ol start="3"><li id="cite_note-3"><a href="#cite_ref-3">^</a> A note of its own words.</li></ol>',
        ),
    ],
)
def test_footnotes_have_the_number_of_their_mark(mark, note):
    assert added(f"<p>The words of a sentence.{mark}</p>{note}") == [
        ("paragraph", 0, "The words of a sentence.³"),
        ("footnote", 0, "³ A note of its own words."),
    ]


def test_a_footnote_outside_of_the_main_text_is_read_where_the_text_refers_to_it():
    notes = '<footer><p>All rights reserved.</p><p id="fn3">3. A note.</p><p id="fn4">4. No.</p></footer>'
    page = PAGE.replace('"#fn1" id="fnref1">1<', '"#fn3">3<').replace("</body>", f"{notes}</body>")
    assert shape(read(page))[-1] == ("footnote", 0, "³ A note.")


# --- encodings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declaration", "codec", "named"),
    [
        ('<meta charset="windows-1250">', "cp1250", "cp1250"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">', "iso8859-2", "iso8859-2"),
        ('<meta charset="iso-8859-1">', "cp1252", "cp1252"),
        ('<?xml version="1.0" encoding="UTF-8"?>', "utf-8", "utf-8"),
        ('<meta charset="utf-16">', "utf-8", "utf-8"),
        ('<meta charset="no-such-thing">', "utf-8", "utf-8"),
        ("", "utf-16", "utf-16-le"),
    ],
)
def test_encoding_is_the_mark_s_the_page_s_own_or_what_fits(declaration, codec, named):
    words = "Die Straße führt über die Brücke – für immer." if codec == "cp1252" else "Straße, Brücke und über."
    document = read(f"{declaration}<html><body><p>{words}</p></body></html>".encode(codec))
    assert (document.text, document.encoding) == (words, named)


# --- untrusted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 20_000 + "Deep text.",
        "<b>" * 20_000 + "Deep text.",
        "<ul><li>" * 5_000 + "Deep text.",
        "<table><tr><td>" * 3_000 + "Deep text.",
        '<!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b "&a;&a;">]><p>A text. &b;</p>',
        "<table><tr><td colspan=99999999 rowspan=99999999>A<td>B</table>" * 3,
        "<p>A\x00B &#0; &#xD800; &#27;[31m &#12; &#xFFFE; red</p>",
        "<",
        "<!-- only",
    ],
    ids=["div", "b", "li", "table", "entities", "spans", "control", "angle", "comment"],
)
def test_hostile_pages_are_read_or_refused(page):
    with contextlib.suppress(DocumentError):
        assert "boom" not in read(page).text


TAGS = [
    "<p>", "</p>", "<div>", "<b>", "</b>", "<li>", "<ul>", "</ul>", "<table>", "<tr>", "<td>", "<br>", "<h2>", "</h2>",
    "<sup>", "</sup>", '<a href="#n">', "</a>", '<p id="n">', "<pre>", "1", "word ", "\n", "&shy;", "é", "\xa0",
]  # fmt: skip


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(TAGS), max_size=25))
def test_any_page_is_divided_without_loss(pieces):
    try:
        document = read("".join(pieces))
    except DocumentError:
        return  # nothing to quote in it
    assert_blocks_partition(document)


@given(
    st.lists(st.builds(Part, st.sampled_from(BlockKind), st.text("aB \n\t\xad\x1b\ufeff\xa0é", max_size=8)), max_size=8)
)
def test_any_parts_are_composed_without_loss(parts):
    text, blocks, _ = compose(parts)
    position = 0
    for block in blocks:
        assert is_blank(text[position : block.span.start])
        assert not is_blank(text[block.span.start : block.span.end])
        position = block.span.end
    assert is_blank(text[position:])
    shown = [c for part in parts for c in part.text if c not in "\xad\ufeff\x1b" and not c.isspace()]
    assert [c for c in text if c != "\ufeff" and not c.isspace()] == shown


# --- end to end ----------------------------------------------------------------------------------------------


def test_a_page_answers_with_an_exact_span(settings: Settings, encoder):
    (settings.corpus / "drill.html").write_text(PAGE, "utf-8")
    ingest.build_index(settings, encoder=encoder)
    with Session.open(settings, encoder=encoder) as session:
        first = session.ask("backups missing in two of the five ministries").passages[0]
    assert first.citation.document == "drill.html"
    assert (first.citation.reader, first.citation.year) == ("html/1", 2021)
    assert first.citation.section == ("Cyber drill in the valley", "What was found")
    assert read(PAGE).text[first.location.start : first.location.end] == first.text
    assert first.location.line_start is None
