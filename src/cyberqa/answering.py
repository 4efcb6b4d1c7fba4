"""Hits in, an Answer's passages out: verbatim text, its citation, and the sentence that answers."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from cyberqa.duplicates import fold_repeats
from cyberqa.embedding.token_codec import cosines
from cyberqa.index.generation import Generation
from cyberqa.location import Locator
from cyberqa.matching import NO_SENTENCE
from cyberqa.retrieval.forms import Form
from cyberqa.retrieval.late import token_weights
from cyberqa.types import Chunk, Citation, Document, Excerpt, Hit, Note, Passage, Repeat, Span


def make_passages(generation: Generation, hits: Sequence[Hit], question: Form, k: int) -> tuple[Passage, ...]:
    """Return the passages of the ``k`` best of ``hits`` that differ, in their order."""
    locators: dict[str, Locator] = {}
    return tuple(
        _passage(generation, hit, repeats, question, locators) for hit, repeats in fold_repeats(generation, hits, k)
    )


def _passage(
    generation: Generation, hit: Hit, repeats: Sequence[Hit], question: Form, locators: dict[str, Locator]
) -> Passage:
    chunk = generation.chunk(hit.row)
    document = generation.document(chunk.document)
    locator = _locator(document, locators)
    best = chunk.sentences[_best_sentence(generation, hit.row, question)]
    passage = _excerpt(document, locator, chunk.span)
    return Passage(
        rank=hit.rank,
        score=hit.score,
        confidence=None,
        text=passage.text,
        location=passage.location,
        highlight=_excerpt(document, locator, best),
        continuation=_excerpt(document, locator, chunk.continuation) if chunk.continuation else None,
        citation=_cite(document, chunk),
        notes=_notes(generation, document, locator, chunk),
        also_in=tuple(_repeat(generation, repeat, locators) for repeat in repeats),
    )


def _best_sentence(generation: Generation, row: int, question: Form) -> int:
    codes, _ = generation.token_codes(np.array([row]))
    found = cosines(question.tokens, codes)
    sentences = generation.token_sentences(row)
    places = np.unique(sentences[sentences != NO_SENTENCE])
    weights = token_weights(generation, question)
    scores = [weights @ found[:, sentences == place].max(axis=1) for place in places]
    return int(places[int(np.argmax(scores))]) if len(places) else 0


def _repeat(generation: Generation, hit: Hit, locators: dict[str, Locator]) -> Repeat:
    chunk = generation.chunk(hit.row)
    locator = _locator(generation.document(chunk.document), locators)
    return Repeat(**asdict(locator.locate(chunk.span)), document=chunk.document)


def _locator(document: Document, locators: dict[str, Locator]) -> Locator:
    return locators.get(document.id) or locators.setdefault(document.id, Locator(document))


def _notes(generation: Generation, document: Document, locator: Locator, chunk: Chunk) -> tuple[Note, ...]:
    spans = [chunk.span, *([chunk.continuation] if chunk.continuation else [])]
    found = [footnote for span in spans for footnote in generation.footnotes(document.id, span)]
    return tuple(
        Note(footnote.label, document.text[footnote.span.start : footnote.span.end], locator.locate(footnote.span))
        for footnote in found
    )


def _excerpt(document: Document, locator: Locator, span: Span) -> Excerpt:
    return Excerpt(document.text[span.start : span.end], locator.locate(span))


def _cite(document: Document, chunk: Chunk) -> Citation:
    return Citation(
        document=document.id,
        title=document.title,
        publisher=document.metadata.publisher,
        year=document.metadata.year,
        language=document.language,
        section=chunk.section,
        sha256=document.sha256,
        text_sha256=document.text_sha256,
        reader=document.reader,
    )
