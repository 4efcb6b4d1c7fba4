"""The kind of thing a question asks for.

English only: in other languages nothing in particular is asked for, and nothing is held against a passage. A rule asks
for something only where nothing else would be an answer: "when is a famine declared" wants no date, "where are the
files stored" no town, "does it say who pays" no name.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


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
    """``asks`` finds the kind in a question; it is compiled only where one of ``words`` stands there, in any case."""

    kind: AskedKind
    words: tuple[str, ...]
    asks: str


_IS = "is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
_YES_OR_NO = re.compile(rf"\s*(?:{_IS})n?['’]?t?\s+(?!you\b|i\b|we\b|(?:any|some)(?:one|body)\b)", re.IGNORECASE)

_ASKING = "who|whom|whose|what|which|when|where|why|how"
_FIRST = rf"^(?:(?!\b(?:{_ASKING})\b).)*"
"""Before the word that asks: "What goes wrong when they overlap?" asks for no date."""
_ASKS_NOTHING = rf"^(?!.*\b(?:{_ASKING})\b).*"  # words for a search box
_NO_ADJECTIVE = f"{_IS}|of|in|to|by|for|an?|the"
_WHICH = rf"\b(?:which|what)\s+(?:(?!(?:{_NO_ADJECTIVE})\b|\S+['’]s\b)\S+\s+){{0,2}}?"
_WHAT = r"\b(?:what|which)(?: \S+){0,4}? "

_NOUN_ENDS = rf"\b(?!-)(?=\W*$|\s*\?|\s+(?:of|for|in|{_IS})\b)"  # no "mass surveillance", no "cost-benefit"
_SUMS = "budget|costs?|price|salary|fees?|fine"
_PAID = (
    r"costs?|costed|pa(?:y|ys|id)|spen[dt]|money|budget\w*|fund\w*|invest\w*|grant\w*|donat\w*|worth|earn\w*|price\w*|"
    r"receiv\w*|allocat\w*|contribut\w*|financ\w*|salar\w*|fees?|charge[sd]?"
)
_MEASURED = (
    "proportion|percentage|rate|ratio|length|height|depth|width|distance|speed|temperature|age|population|weight|"
    "dose|throughput|mass|density|frequency|score|capacity"
)
_PARTICIPLE = "adopted|born|created|established|founded|held|launched|ratified|set up|signed|started"
_SCHEDULED = "due|scheduled|planned|expected|next|deadline|first|start|begin|end|expire|in(?:to)? force"
_HEADS = "head|director|chair|president|minister|ambassador|chief"
_WHO = rf"{_FIRST}(?<!those )(?<!people )(?<!anyone )(?<!person )(?<!ones )\bwho(?:m|se)?\b"
_NOT_OF_A_NAME = r"(?!\s+(?:is|are|was|were)\s+(?-i:[A-Z][\w.&'’-]*(?:\s+[A-Z][\w.&'’-]*)*)\W*$)"
"""Who is USAID: that asks what it is."""
_IN_GENERAL = r"(?!\s+(?:can|could|may|might|must|should|shall|would|needs?|ha[sv]e? to|usually|generally|else)\b)"
_NAMED = (
    "author|writer|scholar|historian|philosopher|scientist|economist|theorist|translator|artist|composer|journalist|"
    "politician|minister|president|king|queen|leader|expert|researcher|agent|company|companies|corporation|firm|"
    "university|universities|newspaper|magazine|journal|ministry|ministries|organi[sz]ations?|donors?|bank|foundation|"
    "institute|vendor|supplier|consultant|contractor"
)
_WRITTEN = "published|stored|kept|mentioned|defined|described|found|discussed|recorded|logged|listed|set out|laid down"
_SEATED = (
    "born|held|take place|located|based|headquarter(?:s|ed)|situated|hosted|housed|offices?|secretariat|seat|li[ev]e"
)

_RULES = (
    _Rule(
        AskedKind.AMOUNT,
        ("how much", "budget", "cost", "price", "salary", "fee", "fine", "sum"),
        rf"\bhow much\b(?=.*\b(?:{_PAID})\b)|{_WHAT}(?:{_SUMS}|sum){_NOUN_ENDS}|{_ASKS_NOTHING}\b(?:{_SUMS})\b",
    ),
    _Rule(AskedKind.DURATION, ("how long",), r"\bhow long\b(?! ago)"),
    _Rule(AskedKind.FREQUENCY, ("how often", "how freq"), r"\bhow (?:often|frequently)\b"),
    _Rule(
        AskedKind.NUMBER,
        ("how ", "number", "share", *_MEASURED.split("|")),
        r"\bhow (?:many|large|big|old|fast|tall|high|deep|heavy|wide|far (?:is|away|from))\b|(?<!\ba )\bnumber of\b"
        rf"|\bpercentage\b|{_WHAT}(?:(?:{_MEASURED}){_NOUN_ENDS}|share of\b)",
    ),
    _Rule(
        AskedKind.DATE,
        ("when", "ago", "year", "date", "month", "day", "decade", "century"),
        rf"{_FIRST}\bwhen (?:exactly |precisely |then )?"
        rf"(?:did|was|were|will|had|has|have|and (?:where|in)|{_PARTICIPLE})\b"
        rf"|{_FIRST}\bwhen (?:do|does|is|are)\b(?! an?\b).*\b(?:{_SCHEDULED})\b"
        rf"|{_FIRST}\b(?:tell|know|say)(?: me| us)? when\b(?! an?\b)|{_FIRST}\bwhen\W*$|\bhow long ago\b"
        r"|\b(?:what|which) (?:exact |precise )?(?:year|date|month|day|decade|century)\b|^date\b|(?<!to )\bdate\W*$",
    ),
    _Rule(
        AskedKind.ROLE,
        ("who",),
        rf"{_FIRST}\bwho\b.{{0,12}}\b(?:head|chair|direct|command|is the (?:{_HEADS}))",
    ),
    _Rule(
        AskedKind.PERSON,
        ("who", "what", "which"),
        rf"{_WHO}{_NOT_OF_A_NAME}{_IN_GENERAL}|{_WHICH}(?:{_NAMED})\b(?! (?:accounts?|groups?)\b)",
    ),
    _Rule(
        AskedKind.COUNTRY,
        ("countr", "nation", "government", "state", "ally", "allies"),
        rf"{_WHICH}(?:countr(?:y|ies)|nations?|governments?|states|state(?=\W*(?:$|(?:{_IS})\b|\w+ed\b))"
        r"|ally|allies)\b(?!\s+(?:agenc|bod|department|institution|office|authorit|actor|part))",
    ),
    _Rule(
        AskedKind.PLACE,
        ("where", "city", "cities", "town", "venue"),
        rf"{_FIRST}\bwhere (?:and when )?(?:(?:did|was)\b(?!.*\b(?:{_WRITTEN})\b)|(?:{_IS})\b.*\b(?:{_SEATED})\b)"
        rf"|{_WHICH}(?:city|cities|town|venue)\b",
    ),
)


def asked_kind(question: str) -> AskedKind | None:
    """Return what kind of thing is asked for; None where nothing in particular is.

    >>> asked_kind("When did it start?")
    <AskedKind.DATE: 'a date'>
    """
    if _YES_OR_NO.match(question):
        return None
    lowered = question.lower()
    for rule in _RULES:
        if any(word in lowered for word in rule.words) and re.search(rule.asks, question, re.IGNORECASE | re.DOTALL):
            return rule.kind
    return None
