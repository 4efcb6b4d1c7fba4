"""What the corpus knows under several names, as a generation keeps it."""

import sqlite3
from collections.abc import Sequence
from functools import cached_property

from cyberqa.index.glossary import Glossary
from cyberqa.names.aliases import Alias, Kind, Origin
from cyberqa.types import Span

_ALIAS_COLUMNS = "word, meant, kind, origin, is_exact, document, start, stop, definitions, rank"


class AliasTable:
    """Looks up aliases by the stems of a word."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def find(self, keys: Sequence[str]) -> dict[str, list[Alias]]:
        """Return the aliases of those keys that have any, best first; see :data:`cyberqa.names.expanding.Lookup`."""
        marks = ", ".join("?" * len(keys))
        found: dict[str, list[Alias]] = {}
        for key, *columns in self._database.execute(
            f"SELECT key, {_ALIAS_COLUMNS} FROM aliases WHERE key IN ({marks}) ORDER BY key, row",  # noqa: S608
            tuple(keys),
        ):
            found.setdefault(key, []).append(_alias(*columns))
        for key in dict.fromkeys(keys):
            for alias in self._glossary.aliases_of(key):
                found.setdefault(key, []).append(alias)
        return found

    @cached_property
    def _glossary(self) -> Glossary:
        ((packed,),) = self._database.execute("SELECT packed FROM glossary")
        return Glossary(packed)

    def places(self) -> list[tuple[str, str]]:
        """Return ``(word, country)`` for each capital, adjective and other name of what the documents name."""
        of_countries = (Kind.CAPITAL.value, Kind.ADJECTIVE.value)
        return self._database.execute(
            "WITH of_countries AS (SELECT meant FROM aliases WHERE kind IN (?, ?)) "
            "SELECT word, meant FROM aliases WHERE meant IN of_countries AND kind IN (?, ?, ?) ORDER BY row",
            (*of_countries, *of_countries, Kind.NAME.value),
        ).fetchall()

    def all(self) -> list[Alias]:
        """Return all aliases, sorted by the stems of the word; of one word the best first."""
        rows = self._database.execute(f"SELECT {_ALIAS_COLUMNS} FROM aliases ORDER BY row")  # noqa: S608
        return sorted((*(_alias(*columns) for columns in rows), *self._glossary), key=lambda alias: alias.key)


def _alias(
    word: str,
    meant: str,
    kind: str,
    origin: str,
    is_exact: int,
    document: str | None,
    start: int | None,
    stop: int | None,
    definitions: int,
    rank: int,
) -> Alias:
    span = None if start is None or stop is None else Span(start, stop)
    return Alias(word, meant, Kind(kind), Origin(origin), bool(is_exact), document, span, definitions, rank)
