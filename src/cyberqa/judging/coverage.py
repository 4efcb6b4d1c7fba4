"""How far a text covers the words of a question: a name or a number must stand in it, a plain word may be meant."""

from collections.abc import Sequence, Set

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cyberqa.judging.highlighting import Cosines
from cyberqa.judging.questions import Question
from cyberqa.judging.words import STOP_WORDS, Lexicon, Word, WordKind

_UNLIKE, _ALIKE = 0.25, 0.5
"""Best cosines of a word's tokens in a text that has nothing like it, and in one that says it otherwise (of token
vectors that are centred and stored as signs; docs/verdict.md). Between them coverage rises evenly."""

_MEANT = 0.9  # the most that a word counts for which does not itself stand there

_MOST = 0.75  # share of the stems of one way to write a word that must stand in a text
_ROOT_LETTERS = 4  # that two forms of a name have in common, at least: "Albania", "Albanian"
_ROOT_ENDINGS = 4  # letters by which they may differ in length

Shares = NDArray[np.float64]
"""``(words,)``, each from 0 to 1."""


def stands_in(word: Word, stems: Set[str]) -> bool:
    """Whether a word stands in a text of these stems, in one of the ways it may be written."""
    if any(len(way & stems) >= _MOST * len(way) for way in word.ways):
        return True
    if not word.must_stand or word.text[1:].isupper():  # an acronym has no other endings
        return False
    name = word.text.casefold()
    root = name[:_ROOT_LETTERS]
    return len(root) == _ROOT_LETTERS and any(stem.startswith(root) and _has_same_root(name, stem) for stem in stems)


def _has_same_root(name: str, stem: str) -> bool:
    """At most one letter of the shorter may be lost: "Geneva" and "general" are not the same."""
    needed = max(_ROOT_LETTERS, min(len(name), len(stem)) - 1)
    return name[:needed] == stem[:needed] and abs(len(name) - len(stem)) <= _ROOT_ENDINGS


def cover(question: Question, maxima: Cosines, stems: Set[str]) -> Shares:
    """Return how far a text covers each word: 1 where it stands there, else by the cosines of its tokens.

    ``maxima`` are the best cosines of the question's tokens in the text, ``(question tokens,)``.
    """
    written = {stem for short, long in question.short_forms if short in stems for stem in long}
    shares = np.zeros(len(question.words))
    for number, word in enumerate(question.words):
        if stands_in(word, stems) or word.ways[0] <= written:
            shares[number] = 1.0
        elif not word.must_stand and word.tokens:
            cosine = sum(float(maxima[token]) for token in word.tokens) / len(word.tokens)
            shares[number] = _MEANT * min(max((cosine - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0), 1.0)
    return shares


def weights_of(words: Sequence[Word]) -> Shares:
    """Return the weights of words, ``(words,)``."""
    return np.array([word.weight for word in words], np.float64)


_SPELLED = re.compile(r"[^\W\d_]+")
_LEAST_INITIALS = 3


def held_stems(text: str, words: Sequence[Word], lexicon: Lexicon) -> set[str]:
    """Return the stems of a text, and those of the question's words that it writes in another way.

    "World Summit on the Information Society" has WSIS, whether or not the corpus says so; "RepublikaSrpska" has both.
    """
    held = set(lexicon.stems(text))
    acronyms = [word for word in words if len(word.text) >= _LEAST_INITIALS and word.text.isalpha() and word.text.isupper()]
    if acronyms:
        runs = initials_of(text)
        for word in acronyms:
            if any(word.text in run for run in runs):
                held |= word.ways[0]
    for one, other in pairwise(words):
        if one.must_stand and other.must_stand and held.issuperset(lexicon.stems(one.text + other.text)):
            held |= one.ways[0] | other.ways[0]
        elif is_person(one, other, lexicon) and other.ways[0] <= held:
            held |= one.ways[0]
    return held


def is_person(one: Word, other: Word, lexicon: Lexicon) -> bool:
    """Whether two words of a question that stand together may be forename and surname: the corpus never has them small."""
    return other.span.start - one.span.end == 1 and all(
        word.kind is WordKind.NAME and word.text.istitle() and len(word.ways) == 1 and lexicon.capitals(word.text.casefold()).is_always
        for word in (one, other)
    )


def initials_of(text: str) -> list[str]:
    """Return the initials of each run of words with capitals; small stop words do not break one.

    >>> initials_of("the World Summit on the Information Society and its follow-up")
    ['WSIS']
    """
    runs, run, end = [], "", 0
    for match in _SPELLED.finditer(text):
        word, gap = match.group(), text[end : match.start()]
        end = match.end()
        if gap.strip(" -\n*"):
            runs.append(run)
            run = ""
        if word[0].isupper():
            run += word[0]
        elif word not in STOP_WORDS:
            runs.append(run)
            run = ""
    return [each for each in (*runs, run) if len(each) >= _LEAST_INITIALS]
