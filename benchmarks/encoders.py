"""The ways to run the bundled model that were weighed, each in a process of its own.

    python benchmarks/encoders.py

Opening: seconds from importing the runtime to the first vector. Then tokens per CPU-second over chunks of the
Western Balkans report, peak memory, and the worst cosine to sentence-transformers in fp32 over 200 sentences.
OpenVINO is measured where it is installed (it is no dependency).
"""

import importlib.util
import json
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
WAYS = {
    "sentence-transformers, fp32": "reference",
    "ONNX Runtime fp32, weights inside the graph": "inside",
    "**ONNX Runtime fp32, weights mapped (chosen)**": "mapped",
    "ONNX Runtime fp32, weights mapped, not prepacked": "unpacked",
    "ONNX Runtime int8, dynamic, per channel": "int8",
    "OpenVINO fp32": "openvino",
}


def texts() -> tuple[list[str], list[str]]:
    """Return 100 chunks and 200 sentences of the report."""
    from cyberqa.chunking import chunk_document
    from cyberqa.documents import read_document

    name = "western-balkans-cybersecurity.txt"
    document = read_document(name, (ROOT / "corpus" / name).read_bytes())
    chunks = chunk_document(document, size_chars=600, count_tokens=lambda text: len(text) // 4, window_tokens=254)
    sentences = [document.text[s.start : s.end] for chunk in chunks for s in chunk.sentences]
    return [document.text[c.span.start : c.span.end] for c in chunks[:100]], sentences[::5][:200]


def prepare(way: str, scratch: Path) -> Path:
    """Make the model file that a way opens."""
    import onnxruntime

    from cyberqa.embedding import bundled, graph

    folder = bundled.graph_folder(onnxruntime.__version__)
    if not graph._is_complete(folder):
        graph.export_graph(folder)
    mapped = folder / bundled.MODEL_FILE
    if way not in ("inside", "int8"):
        return mapped
    import onnx

    inside = scratch / "inside.onnx"
    onnx.save(onnx.load(mapped), inside)
    if way == "inside":
        return inside
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it asks for a pre-processing that the graph has had
    float_type = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(
        inside, scratch / "int8.onnx", per_channel=True, weight_type=QuantType.QInt8, extra_options=float_type
    )
    return scratch / "int8.onnx"


def opener(way: str, model: Path) -> Callable[[], Callable[[str], np.ndarray]]:
    """Return what opens a way; the runtime is imported already, as a question's other imports are."""
    import onnxruntime

    from cyberqa.embedding import bundled

    folder = bundled.graph_folder(onnxruntime.__version__)

    def tokenizer() -> Callable[[str], dict[str, np.ndarray]]:
        from tokenizers import Tokenizer

        loaded = Tokenizer.from_file(str(folder / bundled.TOKENIZER_FILE))
        loaded.no_padding()
        loaded.enable_truncation(256)

        def inputs(text: str) -> dict[str, np.ndarray]:
            ids = np.array([loaded.encode(text).ids], dtype=np.int64)
            return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

        return inputs

    def open_onnx() -> Callable[[str], np.ndarray]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if way == "unpacked":
            options.add_session_config_entry("session.disable_prepacking", "1")
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        inputs = tokenizer()
        return lambda text: session.run(None, inputs(text))[0][0]

    def open_openvino() -> Callable[[str], np.ndarray]:
        import openvino

        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        request = openvino.Core().compile_model(str(model), "CPU", hints).create_infer_request()
        inputs = tokenizer()
        return lambda text: request.infer(inputs(text))[0][0].copy()

    def open_reference() -> Callable[[str], np.ndarray]:
        import torch

        from cyberqa.embedding.reference import SentenceTransformerEncoder

        torch.set_num_threads(1)
        loaded = SentenceTransformerEncoder.load(bundled.MODEL, "cpu")
        return lambda text: next(loaded.encode([text])).vector

    return {"reference": open_reference, "openvino": open_openvino}.get(way, open_onnx)


def peak_mb() -> float:
    """Return this process's peak memory; rusage would count the parent's, from before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def measure(way: str, model: Path, reference_file: Path) -> dict[str, float]:
    """Measure one way in this process."""
    chunks, sentences = texts()
    open_way = opener(way, model)
    started = time.perf_counter()
    encode = open_way()
    encode("who supported ALCIRT's creation")
    opened = time.perf_counter() - started
    single = []
    for _ in range(20):
        started = time.perf_counter()
        encode("who supported ALCIRT's creation")
        single.append(time.perf_counter() - started)
    started_cpu = time.process_time()
    for chunk in chunks:
        encode(chunk)
    cpu = time.process_time() - started_cpu
    peak = peak_mb()
    vectors = np.stack([encode(sentence) for sentence in sentences])
    if way == "reference":
        np.save(reference_file, vectors)
    from cyberqa.embedding.graph import GraphEncoder

    tokens = sum(map(GraphEncoder.load().count_tokens, chunks))
    return {
        "open_s": opened,
        "question_ms": sorted(single)[10] * 1000,
        "tokens_per_cpu_s": tokens / cpu,
        "worst_cosine": float((vectors * np.load(reference_file)).sum(1).min()),
        "peak_mb": peak,
    }


def main() -> None:
    """Run every way in a child process and print a table."""
    if len(sys.argv) > 1:
        way, model, reference_file = sys.argv[1:]
        print(json.dumps(measure(way, Path(model), Path(reference_file))))
        return
    print("| way | open and first vector, s | a question, ms | tokens per CPU-second | peak MB | worst cosine |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for label, way in WAYS.items():
            if way == "openvino" and importlib.util.find_spec("openvino") is None:
                print(f"| {label} | not installed | | | | |")
                continue
            model = prepare(way, Path(scratch))
            command = [sys.executable, __file__, way, str(model), str(Path(scratch) / "reference.npy")]
            environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            if done.returncode:
                print(f"| {label} | failed: {done.stderr.strip().splitlines()[-1]} | | | | |")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {label} | {found['open_s']:.2f} | {found['question_ms']:.1f} | {found['tokens_per_cpu_s']:.0f}"
                f" | {found['peak_mb']:.0f} | {found['worst_cosine']:.5f} |"
            )


if __name__ == "__main__":
    main()
