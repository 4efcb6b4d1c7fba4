"""What an index of N synthetic passages costs: bytes, build time, memory, cold and warm questions.

    python benchmarks/scale.py [--passages 1000 10000 100000] [--folder DIR] [--output FILE]

Everything is made up. Text: words drawn by Zipf's law from the shipped corpus's own words and made-up ones, 85 to a
passage, 100 passages to a document. Vectors: those of the shipped corpus moved by noise, so that neighbours are as near
as they are in fact. Token vectors: random bits, 100 to a passage; late interaction is on, and costs what it costs, but
what it ranks means nothing. Questions are those of the gold set's dev half.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np

from cyberqa.embedding.graph import GraphEncoder
from cyberqa.evaluation.gold import load_gold
from cyberqa.index import lexical
from cyberqa.index.cache import Entry
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import Recipe
from cyberqa.index.parcel import Parcel
from cyberqa.index.publishing import make_current
from cyberqa.index.writing import IndexedDocument, write_generation
from cyberqa.ingest import build_index
from cyberqa.names.collecting import AliasCollector
from cyberqa.session import Session
from cyberqa.settings import load_settings

ROOT = Path(__file__).parent.parent
A_DOCUMENT = 100  # passages
WORDS, TOKENS = 85, 100  # of a passage
NOISE = 0.6  # length of what is added to a unit vector
SEED = 7
QUESTIONS = 100
COLD_RUNS = 7


def synthetic(passages: int, vectors: np.ndarray, vocabulary: list[str]) -> Iterator[IndexedDocument]:
    """Yield documents that have so many passages together."""
    random = np.random.default_rng(SEED)
    share = 1 / np.arange(1, len(vocabulary) + 1)
    ends = np.cumsum(share / share.sum())
    dim = vectors.shape[1]
    for number in range(passages // A_DOCUMENT):
        drawn = np.searchsorted(ends, random.random((A_DOCUMENT, WORDS)))
        words = [[vocabulary[min(place, len(vocabulary) - 1)] for place in row] for row in drawn.tolist()]
        near = vectors[random.integers(0, len(vectors), A_DOCUMENT)]
        near = near + random.normal(size=near.shape).astype(np.float32) * np.float32(NOISE / np.sqrt(dim))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        codes = random.integers(0, 256, (A_DOCUMENT, TOKENS, 32), np.uint8)
        pieces = random.integers(1000, 30000, (A_DOCUMENT, TOKENS))
        entries = [[Entry(vector.astype(np.float32), own)] for vector, own in zip(near, codes, strict=True)]
        yield IndexedDocument(f"{number:06}.txt", parcel(number, words, pieces), entries)


def parcel(number: int, words: list[list[str]], pieces: np.ndarray) -> Parcel:
    """Return what a document of these words brings."""
    import hashlib

    texts = [" ".join(row) + "." for row in words]
    text = "\n\n".join(texts)
    starts = np.cumsum([0, *(len(each) + 2 for each in texts)]).tolist()
    digest = hashlib.sha256(text.encode()).hexdigest()
    about = {
        "title": f"Report {number}", "publisher": None, "year": 2000 + number % 25, "language": "en", "source": None,
        "tags": "[]", "sha256": digest, "text_sha256": digest, "reader": "text/1", "encoding": "utf-8",
        "has_lines": True, "blocks": "{}", "repairs": "[]", "warnings": "[]", "text": text,
    }  # fmt: skip
    rows = []
    for start, own in zip(starts, texts, strict=False):
        middle, end = start + own.index(" ", len(own) // 2), start + len(own)
        sentences = json.dumps([(start, middle), (middle + 1, end)])
        rows.append(("paragraph", start, end, json.dumps([f"{start % 9 + 1} Part"]), sentences, None, "[]"))
    return Parcel(
        document=about,
        pages=(),
        footnotes=(),
        chunks=rows,
        before=[place - 1 for place in range(len(texts))],
        skipped=[[0]] * len(texts),
        pieces=[sorted(set(own)) for own in pieces.tolist()],
        sentences=["00" * (TOKENS // 2) + "01" * (TOKENS // 2)] * len(texts),
        terms=[lexical.count_terms(own, "en") for own in texts],
        words=Counter(word for row in words for word in row),
        inside={},
        forms=(),
        definitions=(),
        lower_case=(),
        names={},
    )


def build(index: Path, shipped: Path, passages: int) -> dict[str, float]:
    """Write a generation of synthetic passages; return seconds, bytes on disk and the builder's peak memory."""
    real = Generation.open_current(shipped)
    vectors = real.chunk_vectors(np.arange(real.manifest.chunks))
    known = [written for (written,) in real._database.execute("SELECT written FROM words ORDER BY count DESC, word")]
    made_up = [f"{word}{'aeiou'[n % 5]}{n // 5}x" for n, word in enumerate(known[:2000] * (passages // 20000))]
    recipe: Recipe = replace(real.manifest.recipe, rules={"synthetic": passages}, documents={})
    started, cpu = time.perf_counter(), time.process_time()
    documents = synthetic(passages, vectors, known + made_up)
    manifest = write_generation(index, recipe, documents, {}, AliasCollector({}))
    make_current(index, manifest.generation)
    folder = index / "generations" / manifest.generation
    return {
        "build_s": time.perf_counter() - started,
        "build_cpu_s": time.process_time() - cpu,
        "build_peak_mb": peak_mb(),
        "bytes_a_passage": sum(file.stat().st_size for file in folder.iterdir()) / passages,
    }


def peak_mb() -> float:
    """Return this process's peak memory; rusage would count the parent's, from before exec."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def questions() -> list[str]:
    """Return questions of the gold set's dev half."""
    return [each.question for each in load_gold(ROOT / "evals" / "gold" / "reports.jsonl") if each.split == "dev"]


def warm(index: Path) -> dict[str, float]:
    """Ask questions of an open session; return CPU and wall milliseconds, and this process's peak memory."""
    laps: dict[str, list[float]] = {"cpu_ms": [], "wall_ms": []}
    asked = questions()
    with Session.open(load_settings({"corpus": ROOT / "corpus", "index": index}), GraphEncoder.load()) as session:
        for question in asked[: 2 * QUESTIONS]:
            cpu, wall = time.process_time(), time.perf_counter()
            session.ask(question)
            laps["cpu_ms"].append((time.process_time() - cpu) * 1000)
            laps["wall_ms"].append((time.perf_counter() - wall) * 1000)
    found = {}
    for name, values in laps.items():
        cuts = statistics.quantiles(values[QUESTIONS:], n=20)
        found |= {f"warm_{name}_p50": cuts[9], f"warm_{name}_p95": cuts[18]}
    return {**found, "warm_peak_mb": peak_mb()}


def cold(index: Path, others: Path) -> dict[str, float]:
    """Ask one question in a process of its own, in turns with the shipped corpus."""
    seconds: dict[Path, list[float]] = {index: [], others: []}
    peak = 0.0
    for _ in range(COLD_RUNS):
        for folder, found in seconds.items():
            command = [sys.executable, "-m", "cyberqa", "ask", "--json", "--corpus", str(ROOT / "corpus")]
            child = subprocess.Popen(
                [*command, "--index", str(folder), "who supported ALCIRT's creation"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, _, usage = os.wait4(child.pid, 0)
            found.append(usage.ru_utime + usage.ru_stime)
            if folder == index:
                peak = max(peak, usage.ru_maxrss / 1024)
    ratios = [one / other for one, other in zip(seconds[index], seconds[others], strict=True)]
    return {
        "cold_cpu_s": statistics.median(seconds[index]),
        "cold_to_shipped": statistics.median(ratios),
        "cold_peak_mb": peak,
    }


def child(task: str, *arguments: str) -> dict[str, float]:
    """Run a task of this file in a process of its own, so that its peak memory is its own."""
    done = subprocess.run([sys.executable, __file__, "--task", task, *arguments], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measure each size and print a table."""
    if sys.argv[1:2] == ["--task"]:
        task, *paths = sys.argv[2:]
        if task == "build":
            index, shipped, passages = paths
            print(json.dumps(build(Path(index), Path(shipped), int(passages))))
        else:
            print(json.dumps({"warm": warm, "cold": cold}[task](*map(Path, paths))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where the indexes are built, and left; else they are removed")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    shipped = folder / "shipped"
    build_index(load_settings({"corpus": ROOT / "corpus", "index": shipped}))
    sizes = []
    for passages in options.passages:
        index = folder / str(passages)
        found = {"passages": passages, **child("build", str(index), str(shipped), str(passages))}
        found |= child("warm", str(index)) | child("cold", str(index), str(shipped))
        sizes.append(found)
        print(json.dumps({key: round(value, 2) for key, value in found.items()}), flush=True)
    result = {"late_interaction": True, "load": os.getloadavg()[0], "sizes": sizes}
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if not options.folder:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
