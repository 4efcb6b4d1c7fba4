"""A document and its chunks in, a Parcel out: all that it brings to a generation."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cyberqa import chunking, matching
from cyberqa.embedding import Encoder
from cyberqa.index import lexical, typos
from cyberqa.index.capitals import count_forms
from cyberqa.index.parcel import Parcel
from cyberqa.names.collecting import find_names
from cyberqa.types import JSON, Chunk, Document, Span


def prepare(document: Document, encoder: Encoder, size_chars: int) -> tuple[Parcel, list[str]]:
    """Cut a document and count its words; return what it brings, and the texts that its chunks are matched by."""
    window, count = encoder.info.window_tokens, encoder.count_tokens
    chunks = chunking.chunk_document(document, size_chars=size_chars, count_tokens=count, window_tokens=window)
    trails = {
        section: matching.trail_text(document.title, section, count, window) for section in {c.section for c in chunks}
    }
    matched = [matching.matched_text(document, chunk, trails[chunk.section]) for chunk in chunks]
    texts = [m.text for m in matched]
    before, refers = matching.neighbours(document, chunks)
    inside, forms = count_forms(document.text)
    found = find_names(document.text)
    pieces, sentences = _tokens(chunks, matched, encoder)
    parcel = Parcel(
        document=_columns(document),
        pages=[(page.number, page.label, page.span.start, page.span.end) for page in document.pages],
        footnotes=[
            (f.reference, f.label, f.span.start, f.span.end) for f in document.footnotes if f.reference is not None
        ],
        chunks=[_chunk_row(chunk) for chunk in chunks],
        chars=[len(chunk.span) + len(chunk.continuation or ()) for chunk in chunks],
        before=before,
        refers=refers,
        pieces=pieces,
        sentences=sentences,
        terms=[lexical.count_terms(text, document.language) for text in texts],
        words=typos.count_words(texts),
        inside=inside,
        forms=forms,
        definitions=found.definition_rows(),
        lower_case=found.lower_case,
        names=found.counts,
    )
    return parcel, texts


def _tokens(
    chunks: Sequence[Chunk], matched: Sequence[matching.Matched], encoder: Encoder
) -> tuple[list[list[int]], list[str]]:
    """Return for each chunk its different word pieces, and the sentence of each token, in hexadecimal."""
    pieces: list[list[int]] = []
    sentences: list[str] = []
    for chunk, text in zip(chunks, matched, strict=True):
        tokens = encoder.tokenize(text.text)
        pieces.append(np.unique(tokens.ids[tokens.is_word]).tolist())
        starts = tokens.spans[tokens.is_word, 0]
        sentences.append(matching.sentences_of(chunk, text, starts).tobytes().hex())
    return pieces, sentences


def _columns(document: Document) -> JSON:
    about = document.metadata
    return {
        "title": document.title,
        "publisher": about.publisher,
        "year": about.year,
        "language": document.language,
        "source": about.source,
        "tags": json.dumps(about.tags, ensure_ascii=False),
        "sha256": document.sha256,
        "text_sha256": document.text_sha256,
        "reader": document.reader,
        "encoding": document.encoding,
        "has_lines": document.has_lines,
        "blocks": json.dumps(Counter(block.kind.value for block in document.blocks), sort_keys=True),
        "repairs": json.dumps([(repair.kind, repair.page, repair.count) for repair in document.repairs]),
        "warnings": json.dumps(document.warnings, ensure_ascii=False),
        "text": document.text,
    }


def _chunk_row(chunk: Chunk) -> tuple[Any, ...]:
    rest = chunk.continuation
    return (
        chunk.kind.value,
        chunk.span.start,
        chunk.span.end,
        json.dumps(chunk.section, ensure_ascii=False),
        _spans(chunk.sentences),
        json.dumps((rest.start, rest.end)) if rest else None,
        _spans(chunk.context),
    )


def _spans(spans: Iterable[Span]) -> str:
    return json.dumps([(span.start, span.end) for span in spans])
