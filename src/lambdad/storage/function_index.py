"""All function versions in memory, for synchronous reads.

Answers lookups and pages; knows nothing of durability. Mutable state: the two maps. Used from the
event loop alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.functions import Function, State, UpdateStatus
from lambdad.storage.changes import Changes


class FunctionIndex:
    """Versions by key, names by account and region in order."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._versions: dict[FunctionKey, dict[str, Function]] = {}
        self._names: dict[tuple[str, str], list[str]] = {}

    def get(self, key: FunctionKey, version: str) -> Function | None:
        """Return one version, or None."""
        return self._versions.get(key, {}).get(version)

    def page(
        self, account_id: str, region: str, *, after: str | None, limit: int
    ) -> Sequence[Function]:
        """Return `$LATEST` of up to `limit` functions by name, beginning behind `after`."""
        names = self._names.get((account_id, region), [])
        position = 0 if after is None else bisect_right(names, after)
        found: list[Function] = []
        while position < len(names) and len(found) < limit:
            key = FunctionKey(account_id=account_id, region=region, name=names[position])
            latest = self._versions[key].get(LATEST)
            if latest is not None:
                found.append(latest)
            position += 1
        return found

    def versions(self, key: FunctionKey) -> Sequence[Function]:
        """Return all versions, `$LATEST` first, then by number."""
        versions = self._versions.get(key, {})
        return [versions[version] for version in sorted(versions, key=_version_order)]

    def unfinished(self) -> Sequence[Function]:
        """Return all versions whose creation or update has not ended."""
        return [
            function
            for versions in self._versions.values()
            for function in versions.values()
            if function.status.state is State.PENDING
            or function.status.last_update is UpdateStatus.IN_PROGRESS
        ]

    def runtimes(self) -> frozenset[tuple[str, int]]:
        """Return the runtimes of all functions, with their memory."""
        return frozenset(
            (function.runtime, function.memory_mb)
            for versions in self._versions.values()
            for function in versions.values()
            if function.runtime
        )

    def digests(self) -> frozenset[str]:
        """Return the packages of all versions, and of what still serves in their stead."""
        return frozenset().union(
            *(
                function.packages
                for versions in self._versions.values()
                for function in versions.values()
            )
        )

    def images(self) -> frozenset[str]:
        """Return the container images of all versions, and of what still serves in their stead."""
        return frozenset().union(
            *(
                function.images
                for versions in self._versions.values()
                for function in versions.values()
            )
        )

    def put(self, function: Function) -> None:
        """Add or replace a version."""
        self._changes.count += 1
        key = function.key
        versions = self._versions.get(key)
        if versions is None:
            versions = self._versions[key] = {}
            insort(self._names.setdefault((key.account_id, key.region), []), key.name)
        versions[function.version] = function

    def remove_version(self, key: FunctionKey, version: str) -> bool:
        """Drop one version; False when there was none."""
        self._changes.count += 1
        versions = self._versions.get(key, {})
        if versions.pop(version, None) is None:
            return False
        if not versions:
            self.remove(key)
        return True

    def remove(self, key: FunctionKey) -> bool:
        """Drop all versions; False when there was none."""
        self._changes.count += 1
        if self._versions.pop(key, None) is None:
            return False
        names = self._names[key.account_id, key.region]
        del names[bisect_left(names, key.name)]
        return True


def _version_order(version: str) -> int:
    return 0 if version == LATEST else int(version)
