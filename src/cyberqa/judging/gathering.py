"""What the judges need of a generation: its words, and what each found passage brings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cyberqa.embedding.token_codec import cosines
from cyberqa.index.generation import Generation
from cyberqa.index.words import index_terms
from cyberqa.judging.highlighting import choose_window, sentence_maxima
from cyberqa.judging.questions import Question, read_question
from cyberqa.judging.signals import Evidence
from cyberqa.judging.words import Lexicon, Places, places_of
from cyberqa.matching import NO_SENTENCE
from cyberqa.names.aliases import Kind
from cyberqa.names.shipped import shipped_countries
from cyberqa.retrieval.forms import Query
from cyberqa.retrieval.late import token_weights
from cyberqa.types import Chunk, Document, Hit

_TEXTS_KEPT = 4096  # stems of sentences that a session has seen
_FORM_KINDS = (Kind.SHORT, Kind.NAME, Kind.BYNAME)


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with its chunk and document, and the evidence that it brings."""

    hit: Hit
    chunk: Chunk
    document: Document
    evidence: Evidence


def read_lexicon(generation: Generation) -> Lexicon:
    """Return what a generation knows of words. They are stemmed as English where any document is, else as the first."""
    languages = generation.languages()
    language = "en" if "en" in languages else next(iter(languages), None)
    return Lexicon(
        stems=lru_cache(_TEXTS_KEPT)(lambda text: tuple(index_terms(text, language))),
        frequency=generation.document_frequency,
        begins=generation.has_word_like,
        chunks=generation.manifest.chunks,
        capitals=generation.capitals,
        places=_places(generation.places()),
        all_places=lru_cache(1)(lambda: _places(shipped_countries())),
    )


def _places(names: Iterable[tuple[str, str]]) -> Places:
    rows: dict[str, list[str]] = {}
    for word, country in names:
        rows.setdefault(country, [country]).append(word)
    return places_of(rows.values())


def read_query(query: Query, lexicon: Lexicon) -> Question:
    """Return what a question names and asks for; its typos are read as the word that was meant."""
    asked = query.asked
    pairs = [(term.word, term.text) for term in query.terms if term.kind in _FORM_KINDS]
    pairs += [(term.text, term.word) for term in query.terms if term.kind is Kind.LONG]
    meant = {correction.typed.casefold(): correction.meant for correction in reversed(query.corrections)}
    return read_question(asked.text, [(int(a), int(b)) for a, b in asked.spans], lexicon, pairs, meant)


def gather(generation: Generation, hit: Hit, query: Query) -> Found:
    """Return a hit with what it brings."""
    chunk = generation.chunk(hit.row)
    document = generation.document(chunk.document)
    asked = query.asked
    codes, _ = generation.token_codes(np.array([hit.row]))
    stored = generation.token_sentences(hit.row)
    numbers = np.where(stored == NO_SENTENCE, -1, stored.astype(np.int64))
    front_maxima, maxima = sentence_maxima(cosines(asked.tokens, codes), numbers, len(chunk.sentences))
    texts = [document.text[span.start : span.end] for span in chunk.sentences]
    introduces = [number for number, text in enumerate(texts) if text.endswith(":")]
    first, last = choose_window(maxima, token_weights(generation, asked), chunk.sentences, introduces)
    if chunk.continuation:
        texts[-1] += " " + document.text[chunk.continuation.start : chunk.continuation.end]
    header = [document.text[span.start : span.end] for span in chunk.context]
    vector = generation.chunk_vectors(np.array([hit.row]))[0]
    evidence = Evidence(
        front="\n".join([document.title, *chunk.section, *header]),
        sentences=texts,
        first=first,
        last=last,
        section=chunk.section,
        header="\n".join(header),
        around=_around(generation, hit.row, chunk, document),
        cosine=max(float(vector @ form.vector) for form in (asked, query.forms[0])),
        front_maxima=front_maxima,
        maxima=maxima,
    )
    return Found(hit, chunk, document, evidence)


def _around(generation: Generation, row: int, chunk: Chunk, document: Document) -> str:
    """Return the text of the chunks before and after in the same section."""
    beside: Sequence[int] = [near for near in (row - 1, row + 1) if 0 <= near < generation.manifest.chunks]
    chunks = [generation.chunk(near) for near in beside]
    same = [other for other in chunks if (other.document, other.section) == (chunk.document, chunk.section)]
    return " ".join(document.text[other.span.start : other.span.end] for other in same)
