"""A question, read: its words, what it asks for, and which of its phrases have a short form."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cyberqa.judging.instances import years_in
from cyberqa.judging.kinds import AskedKind, asked_kind
from cyberqa.judging.words import STOP_WORDS, Abbreviations, Lexicon, Word, parts_of, places_in, read_words

_HOW_MANY = re.compile(r"\bhow many\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What a question names and asks for.

    ``short_forms`` are stems of a short form, and of its long form that stands in the question. ``parts`` are all runs
    of letters and digits, in lower case. ``places`` has every name of the places it names, ``years`` the years.
    ``counted`` are the stems of what follows "how many".
    """

    words: tuple[Word, ...]
    kind: AskedKind | None
    parts: frozenset[str]
    places: frozenset[str]
    years: frozenset[str]
    counted: frozenset[str]
    short_forms: tuple[tuple[str, frozenset[str]], ...] = ()


def read_question(
    text: str,
    offsets: Sequence[tuple[int, int]],
    lexicon: Lexicon,
    abbreviations: Abbreviations = (),
    corrections: Mapping[str, str] | None = None,
) -> Question:
    """Read a question; the arguments are those of :func:`read_words`."""
    words = read_words(text, offsets, lexicon, abbreviations, corrections)
    return Question(
        words=words,
        kind=asked_kind(text),
        parts=frozenset(parts_of(text)),
        places=_places(text, lexicon, abbreviations),
        years=years_in(text),
        counted=_counted(text, words),
        short_forms=_short_forms(words, lexicon, abbreviations),
    )


def _counted(text: str, words: Sequence[Word]) -> frozenset[str]:
    """Return the stems of the words that follow "how many" at once."""
    asked = _HOW_MANY.search(text)
    stems: set[str] = set()
    end = asked.end() if asked else len(text)
    for word in words:
        if word.span.start >= end:
            if text[end : word.span.start].strip():
                break
            stems.update(*word.ways)
            end = word.span.end
    return frozenset(stems)


def _places(text: str, lexicon: Lexicon, abbreviations: Abbreviations) -> frozenset[str]:
    """Leave out what stands for more than itself: where Brussels is the EU, a passage on Vienna is not elsewhere."""
    wider = {short.casefold() for short, long in abbreviations if long.casefold() not in lexicon.places}
    return frozenset() if wider & set(parts_of(text)) & lexicon.places.keys() else places_in(text, lexicon)


def _short_forms(
    words: Sequence[Word], lexicon: Lexicon, abbreviations: Abbreviations
) -> tuple[tuple[str, frozenset[str]], ...]:
    asked = frozenset(stem for word in words for stem in word.ways[0])
    found: list[tuple[str, frozenset[str]]] = []
    for short, long in abbreviations:
        stems = [stem for part in parts_of(long) if part not in STOP_WORDS for stem in lexicon.stems(part)]
        if stems and asked.issuperset(stems):
            found.extend((stem, frozenset(stems)) for stem in lexicon.stems(short)[:1])
    return tuple(found)
