"""A results file as the TREC files that trec_eval and ir_measures read.

Where each evidence alone answers, its units are one relevant document. A passage that is credited appears under its
unit's name, every other passage under its own, so that qrels derive from the gold set alone. ``Success@k`` of a
question that needs all its evidence is the one figure that these files cannot carry: trec_eval counts one.
"""

from collections.abc import Iterator

from cyberqa.evaluation.results import answerable_rows
from cyberqa.types import JSON

RUN_NAME = "cyberqa"


def qrels_lines(result: JSON) -> Iterator[str]:
    """Yield ``qid 0 docid 1`` for every unit; evidence that was lost counts too."""
    for row in answerable_rows(result):
        units = 1 if row["any"] else len(row["expected"])
        for number in range(units):
            yield f"{row['id']} 0 {_unit_name(row, number)} 1"


def run_lines(result: JSON) -> Iterator[str]:
    """Yield ``qid Q0 docid rank score name`` for every passage; scores fall by one a rank: no tie to re-order."""
    for row in answerable_rows(result):
        passages = row["passages"]
        for rank, (passage, credited) in enumerate(zip(passages, row["credited"], strict=True), 1):
            start, end = passage["spans"][0]
            place = f"{passage['doc']}:{start}-{end}#{rank}"
            name = _unit_name(row, credited[0]) if credited else "_".join(place.split())
            yield f"{row['id']} Q0 {name} {rank} {len(passages) - rank + 1} {RUN_NAME}"


def _unit_name(row: JSON, number: int) -> str:
    return f"{row['id']}/unit-{0 if row['any'] else number}"
