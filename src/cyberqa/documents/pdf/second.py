"""What pypdf says of a PDF: title, printed page labels, bookmarks, and a second opinion on the text of its pages."""

import contextlib
import io
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MAX_COMPARED_PAGES = 8
"""Pages on which the two readers are compared: all of a short document, else as many, evenly spread.

pypdf reads 7 to 40 pages a second, pdfium 60 to 85 with all that is asked of it here: eight pages cost up to a second,
all of a 1,000-page report up to two minutes.
"""

MIN_AGREEMENT = 0.9
"""Below it a page is named. Where both read well they agree to .97 and better; a lost line of thirty costs .03."""

_MAX_CONTENT_BYTES = 1_000_000  # of drawing instructions: pypdf would need minutes for a map
_MAX_BOOKMARKS = 5_000
_SHINGLE = 5
_NO_TITLES = re.compile(
    r"$|untitled\b|\(?(?:anonymous|unspecified|unknown|none|null)\)?$|(?:document|dokument|slide|page)\s?\d*$"
    r"|microsoft (?:word|powerpoint|excel|office)\b|powerpoint presentation$|presentazione|\W*$"
    r"|\S*\.(?:docx?|pdf|indd|qxd|pptx?|xlsx?|tex|dvi|ps|odt|rtf|html?|txt|cdr|pub|fm)$|\S*[/\\]\S*$",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(r".+\.(?:docx?|pdf|indd|qxd|pptx?|xlsx?|tex|dvi|odt|rtf|cdr|pub)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline: its depth from 1, and the index of its page from 0."""

    title: str
    level: int
    page: int


class SecondReader:
    """pypdf on the same bytes. Whatever it cannot read is None or empty: pdfium reads the text."""

    def __init__(self, data: bytes) -> None:
        from pypdf import PdfReader

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its complaints about damage are not for our users
        self._reader: PdfReader | None = None
        with contextlib.suppress(Exception):
            reader = PdfReader(io.BytesIO(data))
            if reader.is_encrypted:
                reader.decrypt("")
            len(reader.pages)
            self._reader = reader

    def __len__(self) -> int:
        return len(self._reader.pages) if self._reader else 0

    def title(self) -> str | None:
        """Return the title that the file gives itself, unless a program made it up."""
        with contextlib.suppress(Exception):
            raw = self._reader.metadata.title if self._reader and self._reader.metadata else None
            words = " ".join(str(raw or "").split())
            return None if _NO_TITLES.match(words) or _FILE_NAME.match(words) else words
        return None

    def labels(self, pages: int) -> list[str | None]:
        """Return one printed label a page; None where the file says nothing of them: pypdf would count from 1."""
        with contextlib.suppress(Exception):
            is_labelled = self._reader is not None and "/PageLabels" in self._reader.root_object
            labels = self._reader.page_labels if self._reader and is_labelled else []
            if len(labels) == pages:
                return [" ".join(label.split()) for label in labels]
        return [None] * pages

    def bookmarks(self) -> list[Bookmark]:
        """Return the outline, in its own order."""
        found: list[Bookmark] = []
        with contextlib.suppress(Exception):
            for bookmark in self._walk(self._reader.outline if self._reader else [], 1):
                found.append(bookmark)
                if len(found) == _MAX_BOOKMARKS:
                    break
        return found

    def _walk(self, entries: Sequence[Any], level: int) -> Iterator[Bookmark]:
        for entry in entries:
            if isinstance(entry, list):
                yield from self._walk(entry, level + 1)
                continue
            page = self._reader.get_destination_page_number(entry) if self._reader else None
            if page is not None and page >= 0 and entry.title:
                yield Bookmark(" ".join(str(entry.title).split()), level, page)

    def page_text(self, index: int) -> str | None:
        """Return the text of a page; None where pypdf fails, too, or would take too long."""
        with contextlib.suppress(Exception):
            if self._reader:
                page = self._reader.pages[index]
                contents = page.get_contents()
                if contents is None or len(contents.get_data()) <= _MAX_CONTENT_BYTES:
                    return page.extract_text()
        return None


def compared_pages(pages: int) -> list[int]:
    """Return the indices of the pages on which the readers are compared: the same ones each time."""
    if pages <= MAX_COMPARED_PAGES:
        return list(range(pages))
    return [number * pages // MAX_COMPARED_PAGES for number in range(MAX_COMPARED_PAGES)]


def agreement(one: str, other: str) -> float:
    """Return how far two texts of a page hold the same words, 0 to 1, whatever their spaces, hyphens and order.

    Dice's coefficient of the bags of all runs of five letters and digits, white space and punctuation left out: a word
    that one reader cuts or glues still agrees, a word that it lacks does not.
    """
    bags = [_shingles(text) for text in (one, other)]
    total = sum(bags[0].values()) + sum(bags[1].values())
    return 2 * sum((bags[0] & bags[1]).values()) / total if total else 1.0


def _shingles(text: str) -> Counter[str]:
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())
    return Counter(letters[at : at + _SHINGLE] for at in range(max(1, len(letters) - _SHINGLE + 1)) if letters)
