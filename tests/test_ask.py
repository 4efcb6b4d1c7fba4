"""Questions to the five real reports: found, quoted exactly, cited rightly, the same every time."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import cyberqa
from conftest import CORPUS, QUESTION, ROOT, FakeEncoder
from cyberqa import ingest, render
from cyberqa.errors import SearchIndexError, UsageError
from cyberqa.judging.calibration import Calibration, calibration_for
from cyberqa.location import Locator
from cyberqa.retrieval import RANKING, Mode
from cyberqa.session import Session
from cyberqa.settings import Settings
from cyberqa.types import Answer, Span, Verdict

QUESTIONS = (
    QUESTION,
    "which countries lack a national CERT?",
    "When did Montenegro adopt its Law on Information Security",
    "what does SEESAC stand for",
    "who opened the strategy planning seminar",
    "belt and road digital",
    "ENISA cyber europe exercise",
    "kako da napravim burek",
    "recommendations for international organisations",
    "⁴⁷",
    "AND OR NOT \"( ] * ' -- ; DROP TABLE chunks",
)


def schema(name: str) -> dict:
    return json.loads((ROOT / "docs" / "schema" / f"{name}.json").read_text("utf-8"))


def assert_verbatim(answer: Answer) -> None:
    """The promise of the tool: what it prints is what stands there."""
    for passage in answer.passages:
        canonical = (CORPUS / passage.citation.document).read_bytes().decode("utf-8")
        rest = [passage.continuation] if passage.continuation else []
        for excerpt in (passage, passage.highlight, *rest, *passage.notes):
            assert excerpt.text == canonical[excerpt.location.start : excerpt.location.end]
        assert passage.location.start <= passage.highlight.location.start
        assert passage.highlight.location.end <= passage.location.end
        lines = re.split(r"\r\n|\n|\r", canonical)
        shown = "\n".join(lines[passage.location.line_start - 1 : passage.location.line_end])
        assert passage.text in shown


def test_the_question_of_the_readme_finds_usaid_in_section_4_1(session):
    first = session.ask(QUESTION).passages[0]
    assert "created in 2011 with the support of the USAID's" in first.highlight.text
    assert first.citation.document == "western-balkans-cybersecurity.txt"
    assert first.citation.section == ("4 State of play in the Western Balkans", "4.1 Albania")
    assert (first.location.line_start, first.location.line_end) == (293, 293)


@pytest.mark.parametrize("size", [400, 600, 700, 800, 900])
def test_the_answer_does_not_hang_on_the_chunk_size(real_settings, warm_index, size):
    settings = replace(real_settings, index=warm_index, chunk_size_chars=size)
    ingest.build_index(settings)
    answer = Session.open(settings).ask(QUESTION)
    assert (answer.verdict is Verdict.UNJUDGED) == (size != Settings().chunk_size_chars)
    first = answer.passages[0]
    assert "USAID" in first.text
    assert first.citation.section[-1] == "4.1 Albania"


def test_a_mode_may_be_given_by_name(session):
    for mode in Mode:
        found = [session.ask(QUESTION, 3, way).passages for way in (mode, mode.value)]
        assert found[0] == found[1]
    with pytest.raises(UsageError, match="expected a mode of hybrid, dense, lexical, found 'sparse'"):
        session.ask(QUESTION, mode="sparse")


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_passage_and_highlight_is_verbatim_and_its_lines_are_right(session, question):
    answer = session.ask(question, k=10)
    assert len(answer.passages) == 10
    assert_verbatim(answer)


def test_ranks_count_from_one_and_scores_fall(session):
    passages = session.ask("cybersecurity strategy", k=50).passages
    assert [p.rank for p in passages] == list(range(1, 51))
    assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)


def test_no_passage_comes_twice_and_no_contents_page_comes_at_all(session):
    passages = session.ask("4.1 Albania", k=468).passages
    shown = [(p.citation.document, p.location.start) for p in passages]
    repeated = [(repeat.document, repeat.start) for p in passages for repeat in p.also_in]
    assert len({*shown, *repeated}) == len(shown) + len(repeated) == 468
    assert not any(p.text.count(".....") > 1 for p in passages)


def test_the_question_of_the_readme_is_answered_says_the_shipped_calibration(session):
    answer, shipped = session.ask(QUESTION), shipped_for(session)
    assert (answer.verdict, answer.missing, answer.reason) == (Verdict.ANSWERED, (), "")
    assert (answer.calibration, answer.threshold) == (shipped.name, shipped.threshold)
    assert shipped.threshold <= answer.confidence < 1
    confidences = [passage.confidence for passage in answer.passages]
    assert max(confidences) == confidences[0] > 0.5
    assert min(confidences) > 0


def test_a_country_that_no_report_is_about_is_not_in_the_corpus_and_is_what_is_missing(session):
    answer = session.ask("who supported the creation of the national CERT of Iceland")
    shipped = shipped_for(session)
    assert answer.verdict is Verdict.NOT_IN_CORPUS
    assert 0 <= answer.confidence < answer.threshold == shipped.threshold
    assert answer.missing == ("Iceland",)
    assert answer.reason.startswith("nothing found mentions 'Iceland'")
    assert len(answer.passages) == 5, "a verdict hides nothing"


def shipped_for(session) -> Calibration:
    recipe = session.generation.manifest.recipe
    shipped = calibration_for(recipe.encoder.identity, RANKING, recipe.rules["size_chars"])
    assert shipped is not None, "fit it anew for this encoder and ranking: python evals/calibrate.py"
    return shipped


def test_nothing_is_judged_that_no_calibration_is_valid_for(session, indexed):
    reranked = Session(session.generation, session._encoder, [], reranker=Longest())
    answers = [session.ask(QUESTION, mode=mode, min_confidence=0.1) for mode in (Mode.DENSE, Mode.LEXICAL)]
    answers += [reranked.ask(QUESTION), Session.open(indexed, FakeEncoder()).ask("alpha team")]
    for answer in answers:
        assert answer.passages
        assert (answer.verdict, answer.missing, answer.reason) == (Verdict.UNJUDGED, (), "")
        assert (answer.confidence, answer.threshold, answer.calibration) == (None, None, None)
        assert {passage.confidence for passage in answer.passages} == {None}


class Longest:
    name = "longest"

    def score(self, question, texts):
        return np.array([len(text) for text in texts], np.float32)


def test_the_same_question_gives_the_same_bytes_in_another_session_and_index(real_settings, session, warm_index):
    settings = replace(real_settings, index=warm_index)
    ingest.build_index(settings)
    other = Session.open(settings)
    for question in QUESTIONS:
        ours, theirs = (render.dump_json(render.answer_json(s.ask(question))) for s in (session, other))
        assert ours == theirs


@pytest.mark.parametrize("question", QUESTIONS)
def test_json_keeps_to_the_schema(session, question):
    body = json.loads(render.dump_json(render.answer_json(session.ask(question), timings=True)))
    jsonschema.validate(body, schema("answer"))
    assert body["schema"] == schema("answer")["$id"]


def test_json_has_the_keys_of_the_contract_in_their_order(session):
    body = render.answer_json(session.ask(QUESTION))
    assert list(body) == [
        "schema", "question", "verdict", "confidence", "threshold", "calibration", "missing", "passages", "index",
        "reason",
    ]  # fmt: skip
    assert list(body["passages"][0]) == [
        "rank", "score", "confidence", "text", "location", "highlight", "continuation", "citation", "notes", "also_in",
    ]  # fmt: skip
    assert list(body["passages"][0]["location"]) == ["start", "end", "page", "page_label", "line_start", "line_end"]
    assert list(body["passages"][0]["citation"]) == [
        "document", "title", "publisher", "year", "language", "section", "sha256", "text_sha256", "reader",
    ]  # fmt: skip
    assert list(body["index"]) == ["generation", "model", "documents", "chunks", "stale"]


def test_empty_questions_and_senseless_numbers_are_refused(session):
    for question in ("", "  \n"):
        with pytest.raises(UsageError, match="empty"):
            session.ask(question)
    with pytest.raises(UsageError, match="at least 1"):
        session.ask("x", k=0)


def test_a_question_longer_than_the_window_is_answered(session):
    long = QUESTION + " and" * 600
    assert session.ask(long).passages[0].citation.section[-1:] == ("4.1 Albania",)
    assert session.ask("x" * 5000).passages


def test_a_pdf_is_cited_by_its_page(settings):
    from conftest import make_pdf

    pages = [["Opening words about nothing much."], ["The harbour of Vlora was closed in March."]]
    (settings.corpus / "port.pdf").write_bytes(make_pdf(pages))
    ingest.build_index(settings, encoder=FakeEncoder())
    answer = Session.open(replace(settings, model="fake"), FakeEncoder()).ask("harbour of Vlora closed", k=1)
    location = answer.passages[0].location
    assert answer.passages[0].text == "The harbour of Vlora was closed in March."
    assert (location.page, location.line_start, location.line_end) == (2, None, None)
    assert answer.passages[0].citation.reader == "pdf/4"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_at_every_kind_of_line_end(newline):
    from cyberqa.documents import read_document

    text = newline.join(["first", "second \u2028 still second", "", "fourth", ""])
    locator = Locator(read_document("a.txt", text.encode()))
    assert locator.lines == 4
    start = text.index("still")
    assert locator.locate(Span(start, start + 5)).line_start == 2
    assert text[slice(*[getattr(locator.line_span(2, 3), end) for end in ("start", "end")])] == (
        f"second \u2028 still second{newline}{newline}"
    )


# --- staleness -----------------------------------------------------------------------------------------------


def reopened(settings) -> list[str] | None:
    return Session.open(replace(settings, model="fake"), FakeEncoder()).changes


@pytest.fixture
def indexed(settings):
    settings = replace(settings, model="fake")
    ingest.build_index(settings, encoder=FakeEncoder())
    return settings


def test_an_index_is_fresh_until_something_changes(indexed):
    assert reopened(indexed) == []
    file = indexed.corpus / "alpha.txt"
    file.write_bytes(file.read_bytes())  # another time, the same bytes
    assert reopened(indexed) == []
    file.write_text(file.read_text("utf-8").replace("2019", "2020"), "utf-8")  # the same length
    (indexed.corpus / "new.txt").write_text("New.", "utf-8")
    (indexed.corpus / "beta.txt").unlink()
    assert reopened(indexed) == ["alpha.txt", "beta.txt", "new.txt"]


def test_other_metadata_or_settings_make_it_stale(indexed):
    (indexed.corpus / "sources.toml").write_text('["alpha.txt"]\nyear = 2019\n', "utf-8")
    assert reopened(indexed) == ["sources.toml"]
    assert reopened(replace(indexed, chunk_size_chars=300)) == ["setting chunk_size_chars", "sources.toml"]


def test_without_its_corpus_it_cannot_be_told(indexed):
    assert reopened(replace(indexed, corpus=Path("nowhere"))) is None


# --- the Python door -----------------------------------------------------------------------------------------


def test_the_door_opens_on_what_it_names():
    assert sorted(cyberqa.__all__) == cyberqa.__dir__()
    for name in cyberqa.__all__:
        assert getattr(cyberqa, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = cyberqa.nonsense


def test_build_and_open_by_the_door(warm_index):
    report = cyberqa.build(CORPUS, warm_index)
    assert (report.documents, report.embedded) == (5, 0)
    with cyberqa.open(warm_index, corpus=CORPUS) as opened:
        assert "USAID" in opened.ask(QUESTION).passages[0].text


@pytest.mark.parametrize("question", ["kako da napravim burek", "é?", "⁴⁷", "who is it"])
def test_a_question_of_words_that_the_corpus_does_not_know_is_refused(session, question):
    answer = session.ask(question)
    assert answer.verdict.value == "not_in_corpus"
    assert answer.confidence < 0.1
    assert all(passage.confidence < 0.1 for passage in answer.passages)
    assert answer.reason


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((None,), {}),
        ((b"who",), {}),
        (("who", "5"), {}),
        (("who", 2.5), {}),
        (("who",), {"context": "1"}),
        (("who",), {"min_confidence": "0.5"}),
        (("who",), {"documents": 5}),
        (("who",), {"where": [2015]}),
    ],
)
def test_arguments_of_another_type_are_wrong_usage(session, arguments, options):
    with pytest.raises(UsageError, match="expected"):
        session.ask(*arguments, **options)


def test_documents_may_be_named_by_paths(session):
    answer = session.ask("who leads it", documents=[CORPUS / "albania-cyber-diplomacy.txt"])
    assert {passage.citation.document for passage in answer.passages} == {"albania-cyber-diplomacy.txt"}
    assert session.ask("who leads it", documents=iter(["albania-cyber-diplomacy.txt"])).passages == answer.passages


def test_a_closed_session_says_so(real_settings):
    with Session.open(real_settings) as opened:
        pass
    with pytest.raises(SearchIndexError, match="closed"):
        opened.ask(QUESTION)


@pytest.mark.parametrize("question", [QUESTION, "who is the president of France", "ALCIRT budget 2015", "???"])
def test_that_a_passage_answers_is_never_likelier_than_that_any_does(session, question):
    answer = session.ask(question)
    assert max(passage.confidence for passage in answer.passages) <= answer.confidence


def test_a_phrase_in_quotes_that_stands_there_is_an_answer_however_it_is_asked_for(session):
    for question in ('where is "desk research" mentioned', 'find "desk research"', '"desk research"'):
        assert session.ask(question).verdict is Verdict.ANSWERED, question


def test_tokens_in_no_sentence_are_a_damaged_index(real_settings, tmp_path):
    index = tmp_path / "index"
    shutil.copytree(real_settings.index, index)
    (file,) = index.glob("generations/*/token-sentences.npy")
    body = bytearray(file.read_bytes())
    body[200:] = b"\xc8" * (len(body) - 200)
    file.write_bytes(body)
    with (
        Session.open(replace(real_settings, index=index)) as opened,
        pytest.raises(SearchIndexError, match="damaged: its tokens stand in no sentence"),
    ):
        opened.ask(QUESTION)
