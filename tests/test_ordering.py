"""The first passages are put in order once more, by what speaks against them."""

import pytest

from conftest import QUESTION
from cyberqa.judging.ordering import BEHIND, ORDERED, put_in_order
from cyberqa.judging.signs import Signs
from cyberqa.retrieval import Mode
from cyberqa.session import Session
from cyberqa.types import Hit

FITS = Signs(remote=0, unknown=0, attribute=1, names=0, place=0, year=0, kind=0)
ELSEWHERE = Signs(remote=0, unknown=0, attribute=0.8, names=0, place=-1, year=0, kind=0)
QUESTIONS = (
    QUESTION,
    "which laws regulate cybercrime in Bosnia and Herzegovina",
    "how many employees does ALCIRT have",
    "What did Tirana sign in 2013?",
    "which countries have no cybersecurity strategy",
)


def hits(*scores: float) -> list[Hit]:
    return [Hit(row, rank, score, {"words": score}) for rank, (row, score) in enumerate(enumerate(scores), 1)]


def test_a_passage_about_another_place_goes_behind_one_that_is_about_as_near():
    (first, hit), (second, other) = put_in_order(hits(0.60, 0.55), [ELSEWHERE, FITS])
    assert (first, hit.rank, hit.score, hit.signals) == (1, 1, 0.55, {"words": 0.55})
    assert (second, other.rank, other.score) == (0, 2, 0.53)
    assert other.signals == pytest.approx({"words": 0.60, "plain words": -0.02, "place": -0.05})


def test_a_much_nearer_one_stays_where_it_is():
    assert [place for place, _ in put_in_order(hits(0.60, 0.52), [ELSEWHERE, FITS])] == [0, 1]


def test_those_behind_the_first_five_stay_behind_in_their_order():
    found = put_in_order(hits(0.60, 0.59, 0.58, 0.57, 0.56, 0.55, 0.54), [ELSEWHERE, *[FITS] * 6])
    assert [place for place, _ in found] == [1, 2, 3, 4, 0, 5, 6]
    assert [hit.rank for _, hit in found] == [1, 2, 3, 4, 5, 6, 7]
    scores = [hit.score for _, hit in found]
    assert scores == sorted(scores, reverse=True)
    assert found[5][1].signals == pytest.approx({"words": 0.55, BEHIND: -0.07})


def test_nothing_found_is_nothing_to_order():
    assert put_in_order([], []) == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_fewer_passages_are_the_first_of_more(session: Session, question):
    most = session.ask(question, 150).passages
    assert len(most) == 150
    for k in (1, 2, ORDERED, ORDERED + 1, 50, 61, 100):
        fewer = session.ask(question, k).passages
        assert [(p.location, p.score, p.rank) for p in fewer] == [(p.location, p.score, p.rank) for p in most[:k]]
    assert [p.score for p in most] == sorted((p.score for p in most), reverse=True)
    assert all(sum(p.signals.values()) == pytest.approx(p.score, abs=2e-6) for p in most)


def test_a_law_of_the_country_asked_for_comes_before_that_of_another(session: Session):
    """Serbia's was first: its words are nearer."""
    first = session.ask(QUESTIONS[1]).passages[0]
    assert first.citation.section[-1] == "4.2 Bosnia and Herzegovina"


def test_one_side_alone_is_as_it_says(session: Session):
    for mode in (Mode.DENSE, Mode.LEXICAL):
        assert all(not {"plain words", BEHIND} & p.signals.keys() for p in session.ask(QUESTION, 8, mode).passages)
