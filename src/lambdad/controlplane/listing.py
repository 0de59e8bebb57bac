"""Which functions and versions there are: pages and sums over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lambdad.controlplane.versions import behind
from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Function
from lambdad.storage.base import FunctionStore

_SCAN_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPage:
    """A page of a listing; `more` when functions follow behind the last one."""

    functions: Sequence[Function]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeUsage:
    """What an account has stored in a region."""

    functions: int
    code_bytes: int


class Listing:
    """The functions of an account in a region, from memory."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    def functions(
        self, account_id: str, region: str, *, after: str | None, limit: int
    ) -> FunctionPage:
        """Return `$LATEST` of up to `limit` functions by name, beginning behind `after`."""
        found = self._store.list(account_id, region, after=after, limit=limit + 1)
        return FunctionPage(functions=found[:limit], more=len(found) > limit)

    def versions(
        self, account_id: str, region: str, *, after: tuple[str, str] | None, limit: int
    ) -> FunctionPage:
        """Return up to `limit` versions of all functions, behind a name and its version."""
        found: list[Function] = []
        if after is not None:
            key = FunctionKey(account_id=account_id, region=region, name=after[0])
            found += behind(self._store.versions(key), after[1])
        name = None if after is None else after[0]
        functions = self._scan(account_id, region, name, page=limit + 1)
        while len(found) <= limit and (function := next(functions, None)) is not None:
            found += self._store.versions(function.key)
        return FunctionPage(functions=found[:limit], more=len(found) > limit)

    def usage(self, account_id: str, region: str) -> CodeUsage:
        """Return how much an account has stored in a region; reads every version of it."""
        count = size = 0
        for function in self._scan(account_id, region, None, page=_SCAN_PAGE):
            count += 1
            size += sum(version.code.size_bytes for version in self._store.versions(function.key))
        return CodeUsage(functions=count, code_bytes=size)

    def _scan(
        self, account_id: str, region: str, after: str | None, *, page: int
    ) -> Iterator[Function]:
        """Yield `$LATEST` of every function by name, behind `after`; reads `page` at a time."""
        while found := self._store.list(account_id, region, after=after, limit=page):
            yield from found
            after = found[-1].key.name
