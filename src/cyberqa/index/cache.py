"""Vectors by content: what was embedded once is never embedded again, whatever becomes of the index."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cyberqa.types import Vector

_LOOKUP_AT_ONCE = 500  # SQLite's oldest limit on the variables of a statement is 999


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
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
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

    def get(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that are known."""
        try:
            return self._look_up({self._key(text): text for text in texts})
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._connection.close()
            self._connection = self._begin_anew()
            return {}

    def _look_up(self, keys: Mapping[bytes, str]) -> dict[str, Vector]:
        known: dict[str, Vector] = {}
        ordered = list(keys)
        for first in range(0, len(ordered), _LOOKUP_AT_ONCE):
            part = ordered[first : first + _LOOKUP_AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)  # noqa: S608
            for key, vector in rows:
                if len(vector) == self._bytes:
                    known[keys[key]] = np.frombuffer(vector, "<f4")
        return known

    def put(self, entries: Iterable[tuple[str, Vector]]) -> None:
        """Keep vectors; once this returns they survive an interruption."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                [(self._key(text), vector.astype("<f4").tobytes()) for text, vector in entries],
            )

    def clear(self) -> None:
        """Forget everything."""
        with self._connection:
            self._connection.execute("DELETE FROM vectors")
        self._connection.execute("VACUUM")

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(self._prefix + text.encode("utf-8")).digest()
