"""``index``, ``add`` and ``remove``."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyberqa.cli.common import (
    EXIT_SOME_UNREADABLE,
    CorpusOption,
    IndexOption,
    JsonOption,
    build,
    settings_of,
    tell_unreadable,
    with_folders,
    write,
)
from cyberqa.cli.progress import progress
from cyberqa.errors import CyberqaError, UsageError
from cyberqa.settings import Settings

if TYPE_CHECKING:
    from cyberqa.ingest import BuildReport


def index_command(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read everything again; cached vectors are kept.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Drop the cached vectors too.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, max=1000, metavar="N", help="Keep N generations, the new one included [default: 2]."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: index again whenever files have changed, until Ctrl-C.")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Drop from the cache what this index does not need.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Make the index agree with the corpus."""
    settings = settings_of(context, corpus, index, {"keep_generations": keep})
    first = {"rebuild": rebuild, "use_cache": not no_cache, "prune": prune}
    if dry_run:
        if rebuild or no_cache or prune or keep or watch:
            raise UsageError("--dry-run goes with no option that says how to build")
        _tell_plan(settings, as_json)
        return
    if watch:
        _watch(settings, first, as_json)
        return
    _finish_build(build(settings, **first), as_json)


def _watch(settings: Settings, first: dict[str, bool], as_json: bool) -> None:
    from cyberqa import render
    from cyberqa.watching import follow

    options = iter((first,))
    for outcome in follow(settings, lambda: build(settings, **next(options, {}))):
        if isinstance(outcome, CyberqaError):
            render.error_message(outcome)
        else:
            _tell_build(outcome, as_json, f"{time.strftime('%H:%M:%S')} ")
        render.message(f"cyberqa: watching {settings.corpus}; Ctrl-C ends", sys.stderr)
        sys.stdout.flush()


def _tell_plan(settings: Settings, as_json: bool) -> None:
    from cyberqa import describing, render
    from cyberqa.ingest import plan_index

    plan = plan_index(settings)
    if as_json:
        write(render.dump_json(render.plan_json(plan)) + "\n")
    else:
        render.message(describing.plan_text(plan), sys.stdout)


def add(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files to copy into the corpus.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite another file of the same name.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Copy files into the corpus and index them."""
    from cyberqa.editing import add_documents

    settings = settings_of(context, corpus, index, must_exist=False)
    with progress() as on_progress:
        report = add_documents(settings, paths, force=force, on_progress=on_progress)
    _finish_build(report, as_json)


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
    from cyberqa import render
    from cyberqa.editing import remove_documents

    settings = settings_of(context, corpus, index)
    with progress() as on_progress:
        report = remove_documents(settings, documents, on_progress=on_progress)
    for document in dict.fromkeys(documents):
        render.message(f"cyberqa: {document} deleted", sys.stderr)
    _finish_build(report, as_json)


def _finish_build(report: "BuildReport", as_json: bool) -> None:
    _tell_build(report, as_json)
    if report.failures:
        raise typer.Exit(EXIT_SOME_UNREADABLE)


def _tell_build(report: "BuildReport", as_json: bool, when: str = "") -> None:
    from cyberqa import describing, render

    tell_unreadable(report)
    if as_json:
        write(render.dump_json(render.build_json(report)) + "\n")
    else:
        render.message(when + describing.build_text(report), sys.stdout)
    for note in describing.build_notes(report):
        render.message(with_folders(f"cyberqa: {note}"), sys.stderr)
