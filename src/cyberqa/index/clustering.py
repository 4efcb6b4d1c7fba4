"""Puts the vectors of a large index into lists of near ones, so that a question is compared with a few lists only.

Where comparing with all takes longer than encoding the question, the file of vectors is written anew as FAISS's IVF:
the same fp16 vectors, in other order, so that what is found is scored exactly. docs/scaling.md has what it was weighed
against. Everything here follows from the vectors and their order alone: k-means on evenly spaced rows from a fixed
seed, on one thread. Memory is bounded: the file is mapped, and read in blocks.
"""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np
from numpy.typing import NDArray

from cyberqa.index.manifest import CHUNK_VECTORS_FILE, VectorSearch
from cyberqa.index.opening import clusters_header, list_header, read_clusters
from cyberqa.index.vectors import one_thread
from cyberqa.types import Matrix

_RULES = "clusters/1"
"""Raised with any change here."""

_LISTS_A_ROOT = 4
"""Lists for each unit of the square root of the number of vectors; a power of two near that."""
_FEWEST_A_LIST = 39  # what FAISS asks for, on average, to place a centroid
_SEED = 1234
_ROUNDS = 10  # of k-means; more moved the recall by less than .002
_BLOCK = 16_384  # vectors in memory at once as float32: 25 MB

_WANTED = 0.99
"""The recall@10 aimed at, the mean of made-up questions: .98 is tolerated, so half of what may be missed."""
_SAMPLED = 256
_NEAREST = 10
_STEP = 101
"""How far apart, among the sampled rows, the two lie that make a question: odd, so that all take part as both."""
_MAY_DIFFER = 0.005  # of a recall measured again, on another processor perhaps
_SAME = 1e-5  # scores that differ by less are as near: the same passage may stand in several places


def search_rules(approximate_from: int) -> dict[str, str | int]:
    """Return what decides how vectors are searched, as a recipe names it."""
    return {
        "approximate_from": approximate_from,
        "clusters": _RULES,
        "faiss": importlib.metadata.version("faiss-cpu"),
    }


def arrange_vectors(folder: Path, dim: int, approximate_from: int) -> VectorSearch:
    """Leave the file of vectors in a generation's folder as it is, or from so many vectors on write it anew in lists.

    Returns how it is to be searched, with its recall measured against exact search.

    Raises:
        OSError: it cannot be written.
    """
    file = folder / CHUNK_VECTORS_FILE
    vectors = _stored(file, dim)
    if len(vectors) < approximate_from:
        return VectorSearch()
    with one_thread():
        centroids = _centroids(vectors)
        scratch = file.with_suffix(".lists")
        _write_lists(scratch, vectors, centroids)
        search = _measured(read_clusters(scratch, dim, len(centroids)), vectors)
    scratch.replace(file)
    return search


def _stored(file: Path, dim: int) -> NDArray[np.float16]:
    """Map the vectors of the file that FAISS has written, in order of row."""
    header = len(list_header(dim, 0))
    total = (file.stat().st_size - header) // (dim * np.dtype(np.float16).itemsize)
    return np.asarray(np.memmap(file, np.float16, "r", header, (total, dim)))


def _blocks(vectors: NDArray[np.float16]) -> Iterator[tuple[int, Matrix]]:
    for first in range(0, len(vectors), _BLOCK):
        yield first, vectors[first : first + _BLOCK].astype(np.float32)


def _evenly(total: int, wanted: int) -> NDArray[np.int64]:
    """Return ``wanted`` rows of ``total``, evenly spaced; all where there are no more."""
    wanted = min(wanted, total)
    return np.arange(wanted) * total // wanted


def count_lists(total: int) -> int:
    """Return how many lists so many vectors are put into.

    >>> count_lists(1), count_lists(10_000), count_lists(1_000_000)
    (1, 256, 2048)
    """
    wanted = min(_LISTS_A_ROOT * total**0.5, total / _FEWEST_A_LIST)
    return 1 << (max(int(wanted), 1).bit_length() - 1)


def _centroids(vectors: NDArray[np.float16]) -> Matrix:
    lists = count_lists(len(vectors))
    sample = vectors[_evenly(len(vectors), (_FEWEST_A_LIST + 1) * lists)].astype(np.float32)
    options = faiss.ClusteringParameters()
    options.niter, options.seed, options.spherical = _ROUNDS, _SEED, True
    options.min_points_per_centroid, options.max_points_per_centroid = 1, len(sample)  # all of them, without a warning
    clustering: Any = faiss.Clustering(vectors.shape[1], lists, options)
    clustering.train(sample, faiss.IndexFlatIP(vectors.shape[1]))
    return faiss.vector_to_array(clustering.centroids).reshape(lists, -1)


def _write_lists(file: Path, vectors: NDArray[np.float16], centroids: Matrix) -> None:
    """Write what FAISS would, had it all in memory."""
    nearest = _nearest_lists(vectors, centroids)
    order = np.argsort(nearest, kind="stable")  # in each list by row
    sizes = np.bincount(nearest, minlength=len(centroids)).astype(np.uint64)
    with file.open("wb") as handle:
        handle.write(clusters_header(centroids, sizes))
        first = 0
        for size in sizes.tolist():
            _write_list(handle, vectors, order[first : first + size])
            first += size


def _write_list(handle: BinaryIO, vectors: NDArray[np.float16], rows: NDArray[np.int64]) -> None:
    for first in range(0, len(rows), _BLOCK):
        handle.write(vectors[rows[first : first + _BLOCK]].tobytes())
    handle.write(rows.astype("<i8").tobytes())


def _nearest_lists(vectors: NDArray[np.float16], centroids: Matrix) -> NDArray[np.int32]:
    quantizer: Any = faiss.IndexFlatIP(vectors.shape[1])
    quantizer.add(centroids)
    nearest = np.empty(len(vectors), np.int32)
    for first, block in _blocks(vectors):
        nearest[first : first + len(block)] = quantizer.search(block, 1)[1][:, 0]
    return nearest


# --- recall --------------------------------------------------------------------------------------------------


def made_up_questions(sample: Matrix) -> Matrix:
    """Return as many vectors that are to passages what questions are: each lies between two of the sample.

    A passage itself would be too easy to find (docs/scaling.md).
    """
    between = sample + np.roll(sample, _STEP % max(len(sample), 1), axis=0)
    lengths = np.linalg.norm(between, axis=1, keepdims=True)
    questions: Matrix = between / np.maximum(lengths, np.finfo(np.float32).tiny)
    return questions


def _measured(index: Any, vectors: NDArray[np.float16]) -> VectorSearch:
    """Return the fewest lists, by powers of two, that must be searched for the recall wanted."""
    questions = made_up_questions(vectors[_evenly(len(vectors), _SAMPLED)].astype(np.float32))
    worst = _worst_wanted(vectors, questions) - _SAME
    lists, probed = index.nlist, 1
    while True:
        recall = _recall(index, questions, worst, probed)
        if recall >= _WANTED or probed == lists:
            return VectorSearch(lists, probed, round(recall, 4), len(questions))
        probed = min(2 * probed, lists)


def _recall(index: Any, questions: Matrix, worst: NDArray[np.float32], probed: int) -> float:
    """Return the share of the nearest that is found; ``worst`` (questions,) is the score of the last of them."""
    return float((_scores_found(index, questions, probed) >= worst[:, None]).mean())


def _scores_found(index: Any, questions: Matrix, probed: int) -> Matrix:
    parameters: Any = faiss.SearchParametersIVF
    scores: Matrix = index.search(questions, min(_NEAREST, index.ntotal), params=parameters(nprobe=probed))[0]
    return scores


def _worst_wanted(vectors: NDArray[np.float16], questions: Matrix) -> NDArray[np.float32]:
    """Return for each question the score of the last of its nearest, having compared it with all vectors."""
    best = np.full((len(questions), min(_NEAREST, len(vectors))), -np.inf, np.float32)
    for _, block in _blocks(vectors):
        found = _inner_products(questions, block, best.shape[1])
        best = -np.sort(-np.concatenate([best, found], axis=1), axis=1)[:, : best.shape[1]]
    return best[:, -1]


def _inner_products(questions: Matrix, block: Matrix, k: int) -> Matrix:
    """Return the highest inner products of each question with a block, by FAISS: NumPy would use several threads."""
    scores: Matrix = faiss.knn(questions, block, min(k, len(block)), metric=faiss.METRIC_INNER_PRODUCT)[0]
    return scores


# --- checking ------------------------------------------------------------------------------------------------


def search_faults(folder: Path, dim: int, search: VectorSearch) -> list[str]:
    """Return what is wrong with the lists of a generation: rows that are missing, or a recall that is not as recorded.

    Raises:
        ValueError, RuntimeError: the file is not what the manifest says.
    """
    if not search.lists:
        return []
    index = read_clusters(folder / CHUNK_VECTORS_FILE, dim, search.lists)
    if not np.array_equal(np.sort(_rows_in_lists(index)), np.arange(index.ntotal)):
        return ["some chunks are in none of the lists, or in several"]
    questions = made_up_questions(index.reconstruct_batch(_evenly(index.ntotal, _SAMPLED)))
    with one_thread():
        worst = _scores_found(index, questions, search.lists)[:, -1] - _SAME
        recall = _recall(index, questions, worst, search.probed)
    if search.recall_at_10 is None or abs(recall - search.recall_at_10) > _MAY_DIFFER:
        return [f"its recall is {recall:.4f}, not {search.recall_at_10} as was recorded"]
    return []


def _rows_in_lists(index: Any) -> NDArray[np.int64]:
    lists: Any = index.invlists
    sizes = [lists.list_size(number) for number in range(index.nlist)]
    rows = [faiss.rev_swig_ptr(lists.get_ids(number), size) for number, size in enumerate(sizes) if size]
    found: NDArray[np.int64] = np.concatenate(rows)
    return found
