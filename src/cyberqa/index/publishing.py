"""A finished generation takes its place, answers from one rename on, and goes when others have come after it.

The order is what survives a loss of power: every file is flushed, then the folder that holds them; then the rename,
and the folder it happened in; only then the pointer, in the same way. A test traces the calls.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cyberqa.errors import SearchIndexError
from cyberqa.index.files import SCRATCH_PREFIX, discard, flush, is_plain, read_plain, replace_file
from cyberqa.index.manifest import (
    CURRENT_FILE,
    GENERATIONS_FOLDER,
    MANIFEST_FILE,
    REBUILD_HINT,
    Manifest,
    file_digest,
    generation_folder,
    is_generation_id,
)


def is_whole(folder: Path, manifest: Manifest, *, by_digest: bool = False) -> bool:
    """Whether every file of a generation is there in its size, or to the bit and nothing else beside them."""
    try:
        if not all(is_plain(folder / name) for name in (*manifest.files, MANIFEST_FILE)):
            return False
        if not by_digest:
            return all((folder / name).stat().st_size == file.size_bytes for name, file in manifest.files.items())
        return (
            {file.name for file in folder.iterdir()} == {*manifest.files, MANIFEST_FILE}
            and read_plain(folder / MANIFEST_FILE) == manifest.dump().encode()
            and all(file_digest(folder / name) == file for name, file in manifest.files.items())
        )
    except OSError:
        return False


def put_in_place(scratch: Path, final: Path, manifest: Manifest) -> None:
    """Rename a finished generation; one of the same id that is there and whole stays: somebody may be reading it."""
    for file in scratch.iterdir():
        flush(file)
    flush(scratch)
    if is_whole(final, manifest, by_digest=True):
        return
    if final.exists() or final.is_symlink():
        damaged = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=final.parent))
        final.rename(damaged / final.name)
        scratch.rename(final)
        discard(damaged)
    else:
        scratch.rename(final)
    flush(final.parent)


def make_current(index: Path, generation: str) -> None:
    """Let a finished generation answer from now on."""
    with contextlib.suppress(OSError):  # its time tells which generation answered last
        os.utime(generation_folder(index, generation))
    replace_file(index / CURRENT_FILE, generation + "\n")


def sweep_scratch(index: Path) -> None:
    """Delete what interrupted builds have left behind; call it under the lock.

    Raises:
        SearchIndexError: the generations stand behind a link, where nothing of theirs may be deleted.
    """
    generations = index / GENERATIONS_FOLDER
    if generations.is_symlink():
        raise SearchIndexError(
            f"{generations}: expected a folder, found a link", hint=f"delete it, then {REBUILD_HINT}"
        )
    for path in (*_entries(index), *_entries(generations)):
        if path.name.startswith(SCRATCH_PREFIX):
            if path.is_dir() and not path.is_symlink():
                discard(path)
            else:
                path.unlink(missing_ok=True)


def sweep_generations(index: Path, current: str, keep: int) -> None:
    """Delete all generations but ``keep``: the current one, and those that answered last before it.

    Who has one open goes on reading it: on Linux and macOS a file lasts as long as somebody holds it.
    """
    others = [path for path in _entries(index / GENERATIONS_FOLDER) if is_generation_id(path.name)]
    others = sorted((path for path in others if path.name != current), key=_answered_ns, reverse=True)
    for folder in others[max(keep - 1, 0) :]:
        discard(folder)


def _entries(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _answered_ns(folder: Path) -> int:
    return folder.lstat().st_mtime_ns
