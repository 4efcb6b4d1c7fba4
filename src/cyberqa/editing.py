"""Changes the corpus folder, and brings the index up to date: ``add`` and ``remove``."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from cyberqa import corpus
from cyberqa.documents import reader_for
from cyberqa.errors import CorpusError, DocumentError, NoIndexError, UsageError
from cyberqa.index.manifest import current_generation
from cyberqa.ingest import BuildReport, OnProgress, build_index
from cyberqa.settings import Settings


def add_documents(
    settings: Settings,
    paths: Sequence[Path],
    *,
    force: bool = False,
    on_progress: OnProgress = lambda _: None,
) -> BuildReport:
    """Copy files into the corpus and index.

    Raises:
        CorpusError: a path is no file, another file of that name is there and ``force`` is not given, or there is an
            index but no corpus folder. Nothing has been copied then.
        SearchIndexError: another builder is at work for too long. Nothing has been copied then.
    """
    _check_corpus(settings)
    targets = {path: settings.corpus / path.name for path in paths}
    if len(set(targets.values())) < len(targets):
        raise UsageError("two of the files have the same name; add them one at a time under different names")
    for path, target in targets.items():
        _check_addable(path, target, settings, force)
    settings.corpus.mkdir(parents=True, exist_ok=True)

    def copy() -> None:
        for path, target in targets.items():
            if not _is_same(path, target):
                _copy(path, target)

    return build_index(settings, on_progress=on_progress, change_corpus=copy)


def _check_corpus(settings: Settings) -> None:
    """Refuse to make a folder where an index says that there was another: its documents would be gone from it."""
    if settings.corpus.is_dir():
        return
    try:
        current_generation(settings.index)
    except NoIndexError:
        return
    raise CorpusError(
        f"corpus folder {settings.corpus} expected, found nothing there; the index in {settings.index} is of another",
        hint="name the folder of its documents with --corpus DIR, or another index with --index DIR",
    )


def _check_addable(path: Path, target: Path, settings: Settings, force: bool) -> None:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "something else" if path.exists() else "nothing"
        raise CorpusError(f"{path}: expected a file, found {found} there", hint="name the files to add")
    if corpus.is_excluded(path.name, settings.exclude):
        raise CorpusError(
            f"{path} cannot be added: files named {path.name!r} are no documents here",
            hint="rename it, or look at the setting exclude",
        )
    try:
        reader_for(path.name)
    except DocumentError as error:
        raise CorpusError(f"{path} cannot be added: {error.message}", hint="convert it first") from error
    if target.is_dir():
        raise CorpusError(f"{target} is a folder", hint="rename the file, or the folder")
    if target.exists() and not force and not _is_same(path, target):
        raise CorpusError(f"{target} exists already and is another file", hint="add --force to overwrite it")


def _is_same(path: Path, target: Path) -> bool:
    return target.is_file() and corpus.file_state(path).sha256 == corpus.file_state(target).sha256


def _copy(path: Path, target: Path) -> None:
    scratch = target.with_name(f".{target.name}-{os.getpid()}")  # dot files are no documents
    try:
        shutil.copyfile(path, scratch)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def remove_documents(
    settings: Settings, ids: Sequence[str], *, on_progress: OnProgress = lambda _: None
) -> BuildReport:
    """Delete documents from the corpus folder and index.

    Raises:
        CorpusError: an id that is not in the corpus, or the last documents. Nothing has been deleted then.
        SearchIndexError: another builder is at work for too long. Nothing has been deleted then.
    """
    files = corpus.list_files(settings)
    ids = list(dict.fromkeys(corpus.document_id(settings.corpus, name) for name in ids))
    for id_ in ids:
        if id_ not in files:
            raise CorpusError(f"no document {id_!r} in {settings.corpus}", hint=corpus.nearest_hint(id_, list(files)))
    if set(ids) == set(files):
        raise CorpusError(
            "these are all the documents; an index without any cannot be",
            hint="delete the index folder instead",
        )

    def delete() -> None:
        for id_ in ids:
            files[id_].unlink()

    return build_index(settings, on_progress=on_progress, change_corpus=delete)
