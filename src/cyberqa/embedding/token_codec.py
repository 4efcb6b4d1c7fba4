"""Token vectors, one bit a dimension: what late interaction compares, at 32 bytes a token.

A vector is moved by the model's mean, turned to its main directions, turned again at random, and only signs are kept.
The question's own tokens keep their floats. Mean and directions of the bundled model come with the package; they were
fitted once on text that has nothing to do with any corpus (benchmarks/fit_token_codec.py), so that an index depends on
its documents only. For other models the directions are random, and seeded.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding import EncoderInfo, bundled
from cyberqa.types import Matrix

CODEC = "sign256/1"
"""Raised with any change of the rules here or of the fitted file."""
FITTED_FILE = "token_codec.npy"

_MAX_DIMS = 256
_ONE_THREAD = 1024
"""Rows times question tokens of 256 dimensions that OpenBLAS multiplies on one thread. More it shares out, and where
other programs want the cores too, waiting for the second thread took 20 times as long as the work."""
_TILE = 16  # question tokens; in whole tiles a token's products are the same to the bit whatever stands beside it
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
    """Return ``(n, m)`` float32: the cosine of each coded token with each projected token of a question."""
    return _to_cosines(_sums_of_bits(question, codes), question)


def best_cosines(question: Matrix, codes: Codes, firsts: NDArray[np.int64]) -> Matrix:
    """Return ``(len(firsts), m)`` float32: the best cosine of each question token with any token of each chunk.

    ``firsts``, ascending from 0, are the places in ``codes`` where a chunk begins; none is empty.
    """
    return _to_cosines(np.maximum.reduceat(_sums_of_bits(question, codes), firsts, axis=0), question)


def _sums_of_bits(question: Matrix, codes: Codes) -> Matrix:
    """Return ``(n, m)`` float32: of each question token the sum of the dimensions where a coded token has its bit."""
    tokens, dims = question.shape
    turned = np.zeros((dims, -(-tokens // _TILE) * _TILE), np.float32)
    turned[:, :tokens] = question.T
    at_once = max(_ONE_THREAD // turned.shape[1], 2)  # of a single row the sum would be another, too
    bits = np.zeros((at_once, dims), np.float32)
    found = np.empty((-(-len(codes) // at_once) * at_once, turned.shape[1]), np.float32)
    for first in range(0, len(codes), at_once):
        part = codes[first : first + at_once]
        bits[: len(part)] = np.unpackbits(part, axis=1, count=dims)
        np.matmul(bits, turned, out=found[first : first + at_once])
    return found[: len(codes), :tokens]


def _to_cosines(sums: Matrix, question: Matrix) -> Matrix:
    # A sign is 2 bit - 1, and a row of signs has the length sqrt(dims).
    cosines: Matrix = (sums * 2 - question.sum(axis=1)) / np.float32(np.sqrt(question.shape[1]))
    return cosines


def codec_for(info: EncoderInfo, dim: int) -> TokenCodec:
    """Return the codec of a model whose token vectors have ``dim`` dimensions."""
    return _fitted() if info.weights_sha256 == bundled.WEIGHTS_SHA256 else _random(dim)


@lru_cache(1)
def _fitted() -> TokenCodec:
    table = np.load(Path(__file__).with_name(FITTED_FILE), allow_pickle=False).astype(np.float32)
    return TokenCodec(table[:-1], table[-1])


@lru_cache(4)
def _random(dim: int) -> TokenCodec:
    dims = min(dim - dim % 8, _MAX_DIMS)
    if dims == dim:
        return TokenCodec(np.eye(dim, dtype=np.float32), np.zeros(dim, np.float32))
    turned, _ = np.linalg.qr(np.random.default_rng(_SEED).normal(size=(dim, dim)))
    return TokenCodec(turned[:, :dims].astype(np.float32), np.zeros(dims, np.float32))
