"""While texts are embedded the next documents are cut, so far ahead and no farther; the bounds change no byte."""

import shutil
import sqlite3
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import FakeEncoder
from cyberqa import ingest
from cyberqa.errors import SearchIndexError
from cyberqa.index import lexical, writing
from cyberqa.index.cache import Cache
from cyberqa.index.growing import ArrayFile
from cyberqa.index.opening import empty_vectors
from cyberqa.index.postings import PostingsBuilder
from cyberqa.index.tokens import ROW, ChunkTokens, TokenFiles
from cyberqa.ingest import build_index, building, cutting, embedder
from cyberqa.settings import Settings, usable_cores
from test_incremental import contents

WAIT_S = 60


def write_notes(settings: Settings, count: int, text: str = "Note number {0} speaks of matter {0}.") -> None:
    for number in range(count):
        (settings.corpus / f"note{number:03}.txt").write_text(f"Note {number}\n\n{text.format(number)}\n", "utf-8")


def tighten(monkeypatch, texts: int, chunks: int, group: int) -> None:
    """Set how many texts and chunks may be held, and how many texts are embedded together."""
    monkeypatch.setattr(building, "_TEXTS_AHEAD", texts)
    monkeypatch.setattr(building, "_CHUNKS_AHEAD", chunks)
    monkeypatch.setattr(embedder, "GROUP_TEXTS", group)


# --- overlapped ----------------------------------------------------------------------------------------------


def test_documents_are_cut_while_a_text_of_an_earlier_one_is_embedded(settings, monkeypatch):
    """The encoder gives the first vector only when the last document has been cut."""
    monkeypatch.setattr(embedder, "GROUP_TEXTS", 1)
    write_notes(settings, 4)
    all_cut = threading.Event()
    whole = cutting.prepare

    def prepare(document, *arguments):
        if document.id == "note003.txt":
            all_cut.set()
        return whole(document, *arguments)

    class Waiting(FakeEncoder):
        def encode(self, texts):
            assert all_cut.wait(WAIT_S), "nothing is cut while a text is embedded"
            yield from super().encode(texts)

    monkeypatch.setattr(cutting, "prepare", prepare)
    assert build_index(settings, encoder=Waiting()).failures == {}


class Slow(FakeEncoder):
    """Takes longer for a text than it takes to read and cut one."""

    def encode(self, texts):
        for encoding in super().encode(texts):
            threading.Event().wait(0.01)
            yield encoding


def held_at_most(settings: Settings, monkeypatch, owner: object, name: str) -> int:
    """Build; return how many documents were at most between a function of theirs and being written."""
    held, most = 0, 0
    come, go = getattr(owner, name), writing._insert_document

    def coming(*arguments):
        nonlocal held, most
        held += 1
        most = max(most, held)
        return come(*arguments)

    def going(*arguments):
        nonlocal held
        held -= 1
        go(*arguments)

    monkeypatch.setattr(owner, name, coming)
    monkeypatch.setattr(writing, "_insert_document", going)
    build_index(settings, encoder=Slow())
    return most


def test_no_more_documents_are_held_than_are_allowed(settings, monkeypatch):
    tighten(monkeypatch, texts=4, chunks=6, group=2)
    write_notes(settings, 60)
    with monkeypatch.context() as patched:
        assert 2 <= held_at_most(settings, patched, cutting, "prepare") <= 6 + 2
    shutil.rmtree(settings.index / "generations")
    ahead = building._BEGUN_PER_WORKER * usable_cores() + 1
    assert held_at_most(settings, monkeypatch, cutting.Parcel, "load") <= ahead + 6 + 2


def test_documents_from_the_cache_that_wait_for_a_new_one_are_bounded_too(settings, monkeypatch):
    """One text of one new document, and no group is ever full: it is sent when enough has been gone through."""
    tighten(monkeypatch, texts=100, chunks=6, group=100)
    write_notes(settings, 60)
    build_index(settings, encoder=FakeEncoder())
    (settings.corpus / "alpha.txt").write_text("Alpha report\n\nAnother text.\n", "utf-8")
    ahead = building._BEGUN_PER_WORKER * usable_cores() + 1
    assert held_at_most(settings, monkeypatch, cutting.Parcel, "load") <= ahead + 6 + 2


@pytest.mark.parametrize(("texts", "chunks", "group"), [(0, 0, 1), (3, 2, 2), (5, 9, 3)])
def test_how_far_ahead_makes_no_difference(settings, monkeypatch, tmp_path, texts, chunks, group):
    write_notes(settings, 9)
    (settings.corpus / "note003.txt").write_text("Long\n\n" + "A sentence about the law of Tirana. " * 200, "utf-8")
    (settings.corpus / "note004.txt").write_text("", "utf-8")
    report = build_index(settings, encoder=(plain := FakeEncoder()))
    tighten(monkeypatch, texts, chunks, group)
    bounded = replace(settings, index=tmp_path / "bounded")
    again = build_index(bounded, encoder=(tight := FakeEncoder()))
    assert (again.embedded, again.failures, tight.encoded) == (report.embedded, report.failures, plain.encoded)
    assert contents(bounded) == contents(settings)


def test_groups_do_not_depend_on_the_clock(settings, monkeypatch, tmp_path):
    """What stands beside a text may move the last bit of its vector, with sentence-transformers."""
    tighten(monkeypatch, texts=5, chunks=8, group=4)
    write_notes(settings, 25)

    class Grouped(FakeEncoder):
        def __init__(self, is_slow: bool) -> None:
            super().__init__()
            self.groups, self.is_slow = [], is_slow

        def encode(self, texts):
            self.groups.append(len(texts))
            if self.is_slow:
                threading.Event().wait(0.02)
            yield from super().encode(texts)

    groups = []
    for is_slow in (False, True):
        encoder = Grouped(is_slow)
        build_index(replace(settings, index=tmp_path / str(is_slow)), encoder=encoder)
        groups.append(encoder.groups)
    assert groups[0] == groups[1]
    assert max(groups[0]) == 4


def test_the_first_texts_do_not_wait_for_a_full_group():
    sent = []
    made = embedder.Embedder(lambda texts: sent.append(len(texts)) or iter(()))
    for _ in range(8 + 16 + 32 + 64 + 2 * 128 + 5):
        made.begin(None)
    made._thread.shutdown()
    assert sent == [8, 16, 32, 64, 128, 128]
    assert made.unsent == 5


def test_a_text_that_stands_in_two_documents_is_embedded_once(settings):
    for name in ("x.txt", "y.txt"):
        (settings.corpus / name).write_text("Same title\n\nThe same text in both.\n", "utf-8")
    report = build_index(settings, encoder=(encoder := FakeEncoder()))
    assert report.chunks == 4
    assert report.embedded == len(encoder.encoded) == 3


# --- when something fails ------------------------------------------------------------------------------------


def test_a_text_that_cannot_be_embedded_costs_its_documents_only(settings):
    write_notes(settings, 6)
    for name in ("note002.txt", "note004.txt"):
        (settings.corpus / name).write_text("Cursed\n\nA text of woe.\n", "utf-8")

    class Failing(FakeEncoder):
        def encode(self, texts):
            for text in texts:
                if "woe" in text:
                    raise ZeroDivisionError("a fault")
                yield from super().encode([text])

    report = build_index(settings, encoder=(encoder := Failing()))
    reason = "embedding it failed unexpectedly (ZeroDivisionError: a fault)"
    assert report.failures == {"note002.txt": reason, "note004.txt": reason}
    assert report.documents == 6
    assert len(encoder.encoded) == len(set(encoder.encoded)) == 6
    assert build_index(settings, encoder=FakeEncoder(), rebuild=True).embedded == 1


def test_a_full_disk_is_no_fault_of_a_document(settings, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Cache, "put_reading", full)
    with pytest.raises(SearchIndexError, match=r"cannot be written \(database or disk is full\)"):
        build_index(settings, encoder=FakeEncoder())


def test_what_is_embedded_is_kept_when_the_writing_fails(settings, monkeypatch):
    write_notes(settings, 5)
    threads = threading.active_count()  # other tests may have left some
    monkeypatch.setattr(writing, "_insert_chunks", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_index(settings, encoder=(encoder := FakeEncoder()))
    monkeypatch.undo()
    assert threading.active_count() == threads
    assert encoder.encoded  # how many of seven, is a matter of time
    assert build_index(settings, encoder=FakeEncoder()).embedded == 7 - len(encoder.encoded)


# --- written as it comes -------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.sampled_from([(), (3,)]))
def test_an_array_that_grows_ends_as_numpy_writes_it(tmp_path_factory, lengths, shape):
    folder = tmp_path_factory.mktemp("arrays")
    parts = [np.random.default_rng(length).integers(0, 9, (length, *shape)).astype("<u2") for length in lengths]
    with ArrayFile(folder / "grown.npy", np.dtype("<u2")) as file:
        for part in parts:
            file.append(part)
    np.save(folder / "whole.npy", np.concatenate(parts))
    assert (folder / "grown.npy").read_bytes() == (folder / "whole.npy").read_bytes()


def test_vectors_that_grow_end_as_faiss_writes_them(tmp_path):
    vectors = np.random.default_rng(3).normal(size=(23, 24)).astype(np.float32)
    with writing._VectorFile(tmp_path / "grown.faiss", 24) as file:
        for part in np.split(vectors, [1, 7, 8, 20]):
            file.append(part)
    whole = empty_vectors(24)
    whole.add(vectors)
    faiss.write_index(whole, str(tmp_path / "whole.faiss"))
    assert (tmp_path / "grown.faiss").read_bytes() == (tmp_path / "whole.faiss").read_bytes()


def test_tokens_that_grow_end_as_all_of_them_at_once(tmp_path):
    random = np.random.default_rng(4)
    documents = [
        [
            ChunkTokens(
                random.integers(0, 256, (length, 4), np.uint8),
                sorted({int(piece) for piece in random.integers(0, 300, length)}),
                random.integers(0, 9, length).astype(np.uint8),
            )
            for length in lengths
        ]
        for lengths in ((0, 3), (5,), (2, 0, 1))
    ]
    names = ("rows.npy", "codes.npy", "sentences.npy")
    with TokenFiles(*(tmp_path / name for name in names)) as files:
        for chunks in documents:
            files.add(chunks, [-1, *range(len(chunks) - 1)])
    rows, codes, sentences = (np.load(tmp_path / name) for name in names)
    expected = [(0, 0, -1), (0, 3, 0), (3, 5, -1), (8, 2, -1), (10, 0, 3), (10, 1, 4)]
    assert rows.tolist() == expected
    assert rows.dtype == ROW
    every = [chunk for chunks in documents for chunk in chunks]
    assert np.array_equal(codes, np.concatenate([chunk.codes for chunk in every]))
    assert np.array_equal(sentences, np.concatenate([chunk.sentences for chunk in every]))
    assert files.piece_counts().tolist() == np.bincount([piece for chunk in every for piece in chunk.pieces]).tolist()
    assert files.piece_counts().dtype == np.uint8


def postings_of(folder: Path, chunks: list[list[str]], at_once: int) -> tuple[list[tuple[str, int, int]], bytes]:
    with PostingsBuilder(folder, at_once) as builder:
        for terms in chunks:
            builder.add({term: terms.count(term) for term in terms})
        directory = list(builder.write(folder / "postings.npy"))
    assert [file.name for file in folder.iterdir()] == ["postings.npy"]
    return directory, (folder / "postings.npy").read_bytes()


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=12))
def test_postings_are_the_same_however_few_are_held(tmp_path_factory, chunks):
    folder = tmp_path_factory.mktemp("postings")
    plain = postings_of(folder, chunks, 1 << 20)
    for at_once in (1, 2, 5):
        assert postings_of(folder, chunks, at_once) == plain


def test_postings_in_runs_are_the_formula(tmp_path):
    chunks = [["law", "sea", "law"], ["law"], ["sea", "air"], [], ["law", "air"]]
    directory, _ = postings_of(tmp_path, chunks, 2)
    postings = np.load(tmp_path / "postings.npy")
    assert directory == [("air", 0, 2), ("law", 2, 3), ("sea", 5, 2)]
    mean = 8 / 5
    for term, first, count in directory:
        held = [row for row, terms in enumerate(chunks) if term in terms]
        idf = np.log(1 + (5 - len(held) + 0.5) / (len(held) + 0.5))
        expected = [
            idf * tf * (lexical.K1 + 1) / (tf + lexical.K1 * (1 - lexical.B + lexical.B * len(chunks[row]) / mean))
            for row in held
            for tf in [chunks[row].count(term)]
        ]
        found = postings[first : first + count]
        assert found["row"].tolist() == held
        assert found["weight"] == pytest.approx(expected, rel=1e-6)


def test_an_index_written_with_next_to_no_memory_is_the_same_to_the_byte(settings, tmp_path, monkeypatch):
    write_notes(settings, 12, "The note {0} is of the law, of Tirana, and of the matter {0}.")
    build_index(settings, encoder=FakeEncoder())
    tighten(monkeypatch, texts=2, chunks=2, group=1)
    monkeypatch.setattr(writing, "PostingsBuilder", partial(PostingsBuilder, at_once=3))
    bounded = replace(settings, index=tmp_path / "bounded")
    build_index(bounded, encoder=FakeEncoder())
    assert contents(bounded) == contents(settings)
    assert ingest.build_index(bounded, encoder=FakeEncoder()).embedded == 0
