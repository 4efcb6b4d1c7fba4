"""Scores held to their formulas by brute force; tokens in the index held to the encoder."""

import math

import numpy as np
import pytest

from conftest import QUESTION, FakeEncoder, bm25_scores
from cyberqa.embedding.token_codec import TokenCodec, codec_for, has_fitted_codec
from cyberqa.ingest import build_index
from cyberqa.matching import NO_SENTENCE, chunks_before, matched_text, trail_text
from cyberqa.retrieval import Mode, retrieve
from cyberqa.retrieval.forms import Query, encode_forms
from cyberqa.retrieval.late import (
    BORROWED_FROM_BEFORE,
    IDF_POWER,
    late_interaction,
    token_weights,
)
from cyberqa.session import Session
from test_chunking import chunks_of
from test_documents import read


def decoded(codes: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Each token as its centroids, one for every eight dimensions."""
    return np.array(
        [
            np.concatenate([centroids[code, 8 * part : 8 * part + 8] for part, code in enumerate(token)])
            for token in codes
        ]
    )


def test_a_code_names_the_nearest_centroids_and_cosines_are_those_of_the_centroids():
    random = np.random.default_rng(1)
    weights, offset = random.normal(size=(6, 16)).astype(np.float32), random.normal(size=16).astype(np.float32)
    centroids = random.normal(size=(256, 16)).astype(np.float32)
    codec = TokenCodec(weights, offset, centroids)
    tokens = random.normal(size=(5, 6)).astype(np.float32)
    codes = codec.encode(tokens)
    question = codec.project(tokens)
    assert np.allclose(np.linalg.norm(question, axis=1), 1)
    for token, code in zip(question, codes, strict=True):
        for part, number in enumerate(code):
            dims = slice(8 * part, 8 * part + 8)
            assert number == np.argmin(((centroids[:, dims] - token[dims]) ** 2).sum(axis=1))
    assert np.allclose(codec.cosines(question[:3], codes), decoded(codes, centroids) @ question[:3].T, atol=1e-5)


def test_where_nothing_was_fitted_a_code_holds_the_signs():
    rows = np.random.default_rng(2).normal(size=(4, 32)).astype(np.float32)
    codec = codec_for(FakeEncoder().info, 32)
    assert np.array_equal(codec.encode(rows), np.packbits(rows > 0, axis=1))
    signs = np.where(rows > 0, 1, -1) / math.sqrt(32)
    assert np.allclose(codec.cosines(codec.project(rows), codec.encode(rows)), signs @ codec.project(rows).T, atol=1e-6)


def test_only_the_bundled_model_has_a_fitted_codec(session):
    assert has_fitted_codec(session._encoder.info)
    assert not has_fitted_codec(FakeEncoder().info)


def test_the_best_cosines_of_chunks_are_the_best_of_their_tokens_whatever_is_asked_beside():
    random = np.random.default_rng(3)
    codec = codec_for(FakeEncoder().info, 256)
    codes = random.integers(0, 256, (700, 32), dtype=np.uint8)
    question = random.normal(size=(21, 256)).astype(np.float32)
    firsts = np.array([0, 1, 90, 600])
    found = codec.best_cosines(question, codes, firsts)
    expected = np.stack([part.max(axis=0) for part in np.split(codec.cosines(question, codes), firsts[1:])])
    assert np.array_equal(found, expected)
    for tokens in (1, 7, 16, 20):
        assert np.array_equal(codec.best_cosines(question[:tokens], codes, firsts), found[:, :tokens])


def test_a_model_of_other_dimensions_gets_a_codec_that_is_the_same_every_time():
    encoder = FakeEncoder()
    for dim, dims in ((32, 32), (20, 16), (768, 256)):
        rows = np.random.default_rng(2).normal(size=(4, dim)).astype(np.float32)
        codes = codec_for(encoder.info, dim).encode(rows)
        assert codes.shape == (4, dims // 8)
        assert np.array_equal(codes, codec_for(encoder.info, dim).encode(rows))


def test_the_tokens_in_the_index_are_those_of_the_matched_text(session):
    generation, encoder = session.generation, session._encoder
    row = next(
        r for r in range(generation.manifest.chunks) if generation.contents.chunk(r).section[-1:] == ("4.1 Albania",)
    )
    chunk = generation.contents.chunk(row)
    document = generation.contents.document(chunk.document)
    window = encoder.info.window_tokens
    trail = trail_text(document.title, chunk.section, encoder.count_tokens, window)
    matched = matched_text(document, chunk, trail)
    tokens = encoder.tokenize(matched.text)
    rows = next(encoder.encode([matched.text])).tokens[tokens.is_word]
    codes, _ = generation.tokens.codes(np.array([row]))
    assert np.array_equal(codes, codec_for(encoder.info, rows.shape[1]).encode(rows))
    sentences = generation.tokens.sentences(row, len(chunk.sentences))
    starts = tokens.spans[tokens.is_word, 0]
    assert np.array_equal(sentences == NO_SENTENCE, starts < matched.front)
    for place, sentence in enumerate(chunk.sentences[:-1]):
        inside = starts[sentences == place] - matched.front + chunk.span.start
        assert sentence.start <= inside.min() <= inside.max() < sentence.end


def test_all_that_is_stored_of_a_passage_takes_at_most_6_kb(real_index, session):
    folder = real_index / "generations" / session.generation.manifest.generation
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size / session.generation.manifest.chunks <= 6 * 1024


def best_matches(generation, form, row: int) -> np.ndarray:
    codes, _ = generation.tokens.codes(np.array([row]))
    return form.codec.cosines(form.tokens, codes).max(axis=0)


@pytest.mark.parametrize("question", [QUESTION, "which law does the footnote on Montenegro's CIRT name", "¿?"])
def test_late_interaction_is_the_weighted_best_match_with_what_may_be_borrowed(session, question):
    generation = session.generation
    form = encode_forms(session._encoder, [question])[0]
    rows = np.arange(0, generation.manifest.chunks, 7)
    [found] = late_interaction(generation, [form], rows)
    n = generation.manifest.chunks
    held = [float(generation.pieces[id_]) for id_ in form.ids]
    weights = np.array([math.log(1 + (n - df + 0.5) / (df + 0.5)) ** IDF_POWER for df in held])
    weights /= weights.sum()
    assert np.allclose(token_weights(generation, form), weights, atol=1e-6)
    for row, score in zip(rows, found, strict=True):
        best = best_matches(generation, form, row)
        beside = generation.rows[row]
        if beside["before"] >= 0:
            best = np.maximum(best, best_matches(generation, form, int(beside["before"])) - BORROWED_FROM_BEFORE)
        assert score == pytest.approx(float(weights @ best), abs=1e-5)


def test_the_score_is_the_sum_of_its_signals(session):
    generation = session.generation
    form = encode_forms(session._encoder, [QUESTION])[0]
    bm25 = bm25_scores(generation, QUESTION)
    for hit in retrieve(generation, Query((form,)), 10):
        row = np.array([hit.row])
        expected = {
            "late interaction": float(late_interaction(generation, [form], row)[0][0]),
            "passage vector": 0.1 * float(generation.vectors.of_rows(row)[0] @ form.vector),
            "words": 0.02 * float(bm25[hit.row] / bm25.max()),
        }
        assert hit.signals == pytest.approx(expected, abs=1e-5)
        assert hit.score == pytest.approx(sum(expected.values()), abs=1e-5)


def test_each_side_works_alone(session):
    form = encode_forms(session._encoder, [QUESTION])[0]
    lexical = retrieve(session.generation, Query((form,)), 5, Mode.LEXICAL)
    assert {frozenset(hit.signals) for hit in lexical} == {frozenset({"words"})}
    assert lexical[0].score == pytest.approx(1.0)
    dense = retrieve(session.generation, Query((form,)), 5, Mode.DENSE)
    assert all("words" not in hit.signals for hit in dense)


def test_the_best_form_counts(session):
    generation, encoder = session.generation, session._encoder
    forms = encode_forms(encoder, [QUESTION, "who financed the Albanian CERT"])
    hits = retrieve(generation, Query(tuple(forms)), 5)
    rows = np.sort([hit.row for hit in hits])
    alone = [late_interaction(generation, [form], rows)[0] for form in forms]
    expected = dict(zip(rows.tolist(), np.max(alone, axis=0).tolist(), strict=True))
    assert {hit.row: hit.signals["late interaction"] for hit in hits} == pytest.approx(expected, abs=1e-6)


def test_the_chunk_before_is_of_running_text_and_of_the_same_section():
    text = "Report\n\n1 A\n\nFirst¹ thing.\n\n¹ The note.\n\nSecond thing.\n\n2 B\n\nThird thing.\n"
    document = read(text)
    chunks = chunks_of(document, FakeEncoder())
    texts = [document.text[c.span.start : c.span.end] for c in chunks]
    assert texts == ["First¹ thing.", "¹ The note.", "Second thing.", "Third thing."]
    assert chunks_before(chunks) == [-1, -1, 0, -1]


def test_a_chunk_without_any_word_is_found_by_nothing_and_breaks_nothing(settings):
    (settings.corpus / "marks.txt").write_text("Marks\n\n1 A\n\n*** --- ***\n\n2 B\n\nWords again.\n", "utf-8")
    build_index(settings, encoder=FakeEncoder())
    with Session.open(settings, FakeEncoder()) as session:
        assert session.ask("Words again", k=10).passages[0].text == "Words again."
