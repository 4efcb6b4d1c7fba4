"""Fits the token codec of the bundled model on text that has nothing to do with any corpus, and writes its file.

The text: English prose out of the Debian packages developers-reference 12.18, debian-reference-en 2.100 and
debian-handbook 11.20220922, unpacked into the folder that is named. Only a mean, directions and centroids are kept.

    python benchmarks/fit_token_codec.py FOLDER
"""

import html
import re
import sys
from pathlib import Path

import numpy as np

from cyberqa.embedding import load_encoder
from cyberqa.embedding.token_codec import CENTROIDS, DIMS_A_BYTE, FITTED_FILE, nearest, unit_rows
from cyberqa.settings import Settings
from cyberqa.types import Matrix

DIMS = 256
PARAGRAPHS = 500
ROUNDS = 25
SEED = 0


def paragraphs(folder: Path) -> list[str]:
    """Return the distinct paragraphs of 200 to 900 characters, nearly all of them letters."""
    files = [*folder.rglob("*.rst.txt"), *folder.rglob("*.en.html"), *folder.rglob("*en-US*/*.html")]
    found: dict[str, None] = {}
    for file in sorted(files):
        text = re.sub(r"(?s)<(script|style|pre).*?</\1>", " ", file.read_text("utf-8", errors="replace"))
        text = re.sub(r"[ \t]+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))
        for part in re.split(r"\n\s*\n|\n(?=[A-Z])", text):
            letters = sum(ch.isalpha() or ch == " " for ch in part)
            if 200 < len(part) < 900 and letters / len(part) > 0.9:
                found[part] = None
    return list(found)


def fit_centroids(rows: Matrix, random: np.random.Generator) -> Matrix:
    """Return the ``(CENTROIDS, dims)`` centroids of every DIMS_A_BYTE dimensions, by Lloyd's algorithm (1957)."""
    fitted = np.empty((CENTROIDS, rows.shape[1]), np.float32)
    for first in range(0, rows.shape[1], DIMS_A_BYTE):
        part = np.ascontiguousarray(rows[:, first : first + DIMS_A_BYTE])
        centroids = part[random.choice(len(part), CENTROIDS, replace=False)]
        for _ in range(ROUNDS):
            belongs = nearest(part, centroids)
            sums = np.zeros_like(centroids)
            np.add.at(sums, belongs, part)
            counts = np.bincount(belongs, minlength=CENTROIDS)[:, None]
            centroids = np.where(counts > 0, sums / np.maximum(counts, 1), centroids).astype(np.float32)
        fitted[:, first : first + DIMS_A_BYTE] = centroids
    return fitted


def decode(rows: Matrix, centroids: Matrix) -> Matrix:
    """Return what stands for each row: of every DIMS_A_BYTE dimensions the nearest centroid."""
    parts = [slice(first, first + DIMS_A_BYTE) for first in range(0, rows.shape[1], DIMS_A_BYTE)]
    return np.hstack([centroids[nearest(rows[:, part], centroids[:, part]), part] for part in parts])


def main() -> None:
    """Fit and write."""
    encoder = load_encoder(Settings())
    texts = paragraphs(Path(sys.argv[1]))
    random = np.random.default_rng(SEED)
    chosen = [texts[i] for i in random.permutation(len(texts))[:PARAGRAPHS]]
    chosen = [text for text in chosen if encoder.count_tokens(text) <= encoder.info.window_tokens]
    tokens = np.concatenate([encoding.tokens[1:-1] for encoding in encoder.encode(chosen)])
    mean = tokens.mean(axis=0, dtype=np.float64)
    centred = tokens - mean
    _, directions = np.linalg.eigh(centred.T @ centred)
    turn, _ = np.linalg.qr(random.normal(size=(DIMS, DIMS)))
    weights = directions[:, ::-1][:, :DIMS] @ turn
    rows = unit_rows((centred @ weights).astype(np.float32))
    centroids = fit_centroids(rows, random)
    decoded = decode(rows, centroids)
    lengths = np.linalg.norm(decoded, axis=1)
    table = np.vstack([weights, mean @ weights, centroids / lengths.mean()]).astype(np.float16)
    target = Path(__file__).parent.parent / "src" / "cyberqa" / "embedding" / FITTED_FILE
    np.save(target, table, allow_pickle=False)
    kept = float(((decoded * rows).sum(axis=1) / lengths).mean())
    print(f"{len(tokens)} tokens of {len(chosen)} paragraphs; a code's cosine with its token is {kept:.3f} on average")
    print(f"wrote {target.name}, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
