"""Other models by one setting, on models that the tests make: prompts, re-ranking, and staying at home."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from cyberqa import ingest
from cyberqa.cli import common
from cyberqa.embedding import bundled, load_encoder, needs_torch
from cyberqa.embedding.loading import stay_offline
from cyberqa.errors import IncompatibleIndexError, ModelError
from cyberqa.retrieval.reranking import load_reranker, rerank
from cyberqa.session import Session
from cyberqa.settings import Settings
from cyberqa.types import Hit
from model_kit import make_bi_encoder, make_cross_encoder
from test_offline import BLOCKER

PROMPTS = {"query": "query: ", "passage": "passage: what the "}
TEXT = "The beta law was adopted in Podgorica."


@pytest.fixture(scope="module")
def prompted(tmp_path_factory) -> Path:
    return make_bi_encoder(tmp_path_factory.mktemp("models") / "prompted", PROMPTS)


@pytest.fixture(scope="module")
def cross(tmp_path_factory) -> Path:
    return make_cross_encoder(tmp_path_factory.mktemp("models") / "cross")


def reference_rows(model: Path, prompt: str, text: str) -> tuple[np.ndarray, np.ndarray]:
    """The vector and the token rows of a prompted text, as sentence-transformers gives them."""
    from sentence_transformers import SentenceTransformer

    found = SentenceTransformer(str(model), device="cpu").encode([prompt + text], prompt="", output_value=None)[0]
    vector, tokens = (found[name].numpy() for name in ("sentence_embedding", "token_embeddings"))
    return vector / np.linalg.norm(vector), tokens / np.linalg.norm(tokens, axis=1, keepdims=True)


def test_questions_and_documents_are_read_behind_the_models_own_prompts(prompted):
    encoder = load_encoder(Settings(model=str(prompted)))
    assert (encoder.info.query_prompt, encoder.info.document_prompt) == (PROMPTS["query"], PROMPTS["passage"])
    for prompt, encoding in (
        (PROMPTS["query"], encoder.encode_queries([TEXT])[0]),
        (PROMPTS["passage"], next(encoder.encode([TEXT]))),
    ):
        vector, rows = reference_rows(prompted, prompt, TEXT)
        prompt_tokens = encoder.count_tokens(prompt)
        assert prompt_tokens in (2, 4)
        assert np.allclose(encoding.vector, vector, atol=1e-5)
        assert np.allclose(encoding.tokens, np.delete(rows, range(1, 1 + prompt_tokens), axis=0), atol=1e-5)
        assert len(encoding.tokens) == len(encoder.tokenize(TEXT).ids)


def test_counting_leaves_the_tokenizer_alone_that_another_thread_may_be_encoding_with(prompted):
    """Where both share one, it may be switched while it is borrowed, which is an error, or cut what is counted."""
    encoder = load_encoder(Settings(model=str(prompted)))
    next(encoder.encode([TEXT]))
    switches = encoder._model.tokenizer.backend_tokenizer
    before = (switches.truncation, switches.padding)
    assert before != (None, None)
    assert encoder.count_tokens("law " * 500) == len(encoder.tokenize("law " * 500).ids) - 2 == 500
    assert (switches.truncation, switches.padding) == before


def test_prompts_take_their_room_from_the_window(prompted):
    encoder = load_encoder(Settings(model=str(prompted)))
    assert encoder.info.window_tokens == 128 - 2 - 4
    next(encoder.encode(["law " * 122]))
    with pytest.raises(ValueError, match="exceeds the window of 122"):
        next(encoder.encode(["law " * 123]))
    with pytest.raises(ModelError, match="leave 6 tokens for text"):
        load_encoder(Settings(model=str(prompted), query_prompt="law " * 120))


def test_a_prompt_that_is_set_replaces_the_models_own_and_is_part_of_what_the_encoder_is(prompted):
    own = load_encoder(Settings(model=str(prompted)))
    other = load_encoder(Settings(model=str(prompted), query_prompt="", document_prompt="report: "))
    assert (other.info.query_prompt, other.info.document_prompt) == ("", "report: ")
    assert other.info.identity != own.info.identity
    assert not np.allclose(own.encode_queries([TEXT])[0].vector, other.encode_queries([TEXT])[0].vector, atol=1e-4)


def test_rows_fit_where_prompt_and_text_are_cut_otherwise_together(prompted):
    """ "le" and "team" become one word: each token of the text keeps a row, that of where it stands."""
    encoder = load_encoder(Settings(model=str(prompted), query_prompt="le"))
    encoding = encoder.encode_queries(["team met"])[0]
    _, rows = reference_rows(prompted, "le", "team met")
    assert (len(encoder.tokenize("team met").ids), len(rows)) == (4, 9)
    assert np.allclose(encoding.tokens, rows[[0, 3, 7, 8]], atol=1e-5)


def test_an_index_by_such_a_model_answers_and_refuses_other_prompts(prompted, settings):
    settings = replace(settings, model=str(prompted))
    ingest.build_index(settings)
    with Session.open(settings) as session:
        answer = session.ask("who voted against the beta law")
        assert (answer.verdict.value, answer.confidence, len(answer.passages)) == ("unjudged", None, 2)
    with pytest.raises(IncompatibleIndexError, match=r"'query: ', 'passage: what the '\); the settings name"):
        Session.open(replace(settings, query_prompt="ask: "))


def test_the_bundled_model_with_a_prompt_is_run_by_sentence_transformers():
    """A prompt that is set is never ignored."""
    assert needs_torch(Settings()) == []
    assert needs_torch(Settings(query_prompt="")) == []
    assert needs_torch(Settings(query_prompt="query: ", reranker="x")) == ["all-MiniLM-L6-v2", "x"]
    assert load_encoder(Settings(query_prompt="query: ")).info.query_prompt == "query: "


# --- re-ranking ----------------------------------------------------------------------------------------------


class Backwards:
    """Scores by hand: the shorter the text, the better."""

    name = "backwards"

    def __init__(self) -> None:
        self.read: list[str] = []

    def score(self, question, texts):
        self.read += texts
        return np.array([-len(text) for text in texts], np.float32)


def test_the_re_ranker_alone_orders_the_best_and_reads_what_is_matched(session):
    reranker = Backwards()
    reranked = Session(session.generation, session._encoder, [], reranker=reranker)
    found = reranked.ask("Albania CERT", k=3)
    assert len(reranker.read) == 3 + 20  # those asked for, and what takes the place of repeats
    assert [p.score for p in found.passages] == sorted((-len(text) for text in reranker.read), reverse=True)[:3]
    assert all(dict(p.signals) == {"re-ranker": p.score} for p in found.passages)
    best = {p.text for p in session.ask("Albania CERT", k=3 + 20).passages}
    assert {p.text for p in found.passages} <= best
    for passage in found.passages:
        shortest = next(text for text in reranker.read if len(text) == -passage.score)
        assert passage.text in shortest
        assert passage.citation.title in shortest or passage.citation.section[-1] in shortest


def test_more_passages_than_usual_are_all_re_ranked(session):
    reranker = Backwards()
    Session(session.generation, session._encoder, [], reranker=reranker).ask("Albania CERT", k=30)
    assert len(reranker.read) == 30 + 20
    assert rerank(session.generation, session._encoder, reranker, "x", []) == []


def test_equal_scores_keep_the_order_of_document_and_position(session):
    class Equal:
        name = "equal"

        def score(self, question, texts):
            return np.zeros(len(texts), np.float32)

    hits = [Hit(row, rank, 1.0) for rank, row in enumerate((9, 4, 7), 1)]
    ranked = rerank(session.generation, session._encoder, Equal(), "x", hits)
    assert [(hit.row, hit.rank) for hit in ranked] == [(4, 1), (7, 2), (9, 3)]


def test_a_cross_encoder_scores_as_sentence_transformers_does(cross):
    from sentence_transformers import CrossEncoder

    texts = [TEXT, "The alpha team met in Tirana in 2019.", "law " * 300]
    found = load_reranker(Settings(reranker=str(cross))).score("who voted", texts)
    expected = CrossEncoder(str(cross), device="cpu").predict([("who voted", text) for text in texts])
    assert np.allclose(found, expected, atol=1e-5)
    assert len(set(found.tolist())) == 3


def test_a_re_ranker_that_is_none_is_refused_in_words(tmp_path, prompted):
    with pytest.raises(ModelError, match=r"reranker .* cannot be loaded") as caught:
        load_reranker(Settings(reranker=str(tmp_path / "nowhere")))
    assert "set reranker to a local folder" in caught.value.hint
    with pytest.raises(ModelError, match="gives 3 scores a pair, expected 1"):
        load_reranker(Settings(reranker=str(make_cross_encoder(tmp_path / "three", labels=3))))


def test_local_models_open_no_socket_and_say_nothing(prompted, cross, settings, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCKER)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment |= {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])}
    environment |= {"CYBERQA_MODEL": str(prompted), "CYBERQA_RERANKER": str(cross)}
    folders = ["--corpus", str(settings.corpus), "--index", str(settings.index)]
    command = [sys.executable, "-m", "cyberqa", *folders, "ask", "--json", "--explain", "who voted"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for passage in json.loads(done.stdout)["passages"]:
        assert passage["explain"]["signals"] == {"re-ranker": passage["score"]}


def test_the_network_is_switched_off_only_where_every_model_is_a_folder(prompted, monkeypatch):
    def switches(**models) -> dict[str, str]:
        environment = {"TRANSFORMERS_OFFLINE": "0"}
        monkeypatch.setattr(os, "environ", environment)
        stay_offline(Settings(**models))
        monkeypatch.undo()
        return environment

    off = {**bundled.OFFLINE, "TRANSFORMERS_OFFLINE": "0"}
    assert switches(model=str(prompted)) == switches(reranker=str(prompted)) == off, "what the user has set stays"
    assert (
        switches(model="org/name")
        == switches(model=str(prompted), reranker="org/name")
        == {"TRANSFORMERS_OFFLINE": "0"}
    )


def test_without_a_setting_nothing_is_re_ranked():
    assert load_reranker(Settings()) is None


def test_a_terminal_is_told_why_it_waits(monkeypatch):
    terminal = StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    common._tell_cost(Settings(model="one", reranker="two"))
    assert terminal.getvalue() == ""
    terminal.isatty = lambda: True
    common._tell_cost(Settings())
    assert terminal.getvalue() == ""
    common._tell_cost(Settings(model="one", reranker="two"))
    assert terminal.getvalue() == "cyberqa: loading one and two with torch, which takes seconds\n"
