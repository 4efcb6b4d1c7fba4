"""The benchmarks start, and those that take seconds run to their end. No figure is looked at."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

BENCHMARKS = ROOT / "benchmarks"


def run(*arguments: str | Path) -> str:
    child = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=BENCHMARKS, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


def test_each_finds_what_it_imports():
    """Importing must run nothing, either."""
    names = sorted(file.stem for file in BENCHMARKS.glob("*.py"))
    assert run("-c", f"import {', '.join(names)}") == ""


def test_the_floor_encodes_a_question(real_index):
    assert run("floor.py") == '{"dim": 384}'


def test_a_warm_question_is_timed(real_index):
    table = run("warm.py", "--index", real_index, "--limit", "2")
    assert table.startswith("2 questions") and "| cpu |" in table


@pytest.mark.parametrize("folder", ["evals", "evals/verdict", "evals/second", "benchmarks/adapter", "docs"])
def test_other_scripts_find_what_they_import(folder):
    names = sorted(file.stem for file in (ROOT / folder).glob("*.py"))
    assert names
    run("-c", f"import sys; sys.path.insert(0, {str(ROOT / folder)!r}); import {', '.join(names)}")
