"""Cold `cyberqa ask --json` against the floor and against a bare `import sentence_transformers`, interleaved.

    python benchmarks/cold_ask.py [--runs 20] [--output FILE]

Each run is a process of its own; the machine's speed drifts, so the ratios are taken run by run. Prints a
Markdown table: median, and the quartiles in brackets.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
QUESTION = "who supported ALCIRT's creation"
HEAVY_EVERY = 4  # the bare import takes seconds: it runs beside every fourth pair

COMMANDS = {
    "ask": [str(Path(sys.executable).parent / "cyberqa"), "ask", "--json", QUESTION],
    "floor": [sys.executable, str(ROOT / "benchmarks" / "floor.py")],
    "import": [sys.executable, "-c", "import sentence_transformers"],
}


def run(command: list[str]) -> tuple[float, float]:
    """Run a command and return its wall seconds and peak memory in MB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    if status:
        sys.exit(f"{command[0]} failed with status {status}")
    return wall, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def spread(values: list[float]) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": middle, "q1": low, "q3": high}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for name in ("ask", "floor"):
        run(COMMANDS[name])  # builds what is missing, warms the disk cache
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    memory: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(options.runs):
        for name, command in COMMANDS.items():
            if name != "import" or number % HEAVY_EVERY == 0:
                wall, peak = run(command)
                seconds[name].append(wall)
                memory[name].append(peak)
    paired = list(zip(seconds["ask"], seconds["floor"], strict=True))
    heavy = list(zip(seconds["import"], seconds["ask"][::HEAVY_EVERY], strict=True))
    result = {
        "runs": options.runs,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "peak_mb": {name: statistics.median(values) for name, values in memory.items()},
        "ask_to_floor": spread([ask / floor for ask, floor in paired]),
        "import_to_ask": spread([bare / ask for bare, ask in heavy]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": os.getloadavg()[0],
        "own_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    names = {"ask": "`cyberqa ask --json`", "floor": "floor", "import": "bare `import sentence_transformers`"}
    print(f"{options.runs} runs, {result['machine']}, load {result['load']:.1f}\n")
    print("| command | seconds | peak MB |\n|---|---|---|")
    for name, label in names.items():
        s = result["seconds"][name]
        print(f"| {label} | {s['median']:.2f} ({s['q1']:.2f}–{s['q3']:.2f}) | {result['peak_mb'][name]:.0f} |")
    for key, label in (("ask_to_floor", "ask / floor"), ("import_to_ask", "import / ask")):
        s = result[key]
        print(f"\n{label}: {s['median']:.2f} ({s['q1']:.2f}–{s['q3']:.2f})")


if __name__ == "__main__":
    main()
