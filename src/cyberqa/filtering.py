"""Which documents a question is put to: globs of their ids, and conditions on what is known of them.

A filter narrows the search itself: candidates are taken among the chunks of the documents that match, and BM25 is
divided by the best of these.
"""

import operator
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from cyberqa import languages
from cyberqa.errors import CorpusError, UsageError
from cyberqa.types import Metadata

_TEXT_FIELDS = ("language", "publisher", "source", "tag", "title")
_FIELDS = (*_TEXT_FIELDS, "year")
_ORDER: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXT_OPERATORS = ("=", "!=", "~")
_CONDITION = re.compile(r"\s*(\w+)\s*([=!<>~]+)\s*(.*\S)\s*", re.DOTALL)
_EXAMPLE = "for example: --where 'year>=2015' or --where publisher~DCAF (in quotes: a shell takes < and > for itself)"


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator and a value, as in ``year>=2015``."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"

    def holds(self, about: Metadata) -> bool:
        """Whether it is true of a document; ``!=`` is true exactly where ``=`` is not, also where nothing is known."""
        if self.operator == "!=":
            return not Condition(self.field, "=", self.value).holds(about)
        if self.field == "year":
            return about.year is not None and _ORDER[self.operator](about.year, int(self.value))
        return any(self._matches(text) for text in _texts(about, self.field))

    def _matches(self, text: str) -> bool:
        if self.operator == "~":
            return _folded(self.value) in _folded(text)
        if self.field == "language":
            return languages.same_language(languages.code_of(text), languages.code_of(self.value))
        return _folded(self.value) == _folded(text)


@dataclass(frozen=True, slots=True)
class Filter:
    """A document passes that matches one of ``documents``, where there are any, and every one of ``where``."""

    documents: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.documents or self.where)

    def __str__(self) -> str:
        globs = " or ".join(self.documents)
        return " and ".join(part for part in (globs, *map(str, self.where)) if part)


def parse_filter(documents: Sequence[str] = (), where: Sequence[str] = ()) -> Filter:
    """Return the filter that these globs and conditions say; a single text stands for a list of one.

    >>> parse_filter(["*.pdf"], ["year>=2015"])
    Filter(documents=('*.pdf',), where=(Condition(field='year', operator='>=', value='2015'),))

    Raises:
        UsageError: no condition, an unknown field or operator, or a value that the field cannot have.
    """
    documents = (documents,) if isinstance(documents, str) else tuple(documents)
    where = (where,) if isinstance(where, str) else tuple(where)
    if "" in documents:
        raise UsageError("--document: expected a name, glob or path, found nothing", hint="run: cyberqa status")
    return Filter(documents, tuple(map(_parse_condition, where)))


def _parse_condition(text: str) -> Condition:
    parts = _CONDITION.fullmatch(text)
    if parts is None:
        raise UsageError(f"--where: expected a field, an operator and a value, found {text!r}", hint=_EXAMPLE)
    name, sign, value = parts.groups()
    field = {"tags": "tag"}.get(name.casefold(), name.casefold())
    if field not in _FIELDS:
        raise UsageError(f"--where: unknown field {name!r} in {text!r}", hint=_nearest(field, _FIELDS, "fields"))
    known = tuple(_ORDER) if field == "year" else _TEXT_OPERATORS
    if sign not in known:
        raise UsageError(
            f"--where: unknown operator {sign!r} for {field} in {text!r}", hint=_nearest(sign, known, "operators")
        )
    if field == "year" and not re.fullmatch(r"[0-9]{1,4}", value):
        raise UsageError(f"--where: expected a year, found {value!r} in {text!r}", hint=_EXAMPLE)
    return Condition(field, sign, value)


def _nearest(name: str, known: Sequence[str], what: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known {what}: {', '.join(known)}"


def matching_documents(filter_: Filter, documents: Mapping[str, Metadata], corpus: Path | None = None) -> list[str]:
    """Return the ids of the documents that pass, in the order given.

    A glob matches an id, its last part, or a folder above it; so does the path of a file or folder in ``corpus``.

    Raises:
        CorpusError: none passes.
    """
    globs = {spelling for glob in filter_.documents for spelling in _spellings(glob, corpus)}
    found = [
        id_
        for id_, about in documents.items()
        if (not globs or any(_names(glob, id_) for glob in globs)) and all(c.holds(about) for c in filter_.where)
    ]
    if not found:
        count = "1 document" if len(documents) == 1 else f"{len(documents)} documents"
        raise CorpusError(f"none of the {count} in the index matches {filter_}", hint=_hint(filter_, documents))
    return found


def _spellings(glob: str, corpus: Path | None) -> list[str]:
    """Return what was typed, and the id that it is as a path into the corpus folder."""
    path = Path(os.path.abspath(glob))  # noqa: PTH100 - links stay as they are
    inside = corpus is not None and path.is_relative_to(corpus) and path != corpus
    return [glob, path.relative_to(corpus).as_posix()] if inside and corpus else [glob]


def _names(glob: str, id_: str) -> bool:
    is_folder = id_.startswith(glob.rstrip("/") + "/")
    return id_ == glob or is_folder or fnmatchcase(id_, glob) or fnmatchcase(PurePosixPath(id_).name, glob)


def _hint(filter_: Filter, documents: Mapping[str, Metadata]) -> str:
    for condition in filter_.where:
        wider = Condition(condition.field, "~", condition.value)
        if condition.operator == "=" and condition.field in _TEXT_FIELDS and any(map(wider.holds, documents.values())):
            return f"{condition.field}= wants all of it; did you mean --where {str(wider)!r}?"
    return "what is known of each: cyberqa status --documents"


def _texts(about: Metadata, field: str) -> tuple[str, ...]:
    if field == "tag":
        return about.tags
    text: str | None = getattr(about, field)
    return () if text is None else (text,)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
