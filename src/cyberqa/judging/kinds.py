"""The kind of thing a question asks for, and whether a text holds one that the question has not already given.

English only: in other languages nothing in particular is asked for, and nothing is held against a passage.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from cyberqa.judging.words import STOP_WORDS, Lexicon, named_places, parts_of


class AskedKind(StrEnum):
    """What an answer must hold. ``ROLE`` is the person in a role, whose name or title must stand there."""

    AMOUNT = "an amount"
    NUMBER = "a number"
    DATE = "a date"
    ROLE = "a person's name"
    PERSON = "a name"
    COUNTRY = "a country"
    PLACE = "a place"


@dataclass(frozen=True, slots=True)
class _Rule:
    """``asks`` finds the kind in a question, ``looks`` its instances in a text."""

    kind: AskedKind
    asks: re.Pattern[str]
    looks: re.Pattern[str]


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_YEAR = r"(?:1[5-9]|20)\d\d(?![\ds])"  # a footnote's mark may follow, but "2010s" is no year
_WORDS_FOR_NUMBERS = (
    "[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|[Tt]en|[Ee]leven|[Tt]welve|"
    "dozens?|hundreds?|thousands?|millions?|decades?"
)
_YEARS = re.compile(rf"\b{_YEAR}")
_WORD = re.compile(r"\w+")
_REACH_WORDS, _REACH_CHARS = 5, 60  # behind a number, in which what it counts must stand
_MONEY = r"[€$£¥%]|\b(?:EUR|USD|CHF|GBP|[Ee]uros?|[Dd]ollars?|[Mm]illion|[Bb]illion|[Ff]rancs?|per ?cent)\b"
# No count: a year, the number of an act, an article or a standard, a part of a date or of a longer code.
_COUNT = (
    r"(?<![\w./:-])(?<![Nn]o\. )(?<![Aa]rt\. )(?<!Article )(?<!ISO )"
    rf"(?!{_YEAR})\d[\d.,]*(?![\w/-]*\d)|\b(?:{_WORDS_FOR_NUMBERS})\b"
)
_UPPER = "[A-Z" + "".join(chr(c) for c in range(0xC0, 0x530) if chr(c).isupper()) + "]"  # Latin, Greek, Cyrillic
_TITLE = "(?:Mr|Ms|Mrs|Dr|Prof|H\\.?E)\\.?"
_OFFICE = "Director|Minister|President|Secretary|Ambassador|Commissioner|Governor|Chancellor|General"
_HEADS = "head|director|chair|president|minister|ambassador|chief"
_PERSON = rf"\b(?:Mr|Ms|Mrs|Dr|Prof|H\.?E)\b\.?|\b(?:{_OFFICE})\b|\b{_UPPER}[^\W\d_]+ {_UPPER}[^\W\d_]+\b"
_IS_PERSON = re.compile(rf"{_TITLE}|{_OFFICE}")
_NAME = rf"(?<![.!?:] )(?<!^)\b{_UPPER}\w+"  # with a capital, not at the start of a sentence
_ANY = r"\w+(?:[ -]\w+)*"

_FIRST = r"^(?:(?!\b(?:who|whom|whose|what|which|when|where|why|how)\b).)*"
"""Before the word that asks: "What goes wrong when they overlap?" asks for no date."""
_NO_ADJECTIVE = "is|are|was|were|do|does|did|has|have|had|of|in|to|by|for|must|should|can"
_WHICH = rf"\b(?:which|what)\s+(?:(?!(?:{_NO_ADJECTIVE})\b|\S+['’]s\b)\S+\s+){{0,2}}?"

_RULES = tuple(
    _Rule(kind, re.compile(asks, re.IGNORECASE | re.DOTALL), re.compile(looks))
    for kind, asks, looks in (
        (AskedKind.AMOUNT, r"\bhow much\b|\b(?:budget|costs?|price|sum|salary|fee)\b", _MONEY),
        (AskedKind.NUMBER, r"\bhow (?:many|large|big|long|old|often)\b|\bnumber of\b|\bpercentage\b", _COUNT),
        (
            AskedKind.DATE,
            rf"{_FIRST}\bwhen\b(?! it comes)|\b(?:what|which) (?:year|date|month|day)\b|\bdate\b",
            rf"\b{_YEAR}|\b(?:{_MONTHS})\b",
        ),
        (
            AskedKind.ROLE,
            rf"{_FIRST}\bwho\b.{{0,12}}\b(?:head|chair|direct|command|is the (?:{_HEADS}))",
            _PERSON,
        ),
        (AskedKind.PERSON, rf"{_FIRST}\bwho(?:m|se)?\b", _NAME),
        (
            AskedKind.COUNTRY,
            rf"{_WHICH}(?:countr(?:y|ies)|nations?|governments?|states?|ally|allies)\b"
            r"(?!\s+(?:agenc|bod|department|institution|office|authorit|actor|part))",
            _ANY,
        ),
        (
            AskedKind.PLACE,
            rf"{_FIRST}\bwhere\b|{_WHICH}(?:city|cities|town|place|venue)\b",
            rf"\b(?:in|at|to|from|near|of)\s+(?:the\s+)?{_UPPER}\w+|\b{_UPPER}\w+-based\b"
            rf"|\b{_UPPER}\w+, {_UPPER}\w+[;.)]",  # Kranj, Slovenia
        ),
    )
)
_LOOKS = {rule.kind: rule.looks for rule in _RULES}


def asked_kind(question: str) -> AskedKind | None:
    """Return what kind of thing is asked for; None where nothing in particular is.

    >>> asked_kind("When did it start?")
    <AskedKind.DATE: 'a date'>
    """
    return next((rule.kind for rule in _RULES if rule.asks.search(question)), None)


def holds_kind(text: str, kind: AskedKind, asked: frozenset[str], lexicon: Lexicon) -> bool:
    """Whether a text holds a thing of that kind that is more than words of the question (``asked``, in lower case)."""
    if kind is AskedKind.COUNTRY:
        return _names_country(text, asked, lexicon) or _names_country(
            text, asked, replace(lexicon, places=lexicon.all_places())
        )
    for found in _instances(text, kind, lexicon):
        parts = parts_of(found)
        if not parts or any(part not in asked and part not in STOP_WORDS for part in parts):
            return True
    return False


def _names_country(text: str, asked: frozenset[str], lexicon: Lexicon) -> bool:
    return any(not any(asked.issuperset(parts_of(name)) for name in names) for names in named_places(text, lexicon))


def _instances(text: str, kind: AskedKind, lexicon: Lexicon) -> Iterator[str]:
    for match in _LOOKS[kind].finditer(text):
        if kind is not AskedKind.ROLE or _is_person(match.group(), lexicon):
            yield match.group()


def _is_person(found: str, lexicon: Lexicon) -> bool:
    """A title, or two words that the corpus never writes small: "National Council" is nobody."""
    return bool(_IS_PERSON.fullmatch(found)) or all(lexicon.capitals(part).is_always for part in parts_of(found))


def years_in(text: str) -> frozenset[str]:
    """Return the years that a text names."""
    return frozenset(_YEARS.findall(text))


def counts(text: str, stems: frozenset[str], lexicon: Lexicon) -> bool:
    """Whether a number in a text is followed by a word with one of these stems: "30 young professionals"."""
    return any(
        not stems.isdisjoint(stem for word in _following(text, match.end()) for stem in lexicon.stems(word))
        for match in _LOOKS[AskedKind.NUMBER].finditer(text)
    )


def _following(text: str, end: int) -> list[str]:
    return _WORD.findall(text[end : end + _REACH_CHARS])[:_REACH_WORDS]
