"""What a file is by its first bytes, so that a wrong name is told as that and not as damage."""

import io
import zipfile

from cyberqa.documents.formats import HTML_SUFFIXES, TEXT_SUFFIXES
from cyberqa.errors import DocumentError

_HEADS = (
    (b"%PDF-", "a PDF", ".pdf"),
    (b"{\\rtf", "a Rich Text document", ""),
    (b"\x89PNG\r\n", "a picture", ""),
    (b"\xff\xd8\xff", "a picture", ""),
    (b"GIF8", "a picture", ""),
    (b"II*\x00", "a picture", ""),
    (b"MM\x00*", "a picture", ""),
    (b"\x1f\x8b", "a compressed file", ""),
    (b"7z\xbc\xaf", "a compressed file", ""),
    (b"Rar!", "a compressed file", ""),
)
_ZIP_MEMBERS = (
    ("word/", "a Word document", ".docx"),
    ("xl/", "an Excel workbook", ""),
    ("ppt/", "a PowerPoint presentation", ""),
    ("META-INF/container.xml", "an e-book", ""),
    ("content.xml", "an OpenDocument file", ""),
)
_OLE_HEAD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of Word, Excel and PowerPoint before 2007
_HTML_HEADS = (b"<!doctype html", b"<html")


def check_head(data: bytes, suffix: str) -> None:
    """Refuse a file that plainly is something other than its name says.

    Raises:
        DocumentError: with what was found and what to do about it.
    """
    found, its_suffix = _kind(data)
    if found is None or its_suffix == suffix or (its_suffix == ".html" and suffix in (*TEXT_SUFFIXES, *HTML_SUFFIXES)):
        if suffix == ".docx" and found is None:
            raise DocumentError("expected a Word document, found no ZIP archive")
        return
    advice = f"rename it to {its_suffix}" if its_suffix else "save it as .docx, .pdf, .html or text"
    raise DocumentError(f"its name says {suffix}, but it is {found}: {advice}")


def _kind(data: bytes) -> tuple[str | None, str]:
    """Return what a file is in words, and the suffix it should have; None and empty where its head says nothing."""
    if data.startswith(_OLE_HEAD):
        return _ole_kind(data), ""
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_HTML_HEADS):
        return "a web page", ".html"
    return next(((kind, suffix) for head, kind, suffix in _HEADS if data.startswith(head)), (None, ""))


def _ole_kind(data: bytes) -> str:
    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in data

    if holds("EncryptedPackage"):
        return "a document encrypted with a password (remove it in the program that set it)"
    if holds("WordDocument"):
        return "a document of Word 2003 or earlier (.doc)"
    return "a file of an old office program"


def _zip_kind(data: bytes) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        # A cut-off .docx is still one, and its reader will say that it is damaged.
        return ("a damaged Word document", ".docx") if b"word/" in data else ("a binary file (a ZIP archive)", "")
    for member, kind, suffix in _ZIP_MEMBERS:
        if any(name.startswith(member) for name in names):
            return kind, suffix
    return "a binary file (a ZIP archive)", ""
