"""Questions put to some documents only: by name, and by what sources.toml says of them."""

import json

import numpy as np
import pytest

from conftest import CORPUS, QUESTION, bm25_scores, run_cli, working_folder
from cyberqa.errors import CorpusError, UsageError
from cyberqa.filtering import Condition, matching_documents, parse_filter
from cyberqa.retrieval import BEYOND, Mode, retrieve
from cyberqa.retrieval.forms import Query, encode_forms
from cyberqa.types import Metadata

KNOWN = {
    "2016/balkans.pdf": Metadata("Cybersecurity in the Western Balkans", "DiploFoundation and DCAF", 2016, "en"),
    "2016/strategjia.txt": Metadata("Strategjia", "Këshilli", 2016, "sq", "Article", ("strategy", "Albania")),
    "2021/izvestaj.txt": Metadata("Izveštaj", "DCAF", 2021, "bs", None, ("strategy",)),
    "notes [draft].md": Metadata("Notes"),
}


def matching(*where: str, documents=()) -> list[str]:
    return [id_.split("/")[-1].split(".")[0] for id_ in matching_documents(parse_filter(documents, where), KNOWN)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["year=2016"], ["balkans", "strategjia"]),
        (["year>=2016"], ["balkans", "strategjia", "izvestaj"]),
        (["year > 2016"], ["izvestaj"]),
        (["year<2021"], ["balkans", "strategjia"]),
        (["year<=2015"], []),
        (["year!=2016"], ["izvestaj", "notes [draft]"]),
        (["publisher=dcaf"], ["izvestaj"]),
        (["publisher~dcaf"], ["balkans", "izvestaj"]),
        (["publisher=KE\u0308SHILLI"], ["strategjia"]),
        (["publisher!=DCAF"], ["balkans", "strategjia", "notes [draft]"]),
        (["language=en"], ["balkans"]),
        (["language=Albanian"], ["strategjia"]),
        (["language=sr"], ["izvestaj"]),
        (["tag=Strategy"], ["strategjia", "izvestaj"]),
        (["tags~ban"], ["strategjia"]),
        (["tag!=albania"], ["balkans", "izvestaj", "notes [draft]"]),
        (["title~balkans"], ["balkans"]),
        (["source=article"], ["strategjia"]),
        (["tag=strategy", "year<2020"], ["strategjia"]),
        (["YEAR=2016", "Title~west"], ["balkans"]),
    ],
)
def test_conditions_hold_of_the_documents_that_a_person_would_name(where, expected):
    if expected:
        assert matching(*where) == expected
    else:
        with pytest.raises(CorpusError, match="none of the 4 documents in the index matches year<=2015"):
            matching(*where)


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["balkans.pdf"], ["balkans"]),
        (["2016/balkans.pdf"], ["balkans"]),
        (["*.txt"], ["strategjia", "izvestaj"]),
        (["2016/*"], ["balkans", "strategjia"]),
        (["2016"], ["balkans", "strategjia"]),
        (["2016/"], ["balkans", "strategjia"]),
        (["*.pdf", "izv*"], ["balkans", "izvestaj"]),
        (["notes [draft].md"], ["notes [draft]"]),
    ],
)
def test_a_glob_matches_an_id_its_last_part_or_a_folder(globs, expected):
    assert matching(documents=globs) == expected


def test_a_path_into_the_corpus_names_its_document(tmp_path):
    corpus = tmp_path / "corpus"
    (corpus / "2016").mkdir(parents=True)
    with working_folder(tmp_path):
        for path in ("corpus/2016/balkans.pdf", corpus / "2016" / "balkans.pdf", "corpus/2016/*.pdf"):
            assert matching_documents(parse_filter([str(path)]), KNOWN, corpus) == ["2016/balkans.pdf"]


@pytest.mark.parametrize(
    ("condition", "message", "hint"),
    [
        ("yaer=2016", "unknown field 'yaer'", "did you mean 'year'?"),
        ("colour=red", "unknown field 'colour'", "known fields: language, publisher, source, tag, title, year"),
        ("year~2016", "unknown operator '~' for year", "known operators: =, !=, <, <=, >, >="),
        ("year==2016", "unknown operator '=='", "did you mean '='?"),
        ("publisher>=DCAF", "unknown operator '>=' for publisher", "did you mean"),
        ("year>=MMXV", "expected a year, found 'MMXV'", "for example"),
        ("year", "expected a field, an operator and a value, found 'year'", "in quotes"),
        ("publisher=", "expected a field, an operator and a value", "for example"),
    ],
)
def test_a_condition_that_cannot_be_understood_is_wrong_usage_and_names_the_nearest(condition, message, hint):
    with pytest.raises(UsageError) as caught:
        parse_filter(where=[condition])
    assert message in caught.value.message
    if condition != "publisher>=DCAF":
        assert hint in caught.value.hint


def test_a_condition_reads_back_as_it_was_written():
    assert parse_filter(["*.pdf", "a*"], ["year>=2015", "tag = x y"]).where[1] == Condition("tag", "=", "x y")
    assert str(parse_filter(["*.pdf", "a*"], ["year>=2015"])) == "*.pdf or a* and year>=2015"


# --- retrieval -----------------------------------------------------------------------------------------------

TWO = ["albania-*"]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("question", [QUESTION, "international partners", "⁴⁷"])
def test_a_filter_gives_what_brute_force_gives_over_the_allowed_chunks(session, question, mode):
    """Of a chunk's own signals only BM25 knows of others: it is divided by the best of those that may be found."""
    generation = session.generation
    query = Query(tuple(encode_forms(session._encoder, [question])))
    allowed = generation.contents.chunks_of(session.matching_documents(TWO))
    rows = np.flatnonzero(allowed)
    assert {generation.contents.chunk(int(row)).document for row in rows} == set(session.matching_documents(TWO))
    weight = {Mode.DENSE: 0.0, Mode.LEXICAL: 1.0, Mode.HYBRID: 0.02}[mode]
    bm25 = bm25_scores(generation, question)
    words = weight * bm25 / (bm25[rows].max() or 1.0)
    everywhere = retrieve(generation, query, generation.manifest.chunks, mode)
    assert mode is Mode.LEXICAL or len(everywhere) == generation.manifest.chunks
    beside = ("words", BEYOND)  # what hangs on which other chunks there are
    others = {
        hit.row: hit.score - sum(hit.signals.get(name, 0.0) for name in beside)
        for hit in everywhere
        if allowed[hit.row]
    }
    expected = {row: score + words[row] for row, score in others.items()}
    hits = retrieve(generation, query, 300, mode, allowed)
    assert {hit.row: hit.score for hit in hits} == pytest.approx(expected, abs=3e-6)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_the_nearest_among_the_allowed_are_found_however_far_they_are(session):
    """With more chunks than candidates: taking the nearest of all and dropping the rest would lose them."""
    generation = session.generation
    form = encode_forms(session._encoder, [QUESTION])[0]
    far = generation.vectors.nearest_rows(form.vector, generation.manifest.chunks)[-7:]
    allowed = np.zeros(generation.manifest.chunks, np.bool_)
    allowed[far] = True
    assert list(generation.vectors.nearest_rows(form.vector, 5, allowed)) == list(far[:5])
    assert list(generation.vectors.nearest_rows(form.vector, 200, allowed)) == list(far)
    assert {hit.row for hit in retrieve(generation, Query((form,)), 7, Mode.DENSE, allowed)} == set(far)
    assert {hit.row for hit in retrieve(generation, Query((form,)), 5, Mode.DENSE, allowed)} < set(far)


def test_an_allowed_everything_changes_nothing(session):
    plain = session.ask(QUESTION, k=50)
    assert session.ask(QUESTION, k=50, documents=["*"]).passages == plain.passages


# --- the command line ----------------------------------------------------------------------------------------


@pytest.fixture
def real(real_index) -> list[str]:
    return ["--corpus", str(CORPUS), "--index", str(real_index)]


def asked(capsys, *arguments) -> set[str]:
    assert run_cli("ask", QUESTION, "--json", "-k", "9", "--min-confidence", "0", *arguments) == 0
    return {p["citation"]["document"] for p in json.loads(capsys.readouterr().out)["passages"]}


def test_ask_answers_from_the_documents_that_match_only(real, capsys):
    western = {"western-balkans-cybersecurity.txt"}
    assert asked(capsys, *real, "--document", "western*") == western
    assert asked(capsys, *real, "--document", str(CORPUS / "western-balkans-cybersecurity.txt")) == western
    assert asked(capsys, *real, "--where", "year>=2015") == western
    assert asked(capsys, *real, "--where", "publisher~dcaf", "--where", "year=2016") == western
    named = {"albania-cyber-diplomacy.txt", "albania-international-partners.txt"}
    assert asked(capsys, *real, "--document", "*diplomacy*", "--document", "*partners*") == named
    assert asked(capsys, *real, "--where", "tag=strategy") == {"albania-strategy-planning-seminar.txt"}


def test_the_door_takes_the_same_filters(session):
    for passage in session.ask("cyber", documents="*diplomacy*", where="tag=Albania").passages:
        assert passage.citation.document == "albania-cyber-diplomacy.txt"


def test_nothing_that_matches_is_an_error_that_says_what_would(real, capsys):
    assert run_cli("ask", "NATO", "--where", "publisher=DCAF", *real) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "none of the 5 documents in the index matches publisher=DCAF" in err
    assert "did you mean --where 'publisher~DCAF'?" in err
    assert run_cli("ask", "NATO", "--document", "*.docx", "--json", *real) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["code"] == "corpus"
    assert f"what is known of each: cyberqa {' '.join(real)} status --documents" in err


def test_a_mistake_in_a_filter_is_told_before_an_index_is_built(settings, capsys):
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    for command in (["ask", "x"], ["batch", "-"]):
        assert run_cli(*command, "--where", "yaer>2000", *folders) == 2
        assert "did you mean 'year'?" in capsys.readouterr().err
        assert run_cli(*command, "--document", "", *folders) == 2
    assert not settings.index.exists()


def test_batch_agrees_with_ask_under_a_filter_and_fails_once(real, tmp_path, capsys):
    (tmp_path / "q.jsonl").write_text('{"id": 1, "question": "NATO"}\n{"id": 2, "question": "EU"}\n', "utf-8")
    chosen = ["--document", "*profiles*", "--where", "language=en"]
    assert run_cli("batch", tmp_path / "q.jsonl", *chosen, *real) == 0
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for entry, question in zip(written, ("NATO", "EU"), strict=True):
        run_cli("ask", question, "--json", *chosen, *real)
        assert {k: v for k, v in entry.items() if k != "id"} == json.loads(capsys.readouterr().out)
        assert {p["citation"]["document"] for p in entry["passages"]} == {"cyber-capacity-building-profiles.txt"}
    assert run_cli("batch", tmp_path / "q.jsonl", "--output", tmp_path / "run", "--where", "year>2020", *real) == 1
    assert capsys.readouterr().err.count("none of the 5 documents") == 1
    assert not (tmp_path / "run").exists()
