"""The user's ``aliases.toml`` beside ``sources.toml``: groups of names that are equals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyberqa.corpus import ALIASES_FILE, read_toml
from cyberqa.errors import CorpusError
from cyberqa.names.words import LONGEST_KEY_WORDS, split_words

Groups = Mapping[str, tuple[str, ...]]
"""A name to the others of its group: ``{"AKCESK": ("NAECCS", "National Authority for …")}``."""

_HINT = 'a line is a name and its equals: AKCESK = ["NAECCS", "National Authority for …"]'


def read_aliases(corpus: Path) -> Groups:
    """Return the groups of names in ``aliases.toml``; empty where there is no such file.

    Raises:
        CorpusError: not TOML, a group that is no list of names, an empty or endless name, or a link out of the corpus.
    """
    file = corpus / ALIASES_FILE
    tables = read_toml(file, corpus)
    return {name: _others(name, others, file) for name, others in tables.items()}


def _others(name: str, others: Any, file: Path) -> tuple[str, ...]:
    if not isinstance(others, list) or not others or not all(isinstance(other, str) for other in others):
        raise CorpusError(f"{file}: {name!r}: expected a list of names, found {others!r}", hint=_HINT)
    for each in (name, *others):
        words = len(split_words(each))
        if not 0 < words <= LONGEST_KEY_WORDS:
            raise CorpusError(
                f"{file}: {name!r}: expected names of 1 to {LONGEST_KEY_WORDS} words, found {each!r} with {words}",
                hint=_HINT,
            )
    return tuple(others)
