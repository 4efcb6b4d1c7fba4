"""The gold set: questions with verbatim evidence, located in canonical texts as they stand in the index."""

import difflib
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cyberqa.errors import GoldError
from cyberqa.types import Span

T = TypeVar("T")

DEV_SHARE = 50  # of a hundred groups
SPLITS = ("dev", "test")
MIN_RELEVANT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place that answers: a verbatim quotation of a document, cut to the part that answers."""

    doc: str
    quote: str


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question with what answers it. ``any``: each evidence alone answers; otherwise all are needed."""

    id: str
    group: str
    question: str
    kind: str
    answerable: bool
    answer: str
    short_answers: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    any: bool

    @property
    def split(self) -> str:
        """``dev`` or ``test``, by the digest of the group: a question never changes sides."""
        return "dev" if int(hashlib.sha256(self.group.encode()).hexdigest()[:8], 16) % 100 < DEV_SHARE else "test"


@dataclass(frozen=True, slots=True)
class Unit:
    """An evidence, located: what a passage may cover. ``is_exact`` is False where only a folded copy was found."""

    doc: str
    span: Span
    is_exact: bool


def load_gold(file: Path) -> list[GoldQuestion]:
    """Read a gold set.

    Raises:
        GoldError: no such file, no question in it, or a line that is not as CONTRACT.md says, by its number.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GoldError(f"gold set {file} cannot be read ({error})", hint="name one with --gold FILE") from error
    questions = [_parse(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not questions:
        raise GoldError(
            f"gold set {file}: expected a question a line, found none", hint="name another with --gold FILE"
        )
    return questions


def gold_digest(file: Path) -> str:
    """Return the SHA-256 of a gold set's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _parse(line: str, where: str) -> GoldQuestion:
    try:
        body: dict[str, Any] = json.loads(line)
        answerable = _typed(body, "answerable", bool)
        evidence = tuple(
            Evidence(_typed(e, "doc", str), _typed(e, "quote", str)) for e in _typed(body, "evidence", list, [])
        )
        if answerable and not all(entry.quote.strip() for entry in evidence):
            raise TypeError("quote: expected text, found none")
        return GoldQuestion(
            id=_typed(body, "id", str),
            group=_typed(body, "group", str, body["id"]),
            question=_typed(body, "question", str),
            kind=_typed(body, "kind", str),
            answerable=answerable,
            answer=_typed(body, "answer", str, ""),
            short_answers=tuple(_typed(body, "short_answers", list, [])),
            evidence=evidence,
            any=_typed(body, "any", bool, True),
        )
    except KeyError as error:
        raise GoldError(f"{where}: {error.args[0]!r} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise GoldError(f"{where}: {error}") from error


def _typed(body: Mapping[str, Any], key: str, expected: type[T], default: T | None = None) -> T:
    value = body[key] if default is None else body.get(key, default)
    if not isinstance(value, expected):
        raise TypeError(f"{key}: expected {expected.__name__}, found {value!r}")
    return value


# --- locating ------------------------------------------------------------------------------------------------


def locate(quote: str, text: str) -> list[Span]:
    """Return where a quotation stands, character for character; overlapping places count apart."""
    return [Span(match.start(), match.start() + len(quote)) for match in re.finditer(f"(?={re.escape(quote)})", text)]


def locate_folded(quote: str, text: str) -> list[Span]:
    """Return where a quotation stands on a folded copy, mapped back to the text."""
    folded, positions = _fold(text)
    wanted = _fold(quote)[0].strip()
    if not wanted:
        return []
    found = locate(wanted, folded)
    return [Span(positions[span.start], positions[span.end - 1] + 1) for span in found]


def find_units(question: GoldQuestion, texts: Mapping[str, str], doc_map: Mapping[str, str]) -> list[Unit]:
    """Return the units of a question that can be located; evidence that ingest lost is not among them."""
    units: list[Unit] = []
    for evidence in question.evidence:
        doc = doc_map.get(evidence.doc, evidence.doc)
        text = texts.get(doc, "")
        exact = locate(evidence.quote, text)
        found = exact or locate_folded(evidence.quote, text)
        if found:
            units.append(Unit(doc, found[0], bool(exact)))
    return units


_SAME = str.maketrans("“”„‘’–—‐‑−•⁰¹²³⁴⁵⁶⁷⁸⁹", '"""\'\'------0123456789')
_MARKDOWN = "*<>"  # of bold, italics and addresses: not to be seen in a PDF of the same text
_LINE_END_HYPHEN = re.compile(r"[-\u00ad\u2010]\s*[\r\n]\s*|\u00ad")


def _fold(text: str) -> tuple[str, list[int]]:
    """Return a folded copy and, for each of its characters, the position it comes from.

    White space runs become one blank, hyphens at line ends, asterisks and angle brackets vanish, ligatures are written
    out, and quotation marks, dashes, bullets and raised digits become the plain ones.
    """
    characters: list[str] = []
    positions: list[int] = []
    hyphens = {p for match in _LINE_END_HYPHEN.finditer(text) for p in range(match.start(), match.end())}
    for position, character in enumerate(text):
        if position in hyphens or character in _MARKDOWN:
            continue
        if character.isspace():
            if characters and characters[-1] == " ":
                continue
            plain = " "
        else:
            is_ligature = "\ufb00" <= character <= "\ufb06"
            plain = (unicodedata.normalize("NFKC", character) if is_ligature else character).translate(_SAME)
        characters.extend(plain)
        positions.extend([position] * len(plain))
    return "".join(characters), positions


# --- checking ------------------------------------------------------------------------------------------------


def check_gold(questions: Sequence[GoldQuestion], texts: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a gold set, a line each; nothing where it is sound."""
    return [*_check_ids(questions), *(f"{q.id}: {fault}" for q in questions for fault in _check_question(q, texts))]


def _check_ids(questions: Sequence[GoldQuestion]) -> Iterator[str]:
    seen: dict[str, GoldQuestion] = {}
    for question in questions:
        if question.id in seen:
            yield f"{question.id}: this id stands twice"
        seen[question.id] = question
    for question in questions:
        if question.group not in seen:
            yield f"{question.id}: its group {question.group!r} is no question's id"


def _check_question(question: GoldQuestion, texts: Mapping[str, str]) -> Iterator[str]:
    if not question.question.strip():
        yield "the question is empty"
    if not question.answerable:
        if question.evidence or question.short_answers:
            yield "it is unanswerable, but has evidence or short answers"
        return
    if not question.evidence:
        yield "it is answerable, but has no evidence"
    if not question.short_answers:
        yield "it is answerable, but has no short answer"
    for answer in question.short_answers:
        if not any(answer in evidence.quote for evidence in question.evidence):
            yield f"short answer {answer!r} is in no quotation"
    for evidence in question.evidence:
        yield from _check_evidence(evidence, texts)


def _check_evidence(evidence: Evidence, texts: Mapping[str, str]) -> Iterator[str]:
    shown = f"{evidence.quote[:60]!r}"
    if evidence.doc not in texts:
        yield f"document {evidence.doc!r} is not in the index (quotation {shown})"
        return
    text = texts[evidence.doc]
    found = locate(evidence.quote, text)
    if len(found) > 1:
        yield f"quotation {shown} stands {len(found)} times in {evidence.doc}"
    elif not found and (folded := locate_folded(evidence.quote, text)):
        span = folded[0]
        yield f"quotation {shown} stands in {evidence.doc} but for spaces or marks: {text[span.start : span.end]!r}"
    elif not found:
        elsewhere = [doc for doc, other in texts.items() if locate(evidence.quote, other)]
        nearest = (
            f"it stands in {', '.join(elsewhere)}" if elsewhere else f"nearest: {_nearest(evidence.quote, text)!r}"
        )
        yield f"quotation {shown} is not in {evidence.doc}; {nearest}"


def _nearest(quote: str, text: str) -> str:
    """Return the stretch of the text that is most like a quotation that is not there."""
    matcher = difflib.SequenceMatcher(None, text, quote, autojunk=False)
    match = matcher.find_longest_match()
    start = max(0, match.a - match.b)
    return text[start : start + len(quote)]
