"""Vectors by content: what was embedded once is never embedded again, whatever becomes of the index.

A text's entry is its vector and the codes of those of its tokens that are words.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyberqa.embedding.token_codec import Codes
from cyberqa.types import Vector

_LOOKUP_AT_ONCE = 500  # SQLite's oldest limit on the variables of a statement is 999


@dataclass(frozen=True, slots=True)
class Entry:
    """A text's vector ``(dim,)`` and the codes ``(words, dims / 8)`` of its tokens."""

    vector: Vector
    codes: Codes


class VectorCache:
    """A table of vectors in the index folder, keyed by encoder and text. Opened by the one writer only."""

    def __init__(self, file: Path, encoder: Sequence[str | int], dim: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._prefix = "\0".join(map(str, encoder)).encode() + b"\0"
        self._bytes = dim * np.dtype("<f4").itemsize
        self.was_damaged = False
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file)
        try:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries"
                " (key BLOB PRIMARY KEY, vector BLOB NOT NULL, width INTEGER NOT NULL, codes BLOB NOT NULL)"
                " WITHOUT ROWID"
            )
        except sqlite3.OperationalError:  # no space, no permission
            raise
        except sqlite3.DatabaseError:
            connection.close()
            return self._begin_anew()
        return connection

    def _begin_anew(self) -> sqlite3.Connection:
        """Drop a damaged file: it holds nothing that cannot be made again."""
        self._file.unlink()
        self.was_damaged = True
        return self._open()

    def __enter__(self) -> "VectorCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, texts: Sequence[str]) -> dict[str, Entry]:
        """Return the entries that are known."""
        try:
            return self._look_up({self._key(text): text for text in texts})
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._connection.close()
            self._connection = self._begin_anew()
            return {}

    def _look_up(self, keys: Mapping[bytes, str]) -> dict[str, Entry]:
        known: dict[str, Entry] = {}
        ordered = list(keys)
        for first in range(0, len(ordered), _LOOKUP_AT_ONCE):
            part = ordered[first : first + _LOOKUP_AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, vector, width, codes FROM entries WHERE key IN ({marks})"  # noqa: S608
            rows = self._connection.execute(query, part)
            for key, vector, width, codes in rows:
                if len(vector) == self._bytes and width > 0 and len(codes) % width == 0:
                    rows_of_codes = np.frombuffer(codes, np.uint8).reshape(-1, width)
                    known[keys[key]] = Entry(np.frombuffer(vector, "<f4"), rows_of_codes)
        return known

    def put(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Keep entries; once this returns they survive an interruption."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
                [(self._key(text), *_packed(entry)) for text, entry in entries],
            )

    def clear(self) -> None:
        """Forget everything."""
        with self._connection:
            self._connection.execute("DELETE FROM entries")
        self._connection.execute("VACUUM")

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(self._prefix + text.encode("utf-8")).digest()


def _packed(entry: Entry) -> tuple[bytes, int, bytes]:
    return entry.vector.astype("<f4").tobytes(), entry.codes.shape[1], entry.codes.tobytes()
