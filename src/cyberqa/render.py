"""An Answer in; terminal, plain text, Markdown or JSON out.

Source text is untrusted: on a terminal its control characters are shown, never sent. Everything else (JSON,
Markdown, a pipe) gets the exact characters.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any, TextIO

from cyberqa.errors import CyberqaError
from cyberqa.types import JSON, Answer, Location, Passage, Verdict

if TYPE_CHECKING:
    from cyberqa.ingest import BuildReport, PlanReport

ANSWER_SCHEMA = "cyberqa.answer/1"
ERROR_SCHEMA = "cyberqa.error/1"
BUILD_SCHEMA = "cyberqa.build/1"
PLAN_SCHEMA = "cyberqa.plan/1"

_DECIMALS = 6
_GAP = "[…]"  # stands for the footnotes or page end between a sentence's two halves

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what reorders the text around it
    "\ud800-\udfff]"
)


def escape_unsafe(text: str) -> str:
    r"""Show control, escape and bidirectional-override characters as ``\u001b``-style escapes."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _on_one_line(name: str) -> str:
    """Return a document's name as it may stand in a citation, which it must not break out of."""
    return re.sub(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]", lambda match: f"\\u{ord(match.group()):04x}", name)


# --- JSON ----------------------------------------------------------------------------------------------------


def answer_json(answer: Answer, *, timings: bool = False, explain: bool = False) -> JSON:
    """Return an answer as the contract's JSON object."""
    body: JSON = {"schema": ANSWER_SCHEMA, **asdict(answer)}
    del body["timings_ms"]
    for passage in body["passages"]:
        signals = passage.pop("signals")
        if passage["context"] is None:  # none was asked for
            del passage["context"]
        if explain:
            passage["explain"] = {"signals": signals}
    if not explain:
        del body["question_forms"]
    if timings:
        body["timings_ms"] = dict(answer.timings_ms)
    return body


def error_json(error: CyberqaError, **more: int | str) -> JSON:
    """Return an error as the contract's JSON object."""
    return {"schema": ERROR_SCHEMA, "code": error.code, "message": error.message, "hint": error.hint, **more}


def build_json(report: "BuildReport") -> JSON:
    """Return what a build did as a JSON object."""
    return {"schema": BUILD_SCHEMA, **asdict(report)}


def plan_json(plan: "PlanReport") -> JSON:
    """Return what a build would do as a JSON object."""
    return {"schema": PLAN_SCHEMA, **asdict(plan)}


def dump_json(body: Mapping[str, Any], *, indent: int | None = 2) -> str:
    """Return JSON text, the same bytes for the same content: keys in the order given, floats to six decimals."""
    return json.dumps(rounded(body), ensure_ascii=False, indent=indent, allow_nan=False)


def rounded(value: Any) -> Any:
    """Return a JSON value with all its floats rounded to six decimals."""
    match value:
        case float():
            return round(value, _DECIMALS)
        case Mapping():
            return {key: rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [rounded(item) for item in value]
        case _:
            return value


# --- plain text ----------------------------------------------------------------------------------------------


def answer_text(answer: Answer, *, explain: bool = False) -> str:
    """Return an answer for a pipe: the exact text of each passage between a citation and its answering sentence."""
    if not answer.passages:
        return "No passages.\n"
    refused = f"{refusal(answer)}\n\n" if refusal(answer) else ""
    asked = f"asked as: {forms_text(answer)}\n\n" if explain else ""
    return refused + asked + "\n".join(_passage_text(passage, explain) for passage in answer.passages)


def refusal(answer: Answer) -> str:
    """Return one line: that the corpus does not answer, how sure that is, and what was missing; else nothing."""
    if answer.verdict is not Verdict.NOT_IN_CORPUS or answer.confidence is None:
        return ""
    because = f": {answer.reason}" if answer.reason else ""
    sure = f"confidence {answer.confidence:.2f}, from {answer.threshold:.2f} on it would count as answered"
    return f"The documents do not seem to answer this ({sure}){because}. What comes nearest:"


def _passage_text(passage: Passage, explain: bool) -> str:
    shown = [f"{passage.rank}. {cite(passage)}", passage.text]
    if passage.continuation:
        shown.append(f"{_GAP} {passage.continuation.text}")
    shown.append(f"   highlight: {passage.highlight.text}")
    lines = [f"note: {note.text}" for note in passage.notes]
    if passage.context:
        around = {"before": passage.context.before, "after": passage.context.after}
        lines += [f"{where}: {excerpt.text}" for where, excerpt in around.items() if excerpt]
    lines += also_in(passage)
    if explain:
        lines.append(f"score: {signals_text(passage)}")
    return "\n\n".join(shown) + "\n" + "".join(f"   {line}\n" for line in lines)


def signals_text(passage: Passage) -> str:
    """Return one line: what a passage's score is made of, each part with its share where the whole is above zero."""
    parts = sorted(passage.signals.items(), key=lambda part: -abs(part[1]))
    return " · ".join(f"{name} {_signed(value)}{_share(value, passage.score)}" for name, value in parts)


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # + 0.0: there is no minus nought for people


def _share(value: float, whole: float) -> str:
    return f" ({round(100 * value / whole)}%)" if whole > 0 else ""


def forms_text(answer: Answer) -> str:
    """Return the ways a question was put to the index, on one line."""
    return " · ".join(answer.question_forms)


def cite(passage: Passage) -> str:
    """Return one line: title, year, section trail, page or lines, document and characters, score and confidence."""
    parts = (_titled(passage), _trail(passage), place(passage.location), _identified(passage))
    return " · ".join(filter(None, parts))


def _titled(passage: Passage) -> str:
    """Return title and year, which a title may have itself."""
    title, year = passage.citation.title, passage.citation.year
    return f"{title} ({year})" if year and str(year) not in title else title


def _trail(passage: Passage) -> str:
    """Return the headings; one that is the title is not said again."""
    title, section = passage.citation.title, passage.citation.section
    return " › ".join(section[1:] if section[:1] == (title,) else section)


def _identified(passage: Passage) -> str:
    """Return document and characters, and how sure it is."""
    sure = "" if passage.confidence is None else f" · confidence {passage.confidence:.2f}"
    name = _on_one_line(passage.citation.document)
    return f"{name} [{_characters(passage.location)}] · score {passage.score:.3f}{sure}"


def also_in(passage: Passage) -> list[str]:
    """Return one line on where the same text stands again; none where it stands only once."""
    places = [
        f"{_on_one_line(repeat.document)} [{_characters(repeat)}]" + (f" {place(repeat)}" if place(repeat) else "")
        for repeat in passage.also_in
    ]
    return ["also in " + ", ".join(places)] if places else []


def place(location: Location) -> str:
    """Return the page or lines of a location, for people."""
    if location.page is not None:
        printed = f" (printed {location.page_label})" if location.page_label not in (None, str(location.page)) else ""
        return f"page {location.page}{printed}"
    if location.line_start is None:
        return ""
    if location.line_start == location.line_end:
        return f"line {location.line_start}"
    return f"lines {location.line_start}–{location.line_end}"


def _characters(location: Location) -> str:
    return f"{location.start}:{location.end}"


# --- Markdown ------------------------------------------------------------------------------------------------


def answer_markdown(answer: Answer) -> str:
    """Return block quotes with a citation line each, to paste into a document; a refusal stands in front of them."""
    refused = f"{_escape_markdown(refusal(answer))}\n\n" if refusal(answer) else ""
    return refused + "\n".join(
        f"{_quote(_quoted(passage))}\n>\n> — {_markdown_citation(passage)}\n" for passage in answer.passages
    )


def _quoted(passage: Passage) -> str:
    rest = f" {_GAP} {passage.continuation.text}" if passage.continuation else ""
    return "\n\n".join((passage.text + rest, *(note.text for note in passage.notes)))


def _quote(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in re.split(r"\r\n|\n|\r", text))


def _markdown_citation(passage: Passage) -> str:
    source = passage.citation
    about = [
        f"*{_escape_markdown(source.title)}*",
        _escape_markdown(source.publisher) if source.publisher else None,
        str(source.year) if source.year else None,
    ]
    where = [source.section[-1] if source.section else "", place(passage.location)]
    return (
        ", ".join(filter(None, (*about, *map(_escape_markdown, where))))
        + f" ({_code(source.document)} {_characters(passage.location)})"
        + ("; also in " if passage.also_in else "")
        + ", ".join(
            f"{_code(repeat.document)} {_characters(repeat)} {_escape_markdown(place(repeat))}".rstrip()
            for repeat in passage.also_in
        )
    )


def _code(text: str) -> str:
    """Return a text as code, between more backticks than it holds in a row."""
    text = _on_one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)


# --- terminal ------------------------------------------------------------------------------------------------


def print_answer(answer: Answer, stream: TextIO, *, explain: bool = False) -> None:
    """Write an answer to a terminal, wrapped to its width, the answering sentence emphasised."""
    from rich.console import Console  # 70 ms, so only where somebody looks
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=False)
    if explain and answer.passages:
        console.print(Padding(Text(escape_unsafe(f"asked as: {forms_text(answer)}"), style="dim"), (0, 0, 1, 4)))
    if refusal(answer):
        console.print(Padding(Text(escape_unsafe(refusal(answer)), style="bold red"), (0, 0, 1, 0)))
    for passage in answer.passages:
        # Text, never markup: the reports hold "[x]" marks that markup would swallow.
        title = Table.grid(padding=(0, 2, 0, 0))
        title.add_row(Text(f"{passage.rank:>2}", "bold cyan"), Text(escape_unsafe(_titled(passage)), "bold"))
        console.print(title)
        trail = " · ".join(filter(None, (_trail(passage), place(passage.location))))
        console.print(Padding(Text(escape_unsafe(trail), style="cyan"), (0, 0, 0, 4)))
        before, after = (passage.context.before, passage.context.after) if passage.context else (None, None)
        if before:
            console.print(Padding(Text(on_screen(before.text), style="dim"), (1, 2, 0, 4)))
        console.print(Padding(_emphasised(passage, Text, console.width - 6), (1, 2, 1, 4)))
        if after:
            console.print(Padding(Text(on_screen(after.text), style="dim"), (0, 2, 1, 4)))
        for note in passage.notes:
            console.print(Padding(Text(escape_unsafe(" ".join(note.text.split())), style="dim"), (0, 2, 0, 6)))
        for line in also_in(passage):
            console.print(Padding(Text(escape_unsafe(line), style="dim"), (0, 0, 0, 4)))
        lines = [_identified(passage), *([signals_text(passage)] if explain else [])]
        console.print(Padding(Text(escape_unsafe("\n".join(lines)), style="dim"), (0, 0, 1, 4)))
    if not answer.passages:
        console.print("No passages.")


def _emphasised(passage: Passage, text_type: Any, width: int) -> Any:
    gaps = _gaps_between_cells(on_screen(passage.text), width)
    start = passage.highlight.location.start - passage.location.start
    end = passage.highlight.location.end - passage.location.start
    shown = _reflowed(passage.text) if passage.location.page is not None else passage.text
    text = text_type()
    for part, style in ((shown[:start], ""), (shown[start:end], "bold yellow"), (shown[end:], "")):
        text.append(re.sub("\t", lambda _: next(gaps), on_screen(part)), style=style)
    if passage.continuation:
        is_answer = end == len(passage.text)  # the highlight is the sentence that goes on here
        text.append(f" {_GAP} ", style="dim")
        text.append(on_screen(passage.continuation.text), style="bold yellow" if is_answer else "")
    return text


_LAYOUT_BREAK = re.compile(r"(?<=[^\n\t]{40})\n(?=[^\W_]|[\"“‘«(€$£])(?!(?:\d{1,3}|\w)[.)] )(?![^\n]*\t)")


def _reflowed(text: str) -> str:
    """Return the text of a page with blanks for the ends of full lines of running text, each character in its place."""
    return _LAYOUT_BREAK.sub(" ", text)


def _gaps_between_cells(text: str, width: int) -> Iterator[str]:
    """Yield what stands in the place of each tab: spaces, so that cells stand below each other, where that fits."""
    for is_table, lines in groupby(text.split("\n"), lambda line: "\t" in line):
        rows = [line.split("\t") for line in lines] if is_table else []
        widest = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
        fits = sum(widest) + 2 * (len(widest) - 1) <= width
        for row in rows:
            yield from (" " * (widest[n] - len(cell) + 2) if fits else " │ " for n, cell in enumerate(row[:-1]))


def on_screen(text: str) -> str:
    """Return a document's text as a terminal may have it: any end of line is one, and what could harm is escaped."""
    return escape_unsafe(re.sub(r"\r\n?", "\n", text))


# --- lines of our own ----------------------------------------------------------------------------------------


def timings_text(timings_ms: Mapping[str, float]) -> str:
    """Return one line of stages and milliseconds."""
    return " · ".join(f"{name} {ms:.1f} ms" for name, ms in timings_ms.items())


def message(text: str, stream: TextIO) -> None:
    """Write a line of our own, names of files and all, to a stream that may be a terminal."""
    print(escape_unsafe(text) if stream.isatty() else text, file=stream, flush=True)


def error_message(error: CyberqaError) -> None:
    """Write an error and its hint, to standard error."""
    message(f"cyberqa: {error.message}" + (f"\n  {error.hint}" if error.hint else ""), sys.stderr)
