-- One generation's documents, chunks and terms. Written once, opened read-only and immutable afterwards.
-- Offsets are half-open ranges in Unicode code points of the document's canonical text.
PRAGMA journal_mode = OFF;   -- the file is written beside and renamed when whole
PRAGMA synchronous = OFF;    -- it is flushed once, with its folder
PRAGMA encoding = 'UTF-8';

CREATE TABLE documents (
    row         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    title       TEXT NOT NULL,
    publisher   TEXT,
    year        INTEGER,
    language    TEXT,              -- ISO 639-1; given, else detected
    source      TEXT,
    tags        TEXT NOT NULL,     -- JSON list
    sha256      TEXT NOT NULL,     -- of the file's bytes
    text_sha256 TEXT NOT NULL,     -- of `text`
    reader      TEXT NOT NULL,
    encoding    TEXT,
    has_lines   INTEGER NOT NULL,
    blocks      TEXT NOT NULL,     -- JSON object: how many of each kind
    repairs     TEXT NOT NULL,     -- JSON list of [kind, page, count]
    warnings    TEXT NOT NULL,     -- JSON list
    text        BLOB NOT NULL      -- the canonical text in UTF-8
);

CREATE TABLE pages (
    document INTEGER NOT NULL REFERENCES documents (row),
    number   INTEGER NOT NULL,     -- from 1
    label    TEXT,
    start    INTEGER NOT NULL,
    stop     INTEGER NOT NULL,
    PRIMARY KEY (document, number)
) WITHOUT ROWID;

CREATE TABLE footnotes (
    document  INTEGER NOT NULL REFERENCES documents (row),
    reference INTEGER NOT NULL,    -- position of the mark that refers to it
    label     TEXT NOT NULL,
    start     INTEGER NOT NULL,
    stop      INTEGER NOT NULL,
    PRIMARY KEY (document, reference, start)
) WITHOUT ROWID;

-- `row` is also the chunk's row in chunks.faiss, rows.npy and the postings.
CREATE TABLE chunks (
    row            INTEGER PRIMARY KEY,
    document       INTEGER NOT NULL REFERENCES documents (row),
    kind           TEXT NOT NULL,
    start          INTEGER NOT NULL,
    stop           INTEGER NOT NULL,
    section        TEXT NOT NULL,  -- JSON list, outermost first
    sentences      TEXT NOT NULL,  -- JSON list of [start, stop]
    continuation   TEXT,           -- JSON [start, stop]: the rest of the last sentence
    context        TEXT NOT NULL,  -- JSON list of [start, stop]: matched with the chunk, never shown with it
    start_byte     INTEGER NOT NULL,
    stop_byte      INTEGER NOT NULL -- where start:stop stands in the document's text in UTF-8
);

-- Where a question writes `word`, `meant` is another way to ask; without the glossary, which is below. A mined one is
-- defined at start:stop of a document.
CREATE TABLE aliases (
    key         TEXT NOT NULL,     -- the stems of `word`, what it is looked up by
    row         INTEGER NOT NULL,  -- orders all; of one key the best first
    word        TEXT NOT NULL,
    meant       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    origin      TEXT NOT NULL,
    is_exact    INTEGER NOT NULL,  -- only in its own capitals
    document    TEXT,              -- id
    start       INTEGER,
    stop        INTEGER,
    definitions INTEGER NOT NULL,  -- how often it is defined
    rank        INTEGER NOT NULL,
    PRIMARY KEY (key, row)
) WITHOUT ROWID;

-- One row: the aliases that are everyday words for terms, as glossary.py packs them.
CREATE TABLE glossary (
    packed BLOB NOT NULL
);

-- The postings of a term are postings.npy[first : first + count].
CREATE TABLE terms (
    term  TEXT PRIMARY KEY,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL
) WITHOUT ROWID;

-- What a typo may have been meant to be: words of four letters or more.
CREATE TABLE words (
    word    TEXT PRIMARY KEY,      -- folded, not stemmed
    written TEXT NOT NULL,         -- as the corpus mostly writes it
    count   INTEGER NOT NULL
) WITHOUT ROWID;

-- Words that may be names, in lower case: those written with a capital in most places, or wherever they stand.
CREATE TABLE capitals (
    word      TEXT PRIMARY KEY,
    share     REAL NOT NULL,       -- of its places inside a sentence, those with a capital
    is_always INTEGER NOT NULL     -- never written small
) WITHOUT ROWID;
