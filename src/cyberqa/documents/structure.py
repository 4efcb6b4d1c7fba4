"""Canonical text to blocks: headings, paragraphs, lists, tables, footnotes and the table of contents.

The rules see only characters and lines, so that they serve plain text and the pages of a PDF alike. Every
character that is not white space (or a byte-order mark) lands in exactly one block, and blocks keep the order of
the text.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cyberqa.types import Block, BlockKind, Span

_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANK = (  # what str.strip() takes away, and the byte-order mark
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)

LIST_ITEM = re.compile(r"[ \t]*(?:[-*+•▪●◦‣–\uf0b7\uf0a7]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)])[ \t]+\S")
_FOOTNOTE = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_BRACKETED_MARK = re.compile(r"(?<=\S)[ \t]?\[(\d{1,3})\]")
_BRACKETED_NOTE = re.compile(r"\[(\d{1,3})\][ \t]+\S")
_ONLY_ADDRESS = re.compile(r"<?(?:https?://|www\.)\S+>?$")
NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?[ \t]+(\S.*)")
_HASHES = re.compile(r"(#{1,6})[ \t]+\S")
_UNDERLINE = re.compile(r"([=\-`:'\"~^_*+#<>.])\1{2,}$")

TABLE_LABEL = re.compile(
    r"(?:table|tab\.|tabela|tabelle|tableau|табела|таблица)\s{0,3}((?:\d{1,4}|[IVX]{1,6})(?:[.–-]\d{1,3})*)\b",
    re.IGNORECASE,
)
"""What a caption opens with, and the text names the table by; its group is the number."""
_BEFORE_LABEL = re.compile(r"\W{0,4}")

CONTENTS_TITLE = re.compile(r"(?:table of )?contents$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"\d{1,4}$")
_LEADERS = " \t.…·"
MIN_CONTENTS_ENTRIES = 4

MAX_HEADING_CHARS = 150
MAX_TITLE_CHARS = 200
SENTENCE_END = tuple(".;:,!?…")


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end: the span of its visible characters, and their text."""

    span: Span
    text: str

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to see."""
        return not self.text


def iter_lines(text: str, start: int = 0, end: int | None = None) -> Iterator[Line]:
    """Yield the lines of ``text[start:end]``; a line ends at LF, CRLF or a lone CR and at nothing else.

    White space at both ends of a line is outside its span, but for the tabs that lead a row of a table.
    """
    end = len(text) if end is None else end
    position = start
    while position < end:
        end_of_line = _LINE_END.search(text, position, end)
        stop = end_of_line.end() if end_of_line else end
        yield _trimmed(text[position:stop], position)
        position = stop


def _trimmed(raw: str, position: int) -> Line:
    visible = raw.strip(_BLANK)
    before = raw[: raw.find(visible)]
    if "\t" in visible and before.endswith("\t"):  # an empty first cell: without it every column would shift
        visible = before[len(before.rstrip("\t")) :] + visible
    offset = raw.find(visible) if visible else 0
    return Line(Span(position + offset, position + offset + len(visible)), visible)


def find_blocks(
    text: str,
    paragraphs: Sequence[Sequence[Line]] | None = None,
    decided: Mapping[int, tuple[BlockKind, int]] | None = None,
    listed: Collection[str] = (),
) -> list[Block]:
    """Divide text into blocks.

    Headings are numbered (``4.1 Albania``), marked (``## Albania``), underlined, or named in the table of
    contents. The first line is the document's title (level 0) when it stands alone, does not end like a sentence
    and text follows.

    Args:
        text: canonical text.
        paragraphs: its lines, grouped; where a format knows no better, blank lines part them.
        decided: position of a paragraph -> its kind and level, where the format knows them.
        listed: folded titles (:func:`fold`) of a table of contents that the format has found.
    """
    noted = frozenset(_BRACKETED_MARK.findall(text)) if decided is None else frozenset[str]()
    decided = decided or {}
    if paragraphs is None:
        paragraphs = _paragraphs(iter_lines(text))
    contents, titles = _find_contents(paragraphs)
    contents -= decided.keys()
    titles |= set(listed)
    blocks: list[Block] = []
    numbering = _Numbering()
    underlines: list[str] = []
    followers = [*(p for i, p in enumerate(paragraphs) if i not in contents), None][1:]
    bodies = iter(followers)
    for position, lines in enumerate(paragraphs):
        if position in contents:
            blocks.append(Block(BlockKind.CONTENTS, _span(lines)))
            continue
        following = next(bodies)
        if position in decided:
            kind, depth = decided[position]
            blocks.append(Block(kind, _span(lines), depth))
            if kind is BlockKind.HEADING:
                numbering.note(lines[0].text)
            continue
        level = _heading_level(lines, following, titles, numbering, underlines)
        if level is None and position == 0 and following is not None and _is_title(lines):
            level = 0
        if level is not None:
            blocks.append(Block(BlockKind.HEADING, _span(lines), level))
        else:
            blocks.extend(_body_blocks(lines, noted, after=blocks[-1] if blocks else None))
    return _join_addresses(blocks, text)


def is_caption(text: str, block: Block) -> bool:
    """Whether a block is the caption of a table; a sentence about one (``Table 1 shows …``) is none."""
    words = text[block.span.start : block.span.end]
    label = TABLE_LABEL.match(words, _BEFORE_LABEL.match(words).end())  # type: ignore[union-attr] # matches anything
    if block.kind is not BlockKind.PARAGRAPH or label is None:
        return False
    return not (words[label.end() :].lstrip()[:1].islower() and words.endswith(SENTENCE_END))


def heading_text(text: str, block: Block) -> str:
    """Return a heading as it is shown in a section trail: one line, without marks."""
    lines = (line.text for line in iter_lines(text, block.span.start, block.span.end))
    words = " ".join(line for line in lines if not _UNDERLINE.match(line))
    return " ".join(words.strip("#").replace("**", "").split())


def _paragraphs(lines: Iterable[Line]) -> list[list[Line]]:
    groups: list[list[Line]] = [[]]
    for line in lines:
        if line.is_blank:
            groups.append([])
        else:
            groups[-1].append(line)
    return [group for group in groups if group]


def _span(lines: Sequence[Line]) -> Span:
    return Span(lines[0].span.start, lines[-1].span.end)


# --- table of contents ---------------------------------------------------------------------------------------


def _find_contents(paragraphs: Sequence[Sequence[Line]]) -> tuple[set[int], set[str]]:
    """Return which paragraphs are the table of contents, and the titles that it lists (folded)."""
    found: set[int] = set()
    titles: set[str] = set()
    everywhere: Counter[str] = Counter()
    position = 0
    while position < len(paragraphs):
        stop, entries = _contents_run(paragraphs, position)
        if len(entries) >= MIN_CONTENTS_ENTRIES:
            named = position > 0 and _names_contents(paragraphs[position - 1])
            first = position - 1 if named else position
            folded = {fold(title) for title in entries}
            everywhere = everywhere or _folded_lines(paragraphs)
            here = _folded_lines(paragraphs[first:stop])
            if named or CONTENTS_TITLE.match(paragraphs[position][0].text) or _recur(folded, everywhere, here):
                found.update(range(first, stop))
                titles |= folded
        position = max(stop, position + 1)
    return found, titles


def _contents_run(paragraphs: Sequence[Sequence[Line]], first: int) -> tuple[int, list[str]]:
    """Return the end of the run of entries that starts at ``first``, and its titles; page numbers never fall."""
    titles: list[str] = []
    last_page = 0
    stop = first
    while stop < len(paragraphs):
        lines = paragraphs[stop]
        if stop == first and len(lines) > 1 and CONTENTS_TITLE.match(lines[0].text):
            lines = lines[1:]
        entries = [contents_entry(line.text) for line in lines]
        pages = [entry[1] for entry in entries if entry]
        if len(pages) != len(lines) or pages != sorted(pages) or pages[0] < last_page:
            break
        titles.extend(entry[0] for entry in entries if entry)
        last_page = pages[-1]
        stop += 1
    return stop, titles


def contents_entry(text: str) -> tuple[str, int] | None:
    """Return title and page of a line like ``4.1 Albania ..... 15``, read from its end: a pattern would backtrack."""
    page = _PAGE_NUMBER.search(text[-5:])
    if page is None:
        return None
    head = text[: len(text) - len(page.group())]
    title = head.rstrip(_LEADERS)
    leader = head[len(title) :]
    is_leader = "\t" in leader or "…" in leader or leader.count(".") + leader.count("·") > 1 or leader.count(" ") > 2
    return (title, int(page.group())) if title and is_leader else None


def _recur(titles: set[str], everywhere: Counter[str], here: Counter[str]) -> bool:
    """Whether half of the titles stand elsewhere as lines: a list of ports ends in rising numbers, too."""
    return sum(everywhere[title] > here[title] for title in titles) * 2 >= len(titles)


def _folded_lines(paragraphs: Sequence[Sequence[Line]]) -> Counter[str]:
    return Counter(fold(line.text) for lines in paragraphs for line in lines)


def _names_contents(lines: Sequence[Line]) -> bool:
    return len(lines) == 1 and bool(CONTENTS_TITLE.match(lines[0].text.strip("#* ")))


def fold(title: str) -> str:
    """Return a title as it is compared: its letters and digits, in lower case, parted by single spaces."""
    return re.sub(r"[\W_]+", " ", title).strip().casefold()


# --- headings ------------------------------------------------------------------------------------------------


class _Numbering:
    """The numbers of the headings so far: a numbered line is a heading only if it carries the sequence on."""

    max_gap = 3  # a heading lost in extraction must not end the sequence

    def __init__(self) -> None:
        self.last: tuple[int, ...] = ()

    def note(self, text: str) -> None:
        """Take note of a heading that was known by other signs."""
        if numbered := NUMBERED.match(text):
            self.last = max(self.last, tuple(int(part) for part in numbered[1].split(".")))

    def continues(self, number: tuple[int, ...]) -> bool:
        if number <= self.last:
            return False
        shared = next((i for i, (a, b) in enumerate(zip(number, self.last, strict=False)) if a != b), len(self.last))
        if len(number) <= shared:
            return False
        before = self.last[shared] if shared < len(self.last) else 0
        # Below the point where the numbers part, each deeper level must start at its beginning.
        return number[shared] - before <= (self.max_gap if self.last else 1) and all(
            part <= 1 for part in number[shared + 1 :]
        )


def _heading_level(
    lines: Sequence[Line],
    following: Sequence[Line] | None,
    titles: set[str],
    numbering: _Numbering,
    underlines: list[str],
) -> int | None:
    if len(lines) in (2, 3) and (underlined := _underline_level(lines, underlines)) is not None:
        return underlined
    if len(lines) != 1 or following is None:
        return None
    text = lines[0].text
    if (marked := _HASHES.match(text)) and len(text) <= MAX_HEADING_CHARS:
        return len(marked[1])
    numbered = NUMBERED.match(text)
    listed = fold(text) in titles
    if numbered and looks_like_heading(numbered[2]):
        number = tuple(int(part) for part in numbered[1].split("."))
        if listed or (numbering.continues(number) and not _is_sibling(number, following)):
            numbering.last = max(numbering.last, number)
            return len(number)
        return None
    return 1 if listed and len(text) <= MAX_HEADING_CHARS else None


def looks_like_heading(title: str) -> bool:
    """Whether what follows a number could be a heading's words: short, no sentence, not in lower case."""
    return (
        len(title) <= MAX_HEADING_CHARS
        and not title.endswith(SENTENCE_END)
        and not title[0].islower()
        and any(map(str.isalpha, title))
    )


def _is_sibling(number: tuple[int, ...], following: Sequence[Line]) -> bool:
    """Whether the next paragraph is the next number of the same depth: then both are items of a list."""
    after = NUMBERED.match(following[0].text)
    return after is not None and tuple(int(part) for part in after[1].split(".")) == (
        *number[:-1],
        number[-1] + 1,
    )


def _underline_level(lines: Sequence[Line], underlines: list[str]) -> int | None:
    """Level of an underlined (perhaps also overlined) heading, by the order in which its marks first appear."""
    *title, mark = lines
    if (
        not (match := _UNDERLINE.match(mark.text))
        or len(mark.text) < len(title[-1].text)
        or _UNDERLINE.match(title[-1].text)
    ):
        return None
    if len(title) == 2 and title[0].text != mark.text:
        return None
    style = match[1] * len(lines)
    if style not in underlines:
        underlines.append(style)
    return underlines.index(style) + 1


def _is_title(lines: Sequence[Line]) -> bool:
    text = lines[0].text
    return (
        len(lines) == 1
        and len(text) <= MAX_TITLE_CHARS
        and not text.endswith(SENTENCE_END)
        and not LIST_ITEM.match(text)
        and not _FOOTNOTE.match(text)
    )


# --- running text --------------------------------------------------------------------------------------------


def _body_blocks(lines: Sequence[Line], noted: Collection[str], after: Block | None) -> Iterator[Block]:
    """Divide a paragraph where its kind changes: a footnote may follow its text without a blank line between.

    ``noted`` are numbers that stand in brackets behind other words, so that a line which begins with one is a footnote.
    """
    group: list[Line] = []
    kind: BlockKind | None = None
    for line in lines:
        begins_note = _begins_note(line, noted)
        line_kind = BlockKind.FOOTNOTE if begins_note else _line_kind(line, kind)
        if group and (line_kind != kind or begins_note):
            yield _block(kind, group)
            group = []
        kind = line_kind
        group.append(line)
    if len(lines) == 1 and kind is BlockKind.TABLE and (after is None or after.kind is not BlockKind.TABLE):
        kind = BlockKind.PARAGRAPH  # one line with tabs is no table
    yield _block(kind, group)


def _begins_note(line: Line, noted: Collection[str]) -> bool:
    bracketed = _BRACKETED_NOTE.match(line.text)
    return bool(_FOOTNOTE.match(line.text)) or (bracketed is not None and bracketed[1] in noted)


def _line_kind(line: Line, before: BlockKind | None) -> BlockKind:
    if before is BlockKind.FOOTNOTE:
        return BlockKind.FOOTNOTE
    if line.text.count("\t") >= (1 if before is BlockKind.TABLE else 2):  # where the last cells are empty, fewer
        return BlockKind.TABLE
    if LIST_ITEM.match(line.text):
        return BlockKind.LIST
    return BlockKind.LIST if before is BlockKind.LIST else BlockKind.PARAGRAPH


def _block(kind: BlockKind | None, lines: Sequence[Line]) -> Block:
    return Block(kind or BlockKind.PARAGRAPH, _span(lines))


def _parts(before: Block, after: Block, text: str) -> bool:
    """Whether a page ends between two blocks."""
    return "\f" in text[before.span.end : after.span.start]


def _join_addresses(blocks: Sequence[Block], text: str) -> list[Block]:
    """Give a footnote the address that a blank line has parted from it."""
    joined: list[Block] = []
    for block in blocks:
        before = joined[-1] if joined else None
        is_address = block.kind is BlockKind.PARAGRAPH and _ONLY_ADDRESS.match(text[block.span.start : block.span.end])
        if before is not None and before.kind is BlockKind.FOOTNOTE and is_address and not _parts(before, block, text):
            joined[-1] = Block(BlockKind.FOOTNOTE, Span(before.span.start, block.span.end))
        else:
            joined.append(block)
    return joined
