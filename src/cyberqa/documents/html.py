"""HTML: trafilatura tells a page's main text from its navigation; the words are taken from the page itself.

trafilatura's own output joins and respaces words, so it is not quoted. It is given a copy of the page in which every
paragraph, item and table begins with a mark; the parts whose marks come back are the main text.
"""

import codecs
import copy
import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyberqa.documents.composing import compose, own_title
from cyberqa.documents.markup import UNSEEN, Leaf, find_leaves, is_seen
from cyberqa.documents.reading import Reading
from cyberqa.documents.text import decode
from cyberqa.errors import DocumentError
from cyberqa.types import BlockKind, Metadata

if TYPE_CHECKING:
    from lxml.html import HtmlElement


_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]+)|<\?xml[^>]{0,80}encoding=["']([\w:.-]+)"""
)
_DECLARATION_BYTES = 2048  # a browser looks at 1,024; some pages have long comments
_AS_BROWSERS_DO = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254"}
_WIDE = ("utf-16", "utf-32")  # a page whose declaration can be read as ASCII is in neither

# Braille is printable, no letter and no space, so that a mark counts as a word of its own to every rule.
_MARK_DIGITS = [chr(code) for code in range(0x2801, 0x2900)]
_MARK = re.compile("[\u2801-\u28ff]{3}")
_NOT_IN_COPY = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0x2800, 0x2900)])
"""Braille of the page's own, and what lxml lets no one write into a tree."""
_MAX_LEAVES = len(_MARK_DIGITS) ** 3

_LAST_YEAR = "2100-12-31"  # htmldate's own limit is today, and the same page must read the same tomorrow


def read_html(data: bytes) -> Reading:
    """Extract the main text of a web page; all of its visible text, with a warning, where that cannot be told.

    Raises:
        DocumentError: no text that can be decoded, or nested too deeply to be read.
    """
    text, encoding = _decode(data)
    try:
        return _read(text, encoding)
    except RecursionError as error:
        raise DocumentError("its elements are nested too deeply to be read") from error


def _read(text: str, encoding: str) -> Reading:
    root = _parse(text)
    if root is None:
        return Reading("", [], has_lines=False, encoding=encoding)
    metadata = _metadata(root)
    leaves = find_leaves(root)
    kept = _with_their_own(leaves, _main_text(root, leaves))
    warnings: tuple[str, ...] = ()
    if not any(leaf.part.kind is not BlockKind.HEADING for leaf in kept):
        kept, warnings = leaves, ("no main text was recognised; all visible text was read, with any navigation",)
    canonical, blocks, repairs = compose(leaf.part for leaf in kept)
    return Reading(
        canonical, blocks, has_lines=False, encoding=encoding, metadata=metadata, repairs=repairs, warnings=warnings
    )


# --- bytes to a tree -----------------------------------------------------------------------------------------


def _decode(data: bytes) -> tuple[str, str]:
    """Decode by byte-order mark, else as the page declares, else as any text file."""
    declared = _DECLARED.search(data[:_DECLARATION_BYTES])
    if declared and not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            name = codecs.lookup((declared[1] or declared[2]).decode("ascii")).name
            name = _AS_BROWSERS_DO.get(name, name)
            if not name.startswith(_WIDE):
                return data.decode(name), name
        except (LookupError, ValueError):  # no such encoding, or not what it says
            pass
    return decode(data)


def _parse(text: str) -> "HtmlElement | None":
    from lxml.etree import ParserError
    from lxml.html import HTMLParser, document_fromstring

    # Bytes, for lxml refuses a str that declares an encoding. huge_tree stays off: depth and entities are bounded.
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        return document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except ParserError:  # nothing but white space or comments
        return None


# --- which leaves are the main text --------------------------------------------------------------------------


def _main_text(root: "HtmlElement", leaves: Sequence[Leaf]) -> set[int]:
    """Return the groups of leaves that trafilatura keeps. The tree is changed."""
    import trafilatura

    if len(leaves) > _MAX_LEAVES:
        raise DocumentError(f"it has {len(leaves):,} paragraphs, over the limit of {_MAX_LEAVES:,}")
    _drop_unseen(root)
    for element in root.iter():
        element.text, element.tail = (t and t.translate(_NOT_IN_COPY) for t in (element.text, element.tail))
    for leaf in leaves:
        for element, where in leaf.places:
            setattr(element, where, f"{_mark(leaf.group)} {getattr(element, where)}")
    found = trafilatura.bare_extraction(root, include_comments=False)
    if found is None or isinstance(found, dict) or found.body is None:
        return set()
    return {_group(mark) for mark in _MARK.findall("".join(found.body.itertext()))}


def _mark(group: int) -> str:
    base = len(_MARK_DIGITS)
    return "".join(_MARK_DIGITS[group // base**power % base] for power in (2, 1, 0))


def _group(mark: str) -> int:
    base = len(_MARK_DIGITS)
    high, middle, low = map(_MARK_DIGITS.index, mark)
    return (high * base + middle) * base + low


def _drop_unseen(root: "HtmlElement") -> None:
    """Take out what no browser shows: trafilatura would read some of it."""
    for element in [
        element for element in root.iter() if element.tag not in ("head", *UNSEEN) and not is_seen(element)
    ]:
        if element.getparent() is not None:
            element.drop_tree()


def _with_their_own(leaves: Sequence[Leaf], groups: set[int]) -> list[Leaf]:
    """Return the leaves of these groups, and the footnotes and headings that belong to them.

    trafilatura leaves out most lists of footnotes, and headings above what it kept.
    """
    referred = {name for leaf in leaves if leaf.group in groups for name in leaf.references}
    kept: list[Leaf] = []
    headings: list[Leaf] = []
    for leaf in leaves:
        if leaf.group in groups or leaf.note in referred:
            kept += [*headings, leaf]
            headings = []
        elif leaf.part.kind is BlockKind.HEADING:
            headings = [above for above in headings if above.part.level < leaf.part.level] + [leaf]
        else:
            headings = []
    return kept


# --- metadata ------------------------------------------------------------------------------------------------


def _metadata(root: "HtmlElement") -> Metadata:
    """Return what the page says of itself: title, site, year of publication and language."""
    from trafilatura.metadata import extract_metadata

    for library in ("trafilatura", "htmldate", "courlan", "justext"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # their doubts are not for our users
    language = re.match(r"[a-z]{2}(?=[-_]|$)", (root.get("lang") or root.get("xml:lang") or "").strip().lower())
    dates = {"original_date": True, "extensive_search": False, "max_date": _LAST_YEAR}
    try:
        found = extract_metadata(copy.deepcopy(root), date_config=dates)
    except Exception:  # a broken date must not cost the text
        return Metadata(language=language.group() if language else None)
    return Metadata(
        title=own_title(found.title),
        publisher=" ".join((found.sitename or "").split()) or None,
        year=int(found.date[:4]) if found.date else None,
        language=language.group() if language else None,
    )
