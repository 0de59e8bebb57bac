"""What an operation would cost, as ReturnConsumedCapacity tells; nobody is throttled by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.dynamodb.item_rows import Outcome
from lambdad.neighbours.dynamodb.model import Index, Table

_READ_BYTES, _WRITE_BYTES = 4_096, 1_024


def read_units(size: int, *, consistent: bool) -> float:
    """Return the read units of some bytes; half as many if the read need not be consistent."""
    return max(1, -(-size // _READ_BYTES)) * (1.0 if consistent else 0.5)


def write_units(size: int) -> float:
    """Return the write units of some bytes."""
    return float(max(1, -(-size // _WRITE_BYTES)))


class Consumed:
    """Units of one table, gathered. Mutable."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._own = 0.0
        self._reads = 0.0
        self._writes = 0.0
        self._indexes: dict[str, float] = {}

    def wrote(self, outcome: Outcome, factor: int = 1) -> None:
        """Count a write; transactions count twice."""
        units = write_units(outcome.size) * factor
        self._own += units
        self._writes += units
        for name, spent in outcome.index_units.items():
            self._writes += spent * factor
            self._indexes[name] = self._indexes.get(name, 0.0) + spent * factor

    def read(self, units: float, index: Index | None = None) -> None:
        """Count a read."""
        self._reads += units
        if index is None:
            self._own += units
        else:
            self._indexes[index.name] = self._indexes.get(index.name, 0.0) + units

    def answer(self, wanted: str | None, *, split: bool = False) -> dict[str, Any] | None:
        """Return what is told of it, as `wanted`: TOTAL, INDEXES or NONE; `split` by direction."""
        if wanted not in ("TOTAL", "INDEXES"):
            return None
        total = self._own + sum(self._indexes.values())
        told: dict[str, Any] = {"TableName": self.table.name, "CapacityUnits": total}
        if split and self._reads:
            told["ReadCapacityUnits"] = self._reads
        if split and self._writes:
            told["WriteCapacityUnits"] = self._writes
        if wanted == "INDEXES":
            told["Table"] = {"CapacityUnits": self._own}
            told |= self._by_index()
        return told

    def _by_index(self) -> dict[str, Any]:
        groups: dict[str, dict[str, Any]] = {}
        for name, units in self._indexes.items():
            index = self.table.index(name)
            local = index is not None and index.local
            group = "LocalSecondaryIndexes" if local else "GlobalSecondaryIndexes"
            groups.setdefault(group, {})[name] = {"CapacityUnits": units}
        return groups


def told(gathered: Mapping[str, Consumed], wanted: str | None) -> list[dict[str, Any]] | None:
    """Return what is told of several tables."""
    found = [each.answer(wanted, split=False) for each in gathered.values()]
    return [each for each in found if each is not None] or None
