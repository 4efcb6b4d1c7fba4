#!/usr/bin/env python3
"""Write the plain text of the second evaluation corpus from one Debian package.

Usage: fetch.py [--deb FILE] [--out FOLDER] [--print-digests]

Without --deb the package is downloaded by name and version with `apt-get download`.
Python standard library only. Every written file is checked against its SHA-256.
"""

import argparse
import hashlib
import html.parser
import io
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "stellarium-data"
VERSION = "0.22.2-1"
DEB_SHA256 = "45aaebf39a814acbd6dcccea058c2f5651bcb5635599da03a215feeb51f4d5a5"
FOLDER = "./usr/share/stellarium/skycultures/"
# Only descriptions whose info.ini names a free licence (CC BY-SA, GNU GPL, Free Art License).
SHA256 = {
    "anutan": "be3739809739e47934f7e8e3d623721b4c8eadfab9f551b934638f2944c963db",
    "aztec": "96437a17f0b4f62af3d10adc5bb3541551d6207f1cb7580a603f79d45a9e7e73",
    "belarusian": "c18d7a848a452d7454ef8940909e3420e407dfa732e36d28f4aa77f59fe9c9cc",
    "boorong": "f4934ee7a2362792f2b302644e5b64df7ddd579d405585895630e80f7ec9a752",
    "chinese": "c1433b3a3c020dce058fd4c4675bed491e83e9bb15edc58995c191173e1f84f4",
    "chinese_contemporary": "faf5ddc3935ef854db58c6893a4cdd39a5b08b0768c88e57d3474f33351dedd9",
    "chinese_medieval": "bd1190be0972a8ccca8212d80572253cc99bc80f9655f546e9c67c3263e030a1",
    "egyptian": "9f5275d8ebb64bbf1760d06d8efa8d61d1411f768f91be6a1c2dd67f0ccc92bb",
    "hawaiian_starlines": "148caaaaa311feefae9992a67e0934bf830985b0a87d1affa398b91e47aa8730",
    "indian": "a5d7ae068d349d49ebdccdcc0a3d60b0b3577896fd13a1946a2859d8a3a45708",
    "inuit": "a2da9a9ad461a823dbaf5e0299b478fd01bce73319428f753569b960193f1797",
    "japanese_moon_stations": "18e8d952556b85a6a5259908228a2747503faa9566226c5d35e9d1f6f0dd15bd",
    "korean": "47065e9c7e3b4123e1f8a4d04a6e9269064eca3bf3126bbbc10d9e3ee9dbc442",
    "macedonian": "d45c571628ed8c193145cb8605597ab9c4061a11ef5fcc77cd94648d9d9de719",
    "maori": "551ee4cf1316f38bea7876b46600a1fa22e2a0fd7922fcee52857393bc969be5",
    "mongolian": "2eeac08cdeedb6c8dd4ddc3fa3fdee9b85a9cca1b5e74612bfaf4a67e67938af",
    "navajo": "ce3a8760650f5ec470dce8cf8c8b4a3a0d67464dee587d45888bc8b16b2ab41b",
    "northern_andes": "ee735162c367f9313a4c9bcdfe3f428ce29402c673013baf56cbbcc92df8a3d4",
    "romanian": "fa4af60ad22cd76eeee2651960bcf1abcef5653b0ead5c3d168402797d0846e6",
    "russian_siberian": "ed047cae09a7cdbbb65767a52893954c0501d62c552ee892cc824078d1a6e1e4",
    "sami": "8c569da75564b4542e8afb5b1c521f120dec8a7933e26f67421d2cb489b6a824",
    "sardinian": "6cabe6fd3223c700cd478f1731d5f5793e90e99aaf9636f32e6a4ee8aaf894d2",
    "tongan": "a1bd4a11942c99003f7f4f5a27dcc9ef25462fa254b6eb1b4faf51057328b498",
    "tukano": "6e705ca84b6d8498f3570db482a76827240a46a0607c489a5f63bb1c56d81538",
    "tupi": "4c1a4403f6df98741d24dec7c3037900003f94688cfa6aa90bac35db01e977bd",
    "western": "67f872dfdc447f2c5f8aaefb99028260e09494bc99de6ce7a7bf2953e14ed91a",
    "western_SnT": "3965d45454751978e9994d428db07846cbc3be6b82caa56aa5badbfd7e2f1804",
    "western_hlad": "62e2aea5095205e9d91b4d317a17786707ea2b03e589cd8673d0f643b0f0ce24",
    "western_rey": "d11fb1576c0ddde15ea311c8fd9147f0755f1481eb6ffebe982d2ff0a518e190",
}

BLOCK = {
    "p",
    "div",
    "ul",
    "ol",
    "dl",
    "table",
    "blockquote",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "center",
    "hr",
}
SOFT = "\x00"  # a line break that does not add up with its neighbours
LINE = {"li", "dt", "dd", "tr", "br", "figcaption", "caption"}


class Text(html.parser.HTMLParser):
    """Drops the tags: a blank line round a block, a new line for an item, ' | ' between cells."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.cells = 0

    def handle_starttag(self, tag, attrs):
        if tag in BLOCK:
            self.parts.append("\n\n")
        elif tag in LINE:
            self.parts.append(SOFT)
        if tag == "li":
            self.parts.append("- ")
        elif tag == "tr":
            self.cells = 0
        elif tag in ("td", "th"):
            if self.cells:
                self.parts.append(" | ")
            self.cells += 1

    def handle_endtag(self, tag):
        if tag in BLOCK:
            self.parts.append("\n\n")
        elif tag in LINE and tag != "br":
            self.parts.append(SOFT)

    def handle_data(self, data):
        self.parts.append(re.sub(r"\s+", " ", data))

    def text(self):
        text = re.sub(f"(?: *{SOFT} *)+", "\n", "".join(self.parts))
        text = "\n".join(re.sub(r"[ \u00a0]+", " ", line).strip() for line in text.split("\n"))
        text = re.sub(r"\n{3,}", "\n\n", text)
        text = re.sub(r"^-\n+", "- ", text, flags=re.M)
        return text.strip("\n") + "\n"


def member(deb, prefix):
    """The member of an ar archive whose name starts so."""
    if deb.read(8) != b"!<arch>\n":
        sys.exit("not a Debian package")
    while head := deb.read(60):
        size = int(head[48:58])
        if head[:16].startswith(prefix):
            return io.BytesIO(deb.read(size))
        deb.seek(size + size % 2, 1)
    sys.exit("no data in the package")


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--deb", type=pathlib.Path)
    ap.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "corpus")
    ap.add_argument("--print-digests", action="store_true", help="print the digests instead of checking them")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        path = args.deb
        if path is None:
            subprocess.run(["apt-get", "download", f"{PACKAGE}={VERSION}"], cwd=tmp, check=True)
            path = next(pathlib.Path(tmp).glob("*.deb"))
        with path.open("rb") as deb:
            digest = (
                hashlib.file_digest(deb, "sha256").hexdigest()
                if hasattr(hashlib, "file_digest")
                else hashlib.sha256(deb.read()).hexdigest()
            )
            if digest != DEB_SHA256:
                sys.exit(f"{path.name}: unexpected SHA-256 {digest}")
            deb.seek(0)
            data = member(deb, b"data.tar")
    args.out.mkdir(parents=True, exist_ok=True)
    found, bad = set(), 0
    with tarfile.open(fileobj=data, mode="r:*") as tar:
        for info in tar:
            if not (info.name.startswith(FOLDER) and info.name.endswith("/description.en.utf8")):
                continue
            name = info.name.split("/")[-2]
            if name not in SHA256:
                continue
            parser = Text()
            parser.feed(tar.extractfile(info).read().decode("utf-8"))
            parser.close()
            raw = parser.text().encode("utf-8")
            digest = hashlib.sha256(raw).hexdigest()
            if args.print_digests:
                print(f"    '{name}': '{digest}',")
            elif digest != SHA256[name]:
                print(f"{name}.txt: unexpected SHA-256 {digest}", file=sys.stderr)
                bad += 1
                continue
            (args.out / f"{name}.txt").write_bytes(raw)
            found.add(name)
            if len(found) == len(SHA256):
                break
    missing = set(SHA256) - found
    if bad or missing:
        sys.exit(f"{bad} changed, missing: {', '.join(sorted(missing)) or 'none'}")
    print(f"{len(found)} files in {args.out.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
