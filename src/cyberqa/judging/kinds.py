"""The kind of thing a question asks for, and whether a text holds one that the question has not already given.

English only: in other languages nothing in particular is asked for, and nothing is held against a passage.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from cyberqa.judging.words import STOP_WORDS, Lexicon, parts_of


class AskedKind(StrEnum):
    """What an answer must hold. ``ROLE`` is the person in a role, whose name must stand there."""

    AMOUNT = "an amount"
    NUMBER = "a number"
    DATE = "a date"
    ROLE = "a person's name"
    PERSON = "a name"
    PLACE = "a place"


@dataclass(frozen=True, slots=True)
class _Rule:
    """``asks`` finds the kind in a question, ``looks`` its instances in a text: compiled where it is looked for."""

    kind: AskedKind
    asks: re.Pattern[str]
    looks: str


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_YEAR = r"(?:1[5-9]|20)\d\d\b"
_WORDS_FOR_NUMBERS = (
    "[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|[Tt]en|[Ee]leven|[Tt]welve|"
    "dozens?|hundreds?|thousands?|millions?"
)
_MONEY = r"[€$£¥%]|\b(?:EUR|USD|CHF|GBP|[Ee]uros?|[Dd]ollars?|[Mm]illion|[Bb]illion|[Ff]rancs?|per ?cent)\b"
# No count: a year, the number of an act, an article or a standard, a part of a date or of a longer code.
_COUNT = (
    r"(?<![\w./:-])(?<![Nn]o\. )(?<![Aa]rt\. )(?<!Article )(?<!ISO )"
    rf"(?!{_YEAR})\d[\d.,]*(?![\w/-]*\d)|\b(?:{_WORDS_FOR_NUMBERS})\b"
)
_UPPER = "[A-Z" + "".join(chr(c) for c in range(0xC0, 0x530) if chr(c).isupper()) + "]"  # Latin, Greek, Cyrillic
_PERSON = rf"\b(?:Mr|Ms|Mrs|Dr|Prof|H\.?E)\b\.?|\b{_UPPER}[^\W\d_]+ {_UPPER}[^\W\d_]+\b"
_TITLE = re.compile(r"(?:Mr|Ms|Mrs|Dr|Prof|H\.?E)\.?")
_NAME = rf"(?<![.!?:] )(?<!^)\b{_UPPER}\w+"  # with a capital, not at the start of a sentence

_RULES = tuple(
    _Rule(kind, re.compile(asks, re.IGNORECASE), looks)
    for kind, asks, looks in (
        (AskedKind.AMOUNT, r"\bhow much\b|\b(?:budget|costs?|price|sum|salary|fee)\b", _MONEY),
        (AskedKind.NUMBER, r"\bhow (?:many|large|big|long|old|often|far)\b|\bnumber of\b|\bpercentage\b", _COUNT),
        (
            AskedKind.DATE,
            r"\bwhen\b(?! it comes)|\b(?:what|which) (?:year|date|month|day)\b|\bdate\b",
            rf"\b{_YEAR}|\b(?:{_MONTHS})\b",
        ),
        (AskedKind.ROLE, r"\bwho\b.{0,12}\b(?:head|lead|chair|direct|coordinat|command|run|is the)", _PERSON),
        (AskedKind.PERSON, r"\bwho(?:m|se)?\b", _NAME),
        (
            AskedKind.PLACE,
            r"\bwhere\b|\b(?:which|what) (?:city|place|town)\b|\bvenue\b|\bplace\b(?<!take place)",
            rf"\b(?:in|at|to|from|near|of)\s+(?:the\s+)?{_UPPER}\w+",
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
    for match in re.finditer(_LOOKS[kind], text):
        found = match.group()
        if kind is AskedKind.ROLE and not _is_person(found, lexicon):
            continue
        parts = parts_of(found)
        if not parts or any(part not in asked and part not in STOP_WORDS for part in parts):
            return True
    return False


def _is_person(found: str, lexicon: Lexicon) -> bool:
    """A title, or two words that the corpus never writes small: "National Council" is nobody."""
    return bool(_TITLE.fullmatch(found)) or all(lexicon.capitals(part).is_always for part in parts_of(found))
