"""What is said around a question is not searched for."""

import pytest

from conftest import QUESTION
from cyberqa.retrieval.framing import without_framing
from cyberqa.session import Session


@pytest.mark.parametrize(
    ("typed", "bare"),
    [
        ("Could you please tell me: who paid for it?", "who paid for it?"),
        ("Hello, I'd like to know how many laws exist, please. Thanks!", "how many laws exist!"),
        ("I wonder whether Serbia has a CERT", "whether Serbia has a CERT"),
        ("do you happen to know, who led it", "who led it"),
        ("Tell me more about ALCIRT", "ALCIRT"),
        ("According to the reports, what is ALCIRT?", "what is ALCIRT?"),
        ("according to this report who paid", "who paid"),
        ("Who paid, according to the available documents?", "Who paid?"),
        ("What does the report say about ALCIRT?", "ALCIRT?"),
        ("Do your sources mention Malta?", "Malta?"),
        ("Is there anything in the corpus about Malta?", "Malta?"),
        ("What measures, please?", "What measures?"),
        ("who paid? Thank you in advance.", "who paid."),
    ],
)
def test_framing_is_taken_off(typed, bare):
    assert without_framing(typed) == bare


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        "please",
        "tell me",
        "Tell men what to do",
        "Hi-tech crime units in Serbia",
        "Can you vote online in Estonia?",
        "In the documents that were leaked, what is said?",
        '"according to the report, nobody" who said so',
        "What does the strategy say about ALCIRT?",
        "Who wrote the report?",
        "What is missing in the reports on Kosovo?",
        "  ",
        " " * 100_000 + "please",
    ],
)
def test_what_is_asked_stays(question):
    assert without_framing(question) == question


def test_an_answer_does_not_hang_on_politeness_and_repeats_the_question_as_typed(session: Session):
    plain, polite = session.ask(QUESTION), session.ask(typed := f"Could you please tell me {QUESTION}? Thanks!")
    assert polite.question == typed
    assert [p.location for p in polite.passages] == [p.location for p in plain.passages]
    assert polite.passages[0].highlight == plain.passages[0].highlight
    assert polite.confidence == pytest.approx(plain.confidence, abs=0.1)
