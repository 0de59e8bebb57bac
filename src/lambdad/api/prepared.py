"""Invocations that passed every check which the next one of the same caller need not repeat.

An entry says: this caller may invoke this function, which is in service and isolates no tenants.
It is learnt from a request that was checked in full, and holds until anything stored changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lambdad.authz.callers import Caller
from lambdad.controlplane.references import Target

# Some 5 MB.
_ENTRIES_MAX = 8_192

Key = tuple[str, str, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was found.

    Attributes:
        invoked_arn: as the caller named it.
        settled: whether the caller needs no leave each time.
    """

    target: Target
    invoked_arn: str
    settled: bool


class Changing(Protocol):
    """What the entries are about."""

    @property
    def changes(self) -> int:
        """How often functions, aliases and policies changed."""
        ...


class PreparedInvocations:
    """What was learnt. Mutable: the entries, and at which count of changes they were."""

    def __init__(self, stored: Changing) -> None:
        self._stored = stored
        self._entries: dict[Key, Prepared] = {}
        self._claims: dict[tuple[str, str], tuple[Caller, Prepared]] = {}
        self._at = stored.changes

    def now(self) -> int:
        """Return the mark to begin with that :meth:`learn` wants."""
        return self._stored.changes

    def learn(self, mark: int, name: str, caller: Caller, region: str, found: Prepared) -> None:
        """Keep what was found since the mark, unless something changed meanwhile."""
        if mark != self._stored.changes:
            return
        if mark != self._at or len(self._entries) >= _ENTRIES_MAX:
            self._entries.clear()
            self._claims.clear()
            self._at = mark
        self._entries[name, region, caller.arn, caller.role_arn] = found

    def keep(self, path: str, claim: str, caller: Caller, found: Prepared) -> None:
        """Keep what was just found as what a path and an Authorization header's beginning lead to.

        Only of somebody who is taken at their word, of whom nothing else in a request tells.
        """
        if len(self._claims) >= _ENTRIES_MAX:
            self._claims.clear()
        self._claims[path, claim] = (caller, found)

    def recall(self, path: str, claim: str) -> tuple[Caller, Prepared] | None:
        """Return what was kept, as long as it holds."""
        if self._at != self._stored.changes:
            return None
        return self._claims.get((path, claim))

    def find(self, name: str, caller: Caller, region: str) -> Prepared | None:
        """Return what is known of a function, as it was named, and a caller; None is nothing."""
        if self._at != self._stored.changes:
            return None
        return self._entries.get((name, region, caller.arn, caller.role_arn))
