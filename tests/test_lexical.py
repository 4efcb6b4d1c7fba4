"""Words: scripts, stems, BM25, typos, phrases, and questions full of anything."""

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import FakeEncoder, bm25_scores
from cyberqa import ingest
from cyberqa.index import lexical, scoring
from cyberqa.index.generation import Generation
from cyberqa.index.postings import PostingsBuilder
from cyberqa.index.scoring import WordScores, _bisect, stands_in
from cyberqa.index.typos import Correction, WordCounter, count_words, nearest, reach_of
from cyberqa.index.words import analysers, fold, folded_words, index_terms, spelled_words
from cyberqa.retrieval import Mode, retrieve
from cyberqa.retrieval.forms import Query, encode_forms
from cyberqa.retrieval.phrases import phrase_matches, quoted_phrases, without_quoted
from cyberqa.retrieval.reading import corrected
from cyberqa.session import Session

# --- scripts and stems ---------------------------------------------------------------------------------------

CYRILLIC = "абвгдђежзијклљмнњопрстћуфхцчџш"
TO_LATIN = dict(zip("абвгдежзијклмнопрстћуфхцчш", "abvgdežzijklmnoprstćufhcčš", strict=True)) | {
    "ђ": "đ", "љ": "lj", "њ": "nj", "џ": "dž",
}  # fmt: skip
SERBIAN = st.text(alphabet=CYRILLIC + CYRILLIC.upper() + " .,-–1ж" + "0\u0301", max_size=60)


def to_latin(text):
    return "".join(TO_LATIN[ch.lower()].capitalize() if ch.isupper() else TO_LATIN.get(ch, ch) for ch in text)


@pytest.mark.parametrize("language", ["sr", "bs", None, "en", "mk"])
@given(SERBIAN)
def test_serbian_has_the_same_terms_in_either_script(language, text):
    assert index_terms(text, language) == index_terms(to_latin(text), language)


@given(st.text(max_size=40))
def test_folded_words_are_folded_already(text):
    once = folded_words(text)
    assert [part for word in once for part in folded_words(word)] == once


def test_letters_typed_without_accents_meet_those_with():
    assert folded_words("Đorđe Ђорђе DJORDJE Ǵorče Ѓорче Љубљана ǈubǉana ŠEŠELJ Шешељ") == [
        *3 * ["djordje"], *2 * ["gjorce"], *2 * ["ljubljana"], *2 * ["seselj"],
    ]  # fmt: skip


def test_russian_stays_itself_and_is_stemmed():
    assert index_terms("российский российская", "ru") == ["российск", "российск"]
    assert folded_words("Щит и меч", "ru") == ["щит", "и", "меч"]
    assert fold("Щит") == ("щит",)  # a letter that Serbian has not: no Serbian word, whatever the document
    assert folded_words("Київ", "uk") == folded_words("КИЇВ", "uk")


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "strategies", "strategy"), ("de", "Gesetzen", "Gesetze"), ("fr", "attaques", "attaque"),
        ("it", "attacchi", "attacco"), ("sr", "закона", "zakonu"), ("hr", "zaštite", "zaštita"),
    ],
)  # fmt: skip
def test_words_are_stemmed_by_their_language(language, one, other):
    assert index_terms(one, language) == index_terms(other, language)
    assert index_terms(one) != index_terms(other)


def test_languages_without_a_stemmer_share_a_way():
    assert analysers([None, "sq", "mk", "en"]) == ((None, False), ("english", False))


# --- BM25 ----------------------------------------------------------------------------------------------------


def bm25(tf: int, df: int, total: int, length: int, mean: float) -> float:
    idf = math.log(1 + (total - df + 0.5) / (df + 0.5))
    return idf * tf * (1.2 + 1) / (tf + 1.2 * (1 - 0.75 + 0.75 * length / mean))


def postings_of(texts: list[str], **options) -> tuple[list[tuple[str, int, int]], np.ndarray]:
    with tempfile.TemporaryDirectory() as folder, PostingsBuilder(Path(folder), **options) as builder:
        for text in texts:
            builder.add(lexical.count_terms(text, None))
        directory = list(builder.write(Path(folder) / "postings.npy"))
        assert [file.name for file in Path(folder).iterdir()] == ["postings.npy"]
        return directory, np.load(Path(folder) / "postings.npy")


def scores_of(texts: list[str], question: str) -> list[float]:
    directory, postings = postings_of(texts)
    found = {term: postings[first : first + count] for term, first, count in directory}
    asked = dict.fromkeys(index_terms(question))
    clauses = [[(found[t], 1.0)] for t in asked if t in found]
    return WordScores([(1.0, clauses)], len(texts)).of(np.arange(len(texts))).tolist()


def test_bm25_is_the_formula():
    texts = ["the law was adopted", "the law of the sea law", "nothing here"]
    mean = (4 + 6 + 2) / 3
    expected = [bm25(1, 2, 3, 4, mean), bm25(2, 2, 3, 6, mean), 0.0]
    assert scores_of(texts, "law") == pytest.approx(expected, rel=1e-6)


def test_a_word_asked_twice_counts_once():
    assert scores_of(["law", "sea"], "law law") == scores_of(["law", "sea"], "law")


@given(st.lists(st.text(alphabet="ab c", max_size=12), min_size=1, max_size=8), st.text(alphabet="ab c", max_size=6))
def test_bm25_is_the_formula_on_any_texts(texts, question):
    counted = [index_terms(text) for text in texts]
    mean = sum(map(len, counted)) / len(counted) or 1.0
    expected = [
        sum(
            bm25(terms.count(t), sum(t in other for other in counted), len(texts), len(terms), mean)
            for t in set(index_terms(question))
            if t in terms
        )
        for terms in counted
    ]
    assert scores_of(texts, question) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_terms_are_folded_stemmed_and_parted_from_footnote_marks():
    assert index_terms("Strategies of KOS-CERT, per force³ Çelësi", "en") == [
        "strategi",
        "of",
        "kos",
        "cert",
        "per",
        "forc",
        "celesi",
    ]


def test_a_word_is_credited_once_a_chunk_by_its_best_spelling():
    postings = np.array([(0, 2.0), (2, 1.0)], lexical.POSTING)
    other = np.array([(0, 3.0), (1, 5.0)], lexical.POSTING)
    scores = WordScores([(1.0, [[(postings, 1.0), (other, 0.5)], [(other, 1.0)]])], 3)
    assert scores.of(np.arange(3)).tolist() == [2.0 + 3.0, 2.5 + 5.0, 1.0]


# --- the best chunks by BM25 ---------------------------------------------------------------------------------


def added_up(texts, chunks: int) -> np.ndarray:
    """BM25 of every chunk by adding every posting of every word: what must come out, to the bit."""
    total = np.zeros(chunks, np.float32)
    for factor, clauses in texts:
        scores = np.zeros(chunks, np.float32)
        for clause in clauses:
            best = np.zeros(chunks, np.float32)
            for postings, weight in clause:
                for row, value in postings:
                    best[row] = max(best[row], value * np.float32(weight))
            scores += best
        total += np.float32(factor) * scores
    return total


@st.composite
def posted(draw, chunks: int):
    """The postings of a term as BM25 might weigh them: the more chunks hold it, the less."""
    rows = sorted(draw(st.sets(st.integers(0, chunks - 1), max_size=chunks)))
    most = lexical.highest_weight(len(rows), chunks)
    shares = draw(st.lists(st.floats(0.3, 0.999), min_size=len(rows), max_size=len(rows)))
    return np.array([(row, share * most) for row, share in zip(rows, shares, strict=True)], lexical.POSTING)


@st.composite
def asked_texts(draw):
    chunks = draw(st.integers(1, 40))
    spelling = st.tuples(posted(chunks), st.sampled_from([1.0, 0.8, 0.6]))
    clauses = st.lists(st.lists(spelling, min_size=1, max_size=2), max_size=5)
    return chunks, draw(st.lists(st.tuples(st.sampled_from([1.0, 0.5]), clauses), min_size=1, max_size=3))


@pytest.mark.parametrize("few", [0, 1000])
@given(case=asked_texts(), k=st.integers(1, 8), data=st.data())
def test_the_best_chunks_are_found_whatever_words_are_left_out_and_scored_to_the_bit(few, case, k, data):
    chunks, texts = case
    allowed = data.draw(st.none() | st.lists(st.booleans(), min_size=chunks, max_size=chunks).map(np.array))
    expected = added_up(texts, chunks)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scoring, "_FEW_CHUNKS", few)
        patched.setattr(scoring, "_POOL", data.draw(st.integers(1, 40)))
        scores = WordScores(texts, chunks)
        leading = scores.leading(k, allowed)
    rows = np.array(data.draw(st.lists(st.integers(0, chunks - 1))), np.int64)
    assert np.array_equal(scores.of(rows), expected[rows])
    ours = expected if allowed is None else np.where(allowed, expected, 0)
    worst_wanted = np.sort(ours)[::-1][: min(k, chunks)][-1]
    assert set(np.flatnonzero((ours >= worst_wanted) & (ours > 0))) <= set(leading.tolist())
    assert (np.diff(leading) > 0).all()
    assert (ours[leading] > 0).all()


def test_words_that_stand_nearly_everywhere_are_not_added_up(monkeypatch):
    """Their postings are the long ones. Here they are poisoned: reading them all would be seen."""
    chunks = 1000
    rare = np.array([(row, 8.0) for row in range(0, 60, 2)], lexical.POSTING)
    common = np.zeros(chunks, lexical.POSTING)
    common["row"], common["weight"] = np.arange(chunks), 1e-4
    common["weight"][-1] = np.inf
    monkeypatch.setattr(scoring, "_FEW_CHUNKS", 0)
    scores = WordScores([(1.0, [[(common, 1.0)], [(rare, 1.0)]])], chunks)
    assert scores.leading(10).tolist() == list(range(0, 60, 2))
    assert scores.leading(40).tolist() == list(range(chunks)), "too few hold the rare word"


@given(st.sets(st.integers(0, 200)), st.lists(st.integers(0, 200), min_size=1))
def test_chunks_are_found_among_postings_by_either_way_of_looking(held, rows):
    postings = np.array([(row, 1.0) for row in sorted(held)], lexical.POSTING)
    expected = [row in held for row in rows]
    assert stands_in(np.array(rows), postings).tolist() == expected
    many = np.repeat(postings, 1)  # a slice with gaps, as it is mapped
    places = _bisect(many["row"], np.array(rows))
    assert places.tolist() == np.searchsorted(np.array(sorted(held), np.uint32), rows).tolist()


# --- a corpus of several languages ---------------------------------------------------------------------------

TEXTS = {
    "english.txt": "The ministry adopted strategies against hackers. The ministry of justice of Albania signed it. "
    "ENISA met on the way to Tirana. Cooperation went on.",
    "german.txt": "Die Strategien der Ministerien wurden beschlossen. Die Gesetze gelten.",
    "serbian.txt": "Влада је усвојила стратегију заштите. Ђорђе Петровић је потписао закон.",
    "unknown.txt": "strategies on the long way to laws",
}
LANGUAGES = {"english.txt": "en", "german.txt": "de", "serbian.txt": "sr"}


@pytest.fixture
def corpus_settings(settings):
    for file in settings.corpus.iterdir():
        file.unlink()
    for name, text in TEXTS.items():
        (settings.corpus / name).write_text(text, "utf-8")
    (settings.corpus / "sources.toml").write_text(
        "".join(f'["{name}"]\nlanguage = "{code}"\n' for name, code in LANGUAGES.items()), "utf-8"
    )
    ingest.build_index(settings, encoder=FakeEncoder())
    return replace(settings, model="fake")


@pytest.fixture
def generation(corpus_settings):
    opened = Generation.open_current(corpus_settings.index)
    yield opened
    opened.close()


def documents_with(generation, question):
    scores = bm25_scores(generation, question, generation.vocabulary.corrections(question))
    return {generation.contents.chunk(int(row)).document for row in np.flatnonzero(scores)}


@pytest.mark.parametrize(
    ("question", "documents"),
    [
        ("adopting", {"english.txt"}),
        ("way", {"english.txt", "unknown.txt"}),
        ("laws", {"unknown.txt"}),
        ("law", set()),  # no stemming where the language is unknown
        ("Gesetzen", {"german.txt"}),
        ("Đorđe", {"serbian.txt"}),
        ("djordje petrovic", {"serbian.txt"}),
        ("ЗАКОНА", {"serbian.txt"}),
        ("zakona", {"serbian.txt"}),
    ],
)
def test_a_word_meets_documents_of_every_language(generation, question, documents):
    assert documents_with(generation, question) == documents


def test_a_spelling_that_was_counted_is_not_counted_again(generation):
    assert np.array_equal(bm25_scores(generation, "strategies strategy"), bm25_scores(generation, "strategies"))


# --- typos ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("minstry", [("ministry", 0.8)]),
        ("lbania", [("Albania", 0.8)]),
        ("ablania", [("Albania", 0.8)]),
        ("Ablania", [("Albania", 0.8)]),
        ("Aalbnia", []),  # two slips, one of them in front
        ("Aalbania", [("Albania", 0.8)]),
        ("mnistry", [("ministry", 0.8)]),
        ("Albnaia", [("Albania", 0.8)]),
        ("cooprtion", [("Cooperation", 0.6)]),
        ("ENSA", [("ENISA", 0.8)]),
        ("ђопђе", [("Ђорђе", 0.8)]),
        ("hacker", []),  # known by its stem
        ("alban", []),  # two slips in a short word
        ("wya", []),
        ("ministr4", []),
        ("AWAY", []),  # an acronym is not mended to a word
    ],
)
def test_what_a_word_may_have_meant(generation, typed, meant):
    found = generation.vocabulary.corrections(f"who {typed}")
    assert [(correction.meant, correction.weight) for correction in found] == meant


def test_a_word_that_the_model_knows_is_no_typo(generation):
    assert generation.vocabulary.corrections("who minstry", {"minstry"}.__contains__) == []


def test_a_short_name_is_not_mended_to_a_common_word():
    known = [("ways", "ways", 9), ("wass", "Wass", 1)]
    assert [c.meant for c in nearest("Wayss", "wayss", known, is_first=False)] == ["Wass"]
    assert [c.meant for c in nearest("Wayss", "wayss", known, is_first=True)] == ["Ways", "Wass"]


def test_at_most_three_are_meant_the_most_frequent_first():
    known = [(f"order{ch}", f"order{ch}", count) for ch, count in zip("abcd", (1, 5, 1, 7), strict=True)]
    assert [c.meant for c in nearest("orderx", "orderx", known, is_first=False)] == ["orderd", "orderb", "ordera"]


def test_a_typo_finds_its_word_and_weighs_less(generation):
    typed, meant = "minstry", "ministry"
    exact = bm25_scores(generation, meant)
    assert bm25_scores(generation, typed, generation.vocabulary.corrections(typed)) == pytest.approx(0.8 * exact)
    assert exact.max() > 0


def test_numbers_and_short_words_may_have_no_slip():
    words = ("2019", "27001a", "law", "laws", "NATO", "EU", "order", "ordering", "ENISAENISA")
    assert [reach_of(word) for word in words] == [0, 0, 0, 0, 1, 0, 1, 2, 1]


def test_known_words_are_written_as_mostly_written():
    texts = [("The Law law law, LAW 2019 a1b2c3 Albania", "en"), ("Закон zakon zakon", "sr"), ("Щит меч", "ru")]
    counter = WordCounter()
    for text, language in texts:
        counter.add(count_words([text]), language)
    assert counter.known_words() == [("albania", "Albania", 1), ("zakon", "zakon", 3)]


def test_a_corrected_question_keeps_all_else():
    corrections = [Correction("minstry", "ministry", 0.8), Correction("minstry", "minister", 0.8)]
    assert corrected("Who, minstry-wise: MINSTRY “minstry”?!", corrections) == (
        "Who, ministry-wise: MINSTRY “ministry”?!"
    )
    assert corrected("e\u0301 as typed", []) == "e\u0301 as typed"


# --- phrases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "phrases"),
    [
        ('who "on the way"', ("on the way",)),
        ("„на путу“ or “on the way” or «la loi»", ("на путу", "on the way", "la loi")),
        ('a 19" rack and a 20" one', ()),
        ('who "on the way', ()),
        ('"" " " "?!"', ()),
    ],
)
def test_what_stands_in_quotes_is_a_phrase(question, phrases):
    assert quoted_phrases(question) == phrases


def test_what_is_quoted_is_not_mended(corpus_settings_once):
    asked = [corpus_settings_once.ask(question).passages[0].score for question in ("minstry", '"minstry"')]
    assert asked[0] > asked[1]
    assert without_quoted('who "on the way" met') == "who   met"


@pytest.mark.parametrize(
    ("phrase", "documents"),
    [
        ("on the way", {"english.txt"}),
        ("the WAY", {"english.txt"}),
        ("way the", set()),
        ("strategy", set()),
        ("strategies", {"english.txt", "unknown.txt"}),
        ("Djordje Petrović", {"serbian.txt"}),
        ("nothing of it", set()),
    ],
)
def test_a_phrase_is_held_word_for_word(generation, phrase, documents):
    held = phrase_matches(generation, [phrase])
    assert {generation.contents.chunk(row).document for row in held} == documents


def test_of_two_phrases_each_counts_its_share(generation):
    shares = phrase_matches(generation, ["on the way", "strategies"])
    found = {generation.contents.chunk(row).document: share for row, share in shares.items()}
    assert found == {"english.txt": 1.0, "unknown.txt": 0.5}


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.LEXICAL])
def test_what_is_quoted_comes_first_and_nothing_is_lost(generation, mode):
    question = "strategies on the long way to laws"
    best, *_ = retrieve(generation, Query(tuple(encode_forms(FakeEncoder(), [question]))), 4, mode)
    assert generation.contents.chunk(best.row).document == "unknown.txt"
    hits = retrieve(generation, Query(tuple(encode_forms(FakeEncoder(), [question + ' "the way to Tirana"']))), 4, mode)
    assert generation.contents.chunk(hits[0].row).document == "english.txt"
    assert {hit.row for hit in hits} >= {best.row}


# --- questions full of anything ------------------------------------------------------------------------------

SIGNS = [*"+-*~^:()[]{}\\/\"“„«»'%_;|&!?<>=", "AND", "OR", "NOT", "NEAR/2", "--", "law", "minstry", '19"']
HOSTILE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(SIGNS), max_size=14).map(" ".join))


@given(question=HOSTILE)
def test_no_question_does_harm(corpus_settings_once, question):
    if question.strip():
        answer = corpus_settings_once.ask(question)
        assert answer.question == question.encode("utf-8", "replace").decode()


@pytest.fixture(scope="module")
def corpus_settings_once(tmp_path_factory):
    from cyberqa.settings import load_settings

    folder = tmp_path_factory.mktemp("hostile")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "a.txt").write_text("The ministry adopted the law. It stands. " * 3, "utf-8")
    settings = load_settings({"corpus": folder / "corpus", "index": folder / "index", "model": "fake"}, environ={})
    encoder = FakeEncoder()
    encoder.count_tokens = lambda text: 2 * len(text.split())  # so that no word counts as known to the model
    ingest.build_index(settings, encoder=encoder)
    with Session.open(settings, encoder) as opened:
        yield opened


def test_operators_are_words_or_nothing(generation):
    plain = bm25_scores(generation, "ministry justice")
    assert np.array_equal(bm25_scores(generation, '+ministry* -"justice"~2 ^3 (){}[]:/\\'), plain)
    assert spelled_words("a:b^c") == ["a", "b", "c"]
