"""An index, open, with its encoder: what ``ask``, ``batch`` and Python share."""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from cyberqa import languages
from cyberqa.answering import make_passages
from cyberqa.embedding import Encoder, load_encoder
from cyberqa.errors import IncompatibleIndexError, UsageError
from cyberqa.filtering import matching_documents, parse_filter
from cyberqa.index.generation import Generation, Mask
from cyberqa.index.state import changed_files
from cyberqa.retrieval import Mode, retrieve
from cyberqa.retrieval.forms import encode_form
from cyberqa.retrieval.reranking import RERANKED, Reranker, load_reranker, rerank
from cyberqa.settings import Settings, load_settings
from cyberqa.types import Answer, IndexInfo, Verdict

DEFAULT_TOP_K = 5
_FILTERS_KEPT = 8


class Session:
    """Answers questions from one generation, which it keeps for as long as it is open."""

    def __init__(
        self,
        generation: Generation,
        encoder: Encoder,
        changes: list[str] | None,
        corpus: Path | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self.generation = generation
        self.changes = changes
        """What has changed since the index was made, by name; None where it cannot be told."""
        self._encoder = encoder
        self._corpus = corpus
        self.reranker = reranker
        """What reads the best passages once more; None where nothing does."""
        self._chunks_of = lru_cache(_FILTERS_KEPT)(self._find_chunks)  # a batch asks all its questions with one filter

    @classmethod
    def open(cls, settings: Settings, encoder: Encoder | None = None) -> "Session":
        """Open the current generation and the encoder it was made with.

        Raises:
            NoIndexError: nothing has been built.
            IncompatibleIndexError: another format, or another model than the settings name.
            SearchIndexError: the index is damaged.
            ModelError: the model or the re-ranker cannot be loaded.
        """
        generation = Generation.open_current(settings.index)
        made_with = generation.manifest.recipe.encoder
        if made_with.model == settings.model or encoder is not None:
            encoder = encoder or load_encoder(settings)
            if made_with.identity == encoder.info.identity:
                changes = changed_files(settings)
                if changes is not None and made_with.runtime != encoder.info.runtime:
                    changes.append(f"{encoder.info.runtime} (the index was made with {made_with.runtime})")
                return cls(generation, encoder, changes, settings.corpus, load_reranker(settings))
        wanted = (
            f"{settings.model} on {settings.device or 'cpu'}"
            if encoder is None
            else " ".join(map(str, encoder.info.identity))
        )
        prompts = "".join(f", {prompt!r}" for prompt in (made_with.query_prompt, made_with.document_prompt) if prompt)
        found = f"{made_with.model} on {made_with.device} ({made_with.graph}, {made_with.precision}{prompts})"
        raise IncompatibleIndexError(
            f"the index in {settings.index} was made with model {found}; the settings name {wanted}",
            hint="run: cyberqa index",
        )

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the generation."""
        self.generation.close()

    @property
    def language_note(self) -> str:
        """One line on documents in languages that the model does not cover; empty where there are none."""
        info = self._encoder.info
        if info.languages is None:
            return ""
        return languages.coverage_note(languages.uncovered(self.generation.languages(), info.languages), info.model)

    def matching_documents(self, documents: Sequence[str] = (), where: Sequence[str] = ()) -> list[str]:
        """Return the ids of the documents that a question with this filter is put to, sorted.

        Raises:
            UsageError: a condition that cannot be understood.
            CorpusError: no document matches.
        """
        return matching_documents(parse_filter(documents, where), self.generation.metadata(), self._corpus)

    def ask(
        self,
        question: str,
        k: int = DEFAULT_TOP_K,
        mode: Mode = Mode.HYBRID,
        *,
        context: int = 0,
        documents: Sequence[str] = (),
        where: Sequence[str] = (),
    ) -> Answer:
        """Return the ``k`` passages that answer best.

        Args:
            question: in words.
            k: how many passages, at most.
            mode: which sides are asked.
            context: up to how many sentences before and after each passage come with it.
            documents: globs of document ids, or paths into the corpus folder: documents that match one are asked.
            where: conditions that all hold of these, such as ``"year>=2015"`` (:mod:`cyberqa.filtering`).

        Raises:
            UsageError: an empty question, ``k`` below 1, ``context`` below 0, or a condition that cannot be understood.
            CorpusError: no document matches the filter.
        """
        documents, where = ((given,) if isinstance(given, str) else given for given in (documents, where))
        if not question.strip():
            raise UsageError("the question is empty", hint='ask one: cyberqa ask "who supported ALCIRT\'s creation"')
        question = question.encode("utf-8", "replace").decode("utf-8")  # bytes that the shell could not decode
        if k < 1:
            raise UsageError(f"expected at least 1 passage, found {k}")
        if context < 0:
            raise UsageError(f"expected 0 sentences of context or more, found {context}")
        allowed = self._chunks_of(tuple(documents), tuple(where)) if documents or where else None
        clock = _Clock()
        forms = [encode_form(self._encoder, question)]
        clock.lap("encode")
        hits = retrieve(self.generation, forms, max(k, RERANKED) if self.reranker else k, mode, allowed)
        clock.lap("retrieve")
        if self.reranker:
            hits = rerank(self.generation, self._encoder, self.reranker, question, hits)[:k]
            clock.lap("re-rank")
        passages = make_passages(self.generation, hits, forms[0], context)
        clock.lap("answer")
        manifest = self.generation.manifest
        return Answer(
            question=question,
            verdict=Verdict.UNJUDGED,
            confidence=None,
            threshold=None,
            calibration=None,
            missing=(),
            passages=passages,
            index=IndexInfo(
                generation=manifest.generation,
                model=manifest.recipe.encoder.model,
                documents=len(manifest.recipe.documents) - len(manifest.failures),
                chunks=manifest.chunks,
                stale=None if self.changes is None else bool(self.changes),
            ),
            question_forms=tuple(form.text for form in forms),
            timings_ms=clock.laps_ms,
        )

    def _find_chunks(self, documents: tuple[str, ...], where: tuple[str, ...]) -> Mask:
        return self.generation.chunks_of(self.matching_documents(documents, where))


class _Clock:
    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps_ms[name] = (now - self._last) * 1000
        self._last = now


def open_session(index: str | Path | None = None, **settings: Any) -> Session:
    """Open an index for questions: ``cyberqa.open("index").ask("…").passages[0].text``.

    ``settings`` are those of cyberqa.toml, by name. See :meth:`Session.open` for errors.
    """
    return Session.open(load_settings({"index": index, **settings}))
