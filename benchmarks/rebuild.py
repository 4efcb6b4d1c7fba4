"""What keeping an index in step costs, beside a cold `cyberqa ask` of the same index: ratios, interleaved.

    python benchmarks/rebuild.py [--rounds 5] [--documents 10000] [--cache INDEX] [--output FILE]

On the five reports: `add` of a 4-page PDF (400 words a page, another one each round) and its removal, which must bring
back the earlier generation id. On generated small files: `index` with nothing changed, and with one file changed. Each
command is a process of its own; a ratio is taken with the `ask` of its own round, for the machine's speed drifts.

The vectors of the generated files are drawn at random when their index is first built: to compute them takes long, and
has no part in what is measured, where one new text is embedded by the model. ``--cache`` names an index folder whose
cache knows the five reports; without it they are embedded first.
"""

import argparse
import itertools
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import make_pdf  # noqa: E402
from cyberqa.embedding import Encoding, load_encoder  # noqa: E402
from cyberqa.ingest import build_index  # noqa: E402
from cyberqa.settings import load_settings  # noqa: E402

QUESTION = "who supported ALCIRT's creation"
REPORT = ROOT / "corpus" / "western-balkans-cybersecurity.txt"
PAGES, WORDS_A_PAGE, WORDS_A_LINE = 4, 400, 14
WORDS_A_FILE = 45
TARGETS = {"add": 3, "unchanged": 5, "one changed": 10}


class Drawn:
    """The bundled encoder, but for the vectors, which are drawn at random."""

    def __init__(self, encoder) -> None:
        self._encoder = encoder
        self._rows = np.random.default_rng(7).normal(size=(4096, encoder.info.dim)).astype(np.float32)
        self._rows /= np.linalg.norm(self._rows, axis=1, keepdims=True)
        self._next = 0

    def __getattr__(self, name: str):
        return getattr(self._encoder, name)

    def encode(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """See Encoder."""
        for text in texts:
            self._next = (self._next + 1) % 2048
            yield Encoding(self._rows[self._next], self._rows[: len(self._encoder.tokenize(text).ids)])


def run(*arguments: str | Path) -> float:
    """Run a command and return its wall seconds; `ask` may find no answer."""
    started = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-m", "cyberqa", *map(str, arguments)], stdout=subprocess.DEVNULL, check=False
    )
    if child.returncode not in (0, 3):
        sys.exit(f"{arguments[0]} failed with status {child.returncode}")
    return time.perf_counter() - started


def four_pages(number: int) -> bytes:
    """Return a PDF of words of the long report that no other number has."""
    words = REPORT.read_text("utf-8").encode("ascii", "ignore").decode().split()
    first = 1000 + number * PAGES * WORDS_A_PAGE
    mine = words[first : first + PAGES * WORDS_A_PAGE]
    assert len(mine) == PAGES * WORDS_A_PAGE, "too many rounds for the report"
    lines = [" ".join(mine[place : place + WORDS_A_LINE]) for place in range(0, len(mine), WORDS_A_LINE)]
    size = -(-len(lines) // PAGES)
    return make_pdf([lines[place : place + size] for place in range(0, len(lines), size)], f"Report {number}")


def small_file(rng: random.Random, vocabulary: list[str], number: int) -> str:
    """Return a report of a title and one paragraph."""
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    words = rng.choices(vocabulary, cum_weights=weights, k=WORDS_A_FILE)
    sentences = [" ".join(words[first : first + 15]).capitalize() + "." for first in range(0, WORDS_A_FILE, 15)]
    return f"Report {number} on {words[0]}\n\n{' '.join(sentences)}\n"


def make_files(folder: Path, count: int) -> None:
    """Write small files, 500 to a folder."""
    rng = random.Random(7)
    vocabulary = sorted({word.lower() for word in REPORT.read_text("utf-8").split() if word.isalpha()})
    rng.shuffle(vocabulary)
    for number in range(count):
        file = folder / f"{number // 500:03}" / f"report-{number:05}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(small_file(rng, vocabulary, number), "utf-8")


def current(index: Path) -> str:
    """Return the id of the generation that answers."""
    return (index / "current").read_text("ascii").strip()


def loads_torch(*arguments: str | Path) -> bool:
    """Whether a command imports torch."""
    script = "import sys; from cyberqa import cli; cli.run(sys.argv[1:]); sys.exit(9 if 'torch' in sys.modules else 0)"
    return subprocess.run([sys.executable, "-c", script, *map(str, arguments)], check=False).returncode == 9


def five_round(work: Path, number: int) -> dict[str, float]:
    """Ask, add and remove on the five reports."""
    where = ("--corpus", work / "five", "--index", work / "five-index")
    pdf = work / f"added-{number}.pdf"
    pdf.write_bytes(four_pages(number))
    before = current(work / "five-index")
    seconds = {
        "ask": run("ask", "--json", QUESTION, *where),
        "add": run("add", pdf, *where),
        "remove": run("remove", pdf.name, *where),
    }
    assert current(work / "five-index") == before, "the earlier generation did not come back"
    return seconds


def many_round(work: Path, number: int) -> dict[str, float]:
    """Ask, index with nothing changed and with one file changed, on the generated files."""
    where = ("--corpus", work / "many", "--index", work / "many-index")
    seconds = {
        "ask (many)": run("ask", "--json", QUESTION, *where),
        "unchanged": run("index", *where),
    }
    before = current(work / "many-index")
    changed = next((work / "many").rglob(f"report-{number * 7:05}.txt"))
    changed.write_text(f"A changed report\n\nIn round {number} this one tells of another agency in Tirana.\n", "utf-8")
    seconds["one changed"] = run("index", *where)
    assert current(work / "many-index") != before
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copytree(ROOT / "corpus", work / "five")
        if options.cache:
            shutil.copytree(options.cache / "cache", work / "five-index" / "cache")
        run("index", "--corpus", work / "five", "--index", work / "five-index")
        make_files(work / "many", options.documents)
        settings = load_settings({"corpus": work / "many", "index": work / "many-index"}, environ={})
        first = build_index(settings, encoder=Drawn(load_encoder(settings)))
        print(f"{first.documents} small files indexed in {first.seconds:.0f} s", file=sys.stderr)
        five_round(work, 0)  # warms the disk's cache
        many_round(work, 0)
        rounds = [five_round(work, number) | many_round(work, number) for number in range(1, options.rounds + 1)]
        (work / "torch.txt").write_text("Torch\n\nIs it needed to add a report?\n")
        is_loaded = loads_torch("add", work / "torch.txt", "--corpus", work / "five", "--index", work / "five-index")
    base = {"add": "ask", "remove": "ask", "unchanged": "ask (many)", "one changed": "ask (many)"}
    ratios = {key: [each[key] / each[ask] for each in rounds] for key, ask in base.items()}
    result = {
        "rounds": options.rounds,
        "documents": options.documents,
        "seconds": {key: statistics.median(each[key] for each in rounds) for key in rounds[0]},
        "ratios": {
            key: {"median": statistics.median(values), "least": min(values), "most": max(values)}
            for key, values in ratios.items()
        },
        "torch_is_loaded_by_add": is_loaded,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": os.getloadavg()[0],
    }
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{options.rounds} rounds, {options.documents} files, {result['machine']}, load {result['load']:.1f}\n")
    print("| command | beside a cold `ask` | target |\n|---|---|---|")
    for key, values in result["ratios"].items():
        spread = f"{values['median']:.2f} ({values['least']:.2f}–{values['most']:.2f})"
        print(f"| {key} | {spread} | {TARGETS.get(key, '')} |")
    print(f"\ntorch loaded by `add`: {'yes' if is_loaded else 'no'}")


if __name__ == "__main__":
    main()
