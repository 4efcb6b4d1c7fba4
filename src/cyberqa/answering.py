"""Hits in, an Answer's passages out: verbatim text, its citation, and the sentence that answers."""

from collections.abc import Sequence
from dataclasses import asdict

from cyberqa.index.generation import Generation
from cyberqa.judging.gathering import Found
from cyberqa.location import Locator
from cyberqa.surrounding import sentences_around
from cyberqa.types import Chunk, Citation, Document, Excerpt, Hit, Note, Passage, Repeat, Span, Surroundings


def make_passages(
    generation: Generation,
    found: Sequence[tuple[Found, Sequence[Hit]]],
    confidences: Sequence[float | None],
    context: int = 0,
) -> tuple[Passage, ...]:
    """Return the passages of what was found, in its order; each comes with the hits that repeat it.

    ``context`` is how many sentences are shown before and after each, at most.
    """
    return tuple(
        _passage(generation, each, repeats, confidence, context)
        for (each, repeats), confidence in zip(found, confidences, strict=True)
    )


def _passage(
    generation: Generation,
    found: Found,
    repeats: Sequence[Hit],
    confidence: float | None,
    context: int,
) -> Passage:
    hit, chunk, document, exhibit = found.hit, found.chunk, found.document, found.exhibit
    locator = generation.contents.locator(document.id)
    passage = _excerpt(document, locator, chunk.span)
    window = Span(chunk.sentences[exhibit.first].start, chunk.sentences[exhibit.last].end)
    return Passage(
        rank=hit.rank,
        score=hit.score,
        confidence=confidence,
        text=passage.text,
        location=passage.location,
        highlight=_excerpt(document, locator, window),
        continuation=_excerpt(document, locator, chunk.continuation) if chunk.continuation else None,
        citation=_cite(document, chunk),
        notes=_notes(generation, document, locator, chunk),
        also_in=tuple(_repeat(generation, repeat) for repeat in repeats),
        context=_surroundings(generation, document, locator, hit.row, context) if context else None,
        signals=hit.signals,
    )


def _surroundings(generation: Generation, document: Document, locator: Locator, row: int, count: int) -> Surroundings:
    before, after = sentences_around(generation, row, count)
    return Surroundings(
        _excerpt(document, locator, before) if before else None, _excerpt(document, locator, after) if after else None
    )


def _repeat(generation: Generation, hit: Hit) -> Repeat:
    chunk = generation.contents.chunk(hit.row)
    return Repeat(**asdict(generation.contents.locator(chunk.document).locate(chunk.span)), document=chunk.document)


def _notes(generation: Generation, document: Document, locator: Locator, chunk: Chunk) -> tuple[Note, ...]:
    spans = [chunk.span, *([chunk.continuation] if chunk.continuation else [])]
    found = [footnote for span in spans for footnote in generation.contents.footnotes(document.id, span)]
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
