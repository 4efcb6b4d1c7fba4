"""A rebuild does only what is new, and comes out as a build from nothing would, whatever the way there."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from conftest import CORPUS, ROOT, FakeEncoder, make_pdf, run_cli
from cyberqa import corpus, ingest, render
from cyberqa.errors import IncompatibleIndexError, UsageError
from cyberqa.index import layout, manifest
from cyberqa.index.cache import CACHE_FILE, Cache
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import FORMAT, current_generation, generation_folder
from cyberqa.index.state import IndexState
from cyberqa.ingest import BuildReport, build_index, cutting, plan_index
from cyberqa.session import Session
from cyberqa.settings import Settings, load_settings


def build(settings: Settings, encoder: FakeEncoder | None = None, **options) -> BuildReport:
    return build_index(settings, encoder=encoder or FakeEncoder(), **options)


def contents(settings: Settings) -> dict[str, bytes]:
    folder = generation_folder(settings.index, current_generation(settings.index))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The ids of the documents that a reader is given."""
    seen: list[str] = []
    whole = cutting.read_bytes

    def read(id_: str, data: bytes):
        seen.append(id_)
        return whole(id_, data)

    monkeypatch.setattr(cutting, "read_bytes", read)
    return seen


# --- the way there makes no difference -----------------------------------------------------------------------

NAMES = ("a.txt", "b.txt", "sub/a.txt")
TEXTS = (
    "Alpha report\n\nThe Law Enforcement Agencies (LEA) met in Tirana. They had nine members.\n",
    "Alpha report\n\nThe Law Enforcement Agencies (LEA) met in Skopje. They had nine members.\n",  # of the same size
    f"The law of Open Balkan, adopted in Podgorica{', of which nobody had heard' * 8}.\n",  # no title but the name
    "",  # cannot be read
)
SOURCES = tuple(f'["{name}"]\ntitle = "Given"\nlanguage = "sq"\ntags = ["x"]\n' for name in NAMES)
NAME, TEXT = st.sampled_from(NAMES), st.sampled_from(TEXTS)
EDITS = st.one_of(
    st.tuples(st.just("write"), NAME, TEXT),
    st.tuples(st.just("rename"), NAME, NAME),
    st.tuples(st.just("remove"), NAME, st.just("")),
    st.tuples(st.just("touch"), NAME, st.just("")),
    st.tuples(st.just("write"), st.just("sources.toml"), st.sampled_from((*SOURCES, ""))),
    st.tuples(st.just("write"), st.just("aliases.toml"), st.sampled_from(('LEA = ["Police"]\n', ""))),
)
BUILDS = st.sampled_from(({}, {}, {}, None, {"rebuild": True}, {"prune": True}))
"""How the index is built after an edit; None: not at all."""


def edit(folder: Path, kind: str, name: str, what: str) -> None:
    file = folder / name
    if kind == "write":
        file.write_text(what, "utf-8")
    elif kind == "rename" and file.exists():
        file.replace(folder / what)
    elif kind == "touch" and file.exists():
        file.touch()
    elif kind == "remove":
        file.unlink(missing_ok=True)
    for each in filter(Path.is_file, folder.rglob("*")):
        os.utime(each, (tick := each.stat().st_mtime // 2 * 2, tick))  # as a file system with a coarse clock has it


@budget(max_examples=15, deadline=None)
@given(st.tuples(TEXT, TEXT, TEXT), st.lists(st.tuples(EDITS, BUILDS), min_size=3, max_size=8))
def test_any_history_of_edits_ends_in_what_a_build_from_nothing_gives(texts, history):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "corpus"
        (folder / "sub").mkdir(parents=True)
        (folder / "base.txt").write_text("Base\n\nIt is always there, so that the index is never empty.\n", "utf-8")
        for file, text in zip(NAMES, texts, strict=True):
            edit(folder, "write", file, text)
        settings = load_settings({"corpus": folder, "index": Path(name) / "index", "model": "fake"}, environ={})
        build(settings)
        for step, options in history:
            edit(folder, *step)
            if options is not None:
                build(settings, **options)
        report = build(settings)
        fresh = replace(settings, index=Path(name) / "fresh")
        again = build(fresh)
        assert (report.generation, report.chunks, report.failures) == (again.generation, again.chunks, again.failures)
        assert contents(settings) == contents(fresh)
        for question in ("who met in Tirana", "Open Balkan law"):
            answers = []
            for each in (settings, fresh):
                with Session.open(each, FakeEncoder()) as session:
                    answers.append(render.dump_json(render.answer_json(session.ask(question))))
            assert answers[0] == answers[1]
        assert build(settings).unchanged == report.documents


# --- what costs nothing --------------------------------------------------------------------------------------


def test_a_renamed_file_is_recognised_and_neither_read_nor_embedded(settings, reads):
    build(settings)
    (settings.corpus / "alpha.txt").rename(settings.corpus / "omega.txt")
    reads.clear()
    report = build(settings, after := FakeEncoder())
    assert (report.renamed, report.added, report.removed, report.unchanged) == ({"alpha.txt": "omega.txt"}, (), (), 1)
    assert (reads, after.encoded) == ([], [])


def test_a_file_that_moves_to_another_folder_is_not_even_cut_again(settings, monkeypatch):
    build(settings)
    (settings.corpus / "2019").mkdir()
    (settings.corpus / "alpha.txt").rename(settings.corpus / "2019" / "alpha.txt")
    monkeypatch.setattr(cutting, "prepare", None)
    assert build(settings).renamed == {"alpha.txt": "2019/alpha.txt"}


def test_what_is_renamed_where_several_files_are_the_same_goes_by_order(settings):
    for name in ("x.txt", "y.txt"):
        shutil.copy(settings.corpus / "alpha.txt", settings.corpus / name)
    build(settings)
    for name in ("x.txt", "y.txt"):
        (settings.corpus / name).rename(settings.corpus / f"z{name}")
    (settings.corpus / "alpha.txt").unlink()
    report = build(settings)
    assert (report.renamed, report.removed) == ({"alpha.txt": "zx.txt", "x.txt": "zy.txt"}, ("y.txt",))


def test_other_metadata_and_another_size_of_chunks_read_nothing_again(settings, reads):
    build(settings)
    reads.clear()
    (settings.corpus / "sources.toml").write_text('["alpha.txt"]\nyear = 2019\n', "utf-8")
    assert build(settings, first := FakeEncoder()).changed == ("alpha.txt",)
    assert build(replace(settings, chunk_size_chars=400), second := FakeEncoder()).is_new
    assert (reads, first.encoded, second.encoded) == ([], [], [])
    build(settings, rebuild=True)
    assert sorted(reads) == ["alpha.txt", "beta.txt"]


def test_files_of_the_same_size_and_time_are_not_opened(settings, monkeypatch):
    for file in settings.corpus.iterdir():
        os.utime(file, (1_600_000_000, 1_600_000_000))
    build(settings)
    hashed = []
    whole = corpus.hashlib.file_digest
    monkeypatch.setattr(corpus.hashlib, "file_digest", lambda file, name: hashed.append(file.name) or whole(file, name))
    report = build(settings)
    assert not report.is_new
    assert not [name for name in hashed if str(settings.corpus) in str(name)]
    (settings.corpus / "alpha.txt").touch()
    assert not build(settings).is_new
    assert [name for name in hashed if str(settings.corpus) in str(name)] == [str(settings.corpus / "alpha.txt")]


def test_a_second_writing_in_the_same_tick_of_the_clock_is_noticed(settings):
    """Same size, same time: only a file that was settled when it was looked at may be taken for what it was."""
    settings = replace(settings, model="fake")
    file = settings.corpus / "alpha.txt"
    build(settings)
    stat = file.stat()
    file.write_text(file.read_text("utf-8").replace("nine", "four"), "utf-8")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert Session.open(settings, FakeEncoder()).changes == ["alpha.txt"]
    assert build(settings).changed == ("alpha.txt",)


def test_an_index_without_changes_needs_neither_readers_nor_model_and_an_addition_no_torch(tmp_path):
    heavy = ("torch", "onnxruntime", "tokenizers", "nupunkt", "py3langid", "pypdfium2", "pypdf", "docx", "trafilatura")
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.txt").write_text("Report\n\nThe law was adopted in Podgorica.\n", "utf-8")
    (tmp_path / "b.pdf").write_bytes(make_pdf([["The agency met in Tirana."]]))

    def modules_after(*arguments: str | Path) -> set[str]:
        script = (
            f"from cyberqa import cli; import sys; cli.run(sys.argv[1:]); print(*(set(sys.modules) & {set(heavy)}))"
        )
        options = ("--corpus", folder, "--index", tmp_path / "index")
        command = [sys.executable, "-c", script, *map(str, (*arguments, *options))]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())

    assert "onnxruntime" in modules_after("index")
    assert modules_after("index") == set()
    assert modules_after("index", "--dry-run") == set()
    assert modules_after("add", tmp_path / "b.pdf") >= {"onnxruntime"}
    assert "torch" not in modules_after("add", tmp_path / "b.pdf")
    assert modules_after("remove", "b.pdf") == set()


# --- what it says --------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_build_then_does_and_writes_nothing(settings):
    build(settings)
    (settings.corpus / "alpha.txt").write_text("Alpha report\n\nIt met elsewhere.\n", "utf-8")
    (settings.corpus / "beta.txt").rename(settings.corpus / "delta.txt")
    (settings.corpus / "gamma.txt").write_text("Gamma report\n\nA third text.\n", "utf-8")
    before = {path: path.stat().st_mtime_ns for path in settings.index.rglob("*")}
    plan = plan_index(settings, encoder=FakeEncoder())
    assert {path: path.stat().st_mtime_ns for path in settings.index.rglob("*")} == before
    report = build(settings)
    same = ("generation", "is_new", "documents", "added", "changed", "renamed", "removed", "unchanged")
    assert [getattr(plan, name) for name in same] == [getattr(report, name) for name in same]
    assert (plan.added, plan.changed, plan.renamed) == (("gamma.txt",), ("alpha.txt",), {"beta.txt": "delta.txt"})


def test_a_dry_run_knows_what_could_not_be_read_before(settings):
    (settings.corpus / "empty.txt").write_text("")
    assert set(build(settings).failures) == {"empty.txt"}
    plan = plan_index(settings, encoder=FakeEncoder())
    assert (plan.documents, plan.is_new, set(plan.failures)) == (2, False, {"empty.txt"})
    assert (plan.added, plan.unchanged) == ((), 2)


def test_the_summary_on_a_terminal_and_in_json(tmp_path, capsys):
    folder, options = tmp_path / "corpus", ["--corpus", tmp_path / "corpus", "--index", tmp_path / "index"]
    folder.mkdir()
    (folder / "a.txt").write_text("Report\n\nThe law was adopted in Podgorica.\n", "utf-8")
    assert run_cli("index", "--dry-run", *options) == 0
    out = capsys.readouterr().out
    assert out.startswith("  added    a.txt\n1 document (1 added; generation ")
    assert out.endswith("; nothing was written\n")
    assert not (tmp_path / "index").exists()
    assert run_cli("index", "--dry-run", "--json", *options) == 0
    schema = json.loads((ROOT / "docs" / "schema" / "plan.json").read_bytes())
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)
    assert run_cli("index", *options) == 0
    assert capsys.readouterr().out.startswith("1 document, 1 chunk (1 added; 1 text embedded; ")
    (folder / "a.txt").rename(folder / "b.txt")
    (folder / "c.txt").write_text("Other\n\nNobody voted against it.\n", "utf-8")
    assert run_cli("index", "--json", *options) == 0
    body = json.loads(capsys.readouterr().out)
    jsonschema.validate(body, json.loads((ROOT / "docs" / "schema" / "build.json").read_bytes()))
    assert (body["renamed"], body["added"], body["unchanged"]) == ({"a.txt": "b.txt"}, ["c.txt"], 0)
    assert body["seconds"] > 0
    assert run_cli("index", *options) == 0
    assert "2 documents, 2 chunks (nothing changed; 0 texts embedded; " in capsys.readouterr().out
    assert run_cli("index", "--dry-run", "--rebuild", *options) == UsageError.exit_code


# --- the cache -----------------------------------------------------------------------------------------------


def rows(settings: Settings, table: str) -> int:
    with closing(sqlite3.connect(settings.index / CACHE_FILE)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_pruning_drops_what_this_index_does_not_need_and_nothing_else(settings, reads):
    build(settings)
    (settings.corpus / "alpha.txt").write_text("Alpha report\n\nIt met elsewhere.\n", "utf-8")
    build(settings)
    assert [rows(settings, table) for table in ("entries", "readings", "parcels")] == [3, 3, 3]
    report = build(settings, prune=True)
    assert not report.is_new
    assert report.pruned_bytes >= 0
    assert [rows(settings, table) for table in ("entries", "readings", "parcels")] == [2, 2, 2]
    (settings.corpus / "gamma.txt").write_text("Gamma report\n\nA third text.\n", "utf-8")
    reads.clear()
    build(settings, after := FakeEncoder())
    assert (reads, len(after.encoded)) == (["gamma.txt"], 1)


def test_over_its_bound_the_cache_loses_the_oldest_that_is_not_needed(tmp_path):
    keys = [bytes([number]) * 32 for number in range(6)]
    for number, key in enumerate(keys):
        with Cache(tmp_path / "cache.sqlite", ("fake",), 32) as cache:  # each a build of its own
            cache.put_reading(key, bytes([number]) * 200_000)
    with Cache(tmp_path / "cache.sqlite", ("fake",), 32) as cache:
        assert cache.prune([], [], max_bytes=2_000_000) == 0
        assert cache.prune(keys[:1], [], max_bytes=1_100_000) > 0
        assert [cache.reading(key) is not None for key in keys] == [True, False, False, True, True, True]
        assert cache.size_bytes() < 1_000_000


def test_what_the_index_needs_stays_whatever_the_bound(settings):
    small = replace(settings, cache_mb=0)
    build(small)
    (settings.corpus / "alpha.txt").write_text("Alpha report\n\nIt met elsewhere.\n", "utf-8")
    assert build(small, after := FakeEncoder()).embedded == len(after.encoded) == 1
    assert [rows(settings, table) for table in ("entries", "readings", "parcels")] == [2, 2, 2]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE parcels SET body = replace(body, 'nine', 'five')",
        "UPDATE parcels SET texts = zeroblob(length(texts))",
        "UPDATE entries SET vector = zeroblob(length(vector))",
        "UPDATE readings SET body = replace(body, 'nine', 'five')",
    ],
)
def test_a_damaged_row_of_the_cache_is_made_again(settings, damage):
    build(settings)
    expected = contents(settings)
    shutil.rmtree(settings.index / "generations")
    with closing(sqlite3.connect(settings.index / CACHE_FILE)) as connection, connection:
        connection.execute(damage)
        if "readings" in damage:
            connection.execute("DELETE FROM parcels")
    build(settings)
    assert contents(settings) == expected


@pytest.mark.parametrize("how", [{}, {"rebuild": True}, {"use_cache": False}, {"prune": True}], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_no_document_is_lost_to_a_damaged_page_of_the_cache(settings, how, seed):
    """The damage may be met when something is read, written, counted or dropped."""
    for number in range(20):
        lines = " ".join(f"The team {number} met in place {line} and had {number * line} members." for line in range(9))
        (settings.corpus / f"d{number:02}.txt").write_text(f"Report {number}\n\n{lines}\n", "utf-8")
    build(settings)
    file, chance = settings.index / CACHE_FILE, random.Random(seed)
    data = bytearray(file.read_bytes())
    start = chance.randrange(1, len(data) // 4096) * 4096
    data[start : start + 100] = chance.randbytes(100)
    file.write_bytes(data)
    (settings.corpus / "new.txt").write_text("New report\n\nSomething happened in Malta.\n", "utf-8")
    report = build(settings, **how)
    assert (report.documents, dict(report.failures)) == (23, {})


def test_codes_of_another_codec_are_not_taken_from_the_cache(settings, monkeypatch):
    texts = build(settings).embedded
    monkeypatch.setattr(ingest, "CODEC", "another/1")
    assert build(settings, rebuild=True).embedded == texts > 0
    assert build(settings, rebuild=True).embedded == 0


# --- other formats -------------------------------------------------------------------------------------------


def test_an_index_of_format_4_is_refused_in_words_and_built_again(settings):
    """Made by the first release, of the two texts of the fixture, with the fake encoder."""
    zipfile.ZipFile(ROOT / "tests" / "data" / "index-format-4.zip").extractall(settings.index)
    with pytest.raises(IncompatibleIndexError, match=f"has format 4, expected format {FORMAT}") as caught:
        Generation.open_current(settings.index)
    assert "cyberqa index" in caught.value.hint
    report = build(settings)
    assert (report.documents, report.embedded, dict(report.warnings)) == (2, 2, {})
    assert build(settings, rebuild=True).embedded == 0, "its cache was begun anew"
    with Session.open(replace(settings, model="fake"), FakeEncoder()) as session:
        assert session.ask("who met in Tirana").passages[0].citation.document == "alpha.txt"


def test_an_index_of_another_format_is_built_again_out_of_the_cache(settings, monkeypatch):
    assert build(settings).embedded == 2
    monkeypatch.setattr(manifest, "FORMAT", "another")
    with pytest.raises(IncompatibleIndexError, match="expected format another"):
        Generation.open_current(settings.index)
    report = build(settings)
    assert (report.is_new, report.embedded) == (True, 0)
    Generation.open_current(settings.index).close()


def test_another_layout_is_another_format(monkeypatch):
    known = layout.layout_digest()
    schema = layout.schema_sql()
    monkeypatch.setattr(layout, "schema_sql", lambda: schema.replace("-- ISO 639-1;", "-- another remark"))
    assert layout.layout_digest() == known
    monkeypatch.setattr(layout, "schema_sql", lambda: schema.replace("label    TEXT,", "label    TEXT, size INTEGER,"))
    assert layout.layout_digest() != known
    monkeypatch.undo()
    monkeypatch.setattr(layout, "POSTING", layout.ROW)
    assert layout.layout_digest() != known


# --- the five reports ----------------------------------------------------------------------------------------


def test_the_state_of_an_earlier_release_is_read_anew_once(settings):
    build(settings)
    file = settings.index / "state.json"
    body = json.loads(file.read_bytes())
    del body["taken_ns"]
    file.write_text(json.dumps(body))
    assert IndexState.load(settings.index).settled("alpha.txt") is None
    assert not build(settings).is_new


def test_reports_added_and_removed_in_another_order_give_the_same_bytes(real_settings, warm_index, tmp_path):
    """The real model and the five reports: from the cache of one build, in another order, with one more for a while."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    settings = load_settings({"corpus": folder, "index": warm_index}, environ={})
    (folder / "passing.txt").write_text("A passing report\n\nIt stays for a while only.\n", "utf-8")
    names = sorted((file.name for file in CORPUS.iterdir()), reverse=True)
    for name in names[:3], names[3:]:
        for each in name:
            shutil.copy(CORPUS / each, folder / each)
        build_index(settings)
    (folder / "passing.txt").unlink()
    assert build_index(settings).generation == current_generation(real_settings.index)
    assert contents(settings) == contents(real_settings)
