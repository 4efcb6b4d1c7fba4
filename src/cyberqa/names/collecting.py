"""Goes through the documents while an index is made, and comes out with the aliases that can matter for them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cyberqa.names import mining
from cyberqa.names.aliases import ORDER_OF_TRUST, Alias, Kind, Origin, is_short
from cyberqa.names.given import Groups
from cyberqa.names.shipped import group_aliases, shipped_aliases, shipped_digest
from cyberqa.names.words import LONGEST_KEY_WORDS, key_of, letters_of, split_words
from cyberqa.types import Span

NAMES = "names/1"
"""Raised with any change of the rules by which names are found, kept or looked up."""

_ADDRESS = re.compile(r"(?<!\S)\S*(?:://|www\.|\w\.\w+/)\S*")  # from where a word starts: else it is quadratic
_LOWER_CASE_WORD = re.compile(r"\b[a-z][a-z]+\b")


def names_rules(groups: Groups) -> str:
    """Return what, beside the documents, decides on the aliases of an index."""
    given = ";".join(f"{name}={','.join(others)}" for name, others in groups.items())
    return f"{NAMES} {shipped_digest()} {given}".strip()


@dataclass(frozen=True, slots=True)
class FoundNames:
    """What one text says of names.

    The definitions it has, its words in lower case, and how often the names that are shipped stand in it, by stems.
    """

    definitions: Sequence[mining.Definition]
    lower_case: Sequence[str]
    counts: Mapping[str, int]

    def definition_rows(self) -> list[list[str | int]]:
        """Return the definitions as lists of plain values."""
        return [[d.short, d.long, d.span.start, d.span.end, d.by_letters] for d in self.definitions]

    @classmethod
    def from_rows(
        cls, definitions: Iterable[Sequence[Any]], lower_case: Sequence[str], counts: Mapping[str, int]
    ) -> "FoundNames":
        """Return what was found, of definitions as :meth:`definition_rows` writes them."""
        found = [
            mining.Definition(short, long, Span(start, end), by_letters)
            for short, long, start, end, by_letters in definitions
        ]
        return cls(found, lower_case, counts)


def find_names(text: str) -> FoundNames:
    """Return what a text defines, and which of the shipped names it has."""
    counts: Counter[str] = Counter()
    stems = tuple(word.stem for word in split_words(text))
    shipped, sizes = _shipped_keys()
    for place, stem in enumerate(stems):
        for size in sizes.get(stem, ()):
            run = stems[place : place + size]
            if len(run) == size and run in shipped:
                counts[" ".join(run)] += 1
    lower_case = dict.fromkeys(_LOWER_CASE_WORD.findall(_ADDRESS.sub(" ", text)))
    return FoundNames(list(mining.find_definitions(text)), list(lower_case), counts)


@cache
def _shipped_keys() -> tuple[Set[tuple[str, ...]], Mapping[str, Sequence[int]]]:
    """Return the stems of every name that is shipped; and how many there may be, ascending, by the first of them."""
    keys = {tuple(key.split()) for alias in shipped_aliases() for key in (alias.key, key_of(alias.meant))}
    sizes: dict[str, set[int]] = {}
    for key in keys:
        sizes.setdefault(key[0], set()).add(len(key))
    return keys, {first: sorted(found) for first, found in sizes.items()}  # the order of a set is chance


class AliasCollector:
    """Takes one document after the other, sorted by id; what it then returns follows from these and the groups."""

    def __init__(self, groups: Groups) -> None:
        self._given = list(group_aliases(groups, Origin.GIVEN))
        self._shipped = shipped_aliases()
        self._meanings = mining.Meanings()
        self._lower_case: set[str] = set()
        self._counts: Counter[str] = Counter()

    def add(self, document: str, found: FoundNames) -> None:
        """Take what :func:`find_names` has found in a document, given by id."""
        for definition in found.definitions:
            self._meanings.add(document, definition)
        self._lower_case.update(found.lower_case)
        self._counts.update(found.counts)

    def aliases(self) -> list[Alias]:
        """Return the aliases, each pair of word and meaning once, by the most trusted who says so; sorted."""
        best: dict[tuple[str, str, bool], Alias] = {}
        for alias in (*self._given, *self._mined(), *filter(self._matters, self._shipped)):
            pair = (alias.key, key_of(alias.meant), alias.kind is Kind.GLOSSARY)
            if pair[0] != pair[1] and pair[0].count(" ") < LONGEST_KEY_WORDS and not self._is_lost(alias):
                known = best.setdefault(pair, alias)
                if known.document is None:  # given, and explained by a document too
                    best[pair] = replace(known, document=alias.document, span=alias.span, definitions=alias.definitions)
        return sorted(
            best.values(), key=lambda alias: (alias.key, ORDER_OF_TRUST.index(alias.origin), alias.rank, alias.meant)
        )

    def _mined(self) -> Iterator[Alias]:
        rank: Counter[str] = Counter()
        for short, found in self._meanings.choose():
            long = found.usual_form
            place = (found.document, found.first.span, found.definitions, rank[short])
            rank[short] += 1
            yield Alias(short, long, Kind.SHORT, Origin.MINED, self._is_exact(short), *place)
            yield Alias(long, short, Kind.LONG, Origin.MINED, False, *place)

    def _is_lost(self, alias: Alias) -> bool:
        """Whether an acronym could not be told from a word: information security is not looked for as "is"."""
        return alias.kind is Kind.LONG and is_short(alias.meant) and letters_of(alias.meant).lower() in self._lower_case

    def _is_exact(self, short: str) -> bool:
        """Whether an acronym is also a word of the corpus in lower case, or too short to be safe in it."""
        return is_short(short) or letters_of(short).lower() in self._lower_case

    def _matters(self, alias: Alias) -> bool:
        """Whether a shipped alias leads to what the documents write, and they do not write the everyday word more."""
        meant = self._counts[key_of(alias.meant)]
        if alias.kind is Kind.GLOSSARY:
            return meant > self._counts[alias.key]
        return meant > 0
