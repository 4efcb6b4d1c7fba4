"""What can be set, and from where: flags beat the environment, which beats ``cyberqa.toml``."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cyberqa.errors import SettingsError

FILE_NAME = "cyberqa.toml"
ENV_PREFIX = "CYBERQA_"
DEFAULT_MODEL = "all-MiniLM-L6-v2"

MIN_CHUNK_CHARS = 300
MAX_CHUNK_CHARS = 900


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one run. Paths are absolute once loaded.

    ``chunk_size_chars`` is the passage length aimed at, in characters. ``model`` is the bundled model's name, or
    a local path or name that sentence-transformers can load. ``device`` is passed to sentence-transformers
    ("cpu", "cuda", "mps"); with the default None the bundled model runs through its exported graph.
    ``query_prompt`` and ``document_prompt`` stand in front of what such a model reads; None takes the model's own.
    ``reranker`` is a local path or name of a cross-encoder that reads the best passages once more.
    ``exclude`` holds globs of document ids that are not documents. The ``read_`` limits hold for each document that
    is read in a worker; ``read_output_mb`` is what its text and structure take as JSON. ``lock_timeout_s`` is how long
    a build waits for another; ``keep_generations`` counts the one that answers and those that did before it;
    ``cache_mb`` is how much may be cached beside the index, but for what the index itself needs. From
    ``approximate_from`` passages on the vectors are searched by an approximate index, below that all of them.
    """

    corpus: Path = Path("corpus")
    index: Path = Path("index")
    chunk_size_chars: int = 600
    exclude: tuple[str, ...] = ()
    model: str = DEFAULT_MODEL
    device: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    reranker: str | None = None
    max_file_mb: int = 256
    read_timeout_s: int = 300
    read_memory_mb: int = 2048
    read_output_mb: int = 64
    lock_timeout_s: int = 600
    keep_generations: int = 2
    cache_mb: int = 2048
    approximate_from: int = 100_000


def usable_cores() -> int:
    """Return the cores that this process may use: in a container, or pinned, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    origin: str = "the command line",
) -> Settings:
    """Read the settings that hold in ``cwd``.

    Args:
        overrides: values given as flags; None values are ignored.
        cwd: the working folder; ``cyberqa.toml`` is looked for there and upwards.
        environ: ``CYBERQA_CORPUS`` and so on: one variable for each setting.
        origin: where the overrides come from, for messages.

    Raises:
        SettingsError: an unknown key (the nearest known one is named) or a value of the wrong type or range, or one
            folder for both.
    """
    cwd = (cwd or Path.cwd()).absolute()
    environ = os.environ if environ is None else environ
    settings = _absolute(Settings(), cwd)
    file = _find_file(cwd)
    if file is not None:
        settings = _apply(settings, _read_file(file), base=file.parent, origin=str(file))
    from_env = {
        name.removeprefix(ENV_PREFIX).lower(): value for name, value in environ.items() if name.startswith(ENV_PREFIX)
    }
    settings = _apply(settings, from_env, base=cwd, origin="the environment")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    settings = _apply(settings, given, base=cwd, origin=origin)
    if settings.index == settings.corpus:
        raise SettingsError(
            f"corpus and index are the same folder, {settings.corpus}", hint="name another with --index"
        )
    return settings


def cache_folder() -> Path:
    """Return the folder where this user keeps what can be made again: ``$XDG_CACHE_HOME`` or ``~/.cache``, cyberqa."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cyberqa"


def _find_file(cwd: Path) -> Path | None:
    return next((file for folder in (cwd, *cwd.parents) if (file := folder / FILE_NAME).is_file()), None)


def _read_file(file: Path) -> dict[str, Any]:
    import tomllib  # most folders have no such file, and every question comes through here

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{file} cannot be read as TOML: {error}", hint=f"mend or remove {file}") from error


def _absolute(settings: Settings, base: Path) -> Settings:
    return replace(settings, corpus=base / settings.corpus, index=base / settings.index)


def _apply(settings: Settings, values: Mapping[str, Any], *, base: Path, origin: str) -> Settings:
    known = [f.name for f in fields(Settings)]
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known settings: {', '.join(known)}"
            raise SettingsError(f"unknown setting {key!r} in {origin}", hint=hint)
        try:
            parsed[key] = _PARSERS[key](value, base)
        except (TypeError, ValueError, RuntimeError) as error:
            raise SettingsError(f"setting {key!r} in {origin}: expected {error}, found {value!r}") from None
    return replace(settings, **parsed)


def _path(value: Any, base: Path) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise TypeError("a path")
    return Path(os.path.normpath(base / Path(value).expanduser()))


def _text(value: Any, base: Path) -> str:  # noqa: ARG001 - all parsers share one signature
    if not isinstance(value, str) or not value:
        raise TypeError("text")
    return value


def _prompt(value: Any, base: Path) -> str:  # noqa: ARG001
    if not isinstance(value, str):  # an empty one switches the model's own off
        raise TypeError("text")
    return value


def _globs(value: Any, base: Path) -> tuple[str, ...]:  # noqa: ARG001
    if isinstance(value, str):  # from the environment
        value = [part for part in value.split(os.pathsep) if part]
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise TypeError("a list of globs")
    return tuple(value)


def _integer(low: int, high: int) -> Callable[[Any, Path], int]:
    def parse(value: Any, base: Path) -> int:  # noqa: ARG001
        expected = f"a whole number from {low} to {high}"
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError(expected)
        try:
            number = int(value)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= number <= high:
            raise ValueError(expected)
        return number

    return parse


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "corpus": _path,
    "index": _path,
    "chunk_size_chars": _integer(MIN_CHUNK_CHARS, MAX_CHUNK_CHARS),
    "exclude": _globs,
    "model": _text,
    "device": _text,
    "query_prompt": _prompt,
    "document_prompt": _prompt,
    "reranker": _text,
    "max_file_mb": _integer(1, 4096),
    "read_timeout_s": _integer(1, 86_400),
    "read_memory_mb": _integer(256, 1_048_576),
    "read_output_mb": _integer(1, 4096),
    "lock_timeout_s": _integer(0, 86_400),
    "keep_generations": _integer(1, 1000),
    "cache_mb": _integer(0, 1_048_576),
    "approximate_from": _integer(1, 1_000_000_000),
}
