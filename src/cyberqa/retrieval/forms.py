"""A question as it is compared: its vector and its tokens, once as asked and once for each way it was rewritten."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding import Encoder, Encoding
from cyberqa.embedding.token_codec import TokenCodec, codec_for
from cyberqa.index.typos import Correction
from cyberqa.names.expanding import OtherName
from cyberqa.types import Matrix, Vector

_MOST_CHARS_A_TOKEN = 100  # longer words are one unknown token


@dataclass(frozen=True, slots=True)
class Form:
    """One way to ask: ``vector`` (dim,), and its n tokens that are words.

    Of these, ``ids`` (n,), ``spans`` (n, 2) in characters of ``text``, and ``tokens`` (n, dims) as ``codec`` projects
    them.
    """

    text: str
    vector: Vector
    ids: NDArray[np.int64]
    spans: NDArray[np.int64]
    tokens: Matrix
    codec: TokenCodec


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it is searched for: its forms, and what its words may also be.

    The first form is the question with its typos mended, the second has other names and terms in it, where there are
    any. ``typed`` is the question as it was typed, where typos were mended.
    """

    forms: tuple[Form, ...]
    corrections: tuple[Correction, ...] = ()
    other_names: tuple[OtherName, ...] = ()
    typed: Form | None = None

    @property
    def asked(self) -> Form:
        """The question as it was typed: what is judged, for a typo may have been none."""
        return self.typed or self.forms[0]


def encode_forms(encoder: Encoder, texts: Sequence[str]) -> list[Form]:
    """Encode ways to ask; one too long for the encoder is cut at a word: lexically all its words count."""
    texts = [_within_window(encoder, text) for text in texts]
    return [_form(encoder, *each) for each in zip(texts, encoder.encode_queries(texts), strict=True)]


def _form(encoder: Encoder, text: str, encoding: Encoding) -> Form:
    tokens = encoder.tokenize(text)
    kept = tokens.is_word if tokens.is_word.any() else np.ones(len(tokens.ids), np.bool_)
    rows = encoding.tokens[kept]
    codec = codec_for(encoder.info, rows.shape[1])
    return Form(text, encoding.vector, tokens.ids[kept], tokens.spans[kept], codec.project(rows), codec)


def _within_window(encoder: Encoder, question: str) -> str:
    window = encoder.info.window_tokens
    question = question[: window * _MOST_CHARS_A_TOKEN]
    while encoder.count_tokens(question) > window:
        shorter = question[: len(question) * 3 // 4]
        question = shorter.rsplit(maxsplit=1)[0] if " " in shorter.strip() else shorter
    return question
