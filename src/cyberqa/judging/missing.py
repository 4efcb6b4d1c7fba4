"""What was found nowhere near, in words: only for an answer that is refused, for elsewhere it would be noise."""

from collections.abc import Sequence

from cyberqa.judging.signs import Judged

_MUCH_UNKNOWN = 0.2  # half of the words
_LONGEST_SHOWN = 40  # characters of a word: a key or an address must not fill the screen
_LOOKED_AT = 3  # passages, of which all must lack a word before it is said to stand nowhere


def missing_words(judged: Sequence[Judged]) -> tuple[str, ...]:
    """Return the question's words that the first three passages all lack, else those that the first lacks; in order."""
    return _lacked_by_all(judged) or (judged[0].lacks if judged else ())


def _lacked_by_all(judged: Sequence[Judged]) -> tuple[str, ...]:
    if not judged:
        return ()
    first, *others = judged[:_LOOKED_AT]
    return tuple(word for word in first.lacks if all(word in other.lacks for other in others))


def missing_text(judged: Sequence[Judged]) -> str:
    """Return one sentence on what was not found; empty where there is nothing in particular to say.

    "nothing found mentions 'Malta' together with 'ALCIRT'", or "nothing near 'ENCYSEC' gives an amount": said of the
    first passages only, for whether others mention them was not looked at.
    """
    if not judged:
        return ""
    words, known = missing_words(judged), judged[0].has[:1]
    if words:
        together = f" together with {known[0]!r}" if known else ""
        found = "nothing found mentions" if _lacked_by_all(judged) else "the nearest passage does not mention"
        return f"{found} {_listed(words)}{together}"
    if kind := judged[0].lacks_kind:
        return f"nothing near {known[0]!r} gives {kind}" if known else f"nothing gives {kind}"
    signs = judged[0].signs
    if signs.place or signs.year:
        return f"the nearest passages are about other {'places' if signs.place else 'years'}"
    if signs.unknown >= -_MUCH_UNKNOWN:
        return ""
    if not judged[0].unknown:
        return "it has no word that tells what it is about"
    stand = "stands" if len(judged[0].unknown) == 1 else "stand"
    return f"{_listed(judged[0].unknown, 'and')} {stand} nowhere in the documents"


def _listed(words: Sequence[str], joint: str = "or") -> str:
    *others, last = (repr(word if len(word) <= _LONGEST_SHOWN else word[:_LONGEST_SHOWN] + "…") for word in words)
    return f"{', '.join(others)} {joint} {last}" if others else last
