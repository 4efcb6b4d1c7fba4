"""Results files, one JSON object with every question of the gold set in it, and the same for people."""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyberqa.errors import GoldError
from cyberqa.evaluation.gold import GoldQuestion, gold_digest
from cyberqa.evaluation.measures import MEASURES
from cyberqa.evaluation.running import SHORT_ANSWER
from cyberqa.evaluation.summary import (
    HIGHLIGHT_CHARACTERS,
    PASSAGE_CHARACTERS,
    SHORT_ANSWER_OF_RELEVANT,
    summarise,
)
from cyberqa.types import JSON

EVAL_SCHEMA = "cyberqa.eval/1"


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


def answerable_rows(result: JSON) -> list[JSON]:
    """Return the rows of a result whose questions the corpus answers."""
    return [row for row in result["rows"] if row["answerable"]]
