"""Puts the first passages in order once more: among those about as near, what speaks against a passage counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cyberqa.judging.signs import Signs
from cyberqa.types import Hit

ORDERED = 5
"""Passages that are put in order; a fixed number, so that an answer of more begins like one of fewer."""

_PLAIN_WORDS = 0.1
"""Taken off a score (late interaction is 1 of it) where no sentence covers any of the question's plain words."""
_OTHER = 0.05
"""Taken off for each of names, kind of thing, place and year that is not the question's. docs/retrieval.md has why."""

BEHIND = "behind the first"
"""The name of the signal of passages that are not put in order."""


def put_in_order(hits: Sequence[Hit], signs: Sequence[Signs]) -> list[tuple[int, Hit]]:
    """Return hits, best first and ranked anew, each with the place that it had.

    To those behind the first five the most is added that is taken from any of these: they stay behind.

    Args:
        hits: best first.
        signs: of the first hits, of five of them at least where there are so many.
    """
    added = [_against(each) for each in signs[:ORDERED]]
    worst = {BEHIND: min((sum(own.values()) for own in added), default=0.0)} if len(hits) > ORDERED else {}
    added += [worst] * (len(hits) - len(added))
    scored = [
        replace(hit, score=round(hit.score + sum(own.values()), 6), signals={**hit.signals, **own})
        for hit, own in zip(hits, added, strict=True)
    ]
    order = sorted(range(len(hits)), key=lambda place: (place >= ORDERED, -scored[place].score, place))
    return [(place, replace(scored[place], rank=rank)) for rank, place in enumerate(order, 1)]


def _against(signs: Signs) -> Mapping[str, float]:
    """Return what speaks against a passage, each 0 or less."""
    against = {
        "plain words": _PLAIN_WORDS * (signs.attribute - 1),
        "names": _OTHER * signs.names,
        "kind": _OTHER * signs.kind,
        "place": _OTHER * signs.place,
        "year": _OTHER * signs.year,
    }
    return {name: value for name, value in against.items() if value}
