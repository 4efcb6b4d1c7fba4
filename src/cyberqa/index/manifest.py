"""What a generation says of itself, the id it follows from, and the pointer to the one that answers."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cyberqa.embedding import EncoderInfo
from cyberqa.errors import IncompatibleIndexError, NoIndexError, SearchIndexError
from cyberqa.index.files import read_plain
from cyberqa.index.layout import layout_digest
from cyberqa.types import JSON

FORMAT = f"6-{layout_digest()}"
"""The number is raised by hand with what the layout does not show: the manifest itself, the names of files."""

CURRENT_FILE = "current"
GENERATIONS_FOLDER = "generations"
MANIFEST_FILE = "manifest.json"
DATABASE_FILE = "corpus.sqlite"
CHUNK_VECTORS_FILE = "chunks.faiss"
ROWS_FILE = "rows.npy"
TOKENS_FILE = "tokens.npy"
TOKEN_SENTENCES_FILE = "token-sentences.npy"  # noqa: S105 - tokens of a text
PIECES_FILE = "pieces.npy"
POSTINGS_FILE = "postings.npy"

FILES = (
    CHUNK_VECTORS_FILE,
    DATABASE_FILE,
    PIECES_FILE,
    POSTINGS_FILE,
    ROWS_FILE,
    TOKEN_SENTENCES_FILE,
    TOKENS_FILE,
)
"""All files of a generation but its manifest: no other name is ever taken from a manifest."""

_GENERATION_ID = re.compile(r"[0-9a-f]{20}")
INDEX_HINT = "run: cyberqa index"
REBUILD_HINT = "run: cyberqa index --rebuild"


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that goes into a generation; everything in it is a pure function of this.

    ``rules`` are the settings and rules that shape it; ``tools`` the releases of the libraries that read, cut and
    count; ``documents`` maps each file's id to its digest, reader and metadata. ``search`` is what decides how vectors
    are searched: no reading, chunk or vector hangs on it.
    """

    encoder: EncoderInfo
    rules: Mapping[str, str | int]
    tools: Mapping[str, str]
    documents: Mapping[str, JSON]
    search: Mapping[str, str | int] = field(default_factory=dict[str, str | int])

    @property
    def generation(self) -> str:
        """The generation's id: 20 hexadecimal digits."""
        parts = {"format": FORMAT, **self.to_json()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]

    def to_json(self) -> JSON:
        """Return the recipe as JSON."""
        return {
            "encoder": {key: value for key, value in asdict(self.encoder).items() if key != "languages"},
            "rules": dict(self.rules),
            "tools": dict(self.tools),
            "documents": dict(self.documents),
            "search": dict(self.search),
        }


@dataclass(frozen=True, slots=True)
class VectorSearch:
    """How the vectors of a generation are searched.

    Exactly, where ``lists`` is 0: a question is compared with all of them. Else they lie in so many lists, each of
    vectors near one another; a question is compared with those of the nearest ``probed`` lists, and finds of the ten
    nearest vectors the share ``recall_at_10`` on ``sampled`` made-up questions (index.clustering).
    """

    lists: int = 0
    probed: int = 0
    recall_at_10: float | None = None
    sampled: int = 0


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file of a generation."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The recipe with its outcome: failures by document id, counts, and size and digest of every file.

    On disk it carries a digest of itself, so that a manifest is whole where it equals its own :meth:`dump`.
    """

    generation: str
    recipe: Recipe
    failures: Mapping[str, str]
    chunks: int
    vector_search: VectorSearch
    files: Mapping[str, FileDigest]

    @property
    def documents_read(self) -> int:
        """How many documents it holds: those that could be read."""
        return len(self.recipe.documents) - len(self.failures)

    def dump(self) -> str:
        """Return the manifest's JSON text."""
        body = {
            "format": FORMAT,
            "generation": self.generation,
            **self.recipe.to_json(),
            "failures": dict(self.failures),
            "chunks": self.chunks,
            "vector_search": asdict(self.vector_search),
            "files": {name: asdict(file) for name, file in self.files.items()},
        }
        return _json_text(body | {"sha256": hashlib.sha256(_json_text(body).encode()).hexdigest()})

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Read a generation's manifest.

        Raises:
            IncompatibleIndexError: another format.
            SearchIndexError: missing, not a manifest, or another generation's.
        """
        try:
            body = json.loads(read_plain(folder / MANIFEST_FILE))
            if body["format"] != FORMAT:
                raise IncompatibleIndexError(
                    f"the index in {folder.parent.parent} has format {body['format']}, expected format {FORMAT}",
                    hint=INDEX_HINT,
                )
            recipe = Recipe(
                EncoderInfo(**body["encoder"]), *(dict(body[key]) for key in ("rules", "tools", "documents", "search"))
            )
            search = VectorSearch(**body["vector_search"])
            files = {name: FileDigest(**file) for name, file in body["files"].items()}
            manifest = cls(str(body["generation"]), recipe, dict(body["failures"]), int(body["chunks"]), search, files)
            if set(files) != set(FILES) or manifest.generation != folder.name:
                raise ValueError("it names other files, or another generation")
            return manifest
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SearchIndexError(f"the manifest in {folder} is damaged ({error})", hint=REBUILD_HINT) from error


def _json_text(body: JSON) -> str:
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def file_digest(file: Path) -> FileDigest:
    """Return a file's size and SHA-256."""
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return FileDigest(handle.tell(), digest)


def is_generation_id(name: str) -> bool:
    """Whether a name is 20 hexadecimal digits, as :attr:`Recipe.generation` makes them."""
    return _GENERATION_ID.fullmatch(name) is not None


def generation_folder(index: Path, generation: str) -> Path:
    """Return where a generation is kept."""
    return index / GENERATIONS_FOLDER / generation


def current_generation(index: Path) -> str:
    """Return the id of the generation that answers.

    Raises:
        NoIndexError: none has been built.
        SearchIndexError: the pointer is not an id.
    """
    pointer = index / CURRENT_FILE
    try:
        name = read_plain(pointer).decode("ascii").removesuffix("\n")
    except FileNotFoundError:
        raise NoIndexError(f"no index in {index}", hint=INDEX_HINT) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SearchIndexError(f"{pointer} cannot be read ({error})", hint=REBUILD_HINT) from error
    if not is_generation_id(name):
        raise SearchIndexError(f"{pointer}: expected a generation's id, found {name[:40]!r}", hint=REBUILD_HINT)
    return name
