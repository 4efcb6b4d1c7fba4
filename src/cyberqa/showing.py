"""What is in the index, for looking at: a document's text, and the state of the whole."""

from contextlib import closing
from dataclasses import asdict, dataclass

from cyberqa import corpus
from cyberqa.errors import CorpusError
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import VectorSearch
from cyberqa.index.state import changed_files
from cyberqa.location import Locator
from cyberqa.names.aliases import Alias, Origin, listed
from cyberqa.settings import Settings
from cyberqa.types import JSON, Document, Span

STATUS_SCHEMA = "cyberqa.status/1"
ALIASES_SCHEMA = "cyberqa.aliases/1"


@dataclass(frozen=True, slots=True)
class Shown:
    """A stretch of canonical text; ``note`` says where the file has changed since."""

    text: str
    note: str


def show_document(
    settings: Settings,
    id_: str,
    *,
    span: tuple[int, int] | None = None,
    page: int | None = None,
    lines: tuple[int, int] | None = None,
    text_sha256: str | None = None,
) -> Shown:
    """Return canonical text as stored in the index, never a fresh reading; all of it where nothing narrower is asked.

    Raises:
        CorpusError: no such document, page or line, or another text than the one with ``text_sha256``.
    """
    with closing(Generation.open_current(settings.index)) as generation:
        known = generation.contents.document_ids()
        id_ = corpus.document_id(settings.corpus, id_)
        if reason := generation.manifest.failures.get(id_):
            raise CorpusError(f"{id_} is in the corpus, but could not be read: {reason}")
        if id_ not in known:
            raise CorpusError(f"no document {id_!r} in the index", hint=corpus.nearest_hint(id_, known))
        document = generation.contents.document(id_)
    if text_sha256 is not None and text_sha256.lower() != document.text_sha256:
        raise CorpusError(
            f"{id_}: expected the text with SHA-256 {text_sha256}, found {document.text_sha256}",
            hint="the quotation is from another edition of this document",
        )
    wanted = _wanted(document, span, page, lines)
    return Shown(document.text[wanted.start : wanted.end], _changed_note(settings, document))


def _wanted(document: Document, span: tuple[int, int] | None, page: int | None, lines: tuple[int, int] | None) -> Span:
    if span is not None:
        if span[1] > len(document.text):
            raise CorpusError(
                f"{document.id} has characters 0 to {len(document.text)}, found --span {span[0]}:{span[1]}"
            )
        return Span(*span)
    if page is not None:
        found = next((p for p in document.pages if p.number == page), None)
        if found is None:
            has = f"pages 1 to {len(document.pages)}" if document.pages else "no pages"
            raise CorpusError(f"{document.id} has {has}, found --page {page}", hint="run: cyberqa show " + document.id)
        return found.span
    if lines is not None:
        locator = Locator(document)
        if lines[1] > locator.lines:
            has = f"lines 1 to {locator.lines}" if locator.lines else "no lines"
            raise CorpusError(f"{document.id} has {has}, found --lines {lines[0]}:{lines[1]}")
        return locator.line_span(*lines)
    return Span(0, len(document.text))


def _changed_note(settings: Settings, document: Document) -> str:
    path = settings.corpus / document.id
    if not path.is_file():
        return f"{document.id} is no longer in {settings.corpus}; this is the text as indexed"
    if corpus.file_state(path, settings.corpus).sha256 != document.sha256:
        return f"{document.id} has changed since it was indexed; this is the text as indexed"
    return ""


def index_status(settings: Settings) -> JSON:
    """Return what is indexed, as a JSON object.

    Raises:
        NoIndexError: nothing has been built.
    """
    with closing(Generation.open_current(settings.index)) as generation:
        return _status_of(generation, settings)


def _status_of(generation: Generation, settings: Settings) -> JSON:
    manifest = generation.manifest
    encoder = manifest.recipe.encoder
    changes = changed_files(settings)
    return {
        "schema": STATUS_SCHEMA,
        "corpus": str(settings.corpus),
        "index": str(settings.index),
        "generation": manifest.generation,
        "model": encoder.model,
        "encoder": f"{encoder.graph} {encoder.precision} ({encoder.runtime})",
        "chunks": manifest.chunks,
        "vector_search": _describe_search(manifest.vector_search),
        "documents": [
            _describe(generation.contents.document(id_), generation.contents.block_counts(id_))
            for id_ in generation.contents.document_ids()
        ],
        "failures": [{"document": id_, "reason": reason} for id_, reason in sorted(manifest.failures.items())],
        "stale": None if changes is None else bool(changes),
        "changes": changes or [],
    }


def _describe_search(search: VectorSearch) -> JSON:
    return {
        "is_approximate": search.lists > 0,
        "lists": search.lists or None,
        "probed": search.probed or None,
        "recall_at_10": search.recall_at_10,
        "sampled": search.sampled or None,
    }


def _describe(document: Document, blocks: dict[str, int]) -> JSON:
    about = document.metadata
    return {
        "document": document.id,
        "title": document.title,
        "publisher": about.publisher,
        "year": about.year,
        "source": about.source,
        "tags": list(about.tags),
        "characters": len(document.text),
        "pages": len(document.pages) or None,
        "pages_without_text": [page.number for page in document.pages if _is_blank(document, page.span)],
        "blocks": blocks,
        "repairs": _repairs(document),
        "reader": document.reader,
        "encoding": document.encoding,
        "language": document.language,
        "warnings": list(document.warnings),
    }


def _is_blank(document: Document, span: Span) -> bool:
    return not document.text[span.start : span.end].strip()


def _repairs(document: Document) -> list[JSON]:
    """Return of each kind how often it was mended, and on how many pages."""
    kinds = sorted({repair.kind for repair in document.repairs})
    by_kind = {kind: [repair for repair in document.repairs if repair.kind == kind] for kind in kinds}
    return [
        {
            "kind": kind,
            "count": sum(repair.count for repair in repairs),
            "pages": len({repair.page for repair in repairs if repair.page is not None}) or None,
        }
        for kind, repairs in by_kind.items()
    ]


def index_aliases(settings: Settings, *, shipped: bool = True) -> JSON:
    """Return what the index knows under several names, and from where, as a JSON object; what is shipped, too, or not.

    Raises:
        NoIndexError: nothing has been built.
    """
    locators: dict[str, Locator] = {}
    with closing(Generation.open_current(settings.index)) as generation:
        return {
            "schema": ALIASES_SCHEMA,
            "index": str(settings.index),
            "generation": generation.manifest.generation,
            "aliases": [
                _describe_alias(alias, generation, locators)
                for alias in listed(generation.aliases.all())
                if shipped or alias.origin is not Origin.SHIPPED
            ],
        }


def _describe_alias(alias: Alias, generation: Generation, locators: dict[str, Locator]) -> JSON:
    location = None
    if alias.document is not None and alias.span is not None:
        if alias.document not in locators:
            locators[alias.document] = Locator(generation.contents.document(alias.document))
        location = asdict(locators[alias.document].locate(alias.span))
    return {
        "word": alias.word,
        "meant": alias.meant,
        "kind": alias.kind.value,
        "origin": alias.origin.value,
        "definitions": alias.definitions,
        "document": alias.document,
        "location": location,
    }
