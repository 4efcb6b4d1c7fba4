"""Reads documents in processes of their own, so that a bomb, a loop or a crash costs one document.

Plain subprocesses that exchange length-prefixed JSON, not concurrent.futures or pebble: those import the user's
``__main__`` again in every child, have no limit on output, and unpickle what a process sends that has parsed hostile
bytes.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import LifoQueue
from threading import Lock, Timer
from typing import Any, BinaryIO, ParamSpec, Self, TypeVar, cast

from cyberqa.documents.formats import READERS, TEXT_SUFFIXES, suffix_of
from cyberqa.documents.reading import Reading
from cyberqa.documents.wire import READY, OverlongFrameError, read_frame, unpack_reading, write_frame
from cyberqa.errors import CyberqaError, DocumentError
from cyberqa.settings import Settings, usable_cores

COMMAND = (sys.executable, "-P", "-m", "cyberqa.documents.worker")

DOCUMENTS_PER_CHILD = 500
"""What leaks in a library is given back after so many."""

IN_PROCESS_BYTES = 1_000_000
"""Larger text goes through a worker, as everything else does that needs more than decoding."""

_PLAIN_TEXT = frozenset(TEXT_SUFFIXES) - {".md", ".markdown"}  # Markdown: a parser that a hostile file can slow down
_START_TIMEOUT_S = 60
_MAX_REASON_CHARS = 500

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one document may take: ``output_mb`` is what its reading has as JSON, text and structure."""

    timeout_s: int
    memory_mb: int
    output_mb: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the limits that the settings give."""
        return cls(settings.read_timeout_s, settings.read_memory_mb, settings.read_output_mb)


def is_read_in_process(id_: str, size_bytes: int) -> bool:
    """Whether a file needs no worker: plain text that is not large, or nothing that is read at all."""
    suffix = suffix_of(id_)
    return suffix not in READERS or (suffix in _PLAIN_TEXT and size_bytes <= IN_PROCESS_BYTES)


class WorkerPool:
    """One worker a core, each started when it is first needed. Close it, or use it in a ``with`` statement."""

    def __init__(self, limits: Limits, command: Sequence[str] = COMMAND, size: int | None = None) -> None:
        self.size = size or usable_cores()
        self._threads = ThreadPoolExecutor(self.size, "reader")
        self._children = [_Child(limits, command) for _ in range(self.size)]
        self._idle: LifoQueue[_Child] = LifoQueue()  # the last used first, so that one document starts one process
        for child in self._children:
            self._idle.put(child)

    def submit(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Run a function, one that comes to :meth:`read`, in a thread; as many at once as there are workers."""
        return self._threads.submit(function, *args, **kwargs)

    def read(self, id_: str, data: bytes) -> Reading:
        """Read a document in a worker; waits for one that is free.

        Raises:
            DocumentError: the reason why it cannot be read, a limit that it exceeds among them.
            CyberqaError: no worker can be started.
        """
        child = self._idle.get()
        try:
            return child.read(id_, data)
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """End the workers, also in the middle of a document."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.close()
        self._threads.shutdown()
        for child in self._children:
            child.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Child:
    """A worker process, and its successors."""

    def __init__(self, limits: Limits, command: Sequence[str]) -> None:
        self._limits = limits
        self._command = [*command, str(limits.memory_mb), str(limits.timeout_s)]
        self._process: subprocess.Popen[bytes] | None = None
        self._documents = 0
        self._lock = Lock()  # between starting a process and closing for good
        self._closed = False

    def read(self, id_: str, data: bytes) -> Reading:
        process = self._process or self._start()
        self._documents += 1
        try:
            reply = json.loads(self._exchange(process, id_, data))
            reading = self._accept(reply)
        except DocumentError as error:
            if not isinstance(error, _RefusedError):
                self.end()
            raise
        except (ValueError, TypeError, RecursionError) as error:
            self.end()
            raise DocumentError(f"its reader gave a broken reply ({error})"[:_MAX_REASON_CHARS]) from error
        if self._documents >= DOCUMENTS_PER_CHILD:
            self.end()
        return reading

    def _exchange(self, process: subprocess.Popen[bytes], id_: str, data: bytes) -> bytes:
        limits = self._limits
        reply = None
        with _Watch(process, limits.timeout_s) as watch, contextlib.suppress(EOFError, OSError):
            write_frame(_pipe(process.stdin), id_.encode("utf-8"))
            write_frame(_pipe(process.stdin), data)
            try:
                reply = read_frame(_pipe(process.stdout), limits.output_mb * 1_000_000)
            except OverlongFrameError:
                raise DocumentError(f"its text has over {limits.output_mb} MB (setting read_output_mb)") from None
        if watch.has_struck:
            raise DocumentError(self._overrun())
        if reply is None:
            raise DocumentError(self._crash(process.wait()))
        return reply

    def _accept(self, reply: Any) -> Reading:
        match reply:
            case {"reading": reading}:
                return unpack_reading(reading)
            case {"refused": str(reason)}:
                raise _RefusedError(_printable(reason))
            case {"memory": True}:
                raise DocumentError(f"reading it took over {self._limits.memory_mb} MB (setting read_memory_mb)")
            case {"fault": str(fault)}:
                raise _RefusedError(f"reading it failed unexpectedly ({_printable(fault)})")
        raise ValueError("neither a reading nor a reason")

    def _overrun(self) -> str:
        return f"reading it took over {self._limits.timeout_s} s (setting read_timeout_s)"

    def _crash(self, status: int) -> str:
        if -status == signal.SIGXCPU:
            return self._overrun()
        how = signal.Signals(-status).name if -status in set(signal.Signals) else f"exit status {status}"
        limit = f"{self._limits.memory_mb} MB (setting read_memory_mb)"  # many a library aborts when it gets no more
        return f"its reader crashed ({how}): the file is damaged, or reading it takes over {limit}"

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise DocumentError("the build was stopped")
            process = self._process = self._popen()
        self._documents = 0
        is_ready = False
        with _Watch(process, _START_TIMEOUT_S) as watch, contextlib.suppress(EOFError, OSError, OverlongFrameError):
            is_ready = read_frame(_pipe(process.stdout), len(READY)) == READY
        if watch.has_struck or not is_ready:
            self.end()
            raise CyberqaError(
                f"a process to read documents in did not start ({' '.join(self._command)})",
                hint="try a larger read_memory_mb in cyberqa.toml",
            )
        return process

    def _popen(self) -> subprocess.Popen[bytes]:
        # The import path of this process, and one thread for libraries that would take an address space for each core.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            return subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                process_group=0,  # Ctrl-C reaches the parent, which ends its workers
            )
        except OSError as error:
            raise CyberqaError(f"a process to read documents in cannot be started ({error})") from error

    def close(self) -> None:
        """Kill the process and start no other; another thread may be waiting for its reply."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """End the process; the next document starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


class _RefusedError(DocumentError):
    """The document is to blame, and the worker as good as before."""


class _Watch:
    """Kills a process when its time is over."""

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        self._process = process
        self.has_struck = False
        self._timer = Timer(timeout_s, self._strike)

    def _strike(self) -> None:
        self.has_struck = True
        self._process.kill()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()  # a late strike would cost the next document


def _pipe(stream: Any) -> BinaryIO:
    return cast(BinaryIO, stream)


def _printable(reason: str) -> str:
    return reason[:_MAX_REASON_CHARS].encode("utf-8", "backslashreplace").decode("utf-8")
