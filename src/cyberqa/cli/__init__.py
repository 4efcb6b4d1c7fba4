"""The command line: parses, calls one library function, hands the result to render.

Every command imports what it needs inside itself, so that a question pays only for the question's path.
"""

import contextlib
import errno
import os
import signal
import sqlite3
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from cyberqa.cli import asking, checking, evaluating, indexing, looking, shell
from cyberqa.cli.common import EXIT_INTERRUPTED, CorpusOption, IndexOption, remember_folders, with_folders, write
from cyberqa.errors import CyberqaError, SearchIndexError, UsageError

_ParserError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's own UsageError, the base of all that its parser raises; it exports only the subclass."""

_FREE_SPACE = "free some space, then run the command again"

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


app.command(epilog="Example: cyberqa ask who supported ALCIRT --top-k 3")(asking.ask)
app.command(
    epilog='Example: cyberqa batch questions.jsonl --output answers.jsonl   (one {"id": "1", "question": "…"} a line)'
)(asking.batch)
app.command(epilog="Example: cyberqa shell --where 'year>=2015'")(shell.shell)
app.command(name="index", epilog="Example: cyberqa index --corpus reports")(indexing.index_command)
app.command(epilog="Example: cyberqa add report.pdf")(indexing.add)
app.command(epilog="Example: cyberqa remove report.pdf")(indexing.remove)
app.command(epilog="Example: cyberqa show western-balkans-cybersecurity.txt --lines 291:295")(looking.show)
app.command(epilog="Example: cyberqa status --json | jq .stale")(looking.status)
app.command(epilog="Example: cyberqa aliases --json | jq -r '.aliases[].word'")(looking.aliases)
app.command(epilog="Example: cyberqa verify && cp -r index /elsewhere")(checking.verify)
app.command(epilog="Example: cyberqa doctor --json | jq '.findings[] | select(.state != \"fine\")'")(checking.doctor)
app.add_typer(evaluating.app)


# --- running -------------------------------------------------------------------------------------------------


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the command line and exit: never with a traceback for a user's mistake."""
    # A question's matrices are too small to share: a second thread of numpy costs more than it brings.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has had enough ends us quietly, like any filter
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: what we say goes nowhere
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123
        sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    remember_folders(arguments)
    try:
        code: int | None = app(arguments, prog_name="cyberqa", standalone_mode=False)  # Exit and Ctrl-C come as codes
        sys.stdout.flush()
    except CyberqaError as error:
        return _fail(error, arguments)
    except _ParserError as error:
        return _fail(_from_parser(error), arguments)
    except sqlite3.OperationalError as error:
        return _fail(CyberqaError(f"a database cannot be used ({error})", hint=_FREE_SPACE), arguments)
    except sqlite3.DatabaseError as error:
        damaged = f"a database of the index is damaged ({error})"
        return _fail(SearchIndexError(damaged, hint="run: cyberqa index --rebuild"), arguments)
    except OSError as error:
        return _fail(_from_os_error(error), arguments)
    except Exception as error:  # a fault of ours, or an index that somebody has made up
        if sys.flags.dev_mode:
            raise
        return _fail(_from_fault(error), arguments)
    if code == EXIT_INTERRUPTED:
        typer.echo("cyberqa: interrupted; what index there was is whole", err=True)
    return code or 0


def _from_parser(error: Any) -> UsageError:
    command = error.ctx.command_path if error.ctx else "cyberqa"
    return UsageError(error.format_message(), hint=f"run: {command} --help")


def _from_os_error(error: OSError) -> CyberqaError:
    where = f"{error.filename}: " if error.filename else ""
    hint = _FREE_SPACE if error.errno == errno.ENOSPC else ""
    return CyberqaError(f"{where}{error.strerror or error}", hint=hint)


def _from_fault(error: Exception) -> CyberqaError:
    return CyberqaError(
        f"this should not have happened ({type(error).__name__}: {error})",
        hint="is the index whole? run: cyberqa verify; to see where it happened: python -X dev -m cyberqa …",
    )


def _fail(error: CyberqaError, arguments: list[str]) -> int:
    from cyberqa import render

    error.hint = with_folders(error.hint)
    render.error_message(error)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--json" in options:
        with contextlib.suppress(OSError):  # standard output may be what failed
            write(render.dump_json(render.error_json(error)) + "\n")
            sys.stdout.flush()
    return error.exit_code
