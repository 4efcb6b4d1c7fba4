"""What the commands share: options, settings, an open session, progress."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyberqa.errors import NoIndexError
from cyberqa.settings import Settings, load_settings

if TYPE_CHECKING:
    from cyberqa.ingest import BuildReport
    from cyberqa.session import Session
    from cyberqa.types import Answer

EXIT_FAILED = 1
EXIT_NOT_IN_CORPUS = 3
EXIT_SOME_UNREADABLE = 4
EXIT_CHECK_FAILED = 5
EXIT_INTERRUPTED = 130
"""What a command ends with; 0 is done. Errors bring their own: 1, or 2 for wrong usage."""


def _folder(text: str) -> Path:
    if not text:
        raise typer.BadParameter("expected a folder, found an empty name")
    return Path(text)


CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", metavar="DIR", parser=_folder, help="Folder of the source reports [default: corpus]."),
]
IndexOption = Annotated[
    Path | None, typer.Option("--index", metavar="DIR", parser=_folder, help="Folder of the index [default: index].")
]
DocumentOption = Annotated[
    list[str] | None,
    typer.Option("--document", metavar="GLOB", help="Ask these documents only: a name, glob or path; may be repeated."),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Ask documents only of which this holds, such as 'year>=2015'; may be repeated: all must hold. Fields:"
        " year, publisher, language, tag, title, source; operators: = != ~ (contains), and < <= > >= for year.",
    ),
]
ModeOption = Annotated[
    str | None,
    typer.Option("--mode", metavar="hybrid|dense|lexical", help="Ask both sides [default], or one alone."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def write(text: str) -> None:
    """Write a result: to a pipe or file as it is (typer.echo would take characters out), to a terminal made safe."""
    from cyberqa import render

    sys.stdout.write(render.escape_unsafe(text) if sys.stdout.isatty() else text)


_folders_given: list[str] = []
"""Options of this run that name folders, as they were typed."""


def remember_folders(arguments: Sequence[str]) -> None:
    """Note which folders a command line names, for :func:`with_folders`."""
    _folders_given.clear()
    for place, argument in enumerate(arguments):
        name, is_joined, value = argument.partition("=")
        if argument == "--":
            break
        if name in ("--corpus", "--index") and (is_joined or arguments[place + 1 :]):
            _folders_given.extend((name, value if is_joined else arguments[place + 1]))


def with_folders(text: str) -> str:
    """Return a text in which each command to run names the folders that this one was given: it is for the same index.

    >>> remember_folders(["ask", "--index", "my index", "who"]); with_folders("run: cyberqa index")
    "run: cyberqa --index 'my index' index"
    """
    import re
    import shlex

    options = " ".join(map(shlex.quote, _folders_given))
    command = r"(?<=[:→] )cyberqa (?=(?:index|show|status|verify)\b)"  # a hint of ours, no title that says so
    return re.sub(command, lambda _: f"cyberqa {options} ", text) if options else text


def shows_style() -> bool:
    """Whether what is printed goes to a terminal that can show bold and colours."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def settings_of(
    context: typer.Context,
    corpus: Path | None,
    index: Path | None,
    more: Mapping[str, Any] | None = None,
    *,
    must_exist: bool = True,
) -> Settings:
    """Options may stand before or after the command; the later one wins. ``more`` are other settings given as flags.

    Raises:
        CorpusError: the corpus folder that was named is not there, and ``must_exist``: it was mistyped. An index may do
            without its corpus, where none is named.
    """
    before: dict[str, Path | None] = context.obj
    given = {"corpus": corpus or before["corpus"], "index": index or before["index"]}
    settings = load_settings({**given, **(more or {})})
    if given["corpus"] and must_exist:
        from cyberqa.corpus import check_folder

        check_folder(settings)
    return settings


def open_session(settings: Settings, refresh: bool = False) -> "Session":
    """Open the index, building it first where there is none (or ``refresh`` is asked for), and say if it is stale."""
    from cyberqa import render
    from cyberqa.session import Session

    _tell_cost(settings)
    if refresh:
        tell_unreadable(build(settings))
    try:
        session = Session.open(settings)
    except NoIndexError:
        tell_unreadable(build(settings))
        session = Session.open(settings)
    if session.changes:
        more = f" and {len(session.changes) - 3} more" if len(session.changes) > 3 else ""
        names = ", ".join(session.changes[:3]) + more
        stale = f"the index is stale ({names}); answering from what is there. Run: cyberqa index"
        render.message(f"cyberqa: {with_folders(stale)}", sys.stderr)
    return session


def tell_uncovered(session: "Session", answer: "Answer | None" = None) -> None:
    """Name the documents whose language the model does not cover.

    With an answer only where it may suffer: nothing was found, or a passage is in such a language.
    """
    missing = session.uncovered
    is_answered_without = (
        answer is not None
        and answer.verdict == "answered"
        and not any(passage.citation.language in missing for passage in answer.passages)
    )
    if missing and not is_answered_without:
        from cyberqa import languages, render

        note = languages.coverage_note(missing, session.generation.manifest.recipe.encoder.model)
        render.message(f"cyberqa: {note}", sys.stderr)


def _tell_cost(settings: Settings) -> None:
    """Say on a terminal why nothing happens for some seconds: only the bundled model, once prepared, needs no torch."""
    if sys.stderr.isatty():
        import onnxruntime

        from cyberqa import render
        from cyberqa.embedding import bundled, needs_torch

        if names := needs_torch(settings):
            render.message(f"cyberqa: loading {' and '.join(names)} with torch, which takes seconds", sys.stderr)
        elif not bundled.is_complete(bundled.graph_folder(onnxruntime.__version__)):
            render.message("cyberqa: preparing the model, which takes some 15 s, once", sys.stderr)


def build(settings: Settings, *, rebuild: bool = False, use_cache: bool = True, prune: bool = False) -> "BuildReport":
    """Make the index agree with the corpus, with progress."""
    from cyberqa.cli.progress import progress
    from cyberqa.ingest import build_index

    with progress() as on_progress:
        return build_index(settings, rebuild=rebuild, use_cache=use_cache, prune=prune, on_progress=on_progress)


_WARNINGS_SHOWN = 20


def tell_unreadable(report: "BuildReport") -> None:
    """Name what could not be read, and what was read with doubts."""
    from cyberqa import render

    notes = [f"{id_}: {note}" for id_, warnings in report.warnings.items() for note in warnings]
    for note in notes[:_WARNINGS_SHOWN]:
        render.message(f"cyberqa: {note}", sys.stderr)
    if len(notes) > _WARNINGS_SHOWN:
        more = len(notes) - _WARNINGS_SHOWN
        render.message(with_folders(f"cyberqa: {more} more warnings; run: cyberqa status --documents"), sys.stderr)
    for id_, reason in report.failures.items():
        render.message(f"cyberqa: {id_} could not be read: {reason}", sys.stderr)
