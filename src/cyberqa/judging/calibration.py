"""How sure we are: a small logistic model, its threshold, and what both were fitted on.

    P(the corpus answers)  = sigmoid(the best, over the first two passages, of sum + behind . lag)
    P(this passage does)   = sigmoid(own . sum + behind . lag + first . [is first] + intercept)

A passage's sum is intercept + weights . signs, its lag its score less that of the first passage.

The figures stand in calibration.json, written by ``python evals/calibrate.py``: a person can read them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cyberqa.judging.missing import missing_text, missing_words
from cyberqa.judging.signs import SIGNS, Judged, Signs
from cyberqa.types import JSON, Verdict

SCHEMA = "cyberqa.calibration/3"
FILE = "calibration.json"
PASSAGES = 2
"""That may answer: with the first alone, a right one at rank 2 is refused; a third only adds chances to be wrong."""


@dataclass(frozen=True, slots=True)
class PassageModel:
    """Weights of the verdict's sum, of the score less that of the first passage, and of being the first."""

    own: float
    behind: float
    first: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted model. ``name`` says on what and when.

    It is valid for one ``encoder``, one way of ``ranking`` and passages of about one length, ``chunk_size_chars``.
    """

    name: str
    encoder: tuple[str | int, ...]
    ranking: str
    chunk_size_chars: int
    intercept: float
    weights: Mapping[str, float]
    behind: float
    threshold: float
    passage: PassageModel
    provenance: JSON

    def logit(self, signs: Signs) -> float:
        """Return what speaks for a passage, in sum: the share of each sign is its weight times its value."""
        shares = (self.weights[name] * value for name, value in zip(SIGNS, signs.values(), strict=True))
        return self.intercept + sum(shares)

    def confidence(self, signs: Sequence[Signs], scores: Sequence[float]) -> float:
        """Return the probability that the corpus answers, from signs and scores of its passages, best first.

        0 where there are none.
        """
        sums = [self.logit(each) + self.behind * (score - scores[0]) for each, score in zip(signs, scores, strict=True)]
        return sigmoid(max(sums[:PASSAGES])) if sums else 0.0

    def passage_confidences(self, signs: Sequence[Signs], scores: Sequence[float]) -> list[float]:
        """Return for each passage, best first, the probability that it answers."""
        model = self.passage
        return [
            sigmoid(
                model.own * self.logit(each)
                + model.behind * (score - scores[0])
                + model.first * (n == 0)
                + model.intercept
            )
            for n, (each, score) in enumerate(zip(signs, scores, strict=True))
        ]


def sigmoid(logit: float) -> float:
    """Return ``1 / (1 + exp(-logit))``, without overflow."""
    power = math.exp(-abs(logit))
    return 1 / (1 + power) if logit >= 0 else power / (1 + power)


def calibration_for(encoder: Sequence[str | int], ranking: str, chunk_size_chars: int) -> Calibration | None:
    """Return the shipped calibration; None where it was fitted with others than these."""
    shipped = _shipped()
    if shipped is None:
        return None
    valid_for = (shipped.encoder, shipped.ranking, shipped.chunk_size_chars)
    return shipped if valid_for == (tuple(encoder), ranking, chunk_size_chars) else None


@lru_cache(1)
def _shipped() -> Calibration | None:
    file = Path(__file__).with_name(FILE)  # importlib.resources would bring tempfile, random and zipfile
    return from_json(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def from_json(body: JSON) -> Calibration:
    """Read a calibration.

    Raises:
        ValueError: another schema, or other signs than this code has.
    """
    if body["schema"] != SCHEMA or set(body["weights"]) != set(SIGNS):
        raise ValueError(f"expected {SCHEMA} with weights of {', '.join(SIGNS)}, found {body['schema']}")
    return Calibration(
        name=body["name"],
        encoder=tuple(body["encoder"]),
        ranking=body["ranking"],
        chunk_size_chars=body["chunk_size_chars"],
        intercept=body["intercept"],
        weights={name: body["weights"][name] for name in SIGNS},
        behind=body["behind"],
        threshold=body["threshold"],
        passage=PassageModel(**body["passage"]),
        provenance=body["provenance"],
    )


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on an answer, and the confidence of each of its passages."""

    verdict: Verdict
    confidence: float | None
    threshold: float | None
    calibration: str | None
    missing: tuple[str, ...]
    reason: str
    passage_confidences: Sequence[float | None]

    @classmethod
    def unjudged(cls, passages: int) -> "Judgement":
        """Return what is said where no calibration is valid."""
        return cls(Verdict.UNJUDGED, None, None, None, (), "", [None] * passages)

    @classmethod
    def of(
        cls,
        calibration: Calibration,
        judged: Sequence[Judged],
        scores: Sequence[float],
        threshold: float | None = None,
    ) -> "Judgement":
        """Judge the passages of an answer, best first.

        Args:
            calibration: the fit.
            judged: of each passage.
            scores: of each passage.
            threshold: replaces the fitted one.
        """
        signs = [each.signs for each in judged]
        confidence = calibration.confidence(signs, scores)
        threshold = calibration.threshold if threshold is None else threshold
        answers = confidence >= threshold
        return cls(
            verdict=Verdict.ANSWERED if answers else Verdict.NOT_IN_CORPUS,
            confidence=confidence,
            threshold=threshold,
            calibration=calibration.name,
            missing=() if answers else missing_words(judged),
            reason="" if answers else missing_text(judged),
            # Two fits: that a passage answers is never likelier than that anything does.
            passage_confidences=[min(own, confidence) for own in calibration.passage_confidences(signs, scores)],
        )
