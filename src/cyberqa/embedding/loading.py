"""Loads what sentence-transformers can load: from disk where it is there, fetched only where it is not.

It imports torch, which takes seconds: only a setting that asks for another model leads here.
"""

import os
from pathlib import Path
from typing import Any

from cyberqa.embedding import bundled
from cyberqa.errors import ModelError
from cyberqa.settings import Settings


def stay_offline(settings: Settings) -> None:
    """Switch the libraries off the network, where every model that is set is a folder of this machine.

    They read these switches when they are imported, so this comes first; what the user has set stays.
    """
    named = (settings.model, settings.reranker or bundled.MODEL)
    if all(model == bundled.MODEL or Path(model).is_dir() for model in named):
        for name, value in bundled.OFFLINE.items():
            os.environ.setdefault(name, value)


def load_model(kind: str, setting: str, model: str, source: str, device: str | None) -> Any:
    """Return a ``kind`` of sentence-transformers, in evaluation mode.

    Args:
        kind: SentenceTransformer or CrossEncoder.
        setting: the setting that names it.
        model: as it is named there.
        source: a local path or name.
        device: as torch calls it; None leaves the choice to torch.

    Raises:
        ModelError: it cannot be loaded.
    """
    import sentence_transformers
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # of weights read from disk; downloads keep theirs
    load = getattr(sentence_transformers, kind)
    try:
        try:
            return load(source, device=device, local_files_only=True).eval()
        except Exception:
            if Path(source).is_dir():
                raise
            return load(source, device=device).eval()
    except Exception as error:  # anything from a missing file to a failed download
        raise ModelError(
            f"{setting} {model!r} cannot be loaded by sentence-transformers: {error}",
            hint=f"set {setting} to a local folder or a model's name, or remove the setting",
        ) from error
