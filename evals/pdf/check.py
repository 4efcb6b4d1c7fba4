"""Ask the report's gold questions of its PDFs: are they answered as well as of the text, and is every page right?

    python evals/pdf/check.py [--split dev] [--pdfs FOLDER] [--work FOLDER] [--output FILE]

Each variant takes the text's place in the corpus; the other reports stay. A quotation that the reader's text does not
hold character for character, nor folded, is located here without white space, hyphens and Markdown; of one that a page
end or a footnote cuts, the larger part. The page of each citation is judged by `*.truth.json`: its characters, folded,
must stand in one piece on the page that it names, in the body or in the footnotes as they were set.
"""

import argparse
import json
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cyberqa
from cyberqa import render
from cyberqa.evaluation.gold import Evidence, GoldQuestion, load_gold, locate, locate_folded
from cyberqa.evaluation.running import DEPTH, score_run

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REPORT = "western-balkans-cybersecurity.txt"
MEASURES = ("Success@1", "Success@5", "Success@10", "RR@10")
TOLERANCE = 0.03
PROBE_CHARS = 20  # few stretches of 20 characters without blanks stand on two pages
_DROPPED = frozenset("-‐‑–—\u00ad\x02*<>^{}•\u2060")  # hyphens as set and as mended, Markdown, markers of lists
_SAME = str.maketrans("“”„‘’", '"""\'\'')
JSON = dict[str, Any]


def fold(text: str) -> tuple[str, list[int]]:
    """Return a text without white space, hyphens and Markdown, and the place of each character of it."""
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if not character.isspace() and character not in _DROPPED:
            plain = "".join(unicodedata.normalize("NFKC", character).translate(_SAME).split())
            folded.extend(plain)
            places.extend([place] * len(plain))
    return "".join(folded), places


# --- asking ----------------------------------------------------------------------------------------------------


def ask_corpus(gold: list[GoldQuestion], work: Path, pdf: Path | None) -> tuple[dict[str, JSON], dict[str, str]]:
    """Index the corpus, with the PDF in the report's place, and return each question's answer and each text."""
    corpus, index = work / "corpus", work / "index"
    shutil.rmtree(corpus, ignore_errors=True)
    shutil.copytree(ROOT / "corpus", corpus)
    if pdf:
        (corpus / REPORT).unlink()
        shutil.copy(pdf, corpus / pdf.name)
        sources = (corpus / "sources.toml").read_text(encoding="utf-8")
        (corpus / "sources.toml").write_text(sources.replace(REPORT, pdf.name), encoding="utf-8")
    cyberqa.build(corpus, index)
    with cyberqa.open(index, corpus=corpus) as session:
        answers = {q.id: render.answer_json(session.ask(q.question, DEPTH)) for q in gold}
        return answers, {
            id_: session.generation.contents.document(id_).text for id_ in session.generation.contents.document_ids()
        }


# --- locating ---------------------------------------------------------------------------------------------------


def relocate(gold: list[GoldQuestion], text: str) -> tuple[list[GoldQuestion], Counter[str]]:
    """Return the gold set with the report's quotations as they stand in the variant, and how each was found."""
    found: Counter[str] = Counter()
    folded, places = fold(text)

    def moved(evidence: Evidence) -> Evidence:
        if evidence.doc != REPORT:
            return evidence
        how, quote = _stands(evidence.quote, text, folded, places)
        found[how] += 1
        return Evidence(REPORT, quote)

    return [replace(q, evidence=tuple(map(moved, q.evidence))) for q in gold], found


def _stands(quote: str, text: str, folded: str, places: list[int]) -> tuple[str, str]:
    if locate(quote, text):
        return "exact", quote
    if locate_folded(quote, text):
        return "folded", quote
    wanted = fold(quote)[0]
    part = max(_longest(wanted, folded), _longest(wanted[::-1], folded[::-1])[::-1], key=len)
    if 2 * len(part) < len(wanted):
        return "lost", quote
    start = folded.index(part)
    return "bare" if part == wanted else "cut", text[places[start] : places[start + len(part) - 1] + 1]


def _longest(wanted: str, text: str) -> str:
    """Return the longest beginning of ``wanted`` that stands in the text."""
    low, high = 0, len(wanted)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if wanted[:middle] in text else (low, middle - 1)
    return wanted[:low]


# --- the pages --------------------------------------------------------------------------------------------------


def check_pages(answers: Mapping[str, JSON], doc: str, truth: list[JSON]) -> JSON:
    """Return per kind of excerpt how many stand where they say, and each that does not."""
    set_pages = {page["page"]: _folded_page(page) for page in truth}
    labels = {page["page"]: page["label"] for page in truth}
    counts: dict[str, Counter[str]] = {}
    faults: dict[tuple[str, str], JSON] = {}
    for id_, answer in answers.items():
        for kind, excerpt in _excerpts(answer, doc):
            page = excerpt["location"]["page"]
            wanted = fold(excerpt["text"])[0]
            verdict = judge(wanted, page, set_pages)
            if verdict == "in one piece" and excerpt["location"]["page_label"] != labels[page]:
                verdict = "wrong label"
            counts.setdefault(kind, Counter())[verdict] += 1
            if verdict != "in one piece":
                faults.setdefault(
                    (kind, wanted), {"id": id_, "kind": kind, "verdict": verdict, "page": page, "text": excerpt["text"]}
                )
    return {"counts": counts, "faults": list(faults.values())}


def _folded_page(page: JSON) -> tuple[str, str, str]:
    """Return the body, the footnotes, and the header and footer of a page, folded."""
    notes = "".join(label + fold(note)[0] for label, note in page["footnotes"].items())
    return fold("\n".join(page["lines"]))[0], notes, fold("\n".join(page["running"]))[0]


def _excerpts(answer: JSON, doc: str) -> Iterator[tuple[str, JSON]]:
    for passage in answer["passages"]:
        if passage["citation"]["document"] == doc:
            yield "passage", passage
            for kind in ("highlight", "continuation"):
                if passage.get(kind):
                    yield kind, passage[kind]
            yield from (("note", note) for note in passage.get("notes") or ())


def judge(wanted: str, page: int | None, pages: Mapping[int, tuple[str, str, str]]) -> str:
    """Return how folded text stands on the page that it names; ``in pieces``: something stands between."""
    own = pages.get(page or 0, ("", "", ""))
    if any(wanted in flow for flow in own[:2]):
        return "in one piece"
    if wanted in own[2]:
        return "running line"
    starts = range(0, max(1, len(wanted) - PROBE_CHARS + 1), PROBE_CHARS)
    probes = [wanted[start : start + PROBE_CHARS] for start in starts]
    strays = [probe for probe in probes if not any(probe in flow for flow in own)]
    if any(probe in flow for probe in strays for flows in pages.values() for flow in flows):
        return "wrong page"
    return "in pieces" if len(strays) < len(probes) else "nowhere"


# --- summing up ---------------------------------------------------------------------------------------------------


def measures_of(
    gold: list[GoldQuestion], answers: Mapping[str, JSON], texts: Mapping[str, str], doc: str = REPORT
) -> dict[str, JSON]:
    """Return each question's measures, the report's evidence being sought in ``doc``, as ``--doc-map`` does."""
    return {row["id"]: row["measures"] for row in score_run(gold, answers, texts, {REPORT: doc})}


def _means(rows: dict[str, JSON]) -> dict[str, float]:
    return {name: round(sum(row[name] for row in rows.values()) / len(rows), 4) for name in MEASURES}


def main() -> None:
    """Print and write what was found; exit 5 where a variant falls short or a page is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="dev", choices=["dev", "test", "all"])
    parser.add_argument("--pdfs", type=Path, default=HERE)
    parser.add_argument("--work", type=Path, help="keep corpora and indexes here")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    everything = load_gold(ROOT / "evals" / "gold" / "reports.jsonl")
    gold = [q for q in everything if options.split in ("all", q.split) and any(e.doc == REPORT for e in q.evidence)]
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        answers, texts = ask_corpus(gold, work, None)
        text_rows = measures_of(gold, answers, texts)
        result: JSON = {"split": options.split, "n": len(gold), "text": _means(text_rows), "variants": {}}
        for pdf in sorted(options.pdfs.glob("western-balkans-*.pdf")):
            answers, texts = ask_corpus(gold, work, pdf)
            result["variants"][pdf.name] = check_variant(gold, answers, texts, pdf, text_rows)
    print(summary(result))
    if options.output:
        text = json.dumps(render.rounded(result), ensure_ascii=False, indent=1)
        options.output.write_text(text + "\n", encoding="utf-8")
    raise SystemExit(0 if all(variant["holds"] for variant in result["variants"].values()) else 5)


def check_variant(
    gold: list[GoldQuestion], answers: dict[str, JSON], texts: dict[str, str], pdf: Path, text_rows: dict[str, JSON]
) -> JSON:
    """Return one PDF's figures, questions won and lost, and the faults of its pages."""
    moved, how = relocate(gold, texts[pdf.name])
    rows = measures_of(moved, answers, texts, pdf.name)
    truth = json.loads(pdf.with_suffix(".truth.json").read_text(encoding="utf-8"))
    pages = check_pages(answers, pdf.name, truth)
    change = {id_: row["Success@5"] - text_rows[id_]["Success@5"] for id_, row in rows.items()}
    wrong = sum(counts["wrong page"] + counts["wrong label"] + counts["nowhere"] for counts in pages["counts"].values())
    return {
        **_means(rows),
        "as `eval run --doc-map` locates": _means(measures_of(gold, answers, texts, pdf.name)),
        "lost": sorted(id_ for id_, by in change.items() if by < 0),
        "won": sorted(id_ for id_, by in change.items() if by > 0),
        "quotations": how,
        "pages": pages,
        "holds": sum(change.values()) / len(change) >= -TOLERANCE and not wrong,
    }


def summary(result: JSON) -> str:
    """Return the figures as Markdown."""
    lines = [f"{result['n']} questions, {result['split']}", "", f"| | {' | '.join(MEASURES)} | lost | won |"]
    lines += ["|---|" + "---|" * (len(MEASURES) + 2)]
    for name, figures in {"text": result["text"], **result["variants"]}.items():
        cells = [f"{figures[measure]:.3f}" for measure in MEASURES]
        lines.append(
            f"| {name} | {' | '.join(cells)} | {len(figures.get('lost', ()))} | {len(figures.get('won', ()))} |"
        )
    for name, figures in result["variants"].items():
        plain = figures["as `eval run --doc-map` locates"]["Success@5"]
        lines += ["", f"{name}: quotations {dict(figures['quotations'])}; by `--doc-map` alone Success@5 {plain:.3f}"]
        lines += [f"- {kind}: {dict(counts)}" for kind, counts in figures["pages"]["counts"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
