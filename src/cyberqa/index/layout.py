"""How a generation lies on disk, as a digest: who changes a table or an array makes another format, unasked."""

import hashlib
import re
from pathlib import Path

from cyberqa.index.glossary import PACKED
from cyberqa.index.lexical import POSTING
from cyberqa.index.tokens import ROW

VECTORS = "IndexScalarQuantizer fp16 inner-product, or IndexIVFScalarQuantizer of the same in ilar lists"
"""Which kinds of index FAISS reads."""

_COMMENT = re.compile(r"--[^\n]*")


def schema_sql() -> str:
    """Return the statements that make the database."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")  # importlib.resources takes 10 ms


def layout_digest() -> str:
    """Return ten hexadecimal digits that change with tables, arrays, glossary and kind of vectors, not comments."""
    tables = " ".join(_COMMENT.sub(" ", schema_sql()).split())
    parts = (tables, str(ROW.descr), str(POSTING.descr), VECTORS, PACKED)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
