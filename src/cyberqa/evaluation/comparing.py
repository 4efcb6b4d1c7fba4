"""Two runs on the same questions: paired differences, a test, and the questions won and lost."""

from collections.abc import Sequence
from dataclasses import asdict

from cyberqa.errors import GoldError
from cyberqa.evaluation.measures import MEASURES
from cyberqa.evaluation.results import answerable_rows, figure_text
from cyberqa.evaluation.running import SHORT_ANSWER
from cyberqa.evaluation.statistics import mean_estimate, randomisation_p
from cyberqa.types import JSON

COMPARE_SCHEMA = "cyberqa.comparison/1"
DECIDING = "Success@5"
_SIGNIFICANT = 0.05
_SHOWN_CHARS = 300


def compare(a: JSON, b: JSON) -> JSON:
    """Return B minus A, question by question.

    Raises:
        GoldError: the two were not made on the same gold set and split.
    """
    for key in ("sha256", "split"):
        if a["gold"][key] != b["gold"][key]:
            raise GoldError(f"the two runs differ in their gold set's {key}: {a['gold'][key]} and {b['gold'][key]}")
    pairs = [(x, y) for x, y in zip(answerable_rows(a), answerable_rows(b), strict=True)]
    differences = {
        name: [y["measures"][name] - x["measures"][name] for x, y in pairs] for name in (*MEASURES, SHORT_ANSWER)
    }
    measures = {
        name: {**asdict(mean_estimate(values)), "p": randomisation_p(values)} for name, values in differences.items()
    }
    return {
        "schema": COMPARE_SCHEMA,
        "gold": a["gold"],
        "a": a["configuration"],
        "b": b["configuration"],
        "difference": measures,
        "verdict": _verdict(measures),
        "won": [_pair(x, y) for x, y in pairs if y["measures"][DECIDING] > x["measures"][DECIDING]],
        "lost": [_pair(x, y) for x, y in pairs if y["measures"][DECIDING] < x["measures"][DECIDING]],
    }


def _verdict(measures: JSON) -> str:
    """Say which is better by the measure that decides, or that the questions do not suffice to tell."""
    deciding = measures[DECIDING]
    if deciding["p"] >= _SIGNIFICANT or deciding["low"] <= 0 <= deciding["high"]:
        return "not enough questions to tell"
    return "B is better" if deciding["value"] > 0 else "A is better"


def _pair(x: JSON, y: JSON) -> JSON:
    expected = [evidence["quote"] for evidence in x["expected"]]
    return {"id": x["id"], "question": x["question"], "expected": expected, "a": _first(x), "b": _first(y)}


def _first(row: JSON) -> str:
    return row["shown"][0]["text"][:_SHOWN_CHARS] if row["shown"] else ""


def compare_text(comparison: JSON) -> str:
    """Return a comparison for people: figures, verdict, and what was won and lost."""
    lines = [f"{'B minus A':<30} difference (95% interval)      p"]
    for name, figure in comparison["difference"].items():
        lines.append(f"{name:<30} {figure_text(figure):<30} {figure['p']:.3f}")
    lines.append(f"\n{comparison['verdict']} (by {DECIDING})")
    for name in ("won", "lost"):
        lines.append(f"\n{name}: {len(comparison[name])}")
        lines.extend(_pair_lines(comparison[name]))
    return "\n".join(lines)


def _pair_lines(pairs: Sequence[JSON]) -> list[str]:
    lines: list[str] = []
    for pair in pairs:
        lines.append(f"  {pair['id']}  {pair['question']}")
        lines.append(f"    expected  {_one_line(pair['expected'][0])}")
        lines.append(f"    A         {_one_line(pair['a'])}")
        lines.append(f"    B         {_one_line(pair['b'])}")
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]
