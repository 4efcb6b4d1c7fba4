"""Fits the confidence of answers on the dev half of a gold set, and writes src/cyberqa/judging/calibration.json.

    python evals/calibrate.py [--gold FILE] [--corpus DIR] [--index DIR] [--aim 0.04] [--output FILE]

Prints, from folds that keep a question and its swaps together: AUROC and the share refused by kind with 95% intervals,
the calibration error, each signal left out, and what the threshold does when it is found inside the folds too.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cyberqa.evaluation.fitting import (
    FOLDS,
    PENALTY,
    REPEATS,
    Logistic,
    Table,
    fit_best_of,
    fit_logistic,
    out_of_fold,
    refused_in_nested_folds,
    threshold_for,
)
from cyberqa.evaluation.gold import GoldQuestion, Unit, find_units, gold_digest, load_gold
from cyberqa.evaluation.measures import Retrieved, credit
from cyberqa.evaluation.statistics import (
    Estimate,
    Values,
    auroc_estimate,
    calibration_error,
    mean_estimate,
    perfect_calibration_error,
)
from cyberqa.judging.calibration import FILE, PASSAGES, SCHEMA
from cyberqa.judging.signals import SIGNALS, Signals
from cyberqa.session import Session
from cyberqa.settings import load_settings
from cyberqa.types import JSON, Passage, Span

ROOT = Path(__file__).parent.parent
DEPTH = 5  # passages whose own confidence is fitted


class Rows:
    """What the passages of each question have to say, ``(questions, DEPTH, signals)``, and what is true.

    ``scores`` and ``relevant`` are ``(questions, DEPTH)``. Where there are fewer passages the last stands again.
    """

    def __init__(self, gold: Sequence[GoldQuestion], session: Session) -> None:
        texts = {id_: session.generation.document(id_).text for id_ in session.generation.document_ids()}
        signals: list[list[tuple[float, ...]]] = []
        scores: list[list[float]] = []
        relevant: list[list[bool]] = []
        for question in gold:
            found: list[tuple[Passage, Signals]] = session.evidence(question.question, DEPTH)
            found += found[-1:] * (DEPTH - len(found))
            units = find_units(question, texts, {})
            signals.append([each.values() for _, each in found])
            scores.append([passage.score for passage, _ in found])
            relevant.append([_answers(passage, units) for passage, _ in found])
        self.signals: Table = np.array(signals)
        self.scores = np.array(scores)
        self.relevant = np.array(relevant, np.float64)
        self.answerable = np.array([question.answerable for question in gold], np.float64)
        self.kinds = np.array([question.kind for question in gold])
        self.groups = [question.group for question in gold]

    @property
    def refusable(self) -> list[str]:
        """Kinds of unanswerable questions."""
        return list(dict.fromkeys(self.kinds[self.answerable == 0].tolist()))


def _answers(passage: Passage, units: Sequence[Unit]) -> bool:
    places = [passage.location, *([passage.continuation.location] if passage.continuation else [])]
    retrieved = Retrieved(passage.citation.document, tuple(Span(place.start, place.end) for place in places))
    return any(credit(units, [retrieved], True))


# --- the table -----------------------------------------------------------------------------------------------


def table_text(rows: Rows, aim: float) -> str:
    """Return the figures of the whole model, and of the model without each signal."""
    verdicts = rows.signals[:, :PASSAGES]
    logits = out_of_fold(fit_best_of, verdicts, rows.answerable, rows.groups)
    kinds = ["all", *rows.refusable]
    lines = [f"{'AUROC':14}" + "".join(f"{kind:>29}" for kind in kinds)]
    lines.append(f"{'all signals':14}" + "".join(f"{_shown(_auroc(rows, logits, kind)):>29}" for kind in kinds))
    for number, name in enumerate(SIGNALS):
        others = [n for n in range(len(SIGNALS)) if n != number]
        without = out_of_fold(fit_best_of, verdicts[:, :, others], rows.answerable, rows.groups)
        figures = "".join(f"{_auroc(rows, without, kind).value:>29.3f}" for kind in kinds)
        lines.append(f"{'- ' + name:14}{figures}")
    chances = 1 / (1 + np.exp(-logits))
    lines.append("")
    lines.append(
        f"ECE {calibration_error(chances, rows.answerable):.3f}, perfect {perfect_calibration_error(chances):.3f}"
    )
    refused = refused_in_nested_folds(verdicts, rows.answerable, rows.groups, aim)
    lines.append(f"refused, aim {aim:.0%}, threshold found inside the folds:")
    groups = {"answerable": rows.answerable == 1} | {kind: rows.kinds == kind for kind in rows.refusable}
    lines += [f"  {name:20} {_shown(mean_estimate(refused[which].tolist()))}" for name, which in groups.items()]
    return "\n".join(lines)


def _auroc(rows: Rows, logits: Values, kind: str) -> Estimate:
    others = (rows.answerable == 0) & ((rows.kinds == kind) | (kind == "all"))
    return auroc_estimate(logits[rows.answerable == 1].tolist(), logits[others].tolist())


def _shown(figure: Estimate) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f}) n {figure.n}"


# --- the fit -------------------------------------------------------------------------------------------------


def fit_all(rows: Rows, aim: float) -> JSON:
    """Return what calibration.json holds of the model: rounded, for a person to read."""
    verdicts = rows.signals[:, :PASSAGES]
    logits = out_of_fold(fit_best_of, verdicts, rows.answerable, rows.groups)
    threshold = threshold_for(logits[rows.answerable == 1], aim)
    model = fit_best_of(verdicts, rows.answerable)
    return {
        "intercept": round(model.intercept, 3),
        "weights": {name: round(float(weight), 3) for name, weight in zip(SIGNALS, model.weights, strict=True)},
        "threshold": round(float(1 / (1 + np.exp(-threshold))), 3),
        "passage": _fit_passages(rows, model),
    }


def _fit_passages(rows: Rows, model: Logistic) -> dict[str, float]:
    own = rows.signals @ model.weights + model.intercept
    behind = rows.scores - rows.scores[:, :1]
    first = np.zeros_like(own)
    first[:, 0] = 1.0
    fitted = fit_logistic(np.column_stack([own.ravel(), behind.ravel(), first.ravel()]), rows.relevant.ravel())
    names = ("own", "behind", "first")
    weights = {name: round(float(weight), 3) for name, weight in zip(names, fitted.weights, strict=True)}
    return {**weights, "intercept": round(fitted.intercept, 3)}


def main() -> None:
    """Ask the dev half, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, default=ROOT / "evals" / "gold" / "reports.jsonl")
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("--index", type=Path, default=ROOT / "index")
    parser.add_argument("--aim", type=float, default=0.04, help="share of answerable questions refused, at most")
    parser.add_argument("--output", type=Path, default=ROOT / "src" / "cyberqa" / "judging" / FILE)
    options = parser.parse_args()
    gold = [question for question in load_gold(options.gold) if question.split == "dev"]
    with Session.open(load_settings({"corpus": options.corpus, "index": options.index})) as session:
        rows = Rows(gold, session)
        encoder, ranking = session.encoder_identity, session.ranking
    print(table_text(rows, options.aim))
    today = datetime.now(UTC).date().isoformat()
    body = {
        "schema": SCHEMA,
        "name": f"{options.gold.stem}-dev-{today}",
        "encoder": list(encoder),
        "ranking": ranking,
        **fit_all(rows, options.aim),
        "provenance": {
            "gold": options.gold.name,
            "gold_sha256": gold_digest(options.gold),
            "split": "dev",
            "questions": len(gold),
            "answerable": int(rows.answerable.sum()),
            "folds": FOLDS,
            "repeats": REPEATS,
            "penalty": PENALTY,
            "aim": options.aim,
            "date": today,
            "command": "python evals/calibrate.py",
        },
    }
    options.output.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
