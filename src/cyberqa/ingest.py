"""Makes the index agree with the corpus: the only writer. Compares, reads, chunks, embeds, publishes."""

import contextlib
import hashlib
import importlib.metadata
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyberqa import chunking, corpus, languages, matching, tables
from cyberqa.documents import load_bytes, read_bytes, read_document, reader_for
from cyberqa.documents.language import DETECTOR, with_language
from cyberqa.documents.reading import Reading
from cyberqa.documents.workers import Limits, WorkerPool, is_read_in_process
from cyberqa.embedding import Encoder, load_encoder
from cyberqa.embedding.token_codec import CODEC, Codes, codec_for
from cyberqa.errors import CorpusError, CyberqaError, DocumentError, SearchIndexError
from cyberqa.index.cache import Entry, VectorCache
from cyberqa.index.files import discard
from cyberqa.index.generation import Generation
from cyberqa.index.lock import writer_lock
from cyberqa.index.manifest import Manifest, Recipe, current_generation, generation_folder
from cyberqa.index.publishing import is_whole, make_current, sweep_generations, sweep_scratch
from cyberqa.index.state import IndexState
from cyberqa.index.tokens import ChunkTokens
from cyberqa.index.writing import IndexedDocument, write_generation
from cyberqa.names.collecting import AliasCollector, names_rules
from cyberqa.names.given import Groups, read_aliases
from cyberqa.settings import Settings, load_settings
from cyberqa.types import JSON, Chunk, Document, Metadata, Vector

CHUNKER = "chunks/3"
"""Raised with any change of the rules in sentences.py, matching.py, tables/ and chunking.py."""

_TOOLS = (
    "charset-normalizer", "htmldate", "justext", "lxml", "lxml_html_clean", "markdown-it-py", "nupunkt", "py3langid",
    "pypdf", "pypdfium2", "pystemmer", "python-docx", "tokenizers", "trafilatura",
)  # fmt: skip
"""Libraries whose release may change what is read, cut or counted."""

_CACHED_AT_ONCE = 64  # vectors that an interruption may cost
_BEGUN_PER_WORKER = 2  # documents read before their turn, so that workers read while this process embeds
CACHE_FILE = "cache/vectors.sqlite"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: what it is doing, documents done, texts embedded, and the share of the bytes done.

    ``is_waiting`` says that it does nothing until another builder is done.
    """

    stage: str
    documents_done: int = 0
    documents: int = 0
    embedded: int = 0
    share: float = 0.0
    is_waiting: bool = False


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build found and did. ``failures`` maps a file's id to the reason why it is not in the index.

    ``warnings`` maps a document's id to what a reader of its quotations should know; ``repairs`` counts, by kind, what
    was mended while the documents of the index were read; ``uncovered`` maps a language that the model does not cover
    to the documents in it.
    """

    generation: str
    is_new: bool
    documents: int
    chunks: int
    embedded: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    model: str = ""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    uncovered: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


def build_index(
    settings: Settings,
    *,
    encoder: Encoder | None = None,
    rebuild: bool = False,
    use_cache: bool = True,
    on_progress: OnProgress = lambda _: None,
) -> BuildReport:
    """Make the index agree with the corpus, and current.

    Args:
        settings: where both are, and how to cut and embed.
        encoder: the encoder to use instead of the one that the settings name.
        rebuild: read every file again even when nothing has changed; vectors come from the cache.
        use_cache: False forgets the cached vectors first.
        on_progress: called as the build goes on.

    Raises:
        CorpusError: no corpus folder, or no document in it that can be read.
        ModelError: the model cannot be loaded.
        SearchIndexError: another builder holds the index for longer than ``settings.lock_timeout_s``.
    """
    corpus.list_files(settings)  # a missing corpus must not leave an index folder behind
    with writer_lock(settings.index, settings.lock_timeout_s, lambda why: on_progress(Progress(why, is_waiting=True))):
        sweep_scratch(settings.index)
        report = _build(settings, encoder, rebuild, use_cache, on_progress)
        sweep_generations(settings.index, report.generation, settings.keep_generations)
        return report


def _build(
    settings: Settings, encoder: Encoder | None, rebuild: bool, use_cache: bool, on_progress: OnProgress
) -> BuildReport:
    on_progress(Progress("preparing the model (15 s the first time)"))
    encoder = encoder or load_encoder(settings)
    state = IndexState.take(settings)  # one listing for all that follows: what comes later makes the index stale
    sources = corpus.read_sources(settings.corpus)
    if not state.documents():
        raise CorpusError(
            f"no documents in {settings.corpus}",
            hint="put reports into it: .txt, .md, .rst, .csv, .tsv, .pdf, .docx or .html files",
        )
    groups = read_aliases(settings.corpus)
    rules = {**_rules(settings), "names": names_rules(groups)}
    recipe = Recipe(encoder.info, rules, _tool_versions(), _describe(state, sources))
    before = _previous_manifest(settings.index)
    manifest = None if rebuild or not use_cache else _finished_manifest(settings.index, recipe.generation, before)
    pool = WorkerPool(Limits.from_settings(settings))
    build = _Build(settings, encoder, sources, state, groups, pool, on_progress)
    if manifest is None:
        identity = (*encoder.info.identity, encoder.info.runtime)
        with pool, VectorCache(settings.index / CACHE_FILE, identity, encoder.info.dim) as cache:
            if not use_cache:
                cache.clear()
            names = AliasCollector(groups)
            manifest = write_generation(settings.index, recipe, build.documents(cache), build.failures, names)
            if cache.was_damaged:
                build.warnings[CACHE_FILE] = ("it was damaged, and was begun anew",)
    if len(manifest.failures) == len(recipe.documents):
        discard(generation_folder(settings.index, manifest.generation))
        reasons = "; ".join(f"{id_}: {reason}" for id_, reason in sorted(manifest.failures.items()))
        raise CorpusError(
            f"no document in {settings.corpus} can be read ({reasons})",
            hint="mend or replace the files, then run: cyberqa index",
        )
    if before is None or before.generation != manifest.generation:
        make_current(settings.index, manifest.generation)
    state.write(settings.index)  # last: after an interruption before it the index is called stale, never fresh
    with contextlib.closing(Generation(generation_folder(settings.index, manifest.generation))) as generation:
        return _report(manifest, before, build, generation)


def _report(manifest: Manifest, before: Manifest | None, build: "_Build", generation: Generation) -> BuildReport:
    old = _digests(before) if before else {}
    new = _digests(manifest)
    return BuildReport(
        generation=manifest.generation,
        is_new=before is None or before.generation != manifest.generation,
        documents=len(new),
        chunks=manifest.chunks,
        embedded=build.embedded,
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(id_ for id_ in new.keys() & old.keys() if new[id_] != old[id_])),
        removed=tuple(sorted(old.keys() - new.keys())),
        failures=manifest.failures,
        warnings=build.warnings | generation.warnings(),
        model=manifest.recipe.encoder.model,
        repairs=generation.repair_counts(),
        uncovered=languages.uncovered(generation.languages(), build.covered),
    )


def _digests(manifest: Manifest) -> dict[str, str]:
    described = manifest.recipe.documents
    return {id_: json.dumps(about, sort_keys=True) for id_, about in described.items() if id_ not in manifest.failures}


def _describe(state: IndexState, sources: Mapping[str, Metadata]) -> dict[str, JSON]:
    described: dict[str, JSON] = {}
    for id_, file in state.documents().items():
        with contextlib.suppress(DocumentError):
            described[_printable(id_)] = {
                "sha256": file.sha256,
                "reader": reader_for(id_),
                "metadata": asdict(sources.get(id_, Metadata())),
            }
            continue
        described[_printable(id_)] = {"sha256": file.sha256, "reader": None}
    return described


def _printable(id_: str) -> str:
    """Return an id that can be written down: bytes that are not UTF-8 become escapes."""
    return id_.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _rules(settings: Settings) -> dict[str, str | int]:
    return {
        "chunker": CHUNKER,
        "codec": CODEC,
        "detector": DETECTOR,
        "size_chars": settings.chunk_size_chars,
        "max_file_mb": settings.max_file_mb,
        **asdict(Limits.from_settings(settings)),
    }


def _tool_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _TOOLS}


def _previous_manifest(index: Path) -> Manifest | None:
    try:
        return Manifest.load(generation_folder(index, current_generation(index)))
    except SearchIndexError:
        return None


def _finished_manifest(index: Path, generation: str, before: Manifest | None) -> Manifest | None:
    """Return the manifest of a generation that is there already, whole; of one that is to answer again, to the bit."""
    folder = generation_folder(index, generation)
    try:
        manifest = Manifest.load(folder)
    except SearchIndexError:
        return None
    is_current = before is not None and before.generation == generation
    return manifest if is_whole(folder, manifest, by_digest=not is_current) else None


class _Build:
    """One pass over the corpus: reads, cuts and embeds document by document, and notes what went wrong."""

    def __init__(
        self,
        settings: Settings,
        encoder: Encoder,
        sources: Mapping[str, Metadata],
        state: IndexState,
        groups: Groups,
        workers: WorkerPool,
        on_progress: OnProgress,
    ) -> None:
        self.failures: dict[str, str] = {}
        self.warnings = _unused(sources, state)
        self.embedded = 0
        self.covered = encoder.info.languages
        self._settings = settings
        self._encoder = encoder
        self._sources = sources
        self._state = state.documents()
        self._groups = groups
        self._workers = workers
        self._on_progress = on_progress
        self._done = 0
        self._bytes_done = 0.0
        self._bytes = sum(file.size_bytes for file in self._state.values()) or 1

    def documents(self, cache: VectorCache) -> Iterator[IndexedDocument]:
        """Yield every document that can be read, sorted by id."""
        for id_, read in self._ahead():
            self._tell()
            try:
                document = with_language(read())
                chunks = self._cut(document)
            except DocumentError as error:
                self.failures[_printable(id_)] = error.message
            except CyberqaError:
                raise
            except Exception as error:  # a fault of ours, or of a library's: it must cost this document only
                self.failures[_printable(id_)] = f"reading it failed unexpectedly ({type(error).__name__}: {error})"
            else:
                yield self._index(document, chunks, cache)
            self._done += 1
            self._bytes_done += self._state[id_].size_bytes

    def _ahead(self) -> Iterator[tuple[str, Callable[[], Document]]]:
        """Yield each id and what returns its document; what workers read is begun some places before its turn."""
        begun: deque[tuple[str, Callable[[], Document]]] = deque()
        for id_ in self._state:
            begun.append((id_, self._begin(id_)))
            if len(begun) > _BEGUN_PER_WORKER * self._workers.size:
                yield begun.popleft()
        yield from begun

    def _begin(self, id_: str) -> Callable[[], Document]:
        if is_read_in_process(id_, self._state[id_].size_bytes):
            return partial(self._read, id_, read_bytes)
        return self._workers.submit(self._read, id_, self._workers.read).result

    def _read(self, id_: str, read: Callable[[str, bytes], Reading]) -> Document:
        path, known = self._settings.corpus / id_, self._state[id_].sha256
        if corpus.leads_outside(path, self._settings.corpus):
            raise DocumentError("it is a link to a place outside the corpus; copy the file instead")
        try:
            data = load_bytes(path, self._settings.max_file_mb)
        except DocumentError:
            if corpus.file_state(path).sha256 == known:
                raise
            data = b""
        if known is not None and hashlib.sha256(data).hexdigest() != known:
            # To leave it out would be a result that does not follow from the recipe.
            raise CorpusError(f"{id_} changed while it was being indexed", hint="run: cyberqa index")
        return read_document(id_, data, self._sources.get(id_), read=read)

    def _cut(self, document: Document) -> list[Chunk]:
        return chunking.chunk_document(
            document,
            size_chars=self._settings.chunk_size_chars,
            count_tokens=self._encoder.count_tokens,
            window_tokens=self._encoder.info.window_tokens,
        )

    def _index(self, document: Document, chunks: Sequence[Chunk], cache: VectorCache) -> IndexedDocument:
        window, count = self._encoder.info.window_tokens, self._encoder.count_tokens
        trails = {
            section: matching.trail_text(document.title, section, count, window)
            for section in {c.section for c in chunks}
        }
        fronts = [trails[chunk.section] for chunk in chunks]
        matched = [matching.matched_text(document, *each) for each in zip(chunks, fronts, strict=True)]
        views = tables.views_of_tables(document, chunks, fronts, self._groups, count, window)
        every = [(own, *more) for own, more in zip(matched, views, strict=True)]
        texts = [each.text for several in every for each in several]
        entries = iter(self._entries(texts, self._state[document.id].size_bytes, cache))
        found = [[(each, next(entries)) for each in several] for several in every]
        tokens = [self._tokens(several) for several in found]
        vectors = np.stack([_common_vector([entry.vector for _, entry in several]) for several in found])
        own = [each.text for each in matched]
        return IndexedDocument(document, chunks, own, vectors, tokens, *matching.neighbours(document, chunks))

    def _tokens(self, several: Sequence[tuple[matching.Matched, Entry]]) -> ChunkTokens:
        """Return the tokens of a chunk's own text, and those of its other texts without what stands in front."""
        parts = [self._tokens_of(*each, start=each[0].front if n else 0) for n, each in enumerate(several)]
        return ChunkTokens(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _tokens_of(
        self, matched: matching.Matched, entry: Entry, start: int
    ) -> tuple[Codes, NDArray[np.int64], NDArray[np.uint8]]:
        tokens = self._encoder.tokenize(matched.text)
        starts = tokens.spans[tokens.is_word, 0]
        kept = starts >= start
        sentences = matching.sentences_of(matched, starts[kept])
        return entry.codes[kept], tokens.ids[tokens.is_word][kept], sentences

    def _entries(self, texts: Sequence[str], size_bytes: int, cache: VectorCache) -> list[Entry]:
        known = cache.get(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        done = 0
        for entries in _batches(self._embed(missing), _CACHED_AT_ONCE):
            cache.put(entries)
            known.update(entries)
            done += len(entries)
            self.embedded += len(entries)
            self._tell(size_bytes * done / len(missing))
        return [known[text] for text in texts]

    def _embed(self, texts: Sequence[str]) -> Iterator[tuple[str, Entry]]:
        for text, encoding in zip(texts, self._encoder.encode(texts), strict=True):
            words = encoding.tokens[self._encoder.tokenize(text).is_word]
            yield text, Entry(encoding.vector, codec_for(self._encoder.info, words.shape[1]).encode(words))

    def _tell(self, bytes_more: float = 0.0) -> None:
        share = (self._bytes_done + bytes_more) / self._bytes
        self._on_progress(Progress("indexing", self._done, len(self._state), self.embedded, share))


def _unused(sources: Mapping[str, Metadata], state: IndexState) -> dict[str, tuple[str, ...]]:
    missing = sorted(sources.keys() - state.documents().keys())
    return (
        {corpus.SOURCES_FILE: tuple(f"it describes {id_!r}, which is not there" for id_ in missing)} if missing else {}
    )


def _common_vector(vectors: Sequence[Vector]) -> Vector:
    """Return the direction between a chunk's own vector and the mean of its other texts' vectors."""
    if len(vectors) == 1:
        return vectors[0]
    both = vectors[0] + np.mean(vectors[1:], axis=0)
    common: Vector = both / np.linalg.norm(both)
    return common


def _batches(items: Iterator[tuple[str, Entry]], size: int) -> Iterator[list[tuple[str, Entry]]]:
    while batch := list(islice(items, size)):
        yield batch


# --- the Python door -----------------------------------------------------------------------------------------


def build_from(
    corpus: str | Path | None = None,
    index: str | Path | None = None,
    *,
    rebuild: bool = False,
    **settings: Any,
) -> BuildReport:
    """Make an index agree with a corpus folder: ``cyberqa.build("corpus", "index")``.

    ``settings`` are those of cyberqa.toml, by name. See :func:`build_index` for errors.
    """
    return build_index(load_settings({"corpus": corpus, "index": index, **settings}), rebuild=rebuild)
