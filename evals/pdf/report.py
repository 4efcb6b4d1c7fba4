"""Parses the plain text of the Western Balkans report into the parts that a typesetter would have been given.

The text came out of a PDF: footnotes stand where its pages ended, and cut sentences in two. Here each footnote is tied
to its mark again, and what was cut is whole.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
MARK = re.compile("[⁰¹²³⁴-⁹]+")
_ITEM = re.compile(r" ?- (?:([a-z]\)) )?|(\d\.) (?=\S)")
_ENTRY = re.compile(r"(.+?)\.*\t(\d+)")
_URL = re.compile(r"<?https?://")
_ODD_MARKS = {"Kosovo^{*4}": "Kosovo*⁴", "¹⁰⁷¹⁰⁸": "¹⁰⁷ ¹⁰⁸"}  # as an earlier converter left them
_ENDED = re.compile(r"[.:;?!…][\W\d]*$")


@dataclass
class Part:
    """A heading (`h1` to `h3`), paragraph (`p`), list `item` with its marker, author's `name`, `table` or `caption`."""

    kind: str
    text: str
    marker: str = ""


@dataclass
class Report:
    """Cover lines, contents (level, title), the flow of the body, and footnotes by number."""

    cover: list[str]
    contents: list[tuple[int, str]]
    parts: list[Part] = field(default_factory=list)
    footnotes: dict[int, str] = field(default_factory=dict)


def parse_report(text: str) -> Report:
    """Return the parts of the report's text; every mark has its footnote and every footnote its mark, in order."""
    for odd, mark in _ODD_MARKS.items():
        text = text.replace(odd, mark)
    lines = [line for line in re.sub(r"\[([^\]]+)\]\(#\)", r"\1", text).split("\n") if line.strip()]
    start = lines.index("Contents")
    entries = [entry[1] for line in lines[start + 1 :] if (entry := _ENTRY.fullmatch(line)) and line[0] != "\t"]
    entries = entries[: entries.index("About DiploFoundation") + 1]
    report = Report(lines[:start], [(_level(title), title) for title in entries])
    titles = {title: level for level, title in report.contents}
    after_footnote = False
    for line in lines[start + 1 + len(entries) :]:
        if mark := MARK.match(line):
            report.footnotes[_number(mark[0])] = line[mark.end() :].strip()
            after_footnote = True
        elif after_footnote and _URL.match(line):
            report.footnotes[max(report.footnotes)] += " " + line
        else:
            _add(report.parts, line, titles)
            after_footnote = False
    marks = [_number(mark) for part in report.parts for mark in MARK.findall(part.text)]
    assert marks == sorted(report.footnotes), [pair for pair in pairwise(marks) if pair[1] != pair[0] + 1]
    return report


def split_marks(text: str) -> list[str | int]:
    """Return the stretches of a text between its footnote marks, and the marks as numbers."""
    pieces: list[str | int] = []
    end = 0
    for mark in MARK.finditer(text):
        pieces += [text[end : mark.start()], _number(mark[0])]
        end = mark.end()
    return [*pieces, text[end:]]


def _number(mark: str) -> int:
    return int(mark.translate(_SUPERSCRIPTS))


def _level(title: str) -> int:
    number = re.match(r"[\d.]*", title)[0]
    return number.count(".") + 1


def _add(parts: list[Part], line: str, titles: dict[str, int]) -> None:
    last = parts[-1] if parts else Part("h1", "")
    if line in titles:
        parts.append(Part(f"h{titles[line]}", line))
    elif "\t" in line and last.kind == "table":
        last.text += "\n" + line
    elif "\t" in line:
        parts.append(Part("table", line))
    elif item := _ITEM.match(line):
        parts.append(Part("item", line[item.end() :].strip(), item[1] or item[2] or "•"))
    elif line.startswith("Table 1:"):
        parts.append(Part("caption", line))
    elif re.match(r"M[rs] \w+ \w+, [^.]*(\.mk)?$", line):
        parts.append(Part("name", line))
    elif last.kind in ("p", "item") and not line.startswith("Web:") and not _is_ended(last, line):
        last.text += " " + line
    else:
        parts.append(Part("p", line))


def _is_ended(last: Part, line: str) -> bool:
    """Tell whether the last part was whole: a list's item may end without a stop, if no small letter follows."""
    return bool(_ENDED.search(MARK.sub("", last.text))) or (last.kind == "item" and not line[0].islower())
