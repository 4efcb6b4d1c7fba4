"""What the bundled model has learnt of questions and passages: low-rank additions to its weights, in the package.

all-MiniLM-L6-v2 was trained on one vector a text; here every word of a question looks for its match in a passage.
benchmarks/adapter/ taught it that by LoRA (Hu et al. 2021), first with questions on texts of many kinds, then with
questions on the five reports: a weight matrix W of the encoder became W + B A. The sum is taken when the graph is
exported, so a question pays nothing for it; the model's own files stay as they are pinned.
"""

from pathlib import Path
from typing import Any

ADAPTER = "adapter/3"
"""Raised with any change of the file."""
FILE = "adapter.npz"
"""fp16: for each adapted matrix, by its module's name, ``NAME.A`` (rank, inputs) and ``NAME.B`` (outputs, rank)."""


def merge_adapter(bert: Any) -> None:
    """Add to the weights of a transformers ``BertModel``, in place, what its adapter says.

    Raises:
        AttributeError: it has no such module.
        RuntimeError: a matrix has another shape.
    """
    import numpy as np
    import torch

    with np.load(Path(__file__).with_name(FILE), allow_pickle=False) as table, torch.no_grad():
        for name in sorted({key.rpartition(".")[0] for key in table.files}):
            down, up = (torch.from_numpy(table[f"{name}.{part}"].astype(np.float32)) for part in "AB")
            weight = bert.get_submodule(name).weight
            weight += (up @ down).to(weight)
