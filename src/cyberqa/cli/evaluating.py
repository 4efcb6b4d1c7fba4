"""``eval``: check a gold set, run it, compare two runs, gate, report, export."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyberqa.cli.common import (
    EXIT_CHECK_FAILED,
    CorpusOption,
    IndexOption,
    JsonOption,
    ModeOption,
    open_session,
    settings_of,
    write,
)
from cyberqa.errors import UsageError

if TYPE_CHECKING:
    from cyberqa.session import Session
    from cyberqa.types import JSON

DEFAULT_GOLD = Path("evals/gold/reports.jsonl")
DEFAULT_FLOORS = Path("evals/floors.toml")
RESULTS = Path("evals/results")
SPLIT_CHOICES = ("dev", "test", "all")

GoldOption = Annotated[Path, typer.Option("--gold", metavar="FILE", help="The gold set.")]
SplitOption = Annotated[str, typer.Option("--split", metavar="dev|test|all", help="Which part. Tune on dev only.")]

app = typer.Typer(
    name="eval",
    help="Evaluate retrieval against a gold set.",
    no_args_is_help=False,
    rich_markup_mode=None,
    epilog="Example: cyberqa eval run --split dev",
)


@app.command(epilog="Example: cyberqa eval check --gold evals/gold/reports.jsonl")
def check(
    context: typer.Context, gold: GoldOption = DEFAULT_GOLD, corpus: CorpusOption = None, index: IndexOption = None
) -> None:
    """Check that a gold set is sound and that every quotation stands where it says."""
    from cyberqa.evaluation.gold import check_gold, load_gold

    questions = load_gold(gold)
    session = open_session(settings_of(context, corpus, index))
    faults = check_gold(questions, _texts(session))
    for fault in faults:
        write(fault + "\n")
    if faults:
        raise typer.Exit(EXIT_CHECK_FAILED)
    counts = {split: sum(question.split == split for question in questions) for split in ("dev", "test")}
    write(f"{gold}: {len(questions)} questions are sound ({counts['dev']} dev, {counts['test']} test)\n")


@app.command(epilog="Example: cyberqa eval run --split dev --output dev.json")
def run(
    context: typer.Context,
    gold: GoldOption = DEFAULT_GOLD,
    split: SplitOption = "dev",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write the results.")
    ] = None,
    run_file: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Score a run made elsewhere instead of asking.")
    ] = None,
    mode: ModeOption = None,
    doc_map: Annotated[
        list[str] | None,
        typer.Option("--doc-map", metavar="A=B", help="Look for the gold set's document A in document B."),
    ] = None,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Run a gold set and print the measures with their intervals.

    Every run on test is written to evals/results, so that it is counted.
    """
    from cyberqa import render
    from cyberqa.evaluation.results import dump_result, result_file, result_text

    if run_file is not None and mode is not None:
        raise UsageError("--run and --mode exclude each other: a run made elsewhere has its own way of asking")
    session = open_session(settings_of(context, corpus, index))
    mapping = _doc_map(doc_map or [])
    result = _evaluate(session, gold, split, run_file=run_file, mode=mode or "hybrid", doc_map=mapping)
    counted = None if split == "dev" else result_file(RESULTS, gold, split, result)
    for file in filter(None, (output, counted)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dump_result(render.rounded(result)), encoding="utf-8")
        render.message(f"cyberqa: results in {file}", sys.stderr)
    write((render.dump_json(result) if as_json else result_text(result)) + "\n")


@app.command(epilog="Example: cyberqa eval compare before.json after.json")
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Results of eval run.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Results of eval run, on the same questions.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two runs question by question: differences, a test, questions won and lost."""
    from cyberqa import render
    from cyberqa.evaluation.comparing import compare as compare_results
    from cyberqa.evaluation.comparing import compare_text
    from cyberqa.evaluation.results import load_result

    comparison = compare_results(load_result(a), load_result(b))
    write((render.dump_json(comparison) if as_json else compare_text(comparison)) + "\n")


@app.command(epilog="Example: cyberqa eval gate --floors evals/floors.toml")
def gate(
    context: typer.Context,
    gold: GoldOption = DEFAULT_GOLD,
    floors: Annotated[Path, typer.Option("--floors", metavar="FILE", help="The floors.")] = DEFAULT_FLOORS,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="FILE", help="Judge these results instead of running.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Raise the floors to what was reached.")] = False,
    lower: Annotated[bool, typer.Option("--lower", help="With --update: let floors sink too.")] = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Exit 5 when a floor is broken, or the gold set or its documents are not those recorded."""
    from cyberqa.evaluation.gating import broken_floors, dump_floors, read_floors, updated_floors
    from cyberqa.evaluation.results import load_result

    if lower and not update:
        raise UsageError("--lower goes with --update", hint="run: cyberqa eval gate --help")
    known = read_floors(floors) if floors.exists() or not update else None
    if results is not None:
        result = load_result(results)
    else:
        session = open_session(settings_of(context, corpus, index))
        result = _evaluate(session, gold, known["split"] if known else "dev")
    if update:
        floors.write_text(dump_floors(updated_floors(result, known, lower=lower)), encoding="utf-8")
        write(f"{floors} written\n")
        return
    faults = broken_floors(result, read_floors(floors))
    for fault in faults:
        write(fault + "\n")
    if faults:
        raise typer.Exit(EXIT_CHECK_FAILED)
    write(f"{result['gold']['n']} questions of {result['gold']['split']}: every floor holds\n")


@app.command(epilog="Example: cyberqa eval report dev.json --output report.html")
def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Results of eval run.")],
    other: Annotated[Path | None, typer.Argument(metavar="OTHER", help="A second run, to compare with.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page.")] = Path("report.html"),
) -> None:
    """Write one self-contained HTML page."""
    from cyberqa.evaluation.comparing import compare as compare_results
    from cyberqa.evaluation.reporting import report_html
    from cyberqa.evaluation.results import load_result

    result = load_result(results)
    comparison = compare_results(result, load_result(other)) if other else None
    output.write_text(report_html(result, comparison), encoding="utf-8")
    write(f"{output} written\n")


@app.command(epilog="Example: cyberqa eval export dev.json --output trec")
def export(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Results of eval run.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the files.")] = Path("trec"),
) -> None:
    """Write a TREC run and qrels that trec_eval and ir_measures read."""
    from cyberqa.evaluation.exporting import qrels_lines, run_lines
    from cyberqa.evaluation.results import load_result

    result = load_result(results)
    output.mkdir(parents=True, exist_ok=True)
    for name, lines in (("run.trec", run_lines(result)), ("qrels.trec", qrels_lines(result))):
        (output / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        write(f"{output / name} written\n")


# --- helpers -------------------------------------------------------------------------------------------------


def _evaluate(
    session: "Session",
    gold_file: Path,
    split: str,
    *,
    run_file: Path | None = None,
    mode: str = "hybrid",
    doc_map: dict[str, str] | None = None,
) -> "JSON":
    from cyberqa import render
    from cyberqa.evaluation.gold import load_gold
    from cyberqa.evaluation.results import make_result
    from cyberqa.evaluation.running import DEPTH, ask_all, read_run, score_run
    from cyberqa.retrieval import parse_mode

    if split not in SPLIT_CHOICES:
        raise UsageError(f"--split: expected one of {', '.join(SPLIT_CHOICES)}, found {split!r}")
    chosen = parse_mode(mode)
    questions = load_gold(gold_file)
    gold = [question for question in questions if split in ("all", question.split)]
    if len(gold) < len(questions):
        left = f"{len(gold)} of {len(questions)} questions are of the split {split}; --split all asks them all"
        render.message(f"cyberqa: {left}", sys.stderr)
    if unknown := (doc_map or {}).keys() - {evidence.doc for question in questions for evidence in question.evidence}:
        raise UsageError(
            f"--doc-map: the gold set names no document {min(unknown)!r}", hint="expected A=B, A of the gold set"
        )
    latencies: list[float] = []
    if run_file is not None:
        answers = read_run(run_file)
    else:
        answers = {}
        for id_, answer, milliseconds in ask_all(gold, lambda q: render.answer_json(session.ask(q, DEPTH, chosen))):
            answers[id_] = answer
            latencies.append(milliseconds)
    recipe = session.generation.manifest.recipe
    configuration: JSON = {"run": run_file.name if run_file else "cyberqa", "mode": None if run_file else chosen.value}
    if not run_file:
        configuration |= {"model": recipe.encoder.model, "rules": dict(recipe.rules), "depth": DEPTH}
        if session.reranker:
            configuration["reranker"] = session.reranker.name
    return make_result(
        gold_file=gold_file,
        split=split,
        gold=gold,
        rows=score_run(gold, answers, _texts(session), doc_map),
        latencies_ms=latencies,
        documents={
            id_: session.generation.contents.document(id_).sha256 for id_ in session.generation.contents.document_ids()
        },
        configuration=configuration,
    )


def _texts(session: "Session") -> dict[str, str]:
    return {id_: session.generation.contents.document(id_).text for id_ in session.generation.contents.document_ids()}


def _doc_map(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise UsageError(f"--doc-map: expected A=B, found {pair!r}")
        mapping[old] = new
    return mapping
