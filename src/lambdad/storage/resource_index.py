"""All resources in memory, for synchronous reads.

Answers lookups and pages; knows nothing of durability. Mutable state: the maps below. Used from the
event loop alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence

from lambdad.domain.arns import FunctionKey
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.changes import Changes

_Scope = tuple[str, str, str]


class ResourceIndex:
    """Resources by key, their names by kind, account and region in order, and by function."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._resources: dict[ResourceKey, Resource] = {}
        self._names: dict[_Scope, list[str]] = {}
        self._of_function: dict[FunctionKey, set[ResourceKey]] = {}

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource, or None."""
        return self._resources.get(key)

    def page(
        self,
        kind: str,
        account_id: str,
        region: str,
        *,
        prefix: str,
        after: str | None,
        limit: int | None,
    ) -> Sequence[Resource]:
        """Return resources by name: those that begin with `prefix`, behind `after`."""
        found: list[Resource] = []
        for name in self._names_from(kind, account_id, region, prefix=prefix, after=after):
            if len(found) == limit or not name.startswith(prefix):
                break
            key = ResourceKey(kind=kind, account_id=account_id, region=region, name=name)
            found.append(self._resources[key])
        return found

    def all(self, kind: str) -> Sequence[Resource]:
        """Return the resources of a kind in all accounts and regions."""
        return [
            self._resources[ResourceKey(kind=kind, account_id=account, region=region, name=name)]
            for (a_kind, account, region), names in self._names.items()
            if a_kind == kind
            for name in names
        ]

    def of_function(self, key: FunctionKey) -> Sequence[Resource]:
        """Return what goes with a function."""
        return [self._resources[owned] for owned in self._of_function.get(key, ())]

    def fill(self, resources: Iterable[Resource]) -> None:
        """Add many resources of different keys to an empty index; sorts once."""
        for resource in resources:
            self._names.setdefault(_scope(resource.key), []).append(resource.key.name)
            self._keep(resource)
        for names in self._names.values():
            names.sort()

    def put(self, resource: Resource) -> None:
        """Add or replace a resource."""
        self._changes.count += 1
        key = resource.key
        if key in self._resources:
            self._disown(key)
        else:
            insort(self._names.setdefault(_scope(key), []), key.name)
        self._keep(resource)

    def remove(self, key: ResourceKey) -> bool:
        """Drop a resource; False when there was none."""
        self._changes.count += 1
        if key not in self._resources:
            return False
        self._disown(key)
        del self._resources[key]
        scope = _scope(key)
        names = self._names[scope]
        del names[bisect_left(names, key.name)]
        if not names:
            del self._names[scope]
        return True

    def remove_function(self, key: FunctionKey) -> None:
        """Drop what goes with a function."""
        for owned in tuple(self._of_function.get(key, ())):
            self.remove(owned)

    def _names_from(
        self, kind: str, account_id: str, region: str, *, prefix: str, after: str | None
    ) -> Iterator[str]:
        names = self._names.get((kind, account_id, region), [])
        position = bisect_left(names, prefix)
        if after is not None:
            position = max(position, bisect_right(names, after))
        while position < len(names):
            yield names[position]
            position += 1

    def _keep(self, resource: Resource) -> None:
        self._resources[resource.key] = resource
        function = _function_of(resource)
        if function is not None:
            self._of_function.setdefault(function, set()).add(resource.key)

    def _disown(self, key: ResourceKey) -> None:
        function = _function_of(self._resources[key])
        if function is None:
            return
        owned = self._of_function[function]
        owned.discard(key)
        if not owned:
            del self._of_function[function]


def _scope(key: ResourceKey) -> _Scope:
    return key.kind, key.account_id, key.region


def _function_of(resource: Resource) -> FunctionKey | None:
    if resource.function is None:
        return None
    key = resource.key
    return FunctionKey(account_id=key.account_id, region=key.region, name=resource.function)
