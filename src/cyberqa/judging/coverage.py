"""How far a text covers the words of a question: a name or a number must stand in it, a plain word may be meant."""

from collections.abc import Iterable, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from cyberqa.judging.highlighting import Cosines
from cyberqa.judging.questions import Question
from cyberqa.judging.words import Word

_UNLIKE, _ALIKE = 0.25, 0.5
"""Best cosines of a word's tokens in a text that has nothing like it, and in one that says it otherwise. Between them
coverage rises evenly. .2 to .3 and .45 to .6 give the same AUROC within .003 (docs/verdict.md)."""

_MEANT = 0.9  # the most that a word counts for which does not itself stand there

_MOST = 0.75  # share of the stems of one way to write a word that must stand in a text
_ROOT_LETTERS = 4  # that two forms of a name have in common, at least: "Albania", "Albanian"
_ROOT_ENDINGS = 4  # letters by which they may differ in length

Shares = NDArray[np.float64]
"""``(words,)``, each from 0 to 1."""


def stands_in(word: Word, stems: Set[str]) -> bool:
    """Whether a word stands in a text of these stems, in one of the ways it may be written."""
    return _is_written(word, stems) or bool(other_endings(word, stems))


def _is_written(word: Word, stems: Set[str]) -> bool:
    return any(len(way & stems) >= _MOST * len(way) for way in word.ways)


def other_endings(word: Word, stems: Iterable[str]) -> Set[str]:
    """Return those of the stems that are a name with another ending."""
    if not word.must_stand or word.text[1:].isupper():  # an acronym has no other endings
        return frozenset()
    name = word.text.casefold()
    root = name[:_ROOT_LETTERS]
    if len(root) < _ROOT_LETTERS:
        return frozenset()
    return {stem for stem in stems if stem.startswith(root) and _has_same_root(name, stem)}


def _has_same_root(name: str, stem: str) -> bool:
    """At most one letter of the shorter may be lost: "Geneva" and "general" are not the same."""
    needed = max(_ROOT_LETTERS, min(len(name), len(stem)) - 1)
    return name[:needed] == stem[:needed] and abs(len(name) - len(stem)) <= _ROOT_ENDINGS


def cover(question: Question, maxima: Cosines, stems: Set[str], endings: Sequence[Set[str]]) -> Shares:
    """Return how far a text covers each word: 1 where it stands there, else by the cosines of its tokens.

    ``maxima`` are the best cosines of the question's tokens in the text, ``(question tokens,)``; ``endings`` are the
    :func:`other_endings` of each word, of this text or of a longer one that it is part of.
    """
    written = {stem for short, long in question.short_forms if short in stems for stem in long}
    best = maxima.tolist()
    shares = np.zeros(len(question.words))
    for number, word in enumerate(question.words):
        if _is_written(word, stems) or not endings[number].isdisjoint(stems) or word.ways[0] <= written:
            shares[number] = 1.0
        elif not word.must_stand and word.tokens:
            cosine = sum(best[token] for token in word.tokens) / len(word.tokens)
            shares[number] = _MEANT * min(max((cosine - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0), 1.0)
    return shares


def weights_of(words: Sequence[Word]) -> Shares:
    """Return the weights of words, ``(words,)``."""
    return np.array([word.weight for word in words], np.float64)
