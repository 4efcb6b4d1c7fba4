"""The language detector, kept unpacked in the user's cache: as it is shipped, it takes most of a second to unpack."""

import contextlib
import importlib.metadata
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cyberqa.settings import cache_folder

NO_LANGUAGE = "zxx"
"""The detector's word for figures and codes."""

_ARRAYS = ("nb_ptc", "nb_pc", "nb_classes", "tk_nextmove", "tk_row", "tk_output")


@cache
def open_detector() -> Any:
    """Return py3langid's identifier of the languages that have a code of two letters.

    Pidgin and Bikol take shares of short English; what has no such code could not be written down.
    """
    file = cache_folder() / f"py3langid-{importlib.metadata.version('py3langid')}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, TypeError):  # not there, or cut short
        return _load(file)
    detector = _unpack()
    with contextlib.suppress(OSError):  # no room, no permission: it is unpacked again next time
        _save(detector, file)
    return detector


def _unpack() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    detector.set_languages([code for code in detector.labels if len(code) == 2 or code == NO_LANGUAGE])
    return detector


def _save(detector: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(suffix=".npz", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, *(np.asarray(getattr(detector, name)) for name in _ARRAYS))
        Path(scratch).replace(file)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _load(file: Path) -> Any:
    from array import array

    from py3langid.langid import LanguageIdentifier

    with np.load(file, allow_pickle=False) as kept:
        ptc, pc, classes, moves, row, output = (kept[name] for name in kept.files)
    return LanguageIdentifier(
        ptc,
        pc,
        classes.tolist(),
        array(moves.dtype.char, moves.tobytes()),
        output.tolist(),
        norm_probs=True,
        tk_row=array(row.dtype.char, row.tobytes()),
    )
