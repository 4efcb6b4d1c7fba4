"""Forms of a question and an open generation in, Hits out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cyberqa.errors import UsageError
from cyberqa.index.arrays import distinct
from cyberqa.index.generation import Generation
from cyberqa.index.scoring import WordScores
from cyberqa.retrieval.forms import Form, Query
from cyberqa.retrieval.late import late_interaction
from cyberqa.retrieval.phrases import phrase_matches, quoted_phrases
from cyberqa.types import Hit, Mask

RANKING = "late/10"
"""Raised with any change of the rules in this room, in names/ or judging/, or of the token codec: a calibration is for
one."""

LATE_INTERACTION = "late interaction"
"""The name of that signal of a hit."""

BEYOND = "beyond the candidates"
"""The name of that signal: what hits are lowered by that come behind those that are ranked for every k."""

_CANDIDATES = 60
"""Chunks that are ranked by all signals: the best by cosine plus _PROPOSED_BY_WORDS x relative BM25. Of dev and
practice 80 and 100 find no more, and take 6 and 9 hundredths longer."""
_PROPOSED_BY_WORDS = 0.4

# Beside late interaction, whose weight is 1. docs/retrieval.md has what each is worth.
_VECTOR_WEIGHT = 0.1
_LEXICAL_WEIGHT = 0.02


class Mode(StrEnum):
    """Which sides are asked: both, or one alone."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


def parse_mode(name: Mode | str) -> Mode:
    """Return the mode of that name; a mode is its own.

    Raises:
        UsageError: there is none.
    """
    try:
        return Mode(name)
    except ValueError:
        raise UsageError(f"expected a mode of {', '.join(Mode)}, found {name!r}") from None


def retrieve(
    generation: Generation,
    query: Query,
    k: int,
    mode: Mode = Mode.HYBRID,
    allowed: Mask | None = None,
) -> list[Hit]:
    """Return the ``k`` best chunks for a question, best first; ties by document and position.

    Fewer are the first of more: behind the candidates that are ranked for every ``k`` come those of twice as many that
    are not among them, and so on; their scores are lowered by as much as that takes.

    A hit's score is the sum of its signals. HYBRID: late interaction, 0.1 x the cosine of the vectors, and 0.02 x BM25
    divided by the best BM25 of any chunk; the first two are the best of the forms. DENSE goes without BM25; LEXICAL is
    BM25 divided by its best, and nothing else. A chunk that holds what the question quotes gains 1, by share of the
    phrases, which no other chunk can make up for (not in DENSE). With ``allowed``, ``(chunks,)`` bool, all this is
    among these chunks only.
    """
    candidates = _CANDIDATES
    found = _rank(generation, query, candidates, mode, allowed, most=k)
    while len(found) < k and len(found) == candidates:
        candidates *= 2
        found += _behind(found, _rank(generation, query, candidates, mode, allowed, most=candidates))
    return found[:k]


def _behind(found: Sequence[Hit], more: Sequence[Hit]) -> list[Hit]:
    """Return those of ``more`` that are not found yet, lowered to stand behind what is."""
    rows = {hit.row for hit in found}
    new = [hit for hit in more if hit.row not in rows]
    lowered = min(0.0, found[-1].score - new[0].score) if new else 0.0
    return [
        replace(hit, rank=rank, score=round(hit.score + lowered, 6), signals={**hit.signals, BEYOND: lowered})
        for rank, hit in enumerate(new, len(found) + 1)
    ]


def _rank(
    generation: Generation, query: Query, candidates: int, mode: Mode, allowed: Mask | None, *, most: int
) -> list[Hit]:
    """Return the best of so many candidates, in order."""
    forms = query.forms
    words = _Words.find(generation, query, mode, allowed, candidates)
    rows = _candidates(generation, forms, words, candidates, mode, allowed)
    signals: dict[str, NDArray[np.float32]] = {}
    if mode is not Mode.LEXICAL:
        signals[LATE_INTERACTION] = _best_of(late_interaction(generation, forms, rows))
        signals["passage vector"] = _VECTOR_WEIGHT * _cosines(generation, forms, rows)
    if words is not None:
        signals["words"] = (_LEXICAL_WEIGHT if mode is Mode.HYBRID else 1.0) * words.bm25(rows)
        if words.quoted:
            signals["quoted words"] = words.shares_quoted(rows)
    scores = np.sum(list(signals.values()), axis=0)
    # Scores are shown to six decimals: what looks equal is ordered as a tie. Rows follow document and position.
    order = sorted(range(len(rows)), key=lambda place: (-round(float(scores[place]), 6), int(rows[place])))[:most]
    return [
        Hit(
            int(rows[place]),
            rank,
            round(float(scores[place]), 6),
            {name: float(values[place]) for name, values in signals.items()},
        )
        for rank, place in enumerate(order, 1)
    ]


@dataclass(frozen=True, slots=True)
class _Words:
    """What the words of a question are worth, of allowed chunks.

    ``best`` is the highest BM25 of any, ``near`` the rows of those that come near it, and ``quoted`` row -> the share
    of the quoted phrases that it holds, where it holds any.
    """

    scores: WordScores
    best: float
    near: NDArray[np.int64]
    quoted: Mapping[int, np.float32]

    @classmethod
    def find(cls, generation: Generation, query: Query, mode: Mode, allowed: Mask | None, k: int) -> "_Words | None":
        """Look the words up; None where the mode asks for none."""
        if mode is Mode.DENSE:
            return None
        terms = [(term.weight, term.text) for term in query.other_names]
        scores = generation.vocabulary.word_scores(query.asked.text, query.corrections, terms)
        near = scores.leading(k, allowed)
        held = phrase_matches(generation, quoted_phrases(query.asked.text))
        quoted = {row: share for row, share in held.items() if allowed is None or allowed[row]}
        return cls(scores, scores.of(near).max(initial=0.0), near, quoted)

    def bm25(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return BM25 divided by the best, ``(len(rows),)``; zeros where no word is known."""
        found = self.scores.of(rows)
        return found / self.best if self.best > 0 else found

    def shares_quoted(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the share of the quoted phrases that each row holds, ``(len(rows),)``."""
        if not self.quoted:
            return np.zeros(len(rows), np.float32)
        return np.array([self.quoted.get(row, 0.0) for row in rows.tolist()], np.float32)

    def worth(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return both together."""
        return self.bm25(rows) + self.shares_quoted(rows)

    def best_rows(self, k: int) -> NDArray[np.int64]:
        """Return the ``k`` rows worth most, of those worth anything, in any order but always the same."""
        rows = distinct(np.concatenate([self.near, np.array(list(self.quoted), np.int64)]))
        worth = self.worth(rows)
        rows, worth = rows[worth > 0], worth[worth > 0]
        return rows[np.argsort(-worth, kind="stable")[:k]] if len(rows) > k else rows


def _candidates(
    generation: Generation,
    forms: Sequence[Form],
    words: _Words | None,
    candidates: int,
    mode: Mode,
    allowed: Mask | None,
) -> NDArray[np.int64]:
    """Return the rows that are worth ranking, ascending."""
    by_words = [words.best_rows(candidates)] if words else []
    if mode is Mode.LEXICAL:
        return np.sort(by_words[0])
    proposed = [generation.vectors.nearest_rows(form.vector, candidates, allowed) for form in forms]
    rows = distinct(np.concatenate([*proposed, *by_words]))
    worth = _cosines(generation, forms, rows) + (_PROPOSED_BY_WORDS * words.worth(rows) if words else 0.0)
    return np.sort(rows[np.argsort(-worth, kind="stable")[:candidates]])


def _cosines(generation: Generation, forms: Sequence[Form], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    vectors = generation.vectors.of_rows(rows)
    return _best_of([vectors @ form.vector for form in forms])


def _best_of(values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return for each chunk its best score over the forms: an unnatural way to ask must lower no score."""
    best: NDArray[np.float32] = np.max(values, axis=0)
    return best
