"""Run the benchmarks one after the other; write JSON, a Markdown table and a plot of cost against size.

The peers are measured where they are installed in .venv-peers (see cold_peers.py).

    python benchmarks/run_all.py [--folder benchmarks/results] [--quick]

Files are named by date and commit. The machine's speed drifts and other programs run on it: trust ratios, which are
taken between commands that take turns, and look at the load that is written beside them.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PARTS = {
    "cold_ask": ([], ["--runs", "8"]),
    "warm": ([], ["--limit", "60"]),
    "ingest": ([], ["--megabytes", "0.4"]),
    "scale": ([], ["--passages", "1000", "10000"]),
}
"""Each benchmark with its arguments, and those of a quick run."""
PEERS_PYTHON = HERE.parent / ".venv-peers" / "bin" / "python"
LIBRARIES = ("numpy", "faiss-cpu", "onnxruntime", "tokenizers", "sentence-transformers", "torch")


def run(part: str, arguments: list[str]) -> dict:
    """Run a benchmark and return what it measured."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "result.json"
        print(f"{part}…", file=sys.stderr, flush=True)
        subprocess.run(
            [sys.executable, str(HERE / f"{part}.py"), *arguments, "--output", str(output)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return json.loads(output.read_text(encoding="utf-8"))


def about() -> dict:
    """Return machine, versions and commit."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return {
        "commit": head.stdout.strip(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


SHOWN = (
    "passages", "bytes_a_passage", "build_cpu_s", "build_peak_mb", "warm_cpu_ms_p50", "warm_cpu_ms_p95", "warm_own_mb",
    "cold_to_shipped", "cold_peak_mb", "recall_at_10",
)  # fmt: skip
"""What is shown of what scale.py measures."""


def markdown(result: dict) -> str:
    """Return the tables."""
    made = result["about"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    cold, warm, ingest = (result[part] for part in ("cold_ask", "warm", "ingest"))
    peers = result.get("cold_peers", {})
    rows = [
        ("cold `ask --json` / floor", _spread(cold["ask_to_floor"]), cold["load"]),
        ("bare `import sentence_transformers` / cold `ask`", _spread(cold["import_to_ask"]), cold["load"]),
        ("peak memory, ask / floor", f"{cold['peak_mb']['ask'] / cold['peak_mb']['floor']:.2f}", cold["load"]),
        ("warm question / its encoding, CPU, p50", f"{warm['cpu']['ratio_p50']:.2f}", warm["load"]),
        ("warm question / its encoding, CPU, p95", f"{warm['cpu']['ratio_p95']:.2f}", warm["load"]),
        *(
            (f"cold {name} / cold `ask`", _spread(ratio), peers["load"])
            for name, ratio in peers.get("to_ask", {}).items()
        ),
        ("tokens per CPU-second / sentence-transformers", _spread(ingest["to_sentence_transformers"]), ingest["load"]),
        ("tokens per CPU-second / ceiling", _spread(ingest["share_of_ceiling"]), ingest["load"]),
    ]
    lines = [f"{made['date']}, commit {made['commit']}, {made['machine']}; {versions}.\n"]
    lines += ["| figure | median (quartiles) | load |", "|---|---|---|"]
    lines += [f"| {name} | {figure} | {load:.1f} |" for name, figure, load in rows]
    sizes = result["scale"]["sizes"]
    lines += ["", "Synthetic passages, late interaction on:\n"]
    lines += ["| " + " | ".join(SHOWN) + " |", "|" + "---|" * len(SHOWN)]
    lines += ["| " + " | ".join(f"{size[name]:,.2f}".removesuffix(".00") for name in SHOWN) + " |" for size in sizes]
    return "\n".join(lines) + "\n"


def _spread(figure: dict) -> str:
    return f"{figure['median']:.2f} ({figure['q1']:.2f}–{figure['q3']:.2f})"


def plot(sizes: list[dict], file: Path) -> None:
    """Draw cost against size, both on logarithmic axes, where matplotlib is installed (it is no dependency)."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no plot: matplotlib is not installed", file=sys.stderr)
        return
    from matplotlib import pyplot

    wanted = {"cold_cpu_s": 1000, "warm_cpu_ms_p50": 1, "warm_cpu_ms_p95": 1}
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, factor in wanted.items():
        axes.plot([s["passages"] for s in sizes], [s[name] * factor for s in sizes], marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="passages", ylabel="milliseconds of CPU")
    axes.legend()
    figure.savefig(file, dpi=120, bbox_inches="tight")


def main() -> None:
    """Run all and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=HERE / "results")
    parser.add_argument("--quick", action="store_true", help="fewer runs, smaller sizes")
    options = parser.parse_args()
    made = about()
    result = {
        "about": made,
        **{part: run(part, quick if options.quick else full) for part, (full, quick) in PARTS.items()},
    }
    if PEERS_PYTHON.exists():
        result["cold_peers"] = run("cold_peers", ["--runs", "3"] if options.quick else [])
    else:
        print("no peers: .venv-peers is not there", file=sys.stderr)
    options.folder.mkdir(parents=True, exist_ok=True)
    stem = options.folder / f"{made['date']}-{made['commit']}"
    stem.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    stem.with_suffix(".md").write_text(markdown(result), encoding="utf-8")
    plot(result["scale"]["sizes"], stem.with_suffix(".png"))
    print(markdown(result))


if __name__ == "__main__":
    main()
