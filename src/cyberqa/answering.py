"""Hits in, an Answer's passages out: verbatim text, its citation, and the sentence that answers."""

from collections.abc import Sequence

import numpy as np

from cyberqa.embedding.token_codec import cosines
from cyberqa.index.generation import Generation
from cyberqa.location import Locator
from cyberqa.matching import NO_SENTENCE
from cyberqa.retrieval.forms import Form
from cyberqa.retrieval.late import token_weights
from cyberqa.surrounding import sentences_around
from cyberqa.types import Chunk, Citation, Document, Excerpt, Hit, Note, Passage, Span, Surroundings


def make_passages(generation: Generation, hits: Sequence[Hit], question: Form, context: int = 0) -> tuple[Passage, ...]:
    """Return the passages of ``hits``, in their order, with up to ``context`` sentences before and after each."""
    locators: dict[str, Locator] = {}
    return tuple(_passage(generation, hit, question, locators, context) for hit in hits)


def _passage(generation: Generation, hit: Hit, question: Form, locators: dict[str, Locator], context: int) -> Passage:
    chunk = generation.chunk(hit.row)
    document = generation.document(chunk.document)
    locator = locators.get(document.id) or locators.setdefault(document.id, Locator(document))
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
        context=_surroundings(generation, document, locator, hit.row, context) if context else None,
        signals=hit.signals,
    )


def _surroundings(generation: Generation, document: Document, locator: Locator, row: int, count: int) -> Surroundings:
    before, after = sentences_around(generation, row, count)
    return Surroundings(
        _excerpt(document, locator, before) if before else None, _excerpt(document, locator, after) if after else None
    )


def _best_sentence(generation: Generation, row: int, question: Form) -> int:
    codes, _ = generation.token_codes(np.array([row]))
    found = cosines(question.tokens, codes)
    sentences = generation.token_sentences(row)
    places = np.unique(sentences[sentences != NO_SENTENCE])
    weights = token_weights(generation, question)
    scores = [weights @ found[:, sentences == place].max(axis=1) for place in places]
    return int(places[int(np.argmax(scores))]) if len(places) else 0


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
