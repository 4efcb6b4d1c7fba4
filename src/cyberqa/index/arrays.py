"""Arrays of a generation: mapped from their files, and sets of rows."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


def mapped(file: Path) -> Any:
    """Map an array; nothing is unpickled."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))  # slices of a memmap cost ten times as much


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Return the values sorted, each once: ``np.unique``, which imports all of numpy.ma to ask what they are."""
    ordered = np.sort(values)
    is_new = np.ones(len(ordered), np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]
