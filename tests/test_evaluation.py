"""Evaluation cannot flatter: every question counts, figures are ir_measures' own, and what is broken is caught."""

import hashlib
import io
import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path

import ir_measures
import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import CORPUS, ROOT, run_cli, working_folder
from cyberqa import render
from cyberqa.errors import GoldError
from cyberqa.evaluation import gating, results, running, statistics
from cyberqa.evaluation.comparing import compare
from cyberqa.evaluation.exporting import qrels_lines, run_lines
from cyberqa.evaluation.gold import GoldQuestion, Unit, check_gold, find_units, load_gold, locate, locate_folded
from cyberqa.evaluation.measures import MEASURES, Retrieved, credit, holds_short_answer, measure
from cyberqa.evaluation.reporting import report_html
from cyberqa.evaluation.running import SHORT_ANSWER, score_run
from cyberqa.evaluation.summary import summarise
from cyberqa.types import Span
from test_ask import schema

GOLD_FILE = ROOT / "evals" / "gold" / "reports.jsonl"
GOLD = load_gold(GOLD_FILE)
BALKANS, OTHER = "western-balkans-cybersecurity.txt", "albania-cyber-diplomacy.txt"
TEXTS = {path.name: path.read_bytes().decode("utf-8") for path in CORPUS.glob("*.txt")}


def unit(start: int, end: int, doc: str = "a") -> Unit:
    return Unit(doc, Span(start, end), True)


def passage(start: int, end: int, doc: str = "a", *more: Span) -> Retrieved:
    return Retrieved(doc, (Span(start, end), *more))


# --- the gold set that ships ---------------------------------------------------------------------------------


def test_the_gold_set_is_sound_and_every_quotation_stands_where_it_says():
    assert check_gold(GOLD, TEXTS) == []


def test_the_gold_set_has_what_was_promised():
    answerable = [q for q in GOLD if q.answerable]
    kinds = {kind: sum(q.kind == kind for q in GOLD) for kind in {q.kind for q in GOLD}}
    assert len(answerable) >= 240
    assert kinds["paraphrase"] * 3 >= len(answerable)
    assert set(kinds) == {
        "paraphrase", "factoid", "acronym", "footnote", "table", "list", "cross", "terse", "typo",
        "near", "swap", "topic", "offtopic",
    }  # fmt: skip
    for kind, least in {"near": 60, "swap": 60, "topic": 50, "offtopic": 30}.items():
        assert kinds[kind] >= least
    assert len(GOLD) - len(answerable) >= 200


def test_every_section_of_every_report_is_covered(session):
    generation = session.generation
    sections = {(c.document, c.section) for c in map(generation.contents.chunk, range(generation.manifest.chunks))}
    covered = set()
    for question in GOLD:
        for found in find_units(question, TEXTS, {}):
            for row in range(generation.manifest.chunks):
                chunk = generation.contents.chunk(row)
                if (
                    chunk.document == found.doc
                    and chunk.span.start < found.span.end
                    and found.span.start < chunk.span.end
                ):
                    covered.add((chunk.document, chunk.section))
    assert sections - covered == set()


def test_half_of_a_quotation_cannot_be_covered_without_its_answer():
    for question in GOLD:
        for evidence in question.evidence:
            places = [evidence.quote.find(answer) for answer in question.short_answers if answer in evidence.quote]
            ends = [evidence.quote.find(a) + len(a) for a in question.short_answers if a in evidence.quote]
            assert places, f"{question.id}: no short answer in {evidence.quote!r}"
            before, after = min(places), len(evidence.quote) - max(ends)
            assert max(before, after) * 2 < len(evidence.quote), question.id


def test_a_swap_shares_its_parents_side():
    sides = {q.id: q.split for q in GOLD}
    assert all(q.split == sides[q.group] for q in GOLD)
    assert 0.4 < sum(side == "dev" for side in sides.values()) / len(sides) < 0.6


@pytest.mark.parametrize("group", ["wb-a-001", "e-080", "x"])
def test_the_split_is_the_digest_of_the_group(group):
    expected = "dev" if int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 100 < 50 else "test"
    assert GoldQuestion("i", group, "q", "factoid", True, "", (), (), True).split == expected


# --- locating ------------------------------------------------------------------------------------------------


def test_quotations_are_located_exactly_else_on_a_folded_copy():
    text = "The “cyber-\nsecurity”  of\nﬁve states – all."
    assert locate("five states", text) == []
    (span,) = locate_folded('"cybersecurity" of five states - all', text)
    assert text[span.start : span.end] == "“cyber-\nsecurity”  of\nﬁve states – all"


def test_a_quotation_with_markdown_is_located_where_it_is_set_in_type():
    text = "• The law was adopted in 201412\nand stands at http://law.example in full."
    (span,) = locate_folded("- The **law** was adopted in 2014¹² and *stands* at <http://law.example>", text)
    assert text[span.start : span.end] == text.removesuffix(" in full.")


@given(st.text(alphabet=st.sampled_from("ab -\n“”ﬁ\u00ad–¹•"), max_size=30), st.data())
def test_a_folded_place_maps_back_to_where_it_was_taken_from(text, data):
    start = data.draw(st.integers(0, len(text)))
    quote = text[start : data.draw(st.integers(start, len(text)))].strip()
    for span in locate_folded(quote, text):
        assert 0 <= span.start < span.end <= len(text)
    if quote and "\u00ad" not in quote and "-" not in quote:
        assert locate_folded(quote, text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"evidence": [{"doc": "western-balkans-cybersecurity.txt", "quote": "created in 2012 with the support"}]},
            "nearest",
        ),
        ({"evidence": [{"doc": "gone.txt", "quote": "x"}]}, "not in the index"),
        ({"evidence": [{"doc": BALKANS, "quote": "cybersecurity"}]}, "times in"),
        (
            {"evidence": [{"doc": "albania-cyber-diplomacy.txt", "quote": "with the support of the USAID's"}]},
            "it stands in west",
        ),
        ({"short_answers": ["nowhere"]}, "is in no quotation"),
        ({"short_answers": []}, "no short answer"),
        ({"evidence": []}, "no evidence"),
        ({"answerable": False}, "unanswerable, but has"),
        ({"question": " "}, "question is empty"),
        ({"group": "strange"}, "no question's id"),
    ],
)
def test_check_names_what_is_wrong(tmp_path, change, message):
    entry = {
        "id": "x", "question": "who", "kind": "factoid", "answerable": True, "short_answers": ["USAID"],
        "evidence": [{"doc": BALKANS, "quote": "with the support of the USAID's Albanian Cyber"}],
    }  # fmt: skip
    file = tmp_path / "gold.jsonl"
    file.write_text(json.dumps(entry), "utf-8")
    assert check_gold(load_gold(file), TEXTS) == []
    file.write_text(json.dumps(entry | change), "utf-8")
    assert any(message in fault for fault in check_gold(load_gold(file), TEXTS))


def test_a_doubled_id_and_a_broken_line_are_named(tmp_path):
    file = tmp_path / "gold.jsonl"
    line = json.dumps({"id": "x", "question": "q", "kind": "near", "answerable": False})
    file.write_text(f"{line}\n{line}\n", "utf-8")
    assert check_gold(load_gold(file), TEXTS) == ["x: this id stands twice"]
    for broken in ("{", '{"id": 1}', '{"id": "x", "question": "q", "kind": "near", "answerable": 0}'):
        file.write_text(f"{line}\n{broken}\n", "utf-8")
        with pytest.raises(GoldError, match="line 2"):
            load_gold(file)


# --- measures ------------------------------------------------------------------------------------------------


def test_a_passage_covers_a_unit_with_half_of_its_characters_continuation_included():
    assert credit([unit(10, 20)], [passage(0, 14), passage(0, 15)], True) == [[], [0]]
    assert credit([unit(10, 20)], [passage(0, 12, "a", Span(17, 30))], True) == [[0]]
    assert credit([unit(10, 20)], [passage(0, 30, "b")], True) == [[]]


def test_the_same_passage_returned_twice_gains_once():
    found = measure([unit(0, 10)], [passage(0, 10)] * 10, any_=True, expected=1)
    assert (found["nDCG@10"], found["R@5"], found["RR@10"]) == (1.0, 1.0, 1.0)
    twice = measure([unit(0, 10), unit(50, 60)], [passage(0, 10)] * 10, any_=False, expected=2)
    assert twice["R@5"] == 0.5
    assert twice["Success@10"] == 0.0


def test_where_all_evidence_is_needed_one_is_no_success():
    units = [unit(0, 10), unit(50, 60)]
    ranked = [passage(0, 10), passage(100, 110), passage(50, 60)]
    found = measure(units, ranked, any_=False, expected=2)
    assert (found["Success@1"], found["Success@5"], found["RR@10"], found["R@5"]) == (0.0, 1.0, 1.0, 1.0)
    assert found["nDCG@10"] == pytest.approx((1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3)))


def test_a_passage_with_several_units_is_credited_with_all_and_gains_one():
    found = measure([unit(0, 10), unit(20, 30)], [passage(0, 30)], any_=False, expected=2)
    assert (found["Success@1"], found["R@5"]) == (1.0, 0.5)
    assert found["nDCG@10"] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_evidence_that_ingest_lost_counts_as_missed():
    found = measure([unit(0, 10)], [passage(0, 10)], any_=False, expected=2)
    assert (found["Success@10"], found["R@5"], found["char_recall@5"]) == (0.0, 0.5, 0.5)
    assert set(measure([], [passage(0, 10)], any_=True, expected=1).values()) == {0.0}


def test_characters_recalled_are_counted_once():
    ranked = [passage(0, 6), passage(4, 8), passage(0, 6)]
    assert measure([unit(0, 10)], ranked, any_=True, expected=1)["char_recall@5"] == 0.8


def test_short_answers_are_looked_for_with_folded_space_and_lists_need_half():
    assert holds_short_answer("It was\n USAID's  own", ["USAID's own"], "factoid")
    assert not holds_short_answer("It was", ["USAID"], "factoid")
    assert holds_short_answer("a and b", ["a", "b", "c"], "list")
    assert not holds_short_answer("b", ["a", "b", "c"], "list")
    assert not holds_short_answer("b", [], "factoid")


# --- the same figures as ir_measures -------------------------------------------------------------------------

spans = st.tuples(st.integers(0, 60), st.integers(5, 25)).map(lambda s: (s[0], s[0] + s[1]))
cases = st.lists(
    st.tuples(st.lists(spans, min_size=1, max_size=3), st.lists(spans, max_size=12), st.booleans()),
    min_size=1,
    max_size=5,
)


@given(cases)
def test_our_measures_are_those_of_ir_measures_on_the_exported_files(drawn):
    rows = []
    for number, (units, ranked, any_) in enumerate(drawn):
        found, passages = [unit(*span) for span in units], [passage(*span) for span in ranked]
        rows.append(
            {
                "id": f"q{number}", "answerable": True, "any": any_, "expected": units,
                "credited": credit(found, passages, any_),
                "passages": [{"doc": "a", "spans": [list(span)]} for span in ranked],
                "measures": measure(found, passages, any_=any_, expected=len(units)),
            }
        )  # fmt: skip
    assert_ir_measures_agrees({"rows": rows})


def assert_ir_measures_agrees(result) -> None:
    qrels = list(ir_measures.read_trec_qrels(io.StringIO("\n".join(qrels_lines(result)))))
    run = list(ir_measures.read_trec_run(io.StringIO("\n".join(run_lines(result)))))
    rows = {row["id"]: row for row in result["rows"] if row["answerable"]}
    names = [name for name in MEASURES if name != "char_recall@5"]
    parsed = {ir_measures.parse_measure(name): name for name in names}
    theirs = {(m.query_id, parsed[m.measure]): m.value for m in ir_measures.iter_calc(list(parsed), qrels, run)}
    for id_, row in rows.items():
        for name in names:
            if name.startswith("Success") and not row["any"]:
                continue  # the one figure that these files cannot carry
            assert row["measures"][name] == pytest.approx(theirs.get((id_, name), 0.0), abs=1e-6), (id_, name)


# --- a real run ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dev(real_index, tmp_path_factory) -> Path:
    """Results of a real run on dev, through the command line."""
    output = tmp_path_factory.mktemp("eval") / "dev.json"
    code = run_cli("eval", "run", "--gold", GOLD_FILE, "--corpus", CORPUS, "--index", real_index, "--output", output)
    assert code == 0
    return output


@pytest.fixture
def result(dev):
    return results.load_result(dev)


def test_a_run_holds_every_question_of_its_side_and_no_other(result):
    assert [row["id"] for row in result["rows"]] == [q.id for q in GOLD if q.split == "dev"]
    assert result["summary"]["missing"] == result["summary"]["lost_evidence"] == result["summary"]["folded_quotes"] == 0
    assert result["documents"] == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in TEXTS.items()}
    assert result["distractors"] == []
    assert result["gold"]["sha256"] == hashlib.sha256(GOLD_FILE.read_bytes()).hexdigest()


def test_results_and_comparisons_keep_to_their_schemas(dev, result, capsys):
    jsonschema.validate(result, schema("eval"))
    assert run_cli("eval", "compare", dev, dev, "--json") == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), schema("comparison"))


def test_what_batch_writes_can_be_scored_odd_lines_and_all(tmp_path):
    lines = [
        json.dumps({"id": "a", "passages": [], "question": "line\u2028separator"}, ensure_ascii=False),
        json.dumps({"schema": "cyberqa.error/1", "line": 2}),
        json.dumps({"schema": "cyberqa.error/1", "line": 3}),
        "",
    ]
    (tmp_path / "run.jsonl").write_text("\n".join(lines), "utf-8")
    assert list(running.read_run(tmp_path / "run.jsonl")) == ["a"]
    for broken in (lines[0], '{"id": "b", "passages": [{"text": "no place"}]}', '{"id": "b"', "[1]"):
        (tmp_path / "run.jsonl").write_text(f"{lines[0]}\n{broken}\n", "utf-8")
        with pytest.raises(GoldError, match="line 2"):
            running.read_run(tmp_path / "run.jsonl")


def test_a_run_on_test_is_always_written_down(tmp_path, real_index):
    """With a gold set of its own: the one that ships is asked its test questions only where that is counted."""
    sides = {GoldQuestion(f"q{n}", f"q{n}", "", "near", False, "", (), (), True).split: f"q{n}" for n in range(20)}
    entries = [{"id": id_, "question": "who", "kind": "near", "answerable": False} for id_ in sides.values()]
    (tmp_path / "small.jsonl").write_text("\n".join(map(json.dumps, entries)), "utf-8")
    with working_folder(tmp_path):
        run = ["eval", "run", "--gold", "small.jsonl", "--corpus", CORPUS, "--index", real_index]
        assert run_cli(*run, "--split", "dev") == 0
        assert not (tmp_path / "evals").exists()
        assert run_cli(*run, "--split", "test", "--output", "mine.json") == 0
        (counted,) = (tmp_path / "evals" / "results").iterdir()
        assert "small-test" in counted.name
        assert results.load_result(counted)["rows"] == results.load_result(Path("mine.json"))["rows"]


def test_a_floor_whose_figure_is_gone_is_not_dropped_in_silence(result):
    floors = gating.updated_floors(result, None, lower=False)
    floors["floors"]["gone/Success@5"] = 0.5
    with pytest.raises(GoldError, match="no figure for the floor of gone"):
        gating.updated_floors(result, floors, lower=False)
    assert "gone/Success@5" not in gating.updated_floors(result, floors, lower=True)["floors"]


def test_every_figure_has_its_interval_and_n(result):
    for measures in [result["summary"]["overall"], *result["summary"]["by_kind"].values()]:
        for figure in measures.values():
            assert figure["n"] == 0 or figure["low"] <= figure["value"] <= figure["high"]
    assert result["summary"]["overall"]["Success@5"]["n"] == sum(row["answerable"] for row in result["rows"])


def test_the_export_of_a_real_run_scores_the_same_with_ir_measures(result):
    assert_ir_measures_agrees(result)


def test_the_same_run_again_gives_the_same_figures(result, real_index, tmp_path):
    run_cli(
        "eval", "run", "--gold", GOLD_FILE, "--corpus", CORPUS, "--index", real_index, "--output", tmp_path / "b.json"
    )
    again = results.load_result(tmp_path / "b.json")
    assert again["rows"] == result["rows"]
    assert again["summary"]["overall"] == result["summary"]["overall"]


def test_the_gate_holds_on_dev(dev, capsys):
    floors = ROOT / "evals" / "floors.toml"
    assert run_cli("eval", "gate", "--results", dev, "--floors", floors) == 0, capsys.readouterr().out


def test_what_the_verdict_is_fitted_on_is_sound_and_shares_no_question_with_what_it_is_reported_on():
    files = sorted((ROOT / "evals" / "verdict").glob("*.jsonl"))
    sets = [load_gold(file) for file in files]
    every = [question for gold in sets for question in gold]
    assert [file.stem for file in files] == ["faq", "lands", "manuals", "things"]
    assert len({question.id for question in every}) == len(every) == 4589
    assert all(question.answerable == (question.kind not in {"near", "swap", "topic"}) for question in every)
    reported = [
        GOLD,
        *(load_gold(GOLD_FILE.with_name(name)) for name in ("practice.jsonl", "blind.jsonl", "sky-cultures.jsonl")),
    ]
    assert not {q.question for q in every} & {q.question for gold in reported for q in gold}


def test_blind_questions_lack_short_answers_at_most(real_index, capsys):
    gold = GOLD_FILE.with_name("blind.jsonl")
    assert run_cli("eval", "check", "--gold", gold, "--corpus", CORPUS, "--index", real_index) == 5
    faults = [line for line in "".join(capsys.readouterr()).splitlines() if line.startswith("bl-")]
    assert len(faults) == 10
    assert {line.partition(": ")[2] for line in faults} == {"it is answerable, but has no short answer"}
    kinds = {question.kind: question.answerable for question in load_gold(gold)}
    assert sorted(kind for kind, is_answerable in kinds.items() if not is_answerable) == [
        "near",
        "offtopic",
        "swap",
        "topic",
    ]


def test_the_shipped_calibration_names_the_very_questions_it_was_fitted_on_and_none_of_test():
    calibration = json.loads((ROOT / "src" / "cyberqa" / "judging" / "calibration.json").read_text())
    named = {entry["file"]: entry for entry in calibration["provenance"]["gold"]}
    assert named["reports.jsonl"]["split"] == "dev"
    for name, entry in named.items():
        (file,) = (file for folder in ("gold", "verdict") for file in (ROOT / "evals" / folder).glob(name))
        assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"], f"{name}: fit anew"


def test_the_command_line_of_eval(dev, tmp_path, real_index, capsys):
    folders = ["--corpus", CORPUS, "--index", real_index]
    for gold, questions in ((GOLD_FILE, 520), (GOLD_FILE.with_name("practice.jsonl"), 330)):
        assert run_cli("eval", "check", "--gold", gold, *folders) == 0
        assert f"{questions} questions are sound" in capsys.readouterr().out
    assert run_cli("eval", "compare", dev, dev) == 0
    assert "not enough questions to tell" in capsys.readouterr().out
    assert run_cli("eval", "report", dev, "--output", tmp_path / "report.html") == 0
    assert run_cli("eval", "report", dev, dev, "--output", tmp_path / "both.html") == 0
    assert run_cli("eval", "export", dev, "--output", tmp_path / "trec") == 0
    assert {f.name for f in (tmp_path / "trec").iterdir()} == {"run.trec", "qrels.trec"}
    for arguments, code, message in (
        (["run", "--split", "tset", *folders], 2, "--split: expected one of dev, test, all"),
        (["run", "--mode", "rrf", *folders], 2, "expected a mode of hybrid, dense, lexical"),
        (["run", "--run", dev, "--mode", "dense", *folders], 2, "--run and --mode exclude each other"),
        (["gate", "--results", dev, "--lower"], 2, "--lower goes with --update"),
        (["run", "--doc-map", "x", *folders], 2, "--doc-map: expected A=B"),
        (["run", "--gold", "none.jsonl", *folders], 1, "gold set none.jsonl cannot be read"),
        (["run", "--gold", GOLD_FILE, "--run", "none.jsonl", *folders], 1, "run none.jsonl cannot be read"),
        (["compare", "none.json", dev], 1, "results none.json cannot be read"),
        (["gate", "--results", dev, "--floors", "none.toml"], 1, "floors none.toml cannot be read"),
    ):
        if "--gold" not in arguments and arguments[0] == "run":
            arguments += ["--gold", GOLD_FILE]
        capsys.readouterr()
        assert run_cli("eval", *arguments) == code
        assert message in capsys.readouterr().err


def located(passage: dict) -> dict:
    """A passage of a result as a run holds it."""
    own, *rest = ({"start": start, "end": end} for start, end in passage["spans"])
    return {
        "citation": {"document": passage["doc"]},
        "location": own,
        "continuation": {"text": "", "location": rest[0]} if rest else None,
    }


def test_a_run_made_elsewhere_is_scored_by_the_same_rule(result, dev, tmp_path, real_index, capsys):
    lines = [
        {
            "id": row["id"],
            "passages": [located(p) for p in row["passages"]],
        }
        for row in result["rows"]
    ]
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    arguments = ["eval", "run", "--gold", GOLD_FILE, "--corpus", CORPUS, "--index", real_index, "--json"]
    assert run_cli(*arguments, "--run", tmp_path / "run.jsonl") == 0
    scored = json.loads(capsys.readouterr().out)["summary"]["overall"]
    for name in MEASURES:
        assert scored[name]["value"] == pytest.approx(result["summary"]["overall"][name]["value"], abs=1e-6)


# --- broken on purpose ---------------------------------------------------------------------------------------


def answers_of(result) -> dict:
    """The answers that a result was made of, as far as it keeps them."""
    answers = {}
    for row in result["rows"]:
        passages = [located(p) | {"score": p["score"]} for p in row["passages"]]
        for entry, shown in zip(passages, row["shown"], strict=False):
            entry |= {"text": shown["text"], "highlight": {"text": shown["highlight"]}}
            if entry["continuation"]:
                entry["continuation"]["text"] = shown["continuation"]
        answers[row["id"]] = {"passages": passages}
    return answers


def rescored(result, answers, texts=TEXTS):
    gold = [q for q in GOLD if q.split == "dev"]
    rows = score_run(gold, answers, texts)
    return json.loads(render.dump_json({**result, "rows": rows, "summary": summarise(rows)}))


@pytest.fixture
def floors():
    return gating.read_floors(ROOT / "evals" / "floors.toml")


def test_an_unbroken_run_passes(result, floors):
    again = rescored(result, answers_of(result))
    assert again["summary"]["overall"] == result["summary"]["overall"]
    assert gating.broken_floors(again, floors) == []


def test_a_chunker_that_drops_a_section_is_caught(result, floors):
    answers = answers_of(result)
    for answer in answers.values():
        kept = [p for p in answer["passages"] if not 73_000 < p["location"]["start"] < 110_000]  # section 5
        answer["passages"] = kept
    broken = rescored(result, answers)
    assert broken["summary"]["overall"]["R@5"]["value"] < result["summary"]["overall"]["R@5"]["value"]
    assert any("Success@5: floor" in fault for fault in gating.broken_floors(broken, floors))


def test_shifted_spans_are_caught(result, floors):
    answers = answers_of(result)
    for answer in answers.values():
        for p in answer["passages"]:
            p["location"] = {"start": p["location"]["start"] + 400, "end": p["location"]["end"] + 400}
    assert any("Success@1: floor" in fault for fault in gating.broken_floors(rescored(result, answers), floors))


def test_a_quotation_that_is_no_longer_there_is_caught(result, floors):
    texts = TEXTS | {name: text.replace("USAID", "US AID") for name, text in TEXTS.items()}
    gold = [q for q in GOLD if any("USAID" in e.quote for e in q.evidence)]
    assert gold
    assert check_gold(gold, texts)
    everything = rescored(result, answers_of(result), {"western-balkans-cybersecurity.txt": "gone"})
    assert any("quotations cannot be located" in fault for fault in gating.broken_floors(everything, floors))
    assert everything["summary"]["overall"]["Success@10"]["value"] == 0.0


def test_a_run_with_a_question_missing_is_caught_and_the_question_scores_nothing(result, floors):
    answers = answers_of(result)
    found = next(row["id"] for row in result["rows"] if row["answerable"] and row["measures"]["Success@1"])
    del answers[found]
    broken = rescored(result, answers)
    row = next(row for row in broken["rows"] if row["id"] == found)
    assert row["is_missing"]
    assert set(row["measures"].values()) == {0.0}
    assert broken["summary"]["overall"]["Success@1"]["n"] == result["summary"]["overall"]["Success@1"]["n"]
    assert "1 questions are missing from the run" in gating.broken_floors(broken, floors)


def test_the_same_passage_ten_times_is_caught(result, floors):
    answers = answers_of(result)
    for answer in answers.values():
        answer["passages"] = answer["passages"][:1] * 10
    broken = rescored(result, answers)
    assert broken["summary"]["overall"]["R@5"]["value"] < result["summary"]["overall"]["R@5"]["value"]
    assert any("R@5: floor" in fault for fault in gating.broken_floors(broken, floors))


def test_another_gold_set_or_other_documents_are_caught(result, floors):
    for key, value, message in (
        ("gold", {**result["gold"], "sha256": "0"}, "gold set has changed"),
        ("gold", {**result["gold"], "split": "test"}, "expected the split dev"),
        (
            "documents",
            {**result["documents"], "albania-cyber-diplomacy.txt": "0"},
            "documents have changed: albania-cyber",
        ),
    ):
        assert any(message in fault for fault in gating.broken_floors({**result, key: value}, floors))


def test_floors_rise_and_sink_only_when_told(result):
    start = gating.updated_floors(result, None, lower=False)
    reached = gating.reached_figures(result)
    assert start["floors"]["Success@5"] == pytest.approx(reached["Success@5"] - gating.TOLERANCE, abs=1e-3)
    high = {**start, "floors": {**start["floors"], "Success@5": 0.99}}
    assert gating.updated_floors(result, high, lower=False)["floors"]["Success@5"] == 0.99
    assert gating.updated_floors(result, high, lower=True)["floors"]["Success@5"] < 0.99
    assert tomllib.loads(gating.dump_floors(start)) == start


# --- comparing and reporting ---------------------------------------------------------------------------------


def test_a_clear_difference_is_told_with_the_questions_that_made_it(result):
    answers = answers_of(result)
    lost = [row["id"] for row in result["rows"] if row["answerable"] and row["measures"]["Success@5"]][:40]
    for id_ in lost:
        answers[id_]["passages"] = []
    comparison = compare(result, rescored(result, answers))
    assert comparison["verdict"] == "A is better"
    assert [pair["id"] for pair in comparison["lost"]] == lost
    assert comparison["won"] == []
    n = comparison["difference"]["Success@5"]["n"]
    assert comparison["difference"]["Success@5"]["value"] == pytest.approx(-40 / n)
    with pytest.raises(GoldError, match="differ in their gold set's split"):
        compare(result, {**result, "gold": {**result["gold"], "split": "test"}})


def test_the_report_is_one_page_without_network_or_script_and_escapes_what_it_shows(result):
    rows = [{**row, "question": "<script>alert(1)</script>"} for row in result["rows"]]
    page = report_html({**result, "rows": rows}, compare(result, result))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "").split("<h2>Worst")[0]
    assert "src=" not in page
    assert "prefers-color-scheme: dark" in page
    for name in ("Success@1", "Risk", "coverage", "By kind", "Comparison"):
        assert name.casefold() in page.casefold()


def test_calibration_is_reported_once_there_is_confidence(result):
    generator = np.random.default_rng(3)
    rows = []
    for row in result["rows"]:
        confidence = float(generator.uniform(0.6, 1.0) if row["answerable"] else generator.uniform(0.0, 0.4))
        rows.append({**row, "confidence": confidence, "verdict": "answered" if confidence > 0.5 else "not_in_corpus"})
    refusal = summarise(rows)["refusal"]
    assert refusal["signal"] == "confidence"
    assert refusal["AUROC"]["value"] == 1.0
    assert refusal["refused"]["answerable"]["value"] == 0.0
    assert refusal["refused"]["offtopic"]["value"] == 1.0
    assert 0 < refusal["calibration"]["ECE_if_perfect"] < refusal["calibration"]["ECE"] < 0.3
    page = report_html({**result, "summary": summarise(rows)})
    assert "ECE" in page
    assert "Reliability" in page


# --- statistics ----------------------------------------------------------------------------------------------


def test_auroc_is_the_share_of_ordered_pairs():
    generator = np.random.default_rng(1)
    positive, negative = generator.integers(0, 9, 40).astype(float), generator.integers(0, 7, 30).astype(float)
    expected = np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative])
    assert statistics.auroc(positive, negative) == pytest.approx(expected)


def test_intervals_narrow_with_n_and_hold_the_mean():
    small, large = (statistics.mean_estimate([0.0, 1.0] * n) for n in (10, 1000))
    assert small.low < large.low < 0.5 < large.high < small.high
    assert statistics.mean_estimate([]).value is None


def test_a_randomisation_test_tells_chance_from_difference():
    assert statistics.randomisation_p([0.0] * 50) == 1.0
    assert statistics.randomisation_p([1.0, -1.0] * 25) > 0.5
    assert statistics.randomisation_p([1.0] * 20 + [0.0] * 30) < 0.001


def test_calibration_error_is_nought_for_the_calibrated_and_large_for_the_sure():
    confidences = np.repeat([0.05, 0.95], 1000)
    honest = np.concatenate([np.arange(1000) < 50, np.arange(1000) < 950]).astype(float)
    assert statistics.calibration_error(confidences, honest) < 1e-9
    assert statistics.calibration_error(np.ones(1000) * 0.999, honest[:1000]) > 0.9


def test_risk_falls_to_nought_where_certainty_is_right():
    curve = statistics.risk_coverage(np.array([0.9, 0.8, 0.2, 0.1]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert [point["risk"] for point in curve] == [0, 0, pytest.approx(1 / 3), 0.5]


def test_measures_stand_in_one_short_file():
    file = ROOT / "src" / "cyberqa" / "evaluation" / "measures.py"
    assert len(file.read_text("utf-8").splitlines()) < 150


def test_an_index_with_more_documents_lists_them_as_distractors(real_index, tmp_path, warm_index, real_settings):
    from cyberqa import ingest

    corpus = tmp_path / "more"
    corpus.mkdir()
    for file in CORPUS.iterdir():
        (corpus / file.name).write_bytes(file.read_bytes())
    (corpus / "extra.txt").write_text("An extra text about nothing of the kind.", "utf-8")
    ingest.build_index(replace(real_settings, corpus=corpus, index=warm_index))
    output = tmp_path / "more.json"
    run_cli("eval", "run", "--gold", GOLD_FILE, "--corpus", corpus, "--index", warm_index, "--output", output)
    assert results.load_result(output)["distractors"] == ["extra.txt"]
    assert SHORT_ANSWER in results.load_result(output)["summary"]["overall"]


def test_a_gold_set_may_have_a_byte_order_mark_and_must_have_a_question(tmp_path):
    (tmp_path / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + GOLD_FILE.read_bytes())
    assert load_gold(tmp_path / "marked.jsonl") == load_gold(GOLD_FILE)
    (tmp_path / "empty.jsonl").write_text("\n", "utf-8")
    with pytest.raises(GoldError, match="expected a question a line, found none"):
        load_gold(tmp_path / "empty.jsonl")


def test_floors_are_read_back_whatever_a_document_is_called():
    floors = {"split": "dev", "gold_sha256": "0", "documents": {'a "b"\n\\.txt': "1"}, "floors": {}}
    assert tomllib.loads(gating.dump_floors(floors))["documents"] == floors["documents"]
