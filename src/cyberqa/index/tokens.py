"""What late interaction reads: the coded tokens of every chunk, and what stands beside a chunk.

Token j of a chunk is row ``first_token + j`` of tokens.npy; its sentence, by place in the chunk, that row of
token-sentences.npy, matching.NO_SENTENCE where it stands in the trail or context in front.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding.token_codec import Codes
from cyberqa.index.growing import ArrayFile

ROW = np.dtype([("first_token", "<u8"), ("tokens", "<u2"), ("before", "<i4")])
"""A chunk: its tokens, and the row of the chunk of running text before it in its section, -1 where there is none."""


@dataclass(frozen=True, slots=True)
class ChunkTokens:
    """Those tokens of a chunk that are words: codes ``(n, dims / 8)``, sentences ``(n,)``.

    ``pieces`` are the ids of its different word pieces, sorted.
    """

    codes: Codes
    pieces: Sequence[int]
    sentences: NDArray[np.uint8]


class TokenFiles:
    """Takes the tokens of all chunks, in order of row, and writes them as they come. Use it in a ``with`` statement."""

    def __init__(self, rows: Path, codes: Path, sentences: Path) -> None:
        self._rows = ArrayFile(rows, ROW)
        self._codes = ArrayFile(codes, np.dtype(np.uint8), (1,))
        self._sentences = ArrayFile(sentences, np.dtype(np.uint8))
        self._files = (self._rows, self._codes, self._sentences)
        self._chunks_with = np.zeros(0, np.int64)  # by piece id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        for file in self._files:
            file.__exit__(*failed)

    def add(self, tokens: Sequence[ChunkTokens], before: Sequence[int]) -> None:
        """Take the chunks of one document; ``before`` counts from its first chunk, -1 for none."""
        lengths = np.array([len(chunk.sentences) for chunk in tokens], np.int64)
        previous = np.asarray(before)
        rows = np.empty(len(tokens), ROW)
        rows["first_token"] = self._sentences.rows + np.cumsum(lengths) - lengths
        rows["tokens"] = lengths
        rows["before"] = np.where(previous >= 0, self._rows.rows + previous, -1)
        self._rows.append(rows)
        for chunk in tokens:
            self._codes.append(chunk.codes)
            self._sentences.append(chunk.sentences)
        self._count(np.concatenate([np.asarray(chunk.pieces, np.int64) for chunk in tokens]))

    def _count(self, pieces: NDArray[np.int64]) -> None:
        found = np.bincount(pieces, minlength=len(self._chunks_with))
        found[: len(self._chunks_with)] += self._chunks_with
        self._chunks_with = found

    def piece_counts(self) -> NDArray[np.unsignedinteger]:
        """Return, by piece id, in how many chunks a word piece stands."""
        return self._chunks_with.astype(np.min_scalar_type(int(self._chunks_with.max(initial=0))))
