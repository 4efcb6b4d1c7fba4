"""One builder at a time: a lock of the kernel's, which a process that dies lets go of, however it dies."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from cyberqa.errors import SearchIndexError
from cyberqa.index.files import read_plain

LOCK_FILE = "lock"
_ELSEWHERE = "name another with --index DIR"
_MAX_DIGITS = 10  # of a process number


@contextlib.contextmanager
def writer_lock(index: Path, timeout_s: float, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the index folder, which is made where it is missing, for one builder.

    Args:
        index: the folder.
        timeout_s: how long to wait for another builder.
        on_wait: told once, in words, that there is one.

    Raises:
        SearchIndexError: another builder holds it for longer, or it cannot be written.
    """
    try:
        index.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchIndexError(f"index folder {index} cannot be made ({error.strerror})", hint=_ELSEWHERE) from error
    lock = FileLock(index / LOCK_FILE)
    try:
        _acquire(lock, index, timeout_s, on_wait)
    except OSError as error:
        raise SearchIndexError(f"index folder {index} cannot be written ({error.strerror})", hint=_ELSEWHERE) from error
    try:
        _sign(index)
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, index: Path, timeout_s: float, on_wait: Callable[[str], None]) -> None:
    try:
        lock.acquire(timeout=0)
        return
    except Timeout:
        on_wait(f"waiting for another build of this index to finish{_holder(index)}")
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        raise SearchIndexError(
            f"another process has been building {index} for over {timeout_s} s{_holder(index)}",
            hint="try again when it is done",
        ) from None


def _sign(index: Path) -> None:
    """Write down who holds the lock, for those who wait."""
    with contextlib.suppress(OSError), (index / LOCK_FILE).open("r+", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")
        file.truncate()


def _holder(index: Path) -> str:
    try:
        number = read_plain(index / LOCK_FILE).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {number})" if number.isdecimal() and len(number) <= _MAX_DIGITS else ""
