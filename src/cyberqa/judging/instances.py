"""Whether a text holds a thing of the kind that a question asks for, and that the question has not already given."""

import re
from collections.abc import Iterator
from dataclasses import replace

from cyberqa.judging.kinds import AskedKind
from cyberqa.judging.words import STOP_WORDS, Lexicon, named_places, parts_of

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_YEAR = r"(?:1[5-9]|20)\d\d(?![\ds])"  # a footnote's mark may follow, but "2010s" is no year
_ORDINALS = (
    r"\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|"
    "thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|twenty-first"
)
_DATE = (
    rf"\b{_YEAR}|\b(?:{_MONTHS})\b|\b(?:[Ii]n|[Ff]rom|[Ss]ince|[Uu]ntil|by|between) \d{{3,4}}\b(?![.,]\d)"
    r"|[(–-]\d{3,4}\b(?![.,]\d)|\b\d{1,4}\s(?:BCE?|CE|AD)\b|\bAD\s\d+|\b\d{3,4}s\b|\byears ago\b"
    rf"|\b(?i:{_ORDINALS})[ -](?:\w+[ -])?centur"
)
_WORDS_FOR_NUMBERS = (
    r"(?i:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|dozens?|hundreds?|thousands?|millions?|decades?|half|twice|"
    "(?<!no )one)"
)
_MONEY = r"[€$£¥%]|\b(?:EUR|USD|CHF|GBP|[Ee]uros?|[Dd]ollars?|[Mm]illion|[Bb]illion|[Ff]rancs?|per ?cent)\b"
# No count: a year, the number of an act, an article or a standard, a part of a date or of a longer code.
_COUNT = (
    r"(?<![\w./:-])(?<![Nn]o\. )(?<![Aa]rt\. )(?<!Article )(?<!ISO )"
    rf"(?!{_YEAR})\d[\d.,]*(?![\w/-]*\d)|\b{_WORDS_FOR_NUMBERS}\b"
)
_TIME = (
    r"\b(?:\d[\d.,]*|(?i:an?|several|few|many|some|more)|" + _WORDS_FOR_NUMBERS + r")[ -](?:\w+[ -])?"
    r"(?:years?|months?|weeks?|days?|hours?|minutes?|seconds?|decades?|centur(?:y|ies)|generations?)\b"
    rf"|\b(?i:(?:until|since) (?:the )?\w+|permanent\w*|indefinite\w*|annual\w*)\b|\b{_YEAR}.*\b{_YEAR}"
)
_OFTEN = (
    r"\b(?i:(?:every|each) \w+(?: \w+)?|once|twice|\w+ times|times a|annual\w*|yearly|monthly|weekly|daily|quarterly|"
    r"regular\w*|frequent\w*|often|rarely|always|never|(?:a|per) (?:year|month|week|day))\b"
)
_UPPER = "[A-Z" + "".join(chr(c) for c in range(0xC0, 0x530) if chr(c).isupper()) + "]"  # Latin, Greek, Cyrillic
_TITLE = "(?:Mr|Ms|Mrs|Dr|Prof|H\\.?E)\\.?"
_OFFICE = "Director|Minister|President|Secretary|Ambassador|Commissioner|Governor|Chancellor|General"
_PERSON = rf"\b(?:Mr|Ms|Mrs|Dr|Prof|H\.?E)\b\.?|\b(?:{_OFFICE})\b|\b{_UPPER}[^\W\d_]+ {_UPPER}[^\W\d_]+\b"
_IS_PERSON = re.compile(rf"{_TITLE}|{_OFFICE}")
_NAME = rf"(?<![.!?:] )(?<!^)\b{_UPPER}\w+"  # with a capital, not at the start of a sentence

_LOOKS = {  # compiled where it is looked for
    AskedKind.AMOUNT: _MONEY,
    AskedKind.DURATION: _TIME,
    AskedKind.FREQUENCY: _OFTEN,
    AskedKind.NUMBER: _COUNT,
    AskedKind.DATE: _DATE,
    AskedKind.ROLE: _PERSON,
    AskedKind.PERSON: _NAME,
    AskedKind.PLACE: rf"\b(?:in|at|to|from|near|of|is|was)\s+(?:the\s+)?{_UPPER}\w+|\b{_UPPER}\w+-based\b"
    rf"|\b{_UPPER}\w+, {_UPPER}\w+[;.)]",  # Kranj, Slovenia
}
_TELLS_NOTHING = STOP_WORDS - {"may"}  # the month
_YEARS = re.compile(rf"\b{_YEAR}")
_WORD = re.compile(r"\w+")
_REACH_WORDS, _REACH_CHARS = 5, 60  # behind a number, in which what it counts must stand


def holds_kind(text: str, kind: AskedKind, asked: frozenset[str], lexicon: Lexicon) -> bool:
    """Whether a text holds a thing of that kind that is more than words of the question (``asked``, in lower case)."""
    if kind is AskedKind.COUNTRY:
        return _names_country(text, asked, lexicon) or _names_country(
            text, asked, replace(lexicon, places=lexicon.all_places())
        )
    for found in _instances(text, kind, lexicon):
        parts = parts_of(found)
        if not parts or any(part not in asked and part not in _TELLS_NOTHING for part in parts):
            return True
    return False


def _names_country(text: str, asked: frozenset[str], lexicon: Lexicon) -> bool:
    return any(not any(asked.issuperset(parts_of(name)) for name in names) for names in named_places(text, lexicon))


def _instances(text: str, kind: AskedKind, lexicon: Lexicon) -> Iterator[str]:
    for match in re.finditer(_LOOKS[kind], text):
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
        for match in re.finditer(_LOOKS[AskedKind.NUMBER], text)
    )


def _following(text: str, end: int) -> list[str]:
    return _WORD.findall(text[end : end + _REACH_CHARS])[:_REACH_WORDS]
