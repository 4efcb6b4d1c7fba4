"""`make ask` hands the question over as it was typed; set-up is redone only when it must be."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

STUB = """#!/usr/bin/env python3
import json, os, sys
json.dump(sys.argv[1:], open(os.environ["SEEN"], "w"))
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def project(tmp_path):
    """The Makefile beside a ready environment whose `cyberqa` notes what it was given."""
    folder = tmp_path / "project"
    program = folder / ".venv" / "bin" / "cyberqa"
    program.parent.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    program.write_text(STUB)
    program.chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    return folder


def make(project: Path, *arguments: str, code: int = 0) -> tuple[subprocess.CompletedProcess[str], list[str] | None]:
    import json

    seen = project.parent / "seen.json"
    seen.unlink(missing_ok=True)
    environment = {**os.environ, "SEEN": str(seen), "CODE": str(code)}
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "Q"):
        environment.pop(name, None)
    done = subprocess.run(
        ["make", *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return done, json.loads(seen.read_text()) if seen.exists() else None


@pytest.mark.parametrize(
    "question",
    [
        "who supported ALCIRT's creation",
        'the "Budapest" convention',
        "`touch {0}` $(touch {0}) ${{HOME}} $HOME $$",
        "$(shell touch {0}) $(info x) $(Q)",
        "; touch {0} # | & > {0}",
        "back\\slash and 'single' and !bang *.txt",
        "-k --help",
        "kërkesë – Ćić 漢字",
    ],
)
def test_a_question_reaches_the_program_as_it_was_typed(project, question):
    trap = project.parent / "trap"
    question = question.format(trap) if "{0}" in question else question
    done, seen = make(project, "ask", f"Q={question}")
    assert done.returncode == 0, done.stderr
    assert seen == ["ask", "--", question]
    assert not trap.exists()


def test_no_answer_in_the_corpus_is_no_failure_of_make_and_a_failure_is(project):
    assert make(project, "ask", "Q=x", code=3)[0].returncode == 0
    assert make(project, "ask", "Q=x", code=1)[0].returncode != 0
    done, seen = make(project, "ask")
    assert (done.returncode, seen) == (2, None)
    assert "usage: make ask" in done.stderr


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_set_up_is_redone_only_when_its_inputs_change(project, name):
    assert "venv" not in make(project, "-n", "ask", "Q=x")[0].stdout.replace(".venv/bin/cyberqa", "")
    ready = (project / ".venv" / ".ready").stat().st_mtime
    os.utime(project / name, (ready + 5, ready + 5))
    assert "-m venv .venv" in make(project, "-n", "ask", "Q=x")[0].stdout
