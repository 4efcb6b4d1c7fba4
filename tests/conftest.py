"""What the tests share: the real corpus, an index of it by the real model, a fake encoder, and made-up files."""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from cyberqa import cli, ingest
from cyberqa.embedding import EncoderInfo, Encoding, Tokens, tokens_of
from cyberqa.index.generation import Generation
from cyberqa.index.typos import Correction
from cyberqa.session import Session
from cyberqa.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "corpus"
QUESTION = "who supported ALCIRT's creation"

os.environ.pop("CYBERQA_CORPUS", None)
os.environ.pop("CYBERQA_INDEX", None)

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no defect
hypothesis.settings.load_profile("untimed")


class FakeEncoder:
    """Same text, same vector, computable by hand: each word adds one to the axis that its digest names."""

    dim = 32

    def __init__(self, model: str = "fake", runtime: str = "hand 1") -> None:
        self.info = EncoderInfo(model, "0" * 64, "fake/1", "fp32", "cpu", self.dim, 64, runtime)
        self.encoded: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def tokenize(self, text: str) -> Tokens:
        found = [(m.group(), m.span()) for m in re.finditer(r"\w+", text)] or [(".", (0, 0))]
        ids = [int.from_bytes(hashlib.sha256(word.casefold().encode()).digest()[:2], "big") for word, _ in found]
        return tokens_of(text, ids, [span for _, span in found])

    def encode(self, texts: Iterable[str]) -> Iterator[Encoding]:
        for text in texts:
            if self.count_tokens(text) > self.info.window_tokens:
                raise ValueError("over the window")
            self.encoded.append(text)
            words = re.findall(r"\w+", text.casefold()) or ["."]
            rows = np.zeros((len(words), self.dim), np.float32)
            for row, word in enumerate(words):
                rows[row, hashlib.sha256(word.encode()).digest()[0] % self.dim] = 1.0
            total = rows.sum(0)
            yield Encoding(total / np.linalg.norm(total), rows)

    def encode_queries(self, questions: Sequence[str]) -> list[Encoding]:
        return list(self.encode(questions))


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty folder, with a corpus of two short texts in it."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "alpha.txt").write_text(
        "Alpha report\n\nThe alpha team met in Tirana in 2019. It had nine members.\n", "utf-8"
    )
    (corpus / "beta.txt").write_text(
        "Beta report\n\nThe beta law was adopted in Podgorica. Nobody voted against it.\n", "utf-8"
    )
    return load_settings({"corpus": corpus, "index": tmp_path / "index"}, cwd=tmp_path, environ={})


@pytest.fixture(scope="session")
def real_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the five reports by the bundled model, made once for all tests and their processes. Read only."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    index = shared / "real-index"
    with FileLock(shared / "real-index.lock"):
        if not (index / "current").exists():
            ingest.build_index(load_settings({"corpus": CORPUS, "index": index}, environ={}))
    return index


@pytest.fixture(scope="session")
def real_settings(real_index: Path) -> Settings:
    return load_settings({"corpus": CORPUS, "index": real_index}, environ={})


@pytest.fixture(scope="session")
def session(real_settings: Settings) -> Iterator[Session]:
    with Session.open(real_settings) as opened:
        yield opened


def bm25_scores(generation: Generation, text: str, corrections: Sequence[Correction] = ()) -> NDArray[np.float32]:
    """Return the BM25 score of every chunk."""
    return generation.vocabulary.word_scores(text, corrections).of(np.arange(generation.manifest.chunks))


@pytest.fixture
def warm_index(real_index: Path, tmp_path: Path) -> Path:
    """An index folder without an index whose cache knows the five reports: building there embeds nothing."""
    index = tmp_path / "warm"
    shutil.copytree(real_index / "cache", index / "cache")
    return index


def run_cli(*arguments: str | Path) -> int:
    """Run the command line in this process and return its exit code."""
    return cli.run([str(argument) for argument in arguments])


def make_pdf(pages: Sequence[Sequence[str]], title: str | None = None) -> bytes:
    """Return a PDF of our own making: Helvetica, one line of text below the other."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = " ".join("(" + re.sub(r"([()\\])", r"\\\1", line) + ") Tj T*" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 780 Td {shown} ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    info = ""
    if title is not None:
        objects.append(f"<< /Title ({title}) >>")
        info = f" /Info {len(objects)} 0 R"
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    body += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R{info} >>\n"
    return (body + f"startxref\n{body.index('xref')}\n%%EOF\n").encode("latin-1")


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    with contextlib.chdir(folder):
        yield
