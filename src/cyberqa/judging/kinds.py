"""The kind of thing a question asks for, and whether a text holds one that the question has not already given.

English only: in other languages nothing in particular is asked for, and nothing is held against a passage. A rule asks
for something only where nothing else would be an answer: "when is a famine declared" wants no date, "where are the
files stored" no town, "does it say who pays" no name.
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
    DURATION = "a length of time"
    FREQUENCY = "a frequency"
    DATE = "a date"
    ROLE = "a person's name"
    PERSON = "a name"
    COUNTRY = "a country"
    PLACE = "a place"


@dataclass(frozen=True, slots=True)
class _Rule:
    """``asks`` finds the kind in a question, ``looks`` its instances in a text: compiled where it is looked for."""

    kind: AskedKind
    asks: re.Pattern[str]
    looks: str


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_YEAR = r"(?:1[5-9]|20)\d\d(?![\ds])"  # a footnote's mark may follow, but "2010s" is no year
_ORDINALS = (
    r"\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|"
    "thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|twenty-first"
)
_DATE = (
    rf"\b{_YEAR}|\b(?:{_MONTHS})\b|\b(?:[Ii]n|[Ff]rom|[Ss]ince|[Uu]ntil|by|between|around|about|and|to|of) \d{{3,4}}\b"
    r"|[(–-]\d{3,4}\b(?!,)|\b\d{1,4}\s(?:BCE?|CE|AD)\b|\bAD\s\d+|\b\d{3,4}s\b|\byears ago\b"
    rf"|\b(?i:{_ORDINALS})[ -](?:\w+[ -])?centur"
)
_WORDS_FOR_NUMBERS = (
    "[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|[Tt]en|[Ee]leven|[Tt]welve|"
    "(?:[Tt]hir|[Ff]our|[Ff]if|[Ss]ix|[Ss]even|[Ee]igh|[Nn]ine)teen|"
    "(?:[Tt]wen|[Tt]hir|[Ff]or|[Ff]if|[Ss]ix|[Ss]even|[Ee]igh|[Nn]ine)ty(?:-\\w+)?|"
    "[Dd]ozens?|[Hh]undreds?|[Tt]housands?|[Mm]illions?|[Dd]ecades?|[Hh]alf|[Oo]ne|[Bb]oth|[Tt]wice"
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
_TIME = (
    r"\b(?:\d[\d.,]*|(?i:an?|one|several|few|many|some|more|" + _WORDS_FOR_NUMBERS + r"))[ -](?:\w+[ -])?"
    r"(?:years?|months?|weeks?|days?|hours?|minutes?|seconds?|decades?|centur(?:y|ies)|generations?)\b"
    rf"|\b(?i:until|since|permanent\w*|indefinite\w*|annual\w*|long)\b|\b{_YEAR}.*\b{_YEAR}"
)
_OFTEN = (
    r"\b(?i:every|each|once|twice|\w+ times|times a|annual\w*|yearly|monthly|weekly|daily|quarterly|regular\w*|"
    r"frequent\w*|often|rarely|always|never|(?:a|per) (?:year|month|week|day))\b"
)
_UPPER = "[A-Z" + "".join(chr(c) for c in range(0xC0, 0x530) if chr(c).isupper()) + "]"  # Latin, Greek, Cyrillic
_TITLE = "(?:Mr|Ms|Mrs|Dr|Prof|H\\.?E)\\.?"
_OFFICE = "Director|Minister|President|Secretary|Ambassador|Commissioner|Governor|Chancellor|General"
_HEADS = "head|director|chair|president|minister|ambassador|chief"
_PERSON = rf"\b(?:Mr|Ms|Mrs|Dr|Prof|H\.?E)\b\.?|\b(?:{_OFFICE})\b|\b{_UPPER}[^\W\d_]+ {_UPPER}[^\W\d_]+\b"
_IS_PERSON = re.compile(rf"{_TITLE}|{_OFFICE}")
_NAME = rf"(?<![.!?:] )(?<!^)\b{_UPPER}\w+"  # with a capital, not at the start of a sentence
_ANY = r"\w+(?:[ -]\w+)*"

_IS = "is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
_YES_OR_NO = re.compile(rf"\s*(?:{_IS})n?['’]?t?\s+(?!you\b|i\b|we\b|any(?:one|body)\b)", re.IGNORECASE)
_FIRST = r"^(?:(?!\b(?:who|whom|whose|what|which|when|where|why|how)\b).)*"
"""Before the word that asks: "What goes wrong when they overlap?" asks for no date."""
_PARTICIPLE = r"(?:adopted|born|created|established|founded|held|launched|ratified|set up|signed|started)\b"
_NO_ADJECTIVE = f"{_IS}|of|in|to|by|for|an?|the"
_WHICH = rf"\b(?:which|what)\s+(?:(?!(?:{_NO_ADJECTIVE})\b|\S+['’]s\b)\S+\s+){{0,2}}?"
_WHO = rf"{_FIRST}(?<!those )(?<!people )(?<!anyone )(?<!person )(?<!ones )\bwho(?:m|se)?\b"
_IN_GENERAL = r"(?!\s+(?:can|could|may|might|must|should|shall|would|needs?|ha[sv]e? to|usually|generally|else)\b)"
_PAID = (
    r"costs?|costed|pa(?:y|ys|id)|spen[dt]|money|budget\w*|fund\w*|invest\w*|grant\w*|donat\w*|worth|earn\w*|price\w*|"
    r"receiv\w*|allocat\w*|contribut\w*|financ\w*|salar\w*|fees?|charge[sd]?"
)
_WHAT = r"\b(?:what|which)(?: \S+){0,4}? "
_MEASURED = (
    "share|proportion|percentage|rate|ratio|length|height|depth|width|distance|speed|temperature|age|population|weight|"
    "dose|throughput|mass|density|frequency|score|capacity"
)
_NAMED = (
    "author|writer|scholar|historian|philosopher|scientist|economist|theorist|translator|artist|composer|journalist|"
    "politician|minister|president|king|queen|general|leader|expert|researcher|agent|company|companies|corporation|firm|"
    "university|universities|newspaper|magazine|journal|ministry|ministries|organi[sz]ations?|donors?|bank|foundation|"
    "institute|vendor|supplier|consultant|contractor"
)
_SUMS = "budget|costs?|price|salary|fees?|fine"
_ASKS_NOTHING = r"^(?!.*\b(?:who|whom|whose|what|which|when|where|why|how)\b).*"  # words for a search box
_SCHEDULED = "due|scheduled|planned|expected|next|deadline|first|start|begin|end|expire|force"
_WRITTEN = "published|stored|kept|mentioned|defined|described|found|discussed|recorded|logged|listed|set out|laid down"
_SEATED = (
    "born|held|take place|located|based|headquarter(?:s|ed)|situated|hosted|housed|offices?|secretariat|seat|li[ev]e"
)

_RULES = tuple(
    _Rule(kind, re.compile(asks, re.IGNORECASE | re.DOTALL), looks)
    for kind, asks, looks in (
        (
            AskedKind.AMOUNT,
            rf"\bhow much\b(?=.*\b(?:{_PAID})\b)|{_WHAT}(?:{_SUMS}|sum)\b"
            rf"|{_ASKS_NOTHING}\b(?:{_SUMS})\b",
            _MONEY,
        ),
        (AskedKind.DURATION, r"\bhow long\b(?! ago)", _TIME),
        (AskedKind.FREQUENCY, r"\bhow (?:often|frequently)\b", _OFTEN),
        (
            AskedKind.NUMBER,
            rf"\bhow (?:many|large|big|old|fast|far|tall|high|deep|heavy|wide)\b|(?<!\ba )\bnumber of\b|\bpercentage\b"
            rf"|{_WHAT}(?:{_MEASURED})\b",
            _COUNT,
        ),
        (
            AskedKind.DATE,
            rf"{_FIRST}\bwhen (?:exactly |precisely |then )?(?:(?:did|was|were|will|had|has|have|and)\b|{_PARTICIPLE})"
            rf"|{_FIRST}\bwhen (?:do|does|is|are)\b(?! an?\b).*\b(?:{_SCHEDULED})\b"
            rf"|{_FIRST}\b(?:tell|know|say)(?: me| us)? when\b|{_FIRST}\bwhen\W*$|\bhow long ago\b"
            r"|\b(?:what|which) (?:exact |precise )?(?:year|date|month|day|decade|century)\b|^date\b|\bdate$",
            _DATE,
        ),
        (
            AskedKind.ROLE,
            rf"{_FIRST}\bwho\b.{{0,12}}\b(?:head|chair|direct|command|is the (?:{_HEADS}))",
            _PERSON,
        ),
        (AskedKind.PERSON, rf"{_WHO}{_IN_GENERAL}|{_WHICH}(?:{_NAMED})\b", _NAME),
        (
            AskedKind.COUNTRY,
            rf"{_WHICH}(?:countr(?:y|ies)|nations?|governments?|states|state(?=\W*(?:$|(?:{_IS}|of)\b|\w+ed\b|\w+s\b))"
            r"|ally|allies)\b(?!\s+(?:agenc|bod|department|institution|office|authorit|actor|part))",
            _ANY,
        ),
        (
            AskedKind.PLACE,
            rf"{_FIRST}\bwhere (?:and when )?(?:(?:did|was)\b(?!.*\b(?:{_WRITTEN})\b)|(?:{_IS})\b.*\b(?:{_SEATED})\b)"
            rf"|{_WHICH}(?:city|cities|town|venue)\b",
            rf"\b(?:in|at|to|from|near|of|is|was)\s+(?:the\s+)?{_UPPER}\w+|\b{_UPPER}\w+-based\b"
            rf"|\b{_UPPER}\w+, {_UPPER}\w+[;.)]",  # Kranj, Slovenia
        ),
    )
)
_TELLS_NOTHING = STOP_WORDS - {"may"}  # the month
_LOOKS = {rule.kind: rule.looks for rule in _RULES}


def asked_kind(question: str) -> AskedKind | None:
    """Return what kind of thing is asked for; None where nothing in particular is.

    >>> asked_kind("When did it start?")
    <AskedKind.DATE: 'a date'>
    """
    if _YES_OR_NO.match(question):
        return None
    return next((rule.kind for rule in _RULES if rule.asks.search(question)), None)


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
