"""What the judges need of a generation: its words, and what each found passage brings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial

import numpy as np

from cyberqa.index.generation import Generation
from cyberqa.index.words import index_terms
from cyberqa.judging.highlighting import Cosines, choose_rows, choose_window, sentence_maxima
from cyberqa.judging.instances import counts
from cyberqa.judging.questions import Question, read_question
from cyberqa.judging.signs import Exhibit
from cyberqa.judging.words import Lexicon, Places, places_of
from cyberqa.matching import NO_SENTENCE
from cyberqa.names.aliases import Kind
from cyberqa.retrieval import LATE_INTERACTION
from cyberqa.retrieval.forms import Query
from cyberqa.retrieval.late import token_weights
from cyberqa.types import BlockKind, Chunk, Document, Hit, Vector

_TEXTS_KEPT = 4096  # stems of sentences that a session has seen
_ABBREVIATION_KINDS = (Kind.SHORT, Kind.NAME, Kind.BYNAME)


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with its chunk and document, and the exhibit that it brings."""

    hit: Hit
    chunk: Chunk
    document: Document
    exhibit: Exhibit


def read_lexicon(generation: Generation) -> Lexicon:
    """Return what a generation knows of words. They are stemmed as English where any document is, else as the first."""
    languages = generation.contents.languages()
    language = "en" if "en" in languages else next(iter(languages), None)
    return Lexicon(
        stems=lru_cache(_TEXTS_KEPT)(lambda text: tuple(index_terms(text, language))),
        frequency=generation.vocabulary.document_frequency,
        word_frequency=generation.vocabulary.word_frequency,
        begins=generation.vocabulary.has_word_like,
        chunks=generation.manifest.chunks,
        capitals=generation.vocabulary.capitals,
        places=_places(generation.aliases.places()),
        all_places=_all_places,
    )


@cache
def _all_places() -> Places:
    from cyberqa.names.shipped import shipped_countries  # reads TOML, which few questions need

    return _places(shipped_countries())


def _places(names: Iterable[tuple[str, str]]) -> Places:
    rows: dict[str, list[str]] = {}
    for word, country in names:
        rows.setdefault(country, [country]).append(word)
    return places_of(rows.values())


def read_query(query: Query, lexicon: Lexicon) -> Question:
    """Return what a question names and asks for; its typos are read as the word that was meant."""
    asked = query.asked
    pairs = [(term.word, term.text) for term in query.other_names if term.kind in _ABBREVIATION_KINDS]
    pairs += [(term.text, term.word) for term in query.other_names if term.kind is Kind.LONG]
    meant = {correction.typed.casefold(): correction.meant for correction in reversed(query.corrections)}
    return read_question(asked.text, [(int(a), int(b)) for a, b in asked.spans], lexicon, pairs, meant)


def gather(
    generation: Generation, hits: Sequence[Hit], query: Query, question: Question, lexicon: Lexicon
) -> list[Found]:
    """Load the chunk and document of each hit, and return it with its exhibit; ``question`` is ``query``, read."""
    if not hits:
        return []
    rows = np.array([hit.row for hit in hits])
    codes, firsts = generation.tokens.codes(rows)
    parts = np.split(query.asked.codec.cosines(query.asked.tokens, codes), firsts[1:])
    weights = token_weights(generation, query.asked)
    vectors = generation.vectors.of_rows(rows)
    counting = partial(counts, stems=question.counted, lexicon=lexicon) if question.counted else None
    return [
        _found(generation, hit, query, weights, counting, *own) for hit, *own in zip(hits, vectors, parts, strict=True)
    ]


def _found(
    generation: Generation,
    hit: Hit,
    query: Query,
    weights: Cosines,
    counting: Callable[[str], bool] | None,
    vector: Vector,
    own: Cosines,
) -> Found:
    """``own`` are the cosines of the passage's tokens with the question's, ``(tokens, question tokens)``.

    ``counting`` tells whether a text counts what is asked for; None where nothing is to be counted.
    """
    chunk = generation.contents.chunk(hit.row)
    document = generation.contents.document(chunk.document)
    stored = generation.tokens.sentences(hit.row, len(chunk.sentences))
    numbers = np.where(stored == NO_SENTENCE, -1, stored.astype(np.int64))
    front_maxima, maxima = sentence_maxima(own, numbers, len(chunk.sentences))
    texts = [document.text[span.start : span.end] for span in chunk.sentences]
    introduces = [number for number, text in enumerate(texts) if text.endswith(":")]
    counted = [number for number, text in enumerate(texts) if counting and counting(text)]
    if chunk.kind is BlockKind.TABLE:
        first, last = choose_rows(maxima, weights, chunk.sentences)
    else:
        first, last = choose_window(maxima, weights, chunk.sentences, introduces, counted)
    if chunk.continuation:
        texts[-1] += " " + document.text[chunk.continuation.start : chunk.continuation.end]
    header = [document.text[span.start : span.end] for span in chunk.context]
    exhibit = Exhibit(
        front="\n".join([document.title, *chunk.section, *header]),
        sentences=texts,
        first=first,
        last=last,
        section=chunk.section,
        header="\n".join(header),
        around=_around(generation, hit.row, chunk, document),
        nearness=_nearness(hit, vector, query),
        front_maxima=front_maxima,
        maxima=maxima,
    )
    return Found(hit, chunk, document, exhibit)


def _nearness(hit: Hit, vector: Vector, query: Query) -> float:
    """Return the mean of the cosine (as typed or mended) and of late interaction, whose best form counts.

    A search by words alone has no late interaction, and its answers no confidence that this could change.
    """
    cosine = max(float(vector @ form.vector) for form in (query.asked, query.forms[0]))
    return (cosine + hit.signals.get(LATE_INTERACTION, 0.0)) / 2


def _around(generation: Generation, row: int, chunk: Chunk, document: Document) -> str:
    """Return the text of the chunks before and after in the same section."""
    beside: Sequence[int] = [near for near in (row - 1, row + 1) if 0 <= near < generation.manifest.chunks]
    chunks = [generation.contents.chunk(near) for near in beside]
    same = [other for other in chunks if (other.document, other.section) == (chunk.document, chunk.section)]
    return " ".join(document.text[other.span.start : other.span.end] for other in same)
