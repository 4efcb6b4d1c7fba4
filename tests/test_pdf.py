"""PDFs to documents: true text, true pages, and structure by geometry and type."""

import io
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_pdf
from cyberqa.documents import repairs
from cyberqa.documents.pdf import layer, read_pdf, second
from cyberqa.documents.repairs import WitnessedWords
from cyberqa.documents.structure import heading_text
from cyberqa.errors import DocumentError
from cyberqa.location import page_ranges
from cyberqa.types import BlockKind, Document, Repair
from pdf_kit import BOLD, MAPPED, column, draw, grid, text, with_bookmarks
from test_documents import assert_blocks_partition, read, texts

PROSE = [
    "The harbour of Vlora was closed in March because the cranes that had",
    "been ordered in the year before were not delivered by the company in",
    "time and nobody in the ministry had thought of asking for others.",
]


def read_drawn(*pages: list[str], title: str | None = None) -> Document:
    document = read(draw(pages, title), "a.pdf")
    assert_blocks_partition(document)
    for block in document.blocks:
        assert any(page.span.start <= block.span.start and block.span.end <= page.span.end for page in document.pages)
    return document


def kinds(document: Document) -> list[tuple[str, str]]:
    return [(b.kind.value, document.text[b.span.start : b.span.end]) for b in document.blocks]


def headings(document: Document) -> list[tuple[int, str]]:
    return [(b.level, heading_text(document.text, b)) for b in document.blocks if b.kind is BlockKind.HEADING]


# --- PDF -----------------------------------------------------------------------------------------------------


def test_pdf_gives_text_pages_and_title():
    document = read(
        make_pdf([["Page one speaks of Tirana."], ["Page two speaks of Skopje."]], title="Two pages"), "a.pdf"
    )
    assert document.title == "Two pages"
    assert [document.text[p.span.start : p.span.end] for p in document.pages] == [
        "Page one speaks of Tirana.",
        "Page two speaks of Skopje.",
    ]
    assert [p.number for p in document.pages] == [1, 2]
    assert not document.has_lines
    assert_blocks_partition(document)


def test_pdf_headings_are_found_though_no_blank_line_parts_them():
    pages = [["1 Start", "Some text stands here.", "1.1 Albania", "It has a team."], ["1.2 Serbia", "It has another."]]
    document = read(make_pdf(pages), "a.pdf")
    assert [heading_text(document.text, b) for b in document.blocks if b.kind is BlockKind.HEADING] == [
        "1 Start",
        "1.1 Albania",
        "1.2 Serbia",
    ]


def test_pdf_hyphens_at_line_ends_stay_with_their_line_end():
    document = read(make_pdf([["It is a well-", "known fact of the com-", "prehensive plan."]]), "a.pdf")
    assert document.text == "It is a well-\nknown fact of the com-\nprehensive plan."


def test_pdf_titles_that_programs_make_up_are_no_titles():
    assert (
        read(make_pdf([["Port report", "The harbour was closed."]], title="untitled"), "a.pdf").title == "Port report"
    )


def encrypted(password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf([["A locked page of text."]]))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_pdf_encrypted_with_an_empty_password_is_read():
    assert "A locked page of text." in read(encrypted(""), "a.pdf").text


def test_pdf_encrypted_with_another_password_is_refused_with_the_reason():
    with pytest.raises(DocumentError, match="password"):
        read(encrypted("secret"), "a.pdf")


def test_pdf_without_text_is_refused_with_advice():
    with pytest.raises(DocumentError, match="OCR"):
        read(make_pdf([[], []]), "scan.pdf")


def test_a_pdf_without_page_labels_has_none_made_up():
    assert [page.label for page in read(make_pdf([["One."], ["Two."]]), "a.pdf").pages] == [None, None]


def test_a_page_label_is_one_line():
    """What prints a citation must not be made to print another."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=io.BytesIO(make_pdf([["One."]])))
    writer.set_page_label(0, 0, prefix="7)\n\n 1. Another report - page ", style="/D")
    buffer = io.BytesIO()
    writer.write(buffer)
    assert [page.label for page in read(buffer.getvalue(), "a.pdf").pages] == ["7) 1. Another report - page 1"]


def test_pdf_page_labels_are_read():
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf([["Preface text."], ["Body text."]]))))
    writer.set_page_label(0, 0, style="/r")
    writer.set_page_label(1, 1, style="/D", start=1)
    buffer = io.BytesIO()
    writer.write(buffer)
    assert [p.label for p in read(buffer.getvalue(), "a.pdf").pages] == ["i", "1"]


# --- pages that cannot be read ---------------------------------------------------------------------------------


def test_a_damaged_page_costs_that_page_only():
    data = draw([column(PROSE), column(["This page will be lost."]), column(["The last page stays."])])
    page = b"/Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 9 0 R"
    data = data.replace(page, b"/Type /Nonsense".ljust(len(page)))
    assert b"Nonsense" in data
    document = read(data, "a.pdf")
    assert [document.text[p.span.start : p.span.end] for p in document.pages][::2] == [
        "\n".join(PROSE),
        "The last page stays.",
    ]
    assert len(document.pages) == 3
    assert any(warning.startswith("page 2 ") for warning in document.warnings)


def test_pages_without_text_are_named():
    document = read_drawn([], column(PROSE), [], [])
    assert document.warnings == ("pages 1, 3-4 look scanned or have no readable text layer: run OCR, e.g. ocrmypdf",)


@pytest.mark.parametrize("code", ["\x82\x82", "\x83\x83x"])
def test_a_text_layer_of_signs_that_mean_nothing_is_none(code):
    garbled = [text(72, 700, f"{code} {code} the", font=MAPPED)]
    document = read_drawn(column(PROSE), garbled)
    assert document.text == "\n".join(PROSE) + "\n\f"
    assert "page 2 looks scanned" in document.warnings[0]
    with pytest.raises(DocumentError, match="OCR"):
        read_drawn(garbled)


def test_lines_that_can_be_read_are_kept_beside_lines_of_signs_that_mean_nothing():
    signs = [text(72, 500 - 12 * n, "\x84\x84\x84\x84 \x84\x84\x84", font=MAPPED) for n in range(9)]
    document = read_drawn([*column(PROSE), *signs], column(PROSE))
    assert document.text == "\n".join(PROSE) + "\n\f" + "\n".join(PROSE)
    assert document.warnings[0].startswith("page 1: some of the text is signs that mean nothing")
    assert not any("scanned" in warning for warning in document.warnings)


def test_the_number_of_a_page_does_not_make_a_text_layer_of_signs():
    signs = [text(72, 500 - 12 * n, "\x84\x84\x84\x84 \x84\x84\x84", font=MAPPED) for n in range(9)]
    document = read_drawn(column(PROSE), [*signs, text(280, 30, "Page 12 of 60")])
    assert document.warnings == ("page 2 looks scanned or has no readable text layer: run OCR, e.g. ocrmypdf",)


def test_signs_beyond_the_first_plane_are_whole():
    assert read_drawn([text(72, 700, "A lock \x86 and a key", font=MAPPED)]).text == "A lock \U0001f512 and a key"


def test_text_outside_of_what_a_viewer_shows_is_not_read():
    cut = text(-40, 600, "Hidden from the eye of the reader, and shown from here on.")
    document = read_drawn([*column(PROSE), cut, text(-400, 580, "Wholly outside"), text(72, 900, "Too high")])
    assert document.text.startswith("\n".join(PROSE) + "\n")
    rest = document.text.removeprefix("\n".join(PROSE) + "\n")
    assert "Hidden from the eye of the reader, and shown from here on.".endswith(rest)
    assert "and shown from here on." in rest
    assert "Hidden" not in rest


def test_glyph_names_are_no_text_and_a_bullet_of_a_symbol_font_is():
    assert not layer.is_readable("/0 /i255/2 /i255/3 the")
    assert layer.is_readable("see /2016/3 in the folder a/b")
    assert layer.is_readable("\uf0b7 one \uf0b7 two")


@given(st.sets(st.integers(1, 60)))
def test_ranges_say_each_number_once(numbers):
    said = [part.split("-") for part in page_ranges(numbers).split(", ") if part]
    assert [n for part in said for n in range(int(part[0]), int(part[-1]) + 1)] == sorted(numbers)


# --- second opinion --------------------------------------------------------------------------------------------


def test_agreement_heeds_words_and_not_spaces_hyphens_or_order():
    one = "The ministry adopted a comprehensive strategy in 2021."
    assert second.agreement(one, "The mini stry adopt\ned a compre-\nhensive strategyin 2021 .") == 1.0
    assert second.agreement(one, "The ministry adopted a strategy.") < second.MIN_AGREEMENT
    assert second.agreement("", "") == 1.0
    assert second.agreement(one, "") == 0.0


def test_pages_are_compared_evenly_and_the_same_ones_each_time():
    pages = second.compared_pages(1000)
    assert pages == list(range(0, 1000, 1000 // second.MAX_COMPARED_PAGES))
    assert second.compared_pages(3) == [0, 1, 2]


def test_a_page_on_which_the_readers_disagree_is_named(monkeypatch):
    monkeypatch.setattr(second.SecondReader, "page_text", lambda self, index: " ".join(PROSE[: index + 1]))
    document = read_drawn(column(PROSE), column([*PROSE[:2], ""]))
    assert document.warnings == (
        "page 1: the two PDF readers disagree (word agreement "
        f"{second.agreement(PROSE[0], ' '.join(PROSE)):.2f}); check quotations against the page".replace("0.", "."),
    )


# --- repairs ---------------------------------------------------------------------------------------------------


def test_soft_hyphens_that_are_drawn_are_hyphens_and_repairs_are_counted_per_page():
    mended = [text(72, 700, "The \x80rst co\x81operation of the of\x80ce.", font=MAPPED)]
    document = read_drawn(column(PROSE), mended)
    assert document.text.split("\f")[1] == "The first co-operation of the office."
    assert document.repairs == (Repair("soft hyphen", 2, 1),), "pdfium writes ligatures out by itself"


def test_hyphens_at_line_ends_go_only_where_the_word_stands_elsewhere():
    page = column(["The plan is comprehensive and the compre-", "hensive plan is a well-", "known one. So be it."])
    document = read_drawn(page)
    assert document.text == ("The plan is comprehensive and the comprehensive\nplan is a well-\nknown one. So be it.")
    assert document.repairs == (Repair("hyphenation", 1, 1),), "a hyphen that stays is not mended"


def test_a_word_that_is_also_written_with_a_hyphen_keeps_it():
    vocabulary = WitnessedWords([["cooperation", "co-operation and co-operation"]])
    assert repairs.join_hyphenated("the co-", "operation of all", vocabulary) is None
    assert repairs.join_hyphenated("the co-", "operation of all", WitnessedWords([["Cooperation."]])) == (
        "the cooperation",
        "of all",
    )


def test_what_a_line_end_cut_is_no_witness():
    assert not WitnessedWords([["a well-", "known wellknow"]]).words["known"]


def test_lost_spaces_need_witnesses():
    witnesses = ["It has ended. The team has ended. The end, which ended. The law is a law, which law."]
    vocabulary = WitnessedWords([[*witnesses, "it ended.The law,which"]])
    assert repairs.mend_missing_spaces("it ended.The law,which", vocabulary) == ("it ended. The law, which", 2)
    for name in ("node.Js", "‘ended.The’", "www.ended.The", "ended.The.law"):
        assert repairs.mend_missing_spaces(name, WitnessedWords([[*witnesses, name]])) == (name, 0)


def test_doubled_spaces_go_in_prose_and_stay_in_columns():
    prose = "The ministry  has adopted the  new law in March."
    assert repairs.mend_double_spaces(prose) == ("The ministry has adopted the new law in March.", 2)
    for columns in ("Albania   12   yes  no  CERT  none", "the law     is new in  every case of this"):
        assert repairs.mend_double_spaces(columns) == (columns, 0)


ANY_TEXT = st.text(st.sampled_from("aBé .,-‐\xad\x02\x07\ufb01\ufb06\ufffe\n\t①½ﷺ"), max_size=60)


@given(ANY_TEXT)
def test_character_repairs_change_nothing_but_what_they_name(damaged):
    def without(pattern: str, text: str) -> str:
        return re.sub(pattern, "", text)

    ligatures = "[\ufb00-\ufb06]"
    mended, count = repairs.mend_ligatures(damaged)
    assert count == len(re.findall(ligatures, damaged))
    assert mended == damaged.replace("\ufb01", "fi").replace("\ufb06", "st")
    mended, count = repairs.mend_soft_hyphens(damaged)
    assert count == damaged.count("\xad")
    assert without("[-\xad]", mended) == without("[-\xad]", damaged)
    mended, count = repairs.mend_controls(damaged)
    assert mended == without("[\x02\x07\ufffe]", damaged)
    assert len(damaged) - len(mended) == count


WORDS = st.lists(st.sampled_from(["law", "laws", "the", "The", "team", "com-", "mon", "common", "end.The", "x.Y", "–"]))


@given(st.lists(st.tuples(WORDS, st.sampled_from([" ", "  ", "   "])).map(lambda t: t[1].join(t[0])), max_size=6))
def test_word_repairs_change_nothing_but_spaces_and_hyphens_at_line_ends(lines):
    vocabulary = WitnessedWords([lines])
    for line in lines:
        for mended, count in (repairs.mend_double_spaces(line), repairs.mend_missing_spaces(line, vocabulary)):
            assert mended.replace(" ", "") == line.replace(" ", "")
            assert (count == 0) == (mended == line)
    for upper, lower in pairwise(lines):
        joined = repairs.join_hyphenated(upper, lower, vocabulary)
        if joined:
            assert re.sub(r"\s", "", "".join(joined)) == re.sub(r"\s", "", upper[:-1] + lower)
            assert upper.endswith("-")


# --- structure -------------------------------------------------------------------------------------------------


def page_of(number: int, *body: str, notes: list[str] | None = None) -> list[str]:
    return [
        text(72, 800, f"{'Port report' if number % 2 else 'Ministry of Transport'}", 8),
        *body,
        *(notes or []),
        text(280, 30, f"Page {number} of 60", 8),
    ]


@pytest.mark.parametrize("heading", ["{} Country{}", "Chapter {}", "{}"])
def test_a_large_heading_that_counts_with_the_pages_is_no_running_header(heading):
    """One profile a page, "1 Albania", "2 Serbia": its number is as far from the page's as that of a footer."""
    pages = [
        [text(72, 790, heading.format(number, "abcdef"[number]), 16), *column(PROSE, top=760)] for number in range(1, 6)
    ]
    tops = [heading.format(number, "abcdef"[number]) for number in range(1, 6)]
    found = [said for kind, said in kinds(read_drawn(*pages)) if kind == "running" and said in tops]
    assert found == (tops if heading == "{}" else [])  # a number alone is that of the page, whatever its size


def test_headers_and_footers_run_on_three_pages_or_more_also_alternating():
    pages = [
        page_of(number, *column([f"{name} is the first word here.", *PROSE]))
        for number, name in enumerate(["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta"], 1)
    ]
    document = read_drawn(*pages)
    running = [text for kind, text in kinds(document) if kind == "running"]
    assert len(running) == 12
    assert running[:2] == ["Port report", "Page 1 of 60"]
    two = read_drawn(*pages[:2])
    assert BlockKind.RUNNING not in {block.kind for block in two.blocks}


LISTING = ["Average jitter = {} seconds", "Bytes received = {}", "Average rate = {} packets"]


def test_lines_that_return_at_a_page_end_are_no_footers_where_they_belong_to_the_text():
    listing = [line.format(n) for n in range(14) for line in LISTING] + ["Average jitter = 3 seconds"]
    top = 60 + 12 * (len(listing) - 1)
    document = read_drawn(*([*column(listing, top=top), text(280, 30, f"{n} of many", 10)] for n in range(1, 5)))
    assert texts(document, BlockKind.RUNNING) == [f"{n} of many" for n in range(1, 5)]


def test_a_last_line_that_returns_on_some_pages_is_no_footer_unless_it_stands_apart():
    def read_pages(gap: float) -> Document:
        body = [[f"{page}{line} has a law of its own" for line in "abcdefgh"] for page in "abcdefghij"]
        last = ["Each harbour has one." if page < 3 else f"{lines[0]} still" for page, lines in enumerate(body)]
        return read_drawn(
            *([*column(lines, top=60 + gap + 84), text(72, 60, end)] for lines, end in zip(body, last, strict=True))
        )

    assert texts(read_pages(12), BlockKind.RUNNING) == []
    assert texts(read_pages(30), BlockKind.RUNNING) == ["Each harbour has one."] * 3


def test_what_stands_elsewhere_as_often_is_no_header_and_a_bullet_is_none_either():
    pages = [
        [text(72, 800, "Total", 10), *column([name, "Total", "Total"])] for name in ("Vlora", "Bar", "Ploce", "Rijeka")
    ]
    assert texts(read_drawn(*pages), BlockKind.RUNNING) == []
    bullets = [[text(72, 800, "-", 10), *column([name, *PROSE])] for name in ("Vlora", "Bar", "Durres")]
    assert texts(read_drawn(*bullets), BlockKind.RUNNING) == []


def test_footnotes_come_in_the_order_in_which_they_stand():
    notes = [text(72, 60 + 12 * (3 - n), f"{n} See the gazette of the year.", 7) for n in (3, 2, 1)]
    document = read_drawn([*column(PROSE), *notes])
    assert texts(document, BlockKind.FOOTNOTE) == [f"{n} See the gazette of the year." for n in (1, 2, 3)]


def test_a_mark_that_opens_a_line_of_its_own_belongs_to_the_sentence_above():
    above, below = text(72, 700, "The law was adopted in the year of the flood."), text(72, 676, "It was not kept.")
    reading = read_pdf(draw([[above, text(72, 691, "12", 5), below]]))
    assert [reading.text[mark.start : mark.end] for mark in reading.marks] == ["12"]
    assert reading.text[: reading.blocks[0].span.end].endswith("flood.\n12")


def test_footnotes_stand_at_the_foot_smaller_and_open_with_their_number():
    body = [text(72, 700, "The law was adopted in 2014", 10), text(204, 704, "12", 6), text(212, 700, "and soon", 10)]
    notes = [
        text(72, 80, "12", 5),
        text(79, 78, "See the gazette of the year, where it", 8),
        text(72, 69, "2015 was printed.", 8),
        text(72, 60, "13", 5),
        text(79, 58, "ibid.", 8),
    ]
    notes[0], notes[3] = text(72, 81, "12", 5), text(72, 61, "13", 5)
    data = draw([[*body, *column(PROSE, top=688), *notes]])
    document = read(data, "a.pdf")
    assert texts(document, BlockKind.FOOTNOTE) == [
        "12 See the gazette of the year, where it\n2015 was printed.",
        "13 ibid.",
    ]
    reading = read_pdf(data)
    assert [reading.text[mark.start : mark.end] for mark in reading.marks] == ["12", "12", "13"]
    assert reading.text.startswith("The law was adopted in 201412"), "the text is not altered"


def test_paragraphs_are_parted_by_short_last_lines_and_gaps():
    closed = column([*PROSE, *PROSE])
    assert [words for _, words in kinds(read_drawn(closed))] == ["\n".join(PROSE)] * 2
    open_ended = PROSE[:2]
    together = column([*open_ended, *open_ended])
    assert len(read_drawn(together).blocks) == 1
    apart = [*column(open_ended), *column(open_ended, top=668)]
    assert len(read_drawn(apart).blocks) == 2


def test_an_indent_opens_a_paragraph_after_a_sentence():
    ended = [PROSE[1], PROSE[0] + "."]
    page = [*column(ended), text(90, 676, PROSE[0]), *column(PROSE[1:], top=664)]
    assert [words.count("\n") for _, words in kinds(read_drawn(page))] == [1, 2]


def test_headings_are_larger_or_bolder_and_take_their_levels_from_size():
    page = [
        text(72, 780, "Harbours of the coast", 24),
        text(72, 740, "State of play", 16),
        *column(PROSE, top=715),
        text(72, 660, "Vlora", 12, BOLD),
        *column(PROSE, top=645),
        text(72, 590, "Outlook", 16),
        *column(PROSE, top=570),
    ]
    document = read_drawn(page)
    assert document.title == "Harbours of the coast"
    assert headings(document) == [(0, "Harbours of the coast"), (1, "State of play"), (2, "Vlora"), (1, "Outlook")]


def test_a_bold_line_of_the_size_of_the_body_is_a_heading_however_long_it_is():
    names = ["Port of Durres, Albania", "Port of Vlora, the Association of the Harbours of the southern coast"]
    page = [text(72, 780, "About the ports", 16)]
    for top, name in zip((740, 680), names, strict=True):
        page += [text(72, top, name, 10, BOLD), *column(PROSE, top=top - 13)]
    assert headings(read_drawn(page)) == [(0, "About the ports"), (1, names[0]), (1, names[1])]


def test_bold_words_that_fill_a_line_of_a_paragraph_are_no_heading():
    page = [*column(PROSE[:1]), text(72, 688, PROSE[1][:-4], 10, BOLD), *column(PROSE[2:], top=676)]
    assert len(read_drawn(page).blocks) == 1


def test_bookmarks_name_headings_in_the_type_of_the_body():
    pages = [column(["Purpose of the", "report", *PROSE]), column([*PROSE, "Ports", *PROSE])]
    data = with_bookmarks(draw(pages), [("1. Purpose of the report", 1, 0), ("Ports", 2, 1), ("Elsewhere", 1, 1)])
    assert headings(read(data, "a.pdf")) == [(1, "Purpose of the report"), (2, "Ports")]


def test_contents_pages_are_known_though_entries_wrap_and_pages_end():
    entries = [
        "1 Start . . . . . . . 1",
        "2 A very long title that",
        "needs two lines . . . . . 2",
        "3 Ports . . . . . 3",
        "4 Airports . . . . . 9",
    ]
    document = read_drawn(column(["Contents", *entries[:3]]), column(entries[3:]), column(["Ports", *PROSE]))
    assert texts(document, BlockKind.CONTENTS) == ["\n".join(["Contents", *entries[:3]]), "\n".join(entries[3:])]


def test_two_columns_are_read_one_after_the_other():
    left, right = [f"left {n} goes on and" for n in range(9)], [f"right {n} goes on and" for n in range(9)]
    document = read_drawn([*column(left, x=60), *column(right, x=310)])
    assert document.text == "\n".join(left + right)
    assert len(document.blocks) == 1


def test_a_ruled_table_becomes_rows_of_cells_and_its_caption_stays_before():
    cells = [["Country", "Law", ""], ["Albania", "adopted in", "2014"], ["Kosovo", "", "-/+"]]
    words = [
        text(75 + 100 * c, 604 - 30 * r, cell) for r, row in enumerate(cells) for c, cell in enumerate(row) if cell
    ]
    words.append(text(175, 563, "two readings"))
    page = [
        *column(PROSE),
        text(72, 640, "Table 1: Laws"),
        *words,
        *grid([70, 170, 270, 370], [620, 590, 560, 530]),
        *column(PROSE, top=500),
    ]
    document = read_drawn(page)
    found = kinds(document)
    table = [text for kind, text in found if kind == "table"]
    assert table == ["Country\tLaw\t\nAlbania\tadopted in two readings\t2014\nKosovo\t\t-/+"]
    assert found[[kind for kind, _ in found].index("table") - 1][1].endswith("Table 1: Laws")


def test_rules_that_run_through_words_make_no_table():
    page = [*column(PROSE), *grid([60, 130, 200, 300, 400, 500], [720, 709, 696.5, 684.5, 670])]
    assert [kind for kind, _ in kinds(read_drawn(page))] == ["paragraph"]


def test_a_box_around_text_is_no_table():
    page = [*column(PROSE), *grid([60, 500], [720, 650])]
    assert [kind for kind, _ in kinds(read_drawn(page))] == ["paragraph"]


@pytest.mark.parametrize(
    "name",
    [
        "untitled",
        "Microsoft Word - plan.doc",
        "plan_final.indd",
        "report.pdf",
        "(anonymous)",
        "Document1",
        "C:\\\\a\\\\b",
    ],
)
def test_titles_of_programs_give_way_to_the_largest_type(name):
    page = [text(72, 780, "Harbours of", 24), text(72, 750, "the coast", 24), *column(PROSE)]
    assert read_drawn(page, title=name).title == "Harbours of the coast"


def test_a_title_of_its_own_is_kept():
    assert read_drawn(column(PROSE), title="Vlora 2020: a report").title == "Vlora 2020: a report"


@given(st.lists(st.lists(st.text(st.sampled_from("aB1 .-"), max_size=12), max_size=5), min_size=1, max_size=4))
def test_any_pages_are_divided_without_loss(pages):
    try:
        document = read_drawn(*(column(lines) for lines in pages))
    except DocumentError:
        return  # nothing to quote in it
    shown = [document.text[p.span.start : p.span.end] for p in document.pages]
    assert [re.sub(r"[\s-]", "", page) for page in shown] == [re.sub(r"[\s-]", "", "".join(x)) for x in pages]
