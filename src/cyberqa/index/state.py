"""What the corpus was when it was last indexed, beside the generations: tells in a moment whether it has changed."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cyberqa import corpus
from cyberqa.errors import CorpusError
from cyberqa.index.files import read_plain, replace_file
from cyberqa.settings import Settings

STATE_FILE = "state.json"

_TICK_NS = 2_000_000_000
"""The coarsest clock of a file system that is worth minding (FAT's); most tick a few hundred times a second."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """The files that were indexed, and the settings that shape the result; ``taken_ns`` is when, since the epoch."""

    files: Mapping[str, corpus.FileState]
    settings: Mapping[str, str | int | None]
    taken_ns: int = 0

    @classmethod
    def take(cls, settings: Settings, known: "IndexState | None" = None) -> "IndexState":
        """Look at every file of the corpus once, and read those that are not as they were in ``known``.

        Raises:
            CorpusError: no such folder.
        """
        taken_ns = time.time_ns()
        states = {
            id_: corpus.file_state(path, settings.corpus, known.settled(id_) if known else None)
            for id_, path in corpus.watched_files(settings).items()
        }
        return cls(states, _shaping(settings), taken_ns)

    def settled(self, id_: str) -> corpus.FileState | None:
        """Return the state of a file whose size and time tell whether it has changed since.

        None of one that was written just before it was looked at: a second writing in the same tick of the clock
        would not have moved its time.
        """
        state = self.files.get(id_)
        return state if state and state.mtime_ns < self.taken_ns - _TICK_NS else None

    @classmethod
    def load(cls, index: Path) -> "IndexState | None":
        """Return the state as last written, or None where there is none that can be read."""
        try:
            body = json.loads(read_plain(index / STATE_FILE))
            files = {_decode(id_): corpus.FileState(**state) for id_, state in body["files"].items()}
            return cls(files, dict(body["settings"]), int(body.get("taken_ns", 0)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def write(self, index: Path) -> None:
        """Replace the state on disk."""
        body = {
            "files": {_encode(id_): asdict(state) for id_, state in self.files.items()},
            "settings": dict(self.settings),
            "taken_ns": self.taken_ns,
        }
        replace_file(index / STATE_FILE, json.dumps(body) + "\n")

    def documents(self) -> dict[str, corpus.FileState]:
        """Return the files without those that say something of them."""
        return {id_: state for id_, state in self.files.items() if id_ not in corpus.ABOUT_FILES}


def changed_files(settings: Settings) -> list[str] | None:
    """Return what makes the index stale, by name; None where it cannot be told, for want of the corpus or the state."""
    state = IndexState.load(settings.index)
    try:
        files = corpus.watched_files(settings)
    except CorpusError:
        return None
    if state is None:
        return None
    changed = {
        id_
        for id_, path in files.items()
        if id_ not in state.files
        or corpus.has_changed(path, state.files[id_], settings.corpus, is_settled=state.settled(id_) is not None)
    }
    changed |= state.files.keys() - files.keys()
    changed |= {f"setting {key}" for key, value in _shaping(settings).items() if state.settings.get(key) != value}
    return sorted(changed)


def _shaping(settings: Settings) -> dict[str, str | int | None]:
    return {
        "chunk_size_chars": settings.chunk_size_chars,
        "max_file_mb": settings.max_file_mb,
        "read_timeout_s": settings.read_timeout_s,
        "read_memory_mb": settings.read_memory_mb,
        "read_output_mb": settings.read_output_mb,
        "approximate_from": settings.approximate_from,
        "model": settings.model,
        "device": settings.device,
        "query_prompt": settings.query_prompt,
        "document_prompt": settings.document_prompt,
    }


def _encode(id_: str) -> str:
    return id_.encode("utf-8", "surrogateescape").decode("latin-1")


def _decode(name: str) -> str:
    return name.encode("latin-1").decode("utf-8", "surrogateescape")
