"""Sums up the rows of a run: measures, what bought them, refusals, calibration and latency."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from cyberqa.evaluation import statistics
from cyberqa.evaluation.measures import MEASURES
from cyberqa.evaluation.running import SHORT_ANSWER
from cyberqa.evaluation.statistics import auroc_estimate, mean_estimate
from cyberqa.types import JSON

SHORT_ANSWER_OF_RELEVANT = "short answer in highlight 1, of relevant"
PASSAGE_CHARACTERS = "passage characters"
HIGHLIGHT_CHARACTERS = "highlight characters"


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
