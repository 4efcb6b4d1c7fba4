"""Token vectors, one bit a dimension: what late interaction compares, at 32 bytes a token.

A vector is moved by the model's mean, turned to its main directions, turned again at random, and only signs are kept.
The question's own tokens keep their floats. Mean and directions of the bundled model come with the package; they were
fitted once on text that has nothing to do with any corpus (benchmarks/fit_token_codec.py), so that an index depends on
its documents only. For other models the directions are random, and seeded.
"""

from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding import EncoderInfo, bundled
from cyberqa.types import Matrix

CODEC = "sign256/1"
"""Raised with any change of the rules here or of the fitted file."""
FITTED_FILE = "token_codec.npy"

_MAX_DIMS = 256
_DECODED_AT_ONCE = 4096  # rows, 4 MB as floats: more leaves the processor's caches, and adds to the peak
_SEED = 20161101

Codes = NDArray[np.uint8]
"""``(n, dims / 8)``: the signs of n token vectors, eight to a byte."""


class TokenCodec:
    """An affine map to ``dims`` dimensions, and signs. ``weights`` (dim, dims), ``offset`` (dims,) float32."""

    def __init__(self, weights: Matrix, offset: NDArray[np.float32]) -> None:
        self._weights = weights
        self._offset = offset
        self.dims = weights.shape[1]

    def encode(self, tokens: Matrix) -> Codes:
        """Return ``(n, dims / 8)`` uint8 of ``(n, dim)`` token vectors."""
        return np.packbits(tokens @ self._weights > self._offset, axis=1)

    def project(self, tokens: Matrix) -> Matrix:
        """Return the ``(n, dims)`` float32 unit rows that a question's tokens are compared by."""
        rows = tokens @ self._weights - self._offset
        unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return unit


def cosines(question: Matrix, codes: Codes) -> Matrix:
    """Return ``(m, n)`` float32: the cosine of each projected question token with each coded token."""
    # A sign is 2 bit - 1, and a row of signs has the length sqrt(dims).
    dims = question.shape[1]
    length = np.float32(np.sqrt(dims))
    found = np.empty((len(question), len(codes)), np.float32)
    for first in range(0, len(codes), _DECODED_AT_ONCE):
        block = slice(first, first + _DECODED_AT_ONCE)
        bits = np.unpackbits(codes[block], axis=1, count=dims).astype(np.float32)
        found[:, block] = question @ bits.T
    result: Matrix = (found * 2 - question.sum(axis=1, keepdims=True)) / length
    return result


def codec_for(info: EncoderInfo, dim: int) -> TokenCodec:
    """Return the codec of a model whose token vectors have ``dim`` dimensions."""
    return _fitted() if info.weights_sha256 == bundled.WEIGHTS_SHA256 else _random(dim)


@lru_cache(1)
def _fitted() -> TokenCodec:
    with resources.files(__package__).joinpath(FITTED_FILE).open("rb") as file:
        table = np.load(file, allow_pickle=False).astype(np.float32)
    return TokenCodec(table[:-1], table[-1])


@lru_cache(4)
def _random(dim: int) -> TokenCodec:
    dims = min(dim - dim % 8, _MAX_DIMS)
    if dims == dim:
        return TokenCodec(np.eye(dim, dtype=np.float32), np.zeros(dim, np.float32))
    turned, _ = np.linalg.qr(np.random.default_rng(_SEED).normal(size=(dim, dim)))
    return TokenCodec(turned[:, :dims].astype(np.float32), np.zeros(dims, np.float32))
