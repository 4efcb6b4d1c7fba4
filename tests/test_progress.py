"""What a build says of itself while it goes on is true, or is not said."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from fcntl import ioctl

import pytest

from conftest import FakeEncoder
from cyberqa.cli.progress import progress, progress_line
from cyberqa.ingest import Progress, build_index
from cyberqa.ingest.pacing import Pace


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def embed(pace: Pace, clock: Clock, seconds: float, texts: int, chars: int, *, idle: bool = False) -> None:
    clock.now += seconds
    pace.embedded(texts, chars, idle=idle)


# --- speed and time left -------------------------------------------------------------------------------------


def test_nothing_is_said_before_it_can_be_known():
    pace = Pace({"a.txt": 100, "b.txt": 100}, clock := Clock())
    assert (pace.chunks_per_s, pace.seconds_left, pace.share) == (None, None, None)
    pace.cut("a.txt", 90)
    embed(pace, clock, 1, 10, 10)
    assert (pace.chunks_per_s, pace.seconds_left, pace.share) == (None, None, None)
    embed(pace, clock, 3, 10, 10)
    assert pace.chunks_per_s == 20 / 4
    # 70 of the first, and of the second as many as of the first: 90.
    assert pace.seconds_left == pytest.approx((70 + 90) / (20 / 4))
    assert pace.share == pytest.approx(20 / (20 + 70 + 90))


def test_files_from_the_cache_count_for_nothing():
    clock = Clock()
    pace, same = Pace({"new.txt": 100}, clock), Pace({"new.txt": 100}, clock)
    for number in range(50):
        pace.cut(f"cached{number}.txt", 0)
    clock.now += 100  # nobody embeds anything meanwhile
    for each in (pace, same):
        each.cut("new.txt", 100)
    clock.now += 5
    for each in (pace, same):
        each.embedded(20, 20, idle=False)
    assert pace.seconds_left == same.seconds_left == 80 / (20 / 5)
    assert pace.chunks_per_s == 20 / 5


def test_time_in_which_nothing_could_be_embedded_is_not_counted():
    pace = Pace({"a.txt": 10, "b.txt": 10}, clock := Clock())
    pace.cut("a.txt", 40)
    embed(pace, clock, 10, 40, 40, idle=True)
    clock.now += 1000
    pace.cut("b.txt", 40)
    embed(pace, clock, 5, 20, 20)
    assert pace.seconds_left == pytest.approx(20 / (60 / 15))


def test_the_speed_is_that_of_the_last_half_minute():
    pace = Pace({"a.txt": 10}, clock := Clock())
    pace.cut("a.txt", 10_000)
    for _ in range(100):
        embed(pace, clock, 1, 10, 10)
    for _ in range(31):
        embed(pace, clock, 1, 1, 1)
    assert pace.chunks_per_s == pytest.approx(1, rel=0.4)
    assert pace.seconds_left == pytest.approx((10_000 - 1031) / pace.chunks_per_s)


def test_kinds_that_have_not_been_met_are_not_guessed_at():
    pace = Pace({"a.pdf": 1000, "b.pdf": 1000, "c.txt": 5000, "d.docx": 300}, clock := Clock())
    pace.cut("a.pdf", 100)
    embed(pace, clock, 10, 20, 100)
    assert pace.seconds_left is None
    assert pace.chunks_per_s == 2
    pace.cut("b.pdf", 300)
    pace.cut("c.txt", 4000)
    embed(pace, clock, 10, 20, 100)
    assert pace.seconds_left is None  # all that is left is of a kind that is unknown
    pace = Pace({"a.txt": 1000, "b.txt": 1000, "c.docx": 100}, clock)
    pace.cut("a.txt", 1000)
    embed(pace, clock, 10, 20, 100)
    assert pace.seconds_left == pytest.approx((900 + 1000 + 100) / 10)  # a twentieth is taken to be like the rest


def test_a_file_that_cannot_be_read_tells_of_its_kind_too():
    pace = Pace({"a.pdf": 1000, "b.pdf": 1000, "c.pdf": 1000}, clock := Clock())
    pace.cut("a.pdf", 0)
    pace.cut("b.pdf", 1000)
    embed(pace, clock, 10, 20, 500)
    assert pace.seconds_left == pytest.approx((500 + 1000 * 1000 / 2000) / 50)


def test_nothing_is_left_in_the_end():
    pace = Pace({"a.txt": 100}, clock := Clock())
    pace.cut("a.txt", 100)
    embed(pace, clock, 10, 20, 100, idle=True)
    assert (pace.seconds_left, pace.share) == (0, 1)


# --- what a build tells --------------------------------------------------------------------------------------


def steps_of(settings, encoder=None, **options) -> list[Progress]:
    steps: list[Progress] = []
    build_index(settings, encoder=encoder or FakeEncoder(), on_progress=steps.append, **options)
    return steps


def test_documents_and_chunks_are_counted_as_they_are_done(settings):
    (settings.corpus / "delta.txt").write_text("Delta\n\n" + "A sentence of the law of Tirana. " * 300, "utf-8")
    steps = [step for step in steps_of(settings) if step.stage == "indexing"]
    report = build_index(settings, encoder=FakeEncoder())
    assert [step.documents_done for step in steps] == sorted(step.documents_done for step in steps)
    assert [step.chunks for step in steps] == sorted(step.chunks for step in steps)
    assert (steps[0].documents_done, steps[0].chunks, steps[0].documents) == (0, 0, 3)
    assert (steps[-1].documents_done, steps[-1].chunks) == (3, report.chunks)
    assert any(2 < step.chunks < report.chunks for step in steps if step.documents_done == 2)


def test_a_build_that_embeds_nothing_is_measured_by_its_documents(settings):
    steps_of(settings)
    (settings.corpus / "2019").mkdir()
    (settings.corpus / "alpha.txt").rename(settings.corpus / "2019" / "alpha.txt")
    steps = steps_of(settings)
    assert [step.stage for step in steps][-1] == "writing the index"
    assert [(step.documents_done, step.share) for step in steps][:-1] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert {(step.embedded, step.chunks_per_s, step.seconds_left) for step in steps} == {(0, None, None)}


# --- the line ------------------------------------------------------------------------------------------------

FULL = Progress("indexing", 1012, 10_340, 812, 21_234, 41.2, 130.0, 0.3)
WHOLE = "indexing: 1,012/10,340 documents, 21,234 chunks, 41 chunks/s, 3 min left"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (200, WHOLE),
        (len(WHOLE), WHOLE),
        (len(WHOLE) - 1, "1,012/10,340 documents, 21,234 chunks, 41 chunks/s, 3 min left"),
        (60, "1,012/10,340 documents, 21,234 chunks, 3 min left"),
        (40, "1,012/10,340 documents, 3 min left"),
        (30, "1,012/10,340, 3 min left"),
        (12, "1,012/10,340"),
        (5, "1,012"),
    ],
)
def test_the_line_fits_and_loses_what_matters_least_first(width, expected):
    assert progress_line(FULL, width) == expected
    assert len(expected) <= width


def test_what_is_not_known_is_not_shown():
    assert progress_line(Progress("indexing", 0, 5), 80) == "indexing: 0/5 documents, 0 chunks"
    assert progress_line(Progress("opening the model"), 80) == "opening the model"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "5 s"),
        (41, "45 s"),
        (60, "1 min"),
        (61, "2 min"),
        (3540, "59 min"),
        (3541, "1 h 0 min"),
        (7261, "2 h 2 min"),
    ],
)
def test_time_left_is_rounded_up_and_coarse(seconds, expected):
    assert progress_line(replace(FULL, seconds_left=seconds), 200).endswith(f", {expected} left")


def test_a_pipe_gets_no_bar(capsys):
    with progress() as show:
        show(FULL)
        show(Progress("waiting for another build", is_waiting=True))
    assert capsys.readouterr() == ("", "cyberqa: waiting for another build\n")


def test_on_a_terminal_the_line_is_drawn_in_its_width_and_wiped_away(settings):
    """The whole program; in 43 columns, of which the spinner takes two, the line lacks one to be told whole."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 43, 0, 0))
    command = [sys.executable, "-m", "cyberqa", "index", "--corpus", settings.corpus, "--index", settings.index]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env={**environment, "TERM": "xterm"}
    ) as child:
        os.close(theirs)
        written = b""
        try:
            while more := os.read(ours, 65536):
                written += more
        except OSError:  # Linux says so when the other end is closed
            pass
        assert child.wait() == 0
    os.close(ours)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()))
    assert len("writing the index: 2/2 documents, 2 chunks") == 43 - 2 + 1
    told = {line.strip()[2:] for line in lines if "documents" in line}  # behind the spinner
    assert "2/2 documents, 2 chunks" in told
    assert not any(line.startswith("writing the index") for line in told)
    assert all(len(line) <= 43 and "…" not in line for line in lines)
    assert written.rstrip().endswith((b"\x1b[2K", b"\x1b[?25h"))
