"""The vectors of a generation: which chunks are near a question."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from cyberqa.index.manifest import VectorSearch
from cyberqa.index.opening import read_clusters, read_vectors
from cyberqa.types import Mask, Matrix, Vector

_NEAREST = 100
"""As many chunks are asked for as a rule; who asks for more has more lists searched."""


class ChunkVectors:
    """Finds rows by vector, and vectors by row.

    Raises:
        ValueError, RuntimeError: the file is not what the manifest says.
    """

    def __init__(self, file: Path, dim: int, search: VectorSearch, chunks: int) -> None:
        self._search = search
        self._vectors = read_clusters(file, dim, search.lists) if search.lists else read_vectors(file, dim)
        if self._vectors.ntotal != chunks or not 0 <= search.probed <= search.lists:
            raise ValueError(f"{file.name} holds other vectors than the manifest says")

    def nearest_rows(self, vector: Vector, k: int, allowed: Mask | None = None) -> NDArray[np.int64]:
        """Return the rows of the ``k`` chunks nearest by inner product, best first; fewer where there are fewer.

        With ``allowed``, ``(chunks,)`` bool, of these chunks only, and exactly so. Without, a large index may miss
        some (``manifest.vector_search``); what is found is in its true order either way.
        """
        if allowed is not None:
            k = min(k, int(allowed.sum()))
            return self._nearest(vector, k, self._search.lists, np.packbits(allowed, bitorder="little"))
        k = min(k, self._vectors.ntotal)
        rows = self._nearest(vector, k, self._probed(k))
        return rows if len(rows) == k else self._nearest(vector, k, self._search.lists)

    def _probed(self, k: int) -> int:
        return min(self._search.lists, self._search.probed * -(-k // _NEAREST))

    def _nearest(
        self, vector: Vector, k: int, probed: int, allowed: NDArray[np.uint8] | None = None
    ) -> NDArray[np.int64]:
        selector: Any = faiss.IDSelectorBitmap  # SWIG's signatures are not those of Python
        search_parameters: Any = faiss.SearchParametersIVF if self._search.lists else faiss.SearchParameters
        options = {"nprobe": probed} if self._search.lists else {}
        if allowed is not None:
            options["sel"] = selector(allowed)
        with one_thread():
            _, rows = self._vectors.search(vector[None], k, params=search_parameters(**options))
        found: NDArray[np.int64] = rows[0]
        return found[found >= 0]

    def of_rows(self, rows: NDArray[np.int64]) -> Matrix:
        """Return ``(len(rows), dim)`` float32 unit rows."""
        vectors: Matrix = self._vectors.reconstruct_batch(rows)
        return vectors


@contextmanager
def one_thread() -> Iterator[None]:
    """Let FAISS work on this thread: one question is nothing to share, and others may want the cores."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
