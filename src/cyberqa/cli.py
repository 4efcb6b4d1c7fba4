"""The command line: parses, calls one library function, hands the result to render.

Every command imports what it needs inside itself, so that a question pays only for the question's path.
"""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyberqa.errors import CorpusError, CyberqaError, NoIndexError, UsageError
from cyberqa.settings import Settings, load_settings

if TYPE_CHECKING:
    from cyberqa.ingest import BuildReport, OnProgress
    from cyberqa.ingest import Progress as Step
    from cyberqa.session import Session

_ParserError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's own UsageError, the base of all that its parser raises; it exports only the subclass."""

EXIT_FAILED = 1
EXIT_SOME_UNREADABLE = 4
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="cyberqa",
    help="Answer questions from a folder of reports with cited passages, offline.",
    epilog='Example: cyberqa ask "who supported ALCIRT\'s creation"',
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", metavar="DIR", help="Folder of the source reports [default: corpus]."),
]
IndexOption = Annotated[
    Path | None, typer.Option("--index", metavar="DIR", help="Folder of the index [default: index].")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _write(text: str) -> None:
    """Write to standard output as it is: typer.echo would take escape sequences out of a quotation."""
    sys.stdout.write(text)


def _print_version(wanted: bool) -> None:
    if wanted:
        from cyberqa import __version__

        typer.echo(f"cyberqa {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    version: Annotated[  # noqa: ARG001 - its callback has done the work
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    context.obj = {"corpus": corpus, "index": index}
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(UsageError.exit_code)


def _settings(context: typer.Context, corpus: Path | None, index: Path | None) -> Settings:
    """Options may stand before or after the command; the later one wins."""
    before: dict[str, Path | None] = context.obj
    return load_settings({"corpus": corpus or before["corpus"], "index": index or before["index"]})


# --- asking --------------------------------------------------------------------------------------------------


@app.command(epilog="Example: cyberqa ask who supported ALCIRT --top-k 3")
def ask(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="The question; quotes are not needed. - reads standard input."),
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=1000, metavar="N", help="How many passages.")] = 5,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print block quotes with citations, to paste.")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="Say how long each step took.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Bring the index up to date first.")] = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Print the cited passages that answer a question.

    With no index there, one is built first. With a stale one, it answers from what is there and says so.
    """
    from cyberqa import render

    started = time.perf_counter()
    if as_json and markdown:
        raise UsageError("--json and --markdown exclude each other", hint="choose one")
    question = _question(context, words)
    session = _open_session(_settings(context, corpus, index), refresh)
    opened_ms = (time.perf_counter() - started) * 1000
    answer = session.ask(question, top_k)
    if as_json:
        body = render.answer_json(answer, timings=timings)
        if timings:
            body["timings_ms"] = {"open": opened_ms, **body["timings_ms"]}
        _write(render.dump_json(body) + "\n")
    elif markdown:
        _write(render.answer_markdown(answer))
    elif sys.stdout.isatty():
        render.print_answer(answer, sys.stdout)
    else:
        _write(render.answer_text(answer))
    if timings and not as_json:
        render.message(render.timings_text({"open": opened_ms, **answer.timings_ms}), sys.stderr)


def _question(context: typer.Context, words: list[str] | None) -> str:
    if words and words != ["-"]:
        return " ".join(words)
    if not words and sys.stdin.isatty():
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(UsageError.exit_code)
    return sys.stdin.read().strip()


def _open_session(settings: Settings, refresh: bool = False) -> "Session":
    from cyberqa import render
    from cyberqa.session import Session

    if refresh:
        _build(settings)
    try:
        session = Session.open(settings)
    except NoIndexError:
        _build(settings)
        session = Session.open(settings)
    if session.changes:
        more = f" and {len(session.changes) - 3} more" if len(session.changes) > 3 else ""
        names = ", ".join(session.changes[:3]) + more
        render.message(
            f"cyberqa: the index is stale ({names}); answering from what is there. Run: cyberqa index",
            sys.stderr,
        )
    return session


@app.command(
    epilog='Example: cyberqa batch questions.jsonl --output answers.jsonl   (one {"id": "1", "question": "…"} a line)'
)
def batch(
    context: typer.Context,
    questions: Annotated[
        Path,
        typer.Argument(metavar="QUESTIONS", help="JSON Lines with id and question; - reads standard input."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Where to write [default: standard output]."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=1000, metavar="N", help="How many passages each.")
    ] = 5,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Answer many questions in one process: JSON Lines in, JSON Lines out, line for line."""
    from cyberqa import render

    settings = _settings(context, corpus, index)
    lines = _input_lines(questions)
    session = _open_session(settings)
    failed = 0
    with _output(output) as write:
        for number, line in enumerate(lines, 1):
            try:
                entry = _batch_entry(line)
                answer = session.ask(entry["question"], top_k)
                body = {"id": entry.get("id"), **render.answer_json(answer)}
            except CyberqaError as error:
                failed += 1
                render.error_message(UsageError(f"{questions}, line {number}: {error.message}", hint=error.hint))
                body = render.error_json(error, line=number)
            write(render.dump_json(body, indent=None) + "\n")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _input_lines(questions: Path) -> list[str]:
    try:
        raw = sys.stdin.buffer.read() if str(questions) == "-" else questions.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(
            f"{questions} cannot be opened ({error.strerror})",
            hint="name a file of JSON Lines, or - for standard input",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{questions}: expected UTF-8, found byte {error.object[error.start]:#04x} at {error.start}"
        ) from error
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _batch_entry(line: str) -> dict[str, Any]:
    import json

    hint = 'each line is an object: {"id": "1", "question": "…"}'
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise UsageError(f"expected JSON, found {line[:40]!r} ({error})", hint=hint) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        raise UsageError(f"expected an object with a question, found {line[:40]!r}", hint=hint)
    return entry


@contextmanager
def _output(path: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield a writer; a file appears only when it is whole."""
    if path is None:
        yield _write
        return
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as file:
            yield file.write
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


# --- indexing ------------------------------------------------------------------------------------------------


@app.command(name="index", epilog="Example: cyberqa index --corpus reports")
def index_command(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read everything again; cached vectors are kept.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Drop the cached vectors too.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Make the index agree with the corpus."""
    report = _build(_settings(context, corpus, index), rebuild=rebuild, use_cache=not no_cache)
    _finish_build(report, as_json)


@app.command(epilog="Example: cyberqa add ~/Downloads/report.pdf")
def add(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files to copy into the corpus.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite another file of the same name.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Copy files into the corpus and index them."""
    from cyberqa.ingest import add_documents

    settings = _settings(context, corpus, index)
    with _progress() as on_progress:
        report = add_documents(settings, paths, force=force, on_progress=on_progress)
    _finish_build(report, as_json)


@app.command(epilog="Example: cyberqa remove report.pdf")
def remove(
    context: typer.Context,
    documents: Annotated[
        list[str], typer.Argument(metavar="DOC...", help="Documents by id, as `cyberqa status` lists them.")
    ],
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Delete documents from the corpus folder and from the index."""
    from cyberqa.ingest import remove_documents

    settings = _settings(context, corpus, index)
    with _progress() as on_progress:
        report = remove_documents(settings, documents, on_progress=on_progress)
    _finish_build(report, as_json)


def _build(settings: Settings, *, rebuild: bool = False, use_cache: bool = True) -> "BuildReport":
    from cyberqa.ingest import build_index

    with _progress() as on_progress:
        return build_index(settings, rebuild=rebuild, use_cache=use_cache, on_progress=on_progress)


def _finish_build(report: "BuildReport", as_json: bool) -> None:
    from cyberqa import render

    for id_, notes in report.warnings.items():
        for note in notes:
            render.message(f"cyberqa: {id_}: {note}", sys.stderr)
    for id_, reason in report.failures.items():
        render.message(f"cyberqa: {id_} could not be read: {reason}", sys.stderr)
    if as_json:
        _write(render.dump_json(render.build_json(report)) + "\n")
    else:
        render.message(render.build_text(report), sys.stdout)
    if report.failures:
        raise typer.Exit(EXIT_SOME_UNREADABLE)


@contextmanager
def _progress() -> Iterator["OnProgress"]:
    """Show a bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    counts = TextColumn(
        "{task.fields[done]}/{task.fields[documents]} documents, {task.fields[embedded]} texts embedded"
    )
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), counts)
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None, done=0, documents="?", embedded=0)

        def show(step: "Step") -> None:
            known: dict[str, Any] = {
                "done": step.documents_done,
                "documents": step.documents or "?",
                "embedded": step.embedded,
            }
            total = 1.0 if step.documents else None
            bar.update(task, description=step.stage, completed=step.share, total=total, **known)

        yield show


# --- looking -------------------------------------------------------------------------------------------------


@app.command(epilog="Example: cyberqa show western-balkans-cybersecurity.txt --lines 291:295")
def show(
    context: typer.Context,
    document: Annotated[str, typer.Argument(metavar="DOC", help="A document by id, as `cyberqa status` lists them.")],
    span: Annotated[
        str | None, typer.Option("--span", metavar="S:E", help="Characters S to E, E excluded, from 0.")
    ] = None,
    page: Annotated[int | None, typer.Option("--page", min=1, metavar="N", help="Page N, from 1.")] = None,
    lines: Annotated[str | None, typer.Option("--lines", metavar="A:B", help="Lines A to B, from 1.")] = None,
    text_sha256: Annotated[
        str | None,
        typer.Option("--text-sha256", metavar="H", help="Refuse any other text than the one with this digest."),
    ] = None,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Print a document's canonical text as it stands in the index."""
    from cyberqa import render
    from cyberqa.showing import show_document

    wanted = sum(option is not None for option in (span, page, lines))
    if wanted > 1:
        raise UsageError("--span, --page and --lines exclude each other", hint="choose one")
    settings = _settings(context, corpus, index)
    shown = show_document(
        settings,
        document,
        span=_range(span, "--span", 0),
        page=page,
        lines=_range(lines, "--lines", 1),
        text_sha256=text_sha256,
    )
    if shown.note:
        render.message(f"cyberqa: {shown.note}", sys.stderr)
    if sys.stdout.isatty():
        shown_text = render.escape_unsafe(shown.text.replace("\r\n", "\n"))
        _write(shown_text if shown_text.endswith("\n") else shown_text + "\n")
    else:
        _write(shown.text)


def _range(value: str | None, option: str, first: int) -> tuple[int, int] | None:
    if value is None:
        return None
    start, colon, end = value.partition(":")
    if not (colon and start.isdecimal() and end.isdecimal() and first <= int(start) <= int(end)):
        raise UsageError(f"{option}: expected two numbers from {first} upwards, as in {option} 5:10, found {value!r}")
    return int(start), int(end)


@app.command(epilog="Example: cyberqa status --json | jq .stale")
def status(
    context: typer.Context,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Say what is indexed and whether it is stale."""
    from cyberqa import render
    from cyberqa.showing import index_status

    found = index_status(_settings(context, corpus, index))
    if as_json:
        _write(render.dump_json(found) + "\n")
    else:
        render.message(render.status_text(found), sys.stdout)


# --- running -------------------------------------------------------------------------------------------------


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the command line and exit: never with a traceback for a user's mistake."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        code: int | None = app(arguments, prog_name="cyberqa", standalone_mode=False)  # Exit and Ctrl-C come as codes
        sys.stdout.flush()
    except CyberqaError as error:
        return _fail(error, arguments)
    except _ParserError as error:
        return _fail(_from_parser(error), arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has had enough: not a failure
        return 0
    except OSError as error:
        return _fail(_from_os_error(error), arguments)
    if code == EXIT_INTERRUPTED:
        typer.echo("cyberqa: interrupted; the index is as it was", err=True)
    return code or 0


def _from_parser(error: Any) -> UsageError:
    command = error.ctx.command_path if error.ctx else "cyberqa"
    return UsageError(error.format_message(), hint=f"run: {command} --help")


def _from_os_error(error: OSError) -> CyberqaError:
    where = f"{error.filename}: " if error.filename else ""
    hint = "free some space, then run the command again" if error.errno == errno.ENOSPC else ""
    return CyberqaError(f"{where}{error.strerror or error}", hint=hint)


def _fail(error: CyberqaError, arguments: list[str]) -> int:
    from cyberqa import render

    render.error_message(error)
    if "--json" in arguments:
        _write(render.dump_json(render.error_json(error)) + "\n")
    return error.exit_code
