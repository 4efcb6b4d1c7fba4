"""The corpus folder: which files are documents, what ``sources.toml`` says of them, and whether they have changed.

Reads no document: the question path comes through here to tell whether the index is stale.
"""

import fnmatch
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Any

from cyberqa.errors import CorpusError
from cyberqa.settings import Settings
from cyberqa.types import Metadata

SOURCES_FILE = "sources.toml"
ALIASES_FILE = "aliases.toml"
ABOUT_FILES = (SOURCES_FILE, ALIASES_FILE)
"""What a user says of the documents; no documents themselves."""
_NOT_DOCUMENTS_AT_ROOT = (*ABOUT_FILES, "README*", "NOTICE*")


def list_files(settings: Settings) -> dict[str, Path]:
    """Return document id -> path of everything in the corpus folder that may be a document, sorted by id.

    Left out are dot files and folders, the index folder where it lies inside, what :func:`is_excluded` names, and links
    to folders inside, which are listed in their own place. A link to a file inside is a document under its own name.
    Listed, for the reader to refuse, are pipes, devices, links that lead out, which are never followed, and names that
    are not UTF-8: their undecodable bytes are surrogates.

    Raises:
        CorpusError: no such folder, or a folder in it that cannot be listed.
    """
    corpus = settings.corpus
    check_folder(settings)
    files = {path.relative_to(corpus).as_posix(): path for path in _walk(corpus, settings.index)}
    return {id_: files[id_] for id_ in sorted(files) if not is_excluded(id_, settings.exclude)}


def check_folder(settings: Settings) -> None:
    """Make sure that there is a corpus folder.

    Raises:
        CorpusError: there is none.
    """
    if not settings.corpus.is_dir():
        found = "a file" if settings.corpus.exists() else "nothing"
        raise CorpusError(
            f"corpus folder {settings.corpus} expected, found {found} there",
            hint="put your reports into a folder and name it with --corpus DIR",
        )


def is_excluded(id_: str, exclude: Sequence[str] = ()) -> bool:
    """Whether a name is no document's: a dot file, one of those at the root that are about the corpus, or excluded.

    A glob of ``exclude`` names a document by its id, or a folder with all that is in it.
    """
    is_hidden = any(part.startswith(".") for part in id_.split("/"))
    globs = exclude if "/" in id_ else (*exclude, *_NOT_DOCUMENTS_AT_ROOT)
    folders = [str(folder) for folder in PurePosixPath(id_).parents][:-1]
    return (
        is_hidden
        or any(fnmatch.fnmatchcase(id_, glob) for glob in globs)
        or any(fnmatch.fnmatchcase(folder, glob.rstrip("/")) for folder in folders for glob in exclude)
    )


def _walk(corpus: Path, index: Path) -> Iterator[Path]:
    folders = [corpus]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise CorpusError(
                f"folder {folder} cannot be listed ({error.strerror})", hint="mend its permissions"
            ) from error
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or path == index:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif not _is_link_to_folder(path) or leads_outside(path, corpus):
                yield path


def _is_link_to_folder(path: Path) -> bool:
    try:
        return path.is_symlink() and path.is_dir()
    except OSError:  # into a folder that may not be entered
        return False


def leads_outside(path: Path, corpus: Path) -> bool:
    """Whether a path in the corpus folder, which may be a link itself, is a link to a place outside of it."""
    try:
        return path.is_symlink() and not path.resolve().is_relative_to(corpus.resolve())
    except (OSError, RuntimeError):  # a link to itself: there is nothing to follow
        return False


def document_id(corpus: Path, name: str) -> str:
    """Return the id that a user means who typed an id or the path of a file in the corpus folder."""
    path = Path(os.path.abspath(name))  # noqa: PTH100 - links stay as they are
    return path.relative_to(corpus).as_posix() if path.is_relative_to(corpus) and path.exists() else name


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file was when it was last indexed; ``sha256`` is None where it could not be opened."""

    size_bytes: int
    mtime_ns: int
    sha256: str | None


def file_state(path: Path, corpus: Path | None = None, known: FileState | None = None) -> FileState:
    """Return the present state of a file, reading all of it unless it has the size and time of ``known``.

    Of a link that leads out of ``corpus``, nothing is read or told.
    """
    if corpus and leads_outside(path, corpus):
        return FileState(0, 0, None)
    try:
        stat = path.stat()
        if not S_ISREG(stat.st_mode):  # opening a pipe would wait for ever
            return FileState(0, 0, None)
        if known and known.sha256 and (stat.st_size, stat.st_mtime_ns) == (known.size_bytes, known.mtime_ns):
            return known
        with path.open("rb") as file:
            return FileState(stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError:
        return FileState(0, 0, None)


def has_changed(path: Path, known: FileState, corpus: Path, *, is_settled: bool = True) -> bool:
    """Whether a file is another than it was.

    It is read only where its time has moved and its size has not, or where it was not settled: written so shortly
    before it was looked at that it may have been written again in the same tick of the clock.
    """
    if known.sha256 is None:
        return file_state(path, corpus).sha256 is not None
    if leads_outside(path, corpus):
        return True
    try:
        stat = path.stat()
    except OSError:
        return True
    if stat.st_size != known.size_bytes:
        return True
    is_as_it_was = is_settled and stat.st_mtime_ns == known.mtime_ns
    return not is_as_it_was and file_state(path, corpus).sha256 != known.sha256


def watched_files(settings: Settings) -> dict[str, Path]:
    """Return everything whose change makes an index stale: the documents and what is said of them.

    Raises:
        CorpusError: see :func:`list_files`.
    """
    about = {name: settings.corpus / name for name in ABOUT_FILES}
    return list_files(settings) | {name: path for name, path in about.items() if path.is_file()}


def read_toml(file: Path, corpus: Path) -> dict[str, Any]:
    """Return a TOML file that is about the corpus; empty where there is none.

    Raises:
        CorpusError: it is a link that leads out of the corpus, or no TOML.
    """
    import tomllib  # not needed to answer a question

    if not file.is_file():
        return {}
    if leads_outside(file, corpus):
        raise CorpusError(f"{file} is a link to a place outside the corpus", hint="copy the file instead")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(f"{file} cannot be read as TOML: {error}", hint=f"mend or remove {file}") from error


def read_sources(corpus: Path) -> dict[str, Metadata]:
    """Return document id -> metadata from ``sources.toml``; empty where there is no such file.

    Raises:
        CorpusError: not TOML, an unknown key, a value of the wrong type, or a link out of the corpus.
    """
    file = corpus / SOURCES_FILE
    tables = read_toml(file, corpus)
    return {id_: _metadata(id_, table, file) for id_, table in tables.items()}


_MAX_YEAR = 9999
_TYPES: Mapping[str, tuple[type, str]] = {
    "title": (str, "text"),
    "publisher": (str, "text"),
    "year": (int, "a year"),
    "language": (str, "text"),
    "source": (str, "text"),
    "tags": (list, "a list of texts"),
}


def _metadata(id_: str, table: Any, file: Path) -> Metadata:
    hint = f"mend [{id_!r}] in {file}"
    if not isinstance(table, dict):
        raise CorpusError(f"{file}: expected a table [{id_!r}], found {table!r}", hint=hint)
    for key, value in table.items():
        if key not in _TYPES:
            raise CorpusError(
                f"{file}: unknown key {key!r} for {id_!r}, expected one of {', '.join(_TYPES)}", hint=hint
            )
        expected, words = _TYPES[key]
        is_right = isinstance(value, expected) and not isinstance(value, bool)
        if key == "year" and is_right:
            is_right = 0 <= value <= _MAX_YEAR
        if not is_right or (key == "tags" and not all(isinstance(tag, str) for tag in value)):
            raise CorpusError(f"{file}: {key} of {id_!r}: expected {words}, found {value!r}", hint=hint)
    # On one line: a line break in a title could make up lines of a citation.
    texts = {key: " ".join(value.split()) if isinstance(value, str) else value for key, value in table.items()}
    values: dict[str, Any] = {**texts, "tags": tuple(table.get("tags", ()))}
    return Metadata(**values)


def nearest_hint(id_: str, known: Sequence[str]) -> str:
    """Return the hint for a document that is not there: the nearest name, or how to list them."""
    import difflib

    near = (
        difflib.get_close_matches(id_, known, n=1, cutoff=0.5)
        or [name for name in known if id_.casefold() in name.casefold()][:1]
    )
    return f"did you mean {near[0]!r}?" if near else "run: cyberqa status"
