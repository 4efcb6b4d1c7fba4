"""What one document brings to a generation, whatever its name is and whatever stands beside it there.

It follows from the file's bytes, its metadata, the rules and the encoder alone, so that it is made once, kept in the
cache, and put into every generation that the document is part of.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from cyberqa.types import JSON

Row = Sequence[Any]
"""The columns of a row of a table, plain values."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows for the tables, and counts for what is computed of all documents together. All of it is plain JSON.

    ``document`` are the columns of ``documents`` but for ``row`` and ``id``; ``pages``, ``footnotes`` and ``chunks``
    rows without the document's. Row for row with the chunks: ``before``, see matching.chunks_before; ``skipped``, how
    many tokens in front of each of its texts are not stored; ``pieces`` and ``sentences``, see tokens.ChunkTokens, the
    latter in hexadecimal; ``terms``, how often each stands in its own text. Of the whole document: ``words`` (typos),
    ``inside`` and ``spellings`` (capitals), and what names.collecting.FoundNames has.
    """

    document: JSON
    pages: Sequence[Row]
    footnotes: Sequence[Row]
    chunks: Sequence[Row]
    before: Sequence[int]
    skipped: Sequence[Sequence[int]]
    pieces: Sequence[Sequence[int]]
    sentences: Sequence[str]
    terms: Sequence[Mapping[str, int]]
    words: Mapping[str, int]
    inside: Mapping[str, int]
    spellings: Sequence[str]
    definitions: Sequence[Row]
    lower_case: Sequence[str]
    names: Mapping[str, int]

    def dump(self) -> bytes:
        """Return the parcel as JSON."""
        body = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    @classmethod
    def load(cls, body: bytes) -> "Parcel":
        """Return the parcel that :meth:`dump` wrote.

        Raises:
            ValueError: anything else.
        """
        try:
            return cls(**json.loads(body))
        except (TypeError, RecursionError) as error:
            raise ValueError(f"it is no parcel ({error})") from error
