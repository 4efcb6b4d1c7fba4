"""What is measured of a ranked list, as CONTRACT.md defines it; the numbers are those of ir_measures.

A passage covers a unit when at least half of the unit's characters lie in the passage or its continuation. Going down
the ranks each unit is credited once, to the first passage that covers it. A passage that is credited with several
takes the gain of one. Where each evidence alone answers (``any``), all its units are one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cyberqa.evaluation.gold import MIN_RELEVANT_SHARE, Unit
from cyberqa.types import Span

MEASURES = ("Success@1", "Success@5", "Success@10", "RR@10", "nDCG@10", "R@5", "char_recall@5")


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A passage of a run: its document, and its spans (its own and its continuation's)."""

    doc: str
    spans: tuple[Span, ...]


def overlap(passage: Retrieved, unit: Unit) -> int:
    """Return how many characters of a unit lie in a passage."""
    if passage.doc != unit.doc:
        return 0
    return sum(max(0, min(span.end, unit.span.end) - max(span.start, unit.span.start)) for span in passage.spans)


def credit(units: Sequence[Unit], passages: Sequence[Retrieved], any_: bool) -> list[list[int]]:
    """Return, for each passage in order of rank, the numbers of the units it is credited with.

    >>> ranked = [Retrieved("a", (Span(0, end),)) for end in (14, 15, 30)]
    >>> credit([Unit("a", Span(10, 20), True)], ranked, True)
    [[], [0], []]
    """
    open_units = set(range(len(units)))
    credited: list[list[int]] = []
    for passage in passages:
        covered = [
            u for u in sorted(open_units) if overlap(passage, units[u]) >= MIN_RELEVANT_SHARE * len(units[u].span)
        ]
        credited.append(covered)
        open_units -= set(range(len(units)) if any_ and covered else covered)
    return credited


def measure(units: Sequence[Unit], passages: Sequence[Retrieved], *, any_: bool, expected: int) -> dict[str, float]:
    """Return every measure of one answerable question.

    ``expected`` is the number of its evidences in the gold set: units that ingest lost are missed, not forgotten.

    - ``Success@k``: 1 when a unit (all units, where all are needed) is credited within rank k.
    - ``RR@10``: 1 / rank of the first gain within rank 10 (Kantor and Voorhees 2000).
    - ``nDCG@10``: gains discounted by log2(1 + rank), over those of an ideal list (Järvelin and Kekäläinen 2002).
    - ``R@5``: gains within rank 5 over the units (over one, where each alone answers).
    - ``char_recall@5``: share of the evidence's characters within rank 5 (of the best covered, where each answers).
    """
    credited = credit(units, passages, any_)
    gains = [1.0 if units_ else 0.0 for units_ in credited]
    ideal = 1 if any_ else max(expected, 1)
    scores = {f"Success@{k}": _success(credited[:k], 1 if any_ else expected) for k in (1, 5, 10)}
    scores["RR@10"] = next((1 / rank for rank, gain in enumerate(gains[:10], 1) if gain), 0.0)
    scores["nDCG@10"] = _dcg(gains[:10]) / _dcg([1.0] * min(ideal, 10))
    scores["R@5"] = sum(gains[:5]) / ideal
    scores["char_recall@5"] = _char_recall(units, passages[:5], any_, expected)
    return scores


def _success(credited: Sequence[Sequence[int]], needed: int) -> float:
    return 1.0 if sum(map(len, credited)) >= needed else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains, 1))


def _char_recall(units: Sequence[Unit], passages: Sequence[Retrieved], any_: bool, expected: int) -> float:
    shares = [_covered_share(unit, passages) for unit in units]
    if any_:
        return max(shares, default=0.0)
    return sum(shares) / max(expected, 1)


def _covered_share(unit: Unit, passages: Sequence[Retrieved]) -> float:
    spans = [span for passage in passages if passage.doc == unit.doc for span in passage.spans]
    covered = {
        position for span in spans for position in range(max(span.start, unit.span.start), min(span.end, unit.span.end))
    }
    return len(covered) / len(unit.span)


def holds_short_answer(shown: str, short_answers: Sequence[str], kind: str) -> bool:
    """Whether a text holds a short answer; of a list, at least half of its items. White space runs are one."""
    folded = " ".join(shown.split())
    held = sum(" ".join(answer.split()) in folded for answer in short_answers)
    needed = math.ceil(len(short_answers) / 2) if kind == "list" else 1
    return held >= needed > 0
