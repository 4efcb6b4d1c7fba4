"""A process that reads documents for another: ``python -m cyberqa.documents.worker``, started by workers.py.

A file's name and its bytes come in on standard input, a reading goes out on standard output, until the input ends.
The limits on memory and processor time are its own; whoever started it watches the clock.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CPU_ALLOWANCE_S = 5  # the parent's clock shall strike first
_MAX_FAULT_CHARS = 300


def main(memory_mb: int, timeout_s: int) -> None:
    """Read documents until the parent closes the pipe."""
    requests, replies = _private_pipes()
    _limit(resource.RLIMIT_CORE, 0)
    # Linux only: macOS accepts this limit and does not enforce it.
    _limit(resource.RLIMIT_AS, memory_mb * 1_000_000)
    _die_with_parent()

    from cyberqa.documents import read_bytes
    from cyberqa.documents.wire import READY, pack_reading, read_frame, write_frame
    from cyberqa.errors import DocumentError

    def reply(id_: str, data: bytes) -> dict[str, object]:
        try:
            return {"reading": pack_reading(read_bytes(id_, data))}
        except DocumentError as error:
            return {"refused": error.message}
        except MemoryError:
            return {"memory": True}
        except Exception as error:  # a fault of ours, or of a library's: the parent reports it as the document's
            return {"fault": f"{type(error).__name__}: {error}"[:_MAX_FAULT_CHARS]}

    write_frame(replies, READY)
    with contextlib.suppress(EOFError):
        while True:
            id_ = read_frame(requests, sys.maxsize).decode("utf-8")
            data = read_frame(requests, sys.maxsize)
            _limit(resource.RLIMIT_CPU, int(_cpu_s()) + timeout_s + _CPU_ALLOWANCE_S)
            answer = reply(id_, data)
            write_frame(replies, json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the pipes away from 0 and 1: what a library prints must not end up between the frames."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    with contextlib.suppress(OSError, ValueError):  # a lower limit is in force already
        resource.setrlimit(what, (value, hard))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent; elsewhere the end of the input does, or the processor time."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
