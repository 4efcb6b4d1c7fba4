"""The glossary of a generation, packed: thousands of phrases, of which a question has one or two.

As rows of a table they would take more room than the texts of a small corpus. Nothing is made of the lines but what a
question asks for: to open them takes 2 ms.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from cyberqa.names.aliases import Alias, Kind, Origin

PACKED = "terms, ranks by tabs; key, word or nothing, number of term, ! where exact; zlib"
"""How; part of the layout on disk."""

_MOST_BYTES = 16_000_000  # unpacked; what is shipped has a quarter of a million
_EXACT = "!"


def pack_glossary(aliases: Iterable[Alias]) -> bytes:
    """Return aliases of Kind.GLOSSARY, packed by zlib.

    The first line has the terms that they lead to, the better ones first, the second the ranks of these; then follows a
    line for each, sorted: its key, the word where it is not the key itself, the number of its term, and whether it is
    exact. Tabs part them.
    """
    found = list(aliases)
    terms = {pair: number for number, pair in enumerate(sorted({(alias.rank, alias.meant) for alias in found}))}
    lines = sorted((f"{alias.key}\t", terms[alias.rank, alias.meant], alias.word, alias.is_exact) for alias in found)
    rows = [
        f"{key}{'' if word == key[:-1] else word}\t{number}\t{_EXACT if is_exact else ''}"
        for key, number, word, is_exact in lines
    ]
    ranks = "\t".join(str(rank) for rank, _ in terms)
    return zlib.compress("\n".join(["\t".join(meant for _, meant in terms), ranks, *rows]).encode("utf-8"), 9)


class Glossary:
    """What was packed, looked up by the stems of a phrase."""

    def __init__(self, packed: bytes) -> None:
        """Unpack it.

        Raises:
            ValueError: it was not packed so.
        """
        unpacking = zlib.decompressobj()
        try:
            text = unpacking.decompress(packed, _MOST_BYTES)
        except zlib.error as error:
            raise ValueError(f"the glossary is damaged ({error})") from error
        if not unpacking.eof:
            raise ValueError("the glossary is longer than any that is shipped")
        terms, ranks, *self._lines = text.decode("utf-8").split("\n")
        self._terms: Sequence[str] = terms.split("\t")
        self._ranks: Sequence[str] = ranks.split("\t")

    def aliases_of(self, key: str) -> Iterator[Alias]:
        """Yield the aliases of a key, best first."""
        start = f"{key}\t"
        place = bisect_left(self._lines, start)
        while place < len(self._lines) and self._lines[place].startswith(start):
            yield self._alias(self._lines[place])
            place += 1

    def __iter__(self) -> Iterator[Alias]:
        """Yield all aliases, sorted by key."""
        return map(self._alias, self._lines)

    def _alias(self, line: str) -> Alias:
        key, word, number, exact = line.split("\t")
        meant, rank = self._terms[int(number)], int(self._ranks[int(number)])
        return Alias(word or key, meant, Kind.GLOSSARY, Origin.SHIPPED, bool(exact), rank=rank)
