"""``verify`` and ``doctor``: checks that end with exit code 5 where something is wrong."""

import sys

import typer

from cyberqa.cli.common import (
    EXIT_CHECK_FAILED,
    CorpusOption,
    IndexOption,
    JsonOption,
    settings_of,
    with_folders,
    write,
)


def verify(
    context: typer.Context,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Check the index: every checksum, every span, the words of every passage, a sample of vectors made again.

    Ends with exit code 5 when something is wrong, and says what mends it.
    """
    from cyberqa import describing, render
    from cyberqa.verifying import verify_index

    found = verify_index(settings_of(context, corpus, index))
    if as_json:
        write(render.dump_json(found) + "\n")
    else:
        render.message(with_folders(describing.verify_text(found)), sys.stdout)
    if not found["is_whole"]:
        raise typer.Exit(EXIT_CHECK_FAILED)


def doctor(
    context: typer.Context,
    as_json: JsonOption = False,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Look at Python, packages, model, index, disk and processor: what is wrong or slow, and what mends it.

    Ends with exit code 5 when something is wrong. Changes nothing.
    """
    from cyberqa import describing, render
    from cyberqa.diagnosing import diagnose

    found = diagnose(settings_of(context, corpus, index))
    if as_json:
        write(render.dump_json(found) + "\n")
    else:
        render.message(with_folders(describing.doctor_text(found)), sys.stdout)
    if not found["is_well"]:
        raise typer.Exit(EXIT_CHECK_FAILED)
