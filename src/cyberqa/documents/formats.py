"""Which rules read which files: known without importing a reader, for each of them costs time to import."""

from pathlib import PurePosixPath

TEXT, PDF, DOCX, HTML = "text/2", "pdf/4", "docx/1", "html/1"
"""The readers. The number is raised with any change of extraction or repair."""

TABLE_SUFFIXES = (".csv", ".tsv")
"""Of files that are one table: their first line is a header, no title."""
TEXT_SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst", *TABLE_SUFFIXES)

HTML_SUFFIXES = (".html", ".htm", ".xhtml")

READERS: dict[str, str] = {
    **dict.fromkeys(TEXT_SUFFIXES, TEXT),
    ".pdf": PDF,
    ".docx": DOCX,
    **dict.fromkeys(HTML_SUFFIXES, HTML),
}
"""File name suffix -> the reader."""


def suffix_of(id_: str) -> str:
    """Return the file name suffix of a document, in lower case."""
    return PurePosixPath(id_).suffix.lower()
