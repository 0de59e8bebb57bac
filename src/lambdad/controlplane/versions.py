"""Published versions: numbers, publishing, listing, deleting.

Decides when a version is new and which number it gets. What a version looks like stands in
`configuration`; wire forms are unknown here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lambdad.controlplane import configuration
from lambdad.controlplane.aliases import Aliases
from lambdad.controlplane.belongings import belongings
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.ports import VersionObserver
from lambdad.controlplane.preconditions import busy, check_changeable
from lambdad.controlplane.references import Target, not_found
from lambdad.controlplane.transitions import Transitions
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import InvalidParameterValueException, ResourceConflictException
from lambdad.domain.functions import Function, State, Status, UpdateStatus
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import (
    AlreadyExists,
    Change,
    DeleteVersion,
    Engine,
    InsertFunction,
    PutResource,
    RevisionMismatch,
)
from lambdad.storage.documents import encode

COUNTER_KIND = "version-counter"

_NO_STATUS = Status(state=State.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What `PublishVersion` asks for; guards that are None guard nothing.

    Attributes:
        description: of the version; None takes that of `$LATEST`.
        code_sha256: what the code of `$LATEST` must be.
    """

    description: str | None = None
    code_sha256: str | None = None
    revision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A version and what has to be stored for it: nothing when it is there already."""

    version: Function
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """A page of versions; `more` when others follow behind the last one."""

    versions: Sequence[Function]
    more: bool


class Versions:
    """The published versions of all functions."""

    def __init__(
        self,
        engine: Engine,
        aliases: Aliases,
        *,
        locks: FunctionLocks,
        transitions: Transitions,
        observer: VersionObserver,
    ) -> None:
        self._engine = engine
        self._aliases = aliases
        self._locks = locks
        self._transitions = transitions
        self._observer = observer

    async def publish(self, target: Target, publication: Publication) -> Function:
        """Freeze `$LATEST` as the next version, in service at once unless it awaits a snapshot.

        Returns the version that was published last if nothing has changed since.

        Raises:
            ResourceNotFoundException: there is no such function.
            ServiceException: a guard does not hold, or `$LATEST` is not in service.
        """
        await self._transitions.settled(target.key, LATEST)
        async with self._locks.of(target.key):
            latest = self._engine.functions.get(target.key)
            if latest is None:
                raise not_found(replace(target, qualifier=None))
            _check_publishable(latest, publication)
            new = self.next_of(latest, description=publication.description)
            if new.changes:
                await self._transitions.uninterrupted(self._store(new))
            return new.version

    def next_of(self, latest: Function, *, description: str | None = None) -> Published:
        """Return the version that publishing `latest` gives; the caller holds the lock."""
        functions, resources = self._engine.functions, self._engine.resources
        counter = resources.get(_counter_key(latest.key))
        last = 0 if counter is None else int(counter.document["last"])
        fingerprint = _fingerprint(latest)
        if counter is not None and counter.document["fingerprint"] == fingerprint:
            version = functions.get(latest.key, str(last))
            if version is not None and version.status.state is not State.FAILED:
                return Published(version=version, changes=())
        version = configuration.published(latest, last + 1, description=description)
        changes = (
            InsertFunction(function=version),
            _counted(latest.key, counter, last + 1, fingerprint),
        )
        return Published(version=version, changes=changes)

    def list(self, target: Target, *, after: str | None, limit: int) -> VersionPage:
        """Return up to `limit` versions behind `after`: `$LATEST` first, then by number.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        versions = self._engine.functions.versions(target.key)
        if not versions:
            raise not_found(replace(target, qualifier=None))
        found = behind(versions, after)
        return VersionPage(versions=found[:limit], more=len(found) > limit)

    async def delete(self, target: Target, version: str) -> None:
        """Remove a version with what belongs to it; one that is not there is no error.

        The caller holds the function's lock and has seen that the function exists.

        Raises:
            ResourceConflictException: aliases point to it.
        """
        function = self._engine.functions.get(target.key, version)
        if function is None:
            return
        if users := self._aliases.of_version(target.key, version):
            raise ResourceConflictException(
                "Unable to delete version because the following aliases reference it: "
                f"[{', '.join(users)}]"
            )
        await self._transitions.uninterrupted(self._delete(function))

    async def _store(self, new: Published) -> None:
        try:
            await self._engine.apply(*new.changes)
        except (AlreadyExists, RevisionMismatch) as error:
            raise busy(new.version.key) from error
        self._observer.version_changed(new.version)
        if configuration.is_unfinished(new.version):
            self._transitions.begin(new.version)

    async def _delete(self, function: Function) -> None:
        await self._engine.apply(
            DeleteVersion(key=function.key, version=function.version),
            *belongings(self._engine.resources, function.key, function.version),
        )
        self._observer.version_deleted(function)


def behind(versions: Sequence[Function], after: str | None) -> Sequence[Function]:
    """Return the versions that follow `after` in a listing; it may be gone meanwhile."""
    if after is None:
        return versions
    return [function for function in versions if _order(function.version) > _order(after)]


def _check_publishable(latest: Function, publication: Publication) -> None:
    if latest.status.state is not State.ACTIVE:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. The function is currently in the "
            f"following state: {latest.status.state}"
        )
    check_changeable(latest, publication.revision_id)
    if latest.status.last_update is UpdateStatus.FAILED:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. The last update of the function "
            f"failed: {latest.status.last_update_reason}"
        )
    given = publication.code_sha256
    if given and given != latest.code.sha256:
        raise InvalidParameterValueException(
            f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST "
            f"({latest.code.sha256}). Please try again with the CodeSHA256 in $LATEST."
        )


def _fingerprint(latest: Function) -> str:
    """Return a digest of code and configuration: alike when nothing was changed."""
    essence = replace(
        latest, status=_NO_STATUS, revision_id="", last_modified="", tags={}, in_service=None
    )
    return hashlib.sha256(encode(essence).encode()).hexdigest()


def _counter_key(key: FunctionKey) -> ResourceKey:
    return ResourceKey(
        kind=COUNTER_KIND, account_id=key.account_id, region=key.region, name=key.name
    )


def _counted(key: FunctionKey, counter: Resource | None, last: int, fingerprint: str) -> Change:
    resource = Resource(
        key=_counter_key(key),
        # Of no function: AWS never gives a number again, not even to a function of the same name.
        function=None,
        revision=configuration.new_revision(),
        document={"last": last, "fingerprint": fingerprint},
    )
    return PutResource(
        resource=resource, expected_revision="" if counter is None else counter.revision
    )


def _order(version: str) -> int:
    return 0 if version == LATEST else int(version)
