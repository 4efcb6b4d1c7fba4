"""``show``, ``status`` and ``aliases``."""

import re
import sys
from typing import Annotated

import typer

from cyberqa.cli.common import CorpusOption, IndexOption, JsonOption, settings_of, with_folders, write
from cyberqa.errors import UsageError


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
    if text_sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text_sha256):
        raise UsageError(f"--text-sha256: expected 64 hexadecimal digits, found {text_sha256!r}")
    settings = settings_of(context, corpus, index)
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
        shown_text = render.on_screen(shown.text)
        write(shown_text if shown_text.endswith("\n") else shown_text + "\n")
    else:
        write(shown.text)


_MAX_RANGE_CHARS = 40  # Python refuses to read numbers of thousands of digits


def _range(value: str | None, option: str, first: int) -> tuple[int, int] | None:
    if value is None:
        return None
    start, colon, end = value.partition(":")
    is_pair = colon and start.isdecimal() and end.isdecimal() and len(value) <= _MAX_RANGE_CHARS
    if not is_pair or not first <= int(start) <= int(end):
        raise UsageError(f"{option}: expected two numbers from {first} upwards, as in {option} 5:10, found {value!r}")
    return int(start), int(end)


def status(
    context: typer.Context,
    documents: Annotated[bool, typer.Option("--documents", help="Tell of each document how it was read.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Say what is indexed and whether it is stale."""
    from cyberqa import describing, render
    from cyberqa.showing import index_status

    found = index_status(settings_of(context, corpus, index))
    if as_json:
        write(render.dump_json(found) + "\n")
    else:
        render.message(with_folders(describing.status_text(found, documents=documents)), sys.stdout)


def aliases(
    context: typer.Context,
    shipped: Annotated[bool, typer.Option("--shipped", help="List those too that come with cyberqa.")] = False,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """List what the index knows under several names, and from where.

    Acronyms are found where the documents explain them; aliases.toml in the corpus folder gives others.
    """
    from cyberqa import describing, render
    from cyberqa.showing import index_aliases

    found = index_aliases(settings_of(context, corpus, index), shipped=shipped or not as_json)  # text counts them
    if as_json:
        write(render.dump_json(found) + "\n")
    else:
        render.message(describing.aliases_text(found, shipped=shipped), sys.stdout)
