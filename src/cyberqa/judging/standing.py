"""How a question's names stand in a text: in short, run together, by surname only."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from cyberqa.judging.words import STOP_WORDS, Lexicon, Word, WordKind

_SPELLED = re.compile(r"[^\W\d_]+")
_LEAST_INITIALS = 3
_TEXTS_KEPT = 4096  # sentences whose initials a session remembers


def held_stems(text: str, words: Sequence[Word], lexicon: Lexicon) -> set[str]:
    """Return the stems of a text, and those of the question's words that it writes in another way.

    "World Summit on the Information Society" has WSIS, whether or not the corpus says so; "RepublikaSrpska" has both.
    """
    held = set(lexicon.stems(text))
    acronyms = [
        word
        for word in words
        if len(word.text) >= _LEAST_INITIALS
        and word.text.isalpha()
        and word.text.isupper()
        and not word.ways[0] <= held
    ]
    if acronyms:
        runs = initials_of(text)
        for word in acronyms:
            if any(word.text in run for run in runs):
                held |= word.ways[0]
    for one, other in pairwise(words):
        if one.must_stand and other.must_stand and held.issuperset(lexicon.stems(one.text + other.text)):
            held |= one.ways[0] | other.ways[0]
        elif other.ways[0] <= held and not one.ways[0] <= held and is_person(one, other, lexicon):
            held |= one.ways[0]
    return held


def is_person(one: Word, other: Word, lexicon: Lexicon) -> bool:
    """Whether two words of a question may be forename and surname: side by side, and never small in the corpus."""
    return other.span.start - one.span.end == 1 and all(
        word.kind is WordKind.NAME
        and word.text.istitle()
        and len(word.ways) == 1
        and lexicon.capitals(word.text.casefold()).is_always
        for word in (one, other)
    )


@lru_cache(_TEXTS_KEPT)
def initials_of(text: str) -> tuple[str, ...]:
    """Return the initials of each run of words with capitals; small stop words do not break one.

    >>> initials_of("the World Summit on the Information Society and its follow-up")
    ('WSIS',)
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
    return tuple(each for each in (*runs, run) if len(each) >= _LEAST_INITIALS)
