"""What an index of N synthetic passages costs: bytes, build time, memory, cold and warm questions, recall.

    python benchmarks/scale.py [--passages 1000 10000 100000 1000000] [--folder DIR] [--output FILE]
    python benchmarks/scale.py --plot RESULT.json PLOT.svg

Everything is made up. Text: words drawn by Zipf's law from the shipped corpus's own words and made-up ones, 85 to a
passage, 100 passages to a document. Vectors: those of the shipped corpus's passages and sentences, each moved by the
difference of two others and a little noise, so that they lie as real ones do, in clusters of a few directions. Token
vectors: random bits, 100 to a passage; late interaction is on, and costs what it costs, but what it ranks means
nothing. Questions are those of the gold set's dev half, as the model encodes them. Embedding is not part of the build.
"""

import argparse
import hashlib
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np

from cyberqa.embedding.graph import GraphEncoder
from cyberqa.evaluation.gold import load_gold
from cyberqa.index.cache import Entry
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import Recipe
from cyberqa.index.parcel import Parcel
from cyberqa.index.publishing import make_current
from cyberqa.index.words import index_terms
from cyberqa.index.writing import IndexedDocument, write_generation
from cyberqa.ingest import build_index
from cyberqa.names.collecting import AliasCollector
from cyberqa.session import Session
from cyberqa.settings import load_settings
from cyberqa.types import Metadata

ROOT = Path(__file__).parent.parent
A_DOCUMENT = 100  # passages
WORDS, TOKENS = 85, 100  # of a passage
MOVED = (0.2, 0.6)  # how much of the difference of two others is added to a vector
NOISE = 0.1  # length of the noise that is added
SEED = 7
QUESTIONS = 100
COLD_RUNS = 7
VECTORS = "synthetic-from.npy"
SHORTEST, LONGEST = 40, 700  # characters of a sentence whose vector is drawn from


@dataclass(frozen=True)
class Drawn:
    """What synthetic passages are drawn from: vectors, and words with the term of each."""

    vectors: np.ndarray
    vocabulary: list[str]
    terms: dict[str, str]

    def documents(self, passages: int) -> Iterator[IndexedDocument]:
        """Yield documents that have so many passages together."""
        random = np.random.default_rng(SEED)
        share = 1 / np.arange(1, len(self.vocabulary) + 1)
        ends = np.cumsum(share / share.sum())
        ends[-1] = 1
        for number in range(passages // A_DOCUMENT):
            drawn = np.searchsorted(ends, random.random((A_DOCUMENT, WORDS)))
            words = [[self.vocabulary[place] for place in row] for row in drawn.tolist()]
            codes = random.integers(0, 256, (A_DOCUMENT, TOKENS, 32), np.uint8)
            pieces = np.sort(random.integers(1000, 30000, (A_DOCUMENT, TOKENS)))
            near = self._vectors(random)
            entries = [[Entry(vector, own)] for vector, own in zip(near, codes, strict=True)]
            yield IndexedDocument(f"{number:06}.txt", parcel(number, words, pieces, self.terms), entries)

    def _vectors(self, random: np.random.Generator) -> np.ndarray:
        one, other, third = self.vectors[random.integers(0, len(self.vectors), (3, A_DOCUMENT))]
        moved = random.uniform(*MOVED, (A_DOCUMENT, 1)).astype(np.float32)
        noise = random.standard_normal(one.shape, np.float32) * np.float32(NOISE / np.sqrt(one.shape[1]))
        near = one + moved * (other - third) + noise
        return near / np.linalg.norm(near, axis=1, keepdims=True)


def parcel(number: int, words: list[list[str]], pieces: np.ndarray, terms: dict[str, str]) -> Parcel:
    """Return what a document of these words brings."""
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
        pieces=[list(dict.fromkeys(own)) for own in pieces.tolist()],
        sentences=["00" * (TOKENS // 2) + "01" * (TOKENS // 2)] * len(texts),
        terms=[Counter(terms[word] for word in row) for row in words],
        words=Counter(word for row in words for word in row),
        inside={},
        spellings=(),
        definitions=(),
        lower_case=(),
        names={},
    )


def build(index: Path, shipped: Path, passages: int) -> dict[str, float]:
    """Write a generation of synthetic passages; return seconds, bytes on disk and the builder's peak memory."""
    real = Generation.open_current(shipped)
    known = [written for (written,) in real._database.execute("SELECT written FROM words ORDER BY count DESC, word")]
    made_up = [f"{word}{'aeiou'[n % 5]}{n // 5}x" for n, word in enumerate(known[:2000] * (passages // 20000))]
    vocabulary = known + made_up
    terms = {word: index_terms(word, "en")[0] for word in vocabulary}
    drawn = Drawn(np.load(shipped / VECTORS), vocabulary, terms)
    about = {"reader": "text/1", "metadata": asdict(Metadata(title="Report"))}
    documents = {f"{n:06}.txt": about | {"sha256": f"{n:064x}"} for n in range(passages // A_DOCUMENT)}
    rules = {"synthetic": passages}
    recipe: Recipe = replace(real.manifest.recipe, rules=rules, documents=documents)
    started, cpu = time.perf_counter(), time.process_time()
    manifest = write_generation(index, recipe, drawn.documents(passages), {}, AliasCollector({}))
    make_current(index, manifest.generation)
    folder = index / "generations" / manifest.generation
    search = manifest.vector_search
    return {
        "build_s": time.perf_counter() - started,
        "build_cpu_s": time.process_time() - cpu,
        **{f"build_{name}": megabytes for name, megabytes in memory_mb().items()},
        "bytes_a_passage": sum(file.stat().st_size for file in folder.iterdir()) / passages,
        **{f"bytes_{file.name}": file.stat().st_size for file in folder.iterdir()},
        "lists": search.lists,
        "probed": search.probed,
        "recall_at_10_of_build": search.recall_at_10 or 1.0,
    }


def save_vectors(shipped: Path) -> None:
    """Save the vectors of the shipped corpus's passages and sentences, which synthetic ones are drawn from."""
    real, encoder = Generation.open_current(shipped), GraphEncoder.load()
    rows = range(real.manifest.chunks)
    texts = set()
    for chunk in map(real.chunk, rows):
        text = real.document(chunk.document).text
        texts |= {text[span.start : span.end] for span in chunk.sentences if SHORTEST < len(span) < LONGEST}
    sentences = [encoding.vector for encoding in encoder.encode(sorted(texts))]
    np.save(shipped / VECTORS, np.concatenate([real.chunk_vectors(np.array(rows)), sentences]))


def memory_mb() -> dict[str, float]:
    """Return this process's peak memory (rusage would count the parent's), and how much of what it has is its own."""
    status = Path("/proc/self/status").read_text()
    peak, own = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmHWM", "RssAnon"))
    return {"peak_mb": peak, "own_mb": own}


def questions() -> list[str]:
    """Return questions of the gold set's dev half."""
    return [each.question for each in load_gold(ROOT / "evals" / "gold" / "reports.jsonl") if each.split == "dev"]


def warm(index: Path) -> dict[str, float]:
    """Ask questions of an open session; return CPU and wall milliseconds, and this process's peak memory."""
    laps: dict[str, list[float]] = {"cpu_ms": [], "wall_ms": []}
    asked = questions()[: 2 * QUESTIONS]
    own = 0.0
    with Session.open(load_settings({"corpus": ROOT / "corpus", "index": index}), GraphEncoder.load()) as session:
        for question in asked:
            cpu, wall = time.process_time(), time.perf_counter()
            session.ask(question)
            laps["cpu_ms"].append((time.process_time() - cpu) * 1000)
            laps["wall_ms"].append((time.perf_counter() - wall) * 1000)
            own = max(own, memory_mb()["own_mb"])
    found = {}
    for name, values in laps.items():
        cuts = statistics.quantiles(values[QUESTIONS:], n=20)
        found |= {f"warm_{name}_p50": cuts[9], f"warm_{name}_p95": cuts[18]}
    return {**found, "warm_peak_mb": memory_mb()["peak_mb"], "warm_own_mb": own}


def recall(index: Path) -> dict[str, float]:
    """Return which share of the 10 and of the 100 nearest is found for real questions, and the milliseconds of it."""
    generation, encoder = Generation.open_current(index), GraphEncoder.load()
    vectors = np.stack([each.vector for each in encoder.encode(questions())])
    cpu = time.process_time()
    found = [generation.vectors.nearest_rows(vector, 100) for vector in vectors]
    spent = time.process_time() - cpu
    everything = np.ones(generation.manifest.chunks, np.bool_)
    cpu = time.process_time()
    exact = [generation.vectors.nearest_rows(vector, 100, everything) for vector in vectors]
    return {
        "nearest_ms": spent / len(vectors) * 1000,
        "nearest_exact_ms": (time.process_time() - cpu) / len(vectors) * 1000,
        **{
            f"recall_at_{k}": statistics.fmean(
                len(set(one[:k]) & set(other[:k])) / len(other[:k]) for one, other in zip(found, exact, strict=True)
            )
            for k in (10, 100)
        },
    }


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
            print(json.dumps({"warm": warm, "cold": cold, "recall": recall}[task](*map(Path, paths))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where the indexes are built, and left; else they are removed")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path, nargs=2, metavar=("RESULT", "PLOT"), help="draw an earlier result")
    options = parser.parse_args()
    if options.plot:
        plot(*options.plot)
        return
    folder = options.folder or Path(tempfile.mkdtemp())
    shipped = folder / "shipped"
    build_index(load_settings({"corpus": ROOT / "corpus", "index": shipped}))
    if not (shipped / VECTORS).exists():
        save_vectors(shipped)
    sizes = []
    for passages in options.passages:
        index = folder / str(passages)
        found = {"passages": passages, **child("build", str(index), str(shipped), str(passages))}
        found |= child("warm", str(index)) | child("cold", str(index), str(shipped)) | child("recall", str(index))
        sizes.append(found | {"load": os.getloadavg()[0]})
        print(json.dumps({key: round(value, 4) for key, value in found.items()}), flush=True)
    if options.output:
        result = {"late_interaction": True, "synthetic": True, "sizes": sizes}
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if not options.folder:
        shutil.rmtree(folder)


def plot(result: Path, file: Path) -> None:
    """Draw how cost grows with size."""
    import matplotlib.pyplot as plt  # a development tool that nothing else needs

    sizes = json.loads(result.read_text())["sizes"]
    passages = [size["passages"] for size in sizes]
    panels = {
        "bytes a passage": [("all files", "bytes_a_passage")],
        "build, CPU s": [("", "build_cpu_s")],
        "a warm question, CPU ms": [("p50", "warm_cpu_ms_p50"), ("p95", "warm_cpu_ms_p95")],
        "nearest 100 vectors, ms": [("as built", "nearest_ms"), ("exact", "nearest_exact_ms")],
        "cold question / shipped corpus's": [("", "cold_to_shipped")],
        "memory, MB": [
            ("build, at most", "build_peak_mb"),
            ("warm, at most", "warm_peak_mb"),
            ("warm, its own", "warm_own_mb"),
            ("cold, at most", "cold_peak_mb"),
        ],
    }
    plt.rcParams.update({"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 8})
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
    for axis, (title, lines) in zip(axes.flat, panels.items(), strict=True):
        for name, key in lines:
            axis.plot(passages, [size[key] for size in sizes], "o-", label=name)
        axis.set(title=title, xscale="log", xlabel="passages")
        if title.startswith(("build", "nearest", "memory")):
            axis.set(yscale="log")
        else:
            axis.set(ylim=(0, None))
        if lines[0][0]:
            axis.legend()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main()
