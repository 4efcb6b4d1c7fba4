"""Files that grow row by row, and end as if all rows had been written at once: none is held in memory."""

import io
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_BUFFER_BYTES = 1 << 20


class RowFile(ABC):
    """A header that says how many rows follow, and these; finished at the end of a ``with`` statement."""

    def __init__(self, file: Path) -> None:
        self._handle = file.open("wb", buffering=_BUFFER_BYTES)
        self.rows = 0

    @abstractmethod
    def header(self) -> bytes:
        """Return the header for the rows that are there; however many, it has the same length."""

    def write(self, rows: NDArray[Any]) -> None:
        """Write rows as they are."""
        if not self._handle.tell():
            self._handle.write(self.header())
        self._handle.write(np.ascontiguousarray(rows).tobytes())
        self.rows += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        with self._handle:
            if failed is None:
                self._handle.seek(0)
                self._handle.write(self.header())


class ArrayFile(RowFile):
    """An array as ``np.save`` writes it; its first rows tell the shape of all, ``(n, *shape)``."""

    def __init__(self, file: Path, dtype: np.dtype[Any], shape: tuple[int, ...] = ()) -> None:
        super().__init__(file)
        self._dtype = dtype
        self._shape = shape

    def header(self) -> bytes:
        """See RowFile."""
        # NumPy's headers have room for the number of rows to grow.
        fields = np.lib.format.header_data_from_array_1_0(np.empty((0, *self._shape), self._dtype))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {**fields, "shape": (self.rows, *self._shape)})
        return header.getvalue()

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows."""
        if not self.rows:
            self._shape = rows.shape[1:]
        self.write(rows.astype(self._dtype, copy=False))
