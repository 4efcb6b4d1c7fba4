"""A finished index, open for reading: rows in, rows out. It knows nothing of what a question means.

What it is made of stands in modules of their own: contents (documents and chunks), vocabulary (words), alias_table,
vectors. Here they are opened together, and checked against each other.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding.token_codec import Codes
from cyberqa.errors import SearchIndexError
from cyberqa.index import lexical
from cyberqa.index.alias_table import AliasTable
from cyberqa.index.arrays import StoredRows, mapped
from cyberqa.index.contents import Contents
from cyberqa.index.files import is_plain
from cyberqa.index.manifest import (
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
from cyberqa.index.tokens import ROW
from cyberqa.index.vectors import ChunkVectors
from cyberqa.index.vocabulary import Vocabulary


class Generation(Contents, Vocabulary, AliasTable, ChunkVectors):
    """One generation. Rows of chunks count from 0 and are the same in vectors, postings and database."""

    def __init__(self, folder: Path) -> None:
        self.manifest = Manifest.load(folder)
        if folder.is_symlink() or not all(is_plain(folder / name) for name in FILES):
            raise SearchIndexError(f"{folder}: expected the files of an index, found others", hint=REBUILD_HINT)
        self.rows = mapped(folder / ROWS_FILE)
        """What stands beside each chunk: (chunks,) of tokens.ROW."""
        self.pieces = mapped(folder / PIECES_FILE)
        """In how many chunks a word piece stands, by its id."""
        self._tokens = StoredRows(folder / TOKENS_FILE)
        self._token_sentences = mapped(folder / TOKEN_SENTENCES_FILE)
        postings = mapped(folder / POSTINGS_FILE)
        self._check_arrays(postings)
        chunks = self.manifest.chunks
        ChunkVectors.__init__(self, folder, self.manifest.recipe.encoder.dim, self.manifest.vector_search, chunks)
        database = open_database(folder / DATABASE_FILE)
        Contents.__init__(self, database, chunks)
        Vocabulary.__init__(self, database, postings, chunks)
        AliasTable.__init__(self, database)

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

    def _check_arrays(self, postings: lexical.Postings) -> None:
        rows, codes, sentences = self.rows, self._tokens, self._token_sentences
        is_ours = (
            (rows.dtype, postings.dtype, codes.dtype, sentences.dtype) == (ROW, lexical.POSTING, np.uint8, np.uint8)
            and (rows.ndim, postings.ndim, len(codes.shape), sentences.ndim, self.pieces.ndim) == (1, 1, 2, 1, 1)
            and np.issubdtype(self.pieces.dtype, np.unsignedinteger)
            and len(codes) == len(sentences)
            and 0 < len(rows) == self.manifest.chunks
        )
        if not is_ours:
            raise ValueError("its files are not what they should be")

    def close(self) -> None:
        """Close the database and the tokens; what is mapped goes with the object."""
        self._database.close()
        self._tokens.close()

    # --- tokens ----------------------------------------------------------------------------------------------

    @property
    def tokens(self) -> int:
        """How many tokens are coded, of all chunks together."""
        return len(self._tokens)

    def token_codes(self, rows: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int64]]:
        """Return the codes of all tokens of some chunks, ``(n, dims / 8)``, and the place of each chunk's first."""
        about = self.rows[rows]
        counts = about["tokens"].astype(np.int64)
        codes: Codes = self._tokens.read(zip(about["first_token"].tolist(), counts.tolist(), strict=True))
        if len(codes) != counts.sum():
            raise ValueError("its tokens end before their rows do")
        return codes, np.cumsum(counts) - counts

    def token_sentences(self, row: int) -> NDArray[np.uint8]:
        """Return the sentence of each token of a chunk, by place in the chunk; see matching.sentences_of."""
        first, count = int(self.rows["first_token"][row]), int(self.rows["tokens"][row])
        sentences: NDArray[np.uint8] = self._token_sentences[first : first + count]
        return sentences
