"""Makes the index agree with the corpus: the only writer. Compares, reads, chunks, embeds, publishes."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cyberqa import corpus, languages
from cyberqa.documents.workers import Limits, WorkerPool
from cyberqa.embedding import Encoder
from cyberqa.embedding.token_codec import CODEC
from cyberqa.errors import CorpusError, SearchIndexError
from cyberqa.index.cache import CACHE_FILE, Cache
from cyberqa.index.files import discard
from cyberqa.index.generation import Generation
from cyberqa.index.lock import writer_lock
from cyberqa.index.manifest import Manifest, generation_folder
from cyberqa.index.publishing import is_whole, make_current, sweep_generations, sweep_scratch
from cyberqa.index.state import IndexState
from cyberqa.index.writing import write_generation
from cyberqa.ingest.building import Builder
from cyberqa.ingest.cutting import DocumentChangedError
from cyberqa.ingest.keys import Keys
from cyberqa.ingest.on_demand import EncoderOnDemand
from cyberqa.ingest.planning import Plan
from cyberqa.ingest.reporting import BuildReport, Changes, OnProgress, PlanReport, Progress, readable
from cyberqa.names.collecting import AliasCollector
from cyberqa.settings import Settings, load_settings
from cyberqa.types import Metadata

__all__ = ["BuildReport", "OnProgress", "PlanReport", "Progress", "build_from", "build_index", "plan_index"]

_MEGABYTE = 1_000_000
_ATTEMPTS = 3  # where a document changes while it is indexed; what is embedded is not embedded again


def build_index(
    settings: Settings,
    *,
    encoder: Encoder | None = None,
    rebuild: bool = False,
    use_cache: bool = True,
    prune: bool = False,
    on_progress: OnProgress = lambda _: None,
    change_corpus: Callable[[], object] = lambda: None,
) -> BuildReport:
    """Make the index agree with the corpus, and current.

    Args:
        settings: where both are, and how to cut and embed.
        encoder: the encoder to use instead of the one that the settings name.
        rebuild: read every file again even when nothing has changed; vectors come from the cache.
        use_cache: False forgets all that is cached first.
        prune: drop from the cache what this index does not need.
        on_progress: called as the build goes on.
        change_corpus: called once no other builder is at work, before the corpus is looked at.

    Raises:
        CorpusError: no corpus folder, or no document in it that can be read.
        ModelError: the model cannot be loaded.
        SearchIndexError: another builder holds the index for longer than ``settings.lock_timeout_s``.
    """
    started = time.perf_counter()
    corpus.check_folder(settings)  # a missing corpus must not leave an index folder behind
    with writer_lock(settings.index, settings.lock_timeout_s, lambda why: on_progress(Progress(why, is_waiting=True))):
        change_corpus()
        sweep_scratch(settings.index)
        on_demand = EncoderOnDemand(settings, encoder, on_progress)
        for attempt in range(1, _ATTEMPTS + 1):
            plan = Plan.make(settings, on_demand.info, trusting=use_cache and not rebuild)
            work = _Work(settings, on_demand, plan, on_progress)
            try:
                begins_empty = not use_cache and attempt == 1
                manifest = work.finished(anew=rebuild or not use_cache, begins_empty=begins_empty, prune=prune)
                break
            except DocumentChangedError as error:
                if attempt == _ATTEMPTS:
                    raise
                on_progress(Progress(f"beginning again: {error.message}"))
        _check_any_read(settings, manifest)
        if plan.before is None or plan.before.generation != manifest.generation:
            make_current(settings.index, manifest.generation)
        plan.state.write(settings.index)  # last: after an interruption before it the index is called stale, never fresh
        with contextlib.closing(Generation(generation_folder(settings.index, manifest.generation))) as generation:
            report = work.report(manifest, generation)
        sweep_generations(settings.index, manifest.generation, settings.keep_generations)
    return replace(report, seconds=time.perf_counter() - started)


def plan_index(settings: Settings, *, encoder: Encoder | None = None) -> PlanReport:
    """Return what :func:`build_index` would do, as far as can be told without reading a document; writes nothing.

    Raises:
        CorpusError: no corpus folder, or no document in it.
        ModelError: the model cannot be loaded.
    """
    started = time.perf_counter()
    corpus.check_folder(settings)
    report = Plan.make(settings, EncoderOnDemand(settings, encoder, lambda _: None).info).report()
    return replace(report, seconds=time.perf_counter() - started)


class _Work:
    """One build: what it needs, and what it has to tell in the end."""

    def __init__(self, settings: Settings, encoder: EncoderOnDemand, plan: Plan, on_progress: OnProgress) -> None:
        self._settings = settings
        self._encoder = encoder
        self._plan = plan
        self._on_progress = on_progress
        self._embedded = 0
        self._pruned_bytes = 0
        self._warnings = _unused(plan.sources, plan.state)

    def finished(self, *, anew: bool, begins_empty: bool, prune: bool) -> Manifest:
        """Return the manifest of the planned generation, having written it where it is not there.

        ``anew`` writes it in any case, and takes nothing but vectors from the cache; ``begins_empty`` not even these.

        Raises:
            DocumentChangedError: while it was written.
        """
        manifest = None if anew else _finished_manifest(self._settings.index, self._plan)
        if manifest is None or prune:
            with _said_in_words(self._settings.index), self._open_cache() as cache:
                if begins_empty:
                    cache.clear()
                manifest = manifest or self._write(cache, reread=anew)
                self._make_room(cache, prune=prune)
        return manifest

    def _open_cache(self) -> Cache:
        info = self._encoder.info
        made_with = (*info.identity, info.runtime, CODEC)
        return Cache(self._settings.index / CACHE_FILE, made_with, info.dim)

    def _write(self, cache: Cache, *, reread: bool) -> Manifest:
        """Write the generation; with ``reread``, of cached things only vectors are taken."""
        plan = self._plan
        names = AliasCollector(plan.groups)
        with WorkerPool(Limits.from_settings(self._settings)) as pool:
            builder = Builder(self._settings, self._encoder, plan, cache, pool, self._on_progress, reread=reread)
            with contextlib.closing(builder.documents()) as documents:
                manifest = write_generation(self._settings.index, plan.recipe, documents, builder.failures, names)
        self._embedded = builder.embedded
        if cache.was_damaged:
            self._warnings[CACHE_FILE] = ("it was damaged, and was begun anew",)
        return manifest

    def _make_room(self, cache: Cache, *, prune: bool) -> None:
        """Drop what this index does not need: all of it with ``prune``, else what is over the bound."""
        max_bytes = 0 if prune else self._settings.cache_mb * _MEGABYTE
        if cache.size_bytes() > max_bytes:
            self._pruned_bytes = cache.prune(*Keys(self._plan).all_kept(), max_bytes)

    def report(self, manifest: Manifest, generation: Generation) -> BuildReport:
        """Return what was found and done."""
        plan = self._plan
        new = readable(manifest)
        changes = Changes.between(readable(plan.before) if plan.before else {}, new)
        return BuildReport(
            generation=manifest.generation,
            is_new=plan.before is None or plan.before.generation != manifest.generation,
            documents=len(new),
            chunks=manifest.chunks,
            embedded=self._embedded,
            added=changes.added,
            changed=changes.changed,
            renamed=changes.renamed,
            removed=changes.removed,
            unchanged=changes.unchanged,
            failures=manifest.failures,
            warnings=self._warnings | generation.contents.warnings(),
            model=manifest.recipe.encoder.model,
            repairs=generation.contents.repair_counts(),
            uncovered=languages.uncovered(generation.contents.languages(), self._encoder.info.languages),
            pruned_bytes=self._pruned_bytes,
        )


def _unused(sources: Mapping[str, Metadata], state: IndexState) -> dict[str, tuple[str, ...]]:
    missing = sorted(sources.keys() - state.documents().keys())
    return (
        {corpus.SOURCES_FILE: tuple(f"it describes {id_!r}, which is not there" for id_ in missing)} if missing else {}
    )


def _check_any_read(settings: Settings, manifest: Manifest) -> None:
    if manifest.documents_read:
        return
    discard(generation_folder(settings.index, manifest.generation))
    reasons = "; ".join(f"{id_}: {reason}" for id_, reason in sorted(manifest.failures.items()))
    raise CorpusError(
        f"no document in {settings.corpus} can be read ({reasons})",
        hint="mend or replace the files, then run: cyberqa index",
    )


@contextlib.contextmanager
def _said_in_words(index: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:  # the former is SQLite's word for a full disk
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SearchIndexError(
            f"the index in {index} cannot be written ({reason})", hint="free some space, then run: cyberqa index"
        ) from error


def _finished_manifest(index: Path, plan: Plan) -> Manifest | None:
    """Return the manifest of a generation that is there already, whole; of one that is to answer again, to the bit."""
    generation = plan.recipe.generation
    folder = generation_folder(index, generation)
    try:
        manifest = Manifest.load(folder)
    except SearchIndexError:
        return None
    is_current = plan.before is not None and plan.before.generation == generation
    return manifest if is_whole(folder, manifest, by_digest=not is_current) else None


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
    return build_index(
        load_settings({"corpus": corpus, "index": index, **settings}, origin="the call"), rebuild=rebuild
    )
