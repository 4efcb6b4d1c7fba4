"""``index``, ``add`` and ``remove``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyberqa.cli.common import (
    CorpusOption,
    IndexOption,
    JsonOption,
    build,
    progress,
    settings_of,
    tell_unreadable,
    write,
)
from cyberqa.errors import UsageError
from cyberqa.settings import Settings

if TYPE_CHECKING:
    from cyberqa.ingest import BuildReport

EXIT_SOME_UNREADABLE = 4


def index_command(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read everything again; cached vectors are kept.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Drop the cached vectors too.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Drop from the cache what this index does not need.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Make the index agree with the corpus."""
    settings = settings_of(context, corpus, index)
    if dry_run:
        if rebuild or no_cache or prune:
            raise UsageError("--dry-run goes with no option that says how to build")
        _tell_plan(settings, as_json)
    else:
        _finish_build(build(settings, rebuild=rebuild, use_cache=not no_cache, prune=prune), as_json)


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

    settings = settings_of(context, corpus, index)
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
    from cyberqa.editing import remove_documents

    settings = settings_of(context, corpus, index)
    with progress() as on_progress:
        report = remove_documents(settings, documents, on_progress=on_progress)
    _finish_build(report, as_json)


def _finish_build(report: "BuildReport", as_json: bool) -> None:
    from cyberqa import describing, render

    tell_unreadable(report)
    if as_json:
        write(render.dump_json(render.build_json(report)) + "\n")
    else:
        render.message(describing.build_text(report), sys.stdout)
    for note in describing.build_notes(report):
        render.message(f"cyberqa: {note}", sys.stderr)
    if report.failures:
        raise typer.Exit(EXIT_SOME_UNREADABLE)
