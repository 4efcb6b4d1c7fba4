"""Approximate search: chosen by size, the same vectors in lists, its recall recorded, and nobody else's file."""

import struct
from dataclasses import replace

import faiss
import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from conftest import FakeEncoder, run_cli
from cyberqa import ingest
from cyberqa.index import clustering
from cyberqa.index.clustering import arrange_vectors, count_lists, made_up_questions, search_faults
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import CHUNK_VECTORS_FILE, VectorSearch, current_generation, generation_folder
from cyberqa.index.opening import clusters_header, empty_clusters, empty_vectors, read_clusters
from cyberqa.index.vectors import ChunkVectors
from cyberqa.session import Session
from cyberqa.verifying import verify_index
from test_ask import schema

DIM = 16


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clustered(total: int, seed: int = 5) -> np.ndarray:
    """Vectors around 40 centres, as passages lie around topics; fp16 holds them as they are."""
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(40, DIM)))
    vectors = unit(centres[random.integers(0, 40, total)] + random.normal(0, 0.1, (total, DIM)))
    return vectors.astype(np.float16).astype(np.float32)


def written(folder, vectors: np.ndarray):
    index = empty_vectors(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(folder / CHUNK_VECTORS_FILE))
    return folder / CHUNK_VECTORS_FILE


@pytest.fixture
def arranged(tmp_path):
    """Ten thousand vectors in a folder, arranged: the vectors as stored, and what finds them."""
    vectors = clustered(10_000)
    written(tmp_path, vectors)
    search = arrange_vectors(tmp_path, DIM, 1000)
    return vectors, ChunkVectors(tmp_path / CHUNK_VECTORS_FILE, DIM, search, len(vectors)), search


# --- the choice ----------------------------------------------------------------------------------------------


def test_below_the_threshold_the_file_stays_as_it_is(tmp_path):
    file = written(tmp_path, clustered(999))
    before = file.read_bytes()
    assert arrange_vectors(tmp_path, DIM, 1000) == VectorSearch()
    assert file.read_bytes() == before
    assert arrange_vectors(tmp_path, DIM, 999).lists == count_lists(999) == 16


def test_lists_grow_with_the_root_of_the_size_and_hold_enough():
    assert [count_lists(total) for total in (1, 77, 78, 10_000, 100_000, 1_000_000)] == [1, 1, 2, 256, 1024, 2048]


def test_as_few_lists_are_searched_as_give_the_recall_wanted(arranged):
    _, _, search = arranged
    assert search.sampled == 256
    assert search.recall_at_10 >= 0.99
    assert 1 <= search.probed < search.lists == 256


# --- what is found -------------------------------------------------------------------------------------------


def test_what_is_found_is_scored_exactly_and_in_order(arranged):
    vectors, found, _ = arranged
    hits = 0
    for question in made_up_questions(vectors[::97]):
        rows = found.nearest_rows(question, 10)
        assert len(set(rows.tolist())) == 10
        scores = vectors[rows] @ question
        assert (np.diff(scores) <= 1e-6).all()
        hits += len(set(rows.tolist()) & set(np.argsort(-(vectors @ question))[:10].tolist()))
    assert hits / 10 / len(vectors[::97]) > 0.97


def test_vectors_come_back_by_row_as_they_were_stored(arranged):
    vectors, found, _ = arranged
    rows = np.array([0, 9_999, 5, 5, 1234])
    assert np.array_equal(found.of_rows(rows), vectors[rows])


def test_a_filter_is_exact_in_any_list(arranged):
    vectors, found, _ = arranged
    random = np.random.default_rng(3)
    for count in (1, 7, 500, 9_000):
        allowed = np.zeros(len(vectors), np.bool_)
        allowed[random.choice(len(vectors), count, replace=False)] = True
        question = unit(random.normal(size=(1, DIM)))[0]
        expected = np.argsort(-np.where(allowed, vectors @ question, -2), kind="stable")[: min(count, 12)]
        assert found.nearest_rows(question, 12, allowed).tolist() == expected.tolist()


def test_who_asks_for_more_than_the_lists_hold_gets_all(arranged):
    vectors, found, _ = arranged
    question = vectors[17]
    assert found.nearest_rows(question, len(vectors)).tolist()[0] == 17
    assert sorted(found.nearest_rows(question, len(vectors) + 5).tolist()) == list(range(len(vectors)))


def test_where_the_lists_searched_hold_too_few_all_are_searched(tmp_path):
    vectors = clustered(2000)
    written(tmp_path, vectors)
    search = replace(arrange_vectors(tmp_path, DIM, 1), probed=1)
    found = ChunkVectors(tmp_path / CHUNK_VECTORS_FILE, DIM, search, len(vectors))
    sizes = {len(set(found.nearest_rows(vector, 100).tolist())) for vector in vectors[::50]}
    assert sizes == {100}


@given(st.integers(1, 400), st.integers(0, 10))
@examples(max_examples=25)
def test_any_number_of_vectors_can_be_arranged(tmp_path_factory, total, seed):
    folder = tmp_path_factory.mktemp("any")
    vectors = clustered(total, seed)
    vectors[: total // 2] = vectors[0]  # the same passage many times over
    written(folder, vectors)
    search = arrange_vectors(folder, DIM, 1)
    found = ChunkVectors(folder / CHUNK_VECTORS_FILE, DIM, search, total)
    assert np.array_equal(found.of_rows(np.arange(total)), vectors)
    assert search_faults(folder, DIM, search) == []
    assert search.recall_at_10 >= 0.99


# --- the file ------------------------------------------------------------------------------------------------


def test_the_file_is_the_one_faiss_would_write(tmp_path):
    vectors = clustered(2000)
    file = written(tmp_path, vectors)
    arrange_vectors(tmp_path, DIM, 1)
    ours = file.read_bytes()
    index = read_clusters(file, DIM, count_lists(2000))
    centroids = index.quantizer.reconstruct_n(0, index.nlist)
    theirs = empty_clusters(centroids)
    theirs.add(vectors)
    assert faiss.serialize_index(theirs).tobytes() == ours


def test_arranged_twice_it_is_the_same_to_the_byte(tmp_path):
    files = []
    for name in "ab":
        (tmp_path / name).mkdir()
        files.append(written(tmp_path / name, clustered(3000)))
        arrange_vectors(tmp_path / name, DIM, 1)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [file.name for file in files[0].parent.iterdir()] == [CHUNK_VECTORS_FILE]


def header_of(file, lists: int) -> int:
    return len(clusters_header(np.zeros((lists, DIM), np.float32), np.zeros(lists, np.uint64)))


HOSTILE = {
    "a list that is longer": lambda data, end: data.__setitem__(slice(end - 8, end), struct.pack("<Q", 1 << 40)),
    "lists whose sizes come round": lambda data, end: data.__setitem__(slice(end - 8, end), b"\xff" * 8),
    "more vectors than lists hold": lambda data, _: data.__setitem__(slice(8, 16), struct.pack("<q", 1 << 60)),
    "another kind of quantizer": lambda data, _: data.__setitem__(slice(53, 57), b"IxF2"),
    "lists in a file of another name": lambda data, end: data.__setitem__(
        slice(data.index(b"ilar"), data.index(b"ilar") + 4), b"ilod"
    ),
    "a row that is none": lambda data, _: data.__setitem__(slice(-8, None), struct.pack("<q", 1 << 40)),
    "a negative row": lambda data, _: data.__setitem__(slice(-8, None), struct.pack("<q", -3)),
    "cut short": lambda data, _: data.__delitem__(slice(-1, None)),
    "cut in its header": lambda data, end: data.__delitem__(slice(end - 20, None)),
    "something behind": lambda data, _: data.extend(b"x"),
}


@pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE)
def test_a_file_of_somebody_else_is_refused(tmp_path, damage):
    file = written(tmp_path, clustered(500))
    search = arrange_vectors(tmp_path, DIM, 1)
    ChunkVectors(tmp_path / CHUNK_VECTORS_FILE, DIM, search, 500)
    data = bytearray(file.read_bytes())
    damage(data, header_of(file, search.lists))
    file.write_bytes(data)
    with pytest.raises((ValueError, RuntimeError)):
        ChunkVectors(tmp_path / CHUNK_VECTORS_FILE, DIM, search, 500)


@pytest.mark.parametrize("other", [{"lists": 7}, {"lists": -1}, {"lists": 1 << 40}, {"probed": 99}, {"lists": 0}])
def test_a_manifest_that_says_otherwise_is_refused(tmp_path, other):
    written(tmp_path, clustered(500))
    search = arrange_vectors(tmp_path, DIM, 1)
    with pytest.raises((ValueError, RuntimeError)):
        ChunkVectors(tmp_path / CHUNK_VECTORS_FILE, DIM, replace(search, **other), 500)


# --- a whole index -------------------------------------------------------------------------------------------


@pytest.fixture
def large(settings):
    """Settings for which two passages are many, with some more documents."""
    for number in range(30):
        text = f"Report {number}\n\nThe team of town {number} met in {2000 + number}. It had {number} members.\n"
        (settings.corpus / f"report-{number:02}.txt").write_text(text, "utf-8")
    return replace(settings, approximate_from=2, model="fake")


def build(settings, **options):
    return ingest.build_index(settings, encoder=FakeEncoder(), **options)


def content(settings):
    folder = generation_folder(settings.index, current_generation(settings.index))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_small_index_is_the_same_but_for_its_vectors_whichever_way(large, tmp_path):
    build(large)
    exact = replace(large, index=tmp_path / "exact", approximate_from=1000)
    build(exact)
    ours, theirs = content(large), content(exact)
    assert {name for name in ours if ours[name] != theirs[name]} == {"chunks.faiss", "manifest.json"}
    assert Generation.open_current(exact.index).manifest.vector_search == VectorSearch()
    question = "who met in 2007"
    with Session.open(large, FakeEncoder()) as one, Session.open(exact, FakeEncoder()) as other:
        assert one.generation.manifest.vector_search.lists == 1
        assert [p.score for p in one.ask(question).passages] == [p.score for p in other.ask(question).passages]


def test_incremental_is_from_scratch(large, tmp_path):
    build(large)
    (large.corpus / "report-07.txt").unlink()
    (large.corpus / "report-40.txt").write_text("Report 40\n\nA text of its own.\n", "utf-8")
    build(large)
    fresh = replace(large, index=tmp_path / "fresh")
    build(fresh)
    assert content(large) == content(fresh)


def test_another_threshold_makes_the_index_stale_and_costs_no_reading(large):
    build(large)
    changed = replace(large, approximate_from=1000)
    assert Session.open(changed, FakeEncoder()).changes == ["setting approximate_from"]
    encoder = FakeEncoder()
    report = ingest.build_index(changed, encoder=encoder)
    assert (report.is_new, report.unchanged, encoder.encoded) == (True, 32, [])


def test_status_tells_how_vectors_are_searched(large, capsys, monkeypatch):
    monkeypatch.setenv("CYBERQA_MODEL", "fake")
    monkeypatch.setenv("CYBERQA_APPROXIMATE_FROM", "2")
    where = ["--corpus", str(large.corpus), "--index", str(large.index)]
    build(large)
    assert run_cli("status", *where) == 0
    assert "1 of 1 lists compared with each question; recall@10" in capsys.readouterr().out
    assert run_cli("status", "--json", *where) == 0
    body = jsonschema_checked(capsys.readouterr().out)
    assert body["vector_search"] == {
        "is_approximate": True, "lists": 1, "probed": 1, "recall_at_10": 1.0, "sampled": 32,
    }  # fmt: skip
    build(replace(large, approximate_from=1000))
    assert run_cli("status", "--json", *where) == 0
    body = jsonschema_checked(capsys.readouterr().out)
    assert body["vector_search"]["is_approximate"] is False
    assert run_cli("status", *where) == 0
    assert "all compared with each question" in capsys.readouterr().out


def jsonschema_checked(out: str):
    import json

    body = json.loads(out)
    jsonschema.validate(body, schema("status"))
    return body


def test_verify_finds_a_row_that_is_twice_and_a_recall_that_is_not(tmp_path):
    file = written(tmp_path, clustered(3000))
    search = arrange_vectors(tmp_path, DIM, 1)
    assert search_faults(tmp_path, DIM, search) == []
    lied = replace(search, recall_at_10=search.recall_at_10 - 0.1)
    assert "as was recorded" in search_faults(tmp_path, DIM, lied)[0]
    data = bytearray(file.read_bytes())
    data[-8:] = data[-16:-8]
    file.write_bytes(data)
    assert search_faults(tmp_path, DIM, search) == ["some chunks are in none of the lists, or in several"]


def test_verify_looks_at_the_lists(large, monkeypatch):
    build(large)
    assert verify_index(large, FakeEncoder())["is_whole"]
    monkeypatch.setattr(clustering, "_MAY_DIFFER", -1)
    (fault,) = verify_index(large, FakeEncoder())["faults"]
    assert fault["where"] == CHUNK_VECTORS_FILE
