"""The command line as a user meets it: what is printed where, and with which exit code."""

import builtins
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import cyberqa.__main__
from conftest import CORPUS, QUESTION, ROOT, make_pdf, run_cli, working_folder
from cyberqa import render
from cyberqa.index.lock import writer_lock
from test_ask import QUESTIONS, schema

PROGRAM = [sys.executable, "-m", "cyberqa"]


@pytest.fixture
def here(tmp_path, real_index):
    """A working folder in which only the default names are used: ./corpus and ./index, warm."""
    (tmp_path / "corpus").mkdir()
    for file in CORPUS.iterdir():
        (tmp_path / "corpus" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "index" / "cache").mkdir(parents=True)
    cached = real_index / "cache" / "vectors.sqlite"
    (tmp_path / "index" / "cache" / "vectors.sqlite").write_bytes(cached.read_bytes())
    with working_folder(tmp_path):
        yield tmp_path


@pytest.fixture
def real(real_index) -> list[str]:
    return ["--corpus", str(CORPUS), "--index", str(real_index)]


def program(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, **options)


# --- ask -----------------------------------------------------------------------------------------------------


def test_ask_prints_the_passage_its_citation_and_the_answering_sentence(real, capsys):
    assert run_cli("ask", *real, "who", "supported", "ALCIRT", "-k", "1") == 0
    out, err = capsys.readouterr()
    assert "4 State of play in the Western Balkans › 4.1 Albania · line 293" in out
    assert "\n   highlight: ALCIRT, placed under the Prime Minister's authority" in out
    assert (CORPUS / "western-balkans-cybersecurity.txt").read_text("utf-8")[43415:43989] in out
    assert err == ""


def test_ask_json_is_valid_and_alone_on_standard_output(real, capsys):
    assert run_cli("ask", QUESTION, "--json", *real) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), schema("answer"))


def test_options_may_stand_before_or_after_the_command(real, capsys):
    assert run_cli(*real, "ask", QUESTION, "--json") == 0
    before = capsys.readouterr().out
    assert run_cli("ask", "--json", QUESTION, *real) == 0
    assert capsys.readouterr().out == before


def test_the_environment_names_the_folders(real_index, capsys, monkeypatch):
    monkeypatch.setenv("CYBERQA_CORPUS", str(CORPUS))
    monkeypatch.setenv("CYBERQA_INDEX", str(real_index))
    assert run_cli("ask", QUESTION, "--json") == 0
    assert json.loads(capsys.readouterr().out)["index"]["stale"] is False


def test_a_question_comes_from_standard_input(real):
    for arguments in (["-"], []):
        done = program("ask", *arguments, "--json", *real, input="  who supported ALCIRT's creation\n")
        assert json.loads(done.stdout)["question"] == QUESTION


def test_no_question_is_wrong_usage(real):
    done = program("ask", *real, input="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the question is empty" in done.stderr


@pytest.mark.parametrize(
    "question", ["--help me", "-k", "$(echo x) `date` \"quoted\" 'single' \\n", "[bold]x[/bold]", "é\udcff"]
)
def test_odd_questions_are_asked_as_they_are(real, capsys, question):
    code = run_cli("ask", "--json", *real, "--", question)
    body = json.loads(capsys.readouterr().out)
    assert body["question"].encode("utf-8", "replace") == question.encode("utf-8", "replace")
    assert code == {"answered": 0, "not_in_corpus": 3}[body["verdict"]]


def test_what_the_documents_do_not_answer_is_said_above_what_comes_nearest_and_ends_with_3(real, capsys):
    unanswered = "who supported the creation of the national CERT of Iceland"
    assert run_cli("ask", unanswered, *real) == 3
    out, err = capsys.readouterr()
    assert out.startswith("The documents do not seem to answer this (confidence 0.")
    assert "nothing found mentions 'Iceland'" in out.splitlines()[0]
    assert out.splitlines()[0].endswith("What comes nearest:")
    assert out.splitlines()[2].startswith("1. ")
    assert err == ""
    assert run_cli("ask", unanswered, "--markdown", *real) == 3
    refused, _, quoted = capsys.readouterr().out.partition("\n\n")
    assert refused == out.splitlines()[0]
    assert quoted.startswith("> ")


@pytest.mark.parametrize(("least", "code", "verdict"), [("0", 0, "answered"), ("1", 3, "not_in_corpus")])
def test_another_confidence_may_be_asked_for_and_hides_nothing(real, capsys, least, code, verdict):
    plain = run_cli("ask", QUESTION, "--json", *real), json.loads(capsys.readouterr().out)
    assert run_cli("ask", QUESTION, "--json", "--min-confidence", least, *real) == code
    body = json.loads(capsys.readouterr().out)
    assert (plain[0], body["verdict"], body["threshold"]) == (0, verdict, float(least))
    assert (body["confidence"], body["passages"]) == (plain[1]["confidence"], plain[1]["passages"])


def test_markdown_quotes_each_passage_and_cites_it(real, capsys):
    assert run_cli("ask", QUESTION, "--markdown", "-k", "2", *real) == 0
    first, *_ = capsys.readouterr().out.split("\n\n")
    assert first.startswith("> Albania's road towards safer")
    assert first.endswith("(`western-balkans-cybersecurity.txt` 43415:43989)")


def test_page_labels_and_names_are_as_they_are_in_text_and_cannot_mark_up_markdown(session):
    answer = session.ask(QUESTION, 1)
    (passage,) = answer.passages
    labelled = replace(
        passage,
        location=replace(passage.location, page=7, page_label="*x*_[1]"),
        citation=replace(passage.citation, document="a`b``c.txt"),
    )
    assert "page 7 (printed *x*_[1])" in render.cite(labelled)
    markdown = render.answer_markdown(replace(answer, passages=(labelled,)))
    assert r"page 7 (printed \*x\*\_\[1\])" in markdown
    assert "(``` a`b``c.txt ``` 43415:43989)" in markdown


def test_timings_are_shown_on_request_only(real, capsys):
    assert run_cli("ask", QUESTION, "--json", "--timings", *real) == 0
    assert set(json.loads(capsys.readouterr().out)["timings_ms"]) == {"open", "encode", "retrieve", "answer"}
    assert run_cli("ask", QUESTION, "--timings", *real) == 0
    assert "encode" in capsys.readouterr().err


def test_a_missing_index_is_built_first(here, capsys):
    assert run_cli("ask", QUESTION, "--json") == 0
    assert "USAID" in json.loads(capsys.readouterr().out)["passages"][0]["text"]
    assert (here / "index" / "current").is_file()


def test_a_stale_index_answers_and_says_so_in_one_line(here, capsys):
    run_cli("index")
    (here / "corpus" / "new.txt").write_text("Vlora harbour\n\nThe harbour of Vlora was closed in March.\n", "utf-8")
    capsys.readouterr()
    assert run_cli("ask", "harbour of Vlora", "--json") == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["index"]["stale"] is True
    assert "Vlora" in json.loads(out)["missing"]
    assert err.count("\n") == 1
    assert "stale (new.txt)" in err
    assert run_cli("ask", "harbour of Vlora", "--json", "--refresh") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["passages"][0]["citation"]["document"] == "new.txt"
    assert err == ""


# --- batch ---------------------------------------------------------------------------------------------------


def test_batch_gives_the_answers_of_ask_line_for_line(real, tmp_path, capsys):
    lines = [json.dumps({"id": str(n), "question": question}) for n, question in enumerate(QUESTIONS)]
    (tmp_path / "q.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", tmp_path / "run.jsonl", *real) == 0
    written = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text("utf-8").splitlines()]
    assert [entry["id"] for entry in written] == [str(n) for n in range(len(QUESTIONS))]
    for entry, question in zip(written, QUESTIONS, strict=True):
        capsys.readouterr()
        run_cli("ask", "--json", *real, "--", question)
        asked = json.loads(capsys.readouterr().out)
        assert {key: value for key, value in entry.items() if key != "id"} == asked
        jsonschema.validate(entry, schema("answer"))


def test_a_bad_line_of_a_batch_costs_that_line_only(real, tmp_path, capsys):
    lines = [
        '{"id": 1, "question": "NATO"}',
        "{broken",
        '{"id": 3}',
        '{"id": 4, "question": " "}',
        '{"id": 5, "question": "EU"}',
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(lines), "utf-8")
    assert run_cli("batch", tmp_path / "q.jsonl", *real) == 1
    out, err = capsys.readouterr()
    written = [json.loads(line) for line in out.splitlines()]
    assert [entry["schema"] for entry in written] == [
        f"cyberqa.{kind}/1" for kind in ("answer", "error", "error", "error", "answer")
    ]
    assert [entry.get("line") for entry in written] == [None, 2, 3, 4, None]
    assert [entry.get("id") for entry in written] == [1, None, 3, 4, 5]
    for entry in written[1:4]:
        jsonschema.validate(entry, schema("error"))
    assert "q.jsonl, line 2: expected JSON, found '{broken'" in err


def test_a_batch_that_cannot_be_read_or_written_is_named(real, tmp_path, capsys):
    assert run_cli("batch", tmp_path / "nothing.jsonl", *real) == 1
    assert "nothing.jsonl cannot be opened" in capsys.readouterr().err
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "caf\xe9"}\n')
    assert run_cli("batch", tmp_path / "latin.jsonl", *real) == 2
    assert "expected UTF-8" in capsys.readouterr().err
    (tmp_path / "q.jsonl").write_text('{"id": 1, "question": "NATO"}\n')
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", tmp_path / "no" / "run.jsonl", *real) == 1
    assert "run.jsonl cannot be written: there is no folder" in capsys.readouterr().err


# --- index, add, remove --------------------------------------------------------------------------------------


def test_index_says_what_it_did_and_names_what_it_could_not_read(here, capsys):
    (here / "corpus" / "empty.txt").touch()
    (here / "corpus" / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    assert run_cli("index") == 4
    out, err = capsys.readouterr()
    assert out.startswith("5 documents, 468 chunks (5 added, 2 could not be read")
    assert "empty.txt could not be read: it is empty" in err
    assert "broken.pdf could not be read: the PDF is damaged" in err
    (here / "corpus" / "empty.txt").unlink()
    (here / "corpus" / "broken.pdf").unlink()
    assert run_cli("index", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    jsonschema.validate(body, schema("build"))
    assert body["failures"] == {}


def test_add_copies_and_indexes_and_remove_takes_back(here, tmp_path, capsys):
    run_cli("index", "--json")
    before = json.loads(capsys.readouterr().out)["generation"]
    report = tmp_path / "port.pdf"
    report.write_bytes(make_pdf([["The harbour of Vlora was closed in March."]], title="Port report"))
    assert run_cli("add", report) == 0
    assert (here / "corpus" / "port.pdf").read_bytes() == report.read_bytes()
    assert run_cli("add", report) == 0, "the same file again"
    capsys.readouterr()
    run_cli("ask", "harbour of Vlora", "--json")
    first = json.loads(capsys.readouterr().out)["passages"][0]
    assert (first["citation"]["title"], first["location"]["page"]) == ("Port report", 1)
    assert run_cli("remove", "port.pdf", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["generation"], body["removed"]) == (before, ["port.pdf"])
    assert not (here / "corpus" / "port.pdf").exists()


def test_add_overwrites_another_file_only_when_forced(here, tmp_path, capsys):
    (tmp_path / "x").mkdir()
    other = tmp_path / "x" / "albania-cyber-diplomacy.txt"
    other.write_text("Another text altogether.", "utf-8")
    kept = (here / "corpus" / other.name).read_bytes()
    assert run_cli("add", other) == 1
    assert "exists already and is another file\n  add --force" in capsys.readouterr().err
    assert (here / "corpus" / other.name).read_bytes() == kept
    assert run_cli("add", "--force", other) == 0
    assert (here / "corpus" / other.name).read_bytes() == other.read_bytes()


def test_a_file_that_would_be_no_document_is_not_added(here, capsys):
    (here / "README.md").write_text("About.")
    assert run_cli("add", here / "README.md") == 1
    assert "are no documents here" in capsys.readouterr().err


def test_documents_may_be_named_by_their_path(here, capsys):
    run_cli("index")
    capsys.readouterr()
    assert run_cli("show", "./corpus/albania-cyber-diplomacy.txt", "--lines", "1:1") == 0
    assert capsys.readouterr().out.startswith("The role of cyber diplomacy")


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.txt", "expected a file, found nothing"), ("corpus", "found a folder"), ("a.xyz", "type .xyz")],
)
def test_what_cannot_be_added_is_named_and_nothing_is_copied(here, capsys, name, message):
    (here / "a.xyz").write_text("x")
    before = sorted((here / "corpus").iterdir())
    assert run_cli("add", CORPUS / "albania-cyber-diplomacy.txt", name) == 1
    assert message in capsys.readouterr().err
    assert sorted((here / "corpus").iterdir()) == before


def test_nothing_is_copied_or_deleted_while_another_builds(here, tmp_path, monkeypatch):
    (tmp_path / "new.txt").write_text("New\n\nA new text.\n", "utf-8")
    before = sorted(path.name for path in (here / "corpus").iterdir())
    monkeypatch.setenv("CYBERQA_LOCK_TIMEOUT_S", "0")
    with writer_lock(here / "index", 0, print):
        assert run_cli("add", tmp_path / "new.txt") == run_cli("remove", before[0]) == 1
    assert sorted(path.name for path in (here / "corpus").iterdir()) == before


def test_a_mistyped_corpus_is_no_new_one(here, tmp_path, capsys):
    run_cli("index")
    (tmp_path / "new.txt").write_text("New\n\nA new text.\n", "utf-8")
    for arguments in (["add", tmp_path / "new.txt"], ["ask", "who"], ["status"]):
        assert run_cli("--corpus", "corpsu", *arguments) == 1
        assert "corpsu expected, found nothing there" in capsys.readouterr().err
    assert not (here / "corpsu").exists()


def test_hints_name_the_folders_that_were_named(here, capsys):
    assert run_cli("status", "--index", "my index") == 1
    assert "run: cyberqa --index 'my index' index" in capsys.readouterr().err
    (here / "index").rename(here / "other")
    run_cli("index", "--index=other")
    (here / "corpus" / "new.txt").write_text("New\n\nA new text.\n", "utf-8")
    capsys.readouterr()
    run_cli("--index", "other", "ask", QUESTION)
    assert capsys.readouterr().err.endswith("Run: cyberqa --index other index\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "--corpus", ""], "found an empty name"),
        (["index", "--index", "corpus"], "the same folder"),
        (["ask", "who", "--min-confidence", "nan"], "from 0 to 1, found nan"),
    ],
)
def test_options_that_make_no_sense_are_refused(here, capsys, arguments, said):
    assert run_cli(*arguments) == 2
    assert said in capsys.readouterr().err


def test_answers_never_overwrite_their_questions(here, capsys):
    questions = here / "q.jsonl"
    questions.write_text('{"question": "who"}\n', "utf-8")
    assert run_cli("batch", questions, "--output", "q.jsonl") == 2
    assert "take the place of the questions" in capsys.readouterr().err
    assert questions.read_text("utf-8") == '{"question": "who"}\n'


def test_remove_names_the_nearest_document(here, capsys):
    assert run_cli("remove", "albania-diplomacy.txt") == 1
    assert "did you mean 'albania-cyber-diplomacy.txt'?" in capsys.readouterr().err


# --- show, status --------------------------------------------------------------------------------------------


def test_show_prints_the_exact_text(real, capsys):
    whole = (CORPUS / "western-balkans-cybersecurity.txt").read_text("utf-8")
    shown = ["show", "western-balkans-cybersecurity.txt", *real]
    for more, expected in (
        ([], whole),
        (["--span", "43415:43989"], whole[43415:43989]),
        (["--lines", "291:293"], "4.1 Albania\n\n" + whole[43415:43989] + "\n"),
    ):
        assert run_cli(*shown, *more) == 0
        assert capsys.readouterr().out == expected


def test_show_prints_a_page(settings, capsys):
    (settings.corpus / "two.pdf").write_bytes(make_pdf([["Page one."], ["Page two."]]))
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    run_cli("index", *folders)
    capsys.readouterr()
    assert run_cli("show", "two.pdf", "--page", "2", *folders) == 0
    assert capsys.readouterr().out == "Page two."
    assert run_cli("show", "two.pdf", "--page", "3", *folders) == 1
    assert "two.pdf has pages 1 to 2, found --page 3" in capsys.readouterr().err
    assert run_cli("show", "two.pdf", "--lines", "1:1", *folders) == 1
    assert "no lines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nope.txt"], 1, "no document 'nope.txt' in the index"),
        (["diplomacy"], 1, "did you mean 'albania-cyber-diplomacy.txt'?"),
        (["albania-cyber-diplomacy.txt", "--span", "5"], 2, "--span: expected two numbers"),
        (["albania-cyber-diplomacy.txt", "--span", "9:5"], 2, "--span: expected two numbers"),
        (["albania-cyber-diplomacy.txt", "--span", "0:" + "9" * 5000], 2, "--span: expected two numbers"),
        (["albania-cyber-diplomacy.txt", "--span", "0:99999"], 1, "has characters 0 to 3086"),
        (["albania-cyber-diplomacy.txt", "--lines", "0:5"], 2, "--lines: expected two numbers from 1"),
        (["albania-cyber-diplomacy.txt", "--lines", "1:99"], 1, "has lines 1 to 16"),
        (["albania-cyber-diplomacy.txt", "--page", "1"], 1, "has no pages"),
        (["albania-cyber-diplomacy.txt", "--page", "1", "--span", "1:2"], 2, "exclude each other"),
        (["albania-cyber-diplomacy.txt", "--text-sha256", "0" * 64], 1, "expected the text with SHA-256 000"),
    ],
)
def test_show_refuses_in_words(real, capsys, arguments, code, message):
    assert run_cli("show", *arguments, *real) == code
    assert message in capsys.readouterr().err


def test_show_says_when_the_file_has_changed_since(here, capsys):
    run_cli("index")
    file = here / "corpus" / "albania-cyber-diplomacy.txt"
    text = file.read_text("utf-8")
    file.write_text("Changed.", "utf-8")
    capsys.readouterr()
    assert run_cli("show", file.name) == 0
    out, err = capsys.readouterr()
    assert out == text
    assert "has changed since it was indexed" in err
    file.unlink()
    run_cli("show", file.name)
    assert "is no longer in" in capsys.readouterr().err


def test_status_lists_documents_and_keeps_to_its_schema(real, capsys):
    assert run_cli("status", "--json", *real) == 0
    body = json.loads(capsys.readouterr().out)
    jsonschema.validate(body, schema("status"))
    assert [d["document"] for d in body["documents"]] == sorted(p.name for p in CORPUS.glob("*.txt"))
    assert run_cli("status", *real) == 0
    assert "stale       no" in capsys.readouterr().out


# --- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["ask", "x", "--wrong"], 2, "No such option: --wrong"),
        (["ask", "x", "-k", "0"], 2, "0 is not in the range"),
        (["ask", "x", "-k", "many"], 2, "'many' is not a valid int"),
        (["ask", "x", "--json", "--markdown"], 2, "exclude each other"),
        (["show"], 2, "Missing argument"),
        (["--corpus", "nowhere", "--index", "new", "index"], 1, "expected, found nothing there"),
        (["--corpus", "nowhere", "--index", "new", "ask", "x"], 1, "expected, found nothing there"),
        (["--index", "nowhere", "status"], 1, "no index in"),
        (["--index", "nowhere", "show", "x"], 1, "no index in"),
    ],
)
def test_mistakes_are_one_line_with_the_next_command(tmp_path, capsys, arguments, code, message):
    with working_folder(tmp_path):
        assert run_cli(*arguments) == code
        out, err = capsys.readouterr()
        assert message in err
        assert len(err.splitlines()) <= 2
        assert "Traceback" not in err
        assert not (tmp_path / "new").exists()
        if "--markdown" not in arguments and code == 2 and arguments[0] in ("ask", "show"):
            assert run_cli(*arguments, "--json") == code
            out, err = capsys.readouterr()
            jsonschema.validate(json.loads(out), schema("error"))


def test_settings_that_do_not_exist_are_wrong_usage(tmp_path, capsys):
    (tmp_path / "cyberqa.toml").write_text('corpsu = "x"\n')
    with working_folder(tmp_path):
        assert run_cli("status") == 2
    assert "unknown setting 'corpsu'" in capsys.readouterr().err


def test_help_names_every_command_with_an_example(capsys):
    assert run_cli("--help") == 0
    out = capsys.readouterr().out
    commands = ("ask", "batch", "index", "add", "remove", "show", "status", "eval")
    for command in commands:
        assert f"\n  {command} " in out
        assert run_cli(command, "--help") == 0
        assert "Example: cyberqa" in capsys.readouterr().out
    assert run_cli() == 2


def test_version_is_that_of_the_package(capsys):
    import tomllib

    assert run_cli("--version") == 0
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert capsys.readouterr().out == f"cyberqa {version}\n"


# --- streams -------------------------------------------------------------------------------------------------


def test_a_full_disk_and_a_closed_pipe_are_no_traceback(real):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "ask", "x", *real], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    line = f"{sys.executable} -m cyberqa show western-balkans-cybersecurity.txt {' '.join(real)} | head -c 10"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_closed_streams_are_no_traceback(real):
    line = f"{sys.executable} -m cyberqa {' '.join(real)} ask {{}}"
    asked = "who supported ALCIRT creation"
    for arguments, code in (("<&-", 2), ("- <&-", 2), (f"{asked} >&-", 0), (f"{asked} --json > /dev/full", 1)):
        done = subprocess.run(["bash", "-c", line.format(arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == code, arguments
        assert "Traceback" not in done.stderr


def test_a_batch_writes_to_what_is_no_regular_file_and_does_not_replace_it(real, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"id": 1, "question": "NATO"}\n')
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "target.jsonl")
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", "/dev/null", *real) == 0
    assert Path("/dev/null").is_char_device()
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", tmp_path / "link.jsonl", *real) == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "target.jsonl").is_file()
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", tmp_path, *real) == 1


def test_the_oddest_lines_of_a_batch_cost_one_line_each(real, tmp_path, capsys):
    odd = [
        '{"id": NaN, "question": "x"}',
        '{"id": 1e999, "question": "x"}',
        "[" * 100_000,
        '{"id": "\\ud800", "question": "x"}',
    ]
    (tmp_path / "q.jsonl").write_text("\n".join([*odd, '{"id": 5, "question": "NATO"}']), "utf-8")
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", tmp_path / "run.jsonl", *real) == 1
    written = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text("utf-8").splitlines()]
    assert [entry["schema"].split("/")[0] for entry in written] == ["cyberqa.error"] * 4 + ["cyberqa.answer"]


def test_a_disk_without_space_is_said_in_words(settings, monkeypatch, capsys):
    from cyberqa.index import writing

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writing, "_insert_document", full)
    assert run_cli("index", "--corpus", settings.corpus, "--index", settings.index) == 1
    assert "cannot be written (database or disk is full)\n  free some space" in capsys.readouterr().err


def test_removing_a_document_named_twice_removes_it_once(here, capsys):
    run_cli("index")
    assert run_cli("remove", "albania-cyber-diplomacy.txt", "corpus/albania-cyber-diplomacy.txt") == 0
    assert len(list((here / "corpus").glob("*.txt"))) == 4


def on_a_terminal(*arguments: str, columns: int = 80) -> str:
    """Run the program on a pseudo-terminal and return what it shows."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    child = subprocess.Popen([*PROGRAM, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:
            break
    child.wait()
    os.close(master)
    return shown.decode("utf-8")


def test_a_terminal_shows_the_passage_wrapped_with_its_answer_emphasised(real, session):
    shown = on_a_terminal("ask", QUESTION, "-k", "1", *real)
    emphasised = [part.split("\x1b[0m")[0] for part in shown.split("\x1b[1;33m")[1:]]
    first = session.ask(QUESTION).passages[0]
    answer = f"{first.highlight.text} {first.continuation.text}"
    assert "ALCIRT, placed under the Prime Minister's authority, was created in 2011" in answer
    assert " ".join(emphasised).split() == answer.split()
    assert len(first.highlight.text) < len(first.text)
    assert max(len(line) for line in shown.replace("\x1b[1;33m", "").replace("\x1b[0m", "").split("\r\n")) <= 100


def test_no_color_is_obeyed(real, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    master, slave = pty.openpty()
    subprocess.run([*PROGRAM, "ask", QUESTION, "-k", "1", *real], stdin=slave, stdout=slave, stderr=slave, check=False)
    os.close(slave)
    shown = os.read(master, 65536).decode("utf-8")
    assert "ALCIRT, placed" in shown
    assert "\x1b[1;33m" not in shown
    assert "\x1b[36m" not in shown


HOSTILE = (
    "Hostile \x1b[31mreport\x1b[0m\n\nA \u202eright-to-left\u202c trick [bold]with[/bold] \x07 bell and \x9b31m.\n"
)


def test_the_columns_of_a_table_stand_below_each_other_on_a_terminal(real):
    shown = on_a_terminal("ask", "which countries have a national CERT", "-k", "1", *real)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    head, *rows = [line for line in lines if "ALB" in line or line.strip().startswith(("CS/IS", "n-CERT"))]
    at = head.index("MNE")
    assert [row[at : at + 3].strip() for row in rows] == ["+", "+", "+"] and head[at - 2 : at] == "  "


def test_any_end_of_line_is_one_on_a_terminal(settings):
    text = "Report\r\n\r\nThe first line\rThe second line\r\n\r\nand its end.\r\n"
    (settings.corpus / "ends.txt").write_bytes(text.encode())
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    on_a_terminal("index", *folders)
    for arguments in (["show", "ends.txt"], ["ask", "the second line"]):
        assert "\\u000d" not in on_a_terminal(*arguments, *folders)


def test_control_characters_never_reach_a_terminal(settings):
    (settings.corpus / "hostile\x1b[2J.txt").write_text(HOSTILE, "utf-8")
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    indexed = on_a_terminal("index", *folders)
    for arguments in (
        ["ask", "trick", "-k", "1"],
        ["ask", "trick", "--markdown"],
        ["ask", "trick", "--json"],
        ["show", "hostile\x1b[2J.txt"],
        ["status"],
    ):
        shown = on_a_terminal(*arguments, *folders)
        for forbidden in ("\x1b[31m", "\x1b[2J", "\u202e", "\u202c", "\x07", "\x9b"):
            assert forbidden not in shown + indexed
    shown = on_a_terminal("show", "hostile\x1b[2J.txt", *folders)
    assert "\\u202eright-to-left\\u202c trick [bold]with[/bold] \\u0007 bell and \\u009b31m." in shown


def test_a_pipe_gets_the_exact_characters(settings, capsys):
    (settings.corpus / "hostile.txt").write_text(HOSTILE, "utf-8")
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    run_cli("index", *folders)
    capsys.readouterr()
    run_cli("show", "hostile.txt", *folders)
    assert capsys.readouterr().out == HOSTILE


def test_unsafe_characters_are_shown_as_escapes():
    assert render.escape_unsafe("a\x1bb\u202ec\rd\x00\te\n") == "a\\u001bb\\u202ec\\u000dd\\u0000\te\n"


_WORK_BYTES = 200_000  # in the cache's log: the build has read the document, and is at work on it


def test_ctrl_c_ends_with_130_and_leaves_the_index_as_it_was(settings, tmp_path):
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    assert program("index", *folders).returncode == 0
    before = (settings.index / "current").read_text()
    (settings.corpus / "long.txt").write_text(
        "".join(f"Sentence number {n} of a long report.\n\n" for n in range(4000))
    )
    child = subprocess.Popen(
        [*PROGRAM, "index", *folders],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    log = settings.index / "cache" / "vectors.sqlite-wal"
    deadline = time.monotonic() + 60
    while not (log.exists() and log.stat().st_size > _WORK_BYTES) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.strip().endswith("interrupted; what index there was is whole")
    assert (settings.index / "current").read_text() == before


def test_a_name_with_a_line_break_stays_in_its_citation(session):
    answer = session.ask(QUESTION, 1)
    passage = answer.passages[0]
    named = replace(passage, citation=replace(passage.citation, document="a\n\n# Heading\n.txt"))
    for text in (render.cite(named), render.answer_markdown(replace(answer, passages=(named,)))):
        assert "a\\u000a\\u000a# Heading\\u000a.txt" in text
        assert "\n# Heading" not in text


def test_a_title_is_not_said_twice_nor_a_year(session):
    passage = session.ask(QUESTION, 1).passages[0]
    citation = replace(passage.citation, title="Review 2016", section=("Review 2016", "1 Scope"))
    assert render.cite(replace(passage, citation=citation)).startswith("Review 2016 · 1 Scope · line 293 · ")


def test_lines_of_a_page_are_joined_on_a_terminal_and_items_are_not(settings, capsys):
    long = "The attackers encrypted the payroll system of the town and asked for"
    text = (
        f"{long}\na ransom, which it did not pay because it had\n- copies elsewhere that nobody could alter\n1. a plan"
    )
    shown = render._reflowed(text)
    assert len(shown) == len(text)
    assert shown.split("\n") == [f"{long} a ransom, which it did not pay because it had", *text.split("\n")[2:]]


def test_remove_says_what_it_deleted(here, capsys):
    assert run_cli("remove", "albania-cyber-diplomacy.txt") == 0
    assert "cyberqa: albania-cyber-diplomacy.txt deleted\n" in capsys.readouterr().err


def test_what_could_not_be_read_is_shown_with_its_reason(here, capsys):
    (here / "corpus" / "empty.txt").write_bytes(b"")
    assert run_cli("index") == 4
    assert run_cli("show", "empty.txt") == 1
    assert "empty.txt is in the corpus, but could not be read: " in capsys.readouterr().err


def test_batch_writes_to_standard_output_by_its_name(real, here, capsys):
    Path("q.jsonl").write_text('{"id": "1", "question": "who"}\n{"id": true, "question": "who"}\n', "utf-8")
    assert run_cli(*real, "batch", "q.jsonl", "--output", "-", "-k", 1) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["id"] == "1"
    assert "expected an id of text or a whole number, found True" in second["message"]
    assert not Path("-").exists()


def test_a_threshold_that_changes_nothing_is_told(real, capsys):
    assert run_cli(*real, "ask", "--mode", "lexical", "--min-confidence", 0.9, QUESTION) == 0
    assert "--min-confidence changes nothing" in capsys.readouterr().err


def test_what_mends_names_the_folders_too(here, capsys):
    assert run_cli("index") == 0
    (database,) = (here / "index").glob("generations/*/corpus.sqlite")
    database.write_bytes(database.read_bytes()[:-4096])
    capsys.readouterr()
    assert run_cli("verify", "--index", "index") == 5
    assert "run: cyberqa --index index index --rebuild" in capsys.readouterr().out


def test_an_interruption_before_the_command_line_is_there_is_no_traceback(monkeypatch):
    monkeypatch.delitem(sys.modules, "cyberqa.cli")
    whole = builtins.__import__

    def interrupted(name, *rest):
        if name == "cyberqa.cli":
            raise KeyboardInterrupt
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        cyberqa.__main__.main()
    assert ended.value.code == 130
