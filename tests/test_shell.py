"""The shell: several questions to one open index, piped in or typed at a prompt."""

import fcntl
import io
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from types import SimpleNamespace

import pytest

from conftest import CORPUS, QUESTION, run_cli
from cyberqa.cli import shell
from cyberqa.ingest import build_index
from cyberqa.session import Session

OTHER = "what is the Tallinn Manual"


@pytest.fixture
def ask_all(real_index, capsys, monkeypatch):
    """Pipe lines into the shell; return its exit code and what it wrote."""

    def pipe(*lines: str, options=()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        code = run_cli("shell", "--corpus", CORPUS, "--index", real_index, *options)
        return code, *capsys.readouterr()

    return pipe


def asked_alone(real_index, capsys, *words: str) -> str:
    run_cli("ask", "--corpus", CORPUS, "--index", real_index, *words)
    return capsys.readouterr().out


def test_each_line_is_answered_as_ask_answers_it(ask_all, real_index, capsys):
    expected = "".join(
        f"? {question}\n\n{asked_alone(real_index, capsys, question, '-k', '2')}" for question in (QUESTION, OTHER)
    )
    assert ask_all(QUESTION, "", f"  {OTHER} ", options=("-k", "2")) == (0, expected, "")


def test_more_shows_what_comes_next_and_show_one_with_the_sentences_around_it(ask_all, real_index, capsys):
    six = asked_alone(real_index, capsys, QUESTION, "-k", "6")
    around = asked_alone(real_index, capsys, QUESTION, "-k", "2", "--context", "3")
    code, out, err = ask_all(QUESTION, "more", "show 2", options=("-k", "3"))
    first, second, third = out.split("? ")[1:]
    assert (code, err) == (0, "")
    assert six == first.removeprefix(f"{QUESTION}\n\n") + "\n" + second.removeprefix("more\n\n")
    assert third == "show 2\n\n" + around[around.index("2. ") :]


def test_a_line_that_cannot_be_done_costs_that_line_and_the_exit_code_tells(ask_all):
    code, out, err = ask_all("more", "show 2", QUESTION, "show 0", "show 9999", "help")
    assert code == 1
    assert "USAID" in out
    assert shell.HELP in out
    assert err.count("nothing has been asked yet") == 2
    assert "there is no passage 0" in err
    assert "there is no passage 9999" in err


def test_commands_may_be_written_in_capitals(ask_all):
    code, out, err = ask_all("Help", QUESTION, "More", "SHOW 1", "Quit", OTHER)
    assert (code, err) == (0, "")
    assert shell.HELP in out
    assert out.endswith("? Quit\n\n")


def test_an_index_made_anew_is_asked_from_the_next_question_on(settings, capsys):
    build_index(settings)
    dialogue = shell._Dialogue(settings, Session.open(settings), 1)
    (settings.corpus / "gamma.txt").write_text("The gamma server opened in Skopje.\n", "utf-8")
    dialogue.answer("where did the gamma server open")
    assert "Skopje" not in capsys.readouterr().out
    build_index(settings)
    dialogue.answer("where did the gamma server open")
    assert "Skopje" in capsys.readouterr().out
    shutil.rmtree(settings.index)
    dialogue.answer("where did the gamma server open")
    assert "Skopje" in capsys.readouterr().out


def test_quit_ends_it_and_so_does_the_end_of_the_lines(ask_all):
    assert ask_all("quit", QUESTION) == (0, "? quit\n\n", "")
    assert ask_all() == (0, "", "")


def test_a_filter_that_nothing_matches_is_told_once(ask_all):
    code, out, err = ask_all(QUESTION, OTHER, options=("--where", "year>=2999"))
    assert (code, out) == (1, "")
    assert err.count("cyberqa:") == 1


def test_tab_completes_commands_at_the_start_and_words_of_the_documents_anywhere(session):
    def completed(typed: str, begins: int = 0) -> list[str]:
        found = (shell._complete(session, lambda: begins, typed, number) for number in range(100))
        return [each for each in found if each]

    assert completed("qu")[0] == "quit"
    assert "quit" not in completed("qu", begins=4)
    assert "ALCIRT" in completed("alci", begins=4)
    assert completed("a", begins=4) == []
    assert completed("%_", begins=4) == []


def _at_a_terminal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_at_a_prompt_lines_are_recalled_and_ctrl_c_gives_up_a_line_only(real_index, tmp_path):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "cyberqa", "shell", "--corpus", str(CORPUS), "--index", str(real_index)]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
    child = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
        preexec_fn=_at_a_terminal,
    )
    os.close(slave)
    screen = SimpleNamespace(text="")

    def wait_for(text: str, since: int = 0) -> int:
        """Return the place behind a text on the screen."""
        until = time.monotonic() + 300
        while text not in screen.text[since:] and select.select([master], [], [], until - time.monotonic())[0]:
            try:
                screen.text += os.read(master, 65536).decode("utf-8", "replace")
            except OSError:  # the shell has ended
                break
        assert text in screen.text[since:], screen.text
        return screen.text.index(text, since) + len(text)

    seen = wait_for(shell.PROMPT, wait_for("or an answer"))
    os.write(master, b"half a quest")
    seen = wait_for("half a quest", seen)
    time.sleep(0.5)  # Python sees an interruption only at the next key where it comes before it waits for one
    os.write(master, b"\x03")
    seen = wait_for("\n" + shell.PROMPT, seen)
    os.write(master, QUESTION.encode() + b"\n")
    seen = wait_for(shell.PROMPT, wait_for("USAID", seen))
    os.write(master, b"\x04")
    assert child.wait(60) == 0
    os.close(master)
    assert (tmp_path / "cyberqa" / "history").read_text() == QUESTION + "\n"
