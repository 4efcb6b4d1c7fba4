"""The tokens of a generation, as late interaction and the highlight read them; tokens.py wrote them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding.token_codec import Codes
from cyberqa.errors import SearchIndexError
from cyberqa.index.arrays import StoredRows, mapped
from cyberqa.index.manifest import REBUILD_HINT
from cyberqa.matching import NO_SENTENCE


class StoredTokens:
    """The tokens of a generation, read by row of chunk; ``rows`` is what stands beside each chunk.

    Raises:
        ValueError: these are not such files.
    """

    def __init__(self, codes: Path, sentences: Path, rows: NDArray[np.void]) -> None:
        self._rows = rows
        self._sentences = mapped(sentences)
        self._codes = StoredRows(codes)
        self.close = self._codes.close
        is_ours = (self._codes.dtype, self._sentences.dtype) == (np.uint8, np.uint8)
        is_ours = is_ours and (len(self._codes.shape), self._sentences.ndim) == (2, 1)
        if not is_ours or len(self._codes) != len(self._sentences):
            raise ValueError("its tokens are not what they should be")

    def __len__(self) -> int:
        return len(self._codes)

    def codes(self, rows: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int64]]:
        """Return the codes of all tokens of some chunks, ``(n, dims / 8)``, and the place of each chunk's first."""
        about = self._rows[rows]
        counts = about["tokens"].astype(np.int64)
        codes: Codes = self._codes.read(zip(about["first_token"].tolist(), counts.tolist(), strict=True))
        if len(codes) != counts.sum():
            raise SearchIndexError("the index is damaged: its tokens end before their rows do", hint=REBUILD_HINT)
        return codes, np.cumsum(counts) - counts

    def sentences(self, row: int, of: int) -> NDArray[np.uint8]:
        """Return the sentence of each token of a chunk, by place in the chunk, which has ``of`` sentences.

        NO_SENTENCE where a token stands in front of them; see matching.sentences_of.
        """
        first, count = int(self._rows["first_token"][row]), int(self._rows["tokens"][row])
        sentences: NDArray[np.uint8] = self._sentences[first : first + count]
        if ((sentences >= of) & (sentences != NO_SENTENCE)).any():
            raise SearchIndexError("the index is damaged: its tokens stand in no sentence", hint=REBUILD_HINT)
        return sentences
