"""An encoder that is opened when a text must be cut or embedded: many a build needs none."""

from functools import cached_property

from cyberqa.embedding import Encoder, EncoderInfo, known_info, load_encoder
from cyberqa.ingest.reporting import OnProgress, Progress
from cyberqa.settings import Settings


class EncoderOnDemand:
    """Opened once; says so, since it takes a while."""

    def __init__(self, settings: Settings, given: Encoder | None, on_progress: OnProgress) -> None:
        self._settings = settings
        self._given = given
        self._on_progress = on_progress

    @cached_property
    def info(self) -> EncoderInfo:
        """Which encoder it is, or will be."""
        return (None if self._given else known_info(self._settings)) or self.opened.info

    @cached_property
    def opened(self) -> Encoder:
        """The encoder, ready to run."""
        if self._given is None:
            is_there = known_info(self._settings) is not None
            self._on_progress(Progress("opening the model" if is_there else "preparing the model, which takes a while"))
        return self._given or load_encoder(self._settings)
