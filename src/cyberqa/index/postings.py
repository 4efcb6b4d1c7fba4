"""Makes the postings of all chunks, sorted by term, in bounded memory.

Chunks come in order of row, each with its terms. What a weight needs, how many chunks hold a term and how long a chunk
is on average, is known in the end only, as is a term's place in the alphabet. So the postings go to disk as they come,
in *runs*; in the end each run is sorted, and then the runs are merged block by block: some terms, and what all runs
have of them.
"""

import os
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from cyberqa.index.growing import ArrayFile
from cyberqa.index.lexical import K1, POSTING, B, idf

POSTINGS_AT_ONCE = 1 << 20
"""Those of some 17,000 chunks: 12 MB on disk, five times as much in memory while they are sorted."""

_COUNTED = np.dtype([("term", "<u4"), ("row", "<u4"), ("frequency", "<u4")])
"""A term that stands so often in a chunk; it is a number, by first appearance, then its place in the alphabet."""


class PostingsBuilder:
    """Takes the terms of one chunk after the other, in order of row. Use it in a ``with`` statement.

    Args:
        folder: where unnamed files may be written meanwhile.
        at_once: how many postings are held in memory, but for those of a single term, which are never parted.
    """

    def __init__(self, folder: Path, at_once: int = POSTINGS_AT_ONCE) -> None:
        self._folder = folder
        self._at_once = at_once
        self._terms: dict[str, int] = {}  # a term's number, by first appearance
        self._held = np.zeros(0, np.int64)  # by term number, in how many chunks it stands
        self._lengths = array("I")  # of each chunk, in terms
        self._numbers = array("I")  # of the run that is being collected
        self._frequencies = array("I")
        self._distinct = array("I")  # of each chunk of this run
        self._runs: list[int] = []  # how many postings each has
        self._unsorted = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._unsorted.close()

    def _open(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._folder)  # it has no name: nothing to sweep, nothing to be published

    def add(self, terms: Mapping[str, int]) -> None:
        """Take the terms of the next chunk, with how often each stands there."""
        known = self._terms
        self._numbers.extend([known.setdefault(term, len(known)) for term in terms])
        self._frequencies.extend(terms.values())
        self._distinct.append(len(terms))
        self._lengths.append(sum(terms.values()))
        if len(self._numbers) >= self._at_once:
            self._end_run()

    def _end_run(self) -> None:
        run = np.empty(len(self._numbers), _COUNTED)
        run["term"] = self._numbers
        run["frequency"] = self._frequencies
        rows = np.arange(len(self._lengths) - len(self._distinct), len(self._lengths))
        run["row"] = np.repeat(rows, np.asarray(self._distinct))
        held = np.bincount(run["term"], minlength=len(self._terms))
        held[: len(self._held)] += self._held
        self._held = held
        self._unsorted.write(run.tobytes())
        self._runs.append(len(run))
        self._numbers, self._frequencies, self._distinct = array("I"), array("I"), array("I")

    def write(self, file: Path) -> Iterator[tuple[str, int, int]]:
        """Write the postings; yield ``(term, first, count)`` in order of term.

        The weight is BM25's (Robertson and Zaragoza 2009), with Lucene's idf, which is never negative:
        ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))``.
        """
        self._end_run()
        terms = sorted(self._terms)
        numbers = np.fromiter((self._terms[term] for term in terms), np.int64, len(terms))
        held = self._held[numbers]
        places = np.empty(len(terms), np.uint32)
        places[numbers] = np.arange(len(terms))
        firsts = np.concatenate([[0], np.cumsum(held)])
        ends = _ends_of_blocks(held, self._at_once)
        with self._open() as runs, ArrayFile(file, POSTING) as postings:
            starts = self._sort_runs(runs, places, ends)
            lengths = np.asarray(self._lengths, np.float64)
            mean = sum(self._lengths) / max(len(lengths), 1) or 1.0
            damping: NDArray[np.float64] = K1 * (1 - B + B * lengths / mean)
            first = 0
            for block, end in enumerate(ends):
                found = np.concatenate([_read(runs, *run[block : block + 2]) for run in starts])
                found = found[np.argsort(found["term"], kind="stable")]  # runs come in order of row
                postings.append(_weighted(found, held[first:end], len(lengths), damping))
                first = end
        for term, first, count in zip(terms, firsts, held, strict=False):
            yield term, int(first), int(count)

    def _sort_runs(self, runs: IO[bytes], places: NDArray[np.uint32], ends: Sequence[int]) -> list[list[int]]:
        """Write each run by place; return where in the file each block of each run begins, and where the last ends."""
        starts: list[list[int]] = []
        done = 0
        self._unsorted.flush()
        for count in self._runs:
            run = _read(self._unsorted, done, done + count)
            run["term"] = places[run["term"]]
            run = run[np.argsort(run["term"], kind="stable")]
            runs.write(run.tobytes())
            starts.append([done, *(done + np.searchsorted(run["term"], np.asarray(ends, np.uint32))).tolist()])
            done += count
        self._unsorted.close()
        runs.flush()
        return starts


def _ends_of_blocks(held: NDArray[np.int64], at_once: int) -> list[int]:
    """Return where blocks of terms end that have so many postings at most, or are a single term."""
    total = np.cumsum(held)
    ends: list[int] = []
    first = 0
    while first < len(held):
        before = int(total[first - 1]) if first else 0
        first = max(int(np.searchsorted(total, before + at_once, "right")), first + 1)
        ends.append(first)
    return ends


def _read(file: IO[bytes], first: int, end: int) -> NDArray[np.void]:
    size = _COUNTED.itemsize
    return np.frombuffer(bytearray(os.pread(file.fileno(), (end - first) * size, first * size)), _COUNTED)


def _weighted(
    found: NDArray[np.void], held: NDArray[np.int64], chunks: int, damping: NDArray[np.float64]
) -> NDArray[np.void]:
    """Return postings with their weights; ``held`` is of each term in turn."""
    idfs = [idf(count, chunks) for count in held.tolist()]
    rows, frequencies = found["row"], found["frequency"].astype(np.float64)
    postings = np.empty(len(found), POSTING)
    postings["row"] = rows
    postings["weight"] = np.repeat(idfs, held) * frequencies * (K1 + 1) / (frequencies + damping[rows])
    return postings
