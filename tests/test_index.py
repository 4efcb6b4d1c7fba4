"""A generation: rows in, rows out, a pure function of what goes in, and made current in one step."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from conftest import FakeEncoder
from cyberqa import chunking, ingest
from cyberqa.errors import CorpusError, IncompatibleIndexError, NoIndexError, SearchIndexError
from cyberqa.index.arrays import StoredRows
from cyberqa.index.cache import CACHE_FILE
from cyberqa.index.generation import Generation
from cyberqa.index.lock import LOCK_FILE
from cyberqa.index.manifest import (
    CURRENT_FILE,
    FORMAT,
    GENERATIONS_FOLDER,
    MANIFEST_FILE,
    current_generation,
    generation_folder,
)
from cyberqa.ingest import building
from cyberqa.session import Session
from cyberqa.settings import Settings


def build(settings: Settings, encoder: FakeEncoder | None = None, **options) -> ingest.BuildReport:
    return ingest.build_index(settings, encoder=encoder or FakeEncoder(), **options)


def digests(index: Path) -> dict[str, bytes]:
    folder = generation_folder(index, current_generation(index))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# --- vectors -------------------------------------------------------------------------------------------------


def test_faiss_gives_the_ids_and_scores_of_brute_force(session):
    generation = session.generation
    total = generation.manifest.chunks
    vectors = generation.vectors.of_rows(np.arange(total))
    for question in ("who supported ALCIRT", "Montenegro CIRT", "NATO cyber defence", "education programmes"):
        vector = next(session._encoder.encode([question])).vector
        rows = generation.vectors.nearest_rows(vector, 10)
        expected = np.argsort(-(vectors @ vector), kind="stable")[:10]
        assert rows.tolist() == expected.tolist()
        scores, _ = generation.vectors._vectors.search(vector[None], 10)
        assert np.abs(scores[0] - (vectors @ vector)[expected]).max() <= 1e-5


def test_vectors_in_the_index_are_those_of_title_trail_and_text(session):
    generation = session.generation
    encoder = session._encoder
    row = next(
        r for r in range(generation.manifest.chunks) if generation.contents.chunk(r).section[-1:] == ("4.1 Albania",)
    )
    chunk = generation.contents.chunk(row)
    document = generation.contents.document(chunk.document)
    shown, rest = (document.text[span.start : span.end] for span in (chunk.span, chunk.continuation))
    matched = f"{document.title}. {'. '.join(chunk.section)}\n{shown} {rest}"
    stored = generation.vectors.of_rows(np.array([row]))[0]
    assert np.array_equal(stored, next(encoder.encode([matched])).vector.astype(np.float16))


def test_the_text_of_a_chunk_read_alone_is_what_its_document_has_there(session):
    generation = session.generation
    assert any(not generation.contents.document(id_).text.isascii() for id_ in generation.contents.document_ids())
    for row in range(generation.manifest.chunks):
        chunk = generation.contents.chunk(row)
        text = generation.contents.document(chunk.document).text
        assert generation.contents.text_of_chunk(row) == text[chunk.span.start : chunk.span.end]


def test_chunks_come_back_as_they_were_cut(settings):
    encoder = FakeEncoder()
    build(settings, encoder)
    generation = Generation.open_current(settings.index)
    document = generation.contents.document("alpha.txt")
    chunk = generation.contents.chunk(0)
    assert document.text == (settings.corpus / "alpha.txt").read_text("utf-8")
    assert (
        document.text[chunk.span.start : chunk.span.end] == "The alpha team met in Tirana in 2019. It had nine members."
    )
    assert [document.text[s.start : s.end] for s in chunk.sentences] == [
        "The alpha team met in Tirana in 2019.",
        "It had nine members.",
    ]
    assert document.title == "Alpha report"


# --- arrays --------------------------------------------------------------------------------------------------


def test_rows_are_read_as_they_were_saved(tmp_path):
    array = np.arange(60, dtype=np.uint8).reshape(20, 3)
    np.save(tmp_path / "a.npy", array)
    rows = StoredRows(tmp_path / "a.npy")
    assert (len(rows), rows.shape, rows.dtype) == (20, (20, 3), np.uint8)
    assert np.array_equal(rows.read([(4, 2), (0, 0), (17, 3)]), array[[4, 5, 17, 18, 19]])
    assert rows.read([]).shape == (0, 3)
    assert len(rows.read([(18, 5)])) == 2
    np.save(tmp_path / "f.npy", np.asfortranarray(array))
    with pytest.raises(ValueError, match="row by row"):
        StoredRows(tmp_path / "f.npy")


def test_tokens_that_end_too_early_are_refused(settings):
    build(settings)
    folder = generation_folder(settings.index, current_generation(settings.index))
    generation = Generation.open_current(settings.index)
    tokens = np.load(folder / "tokens.npy")
    codes, firsts = generation.tokens.codes(np.array([1, 0]))
    about = generation.rows
    assert np.array_equal(codes, np.concatenate([tokens[about["tokens"][0] :], tokens[: about["tokens"][0]]]))
    assert firsts.tolist() == [0, about["tokens"][1]]
    with (folder / "tokens.npy").open("r+b") as handle:
        handle.truncate((folder / "tokens.npy").stat().st_size - tokens.shape[1])
    with pytest.raises(SearchIndexError, match="end before"):
        generation.tokens.codes(np.array([0, 1]))


# --- generations ---------------------------------------------------------------------------------------------


def test_two_builds_from_nothing_are_the_same_to_the_byte(settings, tmp_path):
    other = replace(settings, index=tmp_path / "other")
    assert build(settings).generation == build(other).generation
    assert digests(settings.index) == digests(other.index)


def test_generation_id_follows_every_input(settings):
    seen = {build(settings).generation}

    def is_new() -> bool:
        before = len(seen)
        seen.add(build(settings).generation)
        return len(seen) > before

    (settings.corpus / "alpha.txt").write_text("Alpha report\n\nThe alpha team met in Skopje.\n", "utf-8")
    assert is_new(), "another text"
    (settings.corpus / "sources.toml").write_text('["alpha.txt"]\ntitle = "Other"\n', "utf-8")
    assert is_new(), "other metadata"
    (settings.corpus / "alpha.txt").rename(settings.corpus / "gamma.txt")
    assert is_new(), "another name"
    seen.add(build(replace(settings, chunk_size_chars=400)).generation)
    assert len(seen) == 5, "another chunk size"
    seen.add(build(settings, FakeEncoder(model="other")).generation)
    assert len(seen) == 6, "another model"


def test_a_text_seen_before_is_not_embedded_again(settings):
    first = FakeEncoder()
    build(settings, first)
    assert len(first.encoded) == 2  # two chunks
    (settings.corpus / "gamma.txt").write_text("Gamma report\n\nA third text.\n", "utf-8")
    second = FakeEncoder()
    report = build(settings, second)
    assert second.encoded == ["Gamma report\nA third text."]
    assert (report.added, report.changed, report.removed) == (("gamma.txt",), (), ())
    assert build(settings, again := FakeEncoder(), rebuild=True).embedded == 0 == len(again.encoded)
    assert build(settings, FakeEncoder(), use_cache=False).embedded == 3


def test_removing_a_document_brings_back_the_earlier_generation(settings):
    before = build(settings).generation
    (settings.corpus / "gamma.txt").write_text("Gamma report\n\nA third text.\n", "utf-8")
    assert build(settings).generation != before
    (settings.corpus / "gamma.txt").unlink()
    report = build(settings)
    assert (report.generation, report.removed) == (before, ("gamma.txt",))


def test_nothing_changed_writes_nothing(settings):
    build(settings)
    folder = generation_folder(settings.index, current_generation(settings.index))
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    report = build(settings)
    assert not report.is_new
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_an_interrupted_build_leaves_the_last_generation_and_keeps_its_vectors(settings, monkeypatch):
    monkeypatch.setattr(building, "_CACHED_AT_ONCE", 1)
    before = build(settings).generation
    (settings.corpus / "gamma.txt").write_text(
        "Gamma report\n\n1 A\n\nA third text.\n\n2 B\n\nA fourth one.\n\n3 C\n\nA fifth.\n", "utf-8"
    )

    class Interrupted(FakeEncoder):
        def encode(self, texts):
            for count, encoding in enumerate(super().encode(texts)):
                if count == 2:
                    raise KeyboardInterrupt
                yield encoding

    with pytest.raises(KeyboardInterrupt):
        build(settings, Interrupted())
    assert current_generation(settings.index) == before
    assert [f.name for f in (settings.index / GENERATIONS_FOLDER).iterdir()] == [before]
    assert build(settings, after := FakeEncoder()).documents == 3
    assert len(after.encoded) == 1  # of three


def test_old_generations_are_swept_but_for_the_one_before(settings):
    for number in range(4):
        (settings.corpus / "gamma.txt").write_text(f"Gamma\n\nEdition {number}.\n", "utf-8")
        build(settings)
    assert len(list((settings.index / GENERATIONS_FOLDER).iterdir())) == 2


def test_one_unreadable_document_costs_only_itself(settings):
    build(settings)
    (settings.corpus / "alpha.txt").write_bytes(b"")
    (settings.corpus / "new.docx").write_bytes(b"x")
    report = build(settings)
    assert report.documents == 1
    assert set(report.failures) == {"alpha.txt", "new.docx"}
    assert report.removed == ("alpha.txt",)
    assert set(build(settings).failures) == {"alpha.txt", "new.docx"}, "said again while it lasts"


def test_a_corpus_in_which_nothing_can_be_read_leaves_the_index_as_it_was(settings):
    before = build(settings).generation
    for file in settings.corpus.iterdir():
        file.write_bytes(b"")
    with pytest.raises(CorpusError, match=r"no document .* can be read .*alpha.txt: it is empty"):
        build(settings)
    assert current_generation(settings.index) == before


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_missing_or_empty_corpus_is_named(settings, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=folder):
        build(replace(settings, corpus=tmp_path / folder))


def test_a_file_name_that_is_not_utf8_is_named_and_left_out(settings):
    Path(str(settings.corpus).encode().decode() + "/bad\udcff.txt").write_text("Text of it.", "utf-8")
    report = build(settings)
    assert report.failures == {"bad\\xff.txt": "its name is not UTF-8; rename it"}
    assert report.documents == 2


# --- refusing ------------------------------------------------------------------------------------------------


def test_no_index_is_said_with_the_command(tmp_path):
    with pytest.raises(NoIndexError, match="no index in") as caught:
        Generation.open_current(tmp_path)
    assert "cyberqa index" in caught.value.hint


def test_another_format_is_refused_in_words_and_mended_by_index(settings):
    build(settings)
    manifest = generation_folder(settings.index, current_generation(settings.index)) / MANIFEST_FILE
    body = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**body, "format": 99}), "utf-8")
    with pytest.raises(IncompatibleIndexError, match=f"format 99, expected format {FORMAT}"):
        Generation.open_current(settings.index)
    build(settings)
    assert Generation.open_current(settings.index).manifest.chunks == 2


def test_another_model_is_refused_in_words(settings):
    build(settings)
    with pytest.raises(IncompatibleIndexError, match=r"made with model fake .* the settings name all-MiniLM-L6-v2"):
        Session.open(settings)
    with pytest.raises(IncompatibleIndexError, match="made with model fake"):
        Session.open(settings, FakeEncoder(model="other"))


def test_another_release_of_the_runtime_only_makes_the_index_stale(settings):
    build(settings)
    changes = Session.open(replace(settings, model="fake"), FakeEncoder(runtime="hand 2")).changes
    assert any("hand 2 (the index was made with hand 1)" in change for change in changes)


@pytest.mark.parametrize("name", ["../../etc", "", "zz", "0" * 21, "/abs/olute"])
def test_a_pointer_that_is_no_generation_id_is_refused(settings, name):
    build(settings)
    (settings.index / CURRENT_FILE).write_text(name)
    with pytest.raises(SearchIndexError, match="expected a generation's id"):
        Generation.open_current(settings.index)


@pytest.mark.parametrize("name", ["chunks.faiss", "corpus.sqlite", "tokens.npy", "postings.npy", "manifest.json"])
def test_a_missing_file_is_refused_in_words_and_mended_by_rebuild(settings, name):
    build(settings)
    (generation_folder(settings.index, current_generation(settings.index)) / name).unlink()
    with pytest.raises(SearchIndexError) as caught:
        Session.open(replace(settings, model="fake"), FakeEncoder()).ask("alpha")
    assert "--rebuild" in caught.value.hint
    build(settings, rebuild=True)
    assert Session.open(replace(settings, model="fake"), FakeEncoder()).ask("alpha").passages


@pytest.mark.parametrize("cut", [0, 100])
@pytest.mark.parametrize("name", ["chunks.faiss", "corpus.sqlite", "tokens.npy", "postings.npy", "manifest.json"])
def test_a_file_cut_short_is_refused_in_words_and_mended_by_index(settings, name, cut):
    build(settings)
    file = generation_folder(settings.index, current_generation(settings.index)) / name
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises((SearchIndexError, sqlite3.DatabaseError)):
        Session.open(replace(settings, model="fake"), FakeEncoder()).ask("alpha")
    build(settings)
    assert Session.open(replace(settings, model="fake"), FakeEncoder()).ask("alpha").passages


def test_an_altered_text_is_never_quoted(settings):
    build(settings)
    file = generation_folder(settings.index, current_generation(settings.index)) / "corpus.sqlite"
    file.write_bytes(file.read_bytes().replace(b"nine members", b"five members"))
    with pytest.raises(SearchIndexError, match=r"the text of alpha.txt in the index is damaged"):
        Session.open(replace(settings, model="fake"), FakeEncoder()).ask("alpha")


@pytest.mark.parametrize("broken", ['{"documents": null}', '{"files": null}', '{"failures": 5}', "[]", "{"])
def test_a_manifest_of_another_shape_is_refused_in_words(settings, broken):
    build(settings)
    file = generation_folder(settings.index, current_generation(settings.index)) / MANIFEST_FILE
    body = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(body | json.loads(broken)) if broken[1:2] == '"' else broken, "utf-8")
    with pytest.raises(SearchIndexError, match="is damaged"):
        Generation.open_current(settings.index)
    build(settings)
    assert Generation.open_current(settings.index).manifest.chunks == 2


def test_a_damaged_state_or_cache_is_mended_by_index(settings):
    settings = replace(settings, model="fake")
    build(settings)
    (settings.index / "state.json").write_text('{"files": [], "settings": []}')
    assert Session.open(settings, FakeEncoder()).changes is None
    (settings.index / CACHE_FILE).write_bytes(b"nonsense" * 1000)
    report = build(settings, rebuild=True)
    assert report.warnings == {CACHE_FILE: ("it was damaged, and was begun anew",)}
    assert report.embedded == 2
    assert Session.open(settings, FakeEncoder()).changes == []


def test_a_rebuild_leaves_a_whole_generation_where_it_is(settings):
    """Somebody may be opening it: the same inputs give the same bytes, so there is nothing to replace."""
    build(settings)
    folder = generation_folder(settings.index, current_generation(settings.index))
    before = folder.stat().st_ino
    build(settings, rebuild=True)
    assert folder.stat().st_ino == before
    assert [f.name for f in folder.parent.iterdir()] == [folder.name]


def test_a_limit_that_was_raised_lets_the_document_in(settings):
    (settings.corpus / "large.txt").write_text("A long text.\n\n" * 80_000, "utf-8")
    assert "over the limit of 1 MB" in build(replace(settings, max_file_mb=1)).failures["large.txt"]
    tiny = replace(settings, exclude=("alpha.txt", "beta.txt"), max_file_mb=2)
    assert Settings().max_file_mb > 2
    (settings.corpus / "large.txt").write_text("A long text.\n\n" + " " * 1_100_000 + "The end.", "utf-8")
    assert build(tiny).failures == {}


def test_a_file_that_changes_or_goes_while_it_is_indexed_is_indexed_as_it_is_then(settings):
    for change, left in ((lambda file: file.write_text("Other text.", "utf-8"), 3), (lambda file: file.unlink(), 2)):
        (settings.corpus / "zeta.txt").write_text("Zeta report\n\nText of it.\n", "utf-8")
        stages = []

        def meddle(step, change=change, stages=stages):
            if step.stage == "indexing" and "indexing" not in stages:
                change(settings.corpus / "zeta.txt")
            stages.append(step.stage)

        assert build(settings, on_progress=meddle).documents == left
        assert "beginning again: zeta.txt changed while it was being indexed" in stages
        assert not build(settings).is_new, "and the index is not stale"


def test_a_file_that_goes_on_changing_stops_the_build(settings):
    (settings.corpus / "zeta.txt").write_text("Zeta report\n\nText of it.\n", "utf-8")

    def meddle(step):
        if step.stage == "indexing":
            with (settings.corpus / "zeta.txt").open("a", encoding="utf-8") as file:
                file.write("More text.\n")

    with pytest.raises(CorpusError, match=r"zeta.txt changed while it was being indexed"):
        build(settings, on_progress=meddle)
    assert build(settings).documents == 3


def test_a_file_that_comes_while_it_is_indexed_makes_the_index_stale(settings):
    settings = replace(settings, model="fake")

    def meddle(step):
        if step.stage == "indexing":
            (settings.corpus / "new.txt").write_text("New text.", "utf-8")

    assert build(settings, on_progress=meddle).documents == 2
    assert Session.open(settings, FakeEncoder()).changes == ["new.txt"]
    assert build(settings).documents == 3


def test_a_fault_of_ours_costs_one_document_only(settings, monkeypatch):
    whole = chunking.chunk_document

    def faulty(document, **options):
        if document.id == "alpha.txt":
            raise ZeroDivisionError("a fault")
        return whole(document, **options)

    monkeypatch.setattr(chunking, "chunk_document", faulty)
    report = build(settings)
    assert report.failures == {"alpha.txt": "reading it failed unexpectedly (ZeroDivisionError: a fault)"}
    assert report.documents == 1


def test_sources_for_a_file_that_is_not_there_are_named(settings):
    (settings.corpus / "sources.toml").write_text('["gone.txt"]\nyear = 2019\n', "utf-8")
    assert build(settings).warnings == {"sources.toml": ("it describes 'gone.txt', which is not there",)}


def test_pipes_and_links_in_the_corpus_are_named_and_cost_only_themselves(settings):
    settings = replace(settings, model="fake")
    import os

    os.mkfifo(settings.corpus / "pipe.txt")
    (settings.corpus / "loop.txt").symlink_to("loop.txt")
    report = build(settings)
    assert set(report.failures) == {"pipe.txt", "loop.txt"}
    assert Session.open(settings, FakeEncoder()).changes == []


def test_nothing_in_an_index_is_unpickled(settings):
    build(settings)
    target = generation_folder(settings.index, current_generation(settings.index)) / "postings.npy"
    np.save(target, np.array([{"pickled": True}], dtype=object), allow_pickle=True)
    with pytest.raises(SearchIndexError):
        Generation.open_current(settings.index)


def test_a_second_builder_gives_up_politely(settings):
    from filelock import FileLock

    settings.index.mkdir()
    steps = []
    with FileLock(settings.index / LOCK_FILE), pytest.raises(SearchIndexError, match="another process"):
        build(replace(settings, lock_timeout_s=0), on_progress=steps.append)
    assert "waiting" in steps[0].stage


def test_the_generation_is_whole_before_it_is_current(settings, monkeypatch):
    """Pull the plug between writing and the rename: the reader still finds the earlier generation."""
    before = build(settings).generation
    (settings.corpus / "gamma.txt").write_text("Gamma report\n\nA third text.\n", "utf-8")
    monkeypatch.setattr(ingest, "make_current", lambda *_: (_ for _ in ()).throw(OSError("plug pulled")))
    with pytest.raises(OSError, match="plug pulled"):
        build(settings)
    assert Generation.open_current(settings.index).manifest.generation == before
    monkeypatch.undo()
    assert build(settings, after := FakeEncoder()).documents == 3
    assert after.encoded == []


def test_files_of_a_generation_carry_their_digests(settings):
    import hashlib

    build(settings)
    generation = Generation.open_current(settings.index)
    folder = generation_folder(settings.index, generation.manifest.generation)
    assert {f.name for f in folder.iterdir()} == {*generation.manifest.files, MANIFEST_FILE}
    for name, digest in generation.manifest.files.items():
        content = (folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (digest.size_bytes, digest.sha256)


def test_database_and_vectors_can_be_read_by_anybody_else(settings):
    """Plain SQLite and plain FAISS: no key of ours is needed to get one's data back."""
    build(settings)
    folder = generation_folder(settings.index, current_generation(settings.index))
    rows = sqlite3.connect(folder / "corpus.sqlite").execute("SELECT count(*) FROM chunks").fetchone()
    assert rows == (2,)
    assert faiss.read_index(str(folder / "chunks.faiss")).ntotal == 2
