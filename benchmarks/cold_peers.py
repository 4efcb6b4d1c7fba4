"""A cold `cyberqa ask --json` beside a cold question to each peer with the same model, in turns.

    python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/peers/requirements.txt
    python benchmarks/cold_peers.py [--runs 6] [--python .venv-peers/bin/python] [--output FILE]

Every run is a process of its own, from start to answer, with the index on disk; ratios are taken turn by turn. Prints a
Markdown table: median, and the quartiles in brackets.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from cold_ask import COMMANDS, ROOT, run, spread

PEERS = ("langchain", "llamaindex", "txtai")


def main() -> None:
    """Build what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--python", default=str(ROOT / ".venv-peers" / "bin" / "python"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    script = str(ROOT / "benchmarks" / "peers" / "ask_one.py")
    with tempfile.TemporaryDirectory() as folder:
        commands = {name: [options.python, script, name, str(Path(folder) / name)] for name in PEERS}
        for command in commands.values():
            run([*command, "--build"])
            run(command)
        run(COMMANDS["ask"])
        turns = [{name: run(each) for name, each in (COMMANDS | commands).items()} for _ in range(options.runs)]
    names = ("ask", *PEERS)
    result = {
        "runs": options.runs,
        "seconds": {name: spread([turn[name][0] for turn in turns]) for name in names},
        "peak_mb": {name: statistics.median(turn[name][1] for turn in turns) for name in names},
        "to_ask": {name: spread([turn[name][0] / turn["ask"][0] for turn in turns]) for name in PEERS},
        "load": os.getloadavg()[0],
    }
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{options.runs} turns, load {result['load']:.1f}\n")
    print("| cold question | seconds | peak MB | times `cyberqa ask` |\n|---|---|---|---|")
    for name in names:
        s, ratio = result["seconds"][name], result["to_ask"].get(name)
        times = f"{ratio['median']:.1f} ({ratio['q1']:.1f}–{ratio['q3']:.1f})" if ratio else "1"
        print(f"| {name} | {s['median']:.2f} ({s['q1']:.2f}–{s['q3']:.2f}) | {result['peak_mb'][name]:.0f} | {times} |")


if __name__ == "__main__":
    main()
