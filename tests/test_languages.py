"""The language of each document: detected, shown, and said where the model does not cover it."""

import contextlib
import json
import subprocess
import sys

import jsonschema
import pytest

from conftest import FakeEncoder, run_cli
from cyberqa import ingest, languages
from cyberqa.documents import read_document
from cyberqa.documents.language import detect_language, with_language
from cyberqa.embedding import EncoderInfo
from cyberqa.embedding.card import languages_of_card
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import Recipe
from cyberqa.judging.gathering import read_lexicon
from cyberqa.judging.questions import read_question
from cyberqa.session import Session
from cyberqa.types import Metadata
from test_ask import schema

ALBANIAN = (
    "Qeveria miratoi strategjinë kombëtare për sigurinë kibernetike në mars të vitit të kaluar. Ministria ngarkoi"
    " agjencinë me mbikëqyrjen e infrastrukturave kritike dhe me trajnimin e punonjësve të administratës publike."
)
SERBIAN = (
    "Vlada je usvojila nacionalnu strategiju sajber bezbednosti u martu prošle godine. Ministarstvo je poverilo"
    " agenciji nadzor nad kritičnom infrastrukturom i obuku zaposlenih u javnoj upravi."
)
SERBIAN_IN_CYRILLIC = (
    "Влада је усвојила националну стратегију сајбер безбедности у марту прошле године. Министарство је поверило"
    " агенцији надзор над критичном инфраструктуром и обуку запослених у јавној управи."
)
CROATIAN = (
    "Vlada je u ožujku prošle godine usvojila strategiju kibernetičke sigurnosti. Ministarstvo je povjerilo agenciji"
    " nadzor nad kritičnom infrastrukturom i izobrazbu djelatnika javne uprave, uz financijsku potporu Unije."
)
MACEDONIAN = (
    "Владата ја усвои националната стратегија за сајбер безбедност во март минатата година. Министерството ѝ го"
    " довери на агенцијата надзорот над критичната инфраструктура и обуката на вработените."
)
GERMAN = (
    "Die Regierung hat im März des vergangenen Jahres die Strategie für Cybersicherheit beschlossen. Das Ministerium"
    " übertrug der Behörde die Aufsicht über kritische Infrastrukturen und die Schulung der Beschäftigten."
)
ENGLISH = (
    "The government adopted the national cybersecurity strategy in March of last year. The ministry entrusted the"
    " agency with the supervision of critical infrastructure and the training of civil servants."
)


def document(text: str, name: str = "report.txt", metadata: Metadata | None = None):
    return read_document(name, text.encode("utf-8"), metadata)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (ALBANIAN, {"sq"}),
        (SERBIAN, languages.FAMILY),
        (SERBIAN_IN_CYRILLIC, {"sr"}),
        (CROATIAN, languages.FAMILY),
        (MACEDONIAN, {"mk"}),
        (GERMAN, {"de"}),
        (ENGLISH, {"en"}),
    ],
)
def test_a_paragraph_is_enough_to_tell_the_language(text, codes):
    assert detect_language(document(text)) in codes


@pytest.mark.parametrize("text", ["Tirana, 2019.", "Alpha met in 2019.", "12;34;56\n" * 200, "QX-7 ZK-9 VW-3. " * 20])
def test_too_little_text_and_too_much_doubt_have_no_language(text):
    assert detect_language(document(text, "table.csv")) is None


def test_the_running_text_decides_not_the_headings_and_not_the_first_pages_alone():
    foreword = f"{GERMAN}\n\n" * 120  # 24,000 characters
    body = "\n\n".join([ALBANIAN] * 400)
    assert detect_language(document(foreword + body)) == "sq"
    headed = f"# {ENGLISH[:100]}\n\n{MACEDONIAN}\n\n## {ENGLISH[100:190]}\n\n{MACEDONIAN}\n"
    assert detect_language(document(headed, "report.md")) == "mk"


@pytest.mark.parametrize("given", ["sr", "SR", "sr-Cyrl", "sr_RS", "Serbian"])
def test_what_sources_toml_gives_wins_over_what_is_detected(given):
    read = document(ENGLISH, metadata=Metadata(language=given))
    assert with_language(read, "en").language == "sr"


def test_the_card_of_a_model_names_its_languages(tmp_path):
    card = tmp_path / "README.md"
    for front, expected in (
        ("---\nlanguage: en\nlicense: mit\n---\n", ("en",)),
        ("---\nlanguage:\n- multilingual\n- sq\n- no\n---\n# Model\n", ("sq", "no")),
        ("---\nlanguage: multilingual\n---\n", None),
        ("---\nlicense: mit\n---\n", None),
        ("---\nlanguage: [\n---\n", None),
        ("# No front matter\n", None),
    ):
        card.write_text(front, "utf-8")
        assert languages_of_card(str(tmp_path)) == expected
    card.unlink()
    assert languages_of_card(str(tmp_path)) is None
    assert languages_of_card("nobody/has-this-model") is None
    assert languages_of_card("not a name at all") is None


def test_a_model_covers_a_language_that_cannot_be_told_from_one_it_names():
    documents = {"bs": ["a.txt"], "sq": ["b.txt"], "en": ["c.txt"]}
    assert languages.uncovered(documents, ("en", "hr")) == {"sq": ["b.txt"]}
    assert languages.uncovered(documents, ("en-GB", "sr-Latn", "sq")) == {}
    assert languages.uncovered(documents, None) == {}


def test_languages_are_no_part_of_what_an_encoder_is():
    plain = FakeEncoder().info
    told = EncoderInfo(*(getattr(plain, name) for name in EncoderInfo.__slots__[:-1]), languages=("en",))
    assert (told, told.identity) == (plain, plain.identity)
    assert Recipe(told, {}, {}, {}).generation == Recipe(plain, {}, {}, {}).generation


@pytest.fixture
def folders(settings):
    return ["--corpus", str(settings.corpus), "--index", str(settings.index)]


ONE = (
    "cyberqa: raport.txt is in Albanian (sq), which the model all-MiniLM-L6-v2 does not cover; answers from it will be"
    ' poor. Set model to a multilingual one (e.g. model = "paraphrase-multilingual-MiniLM-L12-v2" in cyberqa.toml)\n'
)


def test_index_and_ask_say_in_one_line_what_the_model_does_not_cover(settings, folders, capsys):
    (settings.corpus / "english.txt").write_text(f"Report\n\n{ENGLISH}\n", "utf-8")
    assert run_cli("index", *folders) == 0
    assert capsys.readouterr().err == ""
    (settings.corpus / "raport.txt").write_text(f"Raport\n\n{ALBANIAN}\n", "utf-8")
    assert run_cli("index", *folders) == 0
    assert capsys.readouterr().err == ONE
    assert run_cli("index", "--json", *folders) == 0, "again, with nothing to do"
    out, err = capsys.readouterr()
    body = json.loads(out)
    jsonschema.validate(body, schema("build"))
    assert (body["uncovered"], err) == ({"sq": ["raport.txt"]}, ONE)
    run_cli("ask", "strategjia", "--json", *folders)
    out, err = capsys.readouterr()
    assert err == ONE
    assert json.loads(out)["passages"][0]["citation"]["language"] == "sq"


def test_an_answer_without_documents_that_the_model_does_not_cover_says_nothing_of_them(settings, folders, capsys):
    (settings.corpus / "raport.txt").write_text(f"Raport\n\n{ALBANIAN}\n", "utf-8")
    run_cli("index", *folders)
    capsys.readouterr()
    found, refused = ("where did the alpha team meet", "-k", "1"), ("how is penguin plumage measured", "-k", "1")
    assert run_cli("ask", *found, "--json", *folders) == 0
    assert capsys.readouterr().err == ""
    assert run_cli("ask", *refused, "--json", "--document", "alpha.txt", *folders) == 3
    assert capsys.readouterr().err == ONE, "it may be what would have answered"


def test_several_documents_are_one_line(settings, folders, capsys):
    for name, text in (("a.txt", ALBANIAN), ("b.txt", SERBIAN), ("c.txt", SERBIAN_IN_CYRILLIC), ("d.txt", MACEDONIAN)):
        (settings.corpus / name).write_text(f"Report\n\n{text}\n", "utf-8")
    assert run_cli("ask", "strategija", "-k", "1", *folders) == 0, "it indexes first, and says it once"
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("cyberqa: 4 documents are in ")
    assert "Albanian (sq)" in err
    assert "Macedonian (mk)" in err
    assert "Bosnian/Croatian/Serbian/Montenegrin (sr)" in err


def test_a_model_whose_card_is_silent_is_not_spoken_for(settings):
    (settings.corpus / "raport.txt").write_text(f"Raport\n\n{ALBANIAN}\n", "utf-8")
    encoder = FakeEncoder()
    assert ingest.build_index(settings, encoder=encoder).uncovered == {}
    assert Session.open(settings, encoder).uncovered == {}


def test_status_shows_the_language(settings, folders, capsys):
    (settings.corpus / "raport.txt").write_text(f"Raport\n\n{ALBANIAN}\n", "utf-8")
    run_cli("index", *folders)
    capsys.readouterr()
    assert run_cli("status", *folders) == 0
    assert f"raport.txt  Raport ({len(ALBANIAN) + 9} characters, sq)" in capsys.readouterr().out
    assert run_cli("status", "--documents", *folders) == 0
    assert "    language    Albanian (sq)\n" in capsys.readouterr().out
    assert run_cli("status", "--json", *folders) == 0
    known = {d["document"]: d["language"] for d in json.loads(capsys.readouterr().out)["documents"]}
    assert known == {"alpha.txt": None, "beta.txt": None, "raport.txt": "sq"}


RUSSIAN = (
    "Национальная стратегия кибербезопасности была принята правительством в прошлом году. Новые законы о безопасности"
    " информации приняты парламентом, и министерство обороны создало отдельный центр для защиты сетей и данных граждан."
)


def test_words_are_known_and_completed_as_their_language_has_them(settings):
    """A question is read with English stems where there is an English document, too."""
    (settings.corpus / "english.txt").write_text(f"Report\n\n{ENGLISH}\n", "utf-8")
    (settings.corpus / "russian.txt").write_text(f"Отчёт\n\n{RUSSIAN}\n", "utf-8")
    ingest.build_index(settings, encoder=FakeEncoder())
    with contextlib.closing(Generation.open_current(settings.index)) as generation:
        assert {"en", "ru"} <= generation.contents.languages().keys()
        assert generation.vocabulary.words_beginning("безоп", 5) == ["безопасности"]
        assert "strategy" in [word.casefold() for word in generation.vocabulary.words_beginning("strateg", 5)]
        lexicon = read_lexicon(generation)
        asked = read_question("какие законы приняты", [(0, 5), (6, 12), (13, 20)], lexicon)
        assert [word.is_known for word in asked.words] == [False, True, True]
        assert asked.words[1].weight == lexicon.idf("закон") < asked.words[0].weight == lexicon.highest_idf


def test_a_question_does_not_load_the_detector(settings, folders):
    (settings.corpus / "raport.txt").write_text(f"Raport\n\n{ALBANIAN}\n", "utf-8")
    assert run_cli("index", *folders) == 0
    code = f"import sys; from cyberqa.cli import run; code = run({['ask', 'Raport', *folders]!r}); "
    code += "sys.exit(code or 'py3langid' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ONE)
