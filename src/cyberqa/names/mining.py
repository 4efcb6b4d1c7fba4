"""Finds where a text defines an acronym: "Law Enforcement Agencies (LEA)", "n-CERT (National Computer Security Unit)".

After Schwartz and Hearst (2003), with three changes: letters count more at the start of words, of all readings the one
with most such letters is taken, and a proper name in front of an acronym in another language ("National Agency for
Cyber Security (ALCIRT)") is taken where its letters cannot be found.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from cyberqa.names.aliases import is_acronym
from cyberqa.names.words import key_of
from cyberqa.types import Span

_MARKS = "*_`\"'“”‘’«»„^{}⁰¹²³⁴⁵⁶⁷⁸⁹ \t\r\n"
_PARENTHESIS = re.compile(r"\(([^()]{2,160})\)")
_PARTS = re.compile(r"\s*[/;,]\s*|\s+or\s+")
_SENTENCE_END = re.compile(r"[.!?;:](?=[\s*_\"”’⁰¹²³⁴⁵⁶⁷⁸⁹])|[()\[\]|\t]|\n\s*\n|\n\s*[-•–]\s| [-–—] ")
_TOKEN = re.compile(r"[^\W_⁰¹²³⁴⁵⁶⁷⁸⁹]+(?:[’'&.@-]?[^\W_⁰¹²³⁴⁵⁶⁷⁸⁹]+)*|&")
_SHORT = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-@&.][A-Za-z0-9]+)*(?: [A-Z]{2,})?")
_SHORT_BEFORE = re.compile(r"(?<![\w.@/-])([A-Za-z][A-Za-z0-9]*(?:[-@&][A-Za-z0-9]+)*)[*_“”\"'’⁰¹²³⁴⁵⁶⁷⁸⁹]*\s{0,2}$")
_FUNCTION_WORDS = frozenset(
    (
        "of", "for", "the", "and", "&", "on", "in", "to", "with", "against", "at", "from", "by", "a", "an",
        "de", "des", "du", "di", "et", "la", "le",
    )
)  # fmt: skip
_OFTEN_LEFT_OUT = frozenset(("programme", "program", "project", "initiative"))  # Science for Peace and Security (SPS)
_LONGEST_SHORT_CHARS = 12
_LOOK_BACK_CHARS = 250
_MOST_BRACKETS = 50_000  # a text: one made to be slow takes 5 ms each
_WORDS_MORE = 5  # than the acronym has letters: "at most min(|A| + 5, 2|A|) words", as in the paper
_LEAST_NAME_WORDS = 3  # of a proper name that is taken without its letters
_LEAST_NAME_LETTERS = 4
_LEAST_START_SHARE = 0.5  # of an acronym's letters that start a word or go on from its start


@dataclass(frozen=True, slots=True)
class Definition:
    """An acronym and what a text says it stands for.

    ``by_letters``: 2 where all its letters start words or go on from there, 1 where some do, 0 where the name is in
    another language.
    """

    short: str
    long: str
    span: Span
    by_letters: int


def find_definitions(text: str) -> Iterator[Definition]:
    """Yield every definition in a text, in order. Spans are from the start of the first form to the last bracket."""
    for found in islice(_PARENTHESIS.finditer(text), _MOST_BRACKETS):
        inner = found.group(1)
        definitions = list(_short_inside(text, found.start(), inner, found.end()))
        yield from definitions or _long_inside(text, found.start(), inner, found.end())


def _short_inside(text: str, bracket: int, inner: str, end: int) -> Iterator[Definition]:
    parts = [_singular(part.strip(_MARKS)) for part in _PARTS.split(inner)]
    shorts = [part for part in parts if len(part) <= _LONGEST_SHORT_CHARS and _SHORT.fullmatch(part)]
    shorts = [short for short in shorts if is_acronym(short)]
    joint = text.rfind(" and ", max(0, bracket - _LOOK_BACK_CHARS), bracket)
    if len(shorts) > 1 and joint >= 0:  # "cybersecurity and information security (CS/IS)"
        second = _long_before(text, bracket, shorts[1], end)
        if second is not None and second.span.start == joint + len(" and "):
            yield from filter(None, (_long_before(text, joint, shorts[0], end), second))
            return
    yield from filter(None, (_long_before(text, bracket, short, end) for short in shorts[:1]))


def _singular(short: str) -> str:
    return short[:-1] if re.fullmatch(r".*[A-Z]s", short) else short


def _long_before(text: str, bracket: int, short: str, end: int) -> Definition | None:
    start = max(0, bracket - _LOOK_BACK_CHARS)
    for stop in _SENTENCE_END.finditer(text, start, bracket):
        start = stop.end()
    tokens = [(token.start(), token.end()) for token in _TOKEN.finditer(text, start, bracket)]
    letters = _letters(short)
    tokens = tokens[-min(len(letters) + _WORDS_MORE, 2 * len(letters)) :]
    words = [text[first:last] for first, last in tokens]
    if (taken := _best_start(letters, words) or _proper_name(letters, words)) is None:
        return None
    first, by_letters = taken
    return _definition(text, short, Span(tokens[first][0], tokens[-1][1]), Span(tokens[first][0], end), by_letters)


def _long_inside(text: str, bracket: int, inner: str, end: int) -> Iterator[Definition]:
    before = _SHORT_BEFORE.search(text, max(0, bracket - 40), bracket)
    if before is None or not is_acronym(short := _singular(before.group(1))) or len(short) > _LONGEST_SHORT_CHARS:
        return
    tokens = [(token.start(), token.end()) for token in _TOKEN.finditer(inner)]
    words = [inner[first:last] for first, last in tokens]
    if words and words[0].lower() in ("the", "a", "an"):
        tokens, words = tokens[1:], words[1:]
    if len(words) < 2 or _SENTENCE_END.search(inner) or len(words) > len(short) + _WORDS_MORE:
        return
    if _start_share(_letters(short), words) != 1:
        return
    offset = bracket + 1
    long = Span(offset + tokens[0][0], offset + tokens[-1][1])
    definition = _definition(text, short, long, Span(before.start(1), end), 2)
    if definition is not None:
        yield definition


def _definition(text: str, short: str, long: Span, span: Span, by_letters: int) -> Definition | None:
    """Return the definition, if its long form is a name of several words or one that is longer than the acronym."""
    name = " ".join(re.sub(r"[*_`“”\"⁰¹²³⁴⁵⁶⁷⁸⁹]+", "", text[long.start : long.end]).split())
    if len(name) <= len(short) or is_acronym(name) or key_of(short) in key_of(name).split():
        return None
    return Definition(short, name, span, by_letters)


def _letters(short: str) -> str:
    return "".join(ch for ch in short.lower() if ch.isalnum())


# --- letters in words ----------------------------------------------------------------------------------------


def _best_start(letters: str, words: list[str]) -> tuple[int, int] | None:
    """Return the word where the long form starts and how well it fits: the best share, then the nearest start."""
    best: tuple[float, int] | None = None
    for first in range(len(words) - 1, -1, -1):
        share = _start_share(letters, words[first:])
        if share is not None and (best is None or share > best[0]):
            best = (share, first)
    if best is None or best[0] < _LEAST_START_SHARE:
        return None
    if best[0] < 1 and len(_content(words[best[1] :])) > len(letters):
        return None
    return best[1], 2 if best[0] == 1 else 1


def _starts(word: str, letters: str) -> bool:
    return word[:1].lower() == letters[:1]


def _start_share(letters: str, words: list[str]) -> float | None:
    """Return the greatest share of letters at the start of words, or going on from there, of all alignments.

    The first letter starts the first word, the letters follow in order, and the last content word has at least one.
    None where they cannot be found so.
    """
    if not words or not _starts(words[0], letters):
        return None
    text = " ".join(words).lower()
    earliest_end = len(text) - len(_last_content(words))
    # most[p]: of the letters from this one on, how many can start a word or go on, in text[p:]; running: where the
    # letter before it counted and stands at p - 1. Below zero: they cannot be found. From the last letter backwards.
    most = running = [0] * (len(text) + 1)
    for number in range(len(letters) - 1, 0, -1):
        most_after, running_after = most, running
        most, running = ([-len(letters)] * (len(text) + 1) for _ in range(2))
        lowest = earliest_end if number == len(letters) - 1 else number
        for place in range(len(text) - 1, number - 1, -1):
            most[place] = running[place] = most[place + 1]
            if text[place] == letters[number] and place >= lowest:
                at_start = not text[place - 1].isalnum()
                going_on = 1 + running_after[place + 1]
                most[place] = max(most[place], going_on if at_start else most_after[place + 1])
                running[place] = max(running[place], going_on)
    return (1 + running[1]) / len(letters) if running[1] >= 0 else None


def _last_content(words: list[str]) -> str:
    """Return the last words from where a letter must be found: "for Coordination" may be missing in (CEB)."""
    last = max((place for place, word in enumerate(words) if word.lower() not in _FUNCTION_WORDS), default=0)
    if last >= _LEAST_NAME_WORDS and _is_capitalised(words):
        if words[last - 1] in ("for", "of"):
            last -= 2
        elif words[last].lower() in _OFTEN_LEFT_OUT:
            last -= 1
    return " ".join(words[last:])


def _content(words: Iterable[str]) -> list[str]:
    return [word for word in words if word.lower() not in _FUNCTION_WORDS]


def _is_capitalised(words: Iterable[str]) -> bool:
    return all(word[:1].isupper() for word in _content(words))


def _proper_name(letters: str, words: list[str]) -> tuple[int, int] | None:
    """Return where a run of capitalised words that ends here starts; it fits better where its first letter does."""
    first = len(words)
    for place in range(len(words) - 1, -1, -1):
        if words[place][:1].isupper() and words[place] not in ("The", "This", "In", "An", "A"):
            first = place
        elif words[place] not in _FUNCTION_WORDS:
            break
    if len(letters) < _LEAST_NAME_LETTERS or len(_content(words[first:])) < _LEAST_NAME_WORDS:
        return None
    return first, int(_starts(words[first], letters))


# --- choosing ------------------------------------------------------------------------------------------------

_MOST_MEANINGS = 3
_LEAST_SHARE_OF_BEST = 0.25


@dataclass(slots=True)
class Meaning:
    """One meaning of a short form: where it is defined first, how often, and how its long form is written.

    ``longs`` counts the ways, in order of appearance.
    """

    document: str
    first: Definition
    longs: Counter[str]

    @property
    def definitions(self) -> int:
        """How often it is defined."""
        return self.longs.total()

    @property
    def usual_form(self) -> str:
        """The most frequent way in which the long form is written; the first of equals."""
        return self.longs.most_common(1)[0][0]


class Meanings:
    """Takes the definitions of one document after the other, in order, and keeps no more than their different words."""

    def __init__(self) -> None:
        self._by_letters: dict[str, dict[str, Meaning]] = {}  # by short form, then by the key of the long one
        self._others: dict[str, dict[str, Meaning]] = {}

    def add(self, document: str, definition: Definition) -> None:
        """Take a definition in a document, given by id."""
        kind = self._by_letters if definition.by_letters else self._others
        meanings = kind.setdefault(definition.short, {})
        known = meanings.setdefault(key_of(definition.long), Meaning(document, definition, Counter()))
        known.longs[definition.long] += 1

    def choose(self) -> Iterator[tuple[str, Meaning]]:
        """Yield each short form with its meanings that are kept, the most frequent first.

        A name of which no letter fits is kept only where there is no other.
        """
        for short in sorted(self._by_letters.keys() | self._others.keys()):
            meanings = (self._by_letters.get(short) or self._others[short]).values()
            ordered = sorted(meanings, key=lambda each: (-each.definitions, each.document, each.first.span.start))
            for meaning in ordered[:_MOST_MEANINGS]:
                if meaning.definitions >= _LEAST_SHARE_OF_BEST * ordered[0].definitions:
                    yield short, meaning
