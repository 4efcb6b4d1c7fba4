"""Token vectors, a byte for eight dimensions: what late interaction compares, at 32 bytes a token.

A vector is moved by the model's mean and turned to its main directions, and these are mixed at random. Of every eight
dimensions only the nearest of 256 centroids is kept (product quantisation: Jégou, Douze and Schmid 2011). The
question's own tokens keep their floats. Mean, directions and centroids of the bundled model come with the package; they
were fitted once on text that has nothing to do with any corpus (benchmarks/fit_token_codec.py), so that an index
depends on its documents only. For other models the directions are random, and seeded, and the centroids are all signs.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding import EncoderInfo, bundled
from cyberqa.types import Matrix

CODEC = "pq32/2"
"""Raised with any change of the rules here or of the fitted file."""
FITTED_FILE = "token_codec.npy"
"""fp16: directions ``(dim, dims)``, the mean in these ``(1, dims)``, centroids ``(256, dims)``."""

DIMS_A_BYTE = 8
CENTROIDS = 256

_MAX_DIMS = 256
_AT_ONCE, _TILE = 64, 8
"""Coded tokens, and question tokens, that are multiplied in one product: always so many, filled up with what is cut off
again, so that a figure is the same to the bit whatever stands beside it, on any processor. OpenBLAS multiplies
so little on one thread; more it shares out, and where other programs want the cores too, waiting took 20 times as long
as the work."""
_BLOCKS = 8
"""Products' worth of coded tokens that are decoded at once: alone each would cost more in calls than in work."""
_SEED = 20161101

Codes = NDArray[np.uint8]
"""``(n, dims / 8)``: of n token vectors the centroid of each eight dimensions."""


class TokenCodec:
    """An affine map to ``dims`` dimensions, and what stands for eight of these.

    ``weights`` (dim, dims), ``offset`` (dims,), ``centroids`` (256, dims), float32: row i has the i-th centroid of the
    first eight dimensions, then that of the next eight, and so on.
    """

    def __init__(self, weights: Matrix, offset: NDArray[np.float32], centroids: Matrix) -> None:
        self._weights = weights
        self._offset = offset
        self.dims = weights.shape[1]
        parts = self.dims // DIMS_A_BYTE
        # (parts, 256, 8); flat, centroid i of part p is row 256 p + i.
        self._centroids = np.ascontiguousarray(centroids.reshape(CENTROIDS, parts, DIMS_A_BYTE).transpose(1, 0, 2))
        self._flat = self._centroids.reshape(-1, DIMS_A_BYTE)
        self._firsts = np.arange(parts, dtype=np.int32) * CENTROIDS

    def encode(self, tokens: Matrix) -> Codes:
        """Return ``(n, dims / 8)`` uint8 of ``(n, dim)`` token vectors."""
        parts = self.project(tokens).reshape(len(tokens), -1, DIMS_A_BYTE)
        codes = np.empty(parts.shape[:2], np.uint8)
        for part, centroids in enumerate(self._centroids):
            codes[:, part] = nearest(parts[:, part], centroids)
        return codes

    def project(self, tokens: Matrix) -> Matrix:
        """Return the ``(n, dims)`` float32 unit rows that a question's tokens are compared by."""
        return unit_rows(tokens @ self._weights - self._offset)

    def cosines(self, question: Matrix, codes: Codes) -> Matrix:
        """Return ``(n, m)`` float32: the cosine of each coded token with each projected question token, nearly.

        The worse the code fits a token, the shorter is the vector decoded, lest its error make it the best match: the
        lengths are 1 on average only. Of unit length they cost .008 and .017 in Success@1 (two seeds, n = 358).
        """
        tiles = -(-len(question) // _TILE)
        turned = np.zeros((tiles * _TILE, self.dims), np.float32)
        turned[: len(question)] = question
        turned = np.ascontiguousarray(turned.reshape(tiles, _TILE, self.dims).transpose(0, 2, 1))
        blocks = -(-len(codes) // _AT_ONCE)
        found = np.empty((tiles, blocks, _AT_ONCE, _TILE), np.float32)
        rows = np.zeros((min(_BLOCKS, blocks) * _AT_ONCE, len(self._firsts)), np.intp)
        decoded = np.empty((*rows.shape, DIMS_A_BYTE), np.float32)
        for first in range(0, blocks, _BLOCKS):
            part = codes[first * _AT_ONCE : (first + _BLOCKS) * _AT_ONCE]
            np.add(part, self._firsts, out=rows[: len(part)])
            self._flat.take(rows, axis=0, out=decoded, mode="clip")  # "raise" would copy
            own = found[:, first : first + _BLOCKS]
            np.matmul(decoded.reshape(-1, _AT_ONCE, self.dims)[: own.shape[1]], turned[:, None], out=own)
        flat: Matrix = found.transpose(1, 2, 0, 3).reshape(blocks * _AT_ONCE, tiles * _TILE)
        return flat[: len(codes), : len(question)]

    def best_cosines(self, question: Matrix, codes: Codes, firsts: NDArray[np.int64]) -> Matrix:
        """Return ``(len(firsts), m)`` float32: the best cosine of each question token with any token of each chunk.

        ``firsts``, ascending from 0, are the places in ``codes`` where a chunk begins; none is empty.
        """
        best: Matrix = np.maximum.reduceat(self.cosines(question, codes), firsts, axis=0)
        return best


def nearest(rows: Matrix, centroids: Matrix) -> NDArray[np.intp]:
    """Return for each row the number of the nearest centroid, ``(n,)``; of equals the first."""
    # Of (row - centroid)^2 what differs between centroids.
    found: NDArray[np.intp] = np.argmax(rows @ centroids.T - (centroids**2).sum(axis=1) / 2, axis=1)
    return found


def unit_rows(rows: Matrix) -> Matrix:
    """Return rows divided by their lengths."""
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def codec_for(info: EncoderInfo, dim: int) -> TokenCodec:
    """Return the codec of a model whose token vectors have ``dim`` dimensions."""
    return _fitted() if has_fitted_codec(info) else _random(dim)


def has_fitted_codec(info: EncoderInfo) -> bool:
    """Whether the codec was fitted to this model: the bundled one, with its adapter."""
    return (info.weights_sha256, info.graph) == (bundled.WEIGHTS_SHA256, bundled.GRAPH)


@lru_cache(1)
def _fitted() -> TokenCodec:
    table = np.load(Path(__file__).with_name(FITTED_FILE), allow_pickle=False).astype(np.float32)
    return TokenCodec(table[: -CENTROIDS - 1], table[-CENTROIDS - 1], table[-CENTROIDS:])


@lru_cache(4)
def _random(dim: int) -> TokenCodec:
    dims = min(dim - dim % DIMS_A_BYTE, _MAX_DIMS)
    bits = np.unpackbits(np.arange(CENTROIDS, dtype=np.uint8)[:, None], axis=1).astype(np.float32)
    signs = np.tile((bits * 2 - 1) / np.float32(np.sqrt(dims)), (1, dims // DIMS_A_BYTE))
    offset = np.zeros(dims, np.float32)
    if dims == dim:
        return TokenCodec(np.eye(dim, dtype=np.float32), offset, signs)
    turned, _ = np.linalg.qr(np.random.default_rng(_SEED).normal(size=(dim, dim)))
    return TokenCodec(turned[:, :dims].astype(np.float32), offset, signs)
