"""What each part of the ranking is worth: it is switched off, in the product itself, and all questions are asked again.

    python benchmarks/ablation.py [--gold FILE ...] [--corpus DIR] [--index DIR]

Dev and, of a set that was written for fitting, all questions. Each question is put to every variant before the next, so
that the milliseconds of a row may be compared with those of the others. Then the figures in nested folds: in every fold
the variant that is best on the other questions, by nDCG@10, is scored on these.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from cyberqa import retrieval
from cyberqa.evaluation.gold import GoldQuestion, find_units, load_gold
from cyberqa.evaluation.measures import Retrieved, measure
from cyberqa.evaluation.statistics import SEED, mean_estimate, randomisation_p
from cyberqa.names.aliases import Kind
from cyberqa.names.expanding import Expansions, Lookup, expand
from cyberqa.retrieval import RANKING, late, reading
from cyberqa.session import Session
from cyberqa.settings import load_settings
from cyberqa.types import Passage, Span

ROOT = Path(__file__).parent.parent
MEASURES = ("Success@1", "Success@5", "nDCG@10")
DEPTH = 10
FOLDS = 10
REPEATS = 5
NEVER = 9.0  # a price above any cosine

Change = tuple[Any, str, Any]
"""Whose attribute, its name, and what it is instead."""


def without_glossary(question: str, lookup: Lookup) -> Expansions:
    """Expand by names only."""
    return expand(question, lambda keys: _only(lookup(keys), lambda kind: kind is not Kind.GLOSSARY))


def without_acronyms(question: str, lookup: Lookup) -> Expansions:
    """Expand without the acronyms of long forms, and the long forms of acronyms."""
    return expand(question, lambda keys: _only(lookup(keys), lambda kind: kind not in (Kind.SHORT, Kind.LONG)))


def without_names(question: str, _: Lookup) -> Expansions:
    """Expand nothing."""
    return Expansions(question, ())


def without_terms(question: str, lookup: Lookup) -> Expansions:
    """Ask in other words, but count none of them lexically."""
    return Expansions(expand(question, lookup).rewritten, ())


def without_forms(question: str, lookup: Lookup) -> Expansions:
    """Count other words lexically, but ask only as asked."""
    return Expansions(question, expand(question, lookup).other_names)


def _only(found: Any, is_wanted: Callable[[Kind], bool]) -> Any:
    return {key: [alias for alias in aliases if is_wanted(alias.kind)] for key, aliases in found.items()}


def _expanding(instead: Callable[[str, Lookup], Expansions]) -> Change:
    return (reading, "expand", instead)


OFF: dict[str, tuple[Change, ...]] = {
    "late interaction": ((retrieval, "late_interaction", lambda _g, _f, rows: [np.zeros(len(rows), np.float32)]),),
    "borrowing from the passage before": ((late, "BORROWED_FROM_BEFORE", NEVER),),
    "rarity of tokens": ((late, "IDF_POWER", 0.0),),
    "passage vector": ((retrieval, "_VECTOR_WEIGHT", 0.0),),
    "words in the sum": ((retrieval, "_LEXICAL_WEIGHT", 0.0),),
    "words among candidates": ((retrieval, "_PROPOSED_BY_WORDS", 0.0),),
    "names and glossary": (_expanding(without_names),),
    "the glossary": (_expanding(without_glossary),),
    "acronyms": (_expanding(without_acronyms),),
    "other forms, but not their words": (_expanding(without_forms),),
    "words of other forms": (_expanding(without_terms),),
    "mending typos": ((reading, "corrected", lambda question, _: question),),
}
OTHER_VALUES: dict[str, tuple[Change, ...]] = {
    "rarity to the power 1": ((late, "IDF_POWER", 1.0),),
    "borrowing from before for half as much more": ((late, "BORROWED_FROM_BEFORE", 1.5 * late.BORROWED_FROM_BEFORE),),
    "twice the passage vector": ((retrieval, "_VECTOR_WEIGHT", 2 * retrieval._VECTOR_WEIGHT),),
    "60 candidates": ((retrieval, "_CANDIDATES", 60),),
    "100 candidates": ((retrieval, "_CANDIDATES", 100),),
}
VARIANTS = {"all": (), **OFF, **OTHER_VALUES}


@contextmanager
def changed(changes: Sequence[Change]) -> Iterator[None]:
    """Run with other values in the product's modules."""
    with ExitStack() as stack:
        for where, name, value in changes:
            stack.enter_context(patch.object(where, name, value))
        yield


def ask_every_variant(opened: Session, gold: Sequence[GoldQuestion]) -> tuple[np.ndarray, np.ndarray]:
    """Return the measures ``(variants, questions, measures)`` and the milliseconds ``(variants, questions)``."""
    texts = {id_: opened.generation.contents.document(id_).text for id_ in opened.generation.contents.document_ids()}
    values = np.zeros((len(VARIANTS), len(gold), len(MEASURES)))
    times = np.zeros(values.shape[:2])
    gc.disable()  # it would fall on some variants and not on others
    for place, question in enumerate(gold):
        units = find_units(question, texts, {})
        for number, changes in enumerate(VARIANTS.values()):
            with changed(changes):
                started = time.perf_counter()
                passages = opened.ask(question.question, DEPTH).passages
                times[number, place] = (time.perf_counter() - started) * 1000
            scores = measure(
                units, [_retrieved(each) for each in passages], any_=question.any, expected=len(question.evidence)
            )
            values[number, place] = [scores[name] for name in MEASURES]
    return values, times


def _retrieved(passage: Passage) -> Retrieved:
    places = [passage.location, *([passage.continuation.location] if passage.continuation else [])]
    return Retrieved(passage.citation.document, tuple(Span(place.start, place.end) for place in places))


def in_nested_folds(values: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Return the measures ``(questions, measures)`` where the variant is chosen on other groups; a mean of repeats."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    held = np.zeros(values.shape[1:])
    for repeat in range(REPEATS):
        fold_of_group = np.random.default_rng(SEED + repeat).permutation(len(numbers)) % FOLDS
        folds = np.array([fold_of_group[numbers[group]] for group in groups])
        for fold in range(FOLDS):
            outside, inside = folds != fold, folds == fold
            best = int(np.argmax(values[:, outside, MEASURES.index("nDCG@10")].mean(axis=1)))
            held[inside] += values[best, inside]
    return held / REPEATS


def print_table(values: np.ndarray, times: np.ndarray, is_paraphrase: np.ndarray) -> None:
    """Print a row a variant: what is left, the paired difference with its p, and milliseconds as a ratio."""
    usual = np.median(times[0])
    print(f"| off | {' | '.join(MEASURES)} | paraphrase S@5 | milliseconds |\n|{'---|' * (len(MEASURES) + 3)}")
    for number, name in enumerate(VARIANTS):
        scores, lost = values[number], values[number] - values[0]
        cells = [
            f"{scores[:, m].mean():.3f} ({lost[:, m].mean():+.3f}, p {randomisation_p(lost[:, m].tolist()):.2f})"
            for m in range(len(MEASURES))
        ]
        cells.append(f"{scores[is_paraphrase, 1].mean():.3f}")
        cells.append(f"{np.median(times[number]) / usual:.2f} x" if number else f"{usual:.0f} ms")
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gold", type=Path, nargs="+", default=[ROOT / "evals" / "gold" / "reports.jsonl"])
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("--index", type=Path, default=ROOT / "index")
    arguments = parser.parse_args()
    first, *more = arguments.gold
    gold = [question for question in load_gold(first) if question.split == "dev"]
    gold += [question for file in more for question in load_gold(file)]
    gold = [question for question in gold if question.answerable]
    with Session.open(load_settings({"corpus": arguments.corpus, "index": arguments.index}, environ={})) as opened:
        ask_every_variant(opened, gold[:1])
        values, times = ask_every_variant(opened, gold)
    is_paraphrase = np.array([question.kind == "paraphrase" for question in gold])
    print(f"{RANKING}, {len(gold)} questions, {is_paraphrase.sum()} of them paraphrases\n")
    print_table(values, times, is_paraphrase)
    held = in_nested_folds(values, [question.group for question in gold])
    print(f"\nIn {REPEATS} x {FOLDS} nested folds over the rows above:")
    for number, name in enumerate(MEASURES):
        found = mean_estimate(held[:, number].tolist())
        print(f"{name} {found.value:.3f} ({found.low:.3f}-{found.high:.3f})")
    print(f"paraphrase Success@5 {held[is_paraphrase, 1].mean():.3f}")


if __name__ == "__main__":
    main()
