"""Scores a run against a gold set and sums up: one JSON object, with every question of the gold set in it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cyberqa.errors import GoldError
from cyberqa.evaluation import statistics
from cyberqa.evaluation.gold import GoldQuestion, Unit, find_units, gold_digest
from cyberqa.evaluation.measures import MEASURES, Retrieved, credit, holds_short_answer, measure
from cyberqa.evaluation.statistics import auroc_estimate, mean_estimate
from cyberqa.types import JSON, Span

EVAL_SCHEMA = "cyberqa.eval/1"
DEPTH = 10
_SHOWN = 3  # passages of which the text is kept, to look at
SHORT_ANSWER = "short answer in highlight 1"
SHORT_ANSWER_OF_RELEVANT = "short answer in highlight 1, of relevant"
PASSAGE_CHARACTERS = "passage characters"
HIGHLIGHT_CHARACTERS = "highlight characters"


def read_run(file: Path) -> dict[str, JSON]:
    """Read a run: what ``cyberqa batch`` writes, or JSON Lines of ``id`` and ``passages`` with spans from elsewhere.

    Raises:
        GoldError: not JSON Lines with an id each, or an id twice.
    """
    answers: dict[str, JSON] = {}
    number = 0
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            body = json.loads(line) if line.strip() else {}
            if body.get("id") is None:
                continue  # a line that `batch` could not read: its question counts as missing
            if str(body["id"]) in answers:
                raise GoldError(f"{file}, line {number}: {body['id']!r} stands twice in the run")
            for passage in body.get("passages", ()):
                _retrieved(passage)
            answers[str(body["id"])] = body
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        where = f", line {number}" if number else ""
        raise GoldError(f"run {file}{where} cannot be read ({error})", hint="make one with: cyberqa batch") from error
    return answers


def ask_all(gold: Sequence[GoldQuestion], ask: Callable[[str], JSON]) -> Iterator[tuple[str, JSON, float]]:
    """Yield id, answer and milliseconds of each question; ``ask`` maps a question to the answer's JSON."""
    for question in gold:
        started = time.perf_counter()
        answer = ask(question.question)
        yield question.id, answer, (time.perf_counter() - started) * 1000


# --- scoring -------------------------------------------------------------------------------------------------


def score_run(
    gold: Sequence[GoldQuestion],
    answers: Mapping[str, JSON],
    texts: Mapping[str, str],
    doc_map: Mapping[str, str] | None = None,
) -> list[JSON]:
    """Return a row for every gold question, in the order of the gold set: none is left out of a denominator."""
    return [score_question(q, answers.get(q.id), find_units(q, texts, doc_map or {})) for q in gold]


def score_question(question: GoldQuestion, answer: JSON | None, units: Sequence[Unit]) -> JSON:
    """Return one question's row; a question without passages in the run is a miss, and says so."""
    answer = answer or {}
    passages: list[JSON] = answer.get("passages") or []
    retrieved = [_retrieved(passage) for passage in passages]
    row: JSON = {
        "id": question.id,
        "kind": question.kind,
        "question": question.question,
        "answerable": question.answerable,
        "is_missing": "passages" not in answer,
        "verdict": answer.get("verdict"),
        "confidence": answer.get("confidence"),
        "score": passages[0].get("score") if passages else None,
        "passages": [_brief(passage, place) for passage, place in zip(passages, retrieved, strict=True)],
        "shown": [_shown(passage) for passage in passages[: _SHOWN if question.answerable else 1]],
    }
    if question.answerable:
        expected = len(question.evidence)
        row["any"] = question.any
        row["expected"] = [asdict(evidence) for evidence in question.evidence]
        row["units"] = [{"doc": u.doc, "start": u.span.start, "end": u.span.end, "is_exact": u.is_exact} for u in units]
        row["lost_evidence"] = expected - len(units)
        row["credited"] = credit(units, retrieved, question.any)
        row["measures"] = measure(units, retrieved, any_=question.any, expected=expected)
        row["measures"][SHORT_ANSWER] = float(bool(passages) and _answers(question, passages[0]))
    return row


def _retrieved(passage: JSON) -> Retrieved:
    places = [passage["location"], *([passage["continuation"]["location"]] if passage.get("continuation") else [])]
    return Retrieved(passage["citation"]["document"], tuple(Span(place["start"], place["end"]) for place in places))


def _brief(passage: JSON, place: Retrieved) -> JSON:
    return {
        "doc": place.doc,
        "spans": [[span.start, span.end] for span in place.spans],
        "score": passage.get("score"),
    }


def _shown(passage: JSON) -> JSON:
    return {
        "text": passage.get("text", ""),
        "highlight": passage["highlight"]["text"] if passage.get("highlight") else "",
        "continuation": passage["continuation"]["text"] if passage.get("continuation") else "",
    }


def _answers(question: GoldQuestion, first: JSON) -> bool:
    shown = first["highlight"]["text"] if first.get("highlight") else ""
    if first.get("continuation"):
        shown += " " + first["continuation"]["text"]
    return holds_short_answer(shown, question.short_answers, question.kind)


def answerable_rows(result: JSON) -> list[JSON]:
    """Return the rows of a result whose questions the corpus answers."""
    return [row for row in result["rows"] if row["answerable"]]


# --- summing up ----------------------------------------------------------------------------------------------


def summarise(rows: Sequence[JSON], latencies_ms: Sequence[float] = ()) -> JSON:
    """Return measures overall and by kind, what bought them, refusals and latency, each with interval and n."""
    answerable = [row for row in rows if row["answerable"]]
    kinds = list(dict.fromkeys(row["kind"] for row in answerable))
    return {
        "overall": _measures(answerable),
        "by_kind": {kind: _measures([row for row in answerable if row["kind"] == kind]) for kind in kinds},
        "refusal": _refusal([row for row in rows if not row["is_missing"]]),
        "latency_ms": _latency(latencies_ms),
        "missing": sum(row["is_missing"] for row in rows),
        "lost_evidence": sum(row.get("lost_evidence", 0) for row in rows),
        "folded_quotes": sum(not unit["is_exact"] for row in rows for unit in row.get("units", ())),
    }


def _measures(rows: Sequence[JSON]) -> dict[str, JSON]:
    figures = {name: mean_estimate([row["measures"][name] for row in rows]) for name in (*MEASURES, SHORT_ANSWER)}
    relevant = [row["measures"][SHORT_ANSWER] for row in rows if row["credited"] and row["credited"][0]]
    figures[SHORT_ANSWER_OF_RELEVANT] = mean_estimate(relevant)
    shown = [passage for row in rows for passage in row["passages"]]
    first = [row["shown"][0] for row in rows if row["shown"]]
    lengths = [float(sum(end - start for start, end in passage["spans"])) for passage in shown]
    figures[PASSAGE_CHARACTERS] = mean_estimate(lengths)
    figures[HIGHLIGHT_CHARACTERS] = mean_estimate([float(len(passage["highlight"])) for passage in first])
    return {name: asdict(figure) for name, figure in figures.items()}


def _refusal(rows: Sequence[JSON]) -> JSON:
    """Judge the answer's confidence or, where there is none yet, the score of its first passage as a signal."""
    is_calibrated = bool(rows) and all(row["confidence"] is not None for row in rows)
    signal = "confidence" if is_calibrated else "score"
    signals = {row["id"]: float(row[signal] or 0.0) for row in rows}
    answerable = [signals[row["id"]] for row in rows if row["answerable"]]
    unanswerable = [row for row in rows if not row["answerable"]]
    by_kind = {kind: [signals[r["id"]] for r in unanswerable if r["kind"] == kind] for kind in _kinds(unanswerable)}
    is_right = [float(row["answerable"] and row["measures"]["Success@1"]) for row in rows]
    curve = statistics.risk_coverage(np.array(list(signals.values())), np.array(is_right)) if rows else []
    return {
        "signal": signal,
        "AUROC": asdict(auroc_estimate(answerable, [signals[row["id"]] for row in unanswerable])),
        "AUROC_by_kind": {kind: asdict(auroc_estimate(answerable, values)) for kind, values in by_kind.items()},
        "refused": _refused(rows) if is_calibrated else None,
        "risk_coverage": curve,
        "calibration": _calibration(rows) if is_calibrated else None,
    }


def _kinds(rows: Sequence[JSON]) -> list[str]:
    return list(dict.fromkeys(row["kind"] for row in rows))


def _refused(rows: Sequence[JSON]) -> dict[str, JSON]:
    groups = {"answerable": [row for row in rows if row["answerable"]]}
    unanswerable = [row for row in rows if not row["answerable"]]
    groups |= {kind: [row for row in unanswerable if row["kind"] == kind] for kind in _kinds(unanswerable)}
    return {
        name: asdict(mean_estimate([float(row["verdict"] == "not_in_corpus") for row in members]))
        for name, members in groups.items()
    }


def _calibration(rows: Sequence[JSON]) -> JSON:
    confidences = np.array([row["confidence"] for row in rows], np.float64)
    outcomes = np.array([row["answerable"] for row in rows], np.float64)
    return {
        "ECE": statistics.calibration_error(confidences, outcomes),
        "ECE_if_perfect": statistics.perfect_calibration_error(confidences),
        "n": len(rows),
        "reliability": statistics.reliability_table(confidences, outcomes),
    }


def _latency(latencies_ms: Sequence[float]) -> JSON | None:
    if not latencies_ms:
        return None
    p50, p95 = np.percentile(np.asarray(latencies_ms, np.float64), [50, 95])
    return {"p50": float(p50), "p95": float(p95), "n": len(latencies_ms)}


# --- results files -------------------------------------------------------------------------------------------


def make_result(
    *,
    gold_file: Path,
    split: str,
    gold: Iterable[GoldQuestion],
    rows: Sequence[JSON],
    latencies_ms: Sequence[float],
    documents: Mapping[str, str],
    configuration: JSON,
) -> JSON:
    """Return what a results file holds: configuration, digests, summary and rows.

    ``documents`` maps every document of the index to its SHA-256; those that ``gold`` never names are distractors.
    """
    named = {unit["doc"] for row in rows for unit in row.get("units", ())}
    named |= {evidence.doc for question in gold for evidence in question.evidence}
    return {
        "schema": EVAL_SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": working_commit(),
        "gold": {"file": gold_file.name, "sha256": gold_digest(gold_file), "split": split, "n": len(rows)},
        "documents": {doc: digest for doc, digest in documents.items() if doc in named},
        "distractors": sorted(documents.keys() - named),
        "configuration": configuration,
        "summary": summarise(rows, latencies_ms),
        "rows": list(rows),
    }


def result_file(folder: Path, gold: Path, split: str, result: JSON) -> Path:
    """Return where the results of a run are kept: by time, set, split and commit."""
    return folder / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{gold.stem}-{split}-{result['commit'] or 'no-commit'}.json"


def dump_result(result: JSON) -> str:
    """Return the JSON text of a results file: a line a row, so that two of them can be told apart by eye."""
    head = {key: value for key, value in result.items() if key != "rows"}
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in result["rows"])
    return json.dumps(head, ensure_ascii=False, indent=1)[:-2] + f',\n "rows": [\n{rows}\n]}}\n'


def load_result(file: Path) -> JSON:
    """Read a results file.

    Raises:
        GoldError: not a results file of this schema.
    """
    try:
        body: JSON = json.loads(file.read_bytes())
        if body["schema"] != EVAL_SCHEMA:
            raise GoldError(f"{file}: expected schema {EVAL_SCHEMA}, found {body['schema']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GoldError(f"results {file} cannot be read ({error})", hint="make them with: cyberqa eval run") from error
    return body


def working_commit() -> str | None:
    """Return the commit of the working folder, with a plus where it has been changed since; None outside of git."""
    git = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def result_text(result: JSON) -> str:
    """Return a result as a Markdown table: overall, then by kind, then refusals."""
    gold, summary = result["gold"], result["summary"]
    names = [*MEASURES[:3], "RR@10", SHORT_ANSWER]
    lines = [
        f"{gold['file']}, {gold['split']}: {gold['n']} questions\n",
        "| kind | n | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for kind, measures in [("**all**", summary["overall"]), *summary["by_kind"].items()]:
        cells = [kind, str(measures[names[0]]["n"]), *(figure_text(measures[name]) for name in names)]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    lines += [f"{name}: {figure_text(summary['overall'][name])}" for name in (*MEASURES[4:], SHORT_ANSWER_OF_RELEVANT)]
    for name in (PASSAGE_CHARACTERS, HIGHLIGHT_CHARACTERS):
        lines.append(f"{name}: {figure_text(summary['overall'][name], percent=False)}")
    refusal = summary["refusal"]
    by_kind = ", ".join(f"{kind} {figure_text(figure)}" for kind, figure in refusal["AUROC_by_kind"].items())
    lines.append(f"AUROC of {refusal['signal']}: {figure_text(refusal['AUROC'])}; {by_kind}")
    for kind, figure in (refusal["refused"] or {}).items():
        lines.append(f"refused, {kind}: {figure_text(figure)}")
    if refusal["calibration"]:
        lines.append("ECE: {ECE:.3f}, of a perfect forecaster {ECE_if_perfect:.3f}".format(**refusal["calibration"]))
    if latency := summary["latency_ms"]:
        lines.append(f"latency: p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms")
    counts = {"questions missing": "missing", "quotations lost": "lost_evidence", "located folded": "folded_quotes"}
    lines += [f"{label}: {summary[key]}" for label, key in counts.items() if summary[key]]
    return "\n".join(lines)


def figure_text(figure: Mapping[str, Any], percent: bool = True) -> str:
    """Return a figure with its interval, for people."""
    if figure["value"] is None:
        return "–"
    pattern = "{value:.3f} ({low:.3f}–{high:.3f})" if percent else "{value:.0f} ({low:.0f}–{high:.0f})"
    return pattern.format(**figure)
