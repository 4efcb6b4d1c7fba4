"""Asks the questions of a gold set, or reads a run, and scores it: a row a question."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from cyberqa.errors import GoldError
from cyberqa.evaluation.gold import GoldQuestion, Unit, find_units
from cyberqa.evaluation.measures import Retrieved, credit, holds_short_answer, measure
from cyberqa.types import JSON, Span

DEPTH = 10
_SHOWN = 3  # passages of which the text is kept, to look at
SHORT_ANSWER = "short answer in highlight 1"


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
