"""Passages that say the same are folded into one; those that answer differently are not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import FakeEncoder
from cyberqa import ingest, render
from cyberqa.duplicates import says_the_same
from cyberqa.index.words import folded_words
from cyberqa.session import Session

LAW = (
    "The law on information security was adopted by the parliament in the autumn session of 2016, and it entered "
    "into force in the following spring. The ministry keeps a register of all operators, and publishes it once a year."
)


HEAD = "A report\n\n"


@pytest.mark.parametrize(
    "other",
    [
        LAW,
        LAW.replace(" ", "\n"),
        LAW.replace("information", "infor-\nmation").replace("ministry", "Ministry³"),
        LAW.replace("The law on", "on", 1),
        LAW + " It is a long one.",
        "Cut before. " + LAW.removesuffix("once a year."),
    ],
)
def test_the_same_words_say_the_same(other):
    assert says_the_same(LAW, other)
    assert says_the_same(other, LAW)


@pytest.mark.parametrize(
    "other",
    [
        LAW.replace("2016", "2018"),
        LAW.replace("was adopted", "was not adopted"),
        LAW.replace("was adopted", "wasn’t adopted"),
        LAW.replace("adopted", "rejected"),
        LAW.replace("parliament", "government"),
        LAW + " It has 9 parts.",
        LAW + " It isn't long.",
        LAW + " " + LAW[:70],
        "",
    ],
)
def test_one_other_word_says_something_else(other):
    assert not says_the_same(LAW, other)
    assert not says_the_same(other, LAW)


@given(st.text(max_size=80))
def test_a_text_of_words_says_the_same_as_itself(text):
    assert says_the_same(text, text) == bool(folded_words(text))


@pytest.fixture
def asked(settings):
    """Four documents: the law, the law again in other lines, the law of another year, and something else."""
    for file in settings.corpus.iterdir():
        file.unlink()
    texts = {"a.txt": LAW, "b.txt": LAW.replace(", and", ",\nand"), "c.txt": LAW.replace("2016", "2018")}
    for name, text in {**texts, "d.txt": "The register of operators is long. Nothing else is known of it."}.items():
        (settings.corpus / name).write_text(HEAD + text + "\n", "utf-8")
    ingest.build_index(settings, encoder=FakeEncoder())
    with Session.open(replace(settings, model="fake"), FakeEncoder()) as session:
        yield lambda k: session.ask(
            "law on information security adopted by the parliament in the autumn session of 2016", k
        )


def test_a_repeat_is_named_where_it_stands_and_makes_room(asked):
    answer = asked(3)
    shown = [(p.rank, p.citation.document, [repeat.document for repeat in p.also_in]) for p in answer.passages]
    assert shown == [(1, "a.txt", ["b.txt"]), (2, "c.txt", []), (3, "d.txt", [])]
    (repeat,) = answer.passages[0].also_in
    assert (repeat.start, repeat.end, repeat.line_start, repeat.line_end) == (len(HEAD), len(HEAD + LAW), 3, 5)


def test_a_repeat_beyond_those_shown_is_named_too(asked):
    assert [[repeat.document for repeat in p.also_in] for p in asked(1).passages] == [["b.txt"]]


def test_a_repeat_is_one_line_for_people(asked):
    answer = asked(1)
    line = f"also in b.txt [{len(HEAD)}:{len(HEAD + LAW)}] lines 3–5"
    assert f"   {line}\n" in render.answer_text(answer)
    cited = f"; also in `b.txt` {len(HEAD)}:{len(HEAD + LAW)} lines 3–5"
    assert render.answer_markdown(answer).rstrip().endswith(cited)
