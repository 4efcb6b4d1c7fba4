"""A question in, a Query out: without what is said around it, its typos mended, in other words, encoded."""

import re
import unicodedata
from collections.abc import Sequence

from cyberqa.embedding import Encoder
from cyberqa.index.generation import Generation
from cyberqa.index.typos import Correction
from cyberqa.names.expanding import expand
from cyberqa.retrieval.forms import Query, encode_forms
from cyberqa.retrieval.framing import without_framing
from cyberqa.retrieval.phrases import without_quoted


def make_query(question: str, generation: Generation, encoder: Encoder) -> Query:
    """Return what is searched for where a question is asked of a generation.

    No typo is a word for which the model has a token, although it may stand nowhere in the corpus.
    """
    question = without_framing(question)
    corrections = generation.vocabulary.corrections(
        without_quoted(question), lambda word: encoder.count_tokens(word) == 1
    )
    mended = corrected(question, corrections)
    expansions = expand(mended, generation.aliases.find)
    ways = list(dict.fromkeys((mended, expansions.rewritten)))
    typed = [question] if mended != question else []
    forms = encode_forms(encoder, [*ways, *typed])
    return Query(
        tuple(forms[: len(ways)]), tuple(corrections), expansions.other_names, forms[len(ways)] if typed else None
    )


def corrected(question: str, corrections: Sequence[Correction]) -> str:
    """Return the question with each typo replaced by the likeliest word; the rest as it was."""
    meant: dict[str, str] = {}
    for correction in corrections:
        meant.setdefault(correction.typed, correction.meant)
    if not meant:
        return question
    typed = re.compile(r"(?<![^\W_])(?:" + "|".join(map(re.escape, meant)) + r")(?![^\W_])")
    return typed.sub(lambda match: meant[match.group()], unicodedata.normalize("NFC", question))
