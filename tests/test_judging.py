"""What is highlighted, what speaks for and against a passage, and how sure that makes us: all computable by hand."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import FakeEncoder
from cyberqa import ingest
from cyberqa.evaluation import fitting
from cyberqa.index.capitals import NO_CAPITALS, CapitalCounter, Capitals, count_spellings
from cyberqa.index.generation import Generation
from cyberqa.index.lexical import index_terms
from cyberqa.judging import calibration
from cyberqa.judging.calibration import Calibration, PassageModel
from cyberqa.judging.coverage import cover, stands_in
from cyberqa.judging.highlighting import MAX_CHARS, PRICE, choose_rows, choose_window, sentence_maxima
from cyberqa.judging.instances import counts, holds_kind, years_in
from cyberqa.judging.kinds import AskedKind, asked_kind
from cyberqa.judging.missing import missing_text, missing_words
from cyberqa.judging.questions import Question, read_question
from cyberqa.judging.signs import SIGNS, Exhibit, Judged, Signs, judge
from cyberqa.judging.standing import held_stems, initials_of
from cyberqa.judging.words import Lexicon, Word, WordKind, is_place, places_in, places_of, read_words
from cyberqa.types import Span

COUNTRIES = (("albania", "albanian", "tirana"), ("malta", "maltese", "valletta"), ("bosnia and herzegovina", "bosnian"))
PLACES = places_of(COUNTRIES) | {"us": ("american",), "american": ("us",)}
CAPITALS = {
    "alcirt": Capitals(1.0, True),
    "usaid": Capitals(1.0, True),
    "kim": Capitals(0.0, True),
    "lee": Capitals(1, True),
}
FREQUENCIES = {
    "creation": 40,
    "support": 50,
    "alcirt": 3,
    "albania": 30,
    "polish": 2,
    "law": 20,
    "agenc": 10,
    "enforc": 5,
}
LEXICON = Lexicon(
    stems=index_terms,
    frequency=lambda stem: FREQUENCIES.get(stem, 0),
    word_frequency=lambda word: {"законы": 4}.get(word, 0),
    begins=lambda beginning: any(word.startswith(beginning) for word in FREQUENCIES),
    chunks=100,
    capitals=lambda word: CAPITALS.get(word, NO_CAPITALS),
    places=PLACES,
    all_places=lambda: PLACES | {"swedish": ("sweden",)},
)


def offsets(question: str) -> list[tuple[int, int]]:
    """One token a word, between two special ones."""
    return [(0, 0), *((m.start(), m.end()) for m in re.finditer(r"\w+", question)), (0, 0)]


def read(question: str, **more) -> Question:
    return read_question(question, offsets(question), LEXICON, **more)


def words(question: str, **more) -> dict[str, WordKind]:
    return {word.text: word.kind for word in read(question, **more).words}


def exhibit(
    *sentences: str,
    question: str = "",
    section=(),
    header="",
    around: str = "",
    nearness: float = 0.5,
    alike: float = 0.0,
):
    tokens = len(offsets(question))
    return Exhibit(
        "Title\n", sentences, 0, 0, section, header, around, nearness,
        np.zeros(tokens, np.float32), np.full((len(sentences), tokens), alike, np.float32),
    )  # fmt: skip


def signs_of(question: str, *sentences: str, **more) -> Signs:
    return judge(read(question), exhibit(*sentences, question=question, **more), LEXICON).signs


# --- the highlight -------------------------------------------------------------------------------------------

EVEN = [Span(0, 100), Span(100, 200), Span(200, 300), Span(300, 400)]
ONES = np.ones(2, np.float32)


def maxima(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_the_sentence_that_covers_most_is_chosen():
    assert choose_window(maxima((0.2, 0.2), (0.9, 0.9), (0.2, 0.3), (0, 0)), ONES, EVEN) == (1, 1)


def test_a_neighbour_is_taken_where_it_covers_another_token():
    assert choose_window(maxima((0.9, 0.0), (0.0, 0.9), (0, 0), (0, 0)), ONES, EVEN) == (0, 1)


def test_a_neighbour_is_left_where_it_adds_less_than_its_length_costs():
    added = PRICE * 0.1  # x thousands of characters
    assert choose_window(maxima((0.9, 0.5), (0.0, 0.5 + 2 * added - 0.001)), ONES, EVEN[:2]) == (0, 0)
    assert choose_window(maxima((0.9, 0.5), (0.0, 0.5 + 2 * added + 0.003)), ONES, EVEN[:2]) == (0, 1)


def test_rare_tokens_count_more_than_common_ones():
    rows = maxima((0.9, 0.0), (0.0, 0.5))
    apart = [Span(0, 10), Span(590, 700)]  # too far from each other to be shown together
    assert choose_window(rows, np.array([1, 1], np.float32), apart) == (0, 0)
    assert choose_window(rows, np.array([0.1, 1], np.float32), apart) == (1, 1)


def test_a_window_never_has_four_sentences_nor_goes_over_its_length():
    every = maxima((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
    assert choose_window(every, np.ones(4, np.float32), EVEN) == (0, 2)
    long = [Span(0, 200), Span(201, MAX_CHARS + 1)]
    assert choose_window(maxima((0.9, 0), (0, 0.9)), ONES, long) == (0, 0)


def test_a_single_long_sentence_is_shown_whole():
    assert choose_window(maxima((0.9, 0.9)), ONES, [Span(0, 5 * MAX_CHARS)]) == (0, 0)


def test_a_colon_takes_the_items_after_it():
    rows = maxima((0.9, 0.9), (0, 0), (0, 0), (0, 0))
    assert choose_window(rows, ONES, EVEN) == (0, 0)
    assert choose_window(rows, ONES, EVEN, introduces=[0]) == (0, 3)
    first_item = maxima((0.9, 0), (0, 0.9), (0, 0), (0, 0))
    assert choose_window(first_item, ONES, EVEN) == (0, 1)
    assert choose_window(first_item, ONES, EVEN, introduces=[0]) == (0, 3)


def test_a_question_without_weight_gets_the_shortest_sentence():
    assert choose_window(maxima((0, 0), (0, 0)), np.zeros(2, np.float32), [Span(0, 50), Span(51, 60)]) == (1, 1)


def test_maxima_are_of_the_tokens_of_each_sentence_and_of_what_stands_in_front():
    numbers = np.array([-1, 0, 0, 1, 1])
    cosines = np.array([[0.8], [0.1], [0.3], [0.2], [0.6]], np.float32)
    front, inside = sentence_maxima(cosines, numbers, 2)
    assert front.tolist() == pytest.approx([0.8])
    assert inside.ravel().tolist() == pytest.approx([0.3, 0.6])


@given(st.integers(1, 8), st.integers(1, 5), st.randoms(use_true_random=False))
def test_a_window_lies_in_the_passage_whatever_the_figures(sentences, tokens, random):
    rows = np.array([[random.random() for _ in range(tokens)] for _ in range(sentences)], np.float32)
    spans = [Span(n * 200, n * 200 + random.randint(1, 199)) for n in range(sentences)]
    weights = np.array([random.random() for _ in range(tokens)], np.float32)
    first, last = choose_window(rows, weights, spans, {random.randrange(sentences)})
    assert 0 <= first <= last < sentences
    assert first == last or spans[last].end - spans[first].start <= MAX_CHARS


# --- words ---------------------------------------------------------------------------------------------------


def test_names_are_told_by_the_corpus_where_the_question_has_no_capitals():
    assert words("who supported alcirt's creation in 2011") == {
        "supported": WordKind.PLAIN,
        "alcirt": WordKind.NAME,
        "creation": WordKind.PLAIN,
        "2011": WordKind.NUMBER,
    }


def test_a_first_word_needs_more_than_its_capital_to_be_a_name():
    assert words("Supporters of Zebra")["Supporters"] is WordKind.PLAIN
    assert words("Supporters of Zebra")["Zebra"] is WordKind.NAME
    assert words("ALCIRT creation")["ALCIRT"] is WordKind.NAME


def test_a_shouted_question_is_all_capitals_and_no_names():
    assert words("WHO SUPPORTED ALCIRT'S CREATION") == {
        "SUPPORTED": WordKind.PLAIN,
        "ALCIRT": WordKind.NAME,
        "CREATION": WordKind.PLAIN,
    }


def test_a_place_of_several_words_is_one_word_and_answers_to_its_other_names():
    (word,) = read("Bosnia and Herzegovina").words
    assert (word.text, word.kind) == ("Bosnia and Herzegovina", WordKind.NAME)
    assert stands_in(word, set(index_terms("the Bosnian police")))


def test_the_people_of_a_place_are_that_place():
    assert places_in("the Americans and Albanians", LEXICON) == {"american", "us", "albanian", "albania", "tirana"}


def test_us_is_a_place_and_us_in_small_letters_is_not():
    assert places_in("the US budget", LEXICON) == {"us", "american"}
    assert places_in("tell us", LEXICON) == set()


def test_a_common_word_of_the_corpus_is_no_place():
    lexicon = replace(LEXICON, places={"polish": ("poland",)})
    assert not is_place("polish", lexicon)  # the corpus has it, in small letters
    assert is_place("Polish", lexicon)
    assert is_place("malta", LEXICON)  # the corpus has it not at all


def test_weights_are_idf_and_tokens_are_those_of_the_word():
    creation = read("the creation").words[0]
    assert creation.weight == pytest.approx(math.log(1 + (100 - 40 + 0.5) / (40 + 0.5)))
    assert creation.tokens == (2,)


def test_a_correction_stands_for_what_was_typed():
    typed = read_words("inititive", offsets("inititive"), LEXICON, corrections={"inititive": "initiative"})
    assert typed[0].text == "inititive"
    assert stands_in(typed[0], set(index_terms("an initiative")))


def test_forms_meet_in_both_directions():
    forms = [("LEA", "law enforcement agencies")]
    long_text = set(index_terms("the law enforcement agencies met"))
    assert stands_in(read("what is LEA", abbreviations=forms).words[0], long_text)
    asked = read("law enforcement agencies", abbreviations=forms)
    assert cover(asked, np.zeros(5, np.float32), {"lea"}, [frozenset()] * 3).tolist() == [1, 1, 1]
    assert cover(asked, np.zeros(5, np.float32), {"law"}, [frozenset()] * 3).tolist() == [1, 0, 0]


def test_endings_of_names_do_not_count_but_other_words_do():
    word = Word("Albanian", Span(0, 8), WordKind.NAME, 1.0, (frozenset({"xyz"}),), ())
    assert stands_in(word, {"albania"})
    geneva = Word("Geneva", Span(0, 6), WordKind.NAME, 1.0, (frozenset({"geneva"}),), ())
    assert not stands_in(geneva, {"general"})


def test_initials_are_those_of_words_with_capitals_and_small_words_between():
    text = "the World Summit on the Information Society, and the Internet Governance Forum met"
    assert initials_of(text) == ("WSIS", "IGF")
    assert initials_of("World Summit that met. Information Society") == ()


def test_an_acronym_stands_where_its_words_do():
    words = read("WSIS").words
    assert stands_in(words[0], held_stems("the World Summit on the Information Society", words, LEXICON))
    assert not stands_in(words[0], held_stems("the World Summit on Information", words, LEXICON))


def test_names_that_a_text_runs_together_stand_in_it():
    words = read("the Republika Srpska").words
    assert all(stands_in(word, held_stems("only in RepublikaSrpska.", words, LEXICON)) for word in words)


def test_the_name_in_a_compound_is_enough():
    (word,) = read("Tirana-based").words
    assert stands_in(word, set(index_terms("in Albania")))
    (word,) = read("South-Eastern").words
    assert not stands_in(word, set(index_terms("in the South")))


def test_what_is_named_after_a_town_is_not_there():
    assert places_in("the Valletta Declaration", LEXICON) == set()


def test_a_place_that_stands_for_more_than_itself_is_held_against_nobody():
    assert read("Malta's plan").places == {"malta", "maltese", "valletta"}
    assert read("Malta's plan", abbreviations=[("Malta", "European Union")]).places == set()


def test_a_name_that_two_places_share_has_the_others_of_both():
    assert places_of([("Congo", "Brazzaville"), ("Congo", "Kinshasa")])["congo"] == ("brazzaville", "kinshasa")


# --- kinds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "kind", "holds", "lacks"),
    [
        ("How much did it cost?", AskedKind.AMOUNT, "It cost EUR 5.", "It was dear."),
        (
            "How many took part?",
            AskedKind.NUMBER,
            "Some 15 took part.",
            "In 2015 many did, see Article 7 and ISO 27001.",
        ),
        ("When did it start?", AskedKind.DATE, "It began in 2011.", "It began early."),
        ("Who is the head of it?", AskedKind.ROLE, "Its head is Kim Lee.", "Its head is on the National Council."),
        ("Who chairs it?", AskedKind.ROLE, "It is chaired by the UN Secretary-General.", "It is chaired."),
        ("Which European country helped?", AskedKind.COUNTRY, "It was helped by Malta.", "It was helped by the OSCE."),
        ("Which government pays?", AskedKind.COUNTRY, "The Swedish government pays.", "The government pays."),
        ("In which town was it held?", AskedKind.PLACE, "It met in Žabljak.", "It met in autumn."),
        ("Who supported it?", AskedKind.PERSON, "It was helped by the OSCE.", "It was helped by nobody."),
        ("Where was it held?", AskedKind.PLACE, "It met in Žabljak.", "It met in autumn."),
        ("Where does it have its seat?", AskedKind.PLACE, "Its seat is Žabljak.", "Its seat is modern."),
        ("How long did it last?", AskedKind.DURATION, "It went on for three months.", "It went on."),
        ("How often does it meet?", AskedKind.FREQUENCY, "It meets twice a year.", "It meets in June."),
        ("How often is it?", AskedKind.FREQUENCY, "It is every two years.", "It is in June."),
        ("How long is it valid?", AskedKind.DURATION, "It is valid until revoked.", "It is valid."),
        ("When did it begin?", AskedKind.DATE, "It began in 471.", "It cost about 200,000 of them."),
        ("How many came?", AskedKind.NUMBER, "One came.", "No one came."),
        ("Could someone tell me when it started?", AskedKind.DATE, "In 2011.", "Early."),
        ("What was its total budget?", AskedKind.AMOUNT, "It had EUR 5.", "It had means."),
        ("At what age may they join?", AskedKind.NUMBER, "From fourteen on.", "From youth on."),
        ("Number of members", AskedKind.NUMBER, "It has 34 members.", "It has members."),
        ("In which century was it?", AskedKind.DATE, "It was in the nineteenth century.", "It was in a later one."),
        ("When was it?", AskedKind.DATE, "It ruled from 471 on.", "It ruled 471 people, 20 of them old."),
        ("Which ministry pays?", AskedKind.PERSON, "It is paid by the MoD.", "It is paid by a ministry."),
        ("When and where was it?", AskedKind.DATE, "In May.", "In Žabljak."),
    ],
)
def test_what_is_asked_for_is_seen_where_it_is_and_missed_where_it_is_not(question, kind, holds, lacks):
    assert asked_kind(question) is kind
    assert holds_kind(holds, kind, frozenset(), LEXICON)
    assert not holds_kind(lacks, kind, frozenset(), LEXICON)


def test_what_the_question_says_itself_is_no_answer():
    assert not holds_kind("It was in 2015.", AskedKind.DATE, frozenset({"2015"}), LEXICON)


def test_a_place_by_any_name_of_the_questions_is_no_answer():
    asked = frozenset({"tirana"})
    assert not holds_kind("Albania helped.", AskedKind.COUNTRY, asked, LEXICON)
    assert holds_kind("Albania and Malta helped.", AskedKind.COUNTRY, asked, LEXICON)


@pytest.mark.parametrize(
    "question",
    [
        "Why did it fail?",
        "What goes wrong when they overlap?",
        "What do those who joined have in common?",
        "What must partner states do?",
        "What are the laws in place where it works?",
        "Does it say who pays?",
        "Where are the files stored?",
        "When is an emergency declared?",
        "When should it be used?",
        "Who may join?",
        "How much influence has it?",
        "What do market apologists say what a government is?",
        "What state decoration did she get?",
        "What information do member states share?",
        "What is mass surveillance?",
        "What is the cost-benefit analysis?",
        "How far does the mandate extend?",
        "When is the use of force lawful?",
        "When and how should incidents be reported?",
        "Can you tell me when a famine is declared?",
        "How do I keep it up to date",
        "What general principles apply?",
        "Which state secrets were leaked?",
    ],
)
def test_nothing_in_particular_is_asked_for(question):
    assert asked_kind(question) is None


def test_a_polite_question_is_read_as_the_question_it_is():
    assert asked_kind("Can you tell me when it started?") is AskedKind.DATE
    assert asked_kind("Do you know when it was started?") is AskedKind.DATE
    assert asked_kind("Could you say which country helped?") is AskedKind.COUNTRY


def test_a_footnotes_mark_hides_no_year():
    assert years_in("in 2012¹²⁷, the 2010s, 20145 and 2016-17") == {"2012", "2016"}


def test_what_a_number_counts_stands_behind_it():
    assert counts("some 30 young professionals", frozenset(index_terms("professionals")), LEXICON)
    assert not counts("professionals, some 30", frozenset(index_terms("professionals")), LEXICON)


# --- signs -------------------------------------------------------------------------------------------------

ASKED = "Who supported the creation of ALCIRT?"


def test_a_passage_that_says_it_in_the_same_words_has_nothing_against_it():
    found = signs_of(ASKED, "The creation of ALCIRT was supported by USAID.")
    assert found == Signs(remote=0.0, unknown=0.0, attribute=1.0, names=0.0, place=0.0, year=0.0, kind=0.0)


def test_names_is_the_share_of_weight_that_is_lacking():
    weights = {word.text: word.weight for word in read(ASKED).words}
    found = signs_of(ASKED, "The creation of it was supported by the USAID.")
    assert found.names == pytest.approx(-weights["ALCIRT"] / sum(weights.values()))


def test_a_name_that_only_the_passage_before_has_counts_in_part():
    alone = signs_of(ASKED, "The creation was supported by USAID.").names
    nearby = signs_of(ASKED, "The creation was supported by USAID.", around="ALCIRT is a team.").names
    assert nearby == pytest.approx(alone * (1 - 0.6))


def test_attribute_wants_the_plain_words_in_one_sentence():
    together = signs_of("creation support", "A creation with support.", "Else.")
    scattered = signs_of("creation support", "A creation.", "Its support.")
    assert together.attribute == 1.0
    weights = [word.weight for word in read("creation support").words]
    assert scattered.attribute == pytest.approx(max(weights) / sum(weights))


def test_a_plain_word_may_be_meant():
    assert signs_of("creation", "Founding.", alike=0.9).attribute == pytest.approx(0.9)
    assert signs_of("creation", "Founding.", alike=0.1).attribute == 0.0


def test_a_passage_on_another_country_is_elsewhere():
    assert signs_of("the law of Malta", "The law of Albania.").place == -1.0
    assert signs_of("the law of Malta", "The law.", section=["Albania"]).place == -1.0
    assert signs_of("the law of Malta", "The law of Valletta and Albania.").place == 0.0
    assert signs_of("the law of Malta", "The law.").place == 0.0


def test_kind_is_held_against_a_passage_as_far_as_it_is_on_the_subject():
    question = "When was ALCIRT created?"
    assert signs_of(question, "ALCIRT was created.").kind == pytest.approx(-1.0)
    assert signs_of(question, "ALCIRT was created in 2011.").kind == 0.0
    assert -1 < signs_of(question, "ALCIRT is a team.").kind < 0


def test_a_passage_on_other_years_is_missed_and_one_without_years_is_not():
    assert signs_of("the law of 2015", "The law of 2014.").year == -1.0
    assert signs_of("the law of 2015", "The laws of 2014 and 2015¹²³.").year == 0.0
    assert signs_of("the law of 2015", "The law.").year == 0.0
    assert signs_of("the law", "The law of 2014.").year == 0.0


def test_a_number_of_something_else_counts_in_part():
    question = "How many states support the law of Albania?"
    on_subject = signs_of(question, "States support the law of Albania.").kind
    assert on_subject == pytest.approx(-1.0)
    assert signs_of(question, "States support the law of Albania, says 1 man.").kind == pytest.approx(0.6 * on_subject)
    assert signs_of(question, "Some 40 small states support the law of Albania.").kind == 0.0


def test_a_table_may_hold_in_its_header_what_is_asked_for():
    question = "Which country has the law?"
    assert signs_of(question, "Law\t+").kind < 0
    assert signs_of(question, "Law\t+", header="Albania").kind == 0.0


def test_few_known_words_speak_against_a_question():
    assert signs_of("agencies of Albania", "Albania.").unknown == 0.0
    assert signs_of("kako da napravim burek", "Albania.").unknown == pytest.approx(-0.7)
    assert signs_of("kako da napravim burek", "Albania.", alike=0.9).unknown == pytest.approx(-0.7)


def test_a_surname_stands_for_a_person_and_a_forename_does_not():
    asked = "When did Kim Lee take office?"
    assert signs_of(asked, "Lee took office in 2013.").names == 0.0
    assert signs_of(asked, "Kim took office in 2013.").names < 0


def test_a_name_in_the_sentence_before_may_be_who_is_meant_and_a_date_there_may_not():
    def kind_of(asked: str, before: str) -> float:
        text = exhibit(before, "It held the creation talks.", question=asked)
        return judge(read(asked), replace(text, first=1, last=1), LEXICON).signs.kind

    who = "Which ministry held the creation talks?"
    nowhere, before = kind_of(who, "Some met."), kind_of(who, "The team of USAID met.")
    assert nowhere < before < 0
    assert before == pytest.approx(0.3 * nowhere)
    when = "When was the creation talks?"
    assert kind_of(when, "In May 2011 it met.") == kind_of(when, "It met.") < 0


def test_a_passage_far_from_the_question_has_that_against_it():
    assert signs_of(ASKED, "ALCIRT.", nearness=0.1).remote == pytest.approx(-0.3)
    assert signs_of(ASKED, "ALCIRT.", nearness=0.5).remote == signs_of(ASKED, "ALCIRT.", nearness=0.9).remote


BOUNDS = {"remote": (-1.4, 0), "attribute": (0, 1)}
ODD = ["", "?", "the of and", "\U0001f600", "مرحبا بالعالم في 2015", "A" * 5000, "- / ' ’s", "who " * 1000, "Ünïcödé ǅ"]


@given(st.one_of(st.sampled_from(ODD), st.text(max_size=80)), st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_signals_are_finite_and_in_range_whatever_is_asked(question, sentences):
    found = signs_of(question, *sentences, section=sentences[:1], around=sentences[-1], alike=0.4)
    for name, value in zip(SIGNS, found.values(), strict=True):
        low, high = BOUNDS.get(name, (-1, 0))
        assert low - 1e-9 <= value <= high + 1e-9, name
        assert math.copysign(1, value) == 1 or value < 0, f"{name} is -0.0, which JSON would show"


def test_a_thousand_words_are_read():
    assert len(read("zebra quagga " * 500).words) == 1000


def test_who_somebody_is_asks_for_no_name():
    assert asked_kind("Who is USAID?") is None
    assert asked_kind("who are grey heron") is asked_kind("who founded ALCIRT") is AskedKind.PERSON
    assert asked_kind("Who are Grey Heron?") is None
    assert asked_kind("Who is the founder?") is AskedKind.PERSON


def test_words_that_ask_for_a_place_in_the_text_need_not_stand_there():
    assert list(words("where is Tirana mentioned")) == list(words("find Tirana")) == ["Tirana"]


def test_a_name_of_several_words_is_named_whole():
    question = "when was Kim Lee at law"
    assert judge(read(question), exhibit("Kim Lee was there.", question=question), LEXICON).has[0] == "Kim Lee"


def test_of_a_table_the_best_row_is_the_highlight_and_those_beside_it_that_are_as_good():
    parted = maxima((0.9, 0.0), (0.0, 0.8))
    assert choose_window(parted, ONES, EVEN[:2]) == (0, 1)
    assert choose_rows(parted, ONES, EVEN[:2]) == (0, 0)
    assert choose_rows(maxima((0.5, 0.4), (0.5, 0.44), (0.5, 0.46), (0.1, 0.1)), ONES, EVEN) == (1, 2)
    assert choose_rows(maxima((0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)), ONES, EVEN) == (0, 2)


def test_the_words_that_no_document_has_are_named():
    found = judge(read("zebra quagga law"), exhibit("The law.", question="zebra quagga law"), LEXICON)
    assert found.unknown == ("zebra", "quagga")


# --- what is missing -----------------------------------------------------------------------------------------


def judged(lacks=(), has=(), kind=None, unknown=0.0) -> Judged:
    return Judged(
        Signs(0, unknown, 1, 0, 0, 0, 0), tuple(lacks), ("zebra", "quagga") if unknown else (), tuple(has), kind
    )


def test_missing_is_what_the_first_three_passages_all_lack_else_what_the_first_lacks():
    assert missing_words([judged(["Malta", "2015"]), judged(["Malta"]), judged(["Malta"]), judged()]) == ("Malta",)
    assert missing_words([judged(["Malta"]), judged()]) == ("Malta",)
    assert missing_words([]) == ()


def test_missing_is_said_in_words():
    assert missing_text([judged(["Malta"], ["ALCIRT"])]) == "nothing found mentions 'Malta' together with 'ALCIRT'"
    assert missing_text([judged(["a", "b", "c"])]) == "nothing found mentions 'a', 'b' or 'c'"
    nearest = "the nearest passage does not mention 'Malta' together with 'ALCIRT'"
    assert missing_text([judged(["Malta"], ["ALCIRT"]), judged()]) == nearest
    assert missing_text([judged(["x" * 1000])]) == f"nothing found mentions '{'x' * 40}…'"
    assert missing_text([judged([], ["ENCYSEC"], AskedKind.AMOUNT)]) == "nothing near 'ENCYSEC' gives an amount"
    assert missing_text([judged([], ["ENCYSEC"])]) == ""
    elsewhere = replace(judged(), signs=Signs(0, 0, 1, 0, -1, 0, 0))
    assert missing_text([elsewhere]) == "the nearest passages are about other places"
    assert missing_text([judged(unknown=-0.7)]) == "'zebra' and 'quagga' stand nowhere in the documents"


def test_what_is_missing_is_found_by_judging():
    question = "Malta's support for ALCIRT"
    found = judge(read(question), exhibit("ALCIRT has support.", question=question), LEXICON)
    assert missing_text([found]) == "nothing found mentions 'Malta' together with 'ALCIRT'"


# --- confidence ----------------------------------------------------------------------------------------------


def model(**weights: float) -> Calibration:
    every = dict.fromkeys(SIGNS, 0.0) | weights
    return Calibration("hand", ("m", 1), "r/1", 600, -1.0, every, 3.0, 0.5, PassageModel(0.5, 2.0, 1.0, -1.0), {})


def test_confidence_is_of_the_better_of_the_first_two_less_what_the_second_is_behind():
    low, high = (Signs(0, 0, attribute, 0, 0, 0, 0) for attribute in (0.1, 0.9))
    second = 1 / (1 + math.exp(1.0 - 2 * 0.9 + 3 * 0.1))
    assert model(attribute=2.0).confidence([low, high], [0.7, 0.6]) == pytest.approx(second)
    first = 1 / (1 + math.exp(1.0 - 2 * 0.1))
    assert model(attribute=2.0).confidence([low, high], [0.7, 0.1]) == pytest.approx(first)
    assert model(attribute=2.0).confidence([low, low, high], [0.7, 0.7, 0.7]) == pytest.approx(first)
    assert model().confidence([], []) == 0.0


def test_confidence_of_a_passage_falls_with_its_score_and_rank():
    same = [Signs(0, 0, 0.5, 0, 0, 0, 0)] * 2
    first, second = model(attribute=2.0).passage_confidences(same, [3.0, 2.5])
    logit = -1.0 + 2.0 * 0.5
    assert first == pytest.approx(1 / (1 + math.exp(-(0.5 * logit + 1.0 - 1.0))))
    assert second == pytest.approx(1 / (1 + math.exp(-(0.5 * logit + 2.0 * -0.5 - 1.0))))


def test_a_sigmoid_does_not_overflow():
    assert [calibration.sigmoid(x) for x in (-1e4, 0, 1e4)] == [0, 0.5, 1]


def test_a_calibration_is_refused_for_another_encoder_ranking_or_chunk_size(monkeypatch):
    monkeypatch.setattr(calibration, "_shipped", model)
    assert calibration.calibration_for(("m", 1), "r/1", 600) is not None
    assert calibration.calibration_for(("m", 2), "r/1", 600) is None
    assert calibration.calibration_for(("m", 1), "r/2", 600) is None
    assert calibration.calibration_for(("m", 1), "r/1", 900) is None


def test_a_calibration_of_other_signals_is_refused():
    body = {"schema": calibration.SCHEMA, "weights": {"remote": 1.0}}
    with pytest.raises(ValueError, match=r"expected cyberqa\.calibration/3 with weights of remote"):
        calibration.from_json(json.loads(json.dumps(body)))


# --- fitting -------------------------------------------------------------------------------------------------


def test_a_binary_signal_is_fitted_to_the_odds_that_its_table_has():
    # Without penalty: log odds of 1 in 4 where it is 0, of 3 in 4 where it is 1.
    table = np.array([[0.0]] * 4 + [[1.0]] * 4)
    outcomes = np.array([1, 0, 0, 0, 1, 1, 1, 0], np.float64)
    fitted = fitting.fit_logistic(table, outcomes, penalty=1e-9)
    assert fitted.intercept == pytest.approx(math.log(1 / 3), abs=1e-6)
    assert fitted.weights[0] == pytest.approx(math.log(3) - math.log(1 / 3), abs=1e-6)


def test_the_penalty_keeps_a_weight_finite_where_a_signal_parts_the_outcomes():
    table, outcomes = np.array([[-1.0], [1.0]]), np.array([0.0, 1.0])
    weight = fitting.fit_logistic(table, outcomes, penalty=1.0).weights[0]
    assert weight == pytest.approx(2 / (1 + math.exp(weight)))  # where the gradient of loss and penalty is 0


def test_a_signal_that_would_count_the_wrong_way_is_left_out():
    table = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 5)
    outcomes = table[:, 0] * (1 - table[:, 1])
    assert fitting.fit_logistic(table, outcomes).weights[1] < 0
    fitted = fitting.fit_signed(table, outcomes)
    assert fitted.weights[1] == 0
    assert fitted.weights[0] == pytest.approx(fitting.fit_logistic(table[:, :1], outcomes).weights[0])


def test_a_set_is_judged_by_what_was_learnt_elsewhere():
    table = np.array([[0.0], [1.0], [0.0], [1.0]])
    outcomes = np.array([0.0, 1.0, 1.0, 0.0])  # the sets contradict each other
    fit = lambda learnt: fitting.fit_logistic(table[learnt], outcomes[learnt])  # noqa: E731
    logits = fitting.judged_apart(fit, table, ["a", "a", "b", "b"], ["1", "2", "3", "4"])
    assert logits[0] > logits[1]
    assert logits[2] < logits[3]


def test_a_threshold_is_found_where_the_model_learnt_and_not_where_it_judges():
    table = np.arange(80, dtype=np.float64)[:, None]
    fit = lambda _: fitting.Logistic(np.ones(1), 0.0)  # noqa: E731
    sets = ["low"] * 40 + ["high"] * 40
    refused = fitting.refused_apart(fit, table, np.ones(80, np.bool_), sets, [str(n) for n in range(80)], 0.25)
    assert refused.tolist() == [1.0] * 40 + [0.0] * 40  # 50 is the limit for the low ones, 10 for the high ones


def test_a_model_is_rescaled_to_the_odds_that_hold_and_keeps_its_order():
    table = np.array([[-1.0]] * 4 + [[1.0]] * 4)
    outcomes = np.array([1, 0, 0, 0, 1, 1, 1, 0], np.float64)
    found = fitting.rescaled(fitting.Logistic(np.array([5.0]), 2.0), table, outcomes)
    assert found.logits(table[[0, 4]]) == pytest.approx([math.log(1 / 3), math.log(3)], abs=1e-3)


def test_the_best_passage_speaks_for_a_question():
    right, wrong = [1.0], [-1.0]
    table = np.array([[right, wrong], [wrong, right], [wrong, wrong], [wrong, wrong]] * 5)
    fitted = fitting.fit_best_of(table, np.array([1.0, 1.0, 0.0, 0.0] * 5))
    assert (fitted.logits(table) > 0).tolist() == [True, True, False, False] * 5


def test_a_group_is_never_on_both_sides():
    groups = [f"g{n // 3}" for n in range(60)]
    for learnt, judged_ in fitting.each_fold(groups, repeats=2):
        assert not {g for g, here in zip(groups, learnt, strict=True) if here} & {
            g for g, here in zip(groups, judged_, strict=True) if here
        }
        assert (learnt ^ judged_).all()


def test_out_of_fold_logits_of_a_mere_coin_tell_nothing():
    generator = np.random.default_rng(1)
    table = generator.normal(size=(200, 2, 3))
    outcomes = (np.arange(200) % 2).astype(np.float64)
    fit = lambda learnt: fitting.fit_best_of(table[learnt], outcomes[learnt])  # noqa: E731
    logits = fitting.judged_apart(fit, table, ["one"] * 200, [str(n) for n in range(200)])
    assert abs(float(logits[outcomes == 1].mean() - logits[outcomes == 0].mean())) < 0.2


# --- how words are written -----------------------------------------------------------------------------------


def counted(*texts: str) -> dict[str, Capitals]:
    counter = CapitalCounter()
    for text in texts:
        counter.add(*count_spellings(text))
    return {word: Capitals(share, is_always) for word, share, is_always in counter.rows()}


def test_capitals_are_counted_inside_sentences_only():
    found = counted("Teams met the OSCE. Teams of Open Balkan, open teams.", "An open door.")
    assert found == {
        "osce": Capitals(1.0, True),
        "balkan": Capitals(1.0, True),
        "an": Capitals(0.0, True),  # seen at the start of a sentence only
    }


def test_scripts_without_capitals_have_no_names():
    assert counted("مرحبا بالعالم") == {}


def test_the_order_of_documents_makes_no_difference():
    one, other = "The OSCE met.", "An osce, the Osce."
    assert counted(one, other) == counted(other, one)


def test_a_generation_tells_how_words_are_written_and_how_many_chunks_hold_them(settings):
    settings.corpus.mkdir(exist_ok=True)
    (settings.corpus / "a.txt").write_text("The team of the OSCE met in spring.\n", "utf-8")
    (settings.corpus / "sources.toml").write_text('["a.txt"]\nlanguage = "en"\n', "utf-8")  # too short to tell
    ingest.build_index(settings, encoder=FakeEncoder())
    generation = Generation.open_current(settings.index)
    assert generation.vocabulary.capitals("osce") == Capitals(1.0, True)
    assert generation.vocabulary.capitals("team") == NO_CAPITALS
    assert (generation.vocabulary.document_frequency("osc"), generation.vocabulary.document_frequency("nowhere")) == (
        1,
        0,
    )
    generation.close()


@pytest.mark.parametrize(
    ("question", "known"),
    [
        ("agencies of Albania", [True, True]),  # each in some form
        ("enforcave", [True]),  # no stemmer knows the language, but "enforc" begins like it
        ("kako da napravim burek", [False] * 4),
        ("lawyjave", [False]),  # "lawyj": three letters the same are chance
        ("e", [True]),  # a letter tells nothing
        ("законы", [True]),  # it has another stem in its language
    ],
)
def test_which_of_a_questions_words_the_corpus_knows(question, known):
    assert [word.is_known for word in read(question).words] == known


def test_how_many_is_answered_by_the_sentence_that_counts(session):
    """The subject stands in the sentence before: 'ALCIRT is in charge of …. Nevertheless, with only six …'."""
    answer = session.ask("how many employees does ALCIRT have")
    assert "six employees" in answer.passages[0].highlight.text
    assert answer.verdict == "answered"


def test_a_sentence_that_counts_wins_only_where_something_is_counted():
    maxima = np.array([[0.9], [0.5]], np.float32)
    spans, weights = [Span(0, 100), Span(101, 400)], np.ones(1, np.float32)
    assert choose_window(maxima, weights, spans) == (0, 0)
    assert choose_window(maxima, weights, spans, counting=[1]) == (0, 1)
