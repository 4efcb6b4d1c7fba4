"""The PDFs that are set for the tests: the plain report comes apart whole, and the truth holds all of it, in order."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PDFS = ROOT / "evals" / "pdf"
sys.path.insert(0, str(PDFS))

from check import REPORT, fold, judge  # noqa: E402
from report import MARK, parse_report  # noqa: E402

TEXT = (ROOT / "corpus" / REPORT).read_bytes().decode("utf-8")


@pytest.mark.parametrize("name", ["western-balkans-one-column", "western-balkans-two-columns"])
def test_every_paragraph_and_footnote_of_the_report_is_on_the_pages_as_set_in_order(name: str) -> None:
    report = parse_report(TEXT)
    truth = json.loads((PDFS / f"{name}.truth.json").read_text(encoding="utf-8"))
    flow = fold("\n".join(line for page in truth for line in page["lines"]))[0]
    notes = {int(label): fold(note)[0] for page in truth for label, note in page["footnotes"].items()}
    place = flow.index("1Introduction", flow.index("AboutDiploFoundation") + 1)
    for part in report.parts:
        wanted = fold(part.marker + part.text)[0]
        place = flow.index(wanted, place) + len(wanted)
    assert {number: fold(note)[0] for number, note in report.footnotes.items()} == notes


def test_footnotes_cut_no_sentence_of_the_parsed_report() -> None:
    report = parse_report(TEXT)
    assert list(report.footnotes) == list(range(1, 180))
    whole = next(part.text for part in report.parts if part.text.startswith("Albania's road"))
    assert "workshops provided to the government" in whole
    assert not [part for part in report.parts if MARK.match(part.text)]


def test_a_citation_is_right_only_where_its_characters_stand_on_the_page_that_it_names() -> None:
    albania, serbia = "albaniahasadoptedastrategyofitsown", "serbiahasformedanationalteamthere"
    pages = {1: (albania, "1availableathttp://one.example", "header1"), 2: (serbia, "", "header2")}
    assert judge(albania, 1, pages) == "in one piece"
    assert judge("availableathttp://one", 1, pages) == "in one piece"
    assert judge("header1", 1, pages) == "running line"
    assert judge(albania, 2, pages) == "wrong page"
    assert judge(albania + serbia, 1, pages) == "wrong page"
    assert judge(albania + "header1" + albania, 1, pages) == "in pieces"
    assert judge(albania, None, pages) == "wrong page"
    assert judge("montenegro", 1, pages) == "nowhere"
