"""Repairs of extracted text: each mends one kind of damage, changes nothing else, and says how often it did.

A repair takes a text and returns it mended, with the count. docs/reading.md lists them with examples. Where it takes
evidence to tell damage from intent, the evidence is the document's own vocabulary.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

LIGATURE = "ligature"
SOFT_HYPHEN = "soft hyphen"
HYPHENATION = "hyphenation"
MISSING_SPACE = "missing space"
DOUBLE_SPACE = "double space"
CONTROL = "control character"

Mended = tuple[str, int]

_LIGATURES = re.compile("[\ufb00-\ufb06]")
_LAST_SOFT_HYPHEN = re.compile("\xad(?=[ \t]*(?:\r?\n|$))")
_CONTROLS = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"  # all but tab, line ends, NEL
)
MENDABLE = re.compile(f"{_LIGATURES.pattern}|\xad|{_CONTROLS.pattern}")
"""What the repairs of single characters look for."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_HYPHENATED = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)+")
_HYPHENS = ("-", "‐")
_HEAD = re.compile(r"([^\W\d_]+)[-‐]$")
_TAIL = re.compile(r"\s*([^\W\d_]+)(\S*)[ \t]*")
_SPACES = re.compile(r"(?<=\S) {2,3}(?=\S)")
_WIDE_GAP = re.compile(r"(?<=\S)(?: {4,}|\t)(?=\S)")
_MIN_PROSE_WORDS = 6
_GLUED = re.compile(r"(?<!\S)([^\W\d_]{3,}[.,;])([^\W\d_]{3,})(?=[,;.]?(?:\s|$))")
_ANY_GLUED = re.compile(r"[^\W\d_]{3,}[.,;][^\W\d_]{3,}")
_STARTER = re.compile(r"[.!?]\s+([^\W\d_]{3,})")
_MIN_WITNESSES = 2


def mend_ligatures(text: str) -> Mended:
    """Write out the Latin ligatures U+FB00 to U+FB06: ``oﬃce`` -> ``office``."""
    return _LIGATURES.subn(lambda match: unicodedata.normalize("NFKC", match.group()), text)


def mend_soft_hyphens(text: str) -> Mended:
    """Drop U+00AD; at the end of a line, where it is drawn, it becomes a hyphen."""
    text, last = _LAST_SOFT_HYPHEN.subn("-", text)
    return text.replace("\xad", ""), last + text.count("\xad")


def mend_controls(text: str) -> Mended:
    """Drop control characters, lone surrogates and the noncharacters U+FFFE and U+FFFF; tabs and line ends stay."""
    return _CONTROLS.subn("", text)


def mend_double_spaces(line: str) -> Mended:
    """Make two or three spaces one in a line of running prose; columns set with spaces stay as they are."""
    if "  " not in line:
        return line, 0
    words = line.split()
    lower = sum(word[0].islower() for word in words)
    if len(words) < _MIN_PROSE_WORDS or lower * 2 < len(words) or _WIDE_GAP.search(line):
        return line, 0
    mended, count = _SPACES.subn(" ", line)
    return (mended, count) if count * 2 <= len(words) else (line, 0)


class WitnessedWords:
    """The words of a document, folded and counted; what a line's end may have cut is no witness."""

    def __init__(self, pages: Iterable[Sequence[str]]) -> None:
        self.words: Counter[str] = Counter()
        self.hyphenated: Counter[str] = Counter()
        self.glued: Counter[str] = Counter()
        self.starters: Counter[str] = Counter()
        for lines in pages:
            text = "\n".join(_without_cut_words(lines)).casefold()
            self.words.update(_WORD.findall(text))
            self.hyphenated.update(map(_squeezed, _HYPHENATED.findall(text)))
            self.glued.update(_ANY_GLUED.findall(text))
            self.starters.update(_STARTER.findall(text))

    def joins(self, head: str, tail: str) -> bool:
        """Whether the document writes the two parts as one word elsewhere, and not more often with a hyphen."""
        word = (head + tail).casefold()
        return self.words[word] > 0 and self.words[word] >= self.hyphenated[word]

    def parts(self, before: str, after: str) -> bool:
        """Whether ``ended.The`` is two words of the document with a space lost, and no name like ``Node.Js``.

        It occurs once; both words occur twice or more besides; what follows a full stop opens a sentence elsewhere.
        """
        head, tail = before[:-1].casefold(), after.casefold()
        if self.glued[f"{before}{after}".casefold()] != 1 or min(self.words[head], self.words[tail]) <= _MIN_WITNESSES:
            return False
        return before[-1] != "." or (before[:-1].islower() and after.istitle() and self.starters[tail] > 0)


def _without_cut_words(lines: Sequence[str]) -> Iterator[str]:
    after_cut = False
    for line in lines:
        body = line.rstrip()
        if after_cut:
            body = _TAIL.sub("", body, count=1)
        after_cut = body.endswith(_HYPHENS) and bool(_HEAD.search(body))
        yield _HEAD.sub("", body) if after_cut else body


def _squeezed(word: str) -> str:
    return word.replace("-", "").replace("‐", "")


def mend_missing_spaces(line: str, vocabulary: WitnessedWords) -> Mended:
    """Part ``ended.The`` and ``law,which`` on the evidence of :meth:`WitnessedWords.parts`."""
    count = 0

    def part(match: re.Match[str]) -> str:
        nonlocal count
        if not vocabulary.parts(match[1], match[2]):
            return match.group()
        count += 1
        return f"{match[1]} {match[2]}"

    return (_GLUED.sub(part, line), count) if vocabulary.glued else (line, 0)


def join_hyphenated(upper: str, lower: str, vocabulary: WitnessedWords) -> tuple[str, str] | None:
    """Pull the rest of a hyphenated word up to its beginning, without the hyphen; None where that is not warranted.

    ``("the compre-", "hensive plan")`` -> ``("the comprehensive", "plan")`` where the document has "comprehensive"
    elsewhere: the line's end moves behind the word.
    """
    if not upper.endswith(_HYPHENS):
        return None
    head, tail = _HEAD.search(upper), _TAIL.match(lower)
    if not head or not tail or not vocabulary.joins(head[1], tail[1]):
        return None
    return upper[: head.end(1)] + tail[1] + tail[2], lower[tail.end() :]
