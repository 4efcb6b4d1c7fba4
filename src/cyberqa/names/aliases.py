"""The nouns of this room: an alias, where it comes from, and of what kind it is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cyberqa.names.words import key_of, letters_of
from cyberqa.types import Span


class Kind(StrEnum):
    """What a word is to what it means."""

    SHORT = "short form"
    """An acronym, to what it stands for."""
    LONG = "long form"
    """What it stands for, to the acronym."""
    NAME = "other name"
    CAPITAL = "capital"
    """To the country that is governed from there."""
    BYNAME = "byname"
    """A place or an image, to those who are meant by it."""
    ADJECTIVE = "adjective"
    """Of a country or its people, to the country."""
    GLOSSARY = "glossary"
    """Everyday words, to the term of the field."""


class Origin(StrEnum):
    """Who says so; in order of trust."""

    GIVEN = "aliases.toml"
    MINED = "corpus"
    SHIPPED = "cyberqa"


ORDER_OF_TRUST = tuple(Origin)


@dataclass(frozen=True, slots=True)
class Alias:
    """Where a question writes ``word``, ``meant`` is another way to ask; never the other way round.

    ``is_exact``: the word counts only in its own capitals (US, Polish). A mined one says where it is first defined, by
    document and span, and how often. ``rank`` orders those of one word: 0 is the best.
    """

    word: str
    meant: str
    kind: Kind
    origin: Origin
    is_exact: bool = False
    document: str | None = None
    span: Span | None = None
    definitions: int = 0
    rank: int = 0

    @property
    def key(self) -> str:
        """What it is looked up by."""
        return key_of(self.word)

    @property
    def reason(self) -> str:
        """Why a question that writes ``word`` is also asked with ``meant``, for people."""
        if self.document is not None and self.span is not None:
            because = f"{self.document} {self.span.start}"
        else:
            because = self.kind if self.origin is Origin.SHIPPED else self.origin
        return f"{self.word} → {self.meant} ({because})"


_ACRONYM = re.compile(r"(?=(?:[^A-Z]*[A-Z]){2})[A-Za-z0-9]+(?:[-@&/.][A-Za-z0-9]+)*\.?(?: [A-Z]{2,})?")
_LEAST_CAPITAL_SHARE = 0.5
_LEAST_LETTERS_IN_ANY_CASE = 4  # us, is, cs, camp: the fewer letters, the likelier a word of everyday


def is_acronym(text: str) -> bool:
    """Whether a name is a short form: one word, at least half of its letters capitals, and two of these."""
    letters = letters_of(text)
    capitals = sum(letter.isupper() for letter in letters)
    return bool(_ACRONYM.fullmatch(text)) and capitals >= _LEAST_CAPITAL_SHARE * len(letters)


def is_short(text: str) -> bool:
    """Whether a name has too few letters to be known in lower case."""
    return len(letters_of(text)) < _LEAST_LETTERS_IN_ANY_CASE


def kind_between(word: str, meant: str) -> Kind:
    """Return what one of two equal names is to the other."""
    if is_acronym(word) == is_acronym(meant):
        return Kind.NAME
    return Kind.SHORT if is_acronym(word) else Kind.LONG


def listed(aliases: Iterable[Alias]) -> list[Alias]:
    """Return aliases for a person to read: pairs of equals once, an acronym before what it stands for."""
    seen: set[frozenset[str]] = set()
    chosen: list[Alias] = []
    for alias in aliases:
        pair = frozenset((alias.word, alias.meant))
        if alias.kind is not Kind.LONG and pair not in seen:
            seen.add(pair)
            chosen.append(alias)
    return sorted(
        chosen, key=lambda alias: (ORDER_OF_TRUST.index(alias.origin), alias.kind, alias.word.casefold(), alias.rank)
    )
