"""How far a build is, on a terminal: one line that says what is known, as much of it as the width has room for."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyberqa.ingest import OnProgress, Progress

_BAR_COLUMNS = 20
_LEAST_WIDTH = 70  # narrower terminals get no bar
_SLOW = 10  # chunks per second: under it the tenths are shown


@contextmanager
def progress() -> Iterator["OnProgress"]:
    """Show a bar on a terminal; elsewhere only say if there is nothing to do but wait."""
    if not sys.stderr.isatty():
        yield _tell_waiting
        return
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    bar = (rich.BarColumn(_BAR_COLUMNS),) if console.width >= _LEAST_WIDTH else ()
    words = rich.TextColumn("{task.description}", markup=False, table_column=None)
    with rich.Progress(rich.SpinnerColumn(), *bar, words, console=console, transient=True) as shown:
        task = shown.add_task("starting", total=None)

        def show(step: "Progress") -> None:
            taken = 2 + (_BAR_COLUMNS + 1 if bar else 0)
            line = progress_line(step, console.width - taken)
            shown.update(task, description=line, completed=step.share or 0.0, total=None if step.share is None else 1.0)

        yield show


def _tell_waiting(step: "Progress") -> None:
    if step.is_waiting:
        from cyberqa import render

        render.message(f"cyberqa: {step.stage}", sys.stderr)


def progress_line(step: "Progress", width: int) -> str:
    """Return what there is to say in so many columns; what is dearest to who waits is left out last."""
    documents = f"{step.documents_done:,}/{step.documents:,}"
    chunks = f"{step.chunks:,} chunks"
    speed = f"{_speed(step.chunks_per_s)} chunks/s" if step.chunks_per_s is not None else ""
    left = f"{_duration(step.seconds_left)} left" if step.seconds_left is not None else ""
    fuller = (
        (f"{step.stage}: {documents} documents", chunks, speed, left),
        (f"{documents} documents", chunks, speed, left),
        (f"{documents} documents", chunks, left),
        (f"{documents} documents", left),
        (documents, left),
        (documents,),
    )
    lines = [", ".join(filter(None, parts)) for parts in fuller] if step.documents else [step.stage]
    return next((line for line in lines if len(line) <= width), lines[-1][: max(width, 0)])


def _speed(per_s: float) -> str:
    return f"{per_s:.1f}" if per_s < _SLOW else f"{per_s:,.0f}"


def _duration(seconds: float) -> str:
    """Return a duration, rounded up, and as coarse as an estimate is."""
    if seconds < 60:
        return f"{max(math.ceil(seconds / 5) * 5, 5)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
