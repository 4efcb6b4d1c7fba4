"""A results file as one self-contained HTML page: no network, no script, dark and light."""

import html
from collections.abc import Sequence
from importlib import resources

from cyberqa.evaluation.comparing import DECIDING
from cyberqa.evaluation.measures import MEASURES
from cyberqa.evaluation.results import figure_text
from cyberqa.evaluation.running import SHORT_ANSWER
from cyberqa.evaluation.summary import SHORT_ANSWER_OF_RELEVANT
from cyberqa.types import JSON

_WORST = 25
_HEADLINE = (*MEASURES, SHORT_ANSWER, SHORT_ANSWER_OF_RELEVANT)
_BY_KIND = ("Success@1", "Success@5", "Success@10", "RR@10", SHORT_ANSWER)


def report_html(result: JSON, comparison: JSON | None = None) -> str:
    """Return the page for a results file, with a comparison where one is given."""
    gold, summary = result["gold"], result["summary"]
    parts = [
        f"<h1>{_text(gold['file'])}, {_text(gold['split'])}</h1>",
        f'<p class="soft">{gold["n"]} questions · {_text(result["made"])} · commit {_text(result["commit"] or "none")}'
        f" · gold {_text(gold['sha256'][:12])} · {_configuration(result['configuration'])}</p>",
        _warnings(result),
        _tiles(summary["overall"]),
        _kinds(summary),
        _refusals(summary["refusal"]),
        _comparison(comparison) if comparison else "",
        _worst(result["rows"]),
    ]
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    title = f"cyberqa evaluation: {gold['file']}, {gold['split']}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body>\n" + "\n".join(filter(None, parts)) + "\n</body></html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _configuration(configuration: JSON) -> str:
    flat = {**configuration, **configuration.get("rules", {})}
    return _text(", ".join(f"{key} {value}" for key, value in flat.items() if key != "rules" and value is not None))


def _warnings(result: JSON) -> str:
    summary = result["summary"]
    notes = [
        f"{summary['missing']} questions missing from the run" if summary["missing"] else "",
        f"{summary['lost_evidence']} quotations not located" if summary["lost_evidence"] else "",
        f"{summary['folded_quotes']} quotations located on a folded copy" if summary["folded_quotes"] else "",
        f"distractors: {', '.join(result['distractors'])}" if result["distractors"] else "",
    ]
    return "".join(f"<p>{_text(note)}</p>" for note in notes if note)


def _tiles(overall: JSON) -> str:
    tiles = []
    for name in _HEADLINE:
        figure = overall[name]
        if figure["value"] is not None:
            interval = f"{figure['low']:.3f} – {figure['high']:.3f}, n = {figure['n']}"
            tiles.append(f'<div class="tile">{_text(name)}<b>{figure["value"]:.3f}</b><span>{interval}</span></div>')
    lengths = " · ".join(
        f"{name} {figure_text(overall[name], percent=False)}" for name in overall if "characters" in name
    )
    return f'<h2>Answerable questions</h2><div class="tiles">{"".join(tiles)}</div><p class="soft">{_text(lengths)}</p>'


def _kinds(summary: JSON) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in ("kind", "n", *_BY_KIND))
    rows = []
    for kind, measures in summary["by_kind"].items():
        cells = [_text(kind), str(measures[DECIDING]["n"]), *(figure_text(measures[name]) for name in _BY_KIND)]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f'<h2>By kind</h2><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _refusals(refusal: JSON) -> str:
    parts = [f"<h2>Answerable against unanswerable (by {_text(refusal['signal'])})</h2>"]
    rows = [("all", refusal["AUROC"]), *refusal["AUROC_by_kind"].items()]
    refused = refusal["refused"] or {}
    body = "".join(
        f"<tr><td>{_text(kind)}</td><td>{figure_text(figure)}</td>"
        f"<td>{figure_text(refused[kind]) if kind in refused else '–'}</td></tr>"
        for kind, figure in rows
    )
    if "answerable" in refused:
        body += f"<tr><td>answerable</td><td>–</td><td>{figure_text(refused['answerable'])}</td></tr>"
    parts.append(f'<div class="wide"><table><tr><th>kind</th><th>AUROC</th><th>refused</th></tr>{body}</table></div>')
    plots = [_risk_coverage(refusal["risk_coverage"])]
    if calibration := refusal["calibration"]:
        parts.append(
            f"<p>ECE {calibration['ECE']:.3f}; a perfectly calibrated forecaster would show"
            f" {calibration['ECE_if_perfect']:.3f} at n = {calibration['n']}.</p>"
        )
        plots.append(_reliability(calibration["reliability"]))
    parts.append(f'<div class="plots">{"".join(plots)}</div>')
    return "".join(parts)


_WIDTH, _HEIGHT, _MARGIN = 340, 240, 36


def _place(x: float, y: float) -> tuple[float, float]:
    return _MARGIN + x * (_WIDTH - 2 * _MARGIN), _HEIGHT - _MARGIN - y * (_HEIGHT - 2 * _MARGIN)


def _plot(content: str, x_label: str, y_label: str, caption: str) -> str:
    (left, bottom), (right, top) = _place(0, 0), _place(1, 1)
    ticks = "".join(
        f'<text x="{_place(t, 0)[0] - 6:.0f}" y="{bottom + 14:.0f}">{t:g}</text>'
        f'<text x="{left - 24:.0f}" y="{_place(0, t)[1] + 4:.0f}">{t:g}</text>'
        for t in (0, 0.5, 1)
    )
    axes = (
        f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        f'<line class="axis" x1="{left}" y1="{bottom}" x2="{left}" y2="{top}"/>'
    )
    labels = (
        f'<text x="{(left + right) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{x_label}</text>'
        f'<text x="{left:.0f}" y="{top - 12:.0f}">{y_label}</text>'
    )
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    svg = f'<svg {size} role="img">{axes}{ticks}{labels}{content}</svg>'
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _risk_coverage(curve: Sequence[JSON]) -> str:
    points = " ".join("{:.1f},{:.1f}".format(*_place(point["coverage"], point["risk"])) for point in curve)
    caption = "Share answered wrongly when only the most certain are answered"
    return _plot(f'<polyline class="curve" points="{points}"/>', "coverage", "risk", caption)


def _reliability(table: Sequence[JSON]) -> str:
    (x1, y1), (x2, y2) = _place(0, 0), _place(1, 1)
    dots = "".join(
        '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>n = {}</title></circle>'.format(
            *_place(row["confidence"], row["observed"]), 3 + min(row["n"], 60) / 12, row["n"]
        )
        for row in table
    )
    guide = f'<line class="guide" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
    return _plot(guide + dots, "confidence", "share answerable", "Reliability; larger dots hold more questions")


def _comparison(comparison: JSON) -> str:
    rows = "".join(
        f"<tr><td>{_text(name)}</td><td>{figure_text(figure)}</td><td>{figure['p']:.3f}</td></tr>"
        for name, figure in comparison["difference"].items()
    )
    table = f'<div class="wide"><table><tr><th>B minus A</th><th>difference</th><th>p</th></tr>{rows}</table></div>'
    lists = "".join(
        f"<h2>{name.capitalize()}: {len(comparison[name])}</h2>" + "".join(_pair(pair) for pair in comparison[name])
        for name in ("won", "lost")
    )
    return f"<h2>Comparison: {_text(comparison['verdict'])}</h2>{table}{lists}"


def _pair(pair: JSON) -> str:
    expected = "".join(f'<blockquote class="good">{_text(quote)}</blockquote>' for quote in pair["expected"])
    return (
        f"<details><summary>{_text(pair['question'])} <span class='kind'>{_text(pair['id'])}</span></summary>"
        f"{expected}<p class='kind'>A</p><blockquote>{_text(pair['a'])}</blockquote>"
        f"<p class='kind'>B</p><blockquote>{_text(pair['b'])}</blockquote></details>"
    )


def _worst(rows: Sequence[JSON]) -> str:
    """Show the answerable questions that did worst, with what was expected and what came."""
    answerable = [row for row in rows if row["answerable"]]
    worst = sorted(answerable, key=lambda row: (row["measures"]["RR@10"], row["measures"][SHORT_ANSWER], row["id"]))[
        :_WORST
    ]
    return "<h2>Worst questions</h2>" + "".join(_question(row) for row in worst)


def _question(row: JSON) -> str:
    expected = "".join(
        f'<blockquote class="good">{_text(e["quote"])}<br><span class="kind">{_text(e["doc"])}</span></blockquote>'
        for e in row["expected"]
    )
    came = "".join(
        f'<blockquote class="{"good" if credited else "bad"}">{_text(shown["text"])}'
        f'<br><span class="kind">{_text(passage["doc"])} {_text(passage["spans"])}</span></blockquote>'
        for shown, passage, credited in zip(row["shown"], row["passages"], row["credited"], strict=False)
    )
    rank = next((number for number, credited in enumerate(row["credited"], 1) if credited), None)
    found = f"found at {rank}" if rank else "not found"
    about = f"{_text(row['id'])}, {_text(row['kind'])}, {found}"
    return (
        f"<details><summary>{_text(row['question'])} <span class='kind'>{about}</span></summary>"
        f"<p class='kind'>expected</p>{expected}<p class='kind'>came</p>{came}</details>"
    )
