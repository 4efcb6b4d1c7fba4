"""What late interaction reads: the coded tokens of every chunk, and what stands beside a chunk.

Token j of a chunk is row ``first_token + j`` of tokens.npy; its sentence, by place in the chunk, that row of
token-sentences.npy, matching.NO_SENTENCE where it stands in the trail or context in front.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding.token_codec import Codes

ROW = np.dtype([("first_token", "<u8"), ("tokens", "<u2"), ("before", "<i4")])
"""A chunk: its tokens, and the row of the chunk of running text before it in its section, -1 where there is none."""
Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class ChunkTokens:
    """Those tokens of a chunk that are words: codes ``(n, dims / 8)``, sentences ``(n,)``.

    ``pieces`` are the ids of its different word pieces, sorted.
    """

    codes: Codes
    pieces: Sequence[int]
    sentences: NDArray[np.uint8]


class TokenTable:
    """Collects the tokens of all chunks, in order of row."""

    def __init__(self) -> None:
        self._codes: list[Codes] = []
        self._sentences: list[NDArray[np.uint8]] = []
        self._pieces = array("I")
        self._rows: list[tuple[int, int, int]] = []
        self._tokens = 0

    def add(self, tokens: Sequence[ChunkTokens], before: Sequence[int]) -> None:
        """Take the chunks of one document; ``before`` counts from its first chunk, -1 for none."""
        base = len(self._rows)
        for chunk, previous in zip(tokens, before, strict=True):
            self._rows.append((self._tokens, len(chunk.sentences), base + previous if previous >= 0 else -1))
            self._tokens += len(chunk.sentences)
            self._codes.append(chunk.codes)
            self._sentences.append(chunk.sentences)
            self._pieces.extend(chunk.pieces)

    def arrays(self) -> tuple[Rows, Codes, NDArray[np.uint8], NDArray[np.unsignedinteger]]:
        """Return rows, codes, sentences and, by piece id, in how many chunks a word piece stands."""
        codes = np.concatenate(self._codes) if self._codes else np.zeros((0, 1), np.uint8)
        sentences = np.concatenate(self._sentences) if self._sentences else np.zeros(0, np.uint8)
        pieces = np.bincount(np.asarray(self._pieces, np.int64))
        counts = pieces.astype(np.min_scalar_type(int(pieces.max(initial=0))))
        return np.array(self._rows, ROW), codes, sentences, counts
