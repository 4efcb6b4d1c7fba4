"""The table of the README: the shipped setting, its baselines and, where their runs lie beside, the peers.

    python evals/table.py [--gold FILE] [--corpus DIR] [--index DIR] [--runs DIR] [--results DIR]

Dev and test apart. Each setting's test run is written to the results folder, so that it is counted. RRF fuses the two
one-sided runs by 1 / (60 + rank) (Cormack et al. 2009).
"""

import argparse
import json
from pathlib import Path
from typing import Any

from cyberqa import render
from cyberqa.evaluation.gold import load_gold
from cyberqa.evaluation.reporting import report_html
from cyberqa.evaluation.results import dump_result, figure_text, make_result, result_file, result_text
from cyberqa.evaluation.running import DEPTH, SHORT_ANSWER, ask_all, read_run, score_run
from cyberqa.evaluation.summary import PASSAGE_CHARACTERS
from cyberqa.retrieval import Mode
from cyberqa.session import Session
from cyberqa.settings import load_settings

ROOT = Path(__file__).parent.parent
RRF_K = 60
RRF_DEPTH = 100
COLUMNS = ("Success@1", "Success@5", "Success@10", "RR@10", SHORT_ANSWER)
Answers = dict[str, dict[str, Any]]


def fuse(dense: Answers, lexical: Answers) -> Answers:
    """Return the reciprocal rank fusion of two runs; ties by document and position."""
    fused: Answers = {}
    for id_ in dense:
        scores: dict[tuple[str, int], float] = {}
        passages: dict[tuple[str, int], dict[str, Any]] = {}
        for run in (dense, lexical):
            for passage in run[id_]["passages"]:
                key = (passage["citation"]["document"], passage["location"]["start"])
                scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + passage["rank"])
                passages.setdefault(key, passage)
        ranked = sorted(scores, key=lambda key: (-scores[key], key))[:DEPTH]
        fused[id_] = {"passages": [{**passages[key], "score": scores[key]} for key in ranked]}
    return fused


def main() -> None:
    """Print the tables and write results and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, default=ROOT / "evals" / "gold" / "reports.jsonl")
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("--index", type=Path, default=ROOT / "index")
    parser.add_argument("--runs", type=Path, help="folder of runs made elsewhere")
    parser.add_argument("--results", type=Path, default=ROOT / "evals" / "results")
    parser.add_argument("--splits", nargs="*", default=["dev", "test"])
    options = parser.parse_args()
    session = Session.open(load_settings({"corpus": options.corpus, "index": options.index}))
    documents = {id_: session.generation.contents.document(id_) for id_ in session.generation.contents.document_ids()}
    texts = {id_: document.text for id_, document in documents.items()}
    for split in options.splits:
        gold = [question for question in load_gold(options.gold) if split in ("all", question.split)]
        latencies: list[float] = []

        def ask(mode: Mode, depth: int, gold: list = gold, latencies: list = latencies) -> Answers:
            answers = {}
            for id_, answer, ms in ask_all(gold, lambda q: render.answer_json(session.ask(q, depth, mode))):
                answers[id_] = answer
                if mode is Mode.HYBRID:
                    latencies.append(ms)
            return answers

        one_sided = {mode: ask(mode, RRF_DEPTH) for mode in (Mode.LEXICAL, Mode.DENSE)}
        cut = {m: {i: {**a, "passages": a["passages"][:DEPTH]} for i, a in run.items()} for m, run in one_sided.items()}
        settings = {
            "cyberqa": ask(Mode.HYBRID, DEPTH),
            "BM25 alone": cut[Mode.LEXICAL],
            "dense alone": cut[Mode.DENSE],
            "RRF of both": fuse(one_sided[Mode.DENSE], one_sided[Mode.LEXICAL]),
        }
        settings |= {file.stem: read_run(file) for file in sorted(options.runs.glob("*.jsonl"))} if options.runs else {}
        print(f"\n### {options.gold.stem}, {split}\n\n| setting | {' | '.join(COLUMNS)} | characters |")
        print("|---|" + "---|" * (len(COLUMNS) + 1))
        for name, answers in settings.items():
            result = make_result(
                gold_file=options.gold,
                split=split,
                gold=gold,
                rows=score_run(gold, answers, texts),
                latencies_ms=latencies if name == "cyberqa" else [],
                documents={id_: document.sha256 for id_, document in documents.items()},
                configuration={"run": name},
            )
            overall = result["summary"]["overall"]
            cells = [figure_text(overall[column]) for column in COLUMNS]
            if not any(shown["highlight"] for row in result["rows"] for shown in row["shown"]):
                cells[-1] = "–"
            characters = figure_text(overall[PASSAGE_CHARACTERS], percent=False).split()[0]
            print(f"| {name} | {' | '.join(cells)} | {characters} |")
            if name == "cyberqa":
                shipped = result
        file = result_file(options.results, options.gold, split, shipped)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = dump_result(render.rounded(shipped))
        if split != "dev":
            file.write_text(text, encoding="utf-8")
        page = file.with_suffix(".html")
        page.write_text(report_html(json.loads(text)), encoding="utf-8")
        print(f"\nn = {overall[COLUMNS[0]]['n']} answerable of {len(gold)}; 95% bootstrap intervals; {page.name}\n")
        print(result_text(shipped))


if __name__ == "__main__":
    main()
