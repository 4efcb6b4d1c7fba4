"""Goes through the corpus document by document: takes from the cache what is there, reads, cuts and embeds the rest."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from pathlib import PurePosixPath

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
from cyberqa.ingest.planning import Plan, printable
from cyberqa.ingest.preparing import prepare
from cyberqa.ingest.reporting import OnProgress, Progress
from cyberqa.settings import Settings

_CACHED_AT_ONCE = 64  # vectors that an interruption may cost
_BEGUN_PER_WORKER = 2  # documents read before their turn, so that workers read while this process embeds

_Detected = tuple[Reading, str | None]
"""What was read of a file, and the language that was detected in it."""


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
            self._on_progress(Progress("preparing the model (15 s the first time)"))
        return self._given or load_encoder(self._settings)


class Keys:
    """What documents are cached by: all that a reading, and all that a parcel, follows from."""

    def __init__(self, plan: Plan) -> None:
        recipe = plan.recipe
        self._plan = plan
        reading = {"rules": {**recipe.rules, "names": None, "size_chars": None}, "tools": recipe.tools}
        parcel = {
            "rules": recipe.rules,  # with the names that the user gives: tables are matched with them written out
            "tools": recipe.tools,
            "encoder": (*recipe.encoder.identity, recipe.encoder.runtime),
        }
        self._readings, self._parcels = (json.dumps(part, sort_keys=True) for part in (reading, parcel))

    def is_kept(self, id_: str) -> bool:
        """Whether a file has a reader and could be opened: what comes of any other is not cached."""
        about = self._plan.recipe.documents[printable(id_)]
        return about["reader"] is not None and about["sha256"] is not None

    def all_kept(self) -> tuple[list[bytes], list[bytes]]:
        """Return the keys of the readings and of the parcels of all documents."""
        ids = list(filter(self.is_kept, self._plan.state.documents()))
        return [self.reading(id_) for id_ in ids], [self.parcel(id_) for id_ in ids]

    def reading(self, id_: str) -> bytes:
        """Return the key of what is read of a file: its bytes, and the kind that its name gives it."""
        about = self._plan.recipe.documents[id_]
        return _digest("reading", self._readings, about["sha256"], about["reader"], _suffix(id_))

    def parcel(self, id_: str) -> bytes:
        """Return the key of what a document brings: its name is the title where it has no other."""
        about = self._plan.recipe.documents[id_]
        metadata = json.dumps(about["metadata"], sort_keys=True)
        named = (_suffix(id_), PurePosixPath(id_).stem)
        return _digest("parcel", self._parcels, about["sha256"], about["reader"], metadata, *named)


def _indexed(id_: str, parcel: Parcel, entries: Sequence[Entry]) -> IndexedDocument:
    """Hand each chunk as many entries as it has texts.

    Raises:
        ValueError: there are more or fewer.
    """
    if sum(map(len, parcel.skipped)) != len(entries):
        raise ValueError(f"{len(entries)} entries for {sum(map(len, parcel.skipped))} texts")
    left = iter(entries)
    return IndexedDocument(id_, parcel, [list(islice(left, len(texts))) for texts in parcel.skipped])


def _suffix(id_: str) -> str:
    return PurePosixPath(id_).suffix.lower()


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8")).digest()


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
        self._done = 0
        self._bytes_done = 0.0
        self._bytes = sum(file.size_bytes for file in self._state.values()) or 1

    def documents(self) -> Iterator[IndexedDocument]:
        """Yield every document that can be read, sorted by id."""
        for id_, get in self._ahead():
            self._tell()
            try:
                indexed = get()
            except DocumentError as error:
                self.failures[printable(id_)] = error.message
            except CyberqaError:
                raise
            except Exception as error:  # a fault of ours, or of a library's: it must cost this document only
                self.failures[printable(id_)] = f"reading it failed unexpectedly ({type(error).__name__}: {error})"
            else:
                yield indexed
            self._done += 1
            self._bytes_done += self._state[id_].size_bytes

    def _ahead(self) -> Iterator[tuple[str, Callable[[], IndexedDocument]]]:
        """Yield each id and what returns its document; what workers read is begun some places before its turn."""
        begun: deque[tuple[str, Callable[[], IndexedDocument]]] = deque()
        for id_ in self._state:
            begun.append((id_, self._begin(id_)))
            if len(begun) > _BEGUN_PER_WORKER * self._workers.size:
                yield begun.popleft()
        yield from begun

    def _begin(self, id_: str) -> Callable[[], IndexedDocument]:
        if self._keys.is_kept(id_) and not self._reread:
            if (indexed := self._kept_document(id_)) is not None:
                return lambda: indexed
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

    def _kept_document(self, id_: str) -> IndexedDocument | None:
        kept = self._cache.parcel(self._keys.parcel(id_))
        if kept is None:
            return None
        keys, body = kept
        entries = self._cache.get(keys)
        try:
            return _indexed(id_, Parcel.load(body), [entries[key] for key in keys])
        except (ValueError, KeyError):  # made by other hands; or one of its entries was damaged
            return None

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
            raise CorpusError(f"{id_} changed while it was being indexed", hint="run: cyberqa index")
        return read(id_, data)

    def _detect(self, id_: str, reading: Reading) -> _Detected:
        language = detect_language(reading)
        body = {"reading": pack_reading(reading), "language": language}
        self._cache.put_reading(self._keys.reading(id_), json.dumps(body, ensure_ascii=False).encode("utf-8"))
        return reading, language

    def _prepare(self, id_: str, detected: _Detected) -> IndexedDocument:
        reading, language = detected
        sha256 = self._plan.recipe.documents[id_]["sha256"]
        document = with_language(make_document(id_, sha256, reading, self._plan.sources.get(id_)), language)
        size_chars, groups = self._settings.chunk_size_chars, self._plan.groups
        parcel, matched = prepare(document, self._encoder.opened, size_chars, groups)
        texts = [text for several in matched for text in several]
        keys = [self._cache.key(text) for text in texts]
        entries = self._entries(dict(zip(keys, texts, strict=True)), self._state[id_].size_bytes)
        self._cache.put_parcel(self._keys.parcel(id_), keys, parcel.dump())
        return _indexed(id_, parcel, [entries[key] for key in keys])

    def _entries(self, texts: Mapping[bytes, str], size_bytes: int) -> dict[bytes, Entry]:
        known = self._cache.get(list(texts))
        missing = [key for key in texts if key not in known]
        embedded = zip(missing, self._embed([texts[key] for key in missing]), strict=True)
        done = 0
        while batch := list(islice(embedded, _CACHED_AT_ONCE)):
            self._cache.put(batch)
            known.update(batch)
            done += len(batch)
            self.embedded += len(batch)
            self._tell(size_bytes * done / len(missing))
        return known

    def _embed(self, texts: Sequence[str]) -> Iterator[Entry]:
        encoder = self._encoder.opened
        for text, encoding in zip(texts, encoder.encode(texts), strict=True):
            words = encoding.tokens[encoder.tokenize(text).is_word]
            yield Entry(encoding.vector, codec_for(encoder.info, words.shape[1]).encode(words))

    def _tell(self, bytes_more: float = 0.0) -> None:
        share = (self._bytes_done + bytes_more) / self._bytes
        self._on_progress(Progress("indexing", self._done, len(self._state), self.embedded, share))
