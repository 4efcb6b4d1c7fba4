"""Writes the four folders that the verdict is fitted on, out of packages that are named in README.md.

    python evals/verdict/folders.py --wheel FILE --packages FOLDER

FILE is the wheel of the encyclopaedia's leads; FOLDER holds the Debian packages, each unpacked under its own name.
Nothing of it is committed but the questions, with their quotations.
"""

import argparse
import json
import random
import re
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "benchmarks" / "adapter"))

from texts import LEADS, leads  # noqa: E402 - what the adapter learnt from is left out

CORPORA = HERE / "corpora"
SEED = 11
LEAST_CHARS, MOST_CHARS = 500, 2500
LEADS_A_DOCUMENT = 12

LANDS = ("Geography", "History", "Society and social sciences", "People")
THINGS = ("Technology", "Physical sciences", "Biology and health sciences", "Everyday life", "Arts")
LEADS_A_TOPIC = {"lands": (LANDS, 110), "things": (THINGS, 90)}

FAQ = "anarchism/usr/share/doc/anarchism/html"
FAQ_PAGES = ["secB2", "secD2", "secD5", "secD9", "secF1", "secF6", "secH6", "append34", "append4", "secJ2"]
HANDBOOK = "debian-handbook/usr/share/doc/debian-handbook/html/en-US"
HANDBOOK_LEAST_BYTES = 9000
REFERENCE = "developers-reference/usr/share/developers-reference"
REFERENCE_PAGES = ["best-pkging-practices", "beyond-pkging", "developer-duties", "l10n", "new-maintainer", "pkgs"]
REFERENCE_PAGES += ["resources", "tools"]


def pages(packages: Path) -> Mapping[str, Mapping[str, bytes]]:
    """Return the two folders of web pages: name -> file name -> bytes."""
    handbook = [file for file in (packages / HANDBOOK).glob("*.html") if file.stat().st_size > HANDBOOK_LEAST_BYTES]
    if not handbook:
        raise SystemExit(f"expected the pages of debian-handbook in {packages / HANDBOOK}, found none")
    return {
        "faq": {f"{name}.html": (packages / FAQ / f"{name}.html").read_bytes() for name in FAQ_PAGES},
        "manuals": {
            **{file.name: file.read_bytes() for file in handbook},
            **{f"dev-{name}.html": (packages / REFERENCE / f"{name}.html").read_bytes() for name in REFERENCE_PAGES},
        },
    }


def notes(wheel: Path) -> Mapping[str, Mapping[str, bytes]]:
    """Return the two folders of leads that no question of the adapter's was written on."""
    taken = "\n".join(data.decode() for _, data in leads(wheel))
    with zipfile.ZipFile(wheel) as archive:
        articles = json.loads(archive.read(LEADS)).values()
    by_topic: dict[str, list[dict[str, str]]] = {}
    for article in articles:
        if len(article["extract"]) >= LEAST_CHARS and f"## {article['title']}\n" not in taken:
            by_topic.setdefault(article["topic"], []).append(article)
    chance = random.Random(SEED)
    found: dict[str, dict[str, bytes]] = {}
    for folder, (topics, most) in LEADS_A_TOPIC.items():
        found[folder] = {}
        for topic in topics:
            own = by_topic.get(topic, [])
            chance.shuffle(own)
            found[folder].update(documents(topic, own[:most]))
    return found


def documents(topic: str, articles: Sequence[Mapping[str, str]]) -> dict[str, bytes]:
    """Return documents of LEADS_A_DOCUMENT leads each."""
    found = {}
    for part, first in enumerate(range(0, len(articles), LEADS_A_DOCUMENT)):
        some = articles[first : first + LEADS_A_DOCUMENT]
        body = "\n\n".join(f"## {each['title']}\n\n{each['extract'][:MOST_CHARS]}" for each in some)
        name = f"{re.sub('[^a-z]+', '-', topic.lower())}-{part:02d}.md"
        found[name] = f"# Notes on {topic.lower()}, part {part + 1}\n\n{body}\n".encode()
    return found


def main() -> None:
    """Write the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--packages", type=Path, required=True)
    options = parser.parse_args()
    for folder, files in {**pages(options.packages), **notes(options.wheel)}.items():
        target = CORPORA / folder
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name, data in files.items():
            (target / name).write_bytes(data)
        print(f"{target}: {len(files)} files, {sum(map(len, files.values())):,} bytes")


if __name__ == "__main__":
    main()
