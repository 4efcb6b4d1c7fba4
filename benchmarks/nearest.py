"""Which approximate index: FAISS's kinds beside each other, on synthetic vectors as benchmarks/scale.py draws them.

    python benchmarks/nearest.py VECTORS.npy [--passages 100000] [--lists 1024] [--kinds ivf sq8 pq48 hnsw32]

VECTORS.npy is what `benchmarks/scale.py --folder DIR` leaves in DIR/shipped. Asked are the questions of the gold set's
dev half, and made-up ones of three kinds: passages themselves, passages with noise, and what lies between two passages.
SQ8 and PQ48 propose 400 rows, which are ranked by the fp16 vectors; the others hold these. One thread; CPU time.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import faiss
import numpy as np

from cyberqa.embedding.graph import GraphEncoder
from scale import MOVED, NOISE, SEED, questions

ASKED, WANTED, PROPOSED, BLOCK = 260, 100, 400, 50_000

Search = Callable[[np.ndarray], np.ndarray]


def unit(rows: np.ndarray) -> np.ndarray:
    """Return the rows at unit length."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def draw(base: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Return so many synthetic vectors, fp16."""
    one, other, third = base[random.integers(0, len(base), (3, count))]
    moved = random.uniform(*MOVED, (count, 1)).astype(np.float32)
    noise = random.standard_normal(one.shape, np.float32) * np.float32(NOISE / np.sqrt(one.shape[1]))
    return unit(one + moved * (other - third) + noise).astype(np.float16)


def asked(vectors: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the kinds of questions, each (n, dim)."""
    encoder = GraphEncoder.load()
    one, other = (vectors[random.choice(len(vectors), ASKED, replace=False)].astype(np.float32) for _ in range(2))
    noise = random.standard_normal(one.shape, np.float32) / np.float32(np.sqrt(one.shape[1]))
    return {
        "questions": np.stack([each.vector for each in encoder.encode(questions())]),
        "passages": one,
        "passages with noise": unit(one + noise),
        "between two passages": unit(one + other),
    }


def plain(index: faiss.Index) -> Search:
    """Return a search as the index ranks."""
    return lambda vector: index.search(vector[None], WANTED)[1][0]


def ranked(index: faiss.Index, vectors: np.ndarray) -> Search:
    """Return a search whose proposals are ranked by the stored vectors."""

    def search(vector: np.ndarray) -> np.ndarray:
        rows = index.search(vector[None], PROPOSED)[1][0]
        rows = rows[rows >= 0]
        return rows[np.argsort(-(vectors[rows].astype(np.float32) @ vector), kind="stable")]

    return search


def kinds(dim: int, lists: int) -> dict[str, Callable[[], faiss.Index]]:
    """Return what makes each kind of index, empty."""
    inner, scalar = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer

    def ivf(kind: int) -> faiss.Index:
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, lists, kind, inner, False)
        index.cp.spherical = True
        return index

    def hnsw() -> faiss.Index:
        index = faiss.IndexHNSWSQ(dim, scalar.QT_fp16, 32, inner)
        index.hnsw.efConstruction = 80
        return index

    return {
        "ivf": lambda: ivf(scalar.QT_fp16),
        "sq8": lambda: ivf(scalar.QT_8bit),
        "pq48": lambda: faiss.IndexIVFPQ(faiss.IndexFlatIP(dim), dim, lists, 48, 8, inner),
        "hnsw32": hnsw,
    }


def main() -> None:
    """Print a row for each kind, effort and kind of question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--lists", type=int, default=1024)
    parser.add_argument("--kinds", nargs="+", default=["ivf", "sq8", "pq48", "hnsw32"])
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    random = np.random.default_rng(SEED)
    base = np.load(options.vectors)
    vectors = np.concatenate([draw(base, BLOCK, random) for _ in range(options.passages // BLOCK)])
    sets = asked(vectors, random)
    exact = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    add(exact, vectors)
    started = time.process_time()
    truth = {name: np.stack([exact.search(one[None], WANTED)[1][0] for one in each]) for name, each in sets.items()}
    spent = (time.process_time() - started) / sum(map(len, sets.values()))
    print(f"exact: {spent * 1000:.2f} ms a question")
    for name, make in kinds(vectors.shape[1], options.lists).items():
        if name in options.kinds:
            started, index = time.process_time(), make()
            index.train(vectors[random.choice(len(vectors), 40 * options.lists, replace=False)].astype(np.float32))
            add(index, vectors)
            print(f"{name}: built in {time.process_time() - started:.1f} s")
            for effort in (100, 200, 400) if name == "hnsw32" else (16, 32, 64, 128):
                if name == "hnsw32":
                    index.hnsw.efSearch = effort
                else:
                    index.nprobe = effort
                search = ranked(index, vectors) if name in ("sq8", "pq48") else plain(index)
                report(f"{name} {effort}", search, sets, truth)


def add(index: faiss.Index, vectors: np.ndarray) -> None:
    """Add vectors in blocks."""
    for first in range(0, len(vectors), BLOCK):
        index.add(vectors[first : first + BLOCK].astype(np.float32))


def report(name: str, search: Search, sets: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> None:
    """Print recall at 10 and 100 and milliseconds, by kind of question."""
    for kind, each in sets.items():
        started = time.process_time()
        found = [search(one) for one in each]
        spent = (time.process_time() - started) / len(each) * 1000
        shares = [
            np.mean([len(set(rows[:k]) & set(best[:k])) / k for rows, best in zip(found, truth[kind], strict=True)])
            for k in (10, WANTED)
        ]
        print(f"  {name:<12} {kind:<22} recall@10 {shares[0]:.4f}  @100 {shares[1]:.4f}  {spent:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
