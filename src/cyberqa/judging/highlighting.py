"""The sentences of a passage that answer: a window that covers most of the question's tokens for its length.

One signal: for each token of the question the best cosine with a token of the window, as the passage's own token
vectors have it (read in the context of the whole passage), weighted by the token's rarity; less a price for length.
Sentence vectors, word overlap, the kind of thing asked for, and a fitted model of fourteen such signals were tried in
grouped folds, and none beat it (docs/verdict.md).
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from cyberqa.types import Span

MAX_SENTENCES = 3
"""The third is taken only where sentences are short."""

MAX_CHARS = 600
"""Of more than one sentence; a single one may be longer."""

PRICE = 0.075
"""Of a weighted mean cosine, for each 1,000 characters. .05 shows more answers, .1 shorter highlights
(docs/verdict.md)."""

COUNTED = 0.2
"""What a window gains that counts what "how many" asks for: who has six employees is told in the sentence before."""

AS_GOOD = 0.03
"""By how much a row of a table may match less than the best one and be highlighted beside it."""

_TIE = 1e-9  # what is nearer than this goes to the earlier and shorter window

Cosines = NDArray[np.float32]


def sentence_maxima(cosines: Cosines, numbers: NDArray[np.int64], sentences: int) -> tuple[Cosines, Cosines]:
    """Return the best cosine of each question token in front of the sentences, and in each sentence.

    Args:
        cosines: ``(tokens, question tokens)``.
        numbers: ``(tokens,)``, which sentence each token stands in, from 0; -1 in front of the first.
        sentences: how many there are.

    Returns:
        ``(question tokens,)`` and ``(sentences, question tokens)``; 0 where there are no tokens, or none is alike.
    """
    maxima = np.zeros((sentences + 1, cosines.shape[1]), np.float32)
    np.maximum.at(maxima, numbers + 1, cosines)
    return maxima[0], maxima[1:]


def choose_window(
    maxima: Cosines,
    weights: NDArray[np.float32],
    sentences: Sequence[Span],
    introduces: Collection[int] = (),
    counting: Collection[int] = (),
) -> tuple[int, int]:
    """Return the first and the last sentence of the highlight.

    Args:
        maxima: ``(sentences, question tokens)``, as :func:`sentence_maxima` has them.
        weights: ``(question tokens,)``, 0 or more; need not sum to 1.
        sentences: at least one; their spans give lengths.
        introduces: numbers of sentences that end with a colon; a window that holds one takes the items after it, as
            many as there is room for.
        counting: numbers of sentences that count what is asked for; a window that holds one gains COUNTED.
    """
    shares = weights / (float(weights.sum()) or 1.0)
    best, chosen = -np.inf, (0, 0)
    for first in range(len(sentences)):
        covered = np.zeros(maxima.shape[1], np.float32)
        for last in range(first, min(first + MAX_SENTENCES, len(sentences))):
            length = _chars(sentences, first, last)
            if last > first and length > MAX_CHARS:
                break
            covered = np.maximum(covered, maxima[last])
            score = float(covered @ shares) - PRICE * length / 1000
            if any(first <= number <= last for number in counting):
                score += COUNTED
            if score > best + _TIE:
                best, chosen = score, (first, last)
    first, last = chosen
    if any(number in introduces for number in range(first, last + 1)):
        while last + 1 < len(sentences) and _chars(sentences, first, last + 1) <= MAX_CHARS:
            last += 1
    return first, last


def choose_rows(maxima: Cosines, weights: NDArray[np.float32], rows: Sequence[Span]) -> tuple[int, int]:
    """Return the first and the last row of a table's highlight: the best, and those beside it that are as good.

    The arguments are those of :func:`choose_window`. To cover the question together, as sentences do, would join rows
    that are about different things.
    """
    shares = weights / (float(weights.sum()) or 1.0)
    scores = maxima @ shares - PRICE * np.array([len(row) for row in rows]) / 1000
    first = last = int(scores.argmax())
    least = float(scores.max()) - AS_GOOD
    while last - first + 1 < MAX_SENTENCES:
        before = float(scores[first - 1]) if first else -np.inf
        after = float(scores[last + 1]) if last + 1 < len(rows) else -np.inf
        if max(before, after) < least:
            break
        if after >= before:
            last += 1
        else:
            first -= 1
    return first, last


def _chars(sentences: Sequence[Span], first: int, last: int) -> int:
    return sentences[last].end - sentences[first].start
