"""Where a document's chunks come from: from the cache, or the document is read, by a worker or here, and cut."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from cyberqa import corpus
from cyberqa.documents import load_bytes, make_document, read_bytes, reader_for
from cyberqa.documents.detector import open_detector
from cyberqa.documents.language import detect_language, with_language
from cyberqa.documents.reading import Reading
from cyberqa.documents.wire import pack_reading, unpack_reading
from cyberqa.documents.workers import WorkerPool, is_read_in_process
from cyberqa.errors import CorpusError, DocumentError
from cyberqa.index.cache import Cache, Entry
from cyberqa.index.parcel import Parcel
from cyberqa.index.writing import IndexedDocument
from cyberqa.ingest.keys import Keys
from cyberqa.ingest.on_demand import EncoderOnDemand
from cyberqa.ingest.planning import Plan
from cyberqa.ingest.preparing import MatchedText, prepare
from cyberqa.settings import Settings

_Detected = tuple[Reading, str | None]
"""What was read of a file, and the language that was detected in it."""


class DocumentChangedError(CorpusError):
    """A document is no longer what the plan knows; with a new plan the build can begin again."""


@dataclass(slots=True)
class Cut:
    """A document that is cut; ``keys`` names the entries of its texts, of which ``missing`` must be embedded.

    ``body`` is what is to be cached of it; None of what came from the cache.
    """

    parcel: Parcel
    keys: Sequence[bytes]
    entries: dict[bytes, Entry]
    missing: Mapping[bytes, MatchedText] = field(default_factory=dict[bytes, MatchedText])
    body: bytes | None = None

    def indexed(self, id_: str) -> IndexedDocument:
        """Hand each chunk as many entries as it has texts.

        Raises:
            KeyError: an entry is missing.
            ValueError: there are more or fewer than there are texts.
        """
        skipped = self.parcel.skipped
        if sum(map(len, skipped)) != len(self.keys):
            raise ValueError(f"{len(self.keys)} entries for {sum(map(len, skipped))} texts")
        left = iter([self.entries[key] for key in self.keys])
        return IndexedDocument(id_, self.parcel, [list(islice(left, len(texts))) for texts in skipped])


class Cutter:
    """Takes the documents of one plan, in any order.

    ``on_open`` is called when the encoder is open.
    """

    def __init__(
        self,
        settings: Settings,
        encoder: EncoderOnDemand,
        plan: Plan,
        cache: Cache,
        workers: WorkerPool,
        on_open: Callable[[], None],
        *,
        reread: bool,
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._plan = plan
        self._state = plan.state.documents()
        self._keys = Keys(plan)
        self._cache = cache
        self._workers = workers
        self._on_open = on_open
        self._reread = reread

    def uncached_bytes(self) -> dict[str, int]:
        """Return the size of each document that must be cut, as far as that can be told beforehand."""
        kept = list(filter(self._keys.is_kept, self._state))
        keys = {} if self._reread else {id_: self._keys.parcel(id_) for id_ in kept}
        cached = self._cache.has_parcels(keys.values())
        return {id_: self._state[id_].size_bytes for id_ in kept if keys.get(id_) not in cached}

    def begin(self, id_: str) -> Callable[[], Cut]:
        """Begin to read a document, where a worker must; return what returns it, cut.

        That raises :class:`DocumentError` where it cannot be read, :class:`DocumentChangedError` where it is not what
        the plan knows.
        """
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

    def put(self, id_: str, cut: Cut) -> None:
        """Cache a document, all of whose entries are there."""
        if cut.body is not None:
            self._cache.put_parcel(self._keys.parcel(id_), cut.keys, cut.body)

    # --- what the cache has ----------------------------------------------------------------------------------

    def _kept_document(self, id_: str) -> Cut | None:
        kept = self._cache.parcel(self._keys.parcel(id_))
        if kept is None:
            return None
        keys, body = kept
        entries = self._cache.get(keys)
        try:
            cut = Cut(Parcel.load(body), keys, entries)
            cut.indexed(id_)
        except (ValueError, KeyError):  # made by other hands; or one of its entries was damaged
            return None
        return cut

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

    def _prepare(self, id_: str, detected: _Detected) -> Cut:
        reading, language = detected
        sha256 = self._plan.recipe.documents[id_]["sha256"]
        document = with_language(make_document(id_, sha256, reading, self._plan.sources.get(id_)), language)
        size_chars, groups = self._settings.chunk_size_chars, self._plan.groups
        encoder = self._encoder.opened
        self._on_open()  # a long document takes seconds to be cut
        parcel, matched = prepare(document, encoder, size_chars, groups)
        texts = [text for several in matched for text in several]
        keys = [self._cache.key(text.text) for text in texts]
        entries = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in entries}
        return Cut(parcel, keys, entries, missing, parcel.dump())
