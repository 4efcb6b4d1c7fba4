"""A finished index, open for reading: rows in, rows out. It knows nothing of what a question means.

What it is made of stands in modules of their own: contents (documents and chunks), vocabulary (words), alias_table,
vectors, tokens. Here they are opened together.
"""

from pathlib import Path

import numpy as np

from cyberqa.errors import SearchIndexError
from cyberqa.index.alias_table import AliasTable
from cyberqa.index.arrays import mapped
from cyberqa.index.contents import Contents
from cyberqa.index.files import is_plain
from cyberqa.index.manifest import (
    CHUNK_VECTORS_FILE,
    DATABASE_FILE,
    FILES,
    PIECES_FILE,
    POSTINGS_FILE,
    REBUILD_HINT,
    ROWS_FILE,
    TOKEN_SENTENCES_FILE,
    TOKENS_FILE,
    Manifest,
    current_generation,
    generation_folder,
)
from cyberqa.index.opening import open_database
from cyberqa.index.stored_tokens import StoredTokens
from cyberqa.index.tokens import ROW
from cyberqa.index.vectors import ChunkVectors
from cyberqa.index.vocabulary import Vocabulary


class Generation:
    """One generation. Rows of chunks count from 0 and are the same in vectors, postings and database."""

    def __init__(self, folder: Path) -> None:
        self.manifest = Manifest.load(folder)
        if folder.is_symlink() or not all(is_plain(folder / name) for name in FILES):
            raise SearchIndexError(f"{folder}: expected the files of an index, found others", hint=REBUILD_HINT)
        self.rows = mapped(folder / ROWS_FILE)
        """What stands beside each chunk: (chunks,) of tokens.ROW."""
        self.pieces = mapped(folder / PIECES_FILE)
        """In how many chunks a word piece stands, by its id."""
        self._check_rows()
        chunks = self.manifest.chunks
        self.tokens = StoredTokens(folder / TOKENS_FILE, folder / TOKEN_SENTENCES_FILE, self.rows)
        search, dim = self.manifest.vector_search, self.manifest.recipe.encoder.dim
        self.vectors = ChunkVectors(folder / CHUNK_VECTORS_FILE, dim, search, chunks)
        self._database = open_database(folder / DATABASE_FILE)
        self.contents = Contents(self._database, chunks)
        self.vocabulary = Vocabulary(self._database, mapped(folder / POSTINGS_FILE), chunks)
        self.aliases = AliasTable(self._database)

    @classmethod
    def open_current(cls, index: Path) -> "Generation":
        """Open the generation that answers.

        Raises:
            NoIndexError: none has been built.
            IncompatibleIndexError: another format.
            SearchIndexError: it is damaged.
        """
        tried = ""
        while True:
            name = current_generation(index)
            try:
                return cls(generation_folder(index, name))
            except Exception as error:  # whatever a parser may raise that is given hostile bytes
                if tried == name:
                    if isinstance(error, SearchIndexError):
                        raise
                    raise SearchIndexError(f"the index in {index} is damaged ({error})", hint=REBUILD_HINT) from error
                tried = name  # once more: a builder may have swept it while it was being opened

    def _check_rows(self) -> None:
        rows, pieces = self.rows, self.pieces
        is_ours = (
            rows.dtype == ROW and rows.ndim == pieces.ndim == 1 and np.issubdtype(pieces.dtype, np.unsignedinteger)
        )
        if not is_ours or not 0 < len(rows) == self.manifest.chunks:
            raise ValueError("its files are not what they should be")

    def close(self) -> None:
        """Close the database and the tokens; what is mapped goes with the object."""
        self._database.close()
        self.tokens.close()
