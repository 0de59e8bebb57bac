"""How many bytes of requests are in memory: of one door, of several together.

Counts and says who must wait. Knows nothing of connections but that they can read on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reader(Protocol):
    """Who waits for room."""

    def read_on(self) -> None:
        """There may be room again."""
        ...


class Budget:
    """Bytes of requests that may be in memory at once.

    A request counts from its first byte until it is answered. Mutable: what every `Holding`
    counts here.

    Attributes:
        used: the bytes counted.
        answering: how many of them are of requests being answered.
        waiting: for some to be given back.
    """

    def __init__(self, most: int) -> None:
        self.used = 0
        self.answering = 0
        self.waiting: set[Reader] = set()
        self._most = most

    @property
    def exceeded(self) -> bool:
        """Whether there is more than there should be."""
        return self.used > self._most

    @property
    def wait_helps(self) -> bool:
        """Whether bytes will be given back by answers, not only by who sends the rest."""
        return self.answering > 0

    def given_back(self) -> None:
        """Tell who waits to read on, if there is room or nothing to wait for."""
        if not self.exceeded or not self.wait_helps:
            waiting, self.waiting = self.waiting, set()
            for reader in waiting:
                reader.read_on()


class Holding:
    """What one connection has in memory, and so counts in every budget that it is under.

    Mutable: bytes received of requests that are not whole, and held of those that are.
    """

    __slots__ = ("_budgets", "_held", "received")

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = budgets
        self._held = 0
        self.received = 0

    def receive(self, size: int) -> None:
        """More has come, or less is there."""
        self.received += size
        for budget in self._budgets:
            budget.used += size

    def receive_whole(self, size: int) -> None:
        """A whole request has come: :meth:`receive` and :meth:`hold` in one."""
        whole = self.received + size
        self.received = 0
        self._held += whole
        for budget in self._budgets:
            budget.used += size
            budget.answering += whole

    def hold(self) -> None:
        """What has come is whole requests: they count until they are answered."""
        self.receive_whole(0)

    def release(self) -> None:
        """They are answered."""
        held, self._held = self._held, 0
        for budget in self._budgets:
            budget.answering -= held
            budget.used -= held
            if budget.waiting:
                budget.given_back()

    def drop(self) -> None:
        """What has come of a request that is not whole is not in memory any more."""
        self.receive(-self.received)

    def exceeded(self) -> Budget | None:
        """Return a budget of which there is more than there should be, if there is any."""
        return next((budget for budget in self._budgets if budget.exceeded), None)

    def forget(self, reader: Reader) -> None:
        """It waits for no budget any more."""
        for budget in self._budgets:
            budget.waiting.discard(reader)
