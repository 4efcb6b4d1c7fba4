"""How fast a build embeds, how much is left of that, and so how long it takes; nothing before it can be known.

Embedding takes nine tenths of a build's time or more, so it alone is counted. What is left: of documents that are cut,
the characters that are not embedded yet; of the others, their bytes, times what a byte has brought in files of their
kind so far. What comes out of the cache takes no time worth counting, and counts for nothing.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cyberqa.documents.formats import suffix_of

_WINDOW_S = 30.0  # the speed is that of the last half minute: machines get busy, and texts longer
_LEAST_S = 3.0  # of embedding, before anything is said
_LEAST_TEXTS = 16
_LEAST_KNOWN = 0.9  # of the bytes left, those in files of a kind that has been met


@dataclass(frozen=True, slots=True)
class _Lap:
    """Up to a moment: seconds of embedding, texts, characters."""

    seconds: float = 0.0
    texts: int = 0
    chars: int = 0


class Pace:
    """Is told of each document that is cut and of the texts that are embedded.

    ``sizes`` are the bytes of the documents that are to be cut, by id.
    """

    def __init__(self, sizes: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sizes = dict(sizes)
        self._bytes_left: Counter[str] = Counter()  # of documents that are not cut, by kind
        for id_, size in sizes.items():
            self._bytes_left[suffix_of(id_)] += size
        self._bytes_cut: Counter[str] = Counter()
        self._chars_found: Counter[str] = Counter()  # to be embedded, in what is cut
        self._laps = deque([_Lap()])
        self._busy_since: float | None = None

    def cut(self, id_: str, chars: int) -> None:
        """Take note that a document is cut, or cannot be read, and has so many characters to be embedded."""
        if chars and self._busy_since is None:
            self._busy_since = self._clock()
        size = self._sizes.pop(id_, None)
        kind = suffix_of(id_)
        self._chars_found[kind] += chars
        if size is not None:
            self._bytes_left[kind] -= size
            self._bytes_cut[kind] += size

    def embedded(self, texts: int, chars: int, *, idle: bool) -> None:
        """Take note of texts that have been embedded; ``idle``: there is none to embed at the moment."""
        now, last = self._clock(), self._laps[-1]
        busy_s = now - (now if self._busy_since is None else self._busy_since)
        self._busy_since = None if idle else now
        self._laps.append(_Lap(last.seconds + busy_s, last.texts + texts, last.chars + chars))
        while len(self._laps) > 2 and self._laps[1].seconds < self._laps[-1].seconds - _WINDOW_S:
            self._laps.popleft()

    @property
    def has_work(self) -> bool:
        """Whether anything was, is or may be embedded."""
        return bool(self._sizes or self._chars_found.total())

    @property
    def chunks_per_s(self) -> float | None:
        """How many are embedded in a second; None while too few have been."""
        seconds, texts, _ = self._latest()
        return texts / seconds if seconds else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes; None while that cannot be known."""
        seconds, _, chars = self._latest()
        left = self._chars_left()
        return None if left is None or not chars else left * seconds / chars

    @property
    def share(self) -> float | None:
        """How much of what is to be embedded is; None while that cannot be known."""
        left, done = self._chars_left(), self._laps[-1].chars
        return None if left is None or self._laps[-1].seconds < _LEAST_S else done / max(done + left, 1)

    def _latest(self) -> tuple[float, int, int]:
        """Return the seconds, texts and characters of the last half minute; nothing while there are too few."""
        first, last = self._laps[0], self._laps[-1]
        if last.seconds < _LEAST_S or last.texts < _LEAST_TEXTS:
            return 0.0, 0, 0
        return last.seconds - first.seconds, last.texts - first.texts, last.chars - first.chars

    def _chars_left(self) -> float | None:
        total = self._bytes_left.total()
        known = sum(size for kind, size in self._bytes_left.items() if self._bytes_cut[kind])
        if known < _LEAST_KNOWN * total or (total and not self._bytes_cut.total()):
            return None
        overall = self._chars_found.total() / max(self._bytes_cut.total(), 1)
        left = float(self._chars_found.total() - self._laps[-1].chars)
        for kind, size in self._bytes_left.items():
            cut = self._bytes_cut[kind]
            left += size * (self._chars_found[kind] / cut if cut else overall)
        return left
