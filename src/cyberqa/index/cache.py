"""Vectors by content: what was embedded once is never embedded again, whatever becomes of the index."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cyberqa.types import Vector

_LOOKUP_AT_ONCE = 500  # SQLite's oldest limit on the variables of a statement is 999


class VectorCache:
    """A table of vectors in the index folder, keyed by encoder and text. Opened by the one writer only."""

    def __init__(self, file: Path, encoder: Sequence[str | int]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._prefix = "\0".join(map(str, encoder)).encode() + b"\0"
        self._connection = sqlite3.connect(file)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
        )

    def __enter__(self) -> "VectorCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that are known."""
        keys = {self._key(text): text for text in texts}
        known: dict[str, Vector] = {}
        ordered = list(keys)
        for first in range(0, len(ordered), _LOOKUP_AT_ONCE):
            part = ordered[first : first + _LOOKUP_AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)  # noqa: S608
            known.update({keys[key]: np.frombuffer(vector, "<f4") for key, vector in rows})
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
