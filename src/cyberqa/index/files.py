"""Single files and folders of the index: only plain files are read, and what is written is flushed and renamed.

Nothing here follows a link that stands in the index folder: an index may come from somebody else.
"""

import contextlib
import os
from pathlib import Path
from stat import S_ISREG

SCRATCH_PREFIX = ".writing-"
"""Of whatever is not finished, or is being deleted: swept by the next build."""


def is_plain(file: Path) -> bool:
    """Whether a path is a regular file, and no link to one: opening a pipe would wait for ever."""
    try:
        return S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def read_plain(file: Path) -> bytes:
    """Read a whole file.

    Raises:
        OSError: it is missing, or no regular file.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{file} is no regular file")
        with open(descriptor, "rb", closefd=False) as handle:
            return handle.read()
    finally:
        os.close(descriptor)


def replace_file(file: Path, text: str) -> None:
    """Put a text in the place of a file, in one step that survives a loss of power; call it under the lock."""
    scratch = file.with_name(f"{SCRATCH_PREFIX}{file.name}-{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as handle:  # noqa: PTH123 - a descriptor
            handle.write(text)
            handle.flush()
            os.fsync(descriptor)
        scratch.replace(file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    flush(file.parent)


def flush(path: Path) -> None:
    """Have a file or folder written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(folder: Path) -> None:
    """Delete a folder beside which others stand; interrupted, it leaves scratch, never half a generation."""
    import shutil

    doomed = folder
    if not folder.name.startswith(SCRATCH_PREFIX):
        doomed = folder.with_name(SCRATCH_PREFIX + folder.name)
        shutil.rmtree(doomed, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
