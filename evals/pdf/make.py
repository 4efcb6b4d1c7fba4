"""Set the Western Balkans report as PDFs, in one and in two columns, and write down what stands on which page.

    python evals/pdf/make.py [--out FOLDER]

Needs an environment of its own (requirements.txt), Pango, and the fonts of the Debian package fonts-linuxlibertine. The
truth (`*.truth.json`) is taken from the layout that WeasyPrint draws, never from a PDF: for each page its number, its
label, its running header and footer, its lines as set, and its footnotes by number.
"""

import argparse
import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pydyf
from report import Part, Report, parse_report, split_marks
from weasyprint import CSS, HTML, Document
from weasyprint.formatting_structure import boxes

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "corpus" / "western-balkans-cybersecurity.txt"
VARIANTS = {"one": "western-balkans-one-column", "two": "western-balkans-two-columns"}


# --- setting ---------------------------------------------------------------------------------------------------


def html_of(report: Report, variant: str) -> str:
    """Return the report as one page of HTML."""
    title, *others = report.cover
    cover = f"<h1>{escape(title)}</h1>" + "".join(f"<p>{escape(line)}</p>" for line in others)
    contents = "".join(
        f'<p class="entry l{level}"><a href="#h{n}">{escape(entry)}</a></p>'
        for n, (level, entry) in enumerate(report.contents)
    )
    titles = [entry for _, entry in report.contents]
    flow = "".join(_part(part, titles, report.footnotes) for part in report.parts)
    chapters = "".join(f"<section>{chapter}</section>" for chapter in re.split("(?=<h1)", flow) if chapter)
    return (
        f'<html lang="en"><head><title>{escape(title)}</title><meta name="author" content="DiploFoundation"></head>'
        f'<body class="{variant}"><div class="cover">{cover}</div><div class="front"><h1>Contents</h1>{contents}</div>'
        f'<div class="main">{chapters}</div></body></html>'
    )


def _part(part: Part, titles: list[str], footnotes: dict[int, str]) -> str:
    if part.kind.startswith("h"):
        return f'<{part.kind} id="h{titles.index(part.text)}">{escape(part.text)}</{part.kind}>'
    if part.kind == "table":
        rows = [row.split("\t") for row in part.text.split("\n")]
        cells = ["".join(f"<{tag}>{escape(c)}</{tag}>" for c in r) for tag, r in zip(_tags(rows), rows, strict=True)]
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
    marker = f'<span class="marker">{part.marker}</span>' if part.marker else ""
    return f'<p class="{part.kind}">{marker}{_inline(part.text, footnotes)}</p>'


def _tags(rows: list[list[str]]) -> list[str]:
    return ["th", *["td"] * (len(rows) - 1)]


def _inline(text: str, footnotes: dict[int, str]) -> str:
    """Return HTML for the text's Markdown and addresses, and each footnote where its mark was."""
    html = ""
    for piece in split_marks(text):
        html += f'<span class="fn">{_styled(footnotes[piece])}</span>' if isinstance(piece, int) else escape(piece)
    return _styles(html)


def _styled(text: str) -> str:
    return _styles(escape(text))


def _styles(html: str) -> str:
    html = re.sub(r"(?:&lt;)?(https?://(?:(?!&gt;)[^\s<])+)(?:&gt;)?", r'<a class="url">\1</a>', html)
    html = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html)
    return re.sub(r"(?<![\w*/])\*(\w[^*]*[\w.)])\*(?![\w*])", r"<i>\1</i>", html)


def number_pages(front: int, pdf: pydyf.PDF) -> None:
    """Give the pages their printed numbers as labels: small Roman ones for the ``front`` pages, then Arabic."""
    roman, arabic = pydyf.Dictionary({"S": "/r"}), pydyf.Dictionary({"S": "/D"})
    pdf.catalog["PageLabels"] = pydyf.Dictionary({"Nums": pydyf.Array([0, roman, front, arabic])})


# --- the truth -------------------------------------------------------------------------------------------------


def truth_of(document: Document, report: Report) -> list[dict[str, Any]]:
    """Return what was set on each page, in the order of reading; no footnote may be lost or out of order."""
    truth = [_page_truth(page._page_box, number) for number, page in enumerate(document.pages, 1)]
    labels = [int(label) for page in truth for label in page["footnotes"]]
    assert labels == sorted(report.footnotes), set(report.footnotes).symmetric_difference(labels)
    return truth


def _page_truth(page: Any, number: int) -> dict[str, Any]:
    truth: dict[str, Any] = {"page": number, "label": "i", "running": [], "lines": [], "footnotes": {}}
    for child in page.children:
        lines = list(_lines(child))
        if isinstance(child, boxes.MarginBox):
            truth["running"] += lines
            truth["label"] = lines[-1]  # the page's number is the last of its margins; the cover bears none
        elif isinstance(child, boxes.FootnoteAreaBox):
            truth["footnotes"] = dict(_footnote(note) for note in child.children)
        else:
            truth["lines"] += lines
    return truth


def _footnote(note: Any) -> tuple[str, str]:
    marker, *words = [text for line in _line_boxes(note) for text in [*_texts(line), "\n"]]
    return marker, "".join(words).strip()


def _lines(box: Any) -> Iterator[str]:
    return ("".join(_texts(line)) for line in _line_boxes(box))


def _line_boxes(box: Any) -> Iterator[Any]:
    if isinstance(box, boxes.LineBox):
        yield box
    elif isinstance(box, boxes.ParentBox):
        for child in box.children:
            yield from _line_boxes(child)


def _texts(box: Any) -> Iterator[str]:
    if isinstance(box, boxes.TextBox):
        yield box.text
    elif isinstance(box, boxes.ParentBox):
        for child in box.children:
            yield from _texts(child)


def main() -> None:
    """Write each variant and its truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    report = parse_report(SOURCE.read_bytes().decode("utf-8"))
    for variant, name in VARIANTS.items():
        document = HTML(string=html_of(report, variant)).render(stylesheets=[CSS(HERE / "report.css")])
        truth = truth_of(document, report)
        front = [page["label"] for page in truth].index("1")
        document.write_pdf(out / f"{name}.pdf", finisher=lambda _, pdf, front=front: number_pages(front, pdf))
        text = json.dumps(truth, ensure_ascii=False, indent=0)
        (out / f"{name}.truth.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
