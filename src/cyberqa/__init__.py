"""Answers questions from a folder of reports, and proves every answer.

    >>> import cyberqa
    >>> cyberqa.build("corpus", "index")
    >>> cyberqa.open("index").ask("who supported ALCIRT's creation").passages[0].citation.section
    ('4 State of play in the Western Balkans', '4.1 Albania')

Names are resolved on first use (PEP 562): the door itself costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyberqa.errors import (
        CorpusError,
        CyberqaError,
        DocumentError,
        GoldError,
        IncompatibleIndexError,
        ModelError,
        NoIndexError,
        SearchIndexError,
        SettingsError,
        UsageError,
    )
    from cyberqa.ingest import BuildReport
    from cyberqa.ingest import build_from as build
    from cyberqa.retrieval import Mode
    from cyberqa.session import Session
    from cyberqa.session import open_session as open
    from cyberqa.types import (
        Answer,
        Citation,
        Excerpt,
        IndexInfo,
        Location,
        Note,
        Passage,
        Repeat,
        Surroundings,
        Verdict,
    )

__version__ = "0.1.0"

_NOUNS = (
    "Answer", "Citation", "Excerpt", "IndexInfo", "Location", "Note", "Passage", "Repeat", "Surroundings", "Verdict"
)  # fmt: skip

_DOOR = {
    "build": ("cyberqa.ingest", "build_from"),
    "open": ("cyberqa.session", "open_session"),
    "Session": ("cyberqa.session", "Session"),
    "BuildReport": ("cyberqa.ingest", "BuildReport"),
    "Mode": ("cyberqa.retrieval", "Mode"),
    **{name: ("cyberqa.types", name) for name in _NOUNS},
    **{
        name: ("cyberqa.errors", name)
        for name in (
            "CorpusError",
            "CyberqaError",
            "DocumentError",
            "GoldError",
            "IncompatibleIndexError",
            "ModelError",
            "NoIndexError",
            "SearchIndexError",
            "SettingsError",
            "UsageError",
        )
    },
}

__all__ = [
    "Answer",
    "BuildReport",
    "Citation",
    "CorpusError",
    "CyberqaError",
    "DocumentError",
    "Excerpt",
    "GoldError",
    "IncompatibleIndexError",
    "IndexInfo",
    "Location",
    "Mode",
    "ModelError",
    "NoIndexError",
    "Note",
    "Passage",
    "Repeat",
    "SearchIndexError",
    "Session",
    "SettingsError",
    "Surroundings",
    "UsageError",
    "Verdict",
    "__version__",
    "build",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _DOOR:
        raise AttributeError(f"module 'cyberqa' has no attribute {name!r}")
    module, attribute = _DOOR[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
