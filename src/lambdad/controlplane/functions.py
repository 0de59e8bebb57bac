"""Functions: create, read, update, delete, list, tag.

Decides in which order a change is checked, stored and announced. How a configuration merges stands
in `configuration`, what it may contain in `validation`, when a version is in service in
`transitions`. Wire forms are unknown here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from lambdad.controlplane import code, configuration, validation
from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.ports import (
    ObjectSource,
    RuntimeCatalogue,
    VersionObserver,
    VersionPreparer,
)
from lambdad.controlplane.references import Target, is_alias, not_found
from lambdad.controlplane.transitions import Transitions
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
)
from lambdad.domain.functions import Function, State
from lambdad.storage.base import AlreadyExists, FunctionStore, PackageStore, RevisionMismatch

_SCAN_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFunction:
    """What `CreateFunction` asks for.

    Attributes:
        configuration: with `role`.
    """

    configuration: ConfigurationChange
    source: CodeSource
    architectures: tuple[str, ...] = ("x86_64",)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeUpdate:
    """What `UpdateFunctionCode` asks for; `dry_run` checks everything and changes nothing."""

    source: CodeSource
    architectures: tuple[str, ...] | None = None
    revision_id: str | None = None
    dry_run: bool = False


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


class Functions:
    """The functions of all accounts and regions; an async context manager that owns its tasks.

    Mutable state: `_uploads`, how many packages are stored that no function refers to yet.
    """

    def __init__(
        self,
        *,
        store: FunctionStore,
        packages: PackageStore,
        runtimes: RuntimeCatalogue,
        clock: Clock,
        observer: VersionObserver,
        objects: ObjectSource | None = None,
        preparer: VersionPreparer | None = None,
    ) -> None:
        self._store = store
        self._packages = packages
        self._runtimes = runtimes
        self._clock = clock
        self._observer = observer
        self._objects = objects
        self._locks = FunctionLocks()
        self._transitions = Transitions(store, self._locks, preparer)
        self._collecting = asyncio.Lock()
        self._uploads = 0

    async def __aenter__(self) -> Self:
        await self._transitions.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transitions.__aexit__(kind, error, trace)

    async def create(self, target: Target, new: NewFunction) -> Function:
        """Store a new function and return it, Pending; it becomes Active by itself.

        Raises:
            ResourceConflictException: there is one of this name.
            ServiceException: code or configuration is not acceptable; nothing was stored.
        """
        change = new.configuration
        if not change.runtime or not change.handler:
            raise InvalidParameterValueException(
                "Runtime and Handler are mandatory parameters for functions created with "
                "deployment packages."
            )
        await self._check(change)
        validation.check_tag_count(new.tags)
        code.check_source(new.source, verb="creating")
        if self._store.get(target.key) is not None:
            raise _exists(target.key)
        async with self._uploading():
            stored = await code.store(new.source, packages=self._packages, objects=self._objects)
            function = configuration.initial(
                target.key,
                change,
                code=stored,
                architectures=new.architectures,
                tags=new.tags,
                now=self._clock.now(),
            )
            await self._transitions.uninterrupted(self._insert(function))
        return function

    def find(self, target: Target) -> Function:
        """Return the version that the qualifier names, `$LATEST` without one.

        Raises:
            ResourceNotFoundException: there is no such function or version.
        """
        function = self._store.get(target.key, target.qualifier or LATEST)
        if function is None:
            raise not_found(target)
        return function

    async def get(self, target: Target) -> Function:
        """Return the version as :meth:`find` does, after a change that is just being written."""
        await self._transitions.settled(target.key, target.qualifier or LATEST)
        return self.find(target)

    async def runnable(self, target: Target) -> Function:
        """Return the version if it may be invoked now.

        Raises:
            ResourceNotFoundException: there is no such function or version.
            ResourceConflictException: it is not in service.
        """
        function = self.find(target)
        if function.status.state is State.PENDING:
            function = await self.get(target)
        if function.status.state in (State.PENDING, State.FAILED):
            raise ResourceConflictException(
                "The operation cannot be performed at this time. The function is currently in the "
                f"following state: {function.status.state}"
            )
        return function

    async def update_code(self, target: Target, update: CodeUpdate) -> Function:
        """Give the function other code; returns it with its update in progress.

        Raises:
            ServiceException: as :meth:`create`, and for a wrong revision or an update in progress.
        """
        await self._changeable(target, update.revision_id)
        code.check_source(update.source, verb="updating")
        async with self._uploading():
            stored = await code.store(update.source, packages=self._packages, objects=self._objects)
            async with self._locks.of(target.key):
                current = await self._changeable(target, update.revision_id, locked=True)
                changed = configuration.recoded(
                    current, stored, architectures=update.architectures, now=self._clock.now()
                )
                if update.dry_run:
                    return replace(current, code=stored, architectures=changed.architectures)
                await self._transitions.uninterrupted(self._replace(current, changed))
        return changed

    async def update_configuration(
        self, target: Target, change: ConfigurationChange, *, revision_id: str | None
    ) -> Function:
        """Change the function's configuration; returns it with its update in progress.

        Raises:
            ServiceException: as :meth:`update_code`.
        """
        await self._changeable(target, revision_id)
        await self._check(change)
        async with self._locks.of(target.key):
            current = await self._changeable(target, revision_id, locked=True)
            changed = configuration.reconfigured(current, change, now=self._clock.now())
            await self._transitions.uninterrupted(self._replace(current, changed))
        return changed

    async def delete(self, target: Target) -> None:
        """Remove the function with everything that belongs to it.

        With a version's number only that version is meant; one that does not exist is no error.

        Raises:
            ResourceNotFoundException: there is no such function.
            InvalidParameterValueException: the qualifier is `$LATEST` or an alias.
        """
        key, qualifier = target.key, target.qualifier
        async with self._locks.of(key):
            function = self._store.get(key)
            if function is None:
                raise not_found(target)
            if qualifier == LATEST:
                raise InvalidParameterValueException(
                    "$LATEST version cannot be deleted without deleting the function."
                )
            if qualifier is not None and is_alias(qualifier):
                raise InvalidParameterValueException(
                    "Deletion of aliases is not currently supported."
                )
            if qualifier is not None:
                return
            await self._transitions.uninterrupted(self._delete(function))

    def list(self, account_id: str, region: str, *, after: str | None, limit: int) -> FunctionPage:
        """Return up to `limit` functions by name, beginning behind `after`."""
        found = self._store.list(account_id, region, after=after, limit=limit + 1)
        return FunctionPage(functions=found[:limit], more=len(found) > limit)

    async def tag(self, target: Target, tags: Mapping[str, str]) -> None:
        """Add or overwrite tags.

        Raises:
            ResourceNotFoundException: there is no such function.
            InvalidParameterValueException: too many tags.
        """
        async with self._locks.of(target.key):
            current = self.find(target)
            merged = {**current.tags, **tags}
            validation.check_tag_count(merged)
            await self._retag(current, merged)

    async def untag(self, target: Target, names: Sequence[str]) -> None:
        """Remove tags; names that are not there are no error.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        async with self._locks.of(target.key):
            current = self.find(target)
            await self._retag(current, {k: v for k, v in current.tags.items() if k not in names})

    def usage(self, account_id: str, region: str) -> CodeUsage:
        """Return how much an account has stored in a region; reads every function of it."""
        sizes = [function.code.size_bytes for function in self._scan(account_id, region)]
        return CodeUsage(functions=len(sizes), code_bytes=sum(sizes))

    def used_packages(self) -> frozenset[str]:
        """Return the digests of all packages that a function of any account refers to."""
        return self._store.digests()

    async def collect_packages(self, in_use: frozenset[str] = frozenset()) -> int:
        """Remove packages that no function refers to; returns how many. 0 while uploads go on.

        `in_use` are the digests of code that still runs though its function has other code now.
        """
        async with self._collecting:
            if self._uploads:
                return 0
            return await self._packages.collect(self.used_packages() | in_use)

    def _scan(self, account_id: str, region: str) -> Iterator[Function]:
        after: str | None = None
        while page := self._store.list(account_id, region, after=after, limit=_SCAN_PAGE):
            yield from page
            after = page[-1].key.name

    @asynccontextmanager
    async def _uploading(self) -> AsyncIterator[None]:
        """Keep packages from being collected between their storing and their first use."""
        async with self._collecting:
            self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    async def _changeable(
        self, target: Target, revision_id: str | None, *, locked: bool = False
    ) -> Function:
        """Return `$LATEST` if it may be changed now; `locked`: by the holder of its lock."""
        if not locked:
            await self._transitions.settled(target.key, LATEST)
        current = self.find(target)
        if configuration.is_unfinished(current):
            raise _busy(target.key)
        if revision_id and revision_id != current.revision_id:
            raise PreconditionFailedException(
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id"
            )
        return current

    async def _check(self, change: ConfigurationChange) -> None:
        validation.check_configuration(change)
        if change.runtime is not None:
            # The first question for a runtime may start its interpreter to learn the version.
            await asyncio.to_thread(validation.check_runtime, change.runtime, self._runtimes)

    async def _delete(self, function: Function) -> None:
        await self._store.delete(function.key)
        self._observer.function_deleted(function)

    async def _insert(self, function: Function) -> None:
        try:
            await self._store.insert(function)
        except AlreadyExists as error:
            raise _exists(function.key) from error
        self._observer.version_changed(function)
        self._transitions.begin(function)

    async def _replace(self, current: Function, changed: Function) -> None:
        try:
            await self._store.replace(changed, expected_revision=current.revision_id)
        except RevisionMismatch as error:
            raise _busy(current.key) from error
        self._observer.version_changed(changed)
        self._transitions.begin(changed)

    async def _retag(self, current: Function, tags: Mapping[str, str]) -> None:
        try:
            await self._store.replace(
                replace(current, tags=dict(tags)), expected_revision=current.revision_id
            )
        except RevisionMismatch as error:
            raise _busy(current.key) from error


def _exists(key: FunctionKey) -> ResourceConflictException:
    return ResourceConflictException(f"Function already exist: {key.name}")


def _busy(key: FunctionKey) -> ResourceConflictException:
    return ResourceConflictException(
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{key.arn()}"
    )
