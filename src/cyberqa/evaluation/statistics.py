"""Intervals, tests and calibration: seeded, so that the same rows always give the same figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20161
_RESAMPLES = 2000
_FLIPS = 10_000
_BINS = 10

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% bootstrap interval and the number of questions it rests on."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def mean_estimate(values: Sequence[float]) -> Estimate:
    """Return a mean with its percentile bootstrap interval (Efron 1979) over questions."""
    if not values:
        return Estimate(None, None, None, 0)
    array = np.asarray(values, np.float64)
    return _with_interval([array], lambda parts: float(parts[0].mean()))


def auroc_estimate(positive: Sequence[float], negative: Sequence[float]) -> Estimate:
    """Return the area under the ROC curve with its bootstrap interval, both sides resampled."""
    if not positive or not negative:
        return Estimate(None, None, None, 0)
    sides = [np.asarray(positive, np.float64), np.asarray(negative, np.float64)]
    return _with_interval(sides, lambda parts: auroc(parts[0], parts[1]))


def _with_interval(samples: list[Values], figure: Callable[[list[Values]], float]) -> Estimate:
    generator = np.random.default_rng(SEED)
    drawn = [figure([generator.choice(sample, len(sample)) for sample in samples]) for _ in range(_RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(figure(samples), float(low), float(high), sum(map(len, samples)))


def auroc(positive: Values, negative: Values) -> float:
    """Return the share of pairs in which the positive scores higher; ties count half (Mann and Whitney 1947).

    >>> auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    0.875
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    not_above = np.searchsorted(ordered, positive, "right")
    return float((below + not_above).sum() / (2 * len(positive) * len(negative)))


def randomisation_p(differences: Sequence[float]) -> float:
    """Return the two-sided p of a paired randomisation test: signs flipped at random (Fisher 1935; Smucker 2007)."""
    array = np.asarray(differences, np.float64)
    if not np.any(array):
        return 1.0
    generator = np.random.default_rng(SEED)
    signs = generator.integers(0, 2, (_FLIPS, len(array)), dtype=np.int8) * 2 - 1
    reached = np.abs(signs @ array) >= abs(array.sum()) - 1e-12
    return float((reached.sum() + 1) / (_FLIPS + 1))


def calibration_error(confidences: Values, outcomes: Values) -> float:
    """Return the expected calibration error over ten bins of equal width (Naeini 2015)."""
    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for number in range(_BINS):
        inside = bins == number
        if inside.any():
            error += inside.mean() * abs(float(confidences[inside].mean()) - float(outcomes[inside].mean()))
    return float(error)


def perfect_calibration_error(confidences: Values) -> float:
    """Return the error that a perfectly calibrated forecaster with these confidences would show on average."""
    generator = np.random.default_rng(SEED)
    draws = generator.random((500, len(confidences))) < confidences
    return float(np.mean([calibration_error(confidences, draw.astype(np.float64)) for draw in draws]))


def reliability_table(confidences: Values, outcomes: Values) -> list[dict[str, float]]:
    """Return mean confidence, share of outcomes and n of each bin that has any."""
    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    return [
        {
            "confidence": float(confidences[bins == number].mean()),
            "observed": float(outcomes[bins == number].mean()),
            "n": int((bins == number).sum()),
        }
        for number in range(_BINS)
        if (bins == number).any()
    ]


def risk_coverage(signals: Values, is_right: Values) -> list[dict[str, float]]:
    """Return coverage and risk when the most certain are answered: risk is the share of these answered wrongly."""
    order = np.argsort(-signals, kind="stable")
    wrong = np.cumsum(1 - is_right[order])
    answered = np.arange(1, len(order) + 1)
    return [{"coverage": float(a / len(order)), "risk": float(w / a)} for a, w in zip(answered, wrong, strict=True)]
