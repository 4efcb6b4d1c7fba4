"""--mode, --explain and --context: what they add to an answer, and that nothing else changes by them."""

import json

import jsonschema
import pytest

from conftest import CORPUS, QUESTION, FakeEncoder, make_pdf, run_cli
from cyberqa import ingest, render
from cyberqa.session import Session
from cyberqa.surrounding import sentences_around
from cyberqa.types import BlockKind
from test_ask import QUESTIONS, schema
from test_cli import on_a_terminal


@pytest.fixture
def real(real_index) -> list[str]:
    return ["--corpus", str(CORPUS), "--index", str(real_index)]


def asked(capsys, *arguments) -> dict:
    assert run_cli("ask", "--json", *arguments) == 0
    return json.loads(capsys.readouterr().out)


# --- mode ----------------------------------------------------------------------------------------------------


def test_each_mode_asks_its_sides(real, capsys):
    signals = {
        mode: set(asked(capsys, QUESTION, "--mode", mode, "--explain", *real)["passages"][0]["explain"]["signals"])
        for mode in ("hybrid", "dense", "lexical")
    }
    assert signals["lexical"] == {"words"}
    assert signals["hybrid"] - {"plain words"} == signals["dense"] | signals["lexical"] != signals["dense"]
    assert asked(capsys, QUESTION, "--mode", "hybrid", *real) == asked(capsys, QUESTION, *real)


def test_batch_takes_a_mode_and_agrees_with_ask(real, tmp_path, capsys):
    (tmp_path / "q.jsonl").write_text(json.dumps({"id": 1, "question": QUESTION}) + "\n", "utf-8")
    assert run_cli("batch", tmp_path / "q.jsonl", "--mode", "lexical", *real) == 0
    line = json.loads(capsys.readouterr().out)
    assert line == {"id": 1, **asked(capsys, QUESTION, "--mode", "lexical", *real)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "fast"], "expected a mode of hybrid, dense, lexical, found 'fast'"),
        (["--context", "-1"], "-1 is not in the range"),
        (["--markdown", "--explain"], "--markdown prints quotations to paste"),
        (["--markdown", "--context", "1"], "--markdown prints quotations to paste"),
    ],
)
def test_what_cannot_be_is_refused_before_an_index_is_opened(tmp_path, capsys, arguments, message):
    assert run_cli("ask", QUESTION, *arguments, "--index", tmp_path / "none") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


# --- explain -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
def test_explain_and_context_add_fields_and_change_no_other(session, question):
    plain = render.answer_json(session.ask(question))
    more = render.answer_json(session.ask(question, context=2), explain=True)
    jsonschema.validate(json.loads(render.dump_json(more)), schema("answer"))
    assert more.pop("question_forms")[0] == question
    for passage in more["passages"]:
        assert sum(passage.pop("explain")["signals"].values()) == pytest.approx(passage["score"], abs=1e-5)
        assert set(passage.pop("context")) == {"before", "after"}
    assert render.dump_json(more) == render.dump_json(plain)


def test_the_schema_minds_what_explain_and_context_hold(session):
    body = json.loads(render.dump_json(render.answer_json(session.ask("Albania CERT", context=1), explain=True)))
    for key, wrong in (("explain", {}), ("explain", {"signals": {"words": "x"}}), ("context", {"before": None})):
        spoilt = {**body, "passages": [{**body["passages"][0], key: wrong}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, schema("answer"))


def test_a_person_reads_each_signal_and_its_share_largest_first(session, real, capsys):
    first = session.ask(QUESTION).passages[0]
    line = render.signals_text(first)
    largest = first.signals["late interaction"]
    assert line.startswith(f"late interaction {largest:.3f} ({round(100 * largest / first.score)}%) · ")
    assert line.count("·") == len(first.signals) - 1
    assert "-0.000" not in line
    assert run_cli("ask", QUESTION, "-k", "1", "--explain", *real) == 0
    assert capsys.readouterr().out.endswith(f"   score: {line}\n")


def test_a_person_reads_the_forms_in_which_a_question_was_put(real, capsys):
    assert run_cli("ask", "who helped Tirana set up ALCIRT", "-k", "1", "--explain", *real) == 0
    out = capsys.readouterr().out
    assert out.startswith("asked as: who helped Tirana set up ALCIRT · who assistance Albania establish ALCIRT\n\n1. ")


# --- context -------------------------------------------------------------------------------------------------


def sentences(session, question: str, around: int) -> list:
    return session.ask(question, k=20, context=around).passages


def test_context_is_the_verbatim_sentences_next_to_the_passage(session):
    shown = 0
    for passage in sentences(session, "national strategy for cybersecurity", 2):
        canonical = (CORPUS / passage.citation.document).read_bytes().decode("utf-8")
        for excerpt in filter(None, (passage.context.before, passage.context.after)):
            shown += 1
            assert excerpt.text == canonical[excerpt.location.start : excerpt.location.end]
        if passage.context.before:
            assert passage.context.before.location.end <= passage.location.start
        if passage.context.after:
            last = passage.continuation or passage
            assert passage.context.after.location.start >= last.location.end
    assert shown >= 15


def test_more_context_begins_where_less_does_and_holds_it(session):
    for one, three in zip(*(sentences(session, "incident response", n) for n in (1, 3)), strict=True):
        for side in ("before", "after"):
            less, more = getattr(one.context, side), getattr(three.context, side)
            assert (less is None) == (more is None)
            if less:
                assert (more.text.endswith if side == "before" else more.text.startswith)(less.text)


def _overlap(one, other) -> bool:
    return one.start < other.end and other.start < one.end


def test_no_context_holds_a_heading_footnote_or_another_section(session):
    generation = session.generation
    chunks = [generation.contents.chunk(row) for row in range(generation.manifest.chunks)]
    found = 0
    for row, chunk in enumerate(chunks):
        around = [span for span in sentences_around(generation, row, 5) if span]
        assert not around or chunk.kind in (BlockKind.PARAGRAPH, BlockKind.LIST)
        for span in around:
            found += 1
            inside = [c for c in chunks if c.document == chunk.document and _overlap(c.span, span)]
            assert {c.section for c in inside} == {chunk.section}
            assert {c.kind for c in inside} <= {BlockKind.PARAGRAPH, BlockKind.LIST}
            text = generation.contents.document(chunk.document).text
            outside = list(text[span.start : span.end])
            for c in inside:
                for at in range(max(c.span.start, span.start), min(c.span.end, span.end)):
                    outside[at - span.start] = " "
            assert not "".join(outside).strip(), "nothing but what is indexed as running text"
    assert found > len(chunks) / 2


LONG = "The {} clause of the harbour treaty of Vlora was argued over by the {} committee for years and years on end. "


def test_context_never_crosses_a_page(settings):
    lines = [[LONG.format(n, n).strip() for n in range(page, page + 9)] for page in (10, 30)]
    (settings.corpus / "port.pdf").write_bytes(make_pdf(lines))
    ingest.build_index(settings, encoder=FakeEncoder())
    with Session(_generation(settings), FakeEncoder(), []) as session:
        passages = [p for p in session.ask("harbour treaty of Vlora clause committee", k=20, context=9).passages
                    if p.citation.document == "port.pdf"]  # fmt: skip
    assert {p.location.page for p in passages} == {1, 2}
    around = [(p, e) for p in passages for e in (p.context.before, p.context.after) if e]
    assert around
    for passage, excerpt in around:
        assert excerpt.location.page == passage.location.page
        other = "3{} clause" if passage.location.page == 1 else "1{} clause"
        assert not any(other.format(n) in excerpt.text for n in range(9))


def _generation(settings):
    from cyberqa.index.generation import Generation

    return Generation.open_current(settings.index)


STEPS = " ".join(f"Step {n} of the harbour survey was taken." for n in range(9))
TABLE = "| port | ships |\n|---|---|\n| Vlora | 9 |"


def test_context_does_not_pass_over_a_table_or_into_a_section_of_the_same_name(settings):
    (settings.corpus / "table.md").write_text(f"# Survey\n\n{STEPS}\n\n{TABLE}\n\nThen it rained.\n", "utf-8")
    (settings.corpus / "twice.md").write_text(
        f"# Survey\n\n## Notes\n\n{STEPS}\n\n## Harbour\n\nIt was shut.\n\n## Notes\n\nThen it snowed.\n", "utf-8"
    )
    ingest.build_index(settings, encoder=FakeEncoder())
    with Session(_generation(settings), FakeEncoder(), []) as session:
        passages = session.ask("then it rained or snowed", k=40, context=2).passages
    fell = [p for p in passages if p.text in ("Then it rained.", "Then it snowed.")]
    assert {p.citation.document for p in fell} == {"table.md", "twice.md"}
    assert [(p.context.before, p.context.after) for p in fell] == [(None, None)] * 2
    assert all(not p.context.after or "Then it" not in p.context.after.text for p in passages)


def test_a_terminal_shows_context_and_signals_dim(real):
    shown = on_a_terminal("ask", QUESTION, "-k", "1", "--context", "1", "--explain", *real, columns=200)
    plain = on_a_terminal("ask", QUESTION, "-k", "1", *real, columns=200)
    dim = [part.split("\x1b[0m")[0] for part in shown.split("\x1b[2m")[1:]]
    assert any(part.startswith("late interaction") for part in dim)
    assert any(part.startswith(f"asked as: {QUESTION}") for part in dim)
    assert len(dim) >= 4
    assert "late interaction" not in plain
