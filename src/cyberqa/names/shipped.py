"""What comes with cyberqa: countries, other names, and the glossary of the field.

Read when an index is made, and where a question asks for a country.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

from cyberqa.names.aliases import Alias, Kind, Origin, is_acronym, is_short, kind_between
from cyberqa.names.words import key_of, letters_of
from cyberqa.types import JSON

_COUNTRIES_FILE = "countries.tsv"
_ALIASES_FILE = "aliases.toml"
_GLOSSARY_FILE = "glossary.toml"
_OF_COUNTRIES = {
    "capital": Kind.CAPITAL,
    "byname": Kind.BYNAME,
    "adjective": Kind.ADJECTIVE,
    "name": Kind.NAME,
}


def shipped_digest() -> str:
    """Return a digest of the files: another makes another index."""
    digest = hashlib.sha256()
    for name in (_COUNTRIES_FILE, _ALIASES_FILE, _GLOSSARY_FILE):
        digest.update(resources.files(__package__).joinpath(name).read_bytes())
    return digest.hexdigest()[:20]


@cache
def shipped_aliases() -> tuple[Alias, ...]:
    """Return all aliases that come with cyberqa; of one word the better ones first."""
    tables = tomllib.loads(_read(_ALIASES_FILE))
    exact = frozenset(tables["only_as_written"])
    return (
        *group_aliases(tables["names"], Origin.SHIPPED),
        *_one_way(tables["bynames"], Kind.BYNAME, exact),
        *_country_aliases(tables["countries"], exact),
        *_one_way(tables["glossary"], Kind.GLOSSARY, exact),
        *_one_way(tomllib.loads(_read(_GLOSSARY_FILE)), Kind.GLOSSARY, exact),
    )


def shipped_countries() -> list[tuple[str, str]]:
    """Return ``(word, country)`` for each capital, adjective and other name, whatever the documents name."""
    tables = tomllib.loads(_read(_ALIASES_FILE))
    aliases = _country_aliases(tables["countries"], frozenset(tables["only_as_written"]))
    return [(alias.word, alias.meant) for alias in aliases if alias.kind is not Kind.BYNAME]


def group_aliases(groups: Mapping[str, Sequence[str]], origin: Origin) -> Iterator[Alias]:
    """Yield an alias for every ordered pair of each group of equals, those to the first name first."""
    for first, others in groups.items():
        names = tuple(dict.fromkeys((first, *others)))
        for word in names:
            for rank, meant in enumerate(name for name in names if key_of(name) != key_of(word)):
                is_exact = is_acronym(word) and is_short(word)
                yield Alias(word, meant, kind_between(word, meant), origin, is_exact, rank=rank)


def _one_way(terms: Mapping[str, Sequence[str]], kind: Kind, exact: frozenset[str]) -> Iterator[Alias]:
    for rank, (meant, words) in enumerate(terms.items()):
        for word in words:
            yield Alias(word, meant, kind, Origin.SHIPPED, _is_exact(word, exact), rank=rank)


def _country_aliases(more: Mapping[str, JSON], exact: frozenset[str]) -> Iterator[Alias]:
    """Yield those of the table, then those of the file; a country that the file names otherwise is the file's."""
    renamed = {word for about in more.values() for words in about.values() for word in words}
    for line in _read(_COUNTRIES_FILE).splitlines()[1:]:
        country, capital, adjectives = line.split("\t")
        if country not in renamed:
            yield from _of_country(country, Kind.CAPITAL, filter(None, [capital]), exact)
            yield from _of_country(country, Kind.ADJECTIVE, filter(None, adjectives.split(", ")), exact)
    for country, about in more.items():
        for relation, words in about.items():
            yield from _of_country(country, _OF_COUNTRIES[relation], words, exact)


def _of_country(country: str, kind: Kind, words: Iterable[str], exact: frozenset[str]) -> Iterator[Alias]:
    for rank, word in enumerate(words):
        # After the bynames: Brussels is the EU's before it is Belgium's.
        yield Alias(word, country, kind, Origin.SHIPPED, _is_exact(word, exact), rank=1)
        if kind is Kind.NAME and f" {key_of(country)} " not in f" {key_of(word)} ":  # it would add "Republic of"
            is_exact = _is_exact(country, exact)
            # Never Kind.LONG: no question is asked again with ALB for Albania.
            yield Alias(country, word, Kind.NAME, Origin.SHIPPED, is_exact, rank=rank)


def _is_exact(word: str, exact: frozenset[str]) -> bool:
    return word in exact or (letters_of(word).isupper() and is_short(word))


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
