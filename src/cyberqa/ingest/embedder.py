"""Embeds texts in a thread of its own, while the documents behind them are read and cut."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from cyberqa.index.cache import Entry
from cyberqa.ingest.preparing import MatchedText

GROUP_TEXTS = 128
"""Handed to the encoder together. It shares them among its threads, of which some wait for the last text of a group;
and a GPU wants many. Groups are cut by number, never by the clock: where a text's company matters, it is the same."""
FIRST_TEXTS = 8  # of the first group, and each is twice the one before: the encoder need not wait for so many

_Begun = tuple[MatchedText, "Future[Entry]"]


class Embedder:
    """Takes texts one after the other and promises an entry for each, which is made in the same order.

    Close it before what it embeds with.
    """

    def __init__(self, embed: Callable[[Sequence[MatchedText]], Iterator[Entry]]) -> None:
        self._embed = embed
        self._thread = ThreadPoolExecutor(1, "embedder")
        self._group: list[_Begun] = []
        self._full = min(FIRST_TEXTS, GROUP_TEXTS)
        self._is_closed = False

    @property
    def unsent(self) -> int:
        """How many texts wait for their group to be full, or for :meth:`send`."""
        return len(self._group)

    def begin(self, text: MatchedText) -> "Future[Entry]":
        """Return what will hold the text's entry, or the reason why there is none."""
        promised: Future[Entry] = Future()
        self._group.append((text, promised))
        if len(self._group) >= self._full:
            self._full = min(2 * self._full, GROUP_TEXTS)
            self.send()
        return promised

    def send(self) -> None:
        """Let what has been begun so far be embedded, though the group is not full."""
        if self._group:
            self._thread.submit(self._run, self._group)
            self._group = []

    def close(self) -> None:
        """Embed no more texts than are being embedded right now, and wait for these."""
        self._is_closed = True
        self._thread.shutdown(cancel_futures=True)

    def _run(self, group: Sequence[_Begun]) -> None:
        begun = iter(group)
        try:
            self._fulfil(begun, [text for text, _ in group])
        except Exception:  # some text's fault: alone, each of the others gets what it is owed
            for text, promised in begun:
                self._fulfil_alone(text, promised)
        except BaseException as error:  # such as Ctrl-C, where an encoder runs into it
            for _, promised in begun:
                promised.set_exception(error)

    def _fulfil(self, begun: Iterator[_Begun], texts: Sequence[MatchedText]) -> None:
        for entry in self._embed(texts):
            for _, promised in islice(begun, 1):
                promised.set_result(entry)
            if self._is_closed:
                return

    def _fulfil_alone(self, text: MatchedText, promised: "Future[Entry]") -> None:
        if self._is_closed:
            return
        try:
            promised.set_result(next(self._embed([text])))
        except Exception as error:
            promised.set_exception(error)
