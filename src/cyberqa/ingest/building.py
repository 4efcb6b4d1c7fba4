"""Goes through the corpus document by document: takes from the cache what is there, reads, cuts and embeds the rest.

Workers read some documents ahead of the one that this thread cuts, and this thread cuts ahead of the one whose texts
are embedded in a third place (embedder.py), so that no core waits for another; documents leave in order. How far ahead
is bounded, by numbers of documents, texts and chunks, so that memory is too, whatever the size of the corpus.
"""

import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from cyberqa.documents.workers import WorkerPool
from cyberqa.embedding.token_codec import codec_for
from cyberqa.errors import CyberqaError, DocumentError
from cyberqa.index.cache import Cache, Entry
from cyberqa.index.writing import IndexedDocument
from cyberqa.ingest.cutting import Cut, Cutter
from cyberqa.ingest.embedder import GROUP_TEXTS, Embedder
from cyberqa.ingest.on_demand import EncoderOnDemand
from cyberqa.ingest.pacing import Pace
from cyberqa.ingest.planning import Plan, printable
from cyberqa.ingest.preparing import MatchedText
from cyberqa.ingest.reporting import OnProgress, Progress
from cyberqa.settings import Settings

_CACHED_AT_ONCE = 16  # entries
_BEGUN_PER_WORKER = 2  # documents read before their turn, so that workers read while this process embeds
_TEXTS_AHEAD = 2 * GROUP_TEXTS  # begun and not embedded: while one group is, the next is there
_CHUNKS_AHEAD = 1024  # of documents that wait for one before them; from the cache they come faster than any is embedded


@dataclass(slots=True)
class _Awaited:
    """The entry of a text; ``is_ours`` where no document before this one awaits it too."""

    key: bytes
    entry: "Future[Entry]"
    size_chars: int
    is_ours: bool


@dataclass(slots=True)
class _Held:
    """A document that waits for the entries of its texts until none is awaited; None where it could not be read."""

    id_: str
    cut: Cut | None
    awaited: deque[_Awaited] = field(default_factory=deque[_Awaited])

    @property
    def chunks(self) -> int:
        return len(self.cut.parcel.chunks) if self.cut else 0

    @property
    def chunks_embedded(self) -> int:
        """How many chunks are embedded; nearly, since some are matched by more texts than others."""
        texts = len(self.cut.keys) if self.cut else 0
        return self.chunks - self.chunks * len(self.awaited) // max(texts, 1)


class Builder:
    """One pass over the corpus; notes what could not be read and how many texts were embedded."""

    def __init__(
        self,
        settings: Settings,
        encoder: EncoderOnDemand,
        plan: Plan,
        cache: Cache,
        workers: WorkerPool,
        on_progress: OnProgress,
        *,
        reread: bool,
    ) -> None:
        self.failures: dict[str, str] = {}
        self.embedded = 0
        self._encoder = encoder
        self._ids = list(plan.state.documents())
        self._cache = cache
        self._begun_ahead = _BEGUN_PER_WORKER * workers.size
        self._on_progress = on_progress
        self._cutter = Cutter(settings, encoder, plan, cache, workers, self._tell, reread=reread)
        self._embedder = Embedder(self._embed)
        self._begun: dict[bytes, Future[Entry]] = {}  # texts that are not cached yet, by key
        self._held: deque[_Held] = deque()  # in order
        self._chunks_held = 0
        self._chunks_unsent = 0  # gone through since the embedder was sent a group
        self._done = 0
        self._chunks_done = 0
        self._pace = Pace(self._cutter.uncached_bytes())

    def documents(self) -> Generator[IndexedDocument]:
        """Yield every document that can be read, sorted by id. Close it, where it may not be used up."""
        self._tell()
        try:
            for id_, get in self._ahead():
                self._hold(id_, self._cut(id_, get))
                yield from self._finished(_TEXTS_AHEAD, _CHUNKS_AHEAD)
            self._embedder.send()
            yield from self._finished(0, 0)
        finally:
            self._embedder.close()
            self._rescue()
        self._tell("writing the index")

    def _ahead(self) -> Iterator[tuple[str, Callable[[], Cut]]]:
        """Yield each id and what returns its document; what workers read is begun some places before its turn."""
        begun: deque[tuple[str, Callable[[], Cut]]] = deque()
        for id_ in self._ids:
            begun.append((id_, self._cutter.begin(id_)))
            if len(begun) > self._begun_ahead:
                yield begun.popleft()
        yield from begun

    def _cut(self, id_: str, get: Callable[[], Cut]) -> Cut | None:
        """Return a document; None, and the reason in ``failures``, where it cannot be read."""
        try:
            return get()
        except DocumentError as error:
            self._fail(id_, error.message)
        except (CyberqaError, sqlite3.Error):  # the latter: the disk is full
            raise
        except Exception as error:  # a fault of ours, or of a library's: it must cost this document only
            self._fail(id_, f"reading it failed unexpectedly ({type(error).__name__}: {error})")
        return None

    def _fail(self, id_: str, reason: str) -> None:
        self.failures[printable(id_)] = reason

    # --- what waits for its entries --------------------------------------------------------------------------

    def _hold(self, id_: str, cut: Cut | None) -> None:
        held = _Held(id_, cut)
        if cut is not None:
            held.awaited.extend(self._await(key, text) for key, text in cut.missing.items())
        self._held.append(held)
        self._chunks_held += held.chunks
        self._pace.cut(id_, sum(each.size_chars for each in held.awaited if each.is_ours))
        # Sent by number, never because somebody waits: else timing would decide which texts share a batch.
        self._chunks_unsent = self._chunks_unsent + held.chunks if self._embedder.unsent else 0
        if self._chunks_unsent >= _CHUNKS_AHEAD:
            self._embedder.send()

    def _await(self, key: bytes, text: MatchedText) -> _Awaited:
        """Begin to embed a text, unless a document before this one has begun it already."""
        begun = self._begun.get(key)
        entry = self._begun[key] = begun or self._embedder.begin(text)
        return _Awaited(key, entry, len(text.text), begun is None)

    def _finished(self, texts_ahead: int, chunks_ahead: int) -> Iterator[IndexedDocument]:
        """Yield the first documents, those whose entries are there; wait for some where more than so much is held."""
        while self._held:
            first = self._held[0]
            if first.cut is None or not first.awaited:
                self._held.popleft()
                yield from self._finish(first)
            elif len(self._begun) > texts_ahead or self._chunks_held - first.chunks > chunks_ahead:
                first.awaited[0].entry.exception()  # waits; it has been sent, for what is unsent came after it
                self._take(first, first.cut)
            elif first.awaited[0].entry.done():
                self._take(first, first.cut)
            else:
                return

    def _take(self, first: _Held, cut: Cut) -> None:
        """Take the next entries of the first document that are there, and keep them."""
        taken: list[_Awaited] = []
        while first.awaited and first.awaited[0].entry.done() and len(taken) < _CACHED_AT_ONCE:
            taken.append(first.awaited.popleft())
        try:
            cut.entries.update((each.key, each.entry.result()) for each in taken)
        except Exception as error:  # the encoder's fault: it must cost this document only
            self._fail(first.id_, f"embedding it failed unexpectedly ({type(error).__name__}: {error})")
            self._chunks_held -= first.chunks
            taken += first.awaited
            self._held[0] = _Held(first.id_, None)
        ours = [each for each in taken if each.is_ours]
        self._keep(ours)
        for each in ours:
            del self._begun[each.key]
        self.embedded += len(ours)
        self._pace.embedded(len(ours), sum(each.size_chars for each in ours), idle=not self._begun)
        self._tell()

    def _keep(self, awaited: Iterable[_Awaited]) -> None:
        there = [each for each in awaited if each.entry.done() and each.entry.exception() is None]
        if there:
            self._cache.put([(each.key, each.entry.result()) for each in there])

    def _rescue(self) -> None:
        """Keep what is embedded where the build ends before its time."""
        awaited = [each for held in self._held for each in held.awaited if each.is_ours]
        with contextlib.suppress(sqlite3.Error):  # it may be what ends the build
            self._keep(awaited)

    def _finish(self, done: _Held) -> Iterator[IndexedDocument]:
        self._chunks_held -= done.chunks
        self._chunks_done += done.chunks
        if done.cut is not None:
            self._cutter.put(done.id_, done.cut)
            yield done.cut.indexed(done.id_)
        self._done += 1
        self._tell()

    def _tell(self, stage: str = "indexing") -> None:
        chunks = self._chunks_done + (self._held[0].chunks_embedded if self._held else 0)
        pace = self._pace
        self._on_progress(
            Progress(
                stage,
                self._done,
                len(self._ids),
                self.embedded,
                chunks,
                pace.chunks_per_s,
                pace.seconds_left,
                pace.share if pace.has_work else self._done / len(self._ids),
            )
        )

    def _embed(self, texts: Sequence[MatchedText]) -> Iterator[Entry]:
        encoder = self._encoder.opened
        for text, encoding in zip(texts, encoder.encode([each.text for each in texts]), strict=True):
            words = encoding.tokens[text.is_word]
            yield Entry(encoding.vector, codec_for(encoder.info, words.shape[1]).encode(words))
