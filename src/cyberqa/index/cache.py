"""What was read, embedded or prepared once, by content: it is never done again, whatever becomes of the index.

Three tables in one file. *Entries*: a text's vector and the codes of those of its tokens that are words. *Readings*:
what a reader made of a file. *Parcels*: what a document brings to a generation. Each row carries a checksum; one that
was damaged counts as not there.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import numpy as np

from cyberqa.embedding.token_codec import Codes
from cyberqa.types import Vector

CACHE_FILE = "cache/vectors.sqlite"  # in the index folder; the name is from when it held vectors only

_KEY_BYTES = 32
_AT_ONCE = 500  # SQLite's oldest limit on the variables of a statement is 999
_ROOM = 0.8  # of the bound: what is left once it was exceeded, so that not every build has to make room

_TABLES = """
CREATE TABLE IF NOT EXISTS entries
    (key BLOB PRIMARY KEY, vector BLOB NOT NULL, width INTEGER NOT NULL, codes BLOB NOT NULL, checksum INTEGER NOT NULL,
     born INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings
    (key BLOB PRIMARY KEY, body BLOB NOT NULL, checksum INTEGER NOT NULL, born INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parcels
    (key BLOB PRIMARY KEY, texts BLOB NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL, born INTEGER NOT NULL);
"""
"""``born`` is the number of the build that put a row there; ``texts`` are the keys of a parcel's entries, in a row."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A text's vector ``(dim,)`` and the codes ``(words, dims / 8)`` of its tokens."""

    vector: Vector
    codes: Codes


class Cache:
    """The tables in the index folder. Texts are keyed by encoder too; other keys are their owner's affair.

    Opened by the one writer only.
    """

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
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # so that WAL works on network file systems too
            connection.execute("PRAGMA journal_mode = WAL")  # what is committed survives a kill without an fsync each
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
            columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(entries)")}
            if "checksum" not in columns:  # of the first release, whose keys are none of ours
                connection.close()
                return self._begin_anew(is_damaged=False)
            (self._build,) = connection.execute("PRAGMA user_version").fetchone()
            self._build += 1
            connection.execute(f"PRAGMA user_version = {self._build}")
        except sqlite3.OperationalError:  # no space, no permission
            connection.close()
            raise
        except sqlite3.DatabaseError:
            connection.close()
            return self._begin_anew()
        return connection

    def _begin_anew(self, *, is_damaged: bool = True) -> sqlite3.Connection:
        """Drop the file: it holds nothing that cannot be made again."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        self.was_damaged = is_damaged
        return self._open()

    def _guarded(self, action: Callable[[], _T], otherwise: _T) -> _T:
        """Run what reads; where the file turns out to be damaged, begin it anew and know nothing."""
        try:
            return action()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._connection.close()
            self._connection = self._begin_anew()
            return otherwise

    def _write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Keep rows; once this returns they survive an interruption. A damaged file is begun anew for them."""
        rows = list(rows)

        def write() -> bool:
            with self._connection:
                self._connection.executemany(statement, rows)
            return True

        if not self._guarded(write, otherwise=False):
            write()

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    # --- texts -----------------------------------------------------------------------------------------------

    def key(self, text: str) -> bytes:
        """Return the key of a text's entry."""
        return hashlib.sha256(self._prefix + text.encode("utf-8")).digest()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Return the entries that are known, by key."""
        return self._guarded(lambda: dict(self._look_up(list(dict.fromkeys(keys)))), {})

    def _look_up(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Entry]]:
        for first in range(0, len(keys), _AT_ONCE):
            part = keys[first : first + _AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, vector, width, codes, checksum FROM entries WHERE key IN ({marks})"  # noqa: S608
            for key, vector, width, codes, checksum in self._connection.execute(query, part):
                is_whole = checksum == crc32(codes, crc32(vector))
                if is_whole and len(vector) == self._bytes and width > 0 and len(codes) % width == 0:
                    rows_of_codes = np.frombuffer(codes, np.uint8).reshape(-1, width)
                    yield key, Entry(np.frombuffer(vector, "<f4"), rows_of_codes)

    def put(self, entries: Iterable[tuple[bytes, Entry]]) -> None:
        """Keep entries; once this returns they survive an interruption."""
        self._write(
            "INSERT OR REPLACE INTO entries (key, vector, width, codes, checksum, born) VALUES (?, ?, ?, ?, ?, ?)",
            ((key, *_packed(entry), self._build) for key, entry in entries),
        )

    # --- readings and parcels --------------------------------------------------------------------------------

    def reading(self, key: bytes) -> bytes | None:
        """Return a reading as it was kept; None where there is none, or it was damaged."""
        query = "SELECT CAST(body AS BLOB), checksum FROM readings WHERE key = ?"
        found = self._guarded(lambda: self._row(query, key), None)
        return found[0] if found and crc32(found[0]) == found[1] else None

    def put_reading(self, key: bytes, body: bytes) -> None:
        """Keep a reading."""
        self._write("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", [(key, body, crc32(body), self._build)])

    def parcel(self, key: bytes) -> tuple[list[bytes], bytes] | None:
        """Return the keys of a parcel's texts and its body as it was kept; None where there is none, or not whole."""
        query = "SELECT CAST(texts AS BLOB), CAST(body AS BLOB), checksum FROM parcels WHERE key = ?"
        found = self._guarded(lambda: self._row(query, key), None)
        if found is None or crc32(found[1], crc32(found[0])) != found[2]:
            return None
        return _split(found[0]), found[1]

    def has_parcels(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those of some keys that a parcel is kept by, whole or not."""
        return self._guarded(lambda: self._parcels_among(list(keys)), set())

    def _parcels_among(self, keys: Sequence[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for first in range(0, len(keys), _AT_ONCE):
            part = keys[first : first + _AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT key FROM parcels WHERE key IN ({marks})"  # noqa: S608 - our own marks
            found.update(key for (key,) in self._connection.execute(query, part))
        return found

    def put_parcel(self, key: bytes, texts: Sequence[bytes], body: bytes) -> None:
        """Keep a parcel, and which entries it needs."""
        joined = b"".join(texts)
        row = (key, joined, body, crc32(body, crc32(joined)), self._build)
        self._write("INSERT OR REPLACE INTO parcels VALUES (?, ?, ?, ?, ?)", [row])

    def _row(self, query: str, key: bytes) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._connection.execute(query, (key,)).fetchone()
        return found

    # --- the bound -------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget everything, a damaged file too."""
        self._connection.close()
        self._connection = self._begin_anew(is_damaged=False)

    def size_bytes(self) -> int:
        """Return how much is held."""
        pages, free, size = (
            int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def prune(self, readings: Collection[bytes], parcels: Collection[bytes], max_bytes: int = 0) -> int:
        """Drop what is neither these readings and parcels nor an entry of theirs; return the bytes that were freed.

        Nothing is dropped while no more than ``max_bytes`` are held; then what is oldest goes first, until there is
        some room again. What is needed stays, whatever it takes. Of a damaged file nothing stays.
        """
        return self._guarded(lambda: self._prune(readings, parcels, max_bytes), 0)

    def _prune(self, readings: Collection[bytes], parcels: Collection[bytes], max_bytes: int) -> int:
        held = self.size_bytes()
        if held <= max_bytes:
            return 0
        self._connection.executescript(_PRUNING_TABLES)
        with self._connection:
            self._list_unneeded(readings, parcels)
        dropped = 0
        for (born,) in self._connection.execute("SELECT DISTINCT born FROM unneeded ORDER BY born").fetchall():
            if max_bytes and self.size_bytes() <= max_bytes * _ROOM:
                break
            with self._connection:
                dropped += sum(self._connection.execute(drop, (born,)).rowcount for drop in _DROP)
        if dropped:
            self._connection.execute("VACUUM")
        return held - self.size_bytes()

    def _list_unneeded(self, readings: Iterable[bytes], parcels: Iterable[bytes]) -> None:
        """Fill the tables for pruning, which SQLite keeps in a file: of a large index the keys alone take memory."""
        need = "INSERT OR IGNORE INTO needed VALUES (?)"
        self._connection.executemany(need, ((key,) for key in readings))
        for key in parcels:
            texts = _split((self._row(_TEXTS_OF, key) or (b"",))[0])
            self._connection.executemany(need, ((each,) for each in (key, *texts)))
        for table in _ALL_TABLES:
            unneeded = f"SELECT born, '{table}', key FROM {table} WHERE key NOT IN (SELECT key FROM needed)"  # noqa: S608
            self._connection.execute(f"INSERT INTO unneeded {unneeded}")


_ALL_TABLES = ("entries", "readings", "parcels")
_PRUNING_TABLES = """
DROP TABLE IF EXISTS temp.needed;
DROP TABLE IF EXISTS temp.unneeded;
CREATE TEMP TABLE needed (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE unneeded (born INTEGER, source TEXT, key BLOB, PRIMARY KEY (born, source, key)) WITHOUT ROWID;
"""
_DROP = tuple(
    f"DELETE FROM {table} WHERE key IN (SELECT key FROM unneeded WHERE born = ? AND source = '{table}')"  # noqa: S608
    for table in _ALL_TABLES
)
_TEXTS_OF = "SELECT texts FROM parcels WHERE key = ?"


def _packed(entry: Entry) -> tuple[bytes, int, bytes, int]:
    vector, codes = entry.vector.astype("<f4").tobytes(), entry.codes.tobytes()
    return vector, entry.codes.shape[1], codes, crc32(codes, crc32(vector))


def _split(keys: bytes) -> list[bytes]:
    return [keys[first : first + _KEY_BYTES] for first in range(0, len(keys), _KEY_BYTES)]
