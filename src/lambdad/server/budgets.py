"""How many bytes of requests are in memory: of one door, of several together.

Counts and says who must wait. Knows nothing of connections but that they can read on.
"""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """Who waits for room."""

    def read_on(self) -> None:
        """There may be room again."""
        ...


class Budget:
    """Bytes of requests that may be in memory at once.

    A request counts from its first byte until it is answered. Mutable: the bytes counted, how
    many of them are of requests being answered, and who waits for some to be given back.
    """

    def __init__(self, most: int) -> None:
        self.used = 0
        self._most = most
        self._answering = 0
        self._waiting: set[Reader] = set()

    @property
    def exceeded(self) -> bool:
        """Whether there is more than there should be."""
        return self.used > self._most

    @property
    def wait_helps(self) -> bool:
        """Whether bytes will be given back by answers, not only by who sends the rest."""
        return self._answering > 0

    def wait(self, reader: Reader) -> None:
        """Tell the reader when to read on."""
        self._waiting.add(reader)

    def forget(self, reader: Reader) -> None:
        """It waits no more."""
        self._waiting.discard(reader)

    def begin_answer(self, size: int) -> None:
        """A request is whole."""
        self._answering += size

    def end_answer(self, size: int) -> None:
        """It is answered, and its bytes are free."""
        self._answering -= size
        self.used -= size
        if not self.exceeded or not self.wait_helps:
            waiting, self._waiting = self._waiting, set()
            for reader in waiting:
                reader.read_on()
