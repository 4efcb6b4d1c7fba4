"""A bomb, a loop or a crash costs one document, with its reason; neighbours are read and nothing is left running."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from conftest import FakeEncoder, make_pdf
from cyberqa import ingest
from cyberqa.documents import read_bytes, read_document, wire, workers
from cyberqa.documents.reading import Reading
from cyberqa.documents.workers import Limits, WorkerPool, is_read_in_process
from cyberqa.errors import CyberqaError, DocumentError
from cyberqa.session import Session
from cyberqa.settings import Settings
from cyberqa.types import Block, BlockKind, Metadata, Page, Repair, Span

POPEN = subprocess.Popen
ROGUE = (sys.executable, str(Path(__file__).with_name("rogue_worker.py")))
LIMITS = Limits(timeout_s=3, memory_mb=1000, output_mb=1)
DEFAULTS = Limits.from_settings(Settings())


@pytest.fixture(scope="module")
def rogue():
    with WorkerPool(LIMITS, ROGUE, size=1) as pool:
        yield pool


# --- limits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("loop", r"reading it took over 3 s \(setting read_timeout_s\)"),
        ("sleep", r"reading it took over 3 s \(setting read_timeout_s\)"),
        pytest.param(
            "memory",
            r"reading it took over 1000 MB \(setting read_memory_mb\)",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces this limit"),
        ),
        ("output", r"its text has over 1 MB \(setting read_output_mb\)"),
        ("exit", r"its reader crashed \(exit status 3\)"),
        ("segfault", r"its reader crashed \(SIG(SEGV|BUS)\)"),
        ("killed", r"its reader crashed \(SIGKILL\)"),
        ("fault", r"reading it failed unexpectedly \(TypeError: a fault of ours\)"),
        ("recursion", r"reading it failed unexpectedly \(RecursionError"),
        ("outside", r"its reader gave a broken reply \(the span 0:8 is not within its 7 characters\)"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_the_documents_reason_and_the_next_is_read(rogue, behaviour, reason):
    with pytest.raises(DocumentError, match=reason):
        rogue.read("a.pdf", behaviour.encode())
    assert rogue.read("b.pdf", b"The next one.").text == "The next one."


def test_what_a_library_prints_does_not_reach_the_pipe(rogue):
    assert rogue.read("a.pdf", b"print").text == "print"


def test_a_worker_is_kept_for_many_documents_and_then_replaced(rogue, monkeypatch):
    def pid() -> str:
        return rogue.read("a.pdf", b"pid").text

    first = pid()
    assert pid() == first
    monkeypatch.setattr(workers, "DOCUMENTS_PER_CHILD", 1)
    pid()
    assert pid() != first


FORGED = """
import sys
from cyberqa.documents.wire import READY, write_frame
write_frame(sys.stdout.buffer, READY)
{}
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("sys.stdout.buffer.write(bytes(7))", "took over 3 s"),
        ("sys.stdout.buffer.write(bytes(8))", "broken reply"),
        ("sys.stdout.buffer.write(b'\\xff' * 8)", "over 1 MB"),
        ("\nwhile True: sys.stdout.buffer.write(b'\\xff' * 8000)", "over 1 MB"),
        ("write_frame(sys.stdout.buffer, b'[' * 900_000)", "broken reply"),
        ("write_frame(sys.stdout.buffer, b'9' * 900_000)", "broken reply"),
        ("write_frame(sys.stdout.buffer, b'{\"refused\": {}}')", "neither a reading nor a reason"),
        ('write_frame(sys.stdout.buffer, b\'{"refused": "\\\\ud800"}\')', r"\\ud800"),
        ('write_frame(sys.stdout.buffer, b\'{"reading": {"text": "a"}}\')', "it is no reading"),
    ],
)
def test_a_worker_that_is_not_itself_any_more_is_not_believed(act, reason):
    with (
        WorkerPool(LIMITS, (sys.executable, "-c", FORGED.format(act)), size=1) as pool,
        pytest.raises(DocumentError, match=reason),
    ):
        pool.read("a.pdf", b"anything")


@pytest.mark.parametrize("command", [(sys.executable, "-c", "pass"), ("/nonexistent/python",)])
def test_a_worker_that_cannot_start_stops_the_build_and_blames_no_document(command):
    with WorkerPool(LIMITS, command, size=1) as pool, pytest.raises(CyberqaError, match="process to read") as caught:
        pool.read("a.pdf", b"anything")
    assert not isinstance(caught.value, DocumentError)


# --- what goes through the pipe ------------------------------------------------------------------------------

FULL = Reading(
    text="Çelësi 𝄞 one. Two.",
    blocks=[Block(BlockKind.HEADING, Span(0, 6), 2), Block(BlockKind.PARAGRAPH, Span(7, 18))],
    pages=(Page(1, None, Span(0, 6)), Page(2, "ii", Span(7, 18))),
    has_lines=False,
    encoding="cp1250",
    metadata=Metadata("Title", "House", 2016, "sq", "print", ("a", "b")),
    marks=(Span(3, 4),),
    repairs=(Repair("hyphens", 1, 3), Repair("spaces", None, 1)),
    warnings=("a warning",),
)


def test_every_field_of_a_reading_survives_the_pipe():
    plain = Reading("", [])
    assert [f.name for f in fields(Reading) if getattr(FULL, f.name) == getattr(plain, f.name)] == []
    assert wire.unpack_reading(json.loads(json.dumps(wire.pack_reading(FULL)))) == FULL


@pytest.mark.parametrize(
    "change",
    [
        {"text": "short"},
        {"text": 5},
        {"text": "\ud800" * 18},
        {"metadata": 5},
        {"has_lines": 1},
        {"blocks": [["paragraph", [0, 5]]]},
        {"blocks": [["paragraph", [0, 5], 0, 0]]},
        {"blocks": [["paragraph", [5, 0], 0]]},
        {"blocks": [["paragraph", [-1, 5], 0]]},
        {"blocks": [["paragraph", [0, 5.0], 0]]},
        {"blocks": [["paragraph", [0, True], 0]]},
        {"blocks": [["nonsense", [0, 5], 0]]},
        {"blocks": [["heading", [0, 5], 2**63]]},
        {"blocks": [["heading", [0, 5], -(10**400)]]},
        {"blocks": [["paragraph", [0, 5], 0], ["paragraph", [4, 6], 0]]},
        {"pages": [[1, None, [0, 19]]]},
        {"warnings": "abc"},
        {"unknown": 1},
    ],
)
def test_a_reading_of_another_shape_is_refused(change):
    with pytest.raises(ValueError):
        wire.unpack_reading({**wire.pack_reading(FULL), **change})


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@bounded(max_examples=60)
@given(st.sampled_from([f.name for f in fields(Reading)]), JSON_VALUES)
def test_any_json_is_a_reading_with_its_spans_in_the_text_or_refused(name, value):
    with contextlib.suppress(ValueError):
        reading = wire.unpack_reading({**wire.pack_reading(FULL), name: value})
        assert all(block.span.end <= len(reading.text) for block in reading.blocks)


@bounded(max_examples=60)
@given(st.binary(max_size=30))
def test_any_bytes_are_a_frame_or_refused(data):
    with contextlib.suppress(EOFError, wire.OverlongFrameError):
        frame = wire.read_frame(io.BytesIO(data), 20)
        assert data.startswith(len(frame).to_bytes(8, "big") + frame)


# --- the real worker -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(DEFAULTS, size=1) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", make_pdf([["1 Start", "Some text stands here."], ["And here."]], title="A title")),
        ("a.md", "# Titel\n\nÇelësi 𝄞.\n".encode()),
        ("a.txt", "à la carte".encode("latin-1")),
    ],
)
def test_a_worker_reads_what_this_process_would(pool, name, data):
    assert pool.read(name, data) == read_bytes(name, data)


def test_a_worker_refuses_with_the_readers_reason(pool):
    with pytest.raises(DocumentError, match="no %PDF header"):
        read_document("a.pdf", b"none", read=pool.read)


def test_a_report_of_a_thousand_pages_passes_the_default_limits(pool):
    page = [f"Line {n} of a page that says what a page of a report says, neither more nor less." for n in range(45)]
    reading = pool.read("long.pdf", make_pdf([page] * 1000))
    assert len(reading.pages) == 1000
    assert reading.text.count("neither more nor less") == 45_000


def test_a_bomb_in_a_pdf_costs_that_pdf():
    """Its content grows from 6 kB to 500 MB, by two rounds of compression."""
    if sys.platform != "linux":
        pytest.skip("only Linux enforces the limit on memory")
    content = zlib.compress(zlib.compress(bytes(500_000_000), 1), 9)
    whole = make_pdf([["@"]])
    head, tail = whole[: whole.index(b"<< /Length")], whole[whole.index(b"endstream") :]
    filters = f"<< /Filter [/FlateDecode /FlateDecode] /Length {len(content)} >>\nstream\n".encode()
    with WorkerPool(replace(DEFAULTS, memory_mb=400), size=1) as pool:
        with pytest.raises(DocumentError, match=r"400 MB \(setting read_memory_mb\)"):
            pool.read("bomb.pdf", head + filters + content + b"\n" + tail)
        assert pool.read("next.pdf", make_pdf([["The next one."]])).text == "The next one."


def test_the_worker_imports_the_readers_and_nothing_of_the_search():
    code = "import sys, cyberqa.documents.worker, cyberqa.documents, cyberqa.documents.wire; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert (
        loaded & {"faiss", "onnxruntime", "torch", "tokenizers", "nupunkt", "cyberqa.index", "cyberqa.ingest"} == set()
    )


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_even_in_a_loop(tmp_path, ending):
    (tmp_path / "parent.py").write_text(
        "import sys\n"
        "from cyberqa.documents.workers import Limits, WorkerPool\n"
        "if __name__ == '__main__':\n"
        f"    with WorkerPool(Limits(600, 1000, 1), {ROGUE!r}, size=1) as pool:\n"
        "        print(pool.read('a.pdf', b'pid').text, flush=True)\n"
        "        pool.submit(pool.read, 'a.pdf', b'loop').result()\n"
    )
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    ) as parent:
        worker = int(parent.stdout.readline())
        time.sleep(0.3)
        parent.send_signal(ending)
        parent.wait(60)
    deadline = time.monotonic() + 60
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1] not in ("", "Z")


# --- in the build --------------------------------------------------------------------------------------------


def test_a_corpus_of_bombs_costs_the_bombs_only_and_order_is_kept(settings, monkeypatch):
    monkeypatch.setattr(ingest, "WorkerPool", partial(WorkerPool, command=ROGUE, size=2))
    settings = replace(settings, read_timeout_s=3, read_memory_mb=1000, read_output_mb=1, model="fake")
    bombs = ("exit", "loop", "outside", "output", "segfault")
    for number, text in enumerate(text for bomb in bombs for text in (bomb, f"A good neighbour of {bomb}.")):
        (settings.corpus / f"{number:02}.pdf").write_text(text)
    report = ingest.build_index(settings, encoder=FakeEncoder())
    assert sorted(report.failures) == [f"{number:02}.pdf" for number in range(0, 10, 2)]
    with Session.open(settings, FakeEncoder()) as session:
        kept = [f"{number:02}.pdf" for number in range(1, 10, 2)]
        assert list(session.generation.contents.document_ids()) == [*kept, "alpha.txt", "beta.txt"]


def test_the_index_does_not_depend_on_the_number_of_workers(settings, tmp_path, monkeypatch):
    for number in range(6):
        (settings.corpus / f"{number}.pdf").write_bytes(make_pdf([[f"The report number {number} is short."]]))
    generations = []
    for size in (1, 3):
        monkeypatch.setattr(ingest, "WorkerPool", partial(WorkerPool, size=size))
        index = tmp_path / f"index{size}"
        ingest.build_index(replace(settings, index=index), encoder=FakeEncoder())
        (folder,) = (index / "generations").iterdir()
        generations.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert generations[0] == generations[1]


def test_plain_text_starts_no_process(settings, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    (settings.corpus / "unknown.xyz").write_text("x")
    assert set(ingest.build_index(settings, encoder=FakeEncoder()).failures) == {"unknown.xyz"}


@pytest.mark.parametrize(
    ("name", "size_bytes", "expected"),
    [
        ("a.txt", 1_000_000, True),
        ("a.TXT", 1_000_001, False),
        ("a.csv", 1, True),
        ("a.md", 1, False),
        ("a.pdf", 1, False),
        ("a.unknown", 1, True),
    ],
)
def test_only_plain_text_that_is_not_large_is_read_in_this_process(name, size_bytes, expected):
    assert is_read_in_process(name, size_bytes) is expected


def test_a_limit_that_was_raised_lets_the_document_in(settings, monkeypatch):
    settings = replace(settings, read_output_mb=1)
    (settings.corpus / "long.md").write_text("Some words of it.\n\n" + " " * 1_100_000 + "The end.")
    assert "read_output_mb" in ingest.build_index(settings, encoder=FakeEncoder()).failures["long.md"]
    assert ingest.build_index(replace(settings, read_output_mb=9), encoder=FakeEncoder()).failures == {}


# --- links ---------------------------------------------------------------------------------------------------


def test_a_link_out_of_the_corpus_is_named_and_not_followed(settings, tmp_path):
    settings = replace(settings, model="fake")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("Secret report\n\nThe secret text.\n")
    (settings.corpus / "file.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (settings.corpus / "folder").symlink_to(tmp_path / "outside")
    (settings.corpus / "again.txt").symlink_to("file.txt")
    report = ingest.build_index(settings, encoder=FakeEncoder())
    reason = "it is a link to a place outside the corpus; copy the file instead"
    assert report.failures == {"again.txt": reason, "file.txt": reason, "folder": reason}
    assert Session.open(settings, FakeEncoder()).changes == []
    (tmp_path / "outside" / "secret.txt").write_text("Another text.")
    assert Session.open(settings, FakeEncoder()).changes == []


def test_a_document_that_becomes_a_link_out_of_the_corpus_makes_the_index_stale(settings, tmp_path):
    settings = replace(settings, model="fake")
    ingest.build_index(settings, encoder=FakeEncoder())
    (settings.corpus / "alpha.txt").rename(tmp_path / "alpha.txt")
    (settings.corpus / "alpha.txt").symlink_to(tmp_path / "alpha.txt")
    assert Session.open(settings, FakeEncoder()).changes == ["alpha.txt"]
    assert set(ingest.build_index(settings, encoder=FakeEncoder()).failures) == {"alpha.txt"}


def test_links_inside_are_documents_and_folders_are_read_once(settings):
    (settings.corpus / ".store").mkdir()
    (settings.corpus / ".store" / "1").write_text("Gamma report\n\nKept as git-annex keeps it.\n")
    (settings.corpus / "gamma.txt").symlink_to(".store/1")
    (settings.corpus / "sub").mkdir()
    (settings.corpus / "sub" / "delta.txt").write_text("Delta report\n\nText of it.\n")
    (settings.corpus / "same").symlink_to("sub")
    (settings.corpus / "sub" / "loop").symlink_to("..")
    report = ingest.build_index(settings, encoder=FakeEncoder())
    assert report.failures == {}
    assert report.added == ("alpha.txt", "beta.txt", "gamma.txt", "sub/delta.txt")


def test_the_corpus_folder_may_be_a_link_itself(settings, tmp_path):
    (tmp_path / "linked").symlink_to(settings.corpus)
    report = ingest.build_index(replace(settings, corpus=tmp_path / "linked"), encoder=FakeEncoder())
    assert (report.documents, report.failures) == (2, {})


def test_a_sources_file_from_outside_is_refused(settings, tmp_path):
    (tmp_path / "elsewhere.toml").write_text("")
    (settings.corpus / "sources.toml").symlink_to(tmp_path / "elsewhere.toml")
    with pytest.raises(CyberqaError, match="a link to a place outside the corpus"):
        ingest.build_index(settings, encoder=FakeEncoder())


def test_no_worker_is_left_when_the_build_is_over(settings, monkeypatch):
    started = []
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *a, **o: started.append(POPEN(*a, **o)) or started[-1])
    for name in ("a.pdf", "b.pdf"):
        (settings.corpus / name).write_bytes(make_pdf([["A page of text."]]))
    ingest.build_index(settings, encoder=FakeEncoder())
    assert started
    assert [process.returncode for process in started] == [-signal.SIGKILL] * len(started)
