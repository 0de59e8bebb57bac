"""How far a shard is done with when its records are worked on side by side. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from lambdad.event_source_mappings.streams import StreamRecord


class Progress:
    """Mutable: what was read and is not done, in order, and up to where all is done.

    Attributes:
        sequence: of the last record up to which all are done.
        count: how many records that are.
    """

    def __init__(self, sequence: str | None) -> None:
        self.sequence = sequence
        self.count = 0
        self._open: dict[str, bool] = {}

    def read(self, records: Iterable[StreamRecord]) -> None:
        """Records were read, in order."""
        for record in records:
            self._open[record.sequence] = False

    def done(self, records: Iterable[StreamRecord]) -> None:
        """Records are done; `sequence` follows when all before them are done, too."""
        for record in records:
            self._open[record.sequence] = True
        for sequence in list(itertools.takewhile(self._open.__getitem__, self._open)):
            self.sequence = sequence
            self.count += 1
            del self._open[sequence]

    @property
    def all_done(self) -> bool:
        """Whether nothing is left of what was read."""
        return not self._open
