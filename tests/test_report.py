"""How each document was read: told by `index` where a person should know, and by `status --documents` in full."""

import json
from dataclasses import replace

import jsonschema
import pytest

from conftest import FakeEncoder, make_pdf, run_cli
from cyberqa import documents, ingest
from cyberqa.describing import build_notes
from cyberqa.index.generation import Generation
from cyberqa.ingest import cutting
from cyberqa.location import page_ranges
from cyberqa.types import Repair
from test_ask import schema

SCANNED = "pages 2-3 look scanned or have no readable text layer: run OCR, e.g. ocrmypdf"
REPAIRS = (Repair("hyphen", 1, 3), Repair("hyphen", 4, 1), Repair("ligature", 4, 2))


@pytest.fixture
def folders(settings):
    return ["--corpus", str(settings.corpus), "--index", str(settings.index)]


@pytest.fixture
def mended(settings, monkeypatch):
    """A corpus with a PDF of five pages, two of them blank, whose reader reports repairs and a warning."""
    page = ["The harbour of Vlora was closed in March."]
    (settings.corpus / "port.pdf").write_bytes(make_pdf([page, [], [], page, []]))
    (settings.corpus / "old.txt").write_bytes("\ufeffJön\n\nDer Hafen von Vlorë.\n".encode("utf-16-le"))
    (settings.corpus / "sources.toml").write_text(
        '["port.pdf"]\ntitle = "Port report"\npublisher = "Port Authority"\nyear = 2019\n'
        'source = "Press release"\ntags = ["port", "Vlora"]\n'
    )
    make = documents.make_document

    def make_with_repairs(id_, *what):
        found = make(id_, *what)
        return replace(found, repairs=REPAIRS, warnings=(SCANNED,)) if id_ == "port.pdf" else found

    monkeypatch.setattr(cutting, "make_document", make_with_repairs)
    return settings


def status(capsys, *arguments) -> str:
    capsys.readouterr()
    assert run_cli("status", *arguments) == 0
    return capsys.readouterr().out


def test_index_tells_what_a_person_should_know_and_no_more(mended, folders, capsys):
    assert run_cli("index", *folders) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err.splitlines() == [
        "cyberqa: old.txt: read as utf-16-le, not UTF-8",
        f"cyberqa: port.pdf: {SCANNED}",
        f"cyberqa: repaired while reading: hyphen 4, ligature 2; where: cyberqa {' '.join(folders)} status --documents",
    ]


def test_index_tells_it_again_when_nothing_has_changed(mended, folders, capsys):
    run_cli("index", *folders)
    before = capsys.readouterr().err
    assert run_cli("index", "--json", *folders) == 0
    out, err = capsys.readouterr()
    body = json.loads(out)
    jsonschema.validate(body, schema("build"))
    assert body["is_new"] is False
    assert (body["repairs"], body["warnings"]["port.pdf"]) == ({"hyphen": 4, "ligature": 2}, [SCANNED])
    assert err == before


def test_many_warnings_do_not_flood(settings, folders, capsys):
    for number in range(25):
        (settings.corpus / f"{number:02}.txt").write_bytes(f"\ufeffR{number}\n\nA harbour.\n".encode("utf-16-le"))
    assert run_cli("index", *folders) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"cyberqa: 5 more warnings; run: cyberqa {' '.join(folders)} status --documents"


def test_status_documents_tells_all_about_each(mended, folders, capsys):
    run_cli("index", *folders)
    told = status(capsys, "--documents", *folders).split("\n\n")
    stored = Generation.open_current(mended.index).contents.document("port.pdf")
    assert told[-1].rstrip("\n").split("\n") == [
        "  port.pdf",
        "    title       Port report",
        "    publisher   Port Authority",
        "    year        2019",
        "    source      Press release",
        "    tags        port, Vlora",
        "    language    English (en)",
        f"    reader      {stored.reader}",
        "    pages       5 (without text: 2-3, 5)",
        f"    characters  {len(stored.text):,}",
        "    blocks      paragraph 2",
        "    repairs     hyphen 4 on 2 pages, ligature 2 on 1 page",
        f"    warning     {SCANNED}",
    ]
    assert "    encoding    utf-16-le\n" in told[-2] + "\n"


def test_status_alone_stays_one_line_a_document(mended, folders, capsys):
    run_cli("index", *folders)
    told = status(capsys, *folders).splitlines()
    listed = [line for line in told if line.startswith("  ")]
    assert [line.split()[0] for line in listed] == ["alpha.txt", "beta.txt", "old.txt", "port.pdf"]
    assert listed[2].endswith(", utf-16-le, 1 warning)")
    assert told[-1] == f"warnings    to read them: cyberqa {' '.join(folders)} status --documents"
    assert "ocrmypdf" not in "\n".join(told)


def test_status_json_carries_all_and_keeps_to_its_schema(mended, folders, capsys):
    run_cli("index", *folders)
    body = json.loads(status(capsys, "--json", *folders))
    jsonschema.validate(body, schema("status"))
    found = next(d for d in body["documents"] if d["document"] == "port.pdf")
    assert (found["publisher"], found["year"], found["tags"]) == ("Port Authority", 2019, ["port", "Vlora"])
    assert (found["pages"], found["pages_without_text"]) == (5, [2, 3, 5])
    assert found["blocks"] == {"paragraph": 2}
    assert found["repairs"] == [
        {"kind": "hyphen", "count": 4, "pages": 2},
        {"kind": "ligature", "count": 2, "pages": 1},
    ]
    assert found["warnings"] == [SCANNED]


def test_blocks_are_counted_as_they_were_read(settings):
    (settings.corpus / "report.md").write_text("# One\n\nText of it.\n\n# Two\n\n- a\n- b\n\nMore text.\n", "utf-8")
    ingest.build_index(settings, encoder=FakeEncoder())
    generation = Generation.open_current(settings.index)
    assert generation.contents.block_counts("report.md") == {"heading": 2, "list": 1, "paragraph": 2}


def test_pages_are_told_in_short():
    assert page_ranges([]) == ""
    assert page_ranges([1]) == "1"
    assert page_ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


def test_a_build_without_remarks_has_none(settings):
    assert build_notes(ingest.build_index(settings, encoder=FakeEncoder())) == []
