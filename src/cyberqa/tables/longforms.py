"""Abbreviations in a table, written out: by the table's own legend, the user, the document, and what is shipped."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from cyberqa.names.aliases import Alias, Kind, Origin, is_acronym
from cyberqa.names.given import Groups
from cyberqa.names.mining import Definition, find_definitions
from cyberqa.names.shipped import group_aliases, shipped_aliases
from cyberqa.types import Block, Document

_LEGEND = re.compile(
    r"(?<!\w)[“\"'(]?([^\s“”\"'()=]{1,12})[”\"')]? ?(?:=|(?:denotes|means|stands for|indicates)\b)"
    r" ?([^=;,.\n“”\"]{2,80})"
)
_LEGEND_CHARS = 600  # before and behind a table: further off a sign means something else
_WORD = re.compile(r"[^\W_]+(?:[-&.][^\W_]+)*")


class LongForms:
    """What the abbreviations of one document stand for."""

    def __init__(self, document: Document, groups: Groups) -> None:
        self._text = document.text
        self._given = _written_out(group_aliases(groups, Origin.GIVEN))
        self._defined: dict[str, list[Definition]] = {}
        for definition in find_definitions(document.text):
            self._defined.setdefault(definition.short, []).append(definition)

    def legend(self, table: Block) -> dict[str, str]:
        """Return what the signs and abbreviations of a table mean by the text around it (``Y = complies``)."""
        start, end = table.span.start, table.span.end
        around = self._text[max(0, start - _LEGEND_CHARS) : start] + "\n" + self._text[end : end + _LEGEND_CHARS]
        return {sign: " ".join(meaning.split()) for sign, meaning in _LEGEND.findall(around)}

    def write_out(self, words: str, table: Block, legend: Mapping[str, str]) -> str:
        """Return words with the abbreviations among them written out, by the most trusted who knows them."""

        def meaning(found: re.Match[str]) -> str:
            short = found.group()
            return legend.get(short) or self._given.get(short) or self._mined(short, table) or _shipped(short) or short

        return _WORD.sub(meaning, words)

    def _mined(self, short: str, table: Block) -> str | None:
        """Return what the document says, where it says it nearest to the table."""
        near = sorted(
            self._defined.get(short, ()),
            key=lambda d: (not d.by_letters, abs(d.span.start - table.span.start)),
        )
        return near[0].long if near else None


def _shipped(short: str) -> str | None:
    return _all_shipped().get(short)


@lru_cache(1)
def _all_shipped() -> dict[str, str]:
    return _written_out(shipped_aliases())


def _written_out(aliases: Iterable[Alias]) -> dict[str, str]:
    kinds = (Kind.SHORT, Kind.NAME)
    found: dict[str, str] = {}
    for alias in aliases:
        if alias.kind in kinds and is_acronym(alias.word) and not is_acronym(alias.meant):
            found.setdefault(alias.word, alias.meant)
    return found
