"""Teaches an adapter on with questions on the five reports, and writes src/cyberqa/embedding/adapter.npz.

    python benchmarks/adapter/teach_on.py general.npz passages.jsonl reports-passages.jsonl [--output FILE]

The first two are of train.py, the third of texts.py. Both kinds of questions are in each batch, so that what was learnt
before is not lost. An hour on two cores.
"""

import argparse
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from train import HERE, Data, Model, Run, rank_all, report, train, write
from transformers import BertModel

TARGET = HERE.parent.parent / "src" / "cyberqa" / "embedding" / "adapter.npz"
RUN = Run(0, epochs=1.5, batch=48, negatives=1)
OLD = 600  # questions on other texts, beside all on the reports
RANK_KEPT = 24  # of the additions before and these, together: all


def read_adapter(file: Path) -> dict[str, Tensor]:
    """Return what an adapter adds to each weight matrix, by the name of its module."""
    with np.load(file, allow_pickle=False) as table:
        names = {key.rpartition(".")[0] for key in table.files}
        factors = {key: torch.from_numpy(table[key].astype(np.float32)) for key in table.files}
    return {name: factors[f"{name}.B"] @ factors[f"{name}.A"] for name in names}


def merge(bert: BertModel, additions: dict[str, Tensor]) -> None:
    """Add to the weights of a model, in place."""
    with torch.no_grad():
        for name, addition in additions.items():
            bert.get_submodule(name).weight += addition


def joined(reports: Data, others: Data) -> Data:
    """Return both: all questions on the reports to learn from, OLD of the others; those held out are the others'."""
    first = len(reports.passages)

    def moved(asked: list) -> list:
        return [replace(each, row=each.row + first) for each in asked]

    return Data(
        [*reports.passages, *others.passages],
        [*reports.beside, *({row + first for row in rows} for rows in others.beside)],
        [*reports.train, *moved(random.Random(0).sample(others.train, OLD))],
        moved(others.held_out),
    )


def main() -> None:
    """Train, report, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("passages", type=Path, help="as texts.py writes them")
    parser.add_argument("reports", type=Path, help="the same of the five reports")
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    before = read_adapter(options.adapter)
    reports = Data.read(options.reports, HERE / "reports.jsonl", held_out=0)
    data = joined(reports, Data.read(options.passages, HERE / "questions.jsonl"))
    model = Model(RUN.seed, partial(merge, additions=before))
    nearest, ranks = rank_all(model, data, data.train)
    print(f"before: {report(ranks, data.train)}", flush=True)
    learnt = train(RUN, data, nearest, model)
    write({name: before[name] + learnt[name] for name in before}, options.output, RANK_KEPT)


if __name__ == "__main__":
    main()
