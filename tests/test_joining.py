"""What a page's end parts is tied together again: sentences cut in two, footnotes and their marks, tables."""

from dataclasses import replace

from conftest import FakeEncoder
from cyberqa.chunking import MAX_JOINED_CHARS
from cyberqa.documents.joining import find_continuations, link_footnotes, plain_marks
from cyberqa.ingest import build_index
from cyberqa.matching import matched_text
from cyberqa.session import Session
from cyberqa.types import Block, BlockKind, Span
from test_chunking import chunks_of
from test_documents import BALKANS, read

CUT = """4 Law

The agency was set up in 2019 with the help of the ministry, and trains² the teams of

² See the annual report of the agency.

³ ibid.

the northern districts every spring. A second sentence follows here and is complete.
"""


def text_of(document, span):
    return document.text[span.start : span.end]


def test_a_sentence_cut_by_footnotes_is_one_for_matching_and_comes_as_passage_and_continuation():
    document = read(CUT)
    first, *rest = chunks_of(document, FakeEncoder())
    assert text_of(document, first.span).endswith("trains² the teams of")
    assert text_of(document, first.continuation) == "the northern districts every spring."
    assert matched_text(document, first, "").text.endswith("the teams of the northern districts every spring.")
    assert text_of(document, rest[-1].span) == "A second sentence follows here and is complete."


def test_the_answer_shows_continuation_and_notes(settings):
    (settings.corpus / "cut.txt").write_text(CUT, "utf-8")
    build_index(settings, encoder=FakeEncoder())
    with Session.open(settings, FakeEncoder()) as session:
        answer = session.ask("who trains the teams of the northern districts")
    first = answer.passages[0]
    assert first.continuation.text == "the northern districts every spring."
    assert [(note.label, note.text) for note in first.notes] == [("2", "² See the annual report of the agency.")]


def test_all_sentences_that_footnotes_cut_in_the_long_report_are_joined():
    cut = find_continuations(BALKANS.text, BALKANS.blocks)
    parted = [(a, b) for a, b in cut.items() if BALKANS.blocks[a + 1].kind is BlockKind.FOOTNOTE]
    ends = [text_of(BALKANS, BALKANS.blocks[a].span)[-25:] for a, _ in parted]
    assert len(parted) == 26
    assert "training workshops provided"[-25:] in ends


def test_a_list_item_a_heading_or_a_finished_sentence_does_not_go_on():
    for after in ("- an item of its own", "1) first", "2 Next chapter\n\ntext"):
        document = read(f"Report\n\n1 Law\n\nThis line has forty characters and no full stop\n\n² Note.\n\n{after}\n")
        assert find_continuations(document.text, document.blocks) == {}
    document = read("Report\n\n1 Law\n\nThis line has forty characters and a full stop.\n\n² Note.\n\nand so on.\n")
    assert find_continuations(document.text, document.blocks) == {}


def test_a_name_in_a_list_of_names_is_no_half_sentence():
    document = read("4 Authors\n\nSome Body, Institute of Something or Other\n\nNobody Else, also of somewhere\n")
    assert find_continuations(document.text, document.blocks) == {}


def test_a_blank_line_inside_a_sentence_leaves_it_one_sentence():
    document = read(
        "Report\n\n1 Law\n\nThe law names the bodies that are asked\n\n(such as the teams) before it is changed.\n"
    )
    (chunk,) = chunks_of(document, FakeEncoder())
    assert [text_of(document, s) for s in chunk.sentences] == [text_of(document, chunk.span)]


def test_a_sentence_too_long_to_join_over_a_blank_line_stays_in_two():
    """640 and 559 characters, and the two ends of line between them: one more than a chunk may have."""
    first, second = "The ministry " + "has " * 156 + "has", "and " + "so " * 184 + "on."
    assert len(first) + 2 + len(second) == MAX_JOINED_CHARS + 1
    document = read(f"Report\n\nIt opens with a sentence.\n\n{first}\n\n{second}\n", "a.txt")
    assert len(find_continuations(document.text, document.blocks)) == 1
    roomy = FakeEncoder()
    roomy.info = replace(roomy.info, window_tokens=2000)
    chunks = chunks_of(document, roomy)
    assert [s for chunk in chunks for s in map(len, chunk.sentences)] == [25, len(first), len(second)]


def test_any_label_that_makes_a_footnote_in_markdown_ties_it():
    text = "# Law\n\nIt was cited.[^n.1] And again.[^a-label-of-more-than-twenty]\n\n"
    document = read(f"{text}[^n.1]: First.\n\n[^a-label-of-more-than-twenty]: Second.\n", "a.md")
    assert [(note.label, note.reference) for note in document.footnotes] == [
        ("n.1", text.index("[^n.1]")),
        ("a-label-of-more-than-twenty", text.index("[^a-label")),
    ]


def test_a_footnote_is_tied_to_the_nearest_mark_before_it_with_its_number():
    document = read(
        "Report\n\n1 A\n\nOne¹ thing.\n\n¹ First note.\n\n2 B\n\nAnother¹ thing².\n\n¹ Again.\n\n² Two.\n\n⁹ Lost.\n"
    )
    found = {text_of(document, f.span): f.reference for f in document.footnotes}
    position = document.text.index
    assert found == {
        "¹ First note.": position("¹ thing.\n\n¹ F"),
        "¹ Again.": position("¹ thing²"),
        "² Two.": position("²."),
        "⁹ Lost.": None,
    }


def test_a_footnote_is_cited_under_the_heading_of_its_mark():
    document = read("Report\n\n1 A\n\nOne¹ thing.\n\n2 B\n\nAnother thing.\n\n¹ First note.\n")
    note = next(c for c in chunks_of(document, FakeEncoder()) if c.kind is BlockKind.FOOTNOTE)
    assert note.section == ("1 A",)


def test_nearly_all_footnotes_of_the_long_report_are_tied():
    """The marks of three are missing from the text as supplied."""
    assert [f.label for f in BALKANS.footnotes if f.reference is None] == ["4", "107", "108"]
    assert len(BALKANS.footnotes) == 179


def test_marks_that_only_the_reader_can_tell_are_taken_from_it():
    text = "Set up in 20193 by law.\n3 See the law."
    blocks = [Block(BlockKind.PARAGRAPH, Span(0, 23)), Block(BlockKind.FOOTNOTE, Span(24, len(text)))]
    assert link_footnotes(text, blocks)[0].reference is None
    assert link_footnotes(text, blocks, [Span(14, 15)])[0].reference == 14


def test_a_sentence_that_ends_in_a_mark_of_plain_digits_does_not_go_on():
    text = "The law was set up in March of the year before.3\n3 See the law.\nTirana has another."
    ends = [text.index("\n3"), text.index("\nT"), len(text)]
    kinds = (BlockKind.PARAGRAPH, BlockKind.FOOTNOTE, BlockKind.PARAGRAPH)
    blocks = [Block(k, Span(s, e)) for k, s, e in zip(kinds, (0, ends[0] + 1, ends[1] + 1), ends, strict=True)]
    mark = Span(ends[0] - 1, ends[0])
    assert plain_marks(text, link_footnotes(text, blocks, [mark])) == (mark,)
    assert find_continuations(text, blocks) == {0: 2}
    assert find_continuations(text, blocks, [mark]) == {}


def test_a_table_is_matched_with_caption_and_header_and_shown_with_them_where_they_adjoin():
    encoder = FakeEncoder()
    encoder.info = replace(encoder.info, window_tokens=254)
    (chunk,) = [c for c in chunks_of(BALKANS, encoder) if c.kind is BlockKind.TABLE]
    assert text_of(BALKANS, chunk.span).startswith("\tALB\tBIH")
    assert "Table 1: Cybersecurity environment" in text_of(BALKANS, chunk.span)


def test_later_rows_of_a_long_table_are_matched_with_the_header_that_is_not_shown():
    rows = "\n".join(f"Country {i}\tyes\tno" for i in range(200))
    document = read(f"Report\n\n1 A\n\nTable 2: Who has what\n\nCountry\tLaw\tTeam\n{rows}\n")
    first, *others = [c for c in chunks_of(document, FakeEncoder()) if c.kind is BlockKind.TABLE]
    assert text_of(document, first.span).startswith("Table 2: Who has what\n\nCountry\tLaw")
    for chunk in others:
        assert "Law" not in text_of(document, chunk.span)
        assert matched_text(document, chunk, "").text.startswith("Table 2: Who has what\nCountry\tLaw\tTeam\nCountry ")


def test_a_header_that_would_fill_the_window_is_left_out():
    document = read("Report\n\n1 A\n\n" + "\t".join(["word word"] * 60) + "\na\tb\tc\n")
    assert all(chunk.context == () for chunk in chunks_of(document, FakeEncoder()))
