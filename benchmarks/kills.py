"""Kill builds with SIGKILL at random moments: does the index answer each time, with nothing lost and nothing doubled?

Each round edits a small corpus (adds, changes, removes or renames documents), begins a build in a process of its own,
and kills it after a random part of the time that such a build takes, or, in half of the rounds, at a random moment
from when it has begun to write its files. Then another process opens the index as a
question would, and holds that

- it answers, and every passage is of one and the same state of the corpus: the one before the edit, or the one after;
- it holds each document of that state once, with exactly its text, and no other;
- `verify` finds it whole: every checksum, span and word, and the sampled vectors.

Every third round, at random, the interrupted build is begun again and let finish: the index must then be that of the
corpus as it is, to the byte the one that a build from nothing gives, with no scratch left. The processes are forked
from one that has loaded the model, so that the moments fall into the build and not into Python's imports.

    python benchmarks/kills.py --kills 300
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from cyberqa.embedding import Encoder, load_encoder
from cyberqa.index.files import SCRATCH_PREFIX
from cyberqa.index.manifest import GENERATIONS_FOLDER, current_generation, generation_folder
from cyberqa.ingest import build_index
from cyberqa.session import Session
from cyberqa.settings import Settings, load_settings
from cyberqa.verifying import verify_index

DOCUMENTS = 8
LATE = 0.5  # of the kills, those that fall into writing and publishing
QUESTION = "which team met in which town"
TOWNS = ("Tirana", "Podgorica", "Skopje", "Sarajevo", "Pristina", "Belgrade", "Zagreb", "Ljubljana")
State = dict[str, str]


def text_of(number: int, edition: int) -> str:
    """Return a document: another in each edition."""
    town = TOWNS[(number + edition) % len(TOWNS)]
    paragraphs = (
        f"Team {number} met in {town} in edition {edition}. It had {number + 3} members, and heard {edition} reports.",
        f"The meeting in {town} adopted law {number * 1000 + edition}. Nobody voted against it.",
    )
    return f"Report {number}\n\n" + "\n\n".join(f"{n} Part {n}\n\n{p}" for n, p in enumerate(paragraphs, 1)) + "\n"


def edit(chance: random.Random, state: State, edition: int) -> State:
    """Return another state: one to three documents added, changed, removed or renamed."""
    new = dict(state)
    for _ in range(chance.randint(1, 3)):
        number = chance.randrange(DOCUMENTS)
        name = f"report-{number}.txt"
        deed = chance.choice(("write", "write", "remove", "rename"))
        if deed == "write":
            new[name] = text_of(number, edition)
        elif name in new and len(new) > 2:
            text = new.pop(name)
            if deed == "rename":
                new[f"renamed-{number}.txt"] = text
    return new


def lay_down(corpus: Path, state: State) -> None:
    """Make the corpus folder that state."""
    for file in corpus.iterdir():
        if file.name not in state:
            file.unlink()
    for name, text in state.items():
        (corpus / name).write_text(text, "utf-8")


def forked(work: Callable[[], object]) -> int:
    """Begin work in a process of its own and return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def finished(pid: int) -> bool:
    """Wait for a process; return whether it ended well, rather than being killed. Anything else is a failure."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in (0, -signal.SIGKILL):
        sys.exit("a build or a check failed; see above")
    return code == 0


def check(settings: Settings, encoder: Encoder, states: list[State]) -> None:
    """Hold that the index answers from one of the states, whole."""
    with Session.open(settings, encoder) as session:
        passages = session.ask(QUESTION).passages
        generation = session.generation
        held = [(id_, generation.contents.document(id_).text) for id_ in generation.contents.document_ids()]
        assert passages, "no answer"
        assert held in [sorted(state.items()) for state in states], f"lost or doubled: {[id_ for id_, _ in held]}"
        texts = dict(held)
        for passage in passages:
            span = passage.location
            assert texts[passage.citation.document][span.start : span.end] == passage.text
    found = verify_index(settings, encoder)
    assert found["is_whole"], found["faults"]


def check_mended(settings: Settings, encoder: Encoder, state: State) -> None:
    """Hold that the finished index is that of the corpus, as if made from nothing."""
    check(settings, encoder, [state])
    left = [path.name for path in settings.index.rglob("*") if path.name.startswith(SCRATCH_PREFIX)]
    assert not left, left
    with tempfile.TemporaryDirectory() as folder:
        fresh = replace(settings, index=Path(folder) / "index")
        build_index(fresh, encoder=encoder)
        assert contents(fresh.index) == contents(settings.index), "another index than one made from nothing"


def contents(index: Path) -> dict[str, bytes]:
    """Return every file of the generation that answers."""
    folder = generation_folder(index, current_generation(index))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class Rounds:
    """The corpus, its index, and what the killed builds have done to it so far."""

    def __init__(self, base: Path, seed: int) -> None:
        self.settings = load_settings({"corpus": base / "corpus", "index": base / "index"}, environ={})
        self.settings.corpus.mkdir()
        self.encoder = load_encoder(self.settings)
        self.chance = random.Random(seed)
        self.wanted: State = {f"report-{number}.txt": text_of(number, 0) for number in range(4)}
        self.answering = self.wanted
        self.typical_s = 1.0
        self.kills = self.moved = self.too_late = self.mended = 0
        lay_down(self.settings.corpus, self.wanted)
        self.build()  # in this process: what a build loads once is there in those that are killed

    def build(self) -> None:
        """Make the index agree with the corpus."""
        build_index(self.settings, encoder=self.encoder)

    def play(self, edition: int) -> None:
        """Edit, build, kill, check; at times mend, and check again."""
        self.wanted = edit(self.chance, self.wanted, edition)
        lay_down(self.settings.corpus, self.wanted)
        was = current_generation(self.settings.index)
        builder = forked(self.build)
        if self.chance.random() < LATE:
            self.wait_for_files()
            time.sleep(self.chance.uniform(0, 0.5 * self.typical_s))
        else:
            time.sleep(self.chance.uniform(0, 1.2 * self.typical_s))
        os.kill(builder, signal.SIGKILL)
        if finished(builder):
            self.too_late += 1
            self.answering = self.wanted
        else:
            states = [self.answering, self.wanted]
            finished(forked(lambda: check(self.settings, self.encoder, states)))
            self.kills += 1
            if current_generation(self.settings.index) != was:
                self.moved += 1
                self.answering = self.wanted
        if self.chance.random() < 1 / 3:
            self.mend()

    def wait_for_files(self) -> None:
        """Return when the build under way has begun to write, or seems not to be going to."""
        generations, deadline = self.settings.index / GENERATIONS_FOLDER, time.monotonic() + 2 * self.typical_s
        while time.monotonic() < deadline and not list(generations.glob(f"{SCRATCH_PREFIX}*/corpus.sqlite")):
            time.sleep(0.001)

    def mend(self) -> None:
        """Let the next build finish, and compare with one from nothing."""
        started = time.monotonic()
        finished(forked(self.build))
        self.typical_s = 0.8 * self.typical_s + 0.2 * (time.monotonic() - started)
        finished(forked(lambda: check_mended(self.settings, self.encoder, self.wanted)))
        self.answering = self.wanted
        self.mended += 1

    def tell(self, began: float) -> str:
        """Return the counts as a line of JSON."""
        counts = {
            "kills": self.kills,
            "answered_whole": self.kills,  # the first that did not would have ended the run
            "of_these_after_the_pointer_moved": self.moved,
            "mended_and_compared": self.mended,
            "done_before_the_kill": self.too_late,
            "typical_build_s": round(self.typical_s, 2),
            "minutes": round((time.monotonic() - began) / 60, 1),
        }
        return json.dumps(counts)


def main() -> None:
    """Play rounds until as many builds have been killed as are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cyberqa-kills-") as base:
        rounds = Rounds(Path(base), options.seed)
        for edition in count(1):
            rounds.play(edition)
            if rounds.kills >= options.kills:
                break
            if edition % 25 == 0:
                print(rounds.tell(began), file=sys.stderr, flush=True)
        print(rounds.tell(began))


if __name__ == "__main__":
    main()
