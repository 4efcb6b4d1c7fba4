"""``index --watch``: builds when files have changed and come to rest, says what it did, and ends on Ctrl-C."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from conftest import FakeEncoder
from cyberqa import watching
from cyberqa.errors import CorpusError, CyberqaError
from cyberqa.index.growing import RowFile
from cyberqa.ingest import build_index
from cyberqa.watching import follow


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(watching, "SETTLED_S", 0.01)


@pytest.fixture
def watched(settings):
    """A function that does one thing after the other in the corpus folder, and returns what a watch says of each."""

    def watch(*deeds) -> list:
        said = []

        def looks():
            for deed in deeds:
                said.append(None)
                deed(settings.corpus)
                yield deed

        outcomes = follow(settings, lambda: build_index(settings, encoder=FakeEncoder()), looks())
        assert next(outcomes).documents == 2
        for outcome in outcomes:
            said[-1] = outcome
        return said

    return watch


def write(name: str, text: str = "Gamma\n\nA third text.\n"):
    return lambda corpus: (corpus / name).write_text(text, "utf-8")


def test_each_change_is_indexed_and_told_and_nothing_else_is(watched):
    said = watched(
        write("gamma.txt"),
        lambda _: None,
        lambda corpus: (corpus / "alpha.txt").rename(corpus / "delta.txt"),
        write(".hidden.txt"),
        lambda corpus: os.utime(corpus / "gamma.txt"),
        write("sources.toml", '["gamma.txt"]\nyear = 2019\n'),
    )
    assert said[0].added == ("gamma.txt",)
    assert said[2].documents == 3 and said[2].is_new
    assert said[5].changed == ("gamma.txt",)
    assert [outcome is None for outcome in said] == [False, True, False, True, True, False]


def test_a_failure_is_told_once_tried_again_and_ends_with_what_mends_it(watched, settings):
    away = settings.corpus.with_name("away")
    said = watched(
        lambda corpus: corpus.rename(away),
        lambda _: None,
        lambda corpus: away.rename(corpus),
    )
    assert isinstance(said[0], CorpusError) and said[1] is None
    assert said[2].documents == 2 and not said[2].is_new


def test_a_full_disk_does_not_end_the_watch(watched, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        said = watched(
            write("gamma.txt"),
            lambda corpus: (patched.setattr(RowFile, "write", full), write("delta.txt")(corpus)),
            lambda _: None,
            lambda _: patched.undo(),
        )
    assert said[1].message.endswith("cannot be written (No space left on device)")
    assert said[2] is None
    assert said[3].added == ("delta.txt",)


def test_what_fails_at_the_start_ends_the_watch(settings, tmp_path):
    settings = replace(settings, corpus=tmp_path / "nowhere")
    with pytest.raises(CyberqaError, match="nowhere"):
        next(follow(settings, lambda: build_index(settings, encoder=FakeEncoder())))


def test_a_file_that_is_still_being_written_is_waited_for(settings, monkeypatch):
    """It grows between any two looks at it, five times; a build before that would see a part of it."""
    file = settings.corpus / "growing.txt"
    parts = iter([f"Growing report\n\nIt has {number} parts.\n" for number in range(6)])
    file.write_text(next(parts), "utf-8")
    monkeypatch.setattr(time, "sleep", lambda _: (part := next(parts, None)) and file.write_text(part + "x", "utf-8"))
    seen = []

    def build():
        seen.append(file.read_text("utf-8"))
        return build_index(settings, encoder=FakeEncoder())

    next(follow(settings, build))
    assert seen == ["Growing report\n\nIt has 5 parts.\nx"]


def test_a_file_that_never_rests_is_not_waited_for_without_end(settings, monkeypatch):
    clock = iter(range(0, 1000, 10))
    log = settings.corpus / "log.txt"
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    log.write_text("Log\n\n", "utf-8")
    monkeypatch.setattr(time, "sleep", lambda _: log.write_text(log.read_text("utf-8") + "One more line.\n", "utf-8"))
    assert next(follow(settings, lambda: build_index(settings, encoder=FakeEncoder()))).documents == 3


def test_the_program_follows_a_folder_and_ends_on_ctrl_c(settings):
    """The real thing, once: notice of a change comes from the system."""
    command = [sys.executable, "-m", "cyberqa", "index", "--watch", "--json"]
    watch = subprocess.Popen(
        [*command, "--corpus", settings.corpus, "--index", settings.index],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )  # fmt: skip

    def next_report() -> dict:
        return json.loads("".join([*iter(watch.stdout.readline, "}\n"), "}"]))

    try:
        assert next_report()["documents"] == 2
        write("gamma.txt")(settings.corpus)
        assert next_report()["added"] == ["gamma.txt"]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 130
        assert "Traceback" not in watch.stderr.read()
    finally:
        watch.kill()
        watch.communicate()
    assert build_index(replace(settings, lock_timeout_s=0)).documents == 3
