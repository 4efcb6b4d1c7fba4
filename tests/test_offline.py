"""Nothing calls out, and a question never pays for torch."""

import json
import os
import re
import subprocess
import sys

import pytest

from conftest import CORPUS, QUESTION

BLOCKER = """
import socket, sys

def refuse(*arguments, **options):
    sys.stderr.write("SOCKET USED\\n")
    raise OSError("sockets are blocked")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
"""


@pytest.fixture
def offline(tmp_path) -> dict[str, str]:
    """An environment in which every Python process, children included, finds its sockets blocked."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCKER)
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_the_blocker_blocks(offline):
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')"
    done = subprocess.run([sys.executable, "-c", code], env=offline, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "SOCKET USED" in done.stderr


def test_exporting_indexing_and_asking_open_no_socket(offline, tmp_path):
    """From nothing: the graph is exported (by torch, in a child process), a corpus indexed, a question answered."""
    (tmp_path / "corpus").mkdir()
    for name in ("albania-cyber-diplomacy.txt", "sources.toml"):
        (tmp_path / "corpus" / name).write_bytes((CORPUS / name).read_bytes())
    folders = ["--corpus", str(tmp_path / "corpus"), "--index", str(tmp_path / "index")]
    command = [sys.executable, "-m", "cyberqa", *folders, "ask", "--json", "which ministry held a conference in 2020"]
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert "SOCKET USED" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert "the ministry organized an international conference" in json.loads(done.stdout)["passages"][0]["text"]
    doctor = subprocess.run([*command[:-3], "doctor"], env=offline, capture_output=True, text=True, check=False)
    assert re.search(r"^fine +graph .*, every file by its SHA-256$", doctor.stdout, re.MULTILINE), "digests as exported"


def test_the_runtime_leaves_nothing_for_its_maker(tmp_path, real_index):
    """ONNX Runtime's telemetry is C++, past any block in Python: it would queue events in the user's cache folder."""
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    command = [sys.executable, "-m", "cyberqa", "--corpus", str(CORPUS), "--index", str(real_index), "ask", QUESTION]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    left = [file for folder in ("home", "cache") for file in (tmp_path / folder).rglob("*") if file.is_file()]
    assert {file.parent.parent.name for file in left} == {"cyberqa"}, "the exported graph, and nothing else"


def modules_after_asking(real_index, *more: str) -> set[str]:
    arguments = ["ask", "--corpus", str(CORPUS), "--index", str(real_index), QUESTION, *more]
    code = f"import sys; from cyberqa.cli import run; code = run({arguments!r}); "
    code += "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


HEAVY = {"torch", "transformers", "sentence_transformers", "scipy", "sklearn", "pandas", "pydantic", "onnx"}
ONLY_FOR_INDEXING = {"nupunkt", "pypdf", "pypdfium2", "charset_normalizer", "markdown_it", "filelock"}
ONLY_FOR_INDEXING |= {"py3langid", "cyberqa.ingest", "cyberqa.chunking", "cyberqa.documents"}
ONLY_ON_A_TERMINAL = {"rich"}
ONLY_ON_OCCASION = {"tomllib", "numpy.ma", "concurrent.futures"}


@pytest.mark.parametrize("more", [["--json"], ["--markdown"], []])
def test_a_question_imports_nothing_that_it_does_not_need(real_index, more):
    loaded = modules_after_asking(real_index, *more)
    assert {"faiss", "onnxruntime", "cyberqa.session"} <= loaded
    assert loaded & (HEAVY | ONLY_FOR_INDEXING | ONLY_ON_A_TERMINAL | ONLY_ON_OCCASION) == set()
