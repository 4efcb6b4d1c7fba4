"""Quoted words of a question: where they stand as quoted."""

import re
from collections.abc import Sequence

import numpy as np

from cyberqa.index.generation import Generation
from cyberqa.index.words import folded_words
from cyberqa.matching import joined_text

_QUOTED = re.compile(r"(?<!\w)[\"“”„«]([^\"“”„«»]+)[\"“”»](?!\w)")  # not the inches of a 19" rack

_MOST_READ = 200
"""Chunks that hold all words of a phrase and are read to see whether they hold it as it stands: the best by BM25."""


def quoted_phrases(question: str) -> tuple[str, ...]:
    """Return what stands in double quotes, in order; a quote without its partner quotes nothing.

    >>> quoted_phrases('who wrote „on the way“ and "the end" of "it')
    ('on the way', 'the end')
    """
    return tuple(phrase.strip() for phrase in _QUOTED.findall(question) if folded_words(phrase))


def without_quoted(question: str) -> str:
    """Return the question without what stands in quotes."""
    return _QUOTED.sub(" ", question)


def phrase_matches(generation: Generation, phrases: Sequence[str]) -> dict[int, np.float32]:
    """Return row -> the share of the phrases that the chunk holds, of those that hold any: 1 where it holds all.

    A phrase is held where its words stand one behind the other, in the passage, the rest of its sentence or its
    table's header; case, accents, punctuation and script do not matter, endings do.
    """
    shares: dict[int, np.float32] = {}
    for phrase in phrases:
        for row in _rows_with(generation, phrase):
            shares[row] = shares.get(row, np.float32(0)) + np.float32(1 / len(phrases))
    return shares


def _rows_with(generation: Generation, phrase: str) -> list[int]:
    rows = generation.vocabulary.rows_with_all(phrase)
    if len(rows) > _MOST_READ:
        rows = np.sort(
            rows[np.argsort(-generation.vocabulary.word_scores(phrase).of(rows), kind="stable")[:_MOST_READ]]
        )
    return [int(row) for row in rows if _holds(generation, int(row), phrase)]


def _holds(generation: Generation, row: int, phrase: str) -> bool:
    chunk = generation.contents.chunk(row)
    document = generation.contents.document(chunk.document)
    text = joined_text(document.text, chunk.span, chunk.continuation, chunk.context)
    wanted, words = (f" {' '.join(folded_words(part, document.language))} " for part in (phrase, text))
    return wanted in words
