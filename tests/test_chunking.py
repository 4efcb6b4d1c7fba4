"""Documents to chunks: nothing lost, nothing doubled, nothing cut where it need not be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import CORPUS, FakeEncoder, make_pdf
from cyberqa.chunking import MAX_CHARS, MAX_JOINED_CHARS, MIN_CHARS, chunk_document
from cyberqa.documents import read_document
from cyberqa.embedding import Encoder, load_encoder
from cyberqa.errors import DocumentError
from cyberqa.matching import matched_text, trail_text
from cyberqa.sentences import split_sentences
from cyberqa.settings import Settings
from cyberqa.types import Block, BlockKind, Chunk, Document, Span
from test_documents import BALKANS, REPORTS, read

SIZES = (400, 600, 700, 800, 900)
QUOTED = (BlockKind.PARAGRAPH, BlockKind.LIST, BlockKind.TABLE, BlockKind.FOOTNOTE)


@pytest.fixture(scope="module")
def model() -> Encoder:
    return load_encoder(Settings())


def chunks_of(document: Document, encoder: Encoder, size: int = 600) -> list[Chunk]:
    return chunk_document(
        document, size_chars=size, count_tokens=encoder.count_tokens, window_tokens=encoder.info.window_tokens
    )


def assert_chunks_hold(document: Document, chunks: list[Chunk], encoder: Encoder) -> None:
    """The promises of CONTRACT.md, for any document whatever."""
    quoted = [0] * len(document.text)
    for block in document.blocks:
        if block.kind in QUOTED:
            for position in range(block.span.start, block.span.end):
                quoted[position] = 1
    covered = [0] * len(document.text)
    position = 0
    for chunk in chunks:
        assert chunk.span.start >= position, "spans in order, without overlap"
        position = chunk.span.end
        if chunk.continuation:
            assert chunk.continuation.start >= chunk.span.end
            for at in range(chunk.continuation.start, chunk.continuation.end):
                covered[at] += 1
        assert chunk.sentences[0].start == chunk.span.start
        assert chunk.sentences[-1].end == chunk.span.end
        assert not document.text[chunk.span.start].isspace() or chunk.kind is BlockKind.TABLE
        assert not document.text[chunk.span.end - 1].isspace()
        for at in range(chunk.span.start, chunk.span.end):
            covered[at] += 1
        assert (
            sum(page.span.start < chunk.span.end and chunk.span.start < page.span.end for page in document.pages) <= 1
        )
        window = encoder.info.window_tokens
        trail = trail_text(document.title, chunk.section, encoder.count_tokens, window)
        assert encoder.count_tokens(matched_text(document, chunk, trail).text) <= window
    for at, character in enumerate(document.text):
        if not character.isspace() and character != "\ufeff":
            assert covered[at] == quoted[at], f"character {at} {character!r}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("id_", REPORTS)
def test_promises_hold_on_every_report(id_, size, model):
    assert_chunks_hold(REPORTS[id_], chunks_of(REPORTS[id_], model, size), model)


def test_promises_hold_on_a_pdf(model):
    page = ["1 Start", *["A line of text that speaks of the region at length, and goes on."] * 30]
    document = read(make_pdf([page, page[1:], ["2 End", "Last words."]]), "a.pdf")
    chunks = chunks_of(document, model)
    assert_chunks_hold(document, chunks, model)
    assert [chunk.section for chunk in chunks][-1] == ("2 End",)


texts = st.text(alphabet=st.sampled_from("aAbé漢. .\n\n\n-1²:;,\t#|*\ufeff\r"), max_size=400)
words = st.lists(
    st.sampled_from(["Tirana", "law.", "e.g.", "no. 1106", "x" * 300, "\n\n", "- item", "²note"]), max_size=150
)


@settings(deadline=None, max_examples=150)
@given(text=texts | words.map(" ".join), name=st.sampled_from(["a.txt", "a.md", "a.csv"]), size=st.sampled_from(SIZES))
def test_promises_hold_on_any_text(text, name, size):
    encoder = FakeEncoder()
    try:
        document = read_document(name, text.encode())
    except DocumentError:
        return  # nothing to quote in it
    assert_chunks_hold(document, chunks_of(document, encoder, size), encoder)


@pytest.mark.parametrize("size", SIZES)
def test_prose_comes_in_300_to_900_characters_where_the_section_has_that_much(size, model):
    chunks = [c for c in chunks_of(BALKANS, model, size) if c.kind in (BlockKind.PARAGRAPH, BlockKind.LIST)]
    for before, chunk, after in zip([None, *chunks], chunks, [*chunks[1:], None], strict=False):
        assert len(chunk.span) <= MAX_JOINED_CHARS
        if len(chunk.span) + len(chunk.continuation or ()) < MIN_CHARS:
            for near in (before, after):
                gap_is_empty = (
                    near
                    and not BALKANS.text[
                        min(near.span.end, chunk.span.end) : max(near.span.start, chunk.span.start)
                    ].strip()
                )
                assert not gap_is_empty or near.section != chunk.section, "a short remainder joins its neighbour"
    assert sum(len(c.span) <= MAX_CHARS for c in chunks) / len(chunks) > 0.99


def test_a_chunk_knows_the_headings_above_it(model):
    chunk = next(c for c in chunks_of(BALKANS, model) if "USAID's Albanian" in BALKANS.text[c.span.start : c.span.end])
    assert chunk.section == ("4 State of play in the Western Balkans", "4.1 Albania")


def test_the_contents_page_is_in_no_chunk(model):
    contents = [b.span for b in BALKANS.blocks if b.kind is BlockKind.CONTENTS]
    for chunk in chunks_of(BALKANS, model):
        assert all(chunk.span.end <= span.start or span.end <= chunk.span.start for span in contents)


def test_a_long_trail_loses_its_outer_parts_and_leaves_room_for_the_text():
    encoder = FakeEncoder()
    trail = trail_text("one two three four five six", ["seven " * 8, "eight nine"], encoder.count_tokens, 32)
    assert trail == "eight nine\n"
    assert encoder.count_tokens(trail_text("word " * 500, [], encoder.count_tokens, 32)) <= 8


# --- sentences -----------------------------------------------------------------------------------------------


def sentences(text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> list[str]:
    return [text[s.start : s.end] for s in split_sentences(text, Block(kind, Span(0, len(text))))]


@pytest.mark.parametrize(
    "text",
    [
        "Then Mr. Igli Tafa thanked the ministry.",
        "Some bodies, e.g. the agency, took part.",
        "Law no. 1106 was adopted by the parliament.",
        "Regulation (EC) no. 460/2004 repealed Art. 12 para. 3 of the act.",
        "See S. Barakovic et al., vol. 32, pp. 5-9.",
    ],
)
def test_abbreviations_do_not_end_a_sentence(text):
    assert sentences(text) == [text]


def test_footnote_marks_stay_with_the_sentence_before_them():
    assert sentences("It was adopted in 2013.¹² The next one followed.") == [
        "It was adopted in 2013.¹²",
        "The next one followed.",
    ]
    assert sentences("It gives training. [\nx] Through AKCESK, it signed.") == [
        "It gives training. [\nx]",
        "Through AKCESK, it signed.",
    ]


def test_marks_in_plain_digits_end_a_sentence_where_they_are_known():
    text = "It was adopted in 2013 (in March).12 The next one, of 20143 or later, is v.4 Beta.”56\nand so on."
    block = Block(BlockKind.PARAGRAPH, Span(0, len(text)))
    marks = [
        Span(start := text.index(digits), start + length) for digits, length in (("12 ", 2), ("3 or", 1), ("56", 2))
    ]
    assert [text[s.start : s.end] for s in split_sentences(text, block, marks)] == [
        text[: text.index(" The")],
        text[text.index("The next") :],
    ]
    wrapped = "It has ended.\n12\nThe next one follows."
    block, mark = Block(BlockKind.PARAGRAPH, Span(0, len(wrapped))), Span(14, 16)
    assert [wrapped[s.start : s.end] for s in split_sentences(wrapped, block, [mark])] == [
        "It has ended.\n12",
        "The next one follows.",
    ]


def test_many_footnote_marks_do_not_take_for_ever():
    text = "Some text here." + "¹" * 5000 + "x and more words."
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


def test_pieces_that_count_more_together_than_apart_stay_apart():
    """A run of characters cut inside a word may join into other tokens: the window holds all the same."""

    class Joining(FakeEncoder):
        def count_tokens(self, text):
            return len(text) // 10 + (20 if len(text) > 400 else 0)

    document = read("x" * 3000 + " " + "word " * 200)
    assert_chunks_hold(document, chunks_of(document, Joining(), 900), Joining())


def test_items_of_a_list_and_rows_of_a_table_stand_alone():
    assert sentences("- one thing\n- another\n  goes on\n- third", BlockKind.LIST) == [
        "- one thing",
        "- another\n  goes on",
        "- third",
    ]
    assert sentences("a\tb\nc\td", BlockKind.TABLE) == ["a\tb", "c\td"]


def test_no_sentence_of_the_corpus_is_lost_or_doubled():
    assert CORPUS.is_dir()
    for document in REPORTS.values():
        for block in document.blocks:
            spans = split_sentences(document.text, block)
            assert spans == sorted(spans)
            joined = "".join(document.text[s.start : s.end] for s in spans)
            assert "".join(joined.split()) == "".join(document.text[block.span.start : block.span.end].split())


def test_a_number_in_brackets_that_is_glued_to_a_sentence_is_its_mark():
    text = "Copies are kept off-site.(1) The Centre advises it. He agreed. (2) The second item follows."
    assert sentences(text)[:2] == ["Copies are kept off-site.(1)", "The Centre advises it."]
