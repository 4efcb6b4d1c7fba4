"""Other names: mined from the documents, given by the user, shipped; and a question asked again with them."""

import json
import re
import subprocess
import sys
import zlib
from itertools import pairwise
from types import SimpleNamespace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import CORPUS, ROOT, FakeEncoder, run_cli
from cyberqa import corpus, ingest
from cyberqa.errors import CorpusError
from cyberqa.index.generation import Generation
from cyberqa.index.glossary import Glossary, pack_glossary
from cyberqa.index.state import changed_files
from cyberqa.names import mining
from cyberqa.names.aliases import Alias, Kind, Origin, is_acronym
from cyberqa.names.collecting import AliasCollector, find_names
from cyberqa.names.expanding import WEIGHTS, Expansions, expand
from cyberqa.names.given import read_aliases
from cyberqa.names.shipped import shipped_aliases
from cyberqa.names.words import key_of, split_words


def mined(text: str) -> list[tuple[str, str]]:
    return [(found.short, found.long) for found in mining.find_definitions(text)]


def collected(*texts: str, groups=None) -> list[Alias]:
    collector = AliasCollector(groups or {})
    for number, text in enumerate(texts):
        collector.add(f"{number}.txt", find_names(text))
    return collector.aliases()


def lookup_in(aliases: list[Alias]):
    return lambda keys: {key: found for key in keys if (found := [alias for alias in aliases if alias.key == key])}


def ask(question: str, *texts: str, groups=None) -> Expansions:
    return expand(question, lookup_in(collected(*texts, groups=groups)))


@pytest.fixture(scope="module")
def of_reports() -> list[Alias]:
    texts = (SimpleNamespace(id=file.name, text=file.read_bytes().decode()) for file in sorted(CORPUS.glob("*.txt")))
    collector = AliasCollector(read_aliases(CORPUS))
    for text in texts:
        collector.add(text.id, find_names(text.text))
    return collector.aliases()


# --- mining --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("staff at Law Enforcement Agencies (LEA) and CERTs", "LEA", "Law Enforcement Agencies"),
        ("the **Instrument contributing to Stability and Peace (IcSP)**⁷⁶, the", "IcSP", None),
        ("the **European Agenda on Security** (EAS)¹³ was", "EAS", "European Agenda on Security"),
        ("Programme for Critical Infrastructure Protection⁵ (PCIP)²²", "PCIP", None),
        ("the US “International Criminal Investigative Training Assistance Program” (ICITAP)", "ICITAP", None),
        ("the Council of\nEurope (CoE)", "CoE", "Council of Europe"),
        ("the Confidence Building Measures (CBMs)", "CBM", "Confidence Building Measures"),
        ("a national CERT (n-CERT), the", "n-CERT", "national CERT"),
        ("the EU's “Enhancing Cyber Security” (ENCYSEC) pilot", "ENCYSEC", "Enhancing Cyber Security"),
        ("The UN System Chief Executives Board for Coordination (CEB) is", "CEB", None),
        ("the **Science for Peace and Security Programme (SPS)", "SPS", "Science for Peace and Security Programme"),
        ("signed the MoU with the NCIRC (NATO Cyber Incident Response Centre) on", "NCIRC", None),
        ("Experts of the United Nations Group of Governmental Experts (UN GGE) met", "UN GGE", None),
        (
            "created the National Agency for Cyber Security (ALCIRT)⁴⁷ as",
            "ALCIRT",
            "National Agency for Cyber Security",
        ),
    ],
)
def test_an_acronym_is_found_where_it_is_explained(text, short, long):
    found = mined(text)
    assert [word for word, _ in found] == [short]
    assert found[0][1] in text.replace("\n", " ")
    assert long in (None, found[0][1])


@pytest.mark.parametrize(
    "text",
    [
        "It was closed. Every agency reported (LEA) twice.",
        "several countries (EU) and",
        "Regulation (EC) no. 460/2004",
        "Western Kentucky University (USA)",
        "the report (see CERT) says",
        "created by many small agencies (RATEL) there",
        "the CERT (CERT) is",
        "the Law Enforcement Agencies Board (LEA) is",
    ],
)
def test_a_bracket_that_explains_nothing_is_left(text):
    assert mined(text) == []


def test_two_acronyms_in_one_bracket_share_the_two_things_before_it():
    assert mined("on cybersecurity and information security (CS/IS) provides") == [
        ("CS", "cybersecurity"),
        ("IS", "information security"),
    ]


def test_a_long_form_does_not_reach_over_the_end_of_a_sentence_or_a_paragraph():
    assert mined("Ask the Law. Enforcement Agencies (LEA)") == []
    assert mined("Law\n\nEnforcement Agencies (LEA)") == []


def test_the_span_of_a_definition_is_both_forms():
    text = "Staff at Law Enforcement Agencies (LEA) and CERTs"
    span = next(mining.find_definitions(text)).span
    assert text[span.start : span.end] == "Law Enforcement Agencies (LEA)"


def test_a_proper_name_without_the_letters_is_kept_only_where_there_is_no_better():
    foreign = "the National Agency for Cyber Security (NACX) and "
    better = "the Northern Area of Cyber Exchange (NACX) too"
    meant = {alias.meant for alias in collected(foreign + better) if alias.word == "NACX"}
    assert meant == {"Northern Area of Cyber Exchange", "National Agency for Cyber Security"}
    foreign = "the Albanian Agency for Cyber Security (NACX) and "
    meant = {alias.meant for alias in collected(foreign + better) if alias.word == "NACX"}
    assert meant == {"Northern Area of Cyber Exchange"}


def test_the_most_frequent_meaning_comes_first_and_is_counted():
    aliases = collected("Board for Cars (BFC). Bank for Cities (BFC).", "the Bank for Cities (BFC)")
    found = [alias for alias in aliases if alias.word == "BFC"]
    assert [(alias.meant, alias.definitions, alias.rank) for alias in found] == [
        ("Bank for Cities", 2, 0),
        ("Board for Cars", 1, 1),
    ]
    assert (found[0].document, found[0].span.start) == ("0.txt", len("Board for Cars (BFC). "))


def test_what_the_reports_explain_is_found_and_stands_where_it_says(of_reports):
    known = {(alias.word, alias.meant) for alias in of_reports if alias.origin is Origin.MINED}
    assert {
        ("LEA", "Law Enforcement Agencies"),
        ("AKCESK", "National Authority for Electronic Certification and Cyber Security"),
        ("KISA", "Korean Internet & Security Agency"),
        ("SEECP PA", "South-East European Cooperation Process Parliamentary Assembly"),
    } <= known | {(alias.word, alias.meant) for alias in of_reports if alias.origin is Origin.GIVEN}
    assert len({short for short, _ in known if is_acronym(short)}) > 80
    for alias in of_reports:
        if alias.origin is Origin.MINED:
            text = (CORPUS / alias.document).read_bytes().decode()[alias.span.start : alias.span.end]
            assert text.endswith(")")
            for name in (alias.word, alias.meant):
                assert f" {key_of(name)} " in f" {key_of(text)} "


@given(st.text(st.sampled_from("aABbC ().,-/&*³\n“’") | st.characters(), max_size=300))
def test_mining_takes_any_text(text):
    for found in mining.find_definitions(text):
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert is_acronym(found.short)


# --- given and shipped ---------------------------------------------------------------------------------------


def test_every_name_of_a_group_leads_to_all_others():
    aliases = collected("nothing", groups={"AKCESK": ("NAECCS", "National Authority")})
    assert {(alias.word, alias.meant, alias.kind) for alias in aliases} == {
        ("AKCESK", "NAECCS", Kind.NAME),
        ("AKCESK", "National Authority", Kind.SHORT),
        ("NAECCS", "AKCESK", Kind.NAME),
        ("NAECCS", "National Authority", Kind.SHORT),
        ("National Authority", "AKCESK", Kind.LONG),
        ("National Authority", "NAECCS", Kind.LONG),
    }


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("A = [", "cannot be read as TOML"),
        ('A = "B"', "expected a list of names, found 'B'"),
        ("A = [1]", "expected a list of names, found [1]"),
        ("A = []", "expected a list of names, found []"),
        ('A = ["…"]', "found '…' with 0"),
        (f'A = ["{"word " * 15}"]', "expected names of 1 to 14 words"),
    ],
)
def test_what_is_wrong_with_aliases_toml_is_named(tmp_path, toml, said):
    (tmp_path / "aliases.toml").write_text(toml, "utf-8")
    with pytest.raises(CorpusError, match=re.escape(said)) as raised:
        read_aliases(tmp_path)
    assert "aliases.toml" in raised.value.message


def test_aliases_toml_may_not_lead_out_of_the_corpus(tmp_path):
    (tmp_path / "elsewhere.toml").write_text('A = ["B"]', "utf-8")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "aliases.toml").symlink_to(tmp_path / "elsewhere.toml")
    with pytest.raises(CorpusError, match="outside the corpus"):
        read_aliases(tmp_path / "corpus")


def test_aliases_toml_makes_the_index_stale_and_another_generation_and_is_no_document(settings):
    first = ingest.build_index(settings, encoder=FakeEncoder())
    (settings.corpus / "aliases.toml").write_text('Tirana = ["the capital city"]\n', "utf-8")
    assert changed_files(settings) == ["aliases.toml"]
    assert "aliases.toml" not in corpus.list_files(settings)
    second = ingest.build_index(settings, encoder=FakeEncoder())
    assert (second.generation != first.generation, second.failures, second.documents) == (True, {}, 2)
    assert [alias.meant for alias in Generation.open_current(settings.index).aliases.find(["tirana"])["tirana"]] == [
        "the capital city"
    ]


def test_aliases_come_back_as_they_were_collected(settings):
    (settings.corpus / "gamma.txt").write_text("Staff at Law Enforcement Agencies (LEA) in Albania. Funding.", "utf-8")
    ingest.build_index(settings, encoder=FakeEncoder())
    files = sorted(settings.corpus.glob("*.txt"))
    collector = AliasCollector({})
    for file in files:
        collector.add(file.name, find_names(file.read_text("utf-8")))
    expected = collector.aliases()
    assert Generation.open_current(settings.index).aliases.all() == expected
    assert {(alias.word, alias.meant) for alias in expected} >= {
        ("LEA", "Law Enforcement Agencies"),
        ("Tirana", "Albania"),
        ("money", "funding"),
    }


def test_only_what_leads_to_words_of_the_corpus_is_kept():
    aliases = collected("Stars over Albania.")
    assert {alias.meant for alias in aliases} == {"Albania"}


def test_everyday_words_that_the_documents_write_themselves_need_no_term():
    assert ask("who gave money", "The funding came.").other_names[0].text == "funding"
    assert ask("who gave money", "The funding came as money.").other_names == ()


def test_what_the_user_gives_and_the_corpus_says_goes_before_what_is_shipped():
    text = "the Extraordinary Union (EU) and the European Union"
    origins = [alias.origin for alias in collected(text, groups={"EU": ("Elite Unit",)}) if alias.word == "EU"]
    assert origins == [Origin.GIVEN, Origin.MINED, Origin.SHIPPED]


def test_what_is_given_keeps_the_place_where_a_document_explains_it():
    text = "the Extraordinary Unit (EXU) met"
    (found,) = [alias for alias in collected(text, groups={"EXU": ("Extraordinary Unit",)}) if alias.word == "EXU"]
    assert (found.origin, found.document, found.definitions) == (Origin.GIVEN, "0.txt", 1)
    assert text[found.span.start : found.span.end] == "Extraordinary Unit (EXU)"


def test_the_table_of_countries_is_what_the_library_says():
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_countries.py", "--print"], capture_output=True, text=True, check=True
    )
    shipped = (ROOT / "src" / "cyberqa" / "names" / "countries.tsv").read_text("utf-8")
    assert made.stdout == shipped, "run: python docs/make_countries.py"


@pytest.mark.parametrize(
    ("word", "country"),
    [
        ("Tirana", "Albania"),
        ("Belgrade", "Serbia"),
        ("Sarajevo", "Bosnia and Herzegovina"),
        ("Zagreb", "Croatia"),
        ("Pristina", "Kosovo"),
        ("Prishtina", "Kosovo"),
        ("Kosovar", "Kosovo"),
        ("Podgorica", "Montenegro"),
        ("Skopje", "Macedonia"),
        ("North Macedonia", "Macedonia"),
        ("Brussels", "EU"),
        ("Swiss", "Switzerland"),
        ("French", "France"),
        ("American", "United States"),
        ("Seoul", "South Korea"),
        ("Chinese", "China"),
        ("Astana", "Kazakhstan"),
    ],
)
def test_country_capital_and_adjective_are_known(word, country):
    assert country in [alias.meant for alias in shipped_aliases() if alias.word == word]


def test_a_glossary_comes_back_as_it_was_packed():
    aliases = [alias for alias in shipped_aliases() if alias.kind is Kind.GLOSSARY]
    glossary = Glossary(pack_glossary(reversed(aliases)))
    assert len(aliases) > 4000
    assert sorted(glossary, key=repr) == sorted(aliases, key=repr)
    ranks: dict[str, list[int]] = {}
    for alias in aliases:
        ranks.setdefault(alias.key, []).append(alias.rank)
    for key, expected in ranks.items():
        assert [alias.rank for alias in glossary.aliases_of(key)] == sorted(expected)
    assert list(glossary.aliases_of("bug")) == list(Glossary(pack_glossary([])).aliases_of("bug law")) == []
    assert list(Glossary(pack_glossary([]))) == []


@pytest.mark.parametrize("packed", [b"", b"no zlib", zlib.compress(b"a")[:-3], zlib.compress(bytes(20_000_000))])
def test_a_glossary_that_no_build_writes_is_refused(packed):
    with pytest.raises(ValueError, match="the glossary is"):
        Glossary(packed)


def test_no_everyday_word_is_its_own_term():
    everyday = [alias for alias in shipped_aliases() if alias.kind in (Kind.GLOSSARY, Kind.BYNAME)]
    assert len(everyday) > 500
    assert [alias for alias in everyday if not alias.key or alias.key == key_of(alias.meant)] == []


def test_names_are_found_in_a_text_without_spaces():
    """Of 200,000 letters: a pattern that is tried at each of them, to the end, would take minutes."""
    assert find_names("Report\n\n" + "x" * 200_000).definitions == []
    assert find_names("see http://example.org/" + "y" * 1000 + " and text").lower_case == ["see", "and", "text"]


# --- a question in other words -------------------------------------------------------------------------------


def test_capital_long_form_and_everyday_words_are_replaced():
    text = "Albania's Law Enforcement Agencies (LEA) have funding."
    found = ask("Who gives the law enforcement agencies in Tirana money?", text)
    assert found.rewritten == "Who gives the LEA in Albania funding?"
    assert [term.reason for term in found.other_names] == [
        f"Law Enforcement Agencies → LEA (0.txt {text.index('Law')})",
        "Tirana → Albania (capital)",
        "money → funding (glossary)",
    ]


def test_an_expansion_weighs_less_than_the_word_itself():
    assert set(WEIGHTS) == set(Kind)
    assert all(0 < weight < 1 for weight in WEIGHTS.values())


def test_a_question_without_other_names_has_one_form():
    assert ask("who founded it?", "Albania") == Expansions("who founded it?", ())


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("what do the LEAs do", ["Law Enforcement Agencies"]),
        ("what do the LEA's staff do", ["Law Enforcement Agencies"]),
        ("over the lea", []),
        ("ABOUT THE LEA", []),
        ("Tirana", ["Albania"]),
        ("tirana", ["Albania"]),
        ("Tiranan", []),
        ("Tirana, Albania", []),
        ("the albanian plan", ["Albania"]),
        ("a polish plan", []),
        ("a Polish plan", ["Poland"]),
        ("the Tirana Convention", []),
        ("the tirana convention", []),
        ("the University of Tirana", []),
        ("Tell us", []),
        ("Tell US firms", ["United States"]),
        ("Tell U.S. firms", ["United States"]),
    ],
)
def test_a_name_counts_where_it_is_meant(question, terms):
    text = "Law Enforcement Agencies (LEA) of Albania, Poland and the United States"
    assert [term.text for term in ask(question, text).other_names] == terms


def test_a_long_form_is_no_longer_found_as_an_acronym_that_is_a_word():
    text = "on information security (IS) and the Working Group (WG). It is here."
    assert [term.text for term in ask("information security", text).other_names] == []
    assert [term.text for term in ask("what IS does", text).other_names] == ["information security"]
    found = ask("the working group", text)
    assert ([term.text for term in found.other_names], found.rewritten) == (["WG"], "the working group")


def test_the_longest_name_wins_and_no_word_counts_twice():
    groups = {"Cyber Board": ("CB1",), "National Cyber Board": ("NCB1",)}
    assert [term.text for term in ask("the National Cyber Board", groups=groups).other_names] == ["NCB1"]


def test_an_acronym_that_no_document_writes_as_a_word_is_known_in_lower_case():
    text = "The Albanian Key Centre (AKCE), the Cyber Alliance for Mutual Progress (CAMP). We camp."
    assert [term.text for term in ask("what is akce", text).other_names] == ["Albanian Key Centre"]
    assert [term.text for term in ask("what is camp", text).other_names] == []
    assert [term.text for term in ask("what is CAMP", text).other_names] == ["Cyber Alliance for Mutual Progress"]


def test_the_issue_s_own_example(of_reports):
    found = expand("What does NAECCS do?", lookup_in(of_reports))
    assert {"AKCESK", "National Authority for Electronic Certification and Cyber Security"} <= {
        term.text for term in found.other_names
    }
    assert "NAECCS → AKCESK (aliases.toml)" in [term.reason for term in found.other_names]


QUESTIONS = st.lists(
    st.sampled_from(["Tirana", "the bloc", "LEAs", "EU", "online safety", "money", "SEECP", "'s", "?", "US", "Kosovo"])
    | st.text(max_size=12),
    max_size=40,
).map(" ".join)


@given(QUESTIONS)
def test_expanding_takes_any_question_and_stays_small(of_reports, question):
    table: dict[str, list[Alias]] = {}
    for alias in of_reports:
        table.setdefault(alias.key, []).append(alias)
    found = expand(question, lambda keys: {key: table[key] for key in keys if key in table})
    assert found.rewritten == question or found.other_names
    assert len(found.other_names) <= 16
    assert all(0 < term.weight < 1 and term.text and term.reason for term in found.other_names)


@given(st.text(max_size=200))
def test_words_lie_in_their_text_in_order(text):
    words = split_words(text)
    assert all(word.start < word.end <= len(text) for word in words)
    assert all(before.end <= after.start for before, after in pairwise(words))


# --- the command ---------------------------------------------------------------------------------------------


@pytest.fixture
def indexed(settings):
    (settings.corpus / "gamma.txt").write_text("Staff.\n\nThe Law Enforcement Agencies (LEA) of Albania.\n", "utf-8")
    (settings.corpus / "aliases.toml").write_text('AKCESK = ["NAECCS"]\n', "utf-8")
    ingest.build_index(settings, encoder=FakeEncoder())
    return "--corpus", settings.corpus, "--index", settings.index


def test_aliases_lists_what_was_mined_and_from_where(indexed, capsys):
    assert run_cli("aliases", *indexed) == 0
    lines = capsys.readouterr().out.splitlines(keepends=True)
    assert "".join(lines[:-1]) == (
        "given by aliases.toml: 1\n"
        "  AKCESK → NAECCS\n"
        "found in the documents: 1\n"
        "  LEA → Law Enforcement Agencies  (gamma.txt, line 3, [12:42])\n"
    )
    assert re.fullmatch(
        r"shipped with cyberqa, for words of this corpus: \d+; to see them: cyberqa aliases --shipped\n", lines[-1]
    )
    assert run_cli("aliases", "--shipped", *indexed) == 0
    assert "  Tirana → Albania  (capital)\n" in capsys.readouterr().out


def test_aliases_as_json_keep_to_their_schema(indexed, capsys):
    assert run_cli("aliases", "--json", *indexed) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, json.loads((ROOT / "docs" / "schema" / "aliases.json").read_text("utf-8")))
    lea = next(alias for alias in found["aliases"] if alias["word"] == "LEA")
    assert (lea["document"], lea["location"]["start"], lea["origin"]) == ("gamma.txt", 12, "corpus")


def test_aliases_without_an_index_fail_with_the_next_step(tmp_path, capsys):
    assert run_cli("aliases", "--index", tmp_path) == 1
    assert f"run: cyberqa --index {tmp_path} index" in capsys.readouterr().err
