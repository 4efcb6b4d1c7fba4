"""Asks a question again in other words: what retrieval adds to the question as it was asked, and why."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cyberqa.names.aliases import Alias, Kind
from cyberqa.names.words import NAMED_AFTER_A_PLACE, StemmedWord, key_of, letters_of, runs_of, split_words

Lookup = Callable[[Sequence[str]], Mapping[str, Sequence[Alias]]]
"""Keys in, the aliases of each that has any out, best first."""

WEIGHTS: Mapping[Kind, float] = {
    Kind.LONG: 0.8,  # one word for many: it says the same
    Kind.ADJECTIVE: 0.8,
    Kind.NAME: 0.7,
    Kind.CAPITAL: 0.6,  # may mean the town
    Kind.BYNAME: 0.6,
    Kind.SHORT: 0.5,  # many words for one: each of them is common
    Kind.GLOSSARY: 0.4,
}
"""What an expansion counts beside a word of the question, which counts 1. Not fitted."""

_REPLACED = frozenset({Kind.ADJECTIVE, Kind.CAPITAL, Kind.BYNAME, Kind.GLOSSARY})
_LEAST_LETTERS = 3  # of an acronym that takes the place of its long form
_TOWNS = (Kind.CAPITAL, Kind.BYNAME)
_MOST_WORDS = 64  # of a question that are looked at
_MOST_PER_NAME = 3
_MOST_TERMS = 16
_PART_OF_A_NAME_BEHIND = re.compile(r"\s+[A-Z]")
_PART_OF_A_NAME_BEFORE = re.compile(r"(?:[A-Z]\w+|treaty|university|convention|manual) of $")


@dataclass(frozen=True, slots=True)
class OtherName:
    """What to look for besides ``word``, which the question has. ``weight`` is below 1, that of a word asked for."""

    word: str
    text: str
    weight: float
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Expansions:
    """A question in other words.

    ``rewritten``: with country for capital and adjective, acronym for long form, and the glossary's terms; as asked,
    where nothing has another name. ``other_names`` are in order of the question.
    """

    rewritten: str
    other_names: tuple[OtherName, ...]


def expand(question: str, lookup: Lookup) -> Expansions:
    """Return the question in other words: at most 16 terms.

    The longest name wins, and no word belongs to two; names go before the glossary. What the question says itself is
    not added again.

    >>> expand("What did Tirana sign?", aliases).other_names[0].reason
    'Tirana → Albania (capital)'
    """
    words = split_words(question)[:_MOST_WORDS]
    runs = list(runs_of(words))
    known = lookup([key for _, _, key in runs])
    matcher = _Matcher(question, words, known)
    names = matcher.claim(runs, lambda alias: alias.kind is not Kind.GLOSSARY)
    glossary = matcher.claim(runs, lambda alias: alias.kind is Kind.GLOSSARY)
    every = sorted([*names, *glossary], key=lambda match: match.start)
    return Expansions(_rewrite(question, every), tuple(_terms(every)))


@dataclass(frozen=True, slots=True)
class _Match:
    """A stretch of the question and what else it is called."""

    start: int
    end: int
    aliases: tuple[Alias, ...]


class _Matcher:
    def __init__(self, question: str, words: Sequence[StemmedWord], known: Mapping[str, Sequence[Alias]]) -> None:
        self._question = question
        self._words = words
        self._known = known
        self._stems = f" {' '.join(word.stem for word in words)} "
        self._has_case = any(ch.islower() for ch in question)
        self._taken: set[int] = set()

    def claim(self, runs: Iterable[tuple[int, int, str]], is_wanted: Callable[[Alias], bool]) -> list[_Match]:
        """Take the runs that have another name and of which no word is taken."""
        matches: list[_Match] = []
        for first, last, key in runs:
            if key not in self._known or not self._taken.isdisjoint(range(first, last)):
                continue
            start, end = self._words[first].start, self._words[last - 1].end
            found = [alias for alias in self._known[key] if is_wanted(alias) and self._holds(alias, start, end)]
            if found:
                self._taken.update(range(first, last))
                matches.append(_Match(start, end, tuple(found[:_MOST_PER_NAME])))
        return matches

    def _holds(self, alias: Alias, start: int, end: int) -> bool:
        if alias.is_exact and not self._is_as_written(alias, self._question[start:end]):
            return False
        if f" {key_of(alias.meant)} " in self._stems:
            return False
        return alias.kind not in _TOWNS or not self._is_in_a_name(start, end)

    def _is_as_written(self, alias: Alias, found: str) -> bool:
        """Whether it stands in its own capitals, in the plural maybe. In a shouted question they say nothing."""
        letters = letters_of(alias.word)
        return self._has_case and letters_of(found) in (letters, letters + "s")

    def _is_in_a_name(self, start: int, end: int) -> bool:
        """Whether a town only names something else: Budapest Convention, Treaty of Lisbon."""
        behind, before = self._question[end : end + 30], self._question[max(0, start - 30) : start]
        return bool(
            NAMED_AFTER_A_PLACE.match(behind)
            or (self._has_case and _PART_OF_A_NAME_BEHIND.match(behind))
            or _PART_OF_A_NAME_BEFORE.search(before)
        )


def _rewrite(question: str, matches: Sequence[_Match]) -> str:
    parts: list[str] = []
    done = 0
    for match in matches:
        best = next(filter(_is_rewritten, match.aliases), None)
        if best is not None:
            parts += [question[done : match.start], best.meant]
            done = match.end
    return "".join([*parts, question[done:]])


def _is_rewritten(alias: Alias) -> bool:
    """Whether a form has ``meant`` in its place; two letters would say less than the words they stand for."""
    if alias.kind is Kind.LONG:
        return len(letters_of(alias.meant)) >= _LEAST_LETTERS
    return alias.kind in _REPLACED


def _terms(matches: Iterable[_Match]) -> Iterator[OtherName]:
    seen: set[str] = set()
    for match in matches:
        for alias in match.aliases:
            if alias.meant not in seen and len(seen) < _MOST_TERMS:
                seen.add(alias.meant)
                yield OtherName(alias.word, alias.meant, WEIGHTS[alias.kind], alias.kind, alias.reason)
