"""Fits the confidence of answers on gold sets, and writes src/cyberqa/judging/calibration.json.

    python evals/calibrate.py [--gold FILE[:SPLIT] ... --corpus DIR --index DIR] [--aim 0.03] [--output FILE]

By default on the dev half of reports.jsonl, all of practice.jsonl and blind.jsonl, and on the four folders of
evals/verdict, which must have been made and indexed (README.md there). What speaks for and against a passage is learnt
from all; how sure that makes, and the threshold, from the reports alone. No two sets have a writer in common, so what a
fit on the others does on one is what to expect of new questions. Prints AUROC, the share refused by kind and the
calibration error, each set judged by a fit on the others (in folds where there is but one); then each sign left out.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cyberqa.evaluation.fitting import (
    PENALTY,
    Fit,
    Logistic,
    Table,
    Which,
    fit_best_of,
    fit_logistic,
    judged_apart,
    refused_apart,
    rescaled,
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
from cyberqa.judging.signs import SIGNS, Signs
from cyberqa.retrieval import RANKING
from cyberqa.session import Session
from cyberqa.settings import load_settings
from cyberqa.types import JSON, Passage, Span

ROOT = Path(__file__).parent.parent
GOLD = ROOT / "evals" / "gold"
VERDICT = ROOT / "evals" / "verdict"
COLUMNS = (*SIGNS, "behind")
DEPTH = 5  # passages whose own confidence is fitted


@dataclass(frozen=True)
class Source:
    """A gold set or a split of it, and the corpus that it asks. ``is_own``: what the confidence shall be right for."""

    file: Path
    split: str
    corpus: Path
    index: Path
    is_own: bool = True

    @classmethod
    def parse(cls, given: str, corpus: Path, index: Path) -> "Source":
        """Read ``FILE`` or ``FILE:SPLIT``."""
        file, _, split = given.partition(":")
        if split and split not in SPLITS:
            raise SystemExit(f"expected a split of {', '.join(SPLITS)}, found {split!r}")
        return cls(Path(file), split or "all", corpus, index)

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.file.stem}-{self.split}"

    def questions(self) -> list[GoldQuestion]:
        """Return its questions."""
        return [each for each in load_gold(self.file) if self.split in ("all", each.split)]


def shipped_sources(corpus: Path, index: Path) -> list[Source]:
    """Return what the shipped calibration is fitted on."""
    reports = [
        Source(GOLD / "reports.jsonl", "dev", corpus, index),
        Source(GOLD / "practice.jsonl", "all", corpus, index),
        Source(GOLD / "blind.jsonl", "all", corpus, index),
    ]
    folders = [
        Source(VERDICT / f"{name}.jsonl", "all", VERDICT / "corpora" / name, VERDICT / "indexes" / name, is_own=False)
        for name in ("faq", "manuals", "lands", "things")
    ]
    return [*reports, *folders]


class Rows:
    """What the passages of each question have to say, ``(questions, DEPTH, signs)``, and what is true.

    ``scores`` and ``relevant`` are ``(questions, DEPTH)``. Where there are fewer passages the last stands again.
    ``encoder`` and ``chunk_size_chars`` are what it is valid for, beside RANKING.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        signs: list[list[tuple[float, ...]]] = []
        scores: list[list[float]] = []
        relevant: list[list[bool]] = []
        gold: list[tuple[Source, GoldQuestion]] = []
        found_by: set[tuple[tuple[str | int, ...], int]] = set()
        for source in sources:
            with Session.open(load_settings({"corpus": source.corpus, "index": source.index})) as session:
                recipe = session.generation.manifest.recipe
                found_by.add((recipe.encoder.identity, int(recipe.rules["size_chars"])))
                texts = {
                    id_: session.generation.contents.document(id_).text
                    for id_ in session.generation.contents.document_ids()
                }
                for question in source.questions():
                    found: list[tuple[Passage, Signs]] = session.signs(question.question, DEPTH)
                    found += found[-1:] * (DEPTH - len(found))
                    units = find_units(question, texts, {})
                    gold.append((source, question))
                    signs.append([each.values() for _, each in found])
                    scores.append([passage.score for passage, _ in found])
                    relevant.append([_answers(passage, units) for passage, _ in found])
        if len(found_by) > 1:
            raise SystemExit("expected indexes of one encoder; make them anew: cyberqa index")
        ((self.encoder, self.chunk_size_chars),) = found_by
        self.signs: Table = np.array(signs)
        self.scores = np.array(scores)
        self.relevant = np.array(relevant, np.float64)
        self.answerable = np.array([question.answerable for _, question in gold], np.float64)
        self.kinds = np.array([question.kind for _, question in gold])
        self.is_own: Which = np.array([source.is_own for source, _ in gold])
        self.sets = [source.name for source, _ in gold]
        self.groups = [f"{source.name}/{question.group}" for source, question in gold]

    @property
    def behind(self) -> Table:
        """The score of each passage less that of the first."""
        return self.scores - self.scores[:, :1]

    @property
    def verdicts(self) -> Table:
        """The signs of those passages that the verdict rests on, and how far they are behind."""
        return np.concatenate([self.signs, self.behind[:, :, None]], axis=2)[:, :PASSAGES]

    @property
    def refusable(self) -> list[str]:
        """Kinds of unanswerable questions."""
        return list(dict.fromkeys(self.kinds[self.answerable == 0].tolist()))

    @property
    def is_counted(self) -> Which:
        """Whose wrong refusals the threshold is chosen by."""
        return self.is_own & (self.answerable == 1)

    def subsets(self) -> Iterator[tuple[str, Which]]:
        """Yield each set with its rows."""
        of = np.array(self.sets)
        yield from ((name, of == name) for name in dict.fromkeys(self.sets))


def fit_of(rows: Rows, table: Table) -> Fit:
    """Return what fits a model of some rows: its direction by all of them, its scale by those that are its own."""

    def fit(learnt: Which) -> Logistic:
        own = learnt & rows.is_own
        return rescaled(fit_best_of(table[learnt], rows.answerable[learnt]), table[own], rows.answerable[own])

    return fit


def _answers(passage: Passage, units: Sequence[Unit]) -> bool:
    places = [passage.location, *([passage.continuation.location] if passage.continuation else [])]
    retrieved = Retrieved(passage.citation.document, tuple(Span(place.start, place.end) for place in places))
    return any(credit(units, [retrieved], True))


# --- the tables ----------------------------------------------------------------------------------------------


def tables_text(rows: Rows, aim: float) -> str:
    """Return the figures of the whole model, and of the model without each sign."""
    table = rows.verdicts
    logits = judged_apart(fit_of(rows, table), table, rows.sets, rows.groups)
    refused = refused_apart(fit_of(rows, table), table, rows.is_counted, rows.sets, rows.groups, aim)
    lines = [f"each set judged by a fit on the others; refused at a threshold for {aim:.1%} found there, too"]
    for name, which in [*rows.subsets(), ("all that the confidence shall be right for", rows.is_own)]:
        lines += [f"{name}:", *_figures(rows, logits, refused, which)]
    return "\n".join([*lines, "without, means of the sets:", *_ablation(rows), ""])


def _figures(rows: Rows, logits: Values, refused: Values, which: Which) -> Iterator[str]:
    chances = 1 / (1 + np.exp(-logits[which]))
    error, perfect = calibration_error(chances, rows.answerable[which]), perfect_calibration_error(chances)
    yield f"  {'all':12} AUROC {_shown(_auroc(rows, logits, which, 'all'))}; ECE {error:.3f}, perfect {perfect:.3f}"
    for kind in dict.fromkeys(rows.kinds[which & (rows.answerable == 0)].tolist()):
        share = mean_estimate(refused[which & (rows.kinds == kind)].tolist())
        yield f"  {kind:12} AUROC {_shown(_auroc(rows, logits, which, kind))}; refused {_shown(share)}"
    yield f"  {'answerable':12} refused {_shown(mean_estimate(refused[which & (rows.answerable == 1)].tolist()))}"


def _ablation(rows: Rows) -> Iterator[str]:
    """Yield AUROC without each sign; it is the mean over the sets, for two fits have no common scale."""
    sets = [which for _, which in rows.subsets()]
    yield f"  {'':12}" + "".join(f"{kind:>10}" for kind in ("all", *rows.refusable))
    for number, name in [(-1, "(nothing)"), *enumerate(COLUMNS)]:
        table = rows.verdicts[:, :, [n for n in range(len(COLUMNS)) if n != number]]
        logits = judged_apart(fit_of(rows, table), table, rows.sets, rows.groups)
        figures = [_mean_auroc(rows, logits, sets, kind) for kind in ("all", *rows.refusable)]
        yield f"  {name:12}" + "".join(f"{figure:10.3f}" for figure in figures)


def _mean_auroc(rows: Rows, logits: Values, sets: Sequence[Which], kind: str) -> float:
    sides = [_sides(rows, logits, which, kind) for which in sets]
    return float(np.mean([auroc(*each) for each in sides if len(each[1])]))


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
    table, fit = rows.verdicts, fit_of(rows, rows.verdicts)
    logits = judged_apart(fit, table, rows.sets, rows.groups)
    threshold = threshold_for(logits[rows.is_counted], aim)
    model = fit(np.ones(len(table), np.bool_))
    *weights, behind = (round(float(weight), 3) for weight in model.weights)
    return {
        "intercept": round(model.intercept, 3),
        "weights": dict(zip(SIGNS, weights, strict=True)),
        "behind": behind,
        "threshold": round(float(1 / (1 + np.exp(-threshold))), 3),
        "passage": _fit_passages(rows, model),
    }


def _fit_passages(rows: Rows, model: Logistic) -> dict[str, float]:
    own = rows.signs[rows.is_own] @ model.weights[:-1] + model.intercept
    behind, relevant = rows.behind[rows.is_own], rows.relevant[rows.is_own]
    first = np.zeros_like(own)
    first[:, 0] = 1.0
    fitted = fit_logistic(np.column_stack([own.ravel(), behind.ravel(), first.ravel()]), relevant.ravel())
    names = ("own", "behind", "first")
    weights = {name: round(float(weight), 3) for name, weight in zip(names, fitted.weights, strict=True)}
    return {**weights, "intercept": round(fitted.intercept, 3)}


def main() -> None:
    """Ask the questions, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", nargs="+", help="[default: the seven shipped sets]")
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("--index", type=Path, default=ROOT / "index")
    parser.add_argument("--aim", type=float, default=0.03, help="share of answerable questions refused, at most")
    parser.add_argument("--output", type=Path, default=ROOT / "src" / "cyberqa" / "judging" / FILE)
    options = parser.parse_args()
    given = [Source.parse(each, options.corpus, options.index) for each in options.gold or ()]
    sources = given or shipped_sources(options.corpus, options.index)
    rows = Rows(sources)
    print(tables_text(rows, options.aim))
    today = datetime.now(UTC).date().isoformat()
    own = [source.name for source in sources if source.is_own]
    body = {
        "schema": SCHEMA,
        "name": "+".join(own) + (f"+{len(sources) - len(own)}" if len(own) < len(sources) else "") + f"-{today}",
        "encoder": list(rows.encoder),
        "ranking": RANKING,
        "chunk_size_chars": rows.chunk_size_chars,
        **fit_all(rows, options.aim),
        "provenance": {
            "gold": [
                {
                    "file": source.file.name,
                    "sha256": gold_digest(source.file),
                    "split": source.split,
                    "questions": rows.sets.count(source.name),
                    "scale": source.is_own,
                }
                for source in sources
            ],
            "questions": len(rows.sets),
            "answerable": int(rows.answerable.sum()),
            "penalty": PENALTY,
            "aim": options.aim,
            "date": today,
            "command": "python evals/calibrate.py",
        },
    }
    options.output.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
