"""The bundled model's exported graph on ONNX Runtime: the light path of every question, and of indexing too."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from cyberqa.embedding import Encoder, EncoderInfo, Encoding, Tokens, bundled, check_window, tokens_of
from cyberqa.errors import ModelError
from cyberqa.settings import usable_cores

_IN_FLIGHT_PER_CORE = 4


class GraphEncoder(Encoder):
    """Runs the graph one text of an index a call, each call on one thread; several texts share the cores.

    The ways to ask one question are run together: reading the weights is most of what a short text costs. Their vectors
    are those of each alone to 1e-6 only, which an index could not bear.
    """

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, info: EncoderInfo) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._info = info

    @classmethod
    def load(cls) -> "GraphEncoder":
        """Open the graph from the user's cache; export it first where it is missing.

        Raises:
            ModelError: the bundled weights are not the pinned ones, or the export failed.
        """
        folder = bundled.graph_folder(onnxruntime.__version__)
        if not bundled.is_complete(folder):
            export_graph(folder)
        tokenizer = Tokenizer.from_file(str(folder / bundled.TOKENIZER_FILE))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        info = bundled.encoder_info(folder, onnxruntime.__version__)
        return cls(_open_session(folder / bundled.MODEL_FILE), tokenizer, info)

    @property
    def info(self) -> EncoderInfo:
        """See Encoder."""
        return self._info

    def count_tokens(self, text: str) -> int:
        """See Encoder."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def tokenize(self, text: str) -> Tokens:
        """See Encoder."""
        found = self._tokenizer.encode(text)
        return tokens_of(text, found.ids, found.offsets)

    def encode(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """See Encoder."""
        remaining = iter(texts)
        first = list(islice(remaining, 2))
        if len(first) < 2:  # a single question needs no threads
            yield from map(self._encode_one, first)
            return
        from concurrent.futures import ThreadPoolExecutor

        cores = usable_cores()
        with ThreadPoolExecutor(cores) as pool:
            window = [
                pool.submit(self._encode_one, text)
                for text in [*first, *islice(remaining, cores * _IN_FLIGHT_PER_CORE)]
            ]
            try:
                while window:
                    yield window.pop(0).result()
                    window.extend(pool.submit(self._encode_one, text) for text in islice(remaining, 1))
            finally:
                pool.shutdown(cancel_futures=True)

    def encode_queries(self, questions: Sequence[str]) -> list[Encoding]:
        """See Encoder."""
        return self._run(questions) if questions else []

    def _run(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the encodings of some texts, in one call."""
        found = [self._tokenizer.encode(text).ids for text in texts]
        ids = np.zeros((len(found), max(map(len, found))), np.int64)
        exists = np.zeros_like(ids)
        for row, (text, own) in enumerate(zip(texts, found, strict=True)):
            check_window(text, len(own) - bundled.SPECIAL_TOKENS, self._info.window_tokens)
            ids[row, : len(own)] = own
            exists[row, : len(own)] = 1
        vectors, tokens = self._session.run(None, {"input_ids": ids, "attention_mask": exists})
        return [Encoding(vector, rows[: len(own)]) for vector, rows, own in zip(vectors, tokens, found, strict=True)]

    def _encode_one(self, text: str) -> Encoding:
        return self._run([text])[0]


def _open_session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The exporter has optimised the graph already: doing it again costs 40 ms a question.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no public base
        raise ModelError(
            f"the exported model {model} cannot be opened: {error}",
            hint=f"delete {model.parent}; it is exported again",
        ) from error


def export_graph(folder: Path) -> None:
    """Export the bundled model into ``folder``, in a child process: torch never enters this one.

    Raises:
        ModelError: with the child's last words.
    """
    import subprocess
    import sys

    child = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "cyberqa.embedding.export", str(folder)],
        env={**os.environ, **bundled.OFFLINE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode:
        last = child.stderr.strip().splitlines()[-1:] or [f"exit status {child.returncode}"]
        raise ModelError(
            f"the bundled model could not be prepared: {last[0]}",
            hint="reinstall cyberqa and its dependencies",
        )
