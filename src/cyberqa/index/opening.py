"""Opens the files of a generation that may come from somebody else: what is not ours to the letter is refused.

SQLite, FAISS and NumPy all read more than an index needs: views and triggers that run when a table is read, kinds of
FAISS index that open other files by name, pickled arrays. Only the one shape that a build writes is let through to
them.
"""

import sqlite3
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import faiss
import numpy as np

from cyberqa.index.layout import schema_sql

_TOTAL = slice(8, 16)  # after FAISS's four letters and the dimension: how many vectors, int64
_LENGTH_BYTES = 8  # in front of the codes: how many bytes they are, uint64


def mapped(file: Path) -> Any:
    """Map an array; nothing is unpickled."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))  # slices of a memmap cost ten times as much


def empty_vectors(dim: int) -> Any:
    """Return the FAISS index that chunks are kept in: fp16, exact, by inner product."""
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def read_vectors(file: Path, dim: int) -> Any:
    """Read a FAISS index of the kind of :func:`empty_vectors`, and of no other.

    Raises:
        ValueError: its header is not the one that such an index of its size has.
    """
    expected = faiss.serialize_index(empty_vectors(dim)).tobytes()
    with file.open("rb") as handle:
        found = handle.read(len(expected))
    total = int.from_bytes(found[_TOTAL], "little")
    code_bytes = total * dim * np.dtype(np.float16).itemsize
    header = bytearray(expected)
    header[_TOTAL] = found[_TOTAL]
    header[-_LENGTH_BYTES:] = code_bytes.to_bytes(2 * _LENGTH_BYTES, "little")[:_LENGTH_BYTES]
    if found != header or file.stat().st_size != len(expected) + code_bytes:
        raise ValueError(f"{file.name} is no list of {dim} numbers a chunk")
    return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)  # the codes are mapped, not read


def open_database(file: Path) -> sqlite3.Connection:
    """Open a generation's database, immutable, where its tables are those of schema.sql and nothing else is in it.

    Raises:
        sqlite3.Error: it is no database.
        ValueError: it holds a view, trigger or table of somebody else.
    """
    address = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    database = sqlite3.connect(address, uri=True, check_same_thread=False)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        if _definitions(database) != _our_definitions():
            raise ValueError(f"the tables of {file.name} are not ours")
    except BaseException:
        database.close()
        raise
    return database


@cache
def _our_definitions() -> list[tuple[str, str, str, str | None]]:
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(schema_sql())
        return _definitions(database)
    finally:
        database.close()


def _definitions(database: sqlite3.Connection) -> list[tuple[str, str, str, str | None]]:
    return database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
