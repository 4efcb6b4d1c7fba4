"""Draws PDFs for tests: text of any size at any place, rules, fonts without sense, bookmarks."""

import io
import re
from collections.abc import Sequence

REGULAR, BOLD, MAPPED = "F1", "F2", "F3"
MAP = {0x80: 0xFB01, 0x81: 0xAD, 0x82: 0xE001, 0x83: 0x07, 0x84: 0xFFFD, 0x85: 0x2010, 0x86: 0x1F512}
"""What the codes of the font MAPPED stand for; its other codes are as in ASCII."""


def text(x: float, y: float, words: str, size: float = 10, font: str = REGULAR) -> str:
    """Return the instruction that sets words at a place, in points from the lower left corner."""
    shown = re.sub(r"([()\\])", r"\\\1", words)
    return f"BT /{font} {size} Tf {x} {y} Td ({shown}) Tj ET"


def column(lines: Sequence[str], top: float = 700, x: float = 72, size: float = 10, pitch: float = 12) -> list[str]:
    """Return instructions for lines, one below the other; an empty one leaves a gap."""
    return [text(x, top - number * pitch, line, size) for number, line in enumerate(lines) if line]


def grid(xs: Sequence[float], ys: Sequence[float]) -> list[str]:
    """Return instructions that draw all rules of a table."""
    level = [f"{xs[0]} {y} m {xs[-1]} {y} l S" for y in ys]
    return level + [f"{x} {ys[0]} m {x} {ys[-1]} l S" for x in xs]


def draw(pages: Sequence[Sequence[str]], title: str | None = None) -> bytes:
    """Return a PDF of pages of instructions; A4, Helvetica."""
    signs = "".join(f"<{code:02x}> <{chr(sign).encode('utf-16-be').hex()}>\n" for code, sign in MAP.items())
    ascii_range = "1 beginbfrange\n<20> <7e> <0020>\nendbfrange"
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
        f"1 begincodespacerange\n<00> <ff>\nendcodespacerange\n{ascii_range}\n"
        f"{len(MAP)} beginbfchar\n{signs}endbfchar\nendcmap end end"
    )
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        *(
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding{extra} >>"
            for name, extra in (("Helvetica", ""), ("Helvetica-Bold", ""), ("Helvetica", " /ToUnicode 6 0 R"))
        ),
        f"<< /Length {len(cmap)} >>\nstream\n{cmap}\nendstream",
    ]
    kids = []
    for instructions in pages:
        stream = "\n".join(instructions)
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} 0 R"
            " /Resources << /Font << /F1 3 0 R /F2 4 0 R /F3 5 0 R >> >> >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    info = ""
    if title is not None:
        objects.append(f"<< /Title ({title}) >>")
        info = f" /Info {len(objects)} 0 R"
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    body += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R{info} >>\n"
    return (body + f"startxref\n{body.index('xref')}\n%%EOF\n").encode("latin-1")


def with_bookmarks(data: bytes, entries: Sequence[tuple[str, int, int]]) -> bytes:
    """Return a PDF with an outline of (title, depth from 1, page from 0)."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    parents = {}
    for title, level, page in entries:
        parents[level] = writer.add_outline_item(title=title, page_number=page, parent=parents.get(level - 1))
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()
