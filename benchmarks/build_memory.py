"""What memory a build takes as the corpus grows, from the files to the finished index.

    python benchmarks/build_memory.py [--documents 400 2000] [--output FILE]

Generated reports of ten sections are read, cut and written as always, each size by a process of its own, once from
nothing and once more out of the cache with one of its documents changed. The vectors are drawn at random: to compute
them takes long, and no memory that grows. Peak memory is the process's own (VmHWM).
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cyberqa.embedding import load_encoder
from cyberqa.ingest import build_index
from cyberqa.settings import load_settings
from rebuild import ROOT, Drawn

SECTIONS, WORDS_A_SENTENCE, SENTENCES_A_SECTION = 10, 14, 7


def write_report(file: Path, vocabulary: list[str], seed: int) -> None:
    """Write a report of made-up sentences in words of the shipped one."""
    drawn = random.Random(seed)

    def sentence() -> str:
        return " ".join(drawn.choices(vocabulary, k=WORDS_A_SENTENCE)).capitalize() + "."

    sections = (
        f"{number} Part {number}\n\n" + " ".join(sentence() for _ in range(SENTENCES_A_SECTION))
        for number in range(1, SECTIONS + 1)
    )
    file.write_text(f"Report {seed}\n\n" + "\n\n".join(sections) + "\n", "utf-8")


def peak_mb() -> float:
    """Return this process's peak memory."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def build(corpus: str, index: str) -> None:
    """Build and print what it took."""
    settings = load_settings({"corpus": corpus, "index": index}, environ={})
    report = build_index(settings, encoder=Drawn(load_encoder(settings)))
    print(json.dumps({"chunks": report.chunks, "embedded": report.embedded, "peak_mb": round(peak_mb(), 1)}))


def main() -> None:
    """Measure each size and print."""
    if sys.argv[1:2] == ["--build"]:
        build(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[400, 2000])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    words = (ROOT / "corpus" / "western-balkans-cybersecurity.txt").read_text("utf-8")
    vocabulary = sorted(set(re.findall(r"[a-z]{3,}", words)))
    sizes = []
    for documents in options.documents:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus"
            corpus.mkdir()
            for number in range(documents):
                write_report(corpus / f"{number:06}.txt", vocabulary, number)
            command = [sys.executable, __file__, "--build", str(corpus), str(Path(folder) / "index")]
            found = {"documents": documents}
            for name in ("from_nothing", "from_the_cache"):
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                found[name] = json.loads(done.stdout)
                write_report(corpus / "000000.txt", vocabulary, documents)
        sizes.append(found)
        print(json.dumps(found), flush=True)
    if options.output:
        options.output.write_text(json.dumps({"sizes": sizes}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
