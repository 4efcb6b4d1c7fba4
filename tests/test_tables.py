"""Tables: their rows are read as cells, said in sentences, matched by these, and shown as they stand."""

import io
import textwrap
from dataclasses import replace
from pathlib import Path

import docx
import numpy as np
import pytest

from conftest import CORPUS, FakeEncoder
from cyberqa.documents import read_document
from cyberqa.ingest import build_index
from cyberqa.matching import NO_SENTENCE, Matched, sentences_of, trail_text
from cyberqa.session import Session
from cyberqa.settings import load_settings
from cyberqa.tables import views_of_tables
from cyberqa.tables.longforms import LongForms
from cyberqa.tables.rows import Grid, Row, read_grid
from cyberqa.tables.saying import Said, say_rows
from cyberqa.types import BlockKind, Document, Span
from pdf_kit import column, draw, grid, text
from test_chunking import assert_chunks_hold, chunks_of
from test_documents import read

# --- rows ----------------------------------------------------------------------------------------------------


def grid_of(document: Document, span: Span | None = None) -> Grid:
    table = next(block for block in document.blocks if block.kind is BlockKind.TABLE)
    return read_grid(document, table, span or table.span)


def cells(document: Document) -> list[tuple[str, ...]]:
    found = grid_of(document)
    return [found.header, *(row.cells for row in found.rows)]


def test_rows_of_every_make_are_read_as_cells():
    tabs = read("Report\n\n\tALB\tKOS\nLaw\t-\t+\nTeam\t+\t\n")
    assert cells(tabs) == [("", "ALB", "KOS"), ("Law", "-", "+"), ("Team", "+", "")]
    bars = read(
        "| Pier | *Lift* | [Fee](https://x.org) |\n|:--|---|--:|\n| **Long\\|Holm** | `yes` | 3 |\n|  | no |\n", "a.md"
    )
    assert cells(bars) == [("Pier", "Lift", "Fee"), ("Long\\|Holm", "yes", "3"), ("", "no", "")]
    rows = read('Name;Seat;Founded\n"Council; Europe";Strasbourg;1949\n', "a.csv")
    assert cells(rows) == [("Name", "Seat", "Founded"), ("Council; Europe", "Strasbourg", "1949")]
    assert cells(read("Name\tSeat\nUN, the\tGeneva\n", "a.tsv")) == [("Name", "Seat"), ("UN, the", "Geneva")]


def test_rows_that_a_chunk_cuts_are_left_out_and_the_header_is_that_of_the_table():
    document = read("Year,Sum\n2019,400\n2020,500\n2021,600\n", "a.csv")
    start = document.text.index("19,400")
    found = grid_of(document, Span(start, document.text.index("\n2021") + 3))
    assert found == Grid(("Year", "Sum"), (Row(document.text.index("2020"), ("2020", "500")),))


def test_a_table_of_one_row_has_nothing_to_read():
    assert grid_of(read("a,b,c\n", "a.csv")) == Grid()


# --- saying --------------------------------------------------------------------------------------------------


def said(table: str, legend: dict[str, str] | None = None, *, is_english: bool = True) -> list[Said]:
    header, *rows = [tuple(line.split("|")) for line in table.split("\n")]
    made = Grid(header, tuple(Row(place, row) for place, row in enumerate(rows)))
    return say_rows(made, lambda words: words.replace("KOS", "Kosovo"), legend or {}, is_english=is_english)


def test_signs_are_said_both_ways_round():
    (row,) = said("|ALB|KOS|MNE|SRB\nLaw|+|-|-/+|-")
    assert row == Said(
        (
            "Those that have Law: ALB.",
            "Law has ALB.",
            "Those that have no Law: Kosovo, SRB.",
            "Law has no Kosovo, SRB.",
            "Those that have in part Law: MNE.",
            "Law has in part MNE.",
        ),
        "",
    )


def test_what_is_no_sign_follows_its_header():
    assert said("Route|Operator|Fare\nKOS – Stack|Norlink|3.20\nEmpty||") == [
        Said((), "Kosovo – Stack: Operator Norlink, Fare 3.20."),
        Said((), ""),
    ]


def test_a_column_of_signs_is_read_among_columns_of_values_and_a_dash_among_numbers_is_none():
    rows = said("Town|People|Library|Grant\nSouthend|9,000|yes|-\nWestend|400|no|1,000")
    assert [row.signs[0] for row in rows] == [
        "Those that have Southend: Library.",
        "Those that have no Westend: Library.",
    ]
    assert rows[0].values == "Southend: People 9,000, Grant -."
    assert said("Year|a|b\n2019|-|-")[0].signs == ()  # nothing there says that a dash denies


def test_a_cross_marks_unless_there_are_ticks_and_an_empty_box_is_a_no_where_nothing_else_says_no():
    assert said("|a|b\nlaw|x|")[0].signs[0::2] == ("Those that have law: a.", "Those that have no law: b.")
    assert said("|a|b\nlaw|x|✓")[0].signs[0::2] == ("Those that have no law: a.", "Those that have law: b.")
    assert said("|a|b|c\nlaw|✓|✗|")[0].signs[0::2] == ("Those that have law: a.", "Those that have no law: b.")


def test_the_legend_says_what_signs_mean():
    (row,) = said("|East|West|South\nlead|Y|P|P", {"Y": "complies", "P": "delay granted"})
    assert row.signs == (
        "Those that have lead (complies): East.",
        "lead has East.",
        "lead, delay granted: West, South.",
    )


def test_in_another_language_signs_say_nothing():
    assert said("|a|b\nLigji|+|-\nBuxheti|3|4", is_english=False) == [
        Said((), "Ligji: a +, b -."),
        Said((), "Buxheti: a 3, b 4."),
    ]


# --- long forms ----------------------------------------------------------------------------------------------


def test_abbreviations_are_written_out_by_legend_user_document_and_what_is_shipped_in_that_order():
    document = read(
        "Report\n\nThe Trade Facilitation Office (TFO) met. The Coastal Guard Unit (CGU) helped.\n\n"
        "Unit\tTFO\tCGU\tKOS\tXYZ\nLaw\t+\t-\t+\t+\n\nTable 1: Laws. Key: TFO = tax and fees office; + = passed.\n\n"
        + "Filler stands here. " * 60
        + "\n\nThe Central Grain Union (CGU) is another.\n"
    )
    table = next(block for block in document.blocks if block.kind is BlockKind.TABLE)
    forms = LongForms(document, {"XYZ": ("Xylophone Youth Zone",)})
    legend = forms.legend(table)
    assert legend == {"TFO": "tax and fees office", "+": "passed"}
    out = forms.write_out("TFO/CGU: KOS, XYZ and QQQ", table, legend)
    assert out == "tax and fees office/Coastal Guard Unit: Kosovo, Xylophone Youth Zone and QQQ"


# --- views ---------------------------------------------------------------------------------------------------


def views(document: Document, encoder: FakeEncoder) -> list[tuple[Matched, ...]]:
    found = chunks_of(document, encoder)
    window = encoder.info.window_tokens
    trails = [trail_text(document.title, chunk.section, encoder.count_tokens, window) for chunk in found]
    return views_of_tables(document, found, trails, {}, encoder.count_tokens, window)


def wide() -> FakeEncoder:
    encoder = FakeEncoder()
    encoder.info = replace(encoder.info, window_tokens=254)
    return encoder


def introduced(words: str, caption: str = "Table 2: Who has what") -> list[str]:
    document = read(f"Report\n\n1 Laws\n\n{words}\n\n{caption}\n\n\tALB\tKOS\nLaw\t+\t-\n\nTable 3 has more of them.\n")
    (found,) = [each for each in views(document, wide()) if each]
    return [view.text[view.front :].strip() for view in found if view.firsts[0][1] is None]


def test_the_sentence_that_names_a_table_or_leads_to_it_is_matched_with_it():
    assert introduced("Much has changed. Table 2 shows which countries have laws. We go on.") == [
        "Table 2 shows which countries have laws."
    ]
    assert introduced("Much has changed. The laws are listed below.", "") == ["The laws are listed below."]
    assert introduced("Much has changed. These countries have laws:", "") == ["These countries have laws:"]
    assert introduced("Much has changed. See Table 1 for laws. Nothing else is known.") == []


def test_tokens_of_a_row_in_words_belong_to_the_row_and_those_in_front_to_none():
    document = read("Report\n\n1 Laws\n\n\tALB\tKOS\nLaw\t+\t-\nTeam\t-\t+\n")
    encoder = wide()
    (chunk,) = [chunk for chunk in chunks_of(document, encoder) if chunk.kind is BlockKind.TABLE]
    (found,) = [each for each in views(document, encoder) if each]
    assert [document.text[s.start : s.end] for s in chunk.sentences] == ["\tALB\tKOS", "Law\t+\t-", "Team\t-\t+"]
    for place, view in enumerate(found, 1):
        starts = np.array([0, view.front - 2, view.front, len(view.text) - 2])
        assert list(sentences_of(view, starts)) == [NO_SENTENCE, NO_SENTENCE, place, place]


def test_no_view_exceeds_the_window_and_a_chunk_has_few():
    encoder = FakeEncoder()  # a window of 64
    header = "\t".join(f"column number {n}" for n in range(30))
    rows = "\n".join(f"row {n}\t" + "\t".join("+-"[(n + i) % 2] for i in range(30)) for n in range(40))
    document = read(f"Report\n\n1 Laws\n\n\t{header}\n{rows}\n\nword\tword\n" + "a\tb\tc\td\n" * 200)
    for found in views(document, encoder):
        assert all(encoder.count_tokens(view.text) <= 64 for view in found)
        assert len(found) <= 20
    assert any(views(document, encoder))


def test_rows_in_words_are_indexed_and_never_shown(settings):
    (settings.corpus / "laws.txt").write_text("Report\n\n1 Laws\n\n\tALB\tKOS\nLaw\t+\t-\n", "utf-8")
    encoder = FakeEncoder()
    build_index(settings, encoder=encoder)
    assert any("Those that have no Law: Kosovo." in each for each in encoder.encoded)
    with Session.open(settings, encoder=encoder) as session:
        passage = session.ask("those that have no Law: Kosovo").passages[0]
    assert passage.text == "\tALB\tKOS\nLaw\t+\t-"
    assert passage.highlight.text == "Law\t+\t-"


# --- asked as people ask -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        "which countries have no cybersecurity strategy",
        "does Kosovo have a national CERT",
        "which countries have a cybercrime law",
        "does Macedonia have a cybersecurity strategy",
        "which countries in the region lack a cybersecurity law",
        "which Western Balkan countries have public-private partnerships",
        "does Croatia have PPPs in cybersecurity",
    ],
)
def test_table_1_of_the_western_balkans_report_is_found_within_five(session, question):
    texts = [passage.text for passage in session.ask(question).passages]
    assert any("CS/IS Strategy\t-/+\t-/+\t+\t+\t-\t+\t-/+" in each for each in texts)


FERRIES = """# Ferry services of the northern coast

The ferry services of the northern coast carry commuters and pupils between the mainland and eleven islands. Most routes
are run by private operators under contract to the county, which sets fares and the number of crossings each day. Fares
were raised twice in the last decade. On the longer routes crossing times depend on the weather and on the age of the
ship, and the operator of each route receives a subsidy for each crossing.

Table 2 lists the routes, their operators and what a single crossing costs.

| Route | Operator | Crossings per day | Minutes | Single fare (EUR) |
|---|---|---|---|---|
| Harbour Point – Gull Island | Norlink | 24 | 15 | 3.20 |
| Harbour Point – Seal Rock | Norlink | 12 | 40 | 6.50 |
| Westquay – Long Holm | Tidewater | 8 | 55 | 9.00 |
| Westquay – Outer Holm | Tidewater | 3 | 110 | 14.80 |

Table 2: Routes, crossings and fares in summer 2019.

## Piers

A waiting room is missing at several piers, and toilets are closed in winter at most of them. The board has
promised ramps by 2023. Passengers have asked for step-free access at every pier and for ticket machines that take cash.
What each pier has is shown below:

| Pier | Step-free access | Waiting room | Toilets | Ticket machine |
|---|:-:|:-:|:-:|:-:|
| Harbour Point | ✓ | ✓ | ✓ | ✓ |
| Gull Island | ✓ | ✗ | ✗ | ✓ |
| Seal Rock | ✗ | ✗ | ✗ | ✗ |
| Long Holm | ✗ | ✓ | ✓ | ✗ |
"""

POWER = """Renewable power in the region

1 Policies

All countries have adopted renewable energy laws, but only some have issued the by-laws needed. Table 1 compares the
policies in force by country at the end of 2021. Net metering for households was introduced in Croatia first, and a
carbon price has been discussed everywhere. Serbia held its first auction later than planned. Where auctions replaced
feed-in tariffs, prices fell by half.

Policy|HR|RS|ME|MK|AL
Renewable energy law|x|x|x|x|x
Feed-in tariff|x|x||x|
Auctions|x||x||x
Net metering|x|x|x||x
Carbon price|x||x||

Table 1: Policies in force. Key: HR = Croatia; RS = Serbia; ME = Montenegro; MK = North Macedonia; AL = Albania.
""".replace("|", "\t")

GENERATION = """Source	2019 (GWh)	2020 (GWh)	2021 (GWh)
Hydropower	24,310	22,875	27,140
Wind	2,640	3,905	5,480
Solar	412	655	1,230
Geothermal	76	74	79
"""


def programme() -> bytes:
    document = docx.Document()
    document.add_heading("Progress of the digital administration programme", 1)
    document.add_paragraph(
        "The programme began in 2015 with the aim of bringing the services of the state online. Measures were agreed,"
        " each with a ministry in charge and a deadline. Open data has been the most popular of the measures. Health"
        " records have met with resistance. Measures with one ministry in charge were completed sooner than others."
    )
    document.add_paragraph("Table 3 shows the state of each measure, the ministry in charge and the deadline.")
    rows = [
        ("Measure", "Ministry in charge", "Deadline", "State"),
        ("Electronic identity card", "Interior", "2017", "completed"),
        ("Electronic health record", "Health", "2018", "postponed"),
        ("Open data portal", "Finance", "2016", "completed"),
        ("Land register online", "Justice", "2020", "not started"),
    ]
    table = document.add_table(len(rows), 4)
    for row, words in zip(table.rows, rows, strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    document.add_paragraph("Table 3: State of the measures of the programme.")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def water() -> bytes:
    prose = textwrap.wrap(
        "The drinking water directive obliges suppliers to test their water for lead, to publish the results and to"
        " inform consumers when a limit has been exceeded. The inspectorate visited every region in the spring. Some"
        " regions had prepared well, others had not. Emergency plans must name a second source of water. Table 1 gives"
        " the result of the inspection.",
        88,
    )
    rows = [
        ("", "North", "East", "South", "West"),
        ("Lead testing", "Y", "N", "P", "N"),
        ("Publication of results", "Y", "Y", "N", "Y"),
        ("Emergency plan", "N", "N", "N", "P"),
    ]
    xs, ys = [72, 220, 280, 340, 400], [600 - 20 * row for row in range(len(rows) + 1)]
    words = [
        text(xs[n] + 5, ys[row] - 14, word) for row, line in enumerate(rows) for n, word in enumerate(line) if word
    ]
    caption = "Table 1: Inspection by region. Y = complies; N = does not comply; P = delay granted."
    page = [
        text(72, 760, "Drinking water", 16), *column(prose, 730), *grid([*xs, 460], ys), *words, *column([caption], 500)
    ]  # fmt: skip
    return draw([page], title="Compliance with the drinking water directive")


MADE = {
    "ferries.md": FERRIES.encode(),
    "power.txt": POWER.encode(),
    "generation.tsv": GENERATION.encode(),
    "programme.docx": programme(),
    "water.pdf": water(),
}


@pytest.fixture(scope="module")
def tables_session(real_index: Path, tmp_path_factory: pytest.TempPathFactory):
    """The five reports with five files of tables among them."""
    folder = tmp_path_factory.mktemp("tables")
    corpus = folder / "corpus"
    corpus.mkdir()
    for file in CORPUS.glob("*.t*"):
        (corpus / file.name).write_bytes(file.read_bytes())
    for name, data in MADE.items():
        (corpus / name).write_bytes(data)
    (folder / "index").mkdir()
    (folder / "index" / "cache").symlink_to(real_index / "cache")
    settings = load_settings({"corpus": corpus, "index": folder / "index"}, environ={})
    build_index(settings)
    with Session.open(settings) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("how long does the crossing to Outer Holm take", "| Westquay – Outer Holm | Tidewater | 3 | 110 | 14.80 |"),
        ("which routes does Norlink run", "| Harbour Point – Gull Island | Norlink |"),
        ("does Long Holm have a ticket machine", "| Long Holm | ✗ | ✓ | ✓ | ✗ |"),
        ("which piers have no toilets", "| Seal Rock | ✗ | ✗ | ✗ | ✗ |"),
        ("which countries have no feed-in tariff", "Feed-in tariff\tx\tx\t\tx"),
        ("does Albania have net metering", "Net metering\tx\tx\tx\t\tx"),
        ("how much wind power was generated in 2020", "Wind\t2,640\t3,905\t5,480"),
        ("which ministry is in charge of the land register", "Land register online\tJustice\t2020\tnot started"),
        ("what is the state of the electronic health record", "Electronic health record\tHealth\t2018\tpostponed"),
        ("which regions do not comply with lead testing", "Lead testing\tY\tN\tP\tN"),
        ("which region has been granted a delay for its emergency plan", "Emergency plan\tN\tN\tN\tP"),
    ],
)
def test_tables_of_every_make_answer_and_the_row_is_highlighted(tables_session, question, row):
    passages = tables_session.ask(question).passages
    found = next((passage for passage in passages if row in passage.text), None)
    assert found is not None
    assert found.rank <= 2
    assert row in found.highlight.text


def test_chunks_of_tables_hold_what_is_promised(tables_session):
    for name, data in MADE.items():
        document = read_document(name, data)
        encoder = FakeEncoder()
        assert_chunks_hold(document, chunks_of(document, encoder), encoder)
