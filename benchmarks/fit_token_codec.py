"""Fits the token codec of the bundled model on text that has nothing to do with any corpus, and writes its file.

The text: English prose out of the Debian packages developers-reference 12.18, debian-reference-en 2.100 and
debian-handbook 11.20220922, unpacked into the folder that is named. Only a mean and directions are kept of it.

    python benchmarks/fit_token_codec.py FOLDER
"""

import html
import re
import sys
from pathlib import Path

import numpy as np

from cyberqa.embedding import load_encoder
from cyberqa.embedding.token_codec import FITTED_FILE
from cyberqa.settings import Settings

DIMS = 256
PARAGRAPHS = 500
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
    table = np.vstack([weights, mean @ weights]).astype(np.float16)
    target = Path(__file__).parent.parent / "src" / "cyberqa" / "embedding" / FITTED_FILE
    np.save(target, table, allow_pickle=False)
    print(f"{len(tokens)} tokens of {len(chosen)} paragraphs; wrote {target.name}, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
