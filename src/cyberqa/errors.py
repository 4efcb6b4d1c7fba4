"""Everything that cyberqa raises on purpose.

    CyberqaError                 exit 1
    ├── UsageError               exit 2: a wrong option, value or question
    │   └── SettingsError        a key or value of cyberqa.toml or the environment
    ├── CorpusError              the corpus folder, or a name in it
    ├── DocumentError            one file that cannot be read; costs that file only
    ├── ModelError               the embedding model or its exported graph
    ├── GoldError                a gold set or a results file of an evaluation
    └── SearchIndexError         no index, or one that cannot be used
        ├── NoIndexError         nothing has been built here yet
        └── IncompatibleIndexError   another format, model or encoder

A message names the thing, what was expected and what was found; ``hint`` is the next command to run.
``code`` is the word that scripts see in ``--json``.
"""


class CyberqaError(Exception):
    """Base of all errors that a user can mend."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CyberqaError):
    """Wrong usage of a command or of the Python door."""

    code = "usage"
    exit_code = 2


class SettingsError(UsageError):
    """A setting that does not exist or does not take this value."""

    code = "settings"


class CorpusError(CyberqaError):
    """The corpus folder is missing, empty, or lacks the document named."""

    code = "corpus"


class DocumentError(CyberqaError):
    """A file that cannot be read as a document; ``message`` is the reason, without the file's name."""

    code = "document"


class ModelError(CyberqaError):
    """The embedding model cannot be loaded, or is not the one that is pinned."""

    code = "model"


class GoldError(CyberqaError):
    """A gold set, run or results file that is not what it should be."""

    code = "gold"


class SearchIndexError(CyberqaError):
    """The index cannot be used."""

    code = "index"


class NoIndexError(SearchIndexError):
    """Nothing has been built in the index folder yet."""

    code = "no_index"


class IncompatibleIndexError(SearchIndexError):
    """The index was made with another format, model or encoder."""

    code = "incompatible_index"
