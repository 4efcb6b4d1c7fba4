"""Texts in, unit vectors out, behind one Protocol.

The bundled model runs through a graph exported once (``graph``): one text a call, no padding, so that a text of an
index has the same vector to the bit whatever stands beside it. Any other model, and any GPU, runs through
sentence-transformers (``reference``), which the bundled graph is held to by a test.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cyberqa.settings import DEFAULT_MODEL, Settings
from cyberqa.types import Matrix, Vector

# Some builds of ONNX Runtime queue events about the machine in the user's cache folder and send them to their maker.
# It reads this when it is imported, and Python runs this module before any other of this package.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """Which encoder made a vector. Vectors may be compared only where ``identity`` is equal.

    ``weights_sha256`` names the weights, ``graph`` the rules that turned them into something that runs,
    ``runtime`` the library that ran it: another release of it may move the last bit of a vector, no more.
    ``query_prompt`` and ``document_prompt`` stood in front of what was encoded.
    ``languages`` are the codes that the model's card names, None where it is silent: no part of what the encoder is.
    """

    model: str
    weights_sha256: str
    graph: str
    precision: str
    device: str
    dim: int
    window_tokens: int
    runtime: str
    query_prompt: str = ""
    document_prompt: str = ""
    languages: tuple[str, ...] | None = field(default=None, compare=False)

    @property
    def identity(self) -> tuple[str | int, ...]:
        """What must be equal for two vectors to be comparable."""
        return (
            self.model,
            self.weights_sha256,
            self.graph,
            self.precision,
            self.device,
            self.dim,
            self.window_tokens,
            self.query_prompt,
            self.document_prompt,
        )


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text's vector, and ``(n_tokens, dim)`` float32 unit rows, one a token, the special ones included."""

    vector: Vector
    tokens: Matrix


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text, in the order of ``Encoding.tokens``.

    ``ids`` (n,); ``spans`` (n, 2), in characters of the text; ``is_word`` (n,) says which hold a letter or digit:
    special tokens and punctuation do not.
    """

    ids: NDArray[np.int64]
    spans: NDArray[np.int64]
    is_word: NDArray[np.bool_]


class Encoder(Protocol):
    """What the rest of the house knows of a model. Its prompts are its own affair: no token shows them."""

    @property
    def info(self) -> EncoderInfo:
        """Which encoder this is; ``info.window_tokens`` counts without special tokens."""

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text, without special ones."""

    def tokenize(self, text: str) -> Tokens:
        """Return the tokens of a text, special ones included."""

    def encode(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """Yield one Encoding a text, in order.

        Raises:
            ValueError: a text exceeds the window; its end would be lost silently.
        """

    def encode_queries(self, questions: Sequence[str]) -> list[Encoding]:
        """Return the Encoding of each of a few questions, which some models read otherwise than a text.

        Raises:
            ValueError: as for ``encode``.
        """
        return list(self.encode(questions))


def load_encoder(settings: Settings) -> Encoder:
    """Return the encoder that ``settings.model`` and ``settings.device`` name, ready to run.

    Raises:
        ModelError: the model cannot be loaded, or is not the one that is pinned.
    """
    if _is_light(settings):
        from cyberqa.embedding.graph import GraphEncoder

        return GraphEncoder.load()
    from cyberqa.embedding.loading import stay_offline
    from cyberqa.embedding.reference import SentenceTransformerEncoder

    stay_offline(settings)
    return SentenceTransformerEncoder.load(
        settings.model, settings.device, settings.query_prompt, settings.document_prompt
    )


def known_info(settings: Settings) -> EncoderInfo | None:
    """Return what :func:`load_encoder` would load, where that can be told without opening it: the bundled model."""
    if not _is_light(settings):
        return None
    import importlib.metadata

    from cyberqa.embedding import bundled

    return bundled.known_info(importlib.metadata.version("onnxruntime"))


def _is_light(settings: Settings) -> bool:
    prompted = settings.query_prompt or settings.document_prompt
    return settings.model == DEFAULT_MODEL and settings.device is None and not prompted


def needs_torch(settings: Settings) -> list[str]:
    """Return the models that are set and that torch must be imported for, by name; usually none."""
    return [*([] if _is_light(settings) else [settings.model]), *([settings.reranker] if settings.reranker else [])]


def tokens_of(text: str, ids: Sequence[int], spans: Sequence[tuple[int, int]]) -> Tokens:
    """Return Tokens out of what a tokenizer gives."""
    is_word = [any(map(str.isalnum, text[start:end])) for start, end in spans]
    return Tokens(np.array(ids, np.int64), np.array(spans, np.int64).reshape(-1, 2), np.array(is_word, np.bool_))


def check_window(text: str, tokens: int, window_tokens: int) -> None:
    """Refuse a text that the encoder would cut."""
    if tokens > window_tokens:
        raise ValueError(f"text of {tokens} tokens exceeds the window of {window_tokens}: {text[:60]!r}…")
