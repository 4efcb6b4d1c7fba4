"""The language detector, kept unpacked in the user's cache: as it is shipped, it takes most of a second to unpack."""

import contextlib
import importlib.metadata
import shutil
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
    folder = cache_folder() / f"py3langid-{importlib.metadata.version('py3langid')}"
    with contextlib.suppress(OSError, ValueError, EOFError):  # not there, or cut short
        return _load(folder)
    detector = _unpack()
    with contextlib.suppress(OSError):  # no room, no permission: it is unpacked again next time
        _save(detector, folder)
    return detector


def _unpack() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    detector.set_languages([code for code in detector.labels if len(code) == 2 or code == NO_LANGUAGE])
    return detector


def _save(detector: Any, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    try:
        for name in _ARRAYS:
            np.save(scratch / f"{name}.npy", np.asarray(getattr(detector, name)), allow_pickle=False)
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _load(folder: Path) -> Any:
    from py3langid.langid import LanguageIdentifier

    ptc, pc, classes, moves, row, output = (
        np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)) for name in _ARRAYS
    )
    tables = {"tk_nextmove": moves.data, "tk_row": row.tolist(), "tk_output": output.tolist()}
    return LanguageIdentifier(ptc, pc, classes.tolist(), norm_probs=True, **tables)
