"""A warm question against the encoding of that question alone, over the questions of the gold set's dev half.

    python benchmarks/warm.py [--index DIR] [--limit N] [--output FILE]

One open session; each question is encoded alone and then asked, one after the other, in the same process. CPU time of
the process, which what else runs on the machine changes least, and wall time beside it. A first pass is not counted.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

from cyberqa.evaluation.gold import load_gold
from cyberqa.session import Session, open_session

ROOT = Path(__file__).parent.parent
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def times(action) -> dict[str, float]:
    """Return how long an action takes, by each clock, in milliseconds."""
    before = {name: clock() for name, clock in CLOCKS.items()}
    action()
    return {name: (clock() - before[name]) * 1000 for name, clock in CLOCKS.items()}


def measure(session: Session, questions: list[str]) -> dict[str, dict[str, float]]:
    """Return by clock the percentiles of encoding and asking, and of the ratio of the two, question by question."""
    for question in questions:
        session.ask(question)
    encoded, asked = [], []
    for question in questions:
        encoded.append(times(lambda q=question: session._encoder.encode_queries([q])))
        asked.append(times(lambda q=question: session.ask(q)))
    return {
        clock: {
            **percentiles("encode_ms", [each[clock] for each in encoded]),
            **percentiles("ask_ms", [each[clock] for each in asked]),
            **percentiles("ratio", [ask[clock] / alone[clock] for ask, alone in zip(asked, encoded, strict=True)]),
        }
        for clock in CLOCKS
    }


def percentiles(name: str, values: list[float]) -> dict[str, float]:
    """Return the 50th and 95th percentile."""
    cuts = statistics.quantiles(values, n=20)
    return {f"{name}_p50": cuts[9], f"{name}_p95": cuts[18]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=ROOT / "index")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    gold = load_gold(ROOT / "evals" / "gold" / "reports.jsonl")
    questions = [each.question for each in gold if each.split == "dev"][: options.limit]
    with open_session(options.index, corpus=ROOT / "corpus") as session:
        found = measure(session, questions)
    result = {"questions": len(questions), "load": os.getloadavg()[0], **found}
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{len(questions)} questions, load {result['load']:.1f}\n")
    print("| clock | encoding alone, ms: p50, p95 | asking, ms: p50, p95 | ratio: p50, p95 |\n|---|---|---|---|")
    for clock, p in found.items():
        print(
            f"| {clock} | {p['encode_ms_p50']:.1f}, {p['encode_ms_p95']:.1f} |"
            f" {p['ask_ms_p50']:.1f}, {p['ask_ms_p95']:.1f} | {p['ratio_p50']:.2f}, {p['ratio_p95']:.2f} |"
        )


if __name__ == "__main__":
    main()
