"""Checks an index against itself: every checksum, every span, the words of every chunk, and a sample of vectors.

Nothing is believed that can be worked out again: files from the manifest's digests, the manifest from its own, the id
from the recipe, words and vectors from the texts.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cyberqa import matching
from cyberqa.embedding import Encoder, load_encoder
from cyberqa.embedding.token_codec import Codes, codec_for
from cyberqa.errors import CyberqaError, NoIndexError, SearchIndexError
from cyberqa.index.clustering import search_faults
from cyberqa.index.files import is_plain, read_plain
from cyberqa.index.generation import Generation
from cyberqa.index.manifest import (
    CHUNK_VECTORS_FILE,
    CURRENT_FILE,
    DATABASE_FILE,
    FILES,
    INDEX_HINT,
    MANIFEST_FILE,
    REBUILD_HINT,
    ROWS_FILE,
    Manifest,
    current_generation,
    file_digest,
    generation_folder,
)
from cyberqa.index.words import index_terms
from cyberqa.settings import Settings
from cyberqa.types import JSON, BlockKind, Chunk, Document, Span

VERIFY_SCHEMA = "cyberqa.verify/1"
SAMPLED = 32
"""Chunks, spread evenly, whose vectors and token codes are made again: half a second's work."""

_MIN_COSINE = 0.999  # what another release of the runtime, or another batch, may move
_MAX_SHARE_OFF = 0.01  # of the codes: where two centroids are nearly as near, the other may win


@dataclass(slots=True)
class _Findings:
    """What was looked at, and what was wrong."""

    files: int = 0
    bytes: int = 0
    documents: int = 0
    spans: int = 0
    chunks: int = 0
    vectors: int = 0
    notes: list[str] = field(default_factory=list[str])
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    mend: str = REBUILD_HINT

    def check(self, is_right: bool, where: str, what: str) -> None:
        if not is_right:
            self.faults.append((where, what))


def verify_index(settings: Settings, encoder: Encoder | None = None) -> JSON:
    """Return what was checked of the generation that answers, and what was found wrong, as a JSON object.

    Raises:
        NoIndexError: nothing has been built.
    """
    name, found = _verify_current(settings, encoder)
    return {
        "schema": VERIFY_SCHEMA,
        "index": str(settings.index),
        "generation": name,
        "is_whole": not found.faults,
        "checked": {
            "files": found.files,
            "bytes": found.bytes,
            "documents": found.documents,
            "spans": found.spans,
            "chunks": found.chunks,
            "vectors": found.vectors,
        },
        "notes": found.notes,
        "faults": [{"where": where, "what": what} for where, what in found.faults],
        "mend": found.mend.removeprefix("run: ") if found.faults else "",
    }


def _verify_current(settings: Settings, encoder: Encoder | None) -> tuple[str | None, _Findings]:
    while True:
        found = _Findings()
        name = None
        try:
            name = current_generation(settings.index)
            _check_generation(settings, name, encoder, found)
        except NoIndexError:
            raise
        except SearchIndexError as error:
            found.faults.append((name or CURRENT_FILE, error.message))
            found.mend = error.hint
        except Exception as error:  # whatever a parser may raise that is given hostile bytes
            found.faults.append((name or CURRENT_FILE, f"it cannot be read ({type(error).__name__}: {error})"))
        if not found.faults or name is None or current_generation(settings.index) == name:
            return name, found
        # A builder has put another in its place, and may have swept this one.


def _check_generation(settings: Settings, name: str, encoder: Encoder | None, found: _Findings) -> None:
    folder = generation_folder(settings.index, name)
    _check_files(folder, found)
    if found.faults:
        return  # what else were found would follow from these
    with contextlib.closing(Generation(folder)) as generation:
        _check_documents(generation, found)
        _check_rows(generation, found)
        manifest = generation.manifest
        for fault in search_faults(folder, manifest.recipe.encoder.dim, manifest.vector_search):
            found.faults.append((CHUNK_VECTORS_FILE, fault))
        if not found.faults:
            _check_matched(settings, generation, encoder, found)


# --- files ---------------------------------------------------------------------------------------------------


def _check_files(folder: Path, found: _Findings) -> None:
    manifest = Manifest.load(folder)
    text = read_plain(folder / MANIFEST_FILE)
    found.check(text == manifest.dump().encode(), MANIFEST_FILE, "it is not what was written")
    found.check(manifest.recipe.generation == folder.name, MANIFEST_FILE, "the generation's id does not follow from it")
    found.check(not folder.is_symlink(), folder.name, "it is a link")
    for file in sorted(folder.iterdir()):
        found.check(file.name in (*FILES, MANIFEST_FILE), file.name, "it does not belong to an index")
    for file in (folder / name for name in FILES):
        found.files += 1
        if not is_plain(file):
            found.faults.append((file.name, "it is missing, or no regular file"))
            continue
        expected, digest = manifest.files[file.name], file_digest(file)
        found.bytes += digest.size_bytes
        found.check(
            digest.size_bytes == expected.size_bytes,
            file.name,
            f"expected {expected.size_bytes:,} bytes, found {digest.size_bytes:,}",
        )
        found.check(digest == expected, file.name, "its SHA-256 is not the one that was written")


# --- documents and spans -------------------------------------------------------------------------------------


def _check_documents(generation: Generation, found: _Findings) -> None:
    for damage in generation.contents.damage():
        found.faults.append((DATABASE_FILE, damage))
    manifest = generation.manifest
    expected = sorted(manifest.recipe.documents.keys() - manifest.failures.keys())
    found.check(
        list(generation.contents.document_ids()) == expected,
        DATABASE_FILE,
        "it holds other documents than the manifest",
    )
    for id_ in generation.contents.document_ids():
        document = generation.contents.document(id_)  # which checks its text by its digest
        found.documents += 1
        known = manifest.recipe.documents.get(id_, {})
        found.check(
            (known.get("sha256"), known.get("reader")) == (document.sha256, document.reader),
            id_,
            "it is another file, or was read by another reader, than the manifest says",
        )
        notes = [note.span for note in generation.contents.footnotes(id_, Span(0, len(document.text)))]
        _check_spans(document, [*(page.span for page in document.pages), *notes], found)
    for alias in generation.aliases.all():
        if alias.document is not None and alias.span is not None:
            _check_spans(generation.contents.document(alias.document), [alias.span], found)


def _check_spans(document: Document, spans: Sequence[Span], found: _Findings) -> None:
    for span in spans:
        found.spans += 1
        is_inside = 0 <= span.start <= span.end <= len(document.text)
        found.check(is_inside, document.id, f"it has no characters {span.start} to {span.end}")


def _check_rows(generation: Generation, found: _Findings) -> None:
    """Check the chunks one by one: their spans, and what rows.npy says of them."""
    tokens = 0
    for row, chunk in _chunks(generation):
        found.chunks += 1
        document = generation.contents.document(chunk.document)
        rest = [chunk.continuation] if chunk.continuation else []
        _check_spans(document, [chunk.span, *chunk.sentences, *chunk.context, *rest], found)
        found.check(
            _is_well_cut(document, chunk), document.id, f"chunk {row} crosses a page, or its sentences leave it"
        )
        own = document.text[chunk.span.start : chunk.span.end]
        found.check(
            generation.contents.text_of_chunk(row) == own, document.id, f"the bytes of chunk {row} are not its text"
        )
        about = generation.rows[row]
        found.check(about["first_token"] == tokens, ROWS_FILE, f"row {row} begins at another token")
        found.check(-1 <= about["before"] < row, ROWS_FILE, f"row {row} has no such row before it")
        tokens += int(about["tokens"])
    found.check(tokens == len(generation.tokens), ROWS_FILE, "there are other tokens than its rows count")


def _is_well_cut(document: Document, chunk: Chunk) -> bool:
    def holds(outer: Span, inner: Span) -> bool:
        return outer.start <= inner.start and inner.end <= outer.end

    sentences = all(holds(chunk.span, sentence) for sentence in chunk.sentences)
    pages = not document.pages or any(holds(page.span, chunk.span) for page in document.pages)
    return sentences and pages and len(chunk.span) > 0


def _chunks(generation: Generation) -> Iterator[tuple[int, Chunk]]:
    return ((row, generation.contents.chunk(row)) for row in range(generation.manifest.chunks))


# --- words and vectors ---------------------------------------------------------------------------------------


def _check_matched(settings: Settings, generation: Generation, encoder: Encoder | None, found: _Findings) -> None:
    """Work out again from the texts what the chunks are matched by."""
    try:
        encoder = encoder or _encoder_of(settings, generation.manifest)
    except CyberqaError as error:
        found.notes.append(f"words and vectors were not compared: {error.message}")
        return
    texts = [_matched_text(generation, chunk, encoder) for _, chunk in _chunks(generation)]
    _check_words(generation, texts, found)
    _check_vectors(generation, texts, encoder, found)


def _encoder_of(settings: Settings, manifest: Manifest) -> Encoder:
    made_with = manifest.recipe.encoder
    if made_with.model == settings.model:
        encoder = load_encoder(settings)
        if encoder.info.identity == made_with.identity:
            return encoder
    raise SearchIndexError(
        f"the index was made with model {made_with.model} on {made_with.device}, another than the settings name",
        hint=INDEX_HINT,
    )


def _matched_text(generation: Generation, chunk: Chunk, encoder: Encoder) -> str:
    document = generation.contents.document(chunk.document)
    return matching.text_of_stored(document, chunk, encoder.count_tokens, encoder.info.window_tokens)


def _check_words(generation: Generation, texts: Sequence[str], found: _Findings) -> None:
    stored = generation.vocabulary.terms_by_row()
    for (row, chunk), text in zip(_chunks(generation), texts, strict=True):
        expected = set(index_terms(text, generation.contents.document(chunk.document).language))
        found.check(stored[row] == expected, chunk.document, f"the words of chunk {row} are not those of its text")


def _check_vectors(generation: Generation, texts: Sequence[str], encoder: Encoder, found: _Findings) -> None:
    rows = np.arange(len(texts))[:: max(len(texts) // SAMPLED, 1)]
    stored = generation.vectors.of_rows(rows)
    for row, vector, encoding in zip(rows, stored, encoder.encode([texts[row] for row in rows]), strict=True):
        words = encoding.tokens[encoder.tokenize(texts[row]).is_word]
        fresh = codec_for(encoder.info, words.shape[1]).encode(words)
        codes, _ = generation.tokens.codes(np.array([row]))
        if generation.contents.chunk(int(row)).kind is BlockKind.TABLE and len(codes) > len(fresh):
            codes = codes[: len(fresh)]  # behind them stands what its rows say, of which the vector is made too
        else:
            found.vectors += 1
            is_near = float(vector @ encoding.vector) >= _MIN_COSINE
            found.check(is_near, "vectors", f"the vector of chunk {row} is not that of its text")
        is_alike = codes.shape == fresh.shape and _share_off(codes, fresh) <= _MAX_SHARE_OFF
        found.check(is_alike, "tokens", f"the tokens of chunk {row} are not those of its text")


def _share_off(codes: Codes, others: Codes) -> float:
    return float((codes != others).mean()) if codes.size else 0.0
