"""An index, open, with its encoder: what ``ask``, ``batch`` and Python share."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cyberqa import languages
from cyberqa.answering import make_passages
from cyberqa.duplicates import fold_repeats
from cyberqa.embedding import Encoder, load_encoder
from cyberqa.errors import IncompatibleIndexError, SearchIndexError, UsageError
from cyberqa.filtering import matching_documents, parse_filter
from cyberqa.index.generation import Generation
from cyberqa.index.state import changed_files
from cyberqa.judging.calibration import Judgement, calibration_for
from cyberqa.judging.gathering import Found, gather, read_lexicon, read_query
from cyberqa.judging.ordering import ORDERED, put_in_order
from cyberqa.judging.signs import Judged, Signs, judge
from cyberqa.judging.words import Lexicon
from cyberqa.retrieval import RANKING, Mode, parse_mode, retrieve
from cyberqa.retrieval.forms import Query
from cyberqa.retrieval.reading import make_query
from cyberqa.retrieval.reranking import Reranker, load_reranker, rerank
from cyberqa.settings import Settings, load_settings
from cyberqa.types import Answer, Hit, IndexInfo, Mask, Passage

DEFAULT_TOP_K = 5
_SPARE = 20  # hits beyond those asked for, that repeats make room for or are found among
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
        self._is_closed = False
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
        """Let go of the generation; nothing can be asked then."""
        self._is_closed = True
        self.generation.close()

    @property
    def uncovered(self) -> Mapping[str, Sequence[str]]:
        """Language code -> ids of the documents in it, for each language that the model does not cover."""
        return languages.uncovered(self.generation.contents.languages(), self._encoder.info.languages)

    def matching_documents(self, documents: Sequence[str] = (), where: Sequence[str] = ()) -> list[str]:
        """Return the ids of the documents that a question with this filter is put to, sorted.

        Raises:
            UsageError: a condition that cannot be understood.
            CorpusError: no document matches.
        """
        return matching_documents(parse_filter(documents, where), self.generation.contents.metadata(), self._corpus)

    def ask(
        self,
        question: str,
        k: int = DEFAULT_TOP_K,
        mode: Mode | str = Mode.HYBRID,
        *,
        context: int = 0,
        min_confidence: float | None = None,
        documents: Sequence[str | Path] = (),
        where: Sequence[str] = (),
    ) -> Answer:
        """Return the ``k`` passages that answer best.

        Args:
            question: in words.
            k: how many passages, at most.
            mode: which sides are asked: ``hybrid``, or ``dense`` or ``lexical`` alone.
            context: up to how many sentences before and after each passage come with it.
            min_confidence: from which confidence on a question counts as answered, in place of the shipped threshold.
            documents: globs of document ids, or paths into the corpus folder: documents that match one are asked.
            where: conditions that all hold of these, such as ``"year>=2015"`` (:mod:`cyberqa.filtering`).

        Raises:
            UsageError: an empty question, no such mode, ``k`` below 1, ``context`` below 0, a confidence outside 0 to
                1, a condition that cannot be understood, or an argument of another type.
            CorpusError: no document matches the filter.
            SearchIndexError: the session is closed, or the index is damaged.
        """
        if self._is_closed:
            raise SearchIndexError("this session is closed", hint="open another with cyberqa.open")
        _check_arguments(question, k, context, min_confidence)
        question = question.encode("utf-8", "replace").decode("utf-8")  # bytes that the shell could not decode
        mode = parse_mode(mode)
        documents, where = _texts(documents, "documents"), _texts(where, "conditions")
        allowed = self._chunks_of(documents, where) if documents or where else None
        clock = _Clock()
        query = make_query(question, self.generation, self._encoder)
        clock.lap("encode")
        hits = retrieve(self.generation, query, k + _SPARE, mode, allowed)
        clock.lap("retrieve")
        if self.reranker:
            hits = rerank(self.generation, self._encoder, self.reranker, query.asked.text, hits)
            clock.lap("re-rank")
        is_judged = mode is Mode.HYBRID and not self.reranker
        found = self._gather(query, hits, k, is_judged)
        judgement = self._judge(found, is_judged, min_confidence)
        shown = [(each.found, each.repeats) for each in found[:k]]
        passages = make_passages(self.generation, shown, judgement.passage_confidences[:k], context)
        clock.lap("answer")
        manifest = self.generation.manifest
        return Answer(
            question=question,
            verdict=judgement.verdict,
            confidence=judgement.confidence,
            threshold=judgement.threshold,
            calibration=judgement.calibration,
            missing=judgement.missing,
            reason=judgement.reason,
            passages=passages,
            index=IndexInfo(
                generation=manifest.generation,
                model=manifest.recipe.encoder.model,
                documents=manifest.documents_read,
                chunks=manifest.chunks,
                stale=None if self.changes is None else bool(self.changes),
            ),
            question_forms=tuple(dict.fromkeys(form.text for form in (query.asked, *query.forms))),
            timings_ms=clock.laps_ms,
        )

    def _find_chunks(self, documents: tuple[str, ...], where: tuple[str, ...]) -> Mask:
        return self.generation.contents.chunks_of(self.matching_documents(documents, where))

    def signs(self, question: str, k: int) -> list[tuple[Passage, Signs]]:
        """Return the ``k`` best passages with the signs that their confidence rests on."""
        query = make_query(question, self.generation, self._encoder)
        found = self._gather(query, retrieve(self.generation, query, k + _SPARE), k, is_judged=True)[:k]
        passages = make_passages(self.generation, [(each.found, ()) for each in found], [None] * len(found))
        return [(passage, each.judged.signs) for passage, each in zip(passages, found, strict=True) if each.judged]

    def _gather(self, query: Query, hits: Sequence[Hit], k: int, is_judged: bool) -> list["_Gathered"]:
        """Return the ``k`` best hits that differ, with what they bring; at least so many as are put in order.

        Order and verdict must not hang on how many are shown. Where nothing is judged they stay in the order they have.
        """
        folded = fold_repeats(self.generation, hits, max(k, ORDERED))
        asked = read_query(query, self._lexicon)
        found = gather(self.generation, [hit for hit, _ in folded], query, asked, self._lexicon)
        if not is_judged:
            return [_Gathered(each, repeats, None) for each, (_, repeats) in zip(found, folded, strict=True)]
        judged = [judge(asked, each.exhibit, self._lexicon) for each in found]
        ordered = put_in_order([each.hit for each in found], [each.signs for each in judged])
        return [_Gathered(replace(found[place], hit=hit), folded[place][1], judged[place]) for place, hit in ordered]

    def _judge(self, found: Sequence["_Gathered"], is_judged: bool, threshold: float | None) -> Judgement:
        size_chars = int(self.generation.manifest.recipe.rules["size_chars"])
        calibration = calibration_for(self._encoder.info.identity, RANKING, size_chars) if is_judged else None
        if calibration is None:
            return Judgement.unjudged(len(found))
        scores = [each.found.hit.score for each in found]
        return Judgement.of(calibration, [each.judged for each in found if each.judged], scores, threshold)

    @cached_property
    def _lexicon(self) -> Lexicon:
        return read_lexicon(self.generation)


def _check_arguments(question: object, k: object, context: object, min_confidence: object) -> None:
    if not isinstance(question, str):
        raise UsageError(f"expected a question in words, found {question!r}")
    if not question.strip():
        raise UsageError("the question is empty", hint='ask one: cyberqa ask "who supported ALCIRT\'s creation"')
    if not isinstance(k, int) or k < 1:
        raise UsageError(f"expected at least 1 passage, found {k!r}")
    if not isinstance(context, int) or context < 0:
        raise UsageError(f"expected 0 sentences of context or more, found {context!r}")
    if min_confidence is not None and not (isinstance(min_confidence, int | float) and 0 <= min_confidence <= 1):
        raise UsageError(f"expected a confidence from 0 to 1, found {min_confidence!r}")


def _texts(given: object, what: str) -> tuple[str, ...]:
    """Return one text, or several, as a tuple; a path is one."""
    if isinstance(given, str | Path):
        return (str(given),)
    several = tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(each, str | Path) for each in several):
        raise UsageError(f"expected {what} as texts, found {given!r}")
    return tuple(map(str, several))


@dataclass(frozen=True, slots=True)
class _Gathered:
    """A passage to be shown, with the hits that repeat it and, where it was judged, what was found."""

    found: Found
    repeats: Sequence[Hit]
    judged: Judged | None


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
    return Session.open(load_settings({"index": index, **settings}, origin="the call"))
