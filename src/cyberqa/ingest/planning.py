"""What the corpus is now and which generation agrees with it, told without reading a document or opening the model."""

import contextlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cyberqa import corpus
from cyberqa.documents import reader_for
from cyberqa.documents.language import DETECTOR
from cyberqa.documents.workers import Limits
from cyberqa.embedding import EncoderInfo
from cyberqa.embedding.token_codec import CODEC
from cyberqa.errors import CorpusError, DocumentError, SearchIndexError
from cyberqa.index.clustering import search_rules
from cyberqa.index.manifest import Manifest, Recipe, current_generation, generation_folder
from cyberqa.index.state import IndexState
from cyberqa.ingest.reporting import Changes, PlanReport, readable
from cyberqa.names.collecting import names_rules
from cyberqa.names.given import Groups, read_aliases
from cyberqa.settings import Settings
from cyberqa.types import JSON, Metadata

CHUNKER = "chunks/6"
"""Raised with any change of the rules in sentences.py, matching.py, tables/, chunking.py and index/words.py."""

_TOOLS = (
    "charset-normalizer", "htmldate", "justext", "lxml", "lxml_html_clean", "markdown-it-py", "nupunkt", "py3langid",
    "pypdf", "pypdfium2", "pystemmer", "python-docx", "tokenizers", "trafilatura",
)  # fmt: skip
"""Libraries whose release may change what is read, cut or counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes into the generation to be: ``recipe``, and what it was made of.

    ``before`` is the manifest of the generation that answers; None where there is none that can be read.
    """

    recipe: Recipe
    state: IndexState
    sources: Mapping[str, Metadata]
    groups: Groups
    before: Manifest | None

    @classmethod
    def make(cls, settings: Settings, encoder: EncoderInfo, *, trusting: bool = True) -> "Plan":
        """Look at the corpus; with ``trusting``, a file that has its size and time of the last build is not read.

        Raises:
            CorpusError: no corpus folder, no document in it, or something wrong with what is said of the documents.
        """
        known = IndexState.load(settings.index) if trusting else None
        state = IndexState.take(settings, known)  # one listing for all that follows: what comes later makes it stale
        if not state.documents():
            raise CorpusError(
                f"no documents in {settings.corpus}",
                hint="put reports into it: .txt, .md, .rst, .csv, .tsv, .pdf, .docx or .html files",
            )
        sources = corpus.read_sources(settings.corpus)
        groups = read_aliases(settings.corpus)
        rules = {**_rules(settings), "names": names_rules(groups)}
        search = search_rules(settings.approximate_from)
        recipe = Recipe(encoder, rules, _tool_versions(), _describe(state, sources), search)
        return cls(recipe, state, sources, groups, _previous_manifest(settings.index))

    def report(self) -> PlanReport:
        """Return what a build would do."""
        old, new = (readable(self.before) if self.before else {}), dict(self.recipe.documents)
        failures = {id_: why for id_, why in self._failures_before().items() if new.get(id_) == self._described(id_)}
        for id_ in failures:
            del new[id_]
        changes = Changes.between(old, new)
        is_new = self.before is None or self.before.generation != self.recipe.generation
        return PlanReport(
            self.recipe.generation,
            is_new,
            len(new),
            changes.added,
            changes.changed,
            changes.renamed,
            changes.removed,
            changes.unchanged,
            failures,
        )

    def _failures_before(self) -> Mapping[str, str]:
        return self.before.failures if self.before else {}

    def _described(self, id_: str) -> JSON | None:
        return self.before.recipe.documents.get(id_) if self.before else None


def printable(id_: str) -> str:
    """Return an id that can be written down: bytes that are not UTF-8 become escapes."""
    return id_.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _describe(state: IndexState, sources: Mapping[str, Metadata]) -> dict[str, JSON]:
    described: dict[str, JSON] = {}
    for id_, file in state.documents().items():
        about: JSON = {"sha256": file.sha256, "reader": None}
        described[printable(id_)] = about
        with contextlib.suppress(DocumentError):
            about["reader"] = reader_for(id_)
            about["metadata"] = _as_json(sources[id_]) if id_ in sources else _NO_METADATA
    return described


def _as_json(metadata: Metadata) -> JSON:
    return {**asdict(metadata), "tags": list(metadata.tags)}  # as it comes back from a manifest, to be compared


_NO_METADATA = _as_json(Metadata())


def _rules(settings: Settings) -> dict[str, str | int]:
    return {
        "chunker": CHUNKER,
        "codec": CODEC,
        "detector": DETECTOR,
        "size_chars": settings.chunk_size_chars,
        "max_file_mb": settings.max_file_mb,
        **asdict(Limits.from_settings(settings)),
    }


def _tool_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _TOOLS}


def _previous_manifest(index: Path) -> Manifest | None:
    try:
        return Manifest.load(generation_folder(index, current_generation(index)))
    except SearchIndexError:
        return None
