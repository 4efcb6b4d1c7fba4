"""What a build did and what an index holds, in; text for people, out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cyberqa import languages
from cyberqa.location import page_ranges
from cyberqa.types import JSON

if TYPE_CHECKING:
    from cyberqa.ingest import BuildReport, PlanReport

_FAULTS_SHOWN = 20


# --- builds --------------------------------------------------------------------------------------------------


def build_text(report: "BuildReport") -> str:
    """Return the one summary line of a build."""
    state = _changes(report) or ("rebuilt" if report.is_new else "nothing changed")
    freed = f"; {report.pruned_bytes / 1e6:.1f} MB of cache freed" if report.pruned_bytes else ""
    embedded = f"{_number(report.embedded, 'text')} embedded"
    done = f"{state}; {embedded}{freed}; {report.seconds:.1f} s; generation {report.generation}"
    return f"{_number(report.documents, 'document')}, {_number(report.chunks, 'chunk')} ({done})"


def plan_text(plan: "PlanReport") -> str:
    """Return what ``cyberqa index --dry-run`` prints: a line a file that differs, and a summary."""
    kinds = (("added", plan.added), ("changed", plan.changed), ("removed", plan.removed))
    lines = [f"  {kind:<8} {id_}" for kind, ids in kinds for id_ in ids]
    lines += [f"  renamed  {old} -> {new}" for old, new in plan.renamed.items()]
    anew = "all made anew from what is cached, for the rules have changed" if plan.is_new else "nothing to do"
    state = _changes(plan) or anew
    return "\n".join(
        [*lines, f"{_number(plan.documents, 'document')} ({state}; generation {plan.generation}); nothing was written"]
    )


def _changes(report: "BuildReport | PlanReport") -> str:
    """Return how many documents are what they are, where any has changed or could not be read."""
    counts = {
        "added": len(report.added),
        "changed": len(report.changed),
        "renamed": len(report.renamed),
        "removed": len(report.removed),
    }
    if any(counts.values()):
        counts["unchanged"] = report.unchanged
    counts["could not be read"] = len(report.failures)
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def build_notes(report: "BuildReport") -> list[str]:
    """Return what else a person should know of the documents in the index: a line each."""
    mended = _counts(report.repairs)
    return [
        *([f"repaired while reading: {mended}; where: cyberqa status --documents"] if mended else []),
        *filter(None, [languages.coverage_note(report.uncovered, report.model)]),
    ]


# --- status --------------------------------------------------------------------------------------------------


def status_text(status: JSON, *, documents: bool = False) -> str:
    """Return what ``cyberqa status`` prints: a line a document, or with ``documents`` all about each."""
    stale = {
        None: "cannot be told: no corpus folder, or no record of it; run: cyberqa index",
        False: "no",
        True: f"yes ({', '.join(status['changes'])})",
    }
    lines = [
        f"index       {status['index']}",
        f"corpus      {status['corpus']}",
        f"generation  {status['generation']}",
        f"encoder     {status['model']}, {status['encoder']}",
        f"chunks      {status['chunks']}",
        f"vectors     {_search_text(status['vector_search'])}",
        f"stale       {stale[status['stale']]}",
        f"documents   {len(status['documents'])}",
    ]
    for document in status["documents"]:
        lines.extend(_document_lines(document) if documents else [_document_line(document)])
    if documents and status["failures"]:
        lines.append("")
    lines.extend(f"  {failed['document']}  could not be read: {failed['reason']}" for failed in status["failures"])
    if not documents and any(document["warnings"] for document in status["documents"]):
        lines.append("warnings    to read them: cyberqa status --documents")
    return "\n".join(lines)


def _search_text(search: JSON) -> str:
    if not search["is_approximate"]:
        return "all compared with each question"
    return (
        f"{search['probed']} of {search['lists']} lists compared with each question; recall@10 beside comparing all: "
        f"{search['recall_at_10']:.3f} ({search['sampled']} made-up questions)"
    )


def _document_line(document: JSON) -> str:
    warnings = len(document["warnings"])
    about = (
        _number(document["pages"], "page") if document["pages"] else "",
        _number(document["characters"], "character"),
        document["language"],
        document["encoding"] if document["encoding"] != "utf-8" else "",
        _number(warnings, "warning") if warnings else "",
    )
    return f"  {document['document']}  {document['title']} ({', '.join(filter(None, about))})"


def _document_lines(document: JSON) -> list[str]:
    pages = str(document["pages"] or "")
    if document["pages_without_text"]:
        pages += f" (without text: {page_ranges(document['pages_without_text'])})"
    about = {
        "title": document["title"],
        "publisher": document["publisher"],
        "year": document["year"],
        "source": document["source"],
        "tags": ", ".join(document["tags"]),
        "language": languages.describe(document["language"]) if document["language"] else "not known",
        "reader": document["reader"],
        "encoding": document["encoding"],
        "pages": pages,
        "characters": f"{document['characters']:,}",
        "blocks": _counts(document["blocks"]),
        "repairs": ", ".join(map(_repair, document["repairs"])) or "none",
    }
    return [
        "",
        f"  {document['document']}",
        *(f"    {name:<10}  {value}" for name, value in about.items() if value),
        *(f"    warning     {warning}" for warning in document["warnings"]),
    ]


# --- verify --------------------------------------------------------------------------------------------------


def verify_text(found: JSON) -> str:
    """Return what ``cyberqa verify`` prints: what was checked, and every fault with the command that mends it."""
    checked = ", ".join(f"{count:,} {kind}" for kind, count in found["checked"].items())
    lines = [f"generation {found['generation'] or 'not known'}: {checked} checked", *found["notes"]]
    if found["is_whole"]:
        return "\n".join([*lines, "the index is whole"])
    faults = [f"  {fault['where']}: {fault['what']}" for fault in found["faults"][:_FAULTS_SHOWN]]
    if len(found["faults"]) > _FAULTS_SHOWN:
        faults.append(f"  and {len(found['faults']) - _FAULTS_SHOWN:,} more")
    return "\n".join([*lines, "the index is damaged:", *faults, f"to mend it, run: {found['mend']}"])


# --- doctor --------------------------------------------------------------------------------------------------


def doctor_text(found: JSON) -> str:
    """Return what ``cyberqa doctor`` prints: a line a finding, and below it the command that mends it."""
    lines: list[str] = []
    for finding in found["findings"]:
        lines.append(f"{finding['state']:<5}  {finding['name']:<9}  {finding['found']}")
        if finding["mend"]:
            lines.append(f"{'':<18}→ {finding['mend']}")
    wrong, notes = (sum(finding["state"] == state for finding in found["findings"]) for state in ("wrong", "note"))
    well = f"nothing is wrong; {_number(notes, 'note')}" if notes else "all is well"
    return "\n".join([*lines, well if found["is_well"] else f"{_number(wrong, 'thing')} to mend"])


# --- aliases -------------------------------------------------------------------------------------------------


def aliases_text(found: JSON, *, shipped: bool = False) -> str:
    """Return what ``cyberqa aliases`` prints: those given and mined, a line each, and with ``shipped`` all others."""
    by_origin: dict[str, list[JSON]] = {"aliases.toml": [], "corpus": [], "cyberqa": []}
    for alias in found["aliases"]:
        by_origin[alias["origin"]].append(alias)
    lines: list[str] = []
    for heading, origin in (("given by aliases.toml", "aliases.toml"), ("found in the documents", "corpus")):
        lines.append(f"{heading}: {len(by_origin[origin])}")
        lines.extend(_alias_line(alias) for alias in by_origin[origin])
    more = "" if shipped else "; to see them: cyberqa aliases --shipped"
    lines.append(f"shipped with cyberqa, for words of this corpus: {len(by_origin['cyberqa'])}{more}")
    lines.extend(_alias_line(alias) for alias in by_origin["cyberqa"] if shipped)
    return "\n".join(lines)


def _alias_line(alias: JSON) -> str:
    location = alias["location"]
    if location is None:
        kind = f"  ({alias['kind']})" if alias["origin"] == "cyberqa" else ""
        return f"  {alias['word']} → {alias['meant']}{kind}"
    page, line = location["page"], location["line_start"]
    place = f", page {page}" if page else f", line {line}" if line else ""
    times = f", {alias['definitions']} times" if alias["definitions"] > 1 else ""
    where = f"{alias['document']}{place}, [{location['start']}:{location['end']}]{times}"
    return f"  {alias['word']} → {alias['meant']}  ({where})"


# --- counting ------------------------------------------------------------------------------------------------


def _repair(repair: JSON) -> str:
    where = f" on {_number(repair['pages'], 'page')}" if repair["pages"] else ""
    return f"{repair['kind']} {repair['count']:,}{where}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in counts.items() if count)


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"
