"""What people put around a question: "Could you tell me …", "According to the reports, …". It is not searched for."""

import re
from functools import cache

_SOURCES = (
    "(?:the|these|those|this|that|your|our|my) (?:(?:given|provided|available|attached|indexed) )?"
    "(?:reports?|documents?|texts?|corpus|sources?|papers?|articles?|files?|collection|publications?)"
)
_ABOUT = "(?:(?: more)? about)?[,:]?"
_BEFORE = (
    "(?:hi|hello|hey|good (?:morning|afternoon|evening))(?: all| everyone| there)?[,!.]",
    "(?:(?:quick )?question:|my question is[,:]?)",
    "(?:please|kindly),?",
    "(?:can|could|would|will) you(?= (?:please|kindly|tell|explain|show|list|give|describe|say|find|remind|name))",
    "(?:tell|show|remind|give) (?:me|us)" + _ABOUT,
    "(?:i['’]d|i would|we would|we['’]d) (?:like|love) to (?:know|learn|hear|find out|ask)" + _ABOUT,
    "(?:i|we) (?:want|need|wish) to (?:know|learn|find out|ask)" + _ABOUT,
    "(?:i wonder|i['’]?m (?:wondering|curious)|i am (?:wondering|curious))" + _ABOUT,
    "do(?:es)? (?:you|anyone|anybody)(?: happen to)? know[,:]?",
    f"(?:according to|based on|as per|in|from|within) {_SOURCES}"
    "(?:[,:]|(?= (?:who|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|in|on|by) ))",
    f"what (?:do|does|did) {_SOURCES} (?:say|state|tell us|report|mention|write) (?:about|on|of)",
    f"(?:do|does|did) {_SOURCES} (?:say|state|mention|explain|tell us|specify)(?: that| anything about)?",
    f"is there (?:anything|any mention|any information) (?:in {_SOURCES} )?(?:about|on|of)",
)
_BEHIND = (
    f",? (?:according to|based on|as per) {_SOURCES}",
    ",? please",
    "[,.!?]? (?:many )?(?:thanks|thank you)(?: in advance)?",
)
_HINTS = frozenset(
    """
    anybody anyone article articles collection corpus document documents file files give good hello hey hi i kindly my
    paper papers please publication publications question remind report reports show source sources tell text texts
    thank thanks we you
    """.split()  # noqa: SIM905 - a list of words is read best as text
)
"""One of these words stands in all framing: the patterns, which take 8 ms to compile, are for such questions only."""
_MOST_LAYERS = 4  # "Hello, could you please tell me"
_MOST_CHARS = 1000


def without_framing(question: str) -> str:
    """Return the question without what is said around it; the question itself, where nothing else would be left.

    >>> without_framing("Could you please tell me who supported ALCIRT's creation, according to the reports?")
    "who supported ALCIRT's creation?"
    """
    if len(question) > _MOST_CHARS or _HINTS.isdisjoint(re.findall(r"\w+", question.lower())):
        return question
    before, behind = _patterns()
    bare = question
    for _ in range(_MOST_LAYERS):
        shorter = behind.sub(r"\g<end>", before.sub("", bare))
        if shorter == bare:
            break
        bare = shorter
    return bare if re.search(r"\w", bare) else question


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what is taken from a question's start, and from its end, whose last sign stays."""
    before, behind = ("|".join(parts).replace(" ", r"\s+") for parts in (_BEFORE, _BEHIND))
    return (
        re.compile(rf"^\s*(?:{before})(?!\w)\s*", re.IGNORECASE),
        re.compile(rf"(?:{behind})\s*(?P<end>[?.!]*)\s*$", re.IGNORECASE),
    )
