"""Fits the small model behind an answer's confidence: logistic regression with folds that keep groups together.

Seeded, so that the same rows always give the same weights.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyberqa.evaluation.statistics import SEED, Values

PENALTY = 2.0  # of the squared weights of standardised signs, halved; a quarter or four times as much changes little
FOLDS = 10
REPEATS = 5
_STEPS = 50
_CLOSE = 1e-10  # a step of Newton's method that ends it
_NO_PENALTY = 1e-10  # to speak of
_PICKS = 3  # rounds of picking the passage that speaks for a question; more changed nothing

Table = NDArray[np.float64]
"""``(questions, signs)`` or ``(questions, passages, signs)``."""

Fold = NDArray[np.int64]

Which = NDArray[np.bool_]
"""``(rows,)``."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """``P = sigmoid(intercept + weights . signs)``, in the signs' own units."""

    weights: Values
    intercept: float

    def logits(self, table: Table) -> Values:
        """Return the sum for each row; of several passages, the best."""
        sums: Values = table @ self.weights + self.intercept
        return sums if sums.ndim == 1 else sums.max(axis=1)


def fit_logistic(table: Table, outcomes: Values, penalty: float = PENALTY) -> Logistic:
    """Fit by Newton's method: the log loss summed over rows, plus ``penalty / 2`` x the squared weights.

    The penalty is on weights of standardised signs, and not on the intercept, as scikit-learn has it with
    ``C = 1 / penalty``.

    Args:
        table: ``(rows, signs)``.
        outcomes: ``(rows,)``, 0 or 1.
        penalty: above 0, or signs that part the outcomes would get endless weights.
    """
    mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(table)), (table - mean) / scale])
    ridge = np.full(design.shape[1], penalty)
    ridge[0] = 0.0
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chances = _sigmoid(design @ weights)
        gradient = design.T @ (chances - outcomes) + ridge * weights
        curvature = (design.T * (chances * (1 - chances))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature + np.eye(len(curvature)) * 1e-12, gradient)
        weights = weights - step
        if np.abs(step).max() < _CLOSE:
            break
    own = weights[1:] / scale
    return Logistic(own, float(weights[0] - own @ mean))


def fit_signed(table: Table, outcomes: Values, penalty: float = PENALTY) -> Logistic:
    """Fit as :func:`fit_logistic`, but with no weight below 0: each sign is the higher the likelier.

    One that would get a negative weight gets none, and the others are fitted again.
    """
    kept = np.ones(table.shape[1], np.bool_)
    while True:
        model = fit_logistic(table[:, kept], outcomes, penalty)
        if (model.weights >= 0).all():
            break
        kept[np.flatnonzero(kept)[model.weights < 0]] = False
    weights = np.zeros(table.shape[1])
    weights[kept] = model.weights
    return Logistic(weights, model.intercept)


def _sigmoid(logits: Values) -> Values:
    chances: Values = 0.5 * (1 + np.tanh(logits / 2))  # no overflow
    return chances


def fit_best_of(table: Table, outcomes: Values, penalty: float = PENALTY) -> Logistic:
    """Fit a model by which a question is as sure as its best passage: fit and pick that passage in turns.

    ``table`` is ``(questions, passages, signs)``; it begins with the first passages.
    """
    rows = np.arange(len(table))
    picked = np.zeros(len(table), np.int64)
    for _ in range(_PICKS):
        model = fit_signed(table[rows, picked], outcomes, penalty)
        picked = (table @ model.weights).argmax(axis=1)
    return model


def rescaled(model: Logistic, table: Table, outcomes: Values) -> Logistic:
    """Return a model with the same order of rows, whose probabilities are those of ``outcomes`` (Platt 1999).

    Raises:
        ValueError: the order is the wrong way round there.
    """
    found = fit_logistic(model.logits(table)[:, None], outcomes, penalty=_NO_PENALTY)
    slope = float(found.weights[0])
    if slope <= 0:
        raise ValueError(f"expected a model that speaks for what is true, found a slope of {slope:.3f}")
    return Logistic(slope * model.weights, slope * model.intercept + found.intercept)


def group_folds(groups: Sequence[str], seed: int) -> Fold:
    """Return the fold of each row; rows of a group share theirs."""
    names = sorted(set(groups))
    drawn = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    fold_of = dict(zip(names, drawn.tolist(), strict=True))
    return np.array([fold_of[group] for group in groups], np.int64)


Fit = Callable[[Which], Logistic]
"""Which rows are learnt from -> the model of them."""


def each_fold(groups: Sequence[str], repeats: int = REPEATS) -> Iterator[tuple[Which, Which]]:
    """Yield, for every fold of every repeat, which rows are learnt from and which are judged."""
    for repeat in range(repeats):
        fold = group_folds(groups, SEED + repeat)
        for number in sorted(set(fold.tolist())):
            yield fold != number, fold == number


def each_part(sets: Sequence[str], groups: Sequence[str]) -> Iterator[tuple[Which, Which]]:
    """Yield which rows are learnt from and which are judged: set by set, or in folds where there is but one set.

    What is learnt elsewhere and holds here will hold of another writer's questions, too.
    """
    of, names = np.array(sets), list(dict.fromkeys(sets))
    yield from ((of != name, of == name) for name in names) if len(names) > 1 else each_fold(groups)


def judged_apart(fit: Fit, table: Table, sets: Sequence[str], groups: Sequence[str]) -> Values:
    """Return each row's logit by models that have not seen its part, a mean of these."""
    logits, times = np.zeros(len(table)), np.zeros(len(table))
    for learnt, judged in each_part(sets, groups):
        logits[judged] += fit(learnt).logits(table[judged])
        times[judged] += 1
    return logits / times


def threshold_for(confidences: Values, wrongly_refused: float) -> float:
    """Return the threshold under which at most that share of the answerable questions' confidences lie.

    >>> threshold_for(np.array([0.9, 0.2, 0.5, 0.7]), 0.25)
    0.5
    """
    return float(np.sort(confidences)[int(wrongly_refused * len(confidences))])


def refused_apart(
    fit: Fit, table: Table, counted: Which, sets: Sequence[str], groups: Sequence[str], wrongly_refused: float
) -> Values:
    """Return the share of models that refuse each row, of those that have not seen its part.

    The threshold of a model is found in folds of what it learnt from: that for ``wrongly_refused`` of the rows that are
    ``counted`` there, answerable questions.
    """
    refused, times = np.zeros(len(table)), np.zeros(len(table))
    names = np.array(groups)
    for learnt, judged in each_part(sets, groups):
        rows = np.flatnonzero(learnt)
        logits = np.zeros(len(table))
        for _, inner in each_fold(names[rows].tolist(), repeats=1):
            held = np.zeros(len(table), np.bool_)
            held[rows[inner]] = True
            logits[held] = fit(learnt & ~held).logits(table[held])
        limit = threshold_for(logits[learnt & counted], wrongly_refused)
        refused[judged] += fit(learnt).logits(table[judged]) < limit
        times[judged] += 1
    return refused / times
