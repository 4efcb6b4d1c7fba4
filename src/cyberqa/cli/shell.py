"""``shell``: several questions to one open index, typed at a prompt or piped in, one a line."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyberqa.cli.asking import checked
from cyberqa.cli.common import (
    EXIT_FAILED,
    CorpusOption,
    DocumentOption,
    IndexOption,
    ModeOption,
    WhereOption,
    open_session,
    settings_of,
    shows_style,
    tell_uncovered,
    write,
)
from cyberqa.errors import CyberqaError, UsageError

if TYPE_CHECKING:
    from cyberqa.session import Session
    from cyberqa.settings import Settings
    from cyberqa.types import Answer

PROMPT = "? "
HELP = """\
Ask a question (each stands alone: "and when was that?" finds nothing), or:
  show N   passage N of the last answer, with the sentences around it in its section
  more     the passages that come next
  help     this text
  quit     or exit, or Ctrl-D; Ctrl-C gives up a line, or an answer
"""
_SHOW = re.compile(r"show\s+(\d{1,4})")
_SHOW_WHAT = re.compile(r"show[\s\d.,+-]*")
_COMMANDS = ("help", "more", "quit", "show ")
_CONTEXT = 3  # sentences before and after a passage that is shown alone
_COMPLETED_FROM = 2  # letters: fewer have too many words
_MOST_COMPLETED = 50
_HISTORY_LINES = 1000
_ENDS_OF_WORDS = " \t\n\"'“”„«»()[]?!.,;:/"


def shell(
    context: typer.Context,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=1000, metavar="N", help="How many passages.")] = 5,
    mode: ModeOption = None,
    document: DocumentOption = None,
    where: WhereOption = None,
    corpus: CorpusOption = None,
    index: IndexOption = None,
) -> None:
    """Ask several questions of one open index, at a prompt or from a pipe.

    Each line is a question, or one of: show N, more, help, quit. Tab completes words of the documents.
    """
    chosen = checked(mode, document, where)
    settings = settings_of(context, corpus, index)
    session = open_session(settings)
    tell_uncovered(session)
    session.matching_documents(document or (), where or ())  # where none matches: told once, not at every line
    dialogue = _Dialogue(settings, session, top_k, mode=chosen, documents=document or (), where=where or ())
    if sys.stdin is not None and sys.stdin.isatty():
        write(HELP)
        with _readline(dialogue):
            _answer_all(_typed(), dialogue, is_typed=True)
    elif _answer_all(_piped(), dialogue, is_typed=False):
        raise typer.Exit(EXIT_FAILED)


class _Dialogue:
    """The open index, the last question put to it, and how many passages of that were shown."""

    def __init__(self, settings: "Settings", session: "Session", top_k: int, **asking: Any) -> None:
        self.session = session
        self._settings = settings
        self._top_k = top_k
        self._asking = asking
        self._question = ""
        self._shown = 0

    def answer(self, line: str) -> None:
        """Do what a line says.

        Raises:
            CyberqaError: it cannot be done.
        """
        command = line.casefold()
        if command == "help":
            write(HELP)
        elif command == "more":
            self._more()
        elif found := _SHOW.fullmatch(command):
            self._show(int(found[1]))
        elif _SHOW_WHAT.fullmatch(command):
            raise UsageError("expected the number of one passage", hint="show 2")
        else:
            self._renew()
            answer = self._ask(line, self._top_k)
            self._question, self._shown = line, len(answer.passages)
            _print(answer)

    def _renew(self) -> None:
        """Open the index anew where it has been made anew since; what cannot be opened leaves all as it is."""
        from cyberqa.index.manifest import current_generation
        from cyberqa.session import Session

        with suppress(CyberqaError):
            if current_generation(self._settings.index) != self.session.generation.manifest.generation:
                former, self.session = self.session, Session.open(self._settings)
                former.close()

    def _ask(self, question: str, k: int, context: int = 0) -> "Answer":
        return self.session.ask(question, k, context=context, **self._asking)

    def _more(self) -> None:
        answer = self._again(self._shown + self._top_k)
        following = answer.passages[self._shown :]
        if not following:
            raise UsageError("there are no more passages")
        self._shown += len(following)
        _print(replace(answer, passages=following), is_first=False)

    def _show(self, rank: int) -> None:
        answer = self._again(max(rank, 1), context=_CONTEXT)
        passages = [passage for passage in answer.passages if passage.rank == rank]
        if not passages:
            raise UsageError(f"there is no passage {rank}", hint="name one by the number in front of it")
        _print(replace(answer, passages=tuple(passages)), is_first=False)

    def _again(self, k: int, context: int = 0) -> "Answer":
        if not self._question:
            raise UsageError("nothing has been asked yet", hint="type a question")
        return self._ask(self._question, k, context=context)


def _print(answer: "Answer", *, is_first: bool = True) -> None:
    """Print as ``ask`` does; that the corpus does not answer is said once."""
    from cyberqa import render
    from cyberqa.types import Verdict

    answer = answer if is_first else replace(answer, verdict=Verdict.UNJUDGED)
    if shows_style():
        render.print_answer(answer, sys.stdout)
    else:
        write(render.answer_text(answer))
        sys.stdout.flush()


def _answer_all(lines: Iterator[str], dialogue: _Dialogue, *, is_typed: bool) -> int:
    """Return how many lines failed."""
    from cyberqa import render

    failed = 0
    for line in map(str.strip, lines):
        if line.casefold() in ("quit", "exit"):
            break
        if not line:
            continue
        try:
            dialogue.answer(line)
        except CyberqaError as error:
            failed += 1
            render.error_message(error)
        except KeyboardInterrupt:
            if not is_typed:
                raise
            render.message("cyberqa: interrupted", sys.stderr)
    return failed


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            write("\n")
            return
        except KeyboardInterrupt:
            write("\n")


def _piped() -> Iterator[str]:
    """Yield each line, and print it above its answer."""
    for line in sys.stdin.buffer if sys.stdin else ():
        text = line.decode("utf-8", "replace").strip()
        if text:
            write(f"{PROMPT}{text}\n\n")
        yield text


@contextmanager
def _readline(dialogue: _Dialogue) -> Iterator[None]:
    """Let lines be edited, completed and recalled, where Python was built with readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    history = _history_file()
    is_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
    readline.set_completer_delims(_ENDS_OF_WORDS)
    readline.set_completer(
        lambda typed, number: _complete(dialogue.session, readline.get_begidx, typed, number)  # the one open by then
    )
    readline.set_history_length(_HISTORY_LINES)
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        with suppress(OSError):  # a home that cannot be written costs the history only
            history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            readline.write_history_file(history)


def _history_file() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "cyberqa" / "history"


def _complete(session: "Session", begins_at: Callable[[], int], typed: str, number: int) -> str | None:
    """Return the completion of that number; None where there are no more."""
    found = [command for command in _COMMANDS if not begins_at() and command.startswith(typed)]
    if len(typed) >= _COMPLETED_FROM:
        found += session.generation.vocabulary.words_beginning(typed, _MOST_COMPLETED)
    return found[number] if number < len(found) else None
