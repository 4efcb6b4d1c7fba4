"""PDF: pypdfium2 gives the text, page by page; pypdf the metadata, labels and bookmarks, and a second opinion.

pypdfium2 was measured twelve times faster than pypdf on 969 pages of real filings, and truer to the page. A PDF has no
paragraphs or headings, only characters at places: `layout` and `headings` find them by geometry and type.
docs/reading.md describes the rules, the repairs and their limits.
"""

from collections.abc import Sequence

from cyberqa.documents.pdf import headings, layer, layout, mending
from cyberqa.documents.pdf.composing import compose
from cyberqa.documents.pdf.glyphs import MARK
from cyberqa.documents.pdf.lines import PageText, TextLine, read_lines
from cyberqa.documents.pdf.second import MIN_AGREEMENT, SecondReader, agreement, compared_pages
from cyberqa.documents.reading import Reading
from cyberqa.errors import DocumentError


def read_pdf(data: bytes) -> Reading:
    """Extract the text of a PDF, mended and divided into blocks.

    Raises:
        DocumentError: not a PDF, damaged beyond reading, locked by a password, or without readable text.
    """
    if b"%PDF-" not in data[:1024]:
        raise DocumentError("expected a PDF, found no %PDF header in its first 1,024 bytes")
    second = SecondReader(data)
    pages, warnings = _read_pages(data, second)
    warnings += _drop_unreadable(pages)
    if not any(page.lines for page in pages):
        raise DocumentError(
            f"none of its {len(pages)} pages has readable text: it looks scanned; run OCR first, e.g. ocrmypdf"
        )
    warnings += _doubts(pages, second)
    mending.mend_characters(pages)
    title, listed = _divide(pages, second)
    mending.mend_words(pages)
    return compose(
        pages,
        second.labels(len(pages)),
        title=second.title() or title,
        has_title=title is not None,
        listed=listed,
        repairs=mending.counted(pages),
        warnings=tuple(warnings),
    )


def _divide(pages: Sequence[PageText], second: SecondReader) -> tuple[str | None, set[str]]:
    """Say of the lines what they are; return the title on the first page and the titles that a contents page lists."""
    layout.mark_running(pages)
    body = layout.body_style(pages)
    listed = headings.mark_contents(pages)
    layout.mark_footnotes(pages, body)
    headings.mark_bookmarks(pages, second.bookmarks())
    title = headings.mark_title(pages, body)
    for page in pages:
        layout.mark_starts(page)
    headings.mark_headings(pages, body)
    return title, listed


def _read_pages(data: bytes, second: SecondReader) -> tuple[list[PageText], list[str]]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentError("it is encrypted with a password; save a copy without one") from error
        if len(second):
            return _read_by_second(second, range(len(second)), f"the file is damaged ({error})")
        raise DocumentError(f"the PDF is damaged and cannot be opened ({error})") from error
    pages: list[PageText] = []
    warnings: list[str] = []
    try:
        for index in range(len(document)):
            try:
                page = document[index]
                pages.append(read_lines(page))
                page.close()
            except pypdfium2.PdfiumError as error:
                rescued, doubts = _read_by_second(second, [index], f"page {index + 1} is damaged ({error})")
                pages += rescued
                warnings += doubts
    finally:
        document.close()
    return pages, warnings


def _read_by_second(second: SecondReader, indices: Sequence[int], reason: str) -> tuple[list[PageText], list[str]]:
    """Take pages from pypdf that pdfium cannot read; they come without places and type."""
    texts = [second.page_text(index) if index < len(second) else None for index in indices]
    outcome = "read by pypdf alone" if any(text and text.strip() for text in texts) else "left out"
    return [_plain_page(text or "") for text in texts], [f"{reason} and was {outcome}; check quotations from it"]


def _plain_page(text: str) -> PageText:
    lines: list[TextLine] = []
    after_blank = False
    for raw in text.replace(MARK, "").replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").split("\n"):
        if raw.strip():
            lines.append(TextLine(raw.strip(), starts=after_blank))
        after_blank = not raw.strip()
    return PageText(lines)


def _drop_unreadable(pages: Sequence[PageText]) -> list[str]:
    """Drop the lines that are no text, and name the pages that have some such, or nothing else."""
    partly: list[int] = []
    for number, page in enumerate(pages, 1):
        if not layer.is_readable(page.text):
            kept = layer.readable_lines([line.plain for line in page.lines])
            page.lines = [line for line, keep in zip(page.lines, kept, strict=True) if keep]
            partly += [number] if page.lines else []
    warnings: list[str] = []
    if empty := [number for number, page in enumerate(pages, 1) if not page.lines]:
        verb = "looks scanned or has" if len(empty) == 1 else "look scanned or have"
        warnings.append(f"{layer.page_names(empty)} {verb} no readable text layer: run OCR, e.g. ocrmypdf")
    if partly:
        warnings.append(
            f"{layer.page_names(partly)}: some of the text is signs that mean nothing, and lines of them were left out;"
            " check quotations against the page"
        )
    return warnings


def _doubts(pages: Sequence[PageText], second: SecondReader) -> list[str]:
    """Name the pages on which the two readers disagree; see :data:`second.MAX_COMPARED_PAGES`."""
    found: dict[int, float] = {}
    for index in compared_pages(len(pages)):
        other = second.page_text(index) if pages[index].lines else None
        if other is not None and (score := agreement(pages[index].text, other)) < MIN_AGREEMENT:
            found[index + 1] = score
    if not found:
        return []
    worst = f"{min(found.values()):.2f}".lstrip("0")
    return [
        f"{layer.page_names(found)}: the two PDF readers disagree (word agreement {worst});"
        " check quotations against the page"
    ]
