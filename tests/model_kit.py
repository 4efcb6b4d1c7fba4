"""Models that the tests make: of two kinds, tiny, with random weights that are the same every time."""

import json
from pathlib import Path

WORDS = """
query passage : what who where the a of in law team met alpha beta was adopted voted report nine members
"""
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split(), *"abcdefghijklmnopqrstuvwxyz0123456789.,?'", *(
    f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"
)]  # fmt: skip


def _config(**more):
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=128, **more,
    )  # fmt: skip


def _save(folder: Path, model) -> None:
    from transformers import BertTokenizerFast

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", "utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=128).save_pretrained(folder)
    model.save_pretrained(folder)


def make_bi_encoder(folder: Path, prompts: dict[str, str] | None = None) -> Path:
    """Save a sentence-transformers model that has these prompts in its configuration."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertModel

    torch.manual_seed(7)
    _save(folder.with_name(folder.name + "-bert"), BertModel(_config()))
    SentenceTransformer(str(folder.with_name(folder.name + "-bert")), device="cpu", prompts=prompts).save(str(folder))
    saved = json.loads((folder / "config_sentence_transformers.json").read_bytes())["prompts"]
    assert prompts is None or saved.items() >= prompts.items()
    return folder


def make_cross_encoder(folder: Path, labels: int = 1) -> Path:
    """Save a cross-encoder."""
    import torch
    from transformers import BertForSequenceClassification

    torch.manual_seed(8)
    _save(folder, BertForSequenceClassification(_config(num_labels=labels)))
    return folder
