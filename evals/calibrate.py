"""Fits the confidence of answers on gold sets, and writes src/cyberqa/judging/calibration.json.

    python evals/calibrate.py [--gold FILE[:SPLIT] ...] [--corpus DIR] [--index DIR] [--aim 0.028] [--output FILE]

By default on the dev half of reports.jsonl and all of practice.jsonl; their writers never met, so what a fit on the one
does on the other is what to expect of new questions. Prints AUROC, the share refused by kind and the calibration error:
with each set judged by a fit on the others, and in folds that keep a question and its swaps together; then each signal
left out.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyberqa.evaluation.fitting import (
    FOLDS,
    PENALTY,
    REPEATS,
    Logistic,
    Table,
    fit_best_of,
    fit_logistic,
    out_of_fold,
    out_of_set,
    refused_in_nested_folds,
    refused_of_set,
    threshold_for,
)
from cyberqa.evaluation.gold import SPLITS, GoldQuestion, Unit, find_units, gold_digest, load_gold
from cyberqa.evaluation.measures import Retrieved, credit
from cyberqa.evaluation.statistics import (
    Estimate,
    Values,
    auroc,
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
GOLD = ROOT / "evals" / "gold"
COLUMNS = (*SIGNALS, "behind")
DEPTH = 5  # passages whose own confidence is fitted

Which = NDArray[np.bool_]


class Rows:
    """What the passages of each question have to say, ``(questions, DEPTH, signals)``, and what is true.

    ``scores`` and ``relevant`` are ``(questions, DEPTH)``. Where there are fewer passages the last stands again.
    """

    def __init__(self, gold: Sequence[tuple[str, GoldQuestion]], session: Session) -> None:
        texts = {id_: session.generation.document(id_).text for id_ in session.generation.document_ids()}
        signals: list[list[tuple[float, ...]]] = []
        scores: list[list[float]] = []
        relevant: list[list[bool]] = []
        for _, question in gold:
            found: list[tuple[Passage, Signals]] = session.evidence(question.question, DEPTH)
            found += found[-1:] * (DEPTH - len(found))
            units = find_units(question, texts, {})
            signals.append([each.values() for _, each in found])
            scores.append([passage.score for passage, _ in found])
            relevant.append([_answers(passage, units) for passage, _ in found])
        self.signals: Table = np.array(signals)
        self.scores = np.array(scores)
        self.relevant = np.array(relevant, np.float64)
        self.answerable = np.array([question.answerable for _, question in gold], np.float64)
        self.kinds = np.array([question.kind for _, question in gold])
        self.sets = [name for name, _ in gold]
        self.groups = [f"{name}/{question.group}" for name, question in gold]

    @property
    def behind(self) -> Table:
        """The score of each passage less that of the first."""
        return self.scores - self.scores[:, :1]

    @property
    def verdicts(self) -> Table:
        """The signals of those passages that the verdict rests on, and how far they are behind."""
        return np.concatenate([self.signals, self.behind[:, :, None]], axis=2)[:, :PASSAGES]

    @property
    def refusable(self) -> list[str]:
        """Kinds of unanswerable questions."""
        return list(dict.fromkeys(self.kinds[self.answerable == 0].tolist()))

    def subsets(self) -> Iterator[tuple[str, Which]]:
        """Yield each set, and all, with its rows."""
        of = np.array(self.sets)
        names = list(dict.fromkeys(self.sets))
        yield from ((name, of == name) for name in names)
        if len(names) > 1:
            yield "all", np.ones(len(of), np.bool_)


def _answers(passage: Passage, units: Sequence[Unit]) -> bool:
    places = [passage.location, *([passage.continuation.location] if passage.continuation else [])]
    retrieved = Retrieved(passage.citation.document, tuple(Span(place.start, place.end) for place in places))
    return any(credit(units, [retrieved], True))


# --- the tables ----------------------------------------------------------------------------------------------


def tables_text(rows: Rows, aim: float) -> str:
    """Return the figures of the whole model, and of the model without each signal."""
    lines: list[str] = []
    ways = {"in folds": (_in_folds, refused_in_nested_folds(rows.verdicts, rows.answerable, rows.groups, aim))}
    if len(set(rows.sets)) > 1:
        refused = refused_of_set(rows.verdicts, rows.answerable, rows.groups, rows.sets, aim)
        ways = {"by a fit on the other sets": (_out_of_set, refused.astype(np.float64)), **ways}
    for way, (judge, refused) in ways.items():
        logits = judge(rows, rows.verdicts)
        lines.append(f"--- each set judged {way}; refused at a threshold for {aim:.0%} found there too")
        for name, which in rows.subsets():
            lines += [f"{name}:", *_figures(rows, logits, refused, which)]
        lines += ["without:", *_ablation(rows, judge), ""]
    return "\n".join(lines)


def _in_folds(rows: Rows, table: Table) -> Values:
    return out_of_fold(fit_best_of, table, rows.answerable, rows.groups)


def _out_of_set(rows: Rows, table: Table) -> Values:
    return out_of_set(fit_best_of, table, rows.answerable, rows.sets)


def _figures(rows: Rows, logits: Values, refused: Values, which: Which) -> Iterator[str]:
    chances = 1 / (1 + np.exp(-logits[which]))
    error, perfect = calibration_error(chances, rows.answerable[which]), perfect_calibration_error(chances)
    yield f"  {'all':12} AUROC {_shown(_auroc(rows, logits, which, 'all'))}; ECE {error:.3f}, perfect {perfect:.3f}"
    for kind in rows.refusable:
        share = mean_estimate(refused[which & (rows.kinds == kind)].tolist())
        yield f"  {kind:12} AUROC {_shown(_auroc(rows, logits, which, kind))}; refused {_shown(share)}"
    yield f"  {'answerable':12} refused {_shown(mean_estimate(refused[which & (rows.answerable == 1)].tolist()))}"


def _ablation(rows: Rows, judge: Callable[[Rows, Table], Values]) -> Iterator[str]:
    """Yield AUROC without each signal; it is the mean over the sets, for two fits have no common scale."""
    for number, name in [(-1, "(nothing)"), *enumerate(COLUMNS)]:
        logits = judge(rows, rows.verdicts[:, :, [n for n in range(len(COLUMNS)) if n != number]])
        sets = [which for label, which in rows.subsets() if label != "all"]
        figures = [np.mean([auroc(*_sides(rows, logits, s, kind)) for s in sets]) for kind in ("all", *rows.refusable)]
        yield f"  {name:12}" + "".join(f"{figure:8.3f}" for figure in figures)


def _auroc(rows: Rows, logits: Values, which: Which, kind: str) -> Estimate:
    positive, negative = _sides(rows, logits, which, kind)
    return auroc_estimate(positive.tolist(), negative.tolist())


def _sides(rows: Rows, logits: Values, which: Which, kind: str) -> tuple[Values, Values]:
    others = which & (rows.answerable == 0) & ((rows.kinds == kind) | (kind == "all"))
    return logits[which & (rows.answerable == 1)], logits[others]


def _shown(figure: Estimate) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f}) n {figure.n}"


# --- the fit -------------------------------------------------------------------------------------------------


def fit_all(rows: Rows, aim: float) -> JSON:
    """Return what calibration.json holds of the model: rounded, for a person to read."""
    threshold = threshold_for(_in_folds(rows, rows.verdicts)[rows.answerable == 1], aim)
    model = fit_best_of(rows.verdicts, rows.answerable)
    *weights, behind = (round(float(weight), 3) for weight in model.weights)
    return {
        "intercept": round(model.intercept, 3),
        "weights": dict(zip(SIGNALS, weights, strict=True)),
        "behind": behind,
        "threshold": round(float(1 / (1 + np.exp(-threshold))), 3),
        "passage": _fit_passages(rows, model),
    }


def _fit_passages(rows: Rows, model: Logistic) -> dict[str, float]:
    own = rows.signals @ model.weights[:-1] + model.intercept
    first = np.zeros_like(own)
    first[:, 0] = 1.0
    fitted = fit_logistic(np.column_stack([own.ravel(), rows.behind.ravel(), first.ravel()]), rows.relevant.ravel())
    names = ("own", "behind", "first")
    weights = {name: round(float(weight), 3) for name, weight in zip(names, fitted.weights, strict=True)}
    return {**weights, "intercept": round(fitted.intercept, 3)}


def read_gold(source: str) -> tuple[Path, str, list[tuple[str, GoldQuestion]]]:
    """Return file, split and questions of ``FILE`` or ``FILE:SPLIT``, each question with the name of its set."""
    file, _, split = source.partition(":")
    if split and split not in SPLITS:
        raise SystemExit(f"expected a split of {', '.join(SPLITS)}, found {split!r}")
    path = Path(file)
    name = f"{path.stem}-{split or 'all'}"
    return path, split or "all", [(name, each) for each in load_gold(path) if split in ("", each.split)]


def main() -> None:
    """Ask the questions, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", nargs="+", default=[f"{GOLD / 'reports.jsonl'}:dev", str(GOLD / "practice.jsonl")])
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("--index", type=Path, default=ROOT / "index")
    parser.add_argument("--aim", type=float, default=0.028, help="share of answerable questions refused, at most")
    parser.add_argument("--output", type=Path, default=ROOT / "src" / "cyberqa" / "judging" / FILE)
    options = parser.parse_args()
    sources = [read_gold(source) for source in options.gold]
    with Session.open(load_settings({"corpus": options.corpus, "index": options.index})) as session:
        rows = Rows([each for _, _, questions in sources for each in questions], session)
        encoder, ranking = session.encoder_identity, session.ranking
    print(tables_text(rows, options.aim))
    today = datetime.now(UTC).date().isoformat()
    body = {
        "schema": SCHEMA,
        "name": "+".join([*dict.fromkeys(rows.sets)]) + f"-{today}",
        "encoder": list(encoder),
        "ranking": ranking,
        **fit_all(rows, options.aim),
        "provenance": {
            "gold": [
                {"file": file.name, "sha256": gold_digest(file), "split": split, "questions": len(questions)}
                for file, split, questions in sources
            ],
            "questions": len(rows.sets),
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
