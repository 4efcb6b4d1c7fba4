"""A document and its chunks in, a Parcel out: all that it brings to a generation."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyberqa import chunking, matching, tables
from cyberqa.embedding import Encoder
from cyberqa.index import lexical, typos
from cyberqa.index.capitals import count_spellings
from cyberqa.index.parcel import Parcel
from cyberqa.names.collecting import find_names
from cyberqa.names.given import Groups
from cyberqa.types import JSON, Chunk, Document, Span


@dataclass(frozen=True, slots=True)
class MatchedText:
    """A text that a chunk is matched by, and which of its tokens are words."""

    text: str
    is_word: NDArray[np.bool_]


def prepare(
    document: Document, encoder: Encoder, size_chars: int, groups: Groups
) -> tuple[Parcel, list[list[MatchedText]]]:
    """Cut a document and count its words; return what it brings, and for each chunk the texts that it is matched by.

    ``groups`` are names that the user gives.
    """
    window, count = encoder.info.window_tokens, encoder.count_tokens
    chunks = chunking.chunk_document(document, size_chars=size_chars, count_tokens=count, window_tokens=window)
    trails = {
        section: matching.trail_text(document.title, section, count, window) for section in {c.section for c in chunks}
    }
    fronts = [trails[chunk.section] for chunk in chunks]
    own = [matching.matched_text(document, *each) for each in zip(chunks, fronts, strict=True)]
    views = tables.views_of_tables(document, chunks, fronts, groups, count, window)
    matched = [(text, *more) for text, more in zip(own, views, strict=True)]
    inside, spellings = count_spellings(document.text)
    found = find_names(document.text)
    tokens = [_tokens(texts, encoder) for texts in matched]
    parcel = Parcel(
        document=_columns(document),
        pages=[(page.number, page.label, page.span.start, page.span.end) for page in document.pages],
        footnotes=[
            (f.reference, f.label, f.span.start, f.span.end) for f in document.footnotes if f.reference is not None
        ],
        chunks=[_chunk_row(chunk) for chunk in chunks],
        before=matching.chunks_before(chunks),
        skipped=[each.skipped for each in tokens],
        pieces=[each.pieces for each in tokens],
        sentences=[each.sentences for each in tokens],
        terms=[lexical.count_terms(each.text, document.language) for each in own],
        words=typos.count_words([each.text for each in own]),
        inside=inside,
        spellings=spellings,
        definitions=found.definition_rows(),
        lower_case=found.lower_case,
        names=found.counts,
    )
    return parcel, [
        [MatchedText(each.text, is_word) for each, is_word in zip(texts, found.is_word, strict=True)]
        for texts, found in zip(matched, tokens, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Of a chunk: see Parcel; and of each of its texts, which tokens are words."""

    skipped: list[int]
    pieces: list[int]
    sentences: str
    is_word: list[NDArray[np.bool_]]


def _tokens(texts: Sequence[matching.Matched], encoder: Encoder) -> _Tokens:
    """Return the tokens of a chunk's own text, and those of its other texts without what stands in front."""
    skipped: list[int] = []
    pieces: set[int] = set()
    sentences = b""
    is_word: list[NDArray[np.bool_]] = []
    for place, text in enumerate(texts):
        tokens = encoder.tokenize(text.text)
        starts = tokens.spans[tokens.is_word, 0]
        first = int(np.searchsorted(starts, text.front)) if place else 0
        skipped.append(first)
        pieces.update(tokens.ids[tokens.is_word][first:].tolist())
        sentences += matching.sentences_of(text, starts[first:]).tobytes()
        is_word.append(tokens.is_word)
    return _Tokens(skipped, sorted(pieces), sentences.hex(), is_word)


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
