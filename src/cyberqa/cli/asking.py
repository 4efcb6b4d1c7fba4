"""``ask`` and ``batch``."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyberqa.cli.common import (
    EXIT_FAILED,
    EXIT_NOT_IN_CORPUS,
    CorpusOption,
    DocumentOption,
    IndexOption,
    JsonOption,
    ModeOption,
    WhereOption,
    open_session,
    settings_of,
    shows_style,
    tell_uncovered,
    write,
)
from cyberqa.errors import CorpusError, CyberqaError, UsageError

if TYPE_CHECKING:
    from cyberqa.retrieval import Mode


def ask(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="The question; quotes are not needed. - reads standard input."),
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=1000, metavar="N", help="How many passages.")] = 5,
    mode: ModeOption = None,
    document: DocumentOption = None,
    where: WhereOption = None,
    as_json: JsonOption = False,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            "--min-confidence",
            min=0,
            max=1,
            metavar="P",
            help="Call a question answered from this confidence on; hides nothing.",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print block quotes with citations, to paste.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each score is made of, and how the question was put.")
    ] = False,
    around: Annotated[
        int, typer.Option("--context", min=0, max=100, metavar="N", help="Show N sentences before and after, too.")
    ] = 0,
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
    if markdown and (explain or around):
        raise UsageError("--markdown prints quotations to paste, without --explain and --context", hint="leave one out")
    question = _question(context, words)
    chosen = checked(mode, document, where)
    session = open_session(settings_of(context, corpus, index), refresh)
    opened_ms = (time.perf_counter() - started) * 1000
    answer = session.ask(
        question,
        top_k,
        chosen,
        context=around,
        documents=document or (),
        where=where or (),
        min_confidence=min_confidence,
    )
    if as_json:
        body = render.answer_json(answer, timings=timings, explain=explain)
        if timings:
            body["timings_ms"] = {"open": opened_ms, **body["timings_ms"]}
        write(render.dump_json(body) + "\n")
    elif markdown:
        write(render.answer_markdown(answer))
    elif shows_style():
        render.print_answer(answer, sys.stdout, explain=explain)
    else:
        write(render.answer_text(answer, explain=explain))
    tell_uncovered(session, answer)
    if min_confidence is not None and answer.confidence is None:
        render.message(
            "cyberqa: confidence is not known with these settings: --min-confidence changes nothing", sys.stderr
        )
    if timings and not as_json:
        render.message(render.timings_text({"open": opened_ms, **answer.timings_ms}), sys.stderr)
    if answer.verdict == "not_in_corpus":
        raise typer.Exit(EXIT_NOT_IN_CORPUS)


def checked(mode: str | None, documents: list[str] | None, where: list[str] | None) -> "Mode":
    """Return the mode, and tell of a mistake in it or in the filter before an index is opened, or built."""
    from cyberqa.retrieval import Mode, parse_mode

    if documents or where:
        from cyberqa.filtering import parse_filter

        parse_filter(documents or (), where or ())
    return parse_mode(mode) if mode else Mode.HYBRID


def _question(context: typer.Context, words: list[str] | None) -> str:
    if words and words != ["-"]:
        return " ".join(words)
    if not words and (sys.stdin is None or sys.stdin.isatty()):
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(UsageError.exit_code)
    return _standard_input().decode("utf-8", "replace").strip()


def batch(
    context: typer.Context,
    questions: Annotated[
        Path,
        typer.Argument(metavar="QUESTIONS", help="JSON Lines with id and question; - reads standard input."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Where to write; - is standard output [default: -]."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=1000, metavar="N", help="How many passages each.")
    ] = 5,
    mode: ModeOption = None,
    document: DocumentOption = None,
    where: WhereOption = None,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Answer many questions in one process: JSON Lines in, JSON Lines out, line for line."""
    from cyberqa import render

    settings = settings_of(context, corpus, index)
    chosen = checked(mode, document, where)
    lines = _input_lines(questions)
    output = None if str(output) == "-" else output
    if output is not None and output.exists() and questions.exists() and output.samefile(questions):
        raise UsageError(f"the answers would take the place of the questions in {questions}", hint="name another file")
    session = open_session(settings)
    tell_uncovered(session)
    session.matching_documents(document or (), where or ())  # where none matches: one failure, not one a line
    failed = 0
    with _output(output) as write:
        for number, line in enumerate(lines, 1):
            try:
                entry = _batch_entry(line)
                answer = session.ask(entry["question"], top_k, chosen, documents=document or (), where=where or ())
                body = {"id": entry.get("id"), **render.answer_json(answer)}
            except CyberqaError as error:
                failed += 1
                render.error_message(UsageError(f"{questions}, line {number}: {error.message}", hint=error.hint))
                body = {**_given_id(line), **render.error_json(error, line=number)}
            write(render.dump_json(body, indent=None) + "\n")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _standard_input() -> bytes:
    return sys.stdin.buffer.read() if sys.stdin else b""


def _input_lines(questions: Path) -> list[str]:
    try:
        raw = _standard_input() if str(questions) == "-" else questions.read_bytes()
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


def _given_id(line: str) -> dict[str, Any]:
    """Return the id of a line that cannot be asked, where it has one that can be written."""
    with suppress(ValueError, RecursionError):
        entry = _parse_line(line)
        if isinstance(entry, dict) and _is_id(entry.get("id")):
            return {"id": entry["id"]}
    return {}


def _batch_entry(line: str) -> dict[str, Any]:
    hint = 'each line is an object: {"id": "1", "question": "…"}'
    try:
        entry = _parse_line(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"expected JSON, found {line[:40]!r} ({error})", hint=hint) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        raise UsageError(f"expected an object with a question, found {line[:40]!r}", hint=hint)
    if entry.get("id") is not None and not _is_id(entry["id"]):
        raise UsageError(f"expected an id of text or a whole number, found {entry['id']!r}"[:200], hint=hint)
    return entry


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _parse_line(line: str) -> Any:
    import json

    entry = json.loads(line)
    json.dumps(entry, ensure_ascii=False).encode("utf-8")  # half a surrogate pair could not be written
    return entry


@contextmanager
def _output(path: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield a writer; a file appears only when it is whole."""
    if path is None:
        yield write
        return
    path = path.resolve()
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe: written to, never replaced
        if path.is_dir():
            raise CorpusError(f"{path} is a folder", hint="name a file")
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file.write
        return
    if not path.parent.is_dir():
        raise CorpusError(
            f"{path} cannot be written: there is no folder {path.parent}", hint="make it, or name another"
        )
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as file:
            yield file.write
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
