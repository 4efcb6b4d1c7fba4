"""The least that a question can cost: the imports, the graph, one encoding, and nothing else.

Run by cold_ask.py as a process of its own. Everything above this figure is our own doing.
"""

import json
import sqlite3  # noqa: F401 - imported because a question needs it
import sys

import faiss  # noqa: F401
import numpy as np
import onnxruntime
import Stemmer  # noqa: F401 - the lexical side: the rest of it is numpy
import typer  # noqa: F401
from tokenizers import Tokenizer

from cyberqa.embedding import bundled


def main() -> None:
    """Encode one question."""
    folder = bundled.graph_folder(onnxruntime.__version__)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        str(folder / bundled.MODEL_FILE), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(folder / bundled.TOKENIZER_FILE))
    tokenizer.no_padding()
    ids = np.array([tokenizer.encode("who supported ALCIRT's creation").ids], dtype=np.int64)
    vectors, _ = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    json.dump({"dim": len(vectors[0])}, sys.stdout)


if __name__ == "__main__":
    main()
