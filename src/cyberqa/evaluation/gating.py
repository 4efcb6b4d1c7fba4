"""Floors: what a run must reach, on which gold set and which documents. A floor is never lowered in silence."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cyberqa.errors import GoldError
from cyberqa.types import JSON

TOLERANCE = 0.01
"""Floors are set this far below what was reached: another release of a library may turn a tie on one question."""


def read_floors(file: Path) -> JSON:
    """Read a floors file: ``split``, ``gold_sha256``, ``[documents]`` and ``[floors]``.

    Raises:
        GoldError: missing or not as expected.
    """
    try:
        body = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GoldError(
            f"floors {file} cannot be read ({error})", hint="make them with: cyberqa eval gate --update"
        ) from error
    for key, expected in (("split", str), ("gold_sha256", str), ("documents", dict), ("floors", dict)):
        if not isinstance(body.get(key), expected):
            raise GoldError(f"floors {file}: expected {key!r}, found {body.get(key)!r}")
    return body


def broken_floors(result: JSON, floors: JSON) -> list[str]:
    """Return what is broken, a line each: gold set, documents, floors."""
    faults = []
    if result["gold"]["sha256"] != floors["gold_sha256"]:
        faults.append(
            f"the gold set has changed: expected SHA-256 {floors['gold_sha256']}, found {result['gold']['sha256']}"
        )
    if result["gold"]["split"] != floors["split"]:
        faults.append(f"expected the split {floors['split']}, found {result['gold']['split']}")
    if result["documents"] != floors["documents"]:
        changed = {
            doc
            for doc in {*result["documents"], *floors["documents"]}
            if result["documents"].get(doc) != floors["documents"].get(doc)
        }
        faults.append(f"the gold set's documents have changed: {', '.join(sorted(changed))}")
    if result["summary"]["missing"]:
        faults.append(f"{result['summary']['missing']} questions are missing from the run")
    if result["summary"]["lost_evidence"]:
        faults.append(f"{result['summary']['lost_evidence']} quotations cannot be located any more")
    reached = reached_figures(result)
    for name, floor in floors["floors"].items():
        if name not in reached:
            faults.append(f"{name}: a floor of {floor}, but no such figure in the run")
        elif reached[name] < floor:
            faults.append(f"{name}: floor {floor:.3f}, reached {reached[name]:.3f}")
    return faults


def reached_figures(result: JSON) -> dict[str, float]:
    """Return every figure that can have a floor: measures overall, and those of a kind as ``kind/measure``."""
    summary = result["summary"]
    figures = {name: figure["value"] for name, figure in summary["overall"].items() if "characters" not in name}
    for kind, measures in summary["by_kind"].items():
        figures[f"{kind}/Success@5"] = measures["Success@5"]["value"]
    figures["AUROC"] = summary["refusal"]["AUROC"]["value"]
    return {name: value for name, value in figures.items() if value is not None}


def updated_floors(result: JSON, floors: JSON | None, *, lower: bool) -> JSON:
    """Return floors raised to what was reached, less the tolerance; lowered only where that is asked for.

    Without floors every overall measure gets one. The gold set's and the documents' digests are taken from the run.

    Raises:
        GoldError: a floor's figure is gone, or questions are missing from the run.
    """
    if result["summary"]["missing"] or result["summary"]["lost_evidence"]:
        raise GoldError(
            "floors cannot be set by a run that lacks questions or evidence", hint="run: cyberqa eval check"
        )
    reached = reached_figures(result)
    overall = [name for name in result["summary"]["overall"] if name in reached]
    old: Mapping[str, float] = floors["floors"] if floors else dict.fromkeys(overall, 0.0)
    if (gone := sorted(old.keys() - reached.keys())) and not lower:
        raise GoldError(f"the run has no figure for the floor of {', '.join(gone)}", hint="add --lower to drop it")
    new = {name: max(0.0, round(reached[name] - TOLERANCE, 3)) for name in old if name in reached}
    kept = {name: new[name] if lower else max(new[name], old[name]) for name in new}
    return {
        "split": result["gold"]["split"],
        "gold_sha256": result["gold"]["sha256"],
        "documents": result["documents"],
        "floors": kept,
    }


def dump_floors(floors: JSON) -> str:
    """Return a floors file's TOML."""
    lines = [
        "# What `cyberqa eval gate` holds a run to. Written by `cyberqa eval gate --update`, which lowers no floor",
        f"# without --lower. A floor stands {TOLERANCE} below what was reached.",
        f'split = "{floors["split"]}"',
        f'gold_sha256 = "{floors["gold_sha256"]}"',
        "",
        "[documents]",
        *(f'{json.dumps(doc)} = "{digest}"' for doc, digest in sorted(floors["documents"].items())),
        "",
        "[floors]",
        *(f'"{name}" = {value}' for name, value in floors["floors"].items()),
    ]
    return "\n".join(lines) + "\n"
