"""Arrays of a generation: mapped from their files, and sets of rows."""

import math
import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def mapped(file: Path) -> Any:
    """Map an array; nothing is unpickled."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))  # slices of a memmap cost ten times as much


class StoredRows:
    """A large array of which a few rows are read at a time.

    They are read, not mapped: a page that is touched of a mapped file brings fifteen more into the process's memory,
    and all stay there.
    """

    def __init__(self, file: Path) -> None:
        found = np.load(file, mmap_mode="r", allow_pickle=False)
        if not found.flags.c_contiguous:
            raise ValueError(f"{file.name} is not stored row by row")
        self.dtype: Any = found.dtype
        self.shape: tuple[int, ...] = found.shape
        self._first_byte = found.offset
        self._descriptor = os.open(file, os.O_RDONLY)
        self.close = weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, spans: Iterable[tuple[int, int]]) -> NDArray[Any]:
        """Return the rows ``first`` to ``first + count`` of each span, one behind the other.

        There are fewer where the file ends before, which a mapped file would not survive.
        """
        width = self.dtype.itemsize * math.prod(self.shape[1:])
        parts = [os.pread(self._descriptor, count * width, self._first_byte + first * width) for first, count in spans]
        return np.frombuffer(b"".join(parts), self.dtype).reshape(-1, *self.shape[1:])


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Return the values sorted, each once: ``np.unique``, which imports all of numpy.ma to ask what they are."""
    ordered = np.sort(values)
    is_new = np.ones(len(ordered), np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]
