"""Damaged files are read or refused with a reason, in every format; what fuzzing found stays found."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from conftest import make_pdf
from cyberqa.chunking import chunk_document
from cyberqa.documents import READERS, read_document, wire
from cyberqa.documents.workers import Limits, WorkerPool
from cyberqa.errors import DocumentError
from test_documents import assert_blocks_partition

NAMESPACE = "http://schemas.openxmlformats.org"
LINES = [
    "1 Introduction", "Çelësi of the matter stands here.⁴ It has two sentences.", "⁴ A footnote: https://example.org/a",
    "1.1 Albania", "- a first item", "Country\tTeam\tYear\nAlbania\tyes\t2011", "Contents", "2 Law ..... 7",
]  # fmt: skip


def make_html(lines: Sequence[str]) -> bytes:
    body = "".join(f"<h2>{line[:20]}</h2><p>{line}</p><ul><li>{line}</li></ul>" for line in lines)
    table = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    head = "<!DOCTYPE html><html><head><title>A page</title></head>"
    return f"{head}<body><main>{body}{table}</main></body></html>".encode()


def make_docx(lines: Sequence[str]) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{line.replace('&', 'and').replace('<', '(')}</w:t></w:r></w:p>" for line in lines)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{NAMESPACE}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{NAMESPACE}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{NAMESPACE}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
        "</Relationships>",
        "word/document.xml": f'<w:document xmlns:w="{NAMESPACE}/wordprocessingml/2006/main"><w:body>{body}</w:body>'
        "</w:document>",
    }
    return zipped({name: content.encode() for name, content in parts.items()})


def zipped(parts: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # a date of its own: the same bytes each time
    return buffer.getvalue()


def changed_inside(docx: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the XML of a Word document: a change of the archive is found by its checksum, and goes no further."""
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**parts, "word/document.xml": change(parts["word/document.xml"])})


MADE = {
    "a.txt": "\n\n".join(LINES).encode(),
    "b.txt": "\ufeff".encode("utf-16-le") + "\r\n".join(LINES).encode("utf-16-le"),
    "a.md": "\n\n".join(
        [*LINES, "# Heading", "| a | b |\n|---|---|\n| 1 | 2 |", "> *q* `c` [l](x)", "[x]: https://example.org"]
    ).encode(),
    "a.csv": "\n".join(LINES).encode("cp1250", "ignore"),
    "a.pdf": make_pdf([LINES[3:5], ["Some text stands here.", "And here."]], title="A title"),
    "a.html": make_html(LINES),
    "a.docx": make_docx(LINES),
}
SEEDS = {name: data for name, data in MADE.items() if f".{name.split('.')[1]}" in READERS}

PLACES = st.integers(0, 1 << 20)
OPERATIONS = st.one_of(
    st.tuples(st.just("cut"), PLACES),
    st.tuples(st.just("flip"), PLACES, st.integers(0, 7)),
    st.tuples(st.just("insert"), PLACES, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("splice"), PLACES, st.sampled_from(sorted(SEEDS)), PLACES, PLACES),
    st.tuples(st.just("repeat"), PLACES, st.integers(1, 40), st.integers(2, 200)),
)


def mutated(data: bytes, operations: Sequence[tuple]) -> bytes:
    for name, place, *more in operations:
        at = place % (len(data) + 1)
        match name, more:
            case "cut", []:
                data = data[:at]
            case "flip", [bit] if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            case "insert", [piece]:
                data = data[:at] + piece + data[at:]
            case "splice", [other, first, length]:
                first %= len(SEEDS[other])
                data = data[:at] + SEEDS[other][first : first + length % 500] + data[at:]
            case "repeat", [length, times]:
                data = data[:at] + data[at : at + length] * times + data[at + length :]
    return data


@pytest.fixture(scope="module")
def pool():
    """A worker: a reader that crashes must not take the tests with it."""
    with WorkerPool(Limits(timeout_s=60, memory_mb=2048, output_mb=64), size=1) as opened:
        yield opened


OURS = ("unexpectedly", "crashed", "took over", "broken reply")


def assert_read_or_refused(name: str, data: bytes, pool: WorkerPool) -> None:
    """Read or refuse for a reason that is the document's, and cut what was read."""
    try:
        document = read_document(name, data, read=pool.read)
    except DocumentError as error:
        assert not [words for words in OURS if words in error.message], error.message
        return
    assert_blocks_partition(document)
    chunks = chunk_document(document, size_chars=600, count_tokens=lambda text: len(text) // 4 + 1, window_tokens=64)
    assert all(document.text[c.span.start : c.span.end].strip() for c in chunks)
    reading = pool.read(name, data)
    assert wire.unpack_reading(json.loads(json.dumps(wire.pack_reading(reading)))) == reading


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_themselves_are_read(name, pool):
    assert read_document(name, SEEDS[name], read=pool.read).blocks


@pytest.mark.parametrize("name", SEEDS)
@bounded(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, min_size=1, max_size=4))
def test_a_damaged_file_is_read_or_refused_with_its_reason(name, pool, operations):
    assert_read_or_refused(name, mutated(SEEDS[name], operations), pool)
    if name == "a.docx":
        assert_read_or_refused(name, changed_inside(SEEDS[name], partial(mutated, operations=operations)), pool)


def nested(depth: int) -> str:
    return "".join("  " * level + "- a\n" for level in range(depth))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quotes.md", "> " * 3000 + "a"),
        ("lists.md", nested(300)),
        ("brackets.md", "[" * 5000 + "a"),
        ("emphasis.md", "*a **b " * 5000),
        ("headings.md", "\n\n".join(f"# Heading {n}\n\ntext" for n in range(3000))),
        ("contents.txt", "\n\n".join("".join(f"Title{n} .... {p}\n" for p in "1234") + "\ntext" for n in range(3000))),
        ("rows.csv", "a\n" * 20_000),
        ("marks.txt", "⁴" * 20_000),
        ("references.txt", "a.[1" * 5000),
        ("numbers.txt", "\n\n".join(f"{n}.1.1.1.1 Title" for n in range(3000))),
    ],
)  # fmt: skip
def test_what_could_nest_backtrack_or_grow_with_the_square_is_read(name, text, pool):
    assert_read_or_refused(name, text.encode(), pool)
