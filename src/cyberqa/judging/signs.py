"""Signs of whether a passage answers a question: what the question names, and how near it stands together.

Every sign is the higher the likelier the passage answers, so every weight of the fitted model is positive, and a
person can read what spoke against a passage.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from cyberqa.judging.coverage import Shares, cover, other_endings, stands_in, weights_of
from cyberqa.judging.highlighting import Cosines
from cyberqa.judging.instances import counts, holds_kind, years_in
from cyberqa.judging.kinds import AskedKind
from cyberqa.judging.questions import Question
from cyberqa.judging.standing import held_stems
from cyberqa.judging.words import Lexicon, Word, WordKind, places_in

_REMOTE = 0.4  # nearness below which a passage may be of another subject; above it, nearer is not likelier
_UNKNOWN = 0.3  # share of a question in words that the corpus has not, above which it may be on another subject
_NEARBY = 0.6  # what a name counts for that only the passages before or after in the same section hold
_RARE = 0.6  # of the highest idf: a plain word whose lack is worth telling
_MISCOUNTED = 0.6  # of a kind that is lacking: there is a number, but of something else
_REFERRED = 0.3  # of a name that is lacking, but stands in the sentence before: "the ministry", "he"
_NAMES = (AskedKind.PERSON, AskedKind.ROLE)
_TIE_DIGITS = 9  # of a weight; what is nearer goes to the earlier sentence


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a passage brings to be judged by.

    ``front`` is what is matched with it but stands elsewhere: title, headings, a table's caption and header.
    ``sentences`` are the texts of its sentences, the last one with its continuation. ``first`` and ``last`` number
    those of the highlight. ``section`` are its headings, ``header`` is a table's caption and header row. ``around`` is
    the text of the passages before and after in the same section. ``nearness`` is the mean of the passage's cosine
    with the question and of late interaction, -1 to 1. ``front_maxima``, ``(question tokens,)``, and ``maxima``,
    ``(sentences, question tokens)``, are as :func:`cyberqa.judging.highlighting.sentence_maxima` has them.
    """

    front: str
    sentences: Sequence[str]
    first: int
    last: int
    section: Sequence[str]
    header: str
    around: str
    nearness: float
    front_maxima: Cosines
    maxima: Cosines

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands in front, and the sentences."""
        return (self.front, *self.sentences)

    @property
    def highlight(self) -> str:
        """The sentences that are shown as the answer."""
        return " ".join(self.sentences[self.first : self.last + 1])


@dataclass(frozen=True, slots=True)
class Signs:
    """The seven signs of a passage.

    - ``remote``: by how much its nearness to the question is below .4, -1.4 to 0: another subject.
    - ``unknown``: by how much the share of the question's weight in words that the corpus has not, and the passage does
      not mean, is above .3, -.7 to 0.
    - ``attribute``: how far the plain words of the question are covered where it is covered best, 0 to 1.
    - ``names``: share of the question's weight in names and numbers that the passage lacks, -1 to 0.
    - ``place``: -1 where it is about other places than the question, else 0.
    - ``year``: -1 where it tells of other years than the question's, else 0.
    - ``kind``: how far the passage is on the subject, where its highlight lacks the kind of thing asked for, -1 to 0.
    """

    remote: float
    unknown: float
    attribute: float
    names: float
    place: float
    year: float
    kind: float

    def values(self) -> tuple[float, ...]:
        """Return them in order."""
        return tuple(getattr(self, name) for name in SIGNS)


SIGNS = tuple(Signs.__dataclass_fields__)
"""Their names, in order."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A passage's signs, and what of the question it lacks.

    ``lacks`` are names, numbers and rare words, in order; ``unknown`` those of its words that the corpus has not, and
    the passage does not mean; ``has`` the words that it has, heaviest first, a name of several as one; ``lacks_kind``
    is the kind of thing that it lacks.
    """

    signs: Signs
    lacks: tuple[str, ...]
    unknown: tuple[str, ...]
    has: tuple[str, ...]
    lacks_kind: AskedKind | None


def judge(question: Question, exhibit: Exhibit, lexicon: Lexicon) -> Judged:
    """Return what speaks for and against a passage."""
    words = question.words
    held = [held_stems(text, words, lexicon) for text in exhibit.texts]
    weights = weights_of(words)
    maxima = np.maximum(exhibit.front_maxima, exhibit.maxima.max(axis=0, initial=0.0))
    all_held = set().union(*held)
    endings = [other_endings(word, all_held) for word in words]
    covered = _with_nearby(words, cover(question, maxima, all_held, endings), exhibit.around, lexicon)
    lack = _lack_of_kind(question, exhibit, lexicon)
    signs = Signs(
        remote=min(0.0, exhibit.nearness - _REMOTE),
        unknown=min(0.0, _UNKNOWN - _unknown_share(words, covered, weights)),
        attribute=_attribute(question, exhibit, weights, held, endings),
        names=0.0 - _share((1 - covered) * weights, weights, [word.must_stand for word in words]),
        place=0.0 - float(_is_elsewhere(question, exhibit, lexicon)),
        year=0.0 - float(_is_of_other_years(question, exhibit)),
        kind=0.0 - lack * _share(covered * weights, weights),
    )
    heaviest = sorted(range(len(covered)), key=lambda n: (not words[n].must_stand, -weights[n], n))
    return Judged(
        signs=signs,
        lacks=tuple(
            dict.fromkeys(word.text for n, word in enumerate(words) if not covered[n] and _is_telling(word, lexicon))
        ),
        unknown=tuple(dict.fromkeys(word.text for n, word in enumerate(words) if not word.is_known and covered[n] < 1)),
        has=tuple(_whole_name(words, n) for n in heaviest if covered[n] == 1),
        lacks_kind=question.kind if lack else None,
    )


def _whole_name(words: Sequence[Word], number: int) -> str:
    """Return a word of a question, a name with the names right beside it: "Foreign Ministry", not "Foreign"."""
    first = last = number
    while first and _is_beside(words[first - 1], words[first]):
        first -= 1
    while last + 1 < len(words) and _is_beside(words[last], words[last + 1]):
        last += 1
    return " ".join(word.text for word in words[first : last + 1])


def _is_beside(word: Word, after: Word) -> bool:
    return word.kind is after.kind is WordKind.NAME and after.span.start == word.span.end + 1


def _is_telling(word: Word, lexicon: Lexicon) -> bool:
    return word.must_stand or word.weight >= _RARE * lexicon.highest_idf


def _share(part: Shares, whole: Shares, which: Sequence[bool] | None = None) -> float:
    """Return the share of ``part`` in the sum of ``whole``; 0 where there is nothing."""
    total = float(whole.sum())
    chosen = part if which is None else part[np.array(which, np.bool_)]
    return float(chosen.sum()) / total if total else 0.0


def _unknown_share(words: Sequence[Word], covered: Shares, weights: Shares) -> float:
    """Return 1 where no word is known, or there is none: what the passage seems to mean is chance then."""
    if not any(word.is_known and len(word.text) > 1 for word in words):  # a letter tells nothing
        return 1.0
    return _share((1 - covered) * weights, weights, [not word.is_known for word in words])


def _with_nearby(words: Sequence[Word], covered: Shares, around: str, lexicon: Lexicon) -> Shares:
    """Count names that the passages around hold; these are read only where a name is lacking."""
    lacking = [n for n, word in enumerate(words) if word.must_stand and not covered[n]]
    if lacking and around:
        stems = held_stems(around, words, lexicon)
        for number in lacking:
            if stands_in(words[number], stems):
                covered[number] = _NEARBY
    return covered


def _attribute(
    question: Question, exhibit: Exhibit, weights: Shares, held: Sequence[set[str]], endings: Sequence[Set[str]]
) -> float:
    """Return the coverage of the plain words in the sentence, with the front, that covers the question best.

    1 where the question has none. The whole passage would not do: what is asked, and of whom, must stand together.
    """
    plain = np.array([not word.must_stand for word in question.words], np.bool_)
    if not float(weights[plain].sum()):
        return 1.0
    coverages = [
        cover(question, np.maximum(exhibit.front_maxima, maxima), held[0] | stems, endings)
        for maxima, stems in zip(exhibit.maxima, held[1:], strict=True)
    ]
    chosen = max(coverages, key=lambda covered: round(float(covered @ weights), _TIE_DIGITS))
    return float(chosen[plain] @ weights[plain] / weights[plain].sum())


def _is_elsewhere(question: Question, exhibit: Exhibit, lexicon: Lexicon) -> bool:
    """Whether highlight and headings name places, but none of the question's."""
    if not question.places:
        return False
    here = places_in(" | ".join((exhibit.highlight, *exhibit.section)), lexicon)
    return bool(here) and not question.places & here


def _is_of_other_years(question: Question, exhibit: Exhibit) -> bool:
    """Whether highlight and headings name years, but none of the question's."""
    if not question.years:
        return False
    here = years_in(" | ".join((exhibit.highlight, *exhibit.section)))
    return bool(here) and not question.years & here


def _lack_of_kind(question: Question, exhibit: Exhibit, lexicon: Lexicon) -> float:
    """Return 1 where the highlight lacks what is asked for, something where it may be meant all the same, else 0."""
    text = "\n".join((exhibit.highlight, exhibit.header))
    if question.kind is None:
        return 0.0
    if not holds_kind(text, question.kind, question.parts, lexicon):
        before = exhibit.sentences[exhibit.first - 1] if exhibit.first else ""
        is_named_before = question.kind in _NAMES and holds_kind(before, question.kind, question.parts, lexicon)
        return _REFERRED if is_named_before else 1.0
    is_miscounted = (
        question.counted and question.kind is AskedKind.NUMBER and not counts(text, question.counted, lexicon)
    )
    return _MISCOUNTED if is_miscounted else 0.0
