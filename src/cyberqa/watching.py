"""Follows the corpus folder: builds when files have changed and come to rest, and says what came of it."""

import time
from collections.abc import Callable, Iterable, Iterator

from cyberqa import corpus
from cyberqa.errors import CorpusError, CyberqaError
from cyberqa.ingest import BuildReport
from cyberqa.settings import Settings

SETTLED_S = 1.0
"""So long nothing may change before files count as written: copies and downloads come in pieces."""

_PATIENCE_S = 60.0  # then a build begins although something changes without end: a log, say
_LOOK_MS = 10_000  # how often the folder is looked at unasked: no news comes from network drives, nor during a build

States = dict[str, tuple[int, int]]
"""Size and time of every file that counts."""


def follow(
    settings: Settings, build: Callable[[], BuildReport], looks: Iterable[object] | None = None
) -> Iterator[BuildReport | CyberqaError]:
    """Build at once, and again whenever the corpus has changed, without end; yield what came of it.

    A build that fails is tried again at every look, and yielded again only where it fails for another reason; one
    that finds nothing new is not yielded, but for the first.

    Args:
        settings: where the corpus is.
        build: makes the index agree with it.
        looks: comes up whenever the folder should be looked at; by default when it changes, and every ten seconds.

    Raises:
        CyberqaError: the first build fails.
    """
    known = _settled(settings)
    yield build()
    failed = ""
    for _ in looks if looks is not None else _news(settings):
        if _states(settings) == known and not failed:
            continue
        known = _settled(settings)
        try:
            report = build()
        except CyberqaError as error:
            if error.message != failed:
                yield error
            failed = error.message
        else:
            if report.is_new or failed:
                yield report
            failed = ""


def _news(settings: Settings) -> Iterable[object]:
    from watchfiles import watch

    return watch(settings.corpus, watch_filter=None, rust_timeout=_LOOK_MS, yield_on_timeout=True)


def _settled(settings: Settings) -> States:
    """Return the state of the files when they have come to rest."""
    since = time.monotonic()
    states = _states(settings)
    while time.monotonic() - since < _PATIENCE_S:
        time.sleep(SETTLED_S)
        before, states = states, _states(settings)
        if before == states:
            break
    return states


def _states(settings: Settings) -> States:
    states: States = {}
    try:
        files = corpus.watched_files(settings)
    except CorpusError:  # the folder has gone: the build says so
        return states
    for id_, path in files.items():
        try:
            about = path.lstat()
        except OSError:
            continue
        states[id_] = (about.st_size, about.st_mtime_ns)
    return states
