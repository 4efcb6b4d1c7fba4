"""Whatever is wrong with an index is found; one that somebody has made up is refused in words, and runs nothing."""

import hashlib
import json
import os
import pickle
import sqlite3
import struct
from dataclasses import asdict, replace
from pathlib import Path

import faiss
import jsonschema
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import FakeEncoder, run_cli
from cyberqa import cli, ingest, session, verifying
from cyberqa.errors import NoIndexError
from cyberqa.index.manifest import (
    CURRENT_FILE,
    FILES,
    FORMAT,
    MANIFEST_FILE,
    current_generation,
    file_digest,
    generation_folder,
)
from cyberqa.index.tokens import ROW
from cyberqa.settings import Settings, load_settings
from cyberqa.verifying import verify_index
from test_ask import schema


@pytest.fixture
def built(settings) -> Settings:
    settings = replace(settings, model="fake")
    (settings.corpus / "alpha.txt").write_text(
        "Alpha report\n\n1 Members\n\nThe alpha team¹ met in Tirana. Law enforcement agencies (LEA) came.\n\n"
        "¹ It had nine members.\n",
        "utf-8",
    )
    ingest.build_index(settings, encoder=FakeEncoder())
    return settings


@pytest.fixture
def folder(built) -> Path:
    return generation_folder(built.index, current_generation(built.index))


def verify(settings: Settings) -> dict:
    return verify_index(settings, FakeEncoder())


def reseal(folder: Path, **changes) -> None:
    """Write the manifest that somebody would write who has changed the files, and knows how."""
    body = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    body.pop("sha256")
    body["files"] = {name: asdict(file_digest(folder / name)) for name in FILES if (folder / name).is_file()}
    body |= changes
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    body["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / MANIFEST_FILE).write_text(json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def change_database(folder: Path, script: str) -> None:
    with sqlite3.connect(folder / "corpus.sqlite") as database:
        database.executescript(script)
    database.close()
    reseal(folder)


# --- whole ---------------------------------------------------------------------------------------------------


def test_a_whole_index_is_said_to_be_whole_with_what_was_checked(real_index, real_settings, capsys):
    where = ["--corpus", str(real_settings.corpus), "--index", str(real_index)]
    assert run_cli("verify", "--json", *where) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, schema("verify"))
    assert found["is_whole"] and found["faults"] == found["notes"] == []
    status = json.loads((run_cli("status", "--json", *where), capsys.readouterr().out)[1])
    assert found["checked"]["documents"] == 5
    assert found["checked"]["chunks"] == status["chunks"] < found["checked"]["spans"]
    assert verifying.SAMPLED <= found["checked"]["vectors"] < 2 * verifying.SAMPLED


def test_without_the_model_the_rest_is_checked_and_it_is_said(built):
    found = verify_index(replace(built, model="other"))
    assert found["is_whole"] and found["checked"]["vectors"] == 0
    assert "words and vectors were not compared: the index was made with model fake" in found["notes"][0]


def test_no_index_is_no_damage(tmp_path):
    with pytest.raises(NoIndexError):
        verify_index(load_settings({"index": tmp_path}, environ={}))


# --- damaged -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_index(tmp_path_factory) -> Settings:
    base = tmp_path_factory.mktemp("flips")
    (base / "corpus").mkdir()
    (base / "corpus" / "alpha.txt").write_text("Alpha report\n\nThe alpha team met in Tirana.\n", "utf-8")
    (base / "corpus" / "empty.txt").write_bytes(b"")  # so that the manifest holds a reason, too
    settings = load_settings({"corpus": base / "corpus", "index": base / "index", "model": "fake"}, environ={})
    ingest.build_index(settings, encoder=FakeEncoder())
    assert verify(settings)["is_whole"]
    return settings


@given(
    name=st.sampled_from([CURRENT_FILE, MANIFEST_FILE, *FILES]),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
@example(CURRENT_FILE, 0.999, 0)
@hypothesis_settings(max_examples=200)
def test_a_flipped_bit_anywhere_is_found(one_index, name, place, bit):
    folder = generation_folder(one_index.index, current_generation(one_index.index))
    file = one_index.index / name if name == CURRENT_FILE else folder / name
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[int(place * len(whole))] ^= 1 << bit
    try:
        file.write_bytes(flipped)
        assert not verify(one_index)["is_whole"]
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("near", ["it is empty", '"sha256": "', '"chunks": 1', "fake/1", '"runtime"', "\n ", "{"])
def test_a_flipped_bit_in_whatever_stands_in_a_manifest_is_found(one_index, near):
    """Most of it is bound to the files or to the id; the rest to the manifest's digest of itself."""
    file = generation_folder(one_index.index, current_generation(one_index.index)) / MANIFEST_FILE
    whole = file.read_bytes()
    place = whole.rindex(near.encode()) + len(near) - 1
    try:
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            file.write_bytes(flipped)
            assert not verify(one_index)["is_whole"]
    finally:
        file.write_bytes(whole)


def test_damage_ends_with_5_names_the_file_and_rebuild_mends_it(built, folder, capsys, monkeypatch):
    monkeypatch.setattr(verifying, "load_encoder", lambda _: FakeEncoder())
    monkeypatch.setenv("CYBERQA_MODEL", "fake")
    where = ["--corpus", str(built.corpus), "--index", str(built.index)]
    (folder / "postings.npy").write_bytes((folder / "postings.npy").read_bytes()[:-8])
    (folder / "notes.txt").write_text("mine")
    assert run_cli("verify", *where) == 5
    out = capsys.readouterr().out
    assert "  notes.txt: it does not belong to an index\n" in out
    assert "  postings.npy: its SHA-256 is not the one that was written\n" in out
    assert out.endswith(f"to mend it, run: cyberqa {' '.join(where)} index --rebuild\n")
    assert run_cli("verify", "--json", *where) == 5
    jsonschema.validate(json.loads(capsys.readouterr().out), schema("verify"))
    ingest.build_index(built, encoder=FakeEncoder(), rebuild=True)
    assert run_cli("verify", *where) == 0
    assert capsys.readouterr().out.endswith("the index is whole\n")


def test_a_manifest_whose_own_digest_is_off_is_mended_by_rebuild(built, folder):
    manifest = folder / MANIFEST_FILE
    manifest.write_text(manifest.read_text("utf-8") + " ", "utf-8")
    assert verify(built)["faults"] == [{"where": MANIFEST_FILE, "what": "it is not what was written"}]
    ingest.build_index(built, encoder=FakeEncoder(), rebuild=True)
    assert verify(built)["is_whole"]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("UPDATE chunks SET stop = stop + 1000", "it has no characters"),
        ("UPDATE chunks SET stop = stop - 9 WHERE row = 0", "its sentences leave it"),
        ("UPDATE chunks SET start = start + 4 WHERE row = 0", "its sentences leave it"),
        ("UPDATE chunks SET sentences = '[[0, 3]]' WHERE row = 0", "its sentences leave it"),
        ("UPDATE chunks SET start_byte = start_byte + 1 WHERE row = 0", "the bytes of chunk 0 are not its text"),
        ("UPDATE chunks SET start_byte = 10000000 WHERE row = 0", "it cannot be read"),
        (
            "UPDATE chunks SET section = '[\"Elsewhere\"]' WHERE row = 0",
            "the words of chunk 0 are not those of its text",
        ),
        ("UPDATE terms SET first = first + 1", "the words of chunk"),
        ("DELETE FROM terms WHERE term = 'tirana'", "the words of chunk"),
        ("UPDATE documents SET id = 'c' WHERE id = 'alpha.txt'", "other documents than the manifest"),
        ("UPDATE documents SET sha256 = text_sha256 || '0'", "it is another file"),
        ("UPDATE aliases SET stop = 100000 WHERE start IS NOT NULL", "it has no characters"),
        ("UPDATE footnotes SET stop = 100000", "it has no characters"),
    ],
)
def test_what_does_not_follow_from_the_texts_is_found_although_every_checksum_is_right(built, folder, script, fault):
    change_database(folder, script)
    assert any(fault in found["what"] for found in verify(built)["faults"])


@pytest.mark.parametrize("name", ["chunks.faiss", "tokens.npy", "rows.npy"])
def test_vectors_and_tokens_that_are_not_of_their_texts_are_found(built, folder, name):
    data = bytearray((folder / name).read_bytes())
    size = ROW.itemsize if name == "rows.npy" else 50  # of what is behind the header
    data[-size:] = bytes(size)
    (folder / name).write_bytes(data)
    reseal(folder)
    where = {"chunks.faiss": "vectors", "tokens.npy": "tokens", "rows.npy": "rows.npy"}[name]
    assert where in {fault["where"] for fault in verify(built)["faults"]}


# --- hostile -------------------------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def array(kind: str, shape: str) -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


def pickled() -> bytes:
    return npy(array("|O", "(2,)"), pickle.dumps([Bomb(), Bomb()]))


def on_disk_lists(folder: Path) -> bytes:
    """A FAISS index that opens another file by its name."""
    quantizer = faiss.IndexFlatIP(32)
    index = faiss.IndexIVFFlat(quantizer, 32, 1, faiss.METRIC_INNER_PRODUCT)
    index.train(np.eye(32, dtype=np.float32)[:2])
    lists = faiss.OnDiskInvertedLists(1, index.code_size, str(folder.parent.parent / "victim"))
    index.replace_invlists(lists)
    index.add(np.eye(32, dtype=np.float32)[:2])
    return faiss.serialize_index(index).tobytes()


def flat(_: Path) -> bytes:
    index = faiss.IndexFlatIP(32)
    index.add(np.eye(32, dtype=np.float32)[:3])
    return faiss.serialize_index(index).tobytes()


def lying(folder: Path) -> bytes:
    data = bytearray((folder / "chunks.faiss").read_bytes())
    data[8:16] = struct.pack("<q", 1 << 60)
    return bytes(data)


FILES_OF_OTHERS = {
    "pickle": ("rows.npy", lambda _: pickled()),
    "pickle in postings": ("postings.npy", lambda _: pickled()),
    "bare pickle": ("tokens.npy", lambda _: pickle.dumps(Bomb())),
    "code in a header": ("rows.npy", lambda _: npy("__import__('os').mkdir('exploded')")),
    "computed shape": ("rows.npy", lambda _: npy(array("<u8", "(1 << 60,)"))),
    "enormous shape": ("tokens.npy", lambda _: npy(array("|u1", f"({10**18}, 4)"))),
    "negative shape": ("tokens.npy", lambda _: npy(array("|u1", "(-1, 4)"))),
    "no bytes an item": ("tokens.npy", lambda _: npy(array("|V0", f"({10**18},)"))),
    "deep header": ("pieces.npy", lambda _: npy("(" * 9000)),
    "other array": ("rows.npy", lambda _: npy(array("<f4", "(0,)"))),
    "a faiss index that opens files": ("chunks.faiss", on_disk_lists),
    "another faiss index": ("chunks.faiss", flat),
    "a faiss index of a size that is not its": ("chunks.faiss", lying),
    "no faiss index": ("chunks.faiss", lambda _: b"IxSQ" + b"\xff" * 100),
    "no database": ("corpus.sqlite", lambda _: b"SQLite format 3\0" + b"\xff" * 5000),
}  # fmt: skip


@pytest.fixture
def refused(built, monkeypatch, tmp_path, capsys):
    """A function that asks, looks and verifies, and holds that each is refused in words."""
    monkeypatch.setenv("CYBERQA_MODEL", "fake")
    monkeypatch.setattr(session, "load_encoder", lambda _: FakeEncoder())
    monkeypatch.setattr(verifying, "load_encoder", lambda _: FakeEncoder())
    monkeypatch.chdir(tmp_path)
    where = ["--corpus", str(built.corpus), "--index", str(built.index)]

    def check(*, verified: int = 5) -> str:
        said = []
        for command in (["ask", "alpha team", "--json"], ["status"], ["show", "alpha.txt"], ["aliases"]):
            code = run_cli(*command, *where)
            out, err = capsys.readouterr()
            assert code == 1 and err.startswith("cyberqa: ") and "Traceback" not in err, (command, code, out, err)
            said.append(err)
        assert run_cli("verify", *where) == verified
        assert not (tmp_path / "exploded").exists()
        return "".join(said)

    return check


@pytest.mark.parametrize("name", FILES_OF_OTHERS)
def test_a_file_that_is_not_of_the_one_kind_we_write_is_refused(folder, refused, name):
    file, make = FILES_OF_OTHERS[name]
    (folder / file).write_bytes(make(folder))
    reseal(folder)
    assert "this should not have happened" not in refused()


@pytest.mark.parametrize("name", ["../../../victim", "/etc/passwd", "notes.txt", "", "..", "a/../chunks.faiss"])
def test_no_name_in_a_manifest_is_followed(folder, refused, name, built):
    (built.index.parent / "victim").write_text("precious")
    files = {file: asdict(file_digest(folder / file)) for file in FILES}
    reseal(folder, files={**files, name: files["rows.npy"]})
    assert "it names other files" in refused()
    reseal(folder, files={**dict(list(files.items())[1:]), name: files["chunks.faiss"]})
    assert "it names other files" in refused()


@pytest.mark.parametrize("name", [CURRENT_FILE, MANIFEST_FILE, *FILES])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_links_pipes_and_folders_in_the_place_of_files_are_refused_and_nobody_waits(built, folder, refused, name, kind):
    file = built.index / name if name == CURRENT_FILE else folder / name
    moved = built.index.parent / "moved"
    file.rename(moved)
    {"link": lambda: file.symlink_to(moved), "pipe": lambda: os.mkfifo(file), "folder": file.mkdir}[kind]()
    assert "this should not have happened" not in refused()


def test_a_generation_behind_a_link_is_refused(built, folder, refused):
    moved = built.index.parent / "moved"
    folder.rename(moved)
    folder.symlink_to(moved)
    assert "expected the files of an index, found others" in refused()


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE chunks; CREATE VIEW chunks AS"
        " WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT x FROM r",
        "CREATE TRIGGER t AFTER UPDATE ON chunks BEGIN SELECT 1; END",
        "ALTER TABLE documents ADD COLUMN more AS (zeroblob(1000000000))",
        "CREATE TABLE more (x)",
        "DROP TABLE capitals",
    ],
)
def test_tables_that_are_not_ours_are_refused_before_they_are_read(folder, refused, script):
    change_database(folder, script)
    assert "are not ours" in refused()


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"format": FORMAT}', '{"format": FORMAT, "files": [[]]}', "null", '"' * 3, "1e999"]
)
def test_a_manifest_that_is_none_is_refused(folder, refused, body):
    (folder / MANIFEST_FILE).write_text(body.replace("FORMAT", json.dumps(FORMAT)))
    assert "is damaged" in refused()


def test_values_that_no_build_writes_are_refused_in_words(built, folder, refused, monkeypatch, capsys):
    """The checksums are right, the shapes are right, and what stands in them makes no sense."""
    change_database(folder, f"UPDATE chunks SET section = '{'[' * 50_000}', kind = 'x', sentences = 'null'")
    where = ["--corpus", str(built.corpus), "--index", str(built.index)]
    assert run_cli("ask", "alpha", *where) == 1
    assert capsys.readouterr().err.startswith("cyberqa: this should not have happened")
    assert run_cli("verify", *where) == 5


def test_a_fault_of_ours_shows_where_it_happened_to_developers(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(cli, "app", fail)
    assert run_cli("status") == 1
    monkeypatch.setattr(cli.sys, "flags", type("Flags", (), {"dev_mode": True}))
    with pytest.raises(ZeroDivisionError):
        run_cli("status")


@pytest.mark.parametrize("name", ["state.json"])
def test_a_state_that_makes_no_sense_is_no_state(built, name):
    for body in ("[" * 100_000, '{"files": {"../../x": {}}, "settings": {}}'):
        (built.index / name).write_text(body)
        assert session.Session.open(built, FakeEncoder()).changes is None
    (built.index / name).unlink()
    os.mkfifo(built.index / name)
    assert session.Session.open(built, FakeEncoder()).changes is None
