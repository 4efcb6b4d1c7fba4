"""What a build says: how far it is, what has changed in the corpus, what it did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cyberqa.index.manifest import Manifest
from cyberqa.types import JSON


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: what it is doing, documents done, texts embedded, chunks done.

    ``chunks_per_s`` are those that are embedded, ``seconds_left`` what embedding the rest takes, ``share`` how much of
    the work is done; each None while it cannot be known. ``is_waiting`` says that it does nothing until another builder
    is done.
    """

    stage: str
    documents_done: int = 0
    documents: int = 0
    embedded: int = 0
    chunks: int = 0
    chunks_per_s: float | None = None
    seconds_left: float | None = None
    share: float | None = None
    is_waiting: bool = False


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Changes:
    """How the documents of an index differ from those before, by id; ``renamed`` maps old ids to new ones.

    A renamed document is one that is gone whose very bytes are there under another name; it is neither added nor
    removed.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    removed: tuple[str, ...] = ()
    unchanged: int = 0

    @classmethod
    def between(cls, before: Mapping[str, JSON], after: Mapping[str, JSON]) -> "Changes":
        """Compare documents as a Recipe describes them."""
        gone = sorted(before.keys() - after.keys())
        come = sorted(after.keys() - before.keys())
        renamed = _renamed({id_: before[id_]["sha256"] for id_ in gone}, {id_: after[id_]["sha256"] for id_ in come})
        both = before.keys() & after.keys()
        changed = tuple(sorted(id_ for id_ in both if before[id_] != after[id_]))
        return cls(
            added=tuple(id_ for id_ in come if id_ not in set(renamed.values())),
            changed=changed,
            renamed=renamed,
            removed=tuple(id_ for id_ in gone if id_ not in renamed),
            unchanged=len(both) - len(changed),
        )


def _renamed(gone: Mapping[str, str | None], come: Mapping[str, str | None]) -> dict[str, str]:
    """Pair what is gone with what has come by their digests, in order of id where several have the same."""
    waiting: dict[str | None, list[str]] = {}
    for id_, sha256 in come.items():
        waiting.setdefault(sha256, []).append(id_)
    return {id_: waiting[sha256].pop(0) for id_, sha256 in gone.items() if sha256 is not None and waiting.get(sha256)}


def readable(manifest: Manifest) -> dict[str, JSON]:
    """Return the documents of a generation as its recipe describes them, without those that could not be read."""
    return {id_: about for id_, about in manifest.recipe.documents.items() if id_ not in manifest.failures}


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build found and did. ``failures`` maps a file's id to the reason why it is not in the index.

    ``added``, ``changed``, ``renamed`` (old id -> new id), ``removed`` and ``unchanged`` (how many) compare with the
    index before. ``warnings`` maps a document's id to what a reader of its quotations should know; ``repairs`` counts,
    by kind, what was mended while the documents of the index were read; ``uncovered`` maps a language that the model
    does not cover to the documents in it. ``pruned_bytes`` is what the cache was relieved of, ``seconds`` how long all
    of it took.
    """

    generation: str
    is_new: bool
    documents: int
    chunks: int
    embedded: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    model: str = ""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    uncovered: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    pruned_bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a build would do, as far as it can be told without reading a document: see BuildReport.

    ``failures`` are known from the last build, of files that are as they were. ``is_new`` is False where nothing would
    be written.
    """

    generation: str
    is_new: bool
    documents: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
