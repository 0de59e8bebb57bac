"""Functions: create, read, update, delete, tag.

Decides in which order a change is checked, stored and announced. How a configuration merges stands
in `configuration`, what it may contain in `validation`, when a version is in service in
`transitions`. Wire forms are unknown here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from lambdad.controlplane import configuration, packaging, validation
from lambdad.controlplane.aliases import Aliases, no_alias
from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.layer_attachments import LayerAttachments
from lambdad.controlplane.layer_policies import LayerPolicies
from lambdad.controlplane.layers import Layers
from lambdad.controlplane.listing import Listing
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.packaging import CodeIntake
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.ports import (
    ImageCatalogue,
    ObjectSource,
    RuntimeCatalogue,
    VersionObserver,
    VersionPreparer,
)
from lambdad.controlplane.preconditions import busy, check_changeable
from lambdad.controlplane.references import Target, not_found
from lambdad.controlplane.transitions import Transitions
from lambdad.controlplane.uploads import Uploads
from lambdad.controlplane.versions import Published, Versions
from lambdad.domain import snapstart
from lambdad.domain.aliases import names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.errors import InvalidParameterValueException, ResourceConflictException
from lambdad.domain.functions import Function, PackageType, State
from lambdad.storage.base import (
    AlreadyExists,
    Change,
    Engine,
    InsertFunction,
    PackageStore,
    ReplaceFunction,
    RevisionMismatch,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFunction:
    """What `CreateFunction` asks for; `publish` as the first version, too."""

    configuration: ConfigurationChange
    source: CodeSource
    package_type: PackageType = PackageType.ZIP
    architectures: tuple[str, ...] = ("x86_64",)
    tags: Mapping[str, str] = field(default_factory=dict)
    publish: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeUpdate:
    """What `UpdateFunctionCode` asks for; `dry_run` checks everything and changes nothing."""

    source: CodeSource
    architectures: tuple[str, ...] | None = None
    revision_id: str | None = None
    dry_run: bool = False
    publish: bool = False


class Functions:
    """The functions of all accounts and regions; an async context manager that owns its tasks.

    Attributes:
        aliases: the aliases of these functions.
        locks: held while a function or what belongs to it is changed.
        layers: what they may have beside their code; `layer_policies` says who may use which.
        listing: pages of them.
        permissions: their resource policies.
        versions: their published versions.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        packages: PackageStore,
        runtimes: RuntimeCatalogue,
        clock: Clock,
        observer: VersionObserver,
        objects: ObjectSource | None = None,
        images: ImageCatalogue | None = None,
        hot_reload: bool = False,
        preparer: VersionPreparer | None = None,
        transition_s: float = 0.0,
    ) -> None:
        self._engine = engine
        self._store = engine.functions
        self._packages = packages
        self._runtimes = runtimes
        self._clock = clock
        self._observer = observer
        self._intake = CodeIntake(packages, objects, images, hot_reload=hot_reload)
        self.locks = self._locks = FunctionLocks()
        self._transitions = Transitions(
            self._store, self._locks, observer=observer, preparer=preparer, least_s=transition_s
        )
        self.listing = Listing(self._store)
        self.aliases = Aliases(engine, observer, locks=self._locks, transitions=self._transitions)
        self.permissions = Permissions(
            engine,
            self.aliases,
            locks=self._locks,
            transitions=self._transitions,
            clock=clock,
        )
        self.versions = Versions(
            engine,
            self.aliases,
            locks=self._locks,
            transitions=self._transitions,
            observer=observer,
        )
        self._uploads = Uploads()
        self.layers = Layers(engine, packages, clock=clock, uploads=self._uploads, objects=objects)
        self.layer_policies = LayerPolicies(engine.resources, self.layers)
        self._layer_attachments = LayerAttachments(self.layers, self.layer_policies, packages)

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

        Returns the published version if there is to be one.

        Raises:
            ResourceConflictException: there is one of this name.
            ServiceException: code or configuration is not acceptable; nothing was stored.
        """
        change = new.configuration
        packaging.check_new(change, new.package_type)
        await self._check(change)
        validation.check_tag_count(new.tags)
        packaging.check_source(new.source, new.package_type, verb="creating")
        if self._store.get(target.key) is not None:
            raise _exists(target.key)
        async with self._uploads.pending():
            change = self._layer_attachments.resolve(target.key, change)
            stored = await self._intake.take(target.key, new.source, new.architectures)
            await self._layer_attachments.check_size(stored, change.layer_packages)
            function = configuration.initial(
                target.key,
                change,
                code=stored,
                architectures=new.architectures,
                tags=new.tags,
                now=self._clock.now(),
            )
            snapstart.check(function)
            async with self._locks.of(target.key):
                version = self.versions.next_of(function) if new.publish else None
                await self._transitions.uninterrupted(self._insert(function, version))
        return function if version is None else version.version

    def find(self, target: Target) -> Function:
        """Return the version that the qualifier names, `$LATEST` without one.

        Of an alias with two versions it is the one that the alias points to.

        Raises:
            ResourceNotFoundException: there is no such function, version or alias.
        """
        version = self._version(target)
        function = None if version is None else self._store.get(target.key, version)
        if function is None:
            raise not_found(target)
        return function

    async def get(self, target: Target) -> Function:
        """Return the version as :meth:`find` does, after a change that is just being written."""
        await self._transitions.settled(target.key, self._version(target) or LATEST)
        return self.find(target)

    async def runnable(self, target: Target) -> Function:
        """Return the version if it may be invoked now, as it is in service.

        Raises:
            ResourceNotFoundException: there is no such function, version or alias.
            ResourceConflictException, SnapStartNotReadyException: it is not in service.
        """
        if self._version(target) is None and self._store.get(target.key) is not None:
            raise no_alias(target.key, target.qualifier or "")
        function = self.find(target).serving
        if function.status.state is State.PENDING:
            function = (await self.get(target)).serving
        if function.status.state in (State.PENDING, State.FAILED):
            raise snapstart.not_in_service(function)
        return function

    async def update_code(self, target: Target, update: CodeUpdate) -> Function:
        """Give the function other code; returns it, or the version that is to be published.

        Raises:
            ServiceException: as :meth:`create`, and for a wrong revision or an update in progress.
        """
        known = await self._changeable(target, update.revision_id)
        packaging.check_source(update.source, known.package_type, verb="updating")
        async with self._uploads.pending():
            architectures = update.architectures or known.architectures
            stored = await self._intake.take(target.key, update.source, architectures)
            async with self._locks.of(target.key):
                current = await self._changeable(target, update.revision_id, locked=True)
                await self._layer_attachments.check_size(stored, current.layer_packages)
                changed = configuration.recoded(
                    current, stored, architectures=update.architectures, now=self._clock.now()
                )
                if update.dry_run:
                    return replace(current, code=stored, architectures=changed.architectures)
                version = self.versions.next_of(changed) if update.publish else None
                await self._transitions.uninterrupted(self._replace(current, changed, version))
        return changed if version is None else version.version

    async def update_configuration(
        self, target: Target, change: ConfigurationChange, *, revision_id: str | None
    ) -> Function:
        """Change the function's configuration; returns it with its update in progress.

        Raises:
            ServiceException: as :meth:`update_code`.
        """
        known = await self._changeable(target, revision_id)
        packaging.check_change(change, known.package_type)
        await self._check(change)
        async with self._uploads.pending(), self._locks.of(target.key):
            current = await self._changeable(target, revision_id, locked=True)
            change = self._layer_attachments.resolve(target.key, change)
            await self._layer_attachments.check_size(current.code, change.layer_packages)
            changed = configuration.reconfigured(current, change, now=self._clock.now())
            snapstart.check(changed)
            await self._transitions.uninterrupted(self._replace(current, changed))
        return changed

    async def delete(self, target: Target) -> None:
        """Remove the function with everything that belongs to it.

        With a version's number only that version is meant; one that does not exist is no error.

        Raises:
            ResourceNotFoundException: there is no such function.
            InvalidParameterValueException: the qualifier is `$LATEST` or an alias.
            ResourceConflictException: aliases point to the version.
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
            if qualifier is not None and names_alias(qualifier):
                raise InvalidParameterValueException(
                    "Deletion of aliases is not currently supported."
                )
            if qualifier is not None:
                await self.versions.delete(target, qualifier)
                return
            await self._transitions.uninterrupted(self._delete(function))

    def tags(self, target: Target) -> Mapping[str, str]:
        """Return the tags of the function, whichever version is named.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        return self.find(replace(target, qualifier=None)).tags

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

    def used_packages(self) -> frozenset[str]:
        """Return all packages that a function or a layer of any account refers to."""
        return self._store.digests() | self.layers.digests()

    async def collect_packages(self, in_use: frozenset[str] = frozenset()) -> int:
        """Remove packages that nothing refers to; returns how many. 0 while uploads go on.

        `in_use` are the digests of code that still runs though its function has other code now.
        """
        return await self._uploads.collect(
            lambda: self._packages.collect(self.used_packages() | in_use)
        )

    def _version(self, target: Target) -> str | None:
        """Return the version that is meant; None when there is no such alias."""
        qualifier = target.qualifier or LATEST
        if not names_alias(qualifier):
            return qualifier
        alias = self.aliases.find(target.key, qualifier)
        return None if alias is None else alias.version

    async def _changeable(
        self, target: Target, revision_id: str | None, *, locked: bool = False
    ) -> Function:
        """Return `$LATEST` if it may be changed now; `locked`: by the holder of its lock."""
        if not locked:
            await self._transitions.settled(target.key, LATEST)
        current = self.find(target)
        if current.version != LATEST:
            raise InvalidParameterValueException(
                f"{target.arn} is published and cannot be changed. Name the function without a "
                "qualifier to change $LATEST."
            )
        check_changeable(current, revision_id)
        return current

    async def _check(self, change: ConfigurationChange) -> None:
        validation.check_configuration(change)
        if change.runtime is not None:
            # The first question for a runtime may start its interpreter to learn the version.
            await asyncio.to_thread(validation.check_runtime, change.runtime, self._runtimes)

    async def _delete(self, function: Function) -> None:
        await self._store.delete(function.key)
        self._observer.function_deleted(function)

    async def _insert(self, function: Function, new: Published | None) -> None:
        changes: list[Change] = [InsertFunction(function=function)]
        try:
            await self._engine.apply(*changes, *(new.changes if new else ()))
        except AlreadyExists as error:
            raise _exists(function.key) from error
        self._begin(function, new)

    async def _replace(
        self, current: Function, changed: Function, new: Published | None = None
    ) -> None:
        change = ReplaceFunction(function=changed, expected_revision=current.revision_id)
        try:
            await self._engine.apply(change, *(new.changes if new else ()))
        except (AlreadyExists, RevisionMismatch) as error:
            raise busy(current.key) from error
        self._begin(changed, new)

    def _begin(self, function: Function, new: Published | None) -> None:
        for version in (function, *([new.version] if new and new.changes else ())):
            self._observer.version_changed(version)
            self._transitions.begin(version)

    async def _retag(self, current: Function, tags: Mapping[str, str]) -> None:
        change = replace(current, tags=dict(tags))
        try:
            await self._store.replace(change, expected_revision=current.revision_id)
        except RevisionMismatch as error:
            raise busy(current.key) from error


def _exists(key: FunctionKey) -> ResourceConflictException:
    return ResourceConflictException(f"Function already exist: {key.name}")
