"""Many at once: every question is answered from one generation while others come, and one builds at a time."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from conftest import FakeEncoder, run_cli
from cyberqa.index.manifest import GENERATIONS_FOLDER, current_generation
from cyberqa.ingest import build_index
from test_publishing import edit, scratch

PROCESSES = 5
ASKED_BY_EACH = 20


def test_a_hundred_questions_are_each_answered_from_one_generation_while_three_rebuilds_happen(settings):
    """Five processes open the index for each question anew; only one generation is kept, to make it hard."""
    settings = replace(settings, keep_generations=1)

    def rebuild(number: int) -> str:
        edit(settings, number)
        return build_index(settings, encoder=FakeEncoder()).generation

    editions = {rebuild(0): "edition 0"}
    command = [
        sys.executable,
        Path(__file__).with_name("asker.py"),
        settings.corpus,
        settings.index,
        str(ASKED_BY_EACH),
    ]
    askers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        for asker in askers:
            assert asker.stdout.readline() == "ready\n"
        for asker in askers:
            asker.stdin.write("go\n")
            asker.stdin.flush()
        editions |= {rebuild(number): f"edition {number}" for number in (1, 2, 3)}
        said = [asker.communicate() for asker in askers]
    finally:
        for asker in askers:
            asker.kill()
    assert [err for _, err in said] == [""] * PROCESSES
    answers = [json.loads(line) for out, _ in said for line in out.splitlines()]
    assert len(answers) >= PROCESSES * ASKED_BY_EACH
    assert len({generation for generation, _ in answers}) > 1, "no rebuild happened meanwhile"
    for generation, texts in answers:
        assert len(texts) == 2
        assert all(editions[generation] in text for text in texts)


def test_whoever_asks_first_builds_and_the_others_wait_and_answer_the_same(settings):
    """The whole program, with the real model, on a missing index: three at once."""
    command = [sys.executable, "-m", "cyberqa", "ask", "which team met in Tirana", "--json"]
    askers = [
        subprocess.Popen(
            [*command, "--corpus", settings.corpus, "--index", settings.index],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [asker.communicate(timeout=300) for asker in askers]
    assert {asker.returncode for asker in askers} <= {0, 3}, said
    assert len({out for out, _ in said}) == 1
    assert json.loads(said[0][0])["index"]["generation"] == current_generation(settings.index)
    assert len(list((settings.index / GENERATIONS_FOLDER).iterdir())) == 1
    waited = [err for _, err in said if err]  # the one that came first has nothing to say
    assert len(waited) <= 2
    assert all("waiting for another build of this index to finish" in err for err in waited)
    assert scratch(settings) == []


def test_add_refresh_and_index_wait_for_each_other_and_give_up_politely(settings, monkeypatch, capsys, tmp_path):
    from cyberqa.index.lock import writer_lock

    report = tmp_path / "gamma.txt"
    report.write_text("Gamma\n\nA third text.\n", "utf-8")
    monkeypatch.setenv("CYBERQA_LOCK_TIMEOUT_S", "0")
    where = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    with writer_lock(settings.index, 0, print):
        for command in (
            ["index"],
            ["add", str(report)],
            ["ask", "alpha"],
            ["ask", "alpha", "--refresh"],
            ["index", "--watch"],
        ):
            assert run_cli(*command, *where) == 1, command
            waiting, refused = capsys.readouterr().err.splitlines()[:2]
            assert waiting.startswith("cyberqa: waiting for another build of this index to finish (process ")
            assert f"has been building {settings.index} for over 0 s (process {os.getpid()})" in refused
