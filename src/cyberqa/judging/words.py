"""What a question's words are: names, numbers and plain words, how rare each is, and what else it may be written as."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from cyberqa.index.capitals import Capitals
from cyberqa.index.lexical import idf
from cyberqa.names.words import NAMED_AFTER_A_PLACE
from cyberqa.types import Span

_STOP = (
    "a an the of in on at to for from by with about as into over after before between through during under since until "
    "within without against among is are was were be been being am do does did done have has had having can could "
    "will would shall should may might must and or but not no nor so than then that this these those there here it its "
    "they them their he she his her him you your i we our us my me who whom whose which what when where why how many "
    "much any some all each every own same such only other s t d ll re ve m if out up down off also too very just "
    "get gets got please tell whether while because although though both either neither more most less least"
)
STOP_WORDS = frozenset(_STOP.split())
_KIND = (
    "money budget cost costs price sum fee year date month day number city place town venue take took full name mean "
    "means stand stands mention mentions mentioned find show explain describe"
)
_KIND_WORDS = frozenset(_KIND.split())
"""They say what kind of thing is asked for, or ask for it: no passage need repeat them."""

_ALWAYS_A_NAME = 0.8  # share of a word's places with a capital, from which a small letter in the question is ignored
_RATHER_A_NAME = 0.5  # the same for the first word of a question, and for a place that may be a common word
_ENDING = 3  # letters that may be an ending
_BEGINNING = 5  # letters before it: fewer begin other words by chance
_PLACE_WORDS = 4  # "Bosnia and Herzegovina" has three

_WORD = re.compile(r"[^\W_]+(?:[-'’.&/@][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)
_OPENING = " \"'“‘«(¿¡"

Places = Mapping[str, Sequence[str]]
"""Country, capital and adjective in lower case, each with the other two: ``tirana`` has ``albania``, ``albanian``."""

Abbreviations = Sequence[tuple[str, str]]
"""Short and long form of the same: ``("LEA", "law enforcement agencies")``."""


class WordKind(StrEnum):
    """Names and numbers must stand in a passage; what a plain word says may be said otherwise."""

    NAME = "name"
    NUMBER = "number"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a question that is no stop word; a place of several words is one.

    ``ways`` are the stems of each way to write it, its own first. ``tokens`` are the numbers of the question's tokens
    that make it up. ``weight`` is its idf. ``is_known`` says that the corpus has it, in whatever form.
    """

    text: str
    span: Span
    kind: WordKind
    weight: float
    ways: tuple[frozenset[str], ...]
    tokens: tuple[int, ...]
    is_known: bool = True

    @property
    def must_stand(self) -> bool:
        """Whether no other word will do."""
        return self.kind is not WordKind.PLAIN


@dataclass(frozen=True)
class Lexicon:
    """What is known of words, whatever the question.

    ``stems`` gives the terms of a text in the corpus's main language, in order; ``frequency`` how many chunks hold a
    term, of ``chunks`` in all; ``word_frequency`` how many hold a word, in whichever of its languages;
    ``begins`` whether any word of the corpus begins like that; ``capitals`` how the corpus writes a word given in lower
    case; ``places`` are those that it names, ``all_places`` all there are, which take a moment to read.
    """

    stems: Callable[[str], Sequence[str]]
    frequency: Callable[[str], int]
    word_frequency: Callable[[str], int]
    begins: Callable[[str], bool]
    chunks: int
    capitals: Callable[[str], Capitals]
    places: Places
    all_places: Callable[[], Places]

    def idf(self, stem: str) -> float:
        """Return the inverse document frequency of a stem."""
        return idf(self.frequency(stem), self.chunks)

    @cached_property
    def place_starts(self) -> frozenset[str]:
        """First words of places that have several."""
        return frozenset(name.split()[0] for name in self.places if len(name.split()) > 1)

    @property
    def highest_idf(self) -> float:
        """That of a word that no chunk holds."""
        return idf(0, self.chunks)


def places_of(rows: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return every name of places with the others; each row has all names of one.

    >>> places_of([("Albania", "Tirana"), ("Malta",)])
    {'albania': ('tirana',), 'tirana': ('albania',), 'malta': ()}
    """
    others: dict[str, dict[str, None]] = {}
    for row in rows:
        names = [name.casefold() for name in row if name]
        for name in names:
            others.setdefault(name, {}).update(dict.fromkeys(other for other in names if other != name))
    return {name: tuple(found) for name, found in others.items()}


def parts_of(text: str) -> list[str]:
    """Return runs of letters and digits, in lower case."""
    return _PART.findall(text.casefold())


def read_words(
    question: str,
    offsets: Sequence[tuple[int, int]],
    lexicon: Lexicon,
    abbreviations: Abbreviations = (),
    corrections: Mapping[str, str] | None = None,
) -> tuple[Word, ...]:
    """Return the words of a question that are neither stop words nor words for a kind of thing, in order.

    Args:
        question: in words.
        offsets: start and end in it of each of its tokens, the special ones empty.
        lexicon: what is known of words.
        abbreviations: short and long forms that concern the question; others do no harm.
        corrections: word as typed, in lower case -> word that is meant.
    """
    is_shouted = question.isupper() and any(part in STOP_WORDS for part in parts_of(question))
    words: list[Word] = []
    for span in _spans(question, lexicon):
        text = question[span.start : span.end]
        typed = text.casefold()
        if (typed in STOP_WORDS and not is_place(text, lexicon)) or typed in _KIND_WORDS:
            continue
        long_forms = [long for short, long in abbreviations if short.casefold() == typed]
        place = _place_key(typed, lexicon)
        others = [*lexicon.places.get(place, ()), *long_forms, *_name_in(text, lexicon)]
        meant = (corrections or {}).get(typed, text)
        ways = _ways([meant, *others], lexicon)
        if not ways:
            continue
        is_first = not question[: span.start].strip(_OPENING)
        kind = WordKind.NAME if long_forms else _kind(typed if is_shouted else text, lexicon, is_first=is_first)
        tokens = tuple(n for n, (start, end) in enumerate(offsets) if span.start <= start < end <= span.end)
        is_known = _is_known(ways, lexicon)
        elsewhere = 0 if is_known else lexicon.word_frequency(meant)  # stemmed as another language has it
        weight = idf(elsewhere, lexicon.chunks) if elsewhere else _weight(ways, place in lexicon.places, lexicon)
        words.append(Word(text, span, kind, weight, ways, tokens, len(text) == 1 or is_known or elsewhere > 0))
    return tuple(words)


def _spans(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Yield the words, without a possessive; those that name a place together are one."""
    found = [Span(m.start(), m.start() + len(_POSSESSIVE.sub("", m.group()))) for m in _WORD.finditer(text)]
    first = 0
    while first < len(found):
        last = _place_end(text, found, first, lexicon)
        yield Span(found[first].start, found[last].end)
        first = last + 1


def _place_end(text: str, found: Sequence[Span], first: int, lexicon: Lexicon) -> int:
    """Return the number of the last word of the place that starts with a word; that word's own where none does."""
    if text[found[first].start : found[first].end].casefold() in lexicon.place_starts:
        for last in range(min(first + _PLACE_WORDS, len(found)) - 1, first, -1):
            if text[found[first].start : found[last].end].casefold() in lexicon.places:
                return last
    return first


def _ways(texts: Sequence[str], lexicon: Lexicon) -> tuple[frozenset[str], ...]:
    ways = (frozenset(stem for part in _content(text) for stem in lexicon.stems(part)) for text in texts)
    return tuple(dict.fromkeys(way for way in ways if way))


def _name_in(text: str, lexicon: Lexicon) -> list[str]:
    """Return the name in "Swiss-backed" or "pan-OSCE", with its other names; nothing where all parts are names."""
    parts = text.split("-")
    names = [part for part in parts if part[:1].isupper()]
    if not 0 < len(names) < len(parts):
        return []
    return [*names, *(other for name in names for other in lexicon.places.get(name.casefold(), ()))]


def _content(text: str) -> list[str]:
    parts = _PART.findall(text)
    return [part for part in parts if part.casefold() not in STOP_WORDS] if len(parts) > 1 else parts


def _weight(ways: Sequence[frozenset[str]], is_place: bool, lexicon: Lexicon) -> float:
    """A place is as common as its commonest form."""
    if is_place:
        return min(lexicon.idf(stem) for way in ways for stem in way)
    return sum(map(lexicon.idf, sorted(ways[0]))) / len(ways[0])


def _is_known(ways: Sequence[frozenset[str]], lexicon: Lexicon) -> bool:
    """A long word is known too where another begins like it: not every language has a stemmer."""
    stems = [stem for way in ways for stem in way]
    return any(map(lexicon.frequency, stems)) or any(
        len(stem) >= _ENDING + _BEGINNING and lexicon.begins(stem[:-_ENDING]) for stem in stems
    )


def _kind(text: str, lexicon: Lexicon, *, is_first: bool) -> WordKind:
    """Judge by the corpus first: a question may be typed without capitals."""
    if any(ch.isdigit() for ch in text) and not any(ch.isalpha() for ch in text):
        return WordKind.NUMBER
    share = lexicon.capitals(text.casefold()).share
    if share > _ALWAYS_A_NAME or is_place(text, lexicon) or any(ch.isupper() for ch in text[1:]):
        return WordKind.NAME
    return WordKind.NAME if text[0].isupper() and (share > _RATHER_A_NAME or not is_first) else WordKind.PLAIN


def _place_key(typed: str, lexicon: Lexicon) -> str:
    """Return a word in lower case as the table of places has it: "americans" is there as "american"."""
    return typed[:-1] if typed.endswith("s") and typed not in lexicon.places else typed


def is_place(text: str, lexicon: Lexicon) -> bool:
    """Whether a word names a place; in small letters only where the corpus does not use it as a common word."""
    typed = _place_key(text.casefold(), lexicon)
    if typed not in lexicon.places:
        return False
    if typed in STOP_WORDS:
        return text.isupper()  # "US", but never "us"
    if text[0].isupper() or lexicon.capitals(typed).share > _RATHER_A_NAME:
        return True
    return not any(lexicon.frequency(stem) for stem in lexicon.stems(typed))


def named_places(text: str, lexicon: Lexicon) -> Iterator[tuple[str, ...]]:
    """Yield each place that a text names, in lower case, with its other names."""
    found = [Span(*match.span()) for match in _PART.finditer(text)]  # both of "Serbia-Kosovo"
    folded = [text[span.start : span.end].casefold() for span in found]
    beyond = 0
    for first, word in enumerate(folded):
        if first < beyond or not (word in lexicon.place_starts or _place_key(word, lexicon) in lexicon.places):
            continue
        last = _place_end(text, found, first, lexicon)
        beyond = last + 1
        name, end = text[found[first].start : found[last].end], found[last].end
        if is_place(name, lexicon) and not NAMED_AFTER_A_PLACE.match(text, end):
            key = _place_key(name.casefold(), lexicon)
            yield key, *lexicon.places[key]


def places_in(text: str, lexicon: Lexicon) -> frozenset[str]:
    """Return the places that a text names, in lower case, each with its other names."""
    return frozenset(name for names in named_places(text, lexicon) for name in names)
