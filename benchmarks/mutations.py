"""Index 1,000 damaged files, each batch among good neighbours, and count what became of them.

    python benchmarks/mutations.py [--files 1000] [--seed 1] > mutations.md

A file is cut short, has bits flipped, or is spliced with another. Of Word documents every second one is damaged inside,
in its XML: a change of the archive itself is found by a checksum and goes no further. Every second PDF is four pages of
a real one, with its fonts. The encoder is a cheap one: reading is what is tried.
Exits 1 where something happened that must not: a traceback, a reader that crashed or hung, a lost neighbour.
"""

import argparse
import io
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from conftest import FakeEncoder, make_pdf  # noqa: E402
from cyberqa.documents import READERS  # noqa: E402
from cyberqa.ingest import build_index  # noqa: E402
from cyberqa.settings import load_settings  # noqa: E402
from test_fuzz import changed_inside, make_docx, make_html  # noqa: E402

REAL_PDF = ROOT / "evals" / "pdf" / "western-balkans-one-column.pdf"
SEEDS_OF_A_REPORT = 8
INSIDE = 5  # the first Word document of each
BATCH = 50
SEED_CHARS = 8_000  # of each report: enough for headings, footnotes and pages
TIMEOUT_S = 60
MUST_NOT_HAPPEN = ("traceback", "unexpectedly", "crashed", "took over", "broken reply", "neighbour lost")


def seeds() -> list[tuple[str, bytes]]:
    """Return suffix and bytes of every report in every format that is read."""
    made: list[tuple[str, bytes]] = []
    for number, file in enumerate(sorted((ROOT / "corpus").glob("*.txt"))):
        whole = file.read_text("utf-8")
        text = whole[len(whole) // 4 :][:SEED_CHARS]
        table = "| a | b |\n|---|---|\n| 1 | 2 |"
        lines = [line for line in text.splitlines() if line.strip()]
        short = [piece.encode("ascii", "replace").decode() for line in lines for piece in re.findall(".{1,90}", line)]
        made += [
            (".txt", text.encode()),
            (".md", "\n\n".join(f"## {line[:60]}\n\n- {line}\n\n{table}" for line in lines).encode()),
            (".csv", "\n".join(f"{line[:20]};{len(line)}" for line in lines).encode()),
            (".pdf", make_pdf([short[i : i + 45] for i in range(0, len(short), 45)], title="A report")),
            (".html", make_html(lines)),
            (".docx", make_docx(lines)),
            (".pdf", four_pages(4 + 4 * number)),
            (".docx", make_docx(lines)),
        ]  # fmt: skip
    return [(suffix, data) for suffix, data in made if suffix in READERS]


def four_pages(first: int) -> bytes:
    """Return four pages of a report that was set with running headers, footnotes and fonts of its own."""
    reader, writer, buffer = PdfReader(REAL_PDF), PdfWriter(), io.BytesIO()
    for page in reader.pages[first : first + 4]:
        writer.add_page(page)
    writer.write(buffer)
    return buffer.getvalue()


def truncated(data: bytes, other: bytes, rng: random.Random) -> bytes:  # noqa: ARG001 - all mutations share one signature
    """Cut it anywhere."""
    return data[: rng.randrange(1, len(data))]


def flipped(data: bytes, other: bytes, rng: random.Random) -> bytes:  # noqa: ARG001
    """Flip 1 to 200 bits."""
    changed = bytearray(data)
    for _time in range(rng.choice((1, 5, 20, 200))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def spliced(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Put a piece of another file in, instead of a piece of its own or between two."""
    start, stop = sorted(rng.randrange(len(other)) for _end in range(2))
    at = rng.randrange(len(data))
    return data[:at] + other[start:stop] + data[at + rng.choice((0, stop - start)) :]


MUTATIONS = (truncated, flipped, spliced)


def damaged(seed: int, data: bytes, mutate: Callable[[bytes], bytes]) -> bytes:
    """Damage a file; of two Word documents one inside."""
    return changed_inside(data, mutate) if seed % SEEDS_OF_A_REPORT == INSIDE else mutate(data)


def main() -> int:
    """Make, index, count, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    good = seeds()
    kinds: Counter[tuple[str, str, str]] = Counter()
    reasons: Counter[str] = Counter()
    slowest = 0.0
    for first in range(0, options.files, BATCH):
        names = {}
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus"
            corpus.mkdir()
            for number in range(first, min(first + BATCH, options.files)):
                seed = number % len(good)
                suffix, data = good[seed]
                mutate = MUTATIONS[number // len(good) % len(MUTATIONS)]
                name = f"{number:04}{suffix}"
                names[name] = (suffix, mutate.__name__)
                (corpus / name).write_bytes(damaged(seed, data, partial(mutate, other=rng.choice(good)[1], rng=rng)))
            neighbours = {
                f"{first + i * 6:04}-good{suffix}": data for i, (suffix, data) in enumerate(good[:SEEDS_OF_A_REPORT])
            }
            for name, data in neighbours.items():
                (corpus / name).write_bytes(data)
            started = time.perf_counter()
            failures = build(corpus, Path(folder) / "index", reasons)
            slowest = max(slowest, time.perf_counter() - started)
        for name, kind in names.items():
            kinds[(*kind, "refused" if name in failures else "read")] += 1
        reasons["neighbour lost"] += len(neighbours.keys() & failures.keys())
        reasons.update(kind_of(failures[name]) for name in names if name in failures)
        print(f"{first + len(names)} files", file=sys.stderr, flush=True)
    report(kinds, reasons, slowest)
    return any(reasons[bad] for bad in MUST_NOT_HAPPEN)


def build(corpus: Path, index: Path, reasons: Counter[str]) -> dict[str, str]:
    """Index a batch and return its failures; where the whole build fails, every file has."""
    settings = load_settings({"corpus": corpus, "index": index, "read_timeout_s": TIMEOUT_S}, environ={})
    try:
        return dict(build_index(settings, encoder=FakeEncoder()).failures)
    except Exception:
        traceback.print_exc()
        reasons["traceback"] += 1
        return dict.fromkeys((file.name for file in corpus.iterdir()), "the build failed")


def kind_of(reason: str) -> str:
    """Return a reason without its particulars."""
    bad = next((words for words in MUST_NOT_HAPPEN if words in reason), None)
    return bad or re.sub(r"\d[\d,.]*", "N", re.split(r"[(;:]", reason)[0]).strip()


def report(kinds: Counter[tuple[str, str, str]], reasons: Counter[str], slowest: float) -> None:
    """Print the tables."""
    print("| format | " + " | ".join(f"{mutation.__name__}: read, refused" for mutation in MUTATIONS) + " |")
    print("|---|" + "---|" * len(MUTATIONS))
    for suffix in sorted({suffix for suffix, _, _ in kinds}):
        cells = [
            f"{kinds[suffix, mutation.__name__, 'read']}, {kinds[suffix, mutation.__name__, 'refused']}"
            for mutation in MUTATIONS
        ]
        print(f"| {suffix} | {' | '.join(cells)} |")
    print(f"\n{kinds.total()} files; slowest batch {slowest:.0f} s\n")
    for name in MUST_NOT_HAPPEN:
        print(f"- {name}: {reasons[name]}")
    for reason, count in reasons.most_common():
        if reason not in MUST_NOT_HAPPEN:
            print(f"- refused, {reason}: {count}")


if __name__ == "__main__":
    sys.exit(main())
