"""Goes through the corpus document by document: takes from the cache what is there, reads, cuts and embeds the rest.

Workers read some documents ahead of the one that this thread cuts, and this thread cuts ahead of the one whose texts
are embedded in a third place (embedder.py), so that no core waits for another; documents leave in order. How far ahead
is bounded, by numbers of documents, texts and chunks, so that memory is too, whatever the size of the corpus.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice

from cyberqa import corpus
from cyberqa.documents import load_bytes, make_document, read_bytes, reader_for
from cyberqa.documents.detector import open_detector
from cyberqa.documents.language import detect_language, with_language
from cyberqa.documents.reading import Reading
from cyberqa.documents.wire import pack_reading, unpack_reading
from cyberqa.documents.workers import WorkerPool, is_read_in_process
from cyberqa.embedding import Encoder, EncoderInfo, known_info, load_encoder
from cyberqa.embedding.token_codec import codec_for
from cyberqa.errors import CorpusError, CyberqaError, DocumentError
from cyberqa.index.cache import Cache, Entry
from cyberqa.index.parcel import Parcel
from cyberqa.index.writing import IndexedDocument
from cyberqa.ingest.embedder import GROUP_TEXTS, Embedder
from cyberqa.ingest.keys import Keys
from cyberqa.ingest.pacing import Pace
from cyberqa.ingest.planning import Plan, printable
from cyberqa.ingest.preparing import MatchedText, prepare
from cyberqa.ingest.reporting import OnProgress, Progress
from cyberqa.settings import Settings

_CACHED_AT_ONCE = 16  # entries
_BEGUN_PER_WORKER = 2  # documents read before their turn, so that workers read while this process embeds
_TEXTS_AHEAD = 2 * GROUP_TEXTS  # begun and not embedded: while one group is, the next is there
_CHUNKS_AHEAD = 1024  # of documents that wait for one before them; from the cache they come faster than any is embedded

_Detected = tuple[Reading, str | None]
"""What was read of a file, and the language that was detected in it."""


class DocumentChangedError(CorpusError):
    """A document is no longer what the plan knows; with a new plan the build can begin again."""


class EncoderOnDemand:
    """An encoder that is opened when a text must be cut or embedded: many a build needs none."""

    def __init__(self, settings: Settings, given: Encoder | None, on_progress: OnProgress) -> None:
        self._settings = settings
        self._given = given
        self._on_progress = on_progress

    @cached_property
    def info(self) -> EncoderInfo:
        """Which encoder it is, or will be."""
        return (None if self._given else known_info(self._settings)) or self.opened.info

    @cached_property
    def opened(self) -> Encoder:
        """The encoder, ready to run."""
        if self._given is None:
            is_there = known_info(self._settings) is not None
            self._on_progress(Progress("opening the model" if is_there else "preparing the model, which takes a while"))
        return self._given or load_encoder(self._settings)


def _indexed(id_: str, parcel: Parcel, entries: Sequence[Entry]) -> IndexedDocument:
    """Hand each chunk as many entries as it has texts.

    Raises:
        ValueError: there are more or fewer.
    """
    if sum(map(len, parcel.skipped)) != len(entries):
        raise ValueError(f"{len(entries)} entries for {sum(map(len, parcel.skipped))} texts")
    left = iter(entries)
    return IndexedDocument(id_, parcel, [list(islice(left, len(texts))) for texts in parcel.skipped])


@dataclass(slots=True)
class _Awaited:
    """The entry of a text; ``is_ours`` where no document before this one awaits it too."""

    key: bytes
    entry: "Future[Entry]"
    size_chars: int
    is_ours: bool


@dataclass(slots=True)
class _Cut:
    """A document that is cut, and waits for the entries of its texts, which ``keys`` names, until none is awaited.

    ``body`` is what is to be cached of it; None of what came from the cache.
    """

    parcel: Parcel
    keys: Sequence[bytes]
    entries: dict[bytes, Entry]
    body: bytes | None = None
    awaited: deque[_Awaited] = field(default_factory=deque[_Awaited])

    @property
    def chunks(self) -> int:
        return len(self.parcel.chunks)

    @property
    def chunks_embedded(self) -> int:
        """How many chunks are embedded; nearly, since some are matched by more texts than others."""
        return self.chunks - self.chunks * len(self.awaited) // max(len(self.keys), 1)


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
        self._settings = settings
        self._encoder = encoder
        self._plan = plan
        self._state = plan.state.documents()
        self._keys = Keys(plan)
        self._cache = cache
        self._workers = workers
        self._on_progress = on_progress
        self._reread = reread
        self._embedder = Embedder(self._embed)
        self._begun: dict[bytes, Future[Entry]] = {}  # texts that are not cached yet, by key
        self._held: deque[tuple[str, _Cut | None]] = deque()  # in order; None: it could not be read
        self._chunks_held = 0
        self._chunks_unsent = 0  # gone through since the embedder was sent a group
        self._done = 0
        self._chunks_done = 0
        self._pace = Pace({id_: self._state[id_].size_bytes for id_ in self._not_cached()})

    def _not_cached(self) -> list[str]:
        """Return the documents that must be cut, as far as that can be told beforehand."""
        kept = list(filter(self._keys.is_kept, self._state))
        if self._reread:
            return kept
        keys = {id_: self._keys.parcel(id_) for id_ in kept}
        cached = self._cache.has_parcels(keys.values())
        return [id_ for id_, key in keys.items() if key not in cached]

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

    def _ahead(self) -> Iterator[tuple[str, Callable[[], _Cut]]]:
        """Yield each id and what returns its document; what workers read is begun some places before its turn."""
        begun: deque[tuple[str, Callable[[], _Cut]]] = deque()
        for id_ in self._state:
            begun.append((id_, self._begin(id_)))
            if len(begun) > _BEGUN_PER_WORKER * self._workers.size:
                yield begun.popleft()
        yield from begun

    def _cut(self, id_: str, get: Callable[[], _Cut]) -> _Cut | None:
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

    def _hold(self, id_: str, cut: _Cut | None) -> None:
        self._held.append((id_, cut))
        chunks = cut.chunks if cut else 0
        self._chunks_held += chunks
        self._pace.cut(id_, sum(each.size_chars for each in cut.awaited if each.is_ours) if cut else 0)
        # Sent by number, never because somebody waits: else timing would decide which texts share a batch.
        self._chunks_unsent = self._chunks_unsent + chunks if self._embedder.unsent else 0
        if self._chunks_unsent >= _CHUNKS_AHEAD:
            self._embedder.send()

    def _finished(self, texts_ahead: int, chunks_ahead: int) -> Iterator[IndexedDocument]:
        """Yield the first documents, those whose entries are there; wait for some where more than so much is held."""
        while self._held:
            id_, cut = self._held[0]
            if cut is None or not cut.awaited:
                self._held.popleft()
                yield from self._finish(id_, cut)
            elif len(self._begun) > texts_ahead or self._chunks_held - cut.chunks > chunks_ahead:
                cut.awaited[0].entry.exception()  # waits; it has been sent, for what is unsent came after it
                self._take(id_, cut)
            elif cut.awaited[0].entry.done():
                self._take(id_, cut)
            else:
                return

    def _take(self, id_: str, cut: _Cut) -> None:
        """Take the next entries of the first document that are there, and keep them."""
        taken: list[_Awaited] = []
        while cut.awaited and cut.awaited[0].entry.done() and len(taken) < _CACHED_AT_ONCE:
            taken.append(cut.awaited.popleft())
        try:
            cut.entries.update((each.key, each.entry.result()) for each in taken)
        except Exception as error:  # the encoder's fault: it must cost this document only
            self._fail(id_, f"embedding it failed unexpectedly ({type(error).__name__}: {error})")
            self._held[0] = (id_, None)
            self._chunks_held -= cut.chunks
            taken += cut.awaited
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
        awaited = [each for _, cut in self._held if cut for each in cut.awaited if each.is_ours]
        with contextlib.suppress(sqlite3.Error):  # it may be what ends the build
            self._keep(awaited)

    def _finish(self, id_: str, cut: _Cut | None) -> Iterator[IndexedDocument]:
        if cut is not None:
            self._chunks_held -= cut.chunks
            self._chunks_done += cut.chunks
            if cut.body is not None:
                self._cache.put_parcel(self._keys.parcel(id_), cut.keys, cut.body)
            yield _indexed(id_, cut.parcel, [cut.entries[key] for key in cut.keys])
        self._done += 1
        self._tell()

    def _tell(self, stage: str = "indexing") -> None:
        first = self._held[0][1] if self._held else None
        chunks = self._chunks_done + (first.chunks_embedded if first else 0)
        pace = self._pace
        self._on_progress(
            Progress(
                stage,
                self._done,
                len(self._state),
                self.embedded,
                chunks,
                pace.chunks_per_s,
                pace.seconds_left,
                pace.share if pace.has_work else self._done / len(self._state),
            )
        )

    def _begin(self, id_: str) -> Callable[[], _Cut]:
        if self._keys.is_kept(id_) and not self._reread:
            if (kept := self._kept_document(id_)) is not None:
                return lambda: kept
            if (detected := self._kept_reading(id_)) is not None:
                return partial(self._prepare, id_, detected)
        if is_read_in_process(id_, self._state[id_].size_bytes):
            return lambda: self._prepare(id_, self._detect(id_, self._read(id_, read_bytes)))
        result = self._workers.submit(self._read, id_, self._workers.read).result
        self._get_ready()
        return lambda: self._prepare(id_, self._detect(id_, result()))

    def _get_ready(self) -> None:
        """Open, while a worker reads, what its reading will need."""
        self._encoder.opened  # noqa: B018 - it is opened by being asked for
        open_detector()

    # --- what the cache has ----------------------------------------------------------------------------------

    def _kept_document(self, id_: str) -> _Cut | None:
        kept = self._cache.parcel(self._keys.parcel(id_))
        if kept is None:
            return None
        keys, body = kept
        entries = self._cache.get(keys)
        try:
            parcel = Parcel.load(body)
            _indexed(id_, parcel, [entries[key] for key in keys])
        except (ValueError, KeyError):  # made by other hands; or one of its entries was damaged
            return None
        return _Cut(parcel, keys, entries)

    def _kept_reading(self, id_: str) -> _Detected | None:
        kept = self._cache.reading(self._keys.reading(id_))
        try:
            body = json.loads(kept) if kept else {}
            return unpack_reading(body["reading"]), body["language"]
        except (ValueError, KeyError, TypeError):
            return None

    # --- what it has not -------------------------------------------------------------------------------------

    def _read(self, id_: str, read: Callable[[str, bytes], Reading]) -> Reading:
        path, known = self._settings.corpus / id_, self._state[id_].sha256
        if corpus.leads_outside(path, self._settings.corpus):
            raise DocumentError("it is a link to a place outside the corpus; copy the file instead")
        reader_for(id_)
        try:
            data = load_bytes(path, self._settings.max_file_mb)
        except DocumentError:
            if corpus.file_state(path).sha256 == known:
                raise
            data = b""
        if known is not None and hashlib.sha256(data).hexdigest() != known:
            # To leave it out would be a result that does not follow from the recipe.
            raise DocumentChangedError(f"{id_} changed while it was being indexed", hint="run: cyberqa index")
        return read(id_, data)

    def _detect(self, id_: str, reading: Reading) -> _Detected:
        language = detect_language(reading)
        body = {"reading": pack_reading(reading), "language": language}
        self._cache.put_reading(self._keys.reading(id_), json.dumps(body, ensure_ascii=False).encode("utf-8"))
        return reading, language

    def _prepare(self, id_: str, detected: _Detected) -> _Cut:
        reading, language = detected
        sha256 = self._plan.recipe.documents[id_]["sha256"]
        document = with_language(make_document(id_, sha256, reading, self._plan.sources.get(id_)), language)
        size_chars, groups = self._settings.chunk_size_chars, self._plan.groups
        encoder = self._encoder.opened
        self._tell()  # the model is open, and a long document takes seconds to be cut
        parcel, matched = prepare(document, encoder, size_chars, groups)
        texts = [text for several in matched for text in several]
        keys = [self._cache.key(text.text) for text in texts]
        cut = _Cut(parcel, keys, self._cache.get(keys), parcel.dump())
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in cut.entries}
        cut.awaited.extend(self._await(key, text) for key, text in missing.items())
        return cut

    def _await(self, key: bytes, text: MatchedText) -> _Awaited:
        """Begin to embed a text, unless a document before this one has begun it already."""
        begun = self._begun.get(key)
        entry = self._begun[key] = begun or self._embedder.begin(text)
        return _Awaited(key, entry, len(text.text), begun is None)

    def _embed(self, texts: Sequence[MatchedText]) -> Iterator[Entry]:
        encoder = self._encoder.opened
        for text, encoding in zip(texts, encoder.encode([each.text for each in texts]), strict=True):
            words = encoding.tokens[text.is_word]
            yield Entry(encoding.vector, codec_for(encoder.info, words.shape[1]).encode(words))
