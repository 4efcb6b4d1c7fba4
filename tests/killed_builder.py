"""Run as ``python killed_builder.py CORPUS INDEX``: builds until a build survives, each killed one step later.

A step is a call of the system that publishing rests on. The build that is killed at step n works on a copy of the
index, named INDEX-n. Prints how many were killed.
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from conftest import FakeEncoder
from cyberqa.ingest import build_index
from cyberqa.settings import load_settings

STEPS = ("fsync", "rename", "replace", "utime", "unlink", "rmdir")


def arm(steps: int) -> None:
    left = iter(range(steps))

    def armed(real):
        def call(*args, **kwargs):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, armed(getattr(os, name)))


def main(corpus: Path, index: Path) -> None:
    for step in count():
        copy = index.with_name(f"{index.name}-{step}")
        shutil.copytree(index, copy)
        settings = load_settings({"corpus": corpus, "index": copy, "keep_generations": 1}, environ={})
        pid = os.fork()  # this process has never begun a thread
        if not pid:
            arm(step)
            build_index(settings, encoder=FakeEncoder())
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            sys.stdout.write(f"{step}\n")
            sys.exit(os.waitstatus_to_exitcode(status))


main(Path(sys.argv[1]), Path(sys.argv[2]))
