"""A build is interrupted, out of space or not alone: the last good generation answers, the next build mends all."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from conftest import FakeEncoder, run_cli
from cyberqa import ingest
from cyberqa.errors import CyberqaError, SearchIndexError
from cyberqa.index import publishing
from cyberqa.index.files import SCRATCH_PREFIX
from cyberqa.index.generation import Generation
from cyberqa.index.lock import LOCK_FILE, writer_lock
from cyberqa.index.manifest import CURRENT_FILE, GENERATIONS_FOLDER, current_generation, generation_folder
from cyberqa.session import Session
from cyberqa.settings import Settings

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def build(settings: Settings, **options) -> ingest.BuildReport:
    return ingest.build_index(settings, encoder=FakeEncoder(), **options)


def edit(settings: Settings, number: int) -> None:
    """Write the edition of that number: every document says which it is."""
    for name in ("alpha", "beta"):
        text = f"{name.title()} report\n\nThe {name} team met in edition {number}.\n"
        (settings.corpus / f"{name}.txt").write_text(text, "utf-8")


def opened(settings: Settings) -> Session:
    return Session.open(replace(settings, model="fake"), FakeEncoder())


def answers(session: Session) -> list[str]:
    return [passage.text for passage in session.ask("which team met").passages]


def generations(settings: Settings) -> set[str]:
    return {folder.name for folder in (settings.index / GENERATIONS_FOLDER).iterdir()}


def scratch(settings: Settings) -> list[Path]:
    return [path for path in settings.index.rglob("*") if path.name.startswith(SCRATCH_PREFIX)]


# --- the order -----------------------------------------------------------------------------------------------


def test_everything_is_flushed_before_what_makes_it_count(settings, monkeypatch):
    """Files, their folder, the rename, its folder; then the pointer, its rename, and the index folder."""
    calls = []
    fsync, rename, substitute = os.fsync, os.rename, os.replace

    def name(path) -> str:
        parts = Path(path).relative_to(settings.index).parts
        return "/".join("scratch" if part.startswith(SCRATCH_PREFIX) else part for part in parts) or "."

    def record(call, *paths):
        calls.append((call, *map(name, paths)))

    def traced_fsync(descriptor):
        record("flush", Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def traced(real):
        def move(source, target):
            record("move", source, target)
            real(source, target)

        return move

    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "rename", traced(rename))
    monkeypatch.setattr(os, "replace", traced(substitute))
    id_ = build(settings).generation
    files = {("flush", f"generations/scratch/{file.name}") for file in generation_folder(settings.index, id_).iterdir()}
    assert set(calls[: len(files)]) == files
    assert calls[len(files) :] == [
        ("flush", "generations/scratch"),
        ("move", "generations/scratch", f"generations/{id_}"),
        ("flush", "generations"),
        ("flush", "scratch"),
        ("move", "scratch", CURRENT_FILE),
        ("flush", "."),
        ("flush", "scratch"),
        ("move", "scratch", "state.json"),
        ("flush", "."),
    ]


# --- readers and old generations -----------------------------------------------------------------------------


def test_an_open_session_answers_from_its_generation_while_others_come_and_it_is_swept(settings):
    settings = replace(settings, keep_generations=1)
    edit(settings, 0)
    first = build(settings).generation
    session = opened(settings)
    for number in (1, 2, 3):
        edit(settings, number)
        build(settings)
    assert first not in generations(settings)
    assert all("edition 0" in text for text in answers(session))
    assert session.ask("beta").index.generation == first
    assert "edition 0" in session.generation.contents.document("alpha.txt").text
    assert all("edition 3" in text for text in answers(opened(settings)))


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_as_many_generations_are_kept_as_is_asked_for_the_latest_ones(settings, keep):
    made = []
    for number in range(5):
        edit(settings, number)
        made.append(build(replace(settings, keep_generations=keep)).generation)
    assert generations(settings) == set(made[-keep:])


def test_keep_sweeps_although_nothing_has_changed(settings):
    edit(settings, 0)
    build(settings)
    edit(settings, 1)
    latest = build(settings).generation
    assert len(generations(settings)) == 2
    assert not build(replace(settings, keep_generations=1)).is_new
    assert generations(settings) == {latest}


def test_keep_is_an_option(settings, monkeypatch):
    given = []
    monkeypatch.setattr("cyberqa.cli.indexing.build", lambda settings, **_: given.append(settings) or build(settings))
    where = ["--corpus", settings.corpus, "--index", settings.index]
    assert run_cli("index", "--keep", "7", *where) == run_cli("index", *where) == 0
    assert [each.keep_generations for each in given] == [7, 2]


def test_only_generations_and_scratch_are_ever_swept(settings):
    build(settings)
    own = settings.index / GENERATIONS_FOLDER / "notes"
    own.mkdir()
    (settings.index / "keep.txt").write_text("mine")
    edit(settings, 1)
    build(replace(settings, keep_generations=1))
    assert own.is_dir() and (settings.index / "keep.txt").is_file()


def test_generations_behind_a_link_are_left_alone(settings, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ("0" * 20)).mkdir(parents=True)
    settings.index.mkdir()
    (settings.index / GENERATIONS_FOLDER).symlink_to(elsewhere)
    with pytest.raises(SearchIndexError, match="expected a folder, found a link"):
        build(settings)
    assert (elsewhere / ("0" * 20)).is_dir()


def test_a_reader_whose_generation_is_swept_while_it_opens_takes_the_next(settings, monkeypatch):
    edit(settings, 0)
    build(settings)
    load = Generation.__init__

    def slow(self, folder):
        monkeypatch.undo()
        edit(settings, 1)
        build(replace(settings, keep_generations=1))
        load(self, folder)

    monkeypatch.setattr(Generation, "__init__", slow)
    assert all("edition 1" in text for text in answers(opened(settings)))


# --- interruptions -------------------------------------------------------------------------------------------


def test_what_an_interrupted_build_leaves_is_swept_by_the_next(settings):
    edit(settings, 0)
    build(settings)
    leftovers = [
        settings.index / GENERATIONS_FOLDER / f"{SCRATCH_PREFIX}abc" / "corpus.sqlite",
        settings.index / f"{SCRATCH_PREFIX}{CURRENT_FILE}-1",
    ]
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half of it")
    assert not build(settings).is_new
    assert scratch(settings) == []


def test_a_swept_generation_is_gone_or_whole_whenever_the_sweep_is_interrupted(settings, monkeypatch):
    edit(settings, 0)
    first = build(settings).generation
    edit(settings, 1)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publishing.sweep_generations(settings.index, "f" * 20, 1)
    monkeypatch.undo()
    folder = generation_folder(settings.index, first)
    assert not folder.exists() or len(list(folder.iterdir())) == 8
    assert build(settings).is_new
    assert scratch(settings) == []


def test_a_generation_that_was_damaged_while_another_answered_is_made_again(settings):
    edit(settings, 0)
    first = build(settings).generation
    edit(settings, 1)
    build(settings)
    file = generation_folder(settings.index, first) / "postings.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    edit(settings, 0)
    assert build(settings).generation == first
    manifest = Generation.open_current(settings.index).manifest
    assert publishing.is_whole(file.parent, manifest, by_digest=True)


def test_killed_at_any_step_of_publishing_the_index_answers_and_is_mended(settings):
    edit(settings, 0)
    first = build(settings).generation
    edit(settings, 1)
    script = Path(__file__).with_name("killed_builder.py")
    done = subprocess.run(
        [sys.executable, script, settings.corpus, settings.index], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 25  # files and folders flushed, renamed, swept
    for step in range(int(done.stdout)):
        killed = replace(settings, index=settings.index.with_name(f"index-{step}"), keep_generations=1)
        edition = "0" if current_generation(killed.index) == first else "1"
        assert all(f"edition {edition}" in text for text in answers(opened(killed))), f"killed at step {step}"
        report = build(killed)
        assert scratch(killed) == []
        assert generations(killed) == {report.generation} != {first}
        assert len(answers(opened(killed))) == 2
        assert all("edition 1" in text for text in answers(opened(killed)))


# --- no space, no permission ---------------------------------------------------------------------------------


@contextmanager
def mounted(folder: Path, *options: str):
    """Mount a tmpfs, or skip the test in words."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if not IS_ROOT or not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root, and a machine that lets it")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_out_of_disk_the_last_generation_answers_and_the_next_build_mends(settings):
    with mounted(settings.index, "-o", "size=1m"):
        edit(settings, 0)
        build(settings)
        filler = settings.index / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"\0" * (1 << 21))
        edit(settings, 1)
        with pytest.raises((CyberqaError, OSError)) as caught:
            build(settings)
        assert "cannot be written" in str(caught.value) or caught.value.errno == errno.ENOSPC
        assert all("edition 0" in text for text in answers(opened(settings)))
        filler.unlink()
        assert build(settings).embedded <= 2
        assert scratch(settings) == []
        assert all("edition 1" in text for text in answers(opened(settings)))


@pytest.mark.parametrize("limit", [0, 100, 8_000, 60_000])
def test_a_file_that_may_not_grow_is_said_and_leaves_the_last_generation(settings, limit):
    """Where no file system can be mounted: what a process may write into one file is limited instead."""
    edit(settings, 0)
    build(settings)
    edit(settings, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises((CyberqaError, OSError)):
            build(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert all("edition 0" in text for text in answers(opened(settings)))
    build(settings)
    assert scratch(settings) == []
    assert all("edition 1" in text for text in answers(opened(settings)))


def test_a_read_only_index_answers_and_a_build_is_refused_in_words(settings):
    with mounted(settings.index):
        edit(settings, 0)
        build(settings)
        edit(settings, 1)
        subprocess.run(["mount", "-o", "remount,ro", str(settings.index)], check=True)
        assert all("edition 0" in text for text in answers(opened(settings)))
        with pytest.raises(SearchIndexError, match=r"cannot be written \(Read-only file system\)"):
            build(settings)


@pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")
def test_a_folder_without_permission_answers_and_a_build_is_refused_in_words(settings):
    edit(settings, 0)
    build(settings)
    edit(settings, 1)
    (settings.index / LOCK_FILE).chmod(0o444)
    settings.index.chmod(0o555)
    try:
        assert all("edition 0" in text for text in answers(opened(settings)))
        with pytest.raises(SearchIndexError, match="cannot be written"):
            build(settings)
    finally:
        settings.index.chmod(0o755)


# --- two builders --------------------------------------------------------------------------------------------


def test_a_second_builder_waits_says_so_once_and_goes_on(settings):
    settings.index.mkdir()
    lock = FileLock(settings.index / LOCK_FILE, thread_local=False)
    lock.acquire()
    steps = []

    def on_progress(step):
        if step.is_waiting:
            threading.Timer(0.1, lock.release).start()
        steps.append(step)

    assert build(settings, on_progress=on_progress).documents == 2
    assert [step.stage for step in steps if step.is_waiting] == ["waiting for another build of this index to finish"]


def test_who_waits_is_told_for_whom_also_where_there_is_no_terminal(settings, capsys):
    with writer_lock(settings.index, 0, print):
        done = subprocess.run(
            [sys.executable, "-m", "cyberqa", "index", "--corpus", settings.corpus, "--index", settings.index],
            env={**os.environ, "CYBERQA_LOCK_TIMEOUT_S": "0"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    waiting, refused = done.stderr.splitlines()[:2]
    assert waiting == f"cyberqa: waiting for another build of this index to finish (process {os.getpid()})"
    assert f"has been building {settings.index} for over 0 s (process {os.getpid()})" in refused


def test_the_lock_of_a_dead_process_holds_nobody_up(settings):
    holder = (
        "import os, signal, sys; from pathlib import Path; from cyberqa.index.lock import writer_lock\n"
        "with writer_lock(Path(sys.argv[1]), 0, print): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", holder, settings.index], check=False)
    assert done.returncode == -signal.SIGKILL
    steps = []
    assert build(replace(settings, lock_timeout_s=0), on_progress=steps.append).documents == 2
    assert not any(step.is_waiting for step in steps)


@pytest.mark.parametrize("name", [LOCK_FILE, f"{SCRATCH_PREFIX}{CURRENT_FILE}-PID", CURRENT_FILE, "state.json"])
def test_a_link_planted_in_the_index_is_never_written_through(settings, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    settings.index.mkdir()
    (settings.index / name.replace("PID", str(os.getpid()))).symlink_to(victim)
    try:
        build(settings)
    except SearchIndexError as error:
        assert "cannot be written" in error.message
    assert victim.read_text() == "precious"
