"""A worker whose reader does what a document tells it to: run by test_workers.py in place of the real one."""

import ctypes
import os
import signal
import sys
import time

from cyberqa import documents
from cyberqa.documents import worker
from cyberqa.documents.reading import Reading
from cyberqa.types import Block, BlockKind, Span


def rogue(id_: str, data: bytes) -> Reading:
    text = data.decode()
    block = Block(BlockKind.PARAGRAPH, Span(0, len(text)))
    match text:
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "memory":
            return Reading(str([bytes(50_000_000) for _ in range(100_000)]), [])
        case "output":
            text = "a" * 3_000_000
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "print":
            sys.stdout.write("noise\n")
            sys.stdout.flush()
            os.write(1, b"more noise")
        case "fault":
            raise TypeError("a fault of ours")
        case "recursion":
            return rogue(id_, data)
        case "outside":
            block = Block(BlockKind.PARAGRAPH, Span(0, len(text) + 1))
        case "pid":
            text = str(os.getpid())
            block = Block(BlockKind.PARAGRAPH, Span(0, len(text)))
    return Reading(text, [block])


if __name__ == "__main__":
    documents.read_bytes = rogue
    worker.main(int(sys.argv[1]), int(sys.argv[2]))
