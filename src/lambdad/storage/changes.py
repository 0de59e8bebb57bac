"""How often what is in memory of functions and resources has changed."""

from __future__ import annotations


class Changes:
    """A counter that both indexes share: whoever reads it pays for no addition.

    Attributes:
        count: as long as it stays, every read has the same answer.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
