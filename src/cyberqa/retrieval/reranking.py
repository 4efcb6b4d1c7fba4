"""A cross-encoder over the best hits: it reads question and passage together. Off unless a setting names one."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cyberqa.embedding import Encoder
from cyberqa.errors import ModelError
from cyberqa.index.generation import Generation
from cyberqa.matching import text_of_stored
from cyberqa.settings import Settings
from cyberqa.types import Hit


class Reranker(Protocol):
    """What the rest of the house knows of a re-ranker."""

    @property
    def name(self) -> str:
        """As it was set."""

    def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return how well each text answers, ``(len(texts),)``; higher is better, on a scale of the model's own."""


class CrossEncoderReranker(Reranker):
    """Runs any CrossEncoder of sentence-transformers that gives one score a pair."""

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._name = name

    @classmethod
    def load(cls, name: str, device: str | None = None) -> "CrossEncoderReranker":
        """Load a model by local path or name (which may fetch it).

        Raises:
            ModelError: it cannot be loaded, or gives several scores a pair.
        """
        from cyberqa.embedding.loading import load_model

        model = load_model("CrossEncoder", "reranker", name, name, device).float()
        if model.num_labels != 1:
            raise ModelError(
                f"reranker {name!r} gives {model.num_labels} scores a pair, expected 1",
                hint="set reranker to a cross-encoder made for ranking, or remove the setting",
            )
        return cls(model, name)

    @property
    def name(self) -> str:
        """See Reranker."""
        return self._name

    def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Reranker. What exceeds the model's window is cut by it, from the longer of the two."""
        pairs = [(question, text) for text in texts]
        # One pair a call: in a batch a score would hang on what stands beside it.
        scores = [self._model.predict([pair], show_progress_bar=False)[0] for pair in pairs]
        return np.array(scores, np.float32)


def load_reranker(settings: Settings) -> Reranker | None:
    """Return the re-ranker that ``settings.reranker`` names, ready to run; None where none is set.

    Raises:
        ModelError: it cannot be loaded.
    """
    if settings.reranker is None:
        return None
    from cyberqa.embedding.loading import stay_offline

    stay_offline(settings)
    return CrossEncoderReranker.load(settings.reranker, settings.device)


def rerank(
    generation: Generation, encoder: Encoder, reranker: Reranker, question: str, hits: Sequence[Hit]
) -> list[Hit]:
    """Return ``hits`` ordered by the re-ranker alone, best first; ties by document and position.

    It reads what a chunk is matched by. Its score takes the place of the hits' own: the scales have nothing in common.
    """
    if not hits:
        return []
    scores = reranker.score(question, [_text(generation, encoder, hit.row) for hit in hits])
    rounded = [round(float(score), 6) for score in scores]
    order = sorted(range(len(hits)), key=lambda place: (-rounded[place], hits[place].row))
    return [
        Hit(hits[place].row, rank, rounded[place], {"re-ranker": rounded[place]}) for rank, place in enumerate(order, 1)
    ]


def _text(generation: Generation, encoder: Encoder, row: int) -> str:
    chunk = generation.contents.chunk(row)
    document = generation.contents.document(chunk.document)
    return text_of_stored(document, chunk, encoder.count_tokens, encoder.info.window_tokens)
