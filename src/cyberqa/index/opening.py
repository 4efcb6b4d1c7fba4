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
from numpy.typing import NDArray

from cyberqa.index.layout import schema_sql
from cyberqa.types import Matrix

_TOTAL = slice(8, 16)  # after FAISS's four letters and the dimension: how many vectors, int64
_CENTROIDS = 98  # after the headers of the index and of its quantizer, and how many numbers there are
_NO_LISTS = b"sprs" + bytes(8)  # how a header ends that was written with all lists empty
_ROW_BYTES = 8


def empty_vectors(dim: int) -> Any:
    """Return the FAISS index that chunks are kept in: fp16, exact, by inner product."""
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def list_header(dim: int, total: int) -> bytes:
    """Return what FAISS writes in front of so many vectors in :func:`empty_vectors`; each is ``2 * dim`` bytes."""
    header = bytearray(faiss.serialize_index(empty_vectors(dim)).tobytes())
    header[_TOTAL] = _uint64(total)
    header[-8:] = _uint64(total * vector_bytes(dim))
    return bytes(header)


def empty_clusters(centroids: Matrix) -> Any:
    """Return the FAISS index that keeps the same vectors in lists, each of those that are nearest to one centroid."""
    lists, dim = centroids.shape
    quantizer = faiss.IndexFlatIP(dim)
    quantizer.add(centroids)
    kind = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(quantizer, dim, lists, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.is_trained = True  # fp16 has nothing that is fitted
    return index


def clusters_header(centroids: Matrix, sizes: NDArray[np.uint64]) -> bytes:
    """Return what FAISS writes in front of lists of these sizes; of each its vectors follow, then their rows, int64."""
    header = bytearray(faiss.serialize_index(empty_clusters(centroids)).tobytes().removesuffix(_NO_LISTS))
    header[_TOTAL] = _uint64(sum(sizes.tolist()))
    return bytes(header) + b"full" + _uint64(len(sizes)) + sizes.astype("<u8").tobytes()


def vector_bytes(dim: int) -> int:
    """Return the bytes of a stored vector."""
    return dim * np.dtype(np.float16).itemsize


def read_vectors(file: Path, dim: int) -> Any:
    """Read a FAISS index of the kind of :func:`empty_vectors`, and of no other; the vectors are mapped, not read.

    Raises:
        ValueError: its header is not the one that such an index of its size has.
    """
    with file.open("rb") as handle:
        found = handle.read(len(list_header(dim, 0)))
    total = int.from_bytes(found[_TOTAL], "little")
    if found != list_header(dim, total) or file.stat().st_size != len(found) + total * vector_bytes(dim):
        raise ValueError(f"{file.name} is no list of {dim} numbers a chunk")
    return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)


def read_clusters(file: Path, dim: int, lists: int) -> Any:
    """Read a FAISS index of the kind of :func:`empty_clusters`, and of no other; the vectors are mapped, not read.

    Raises:
        ValueError: its header is not the one that such an index of its sizes has.
        RuntimeError: a row in it is none.
    """
    wrong = ValueError(f"{file.name} is no {lists} lists of {dim} numbers a chunk")
    size = file.stat().st_size
    centroid_bytes = lists * dim * np.dtype(np.float32).itemsize
    if lists < 1 or centroid_bytes > size:  # before memory is asked for so many
        raise wrong
    ends = len(clusters_header(np.zeros((1, dim), np.float32), np.zeros(1, np.uint64)))
    with file.open("rb") as handle:
        found = handle.read(ends + (lists - 1) * (centroid_bytes // lists + 8))
    centroids = np.frombuffer(found[_CENTROIDS : _CENTROIDS + centroid_bytes], np.float32)
    sizes = np.frombuffer(found[-8 * lists :], np.uint64)
    if len(centroids) != lists * dim or len(sizes) != lists:
        raise wrong
    is_ours = found == clusters_header(centroids.reshape(lists, dim), sizes)
    if not is_ours or size != len(found) + sum(sizes.tolist()) * (vector_bytes(dim) + _ROW_BYTES):
        raise wrong
    index: Any = faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
    on_disk: Any = faiss.downcast_InvertedLists(index.invlists)
    on_disk.prefetch_nthread = 0  # else 32 threads a question, to read ahead
    index.make_direct_map(True)  # a vector by its row; it raises where a row is none
    return index


def _uint64(number: int) -> bytes:
    return number.to_bytes(16, "little")[:8]  # a hostile file may hold a number whose product is larger


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
