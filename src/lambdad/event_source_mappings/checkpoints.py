"""How far each shard of a mapping has been dealt with, and who deals with it.

A checkpoint is written only by who holds the mapping's lease: both are compared in one
transaction, so that a holder whose lease was taken over meanwhile changes nothing any more. The
epoch of a lease grows each time it is taken; renewing keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.domain.clock import Clock
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import (
    AlreadyExists,
    Apply,
    Change,
    DeleteResource,
    PutResource,
    ResourceStore,
    RevisionMismatch,
)

CHECKPOINT_KIND = "stream-checkpoint"
LEASE_KIND = "poller-lease"
LEASE_S = 30.0


class LeaseLost(Exception):
    """Somebody else polls this mapping now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far a shard has been dealt with.

    Attributes:
        sequence: of the last record that all is done for; None before the first.
        position: where reading begins as long as there is no sequence: `TRIM_HORIZON`, `LATEST`
            or `AT_TIMESTAMP`.
        since_s: epoch seconds: when `LATEST` was asked for, or the timestamp.
        done: the shard is closed and all of it is done.
        window: the tumbling window that is open: `start_s` and `state`; None without one.
    """

    shard_id: str
    sequence: str | None = None
    position: str = "TRIM_HORIZON"
    since_s: float | None = None
    done: bool = False
    window: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to poll a mapping."""

    key: ResourceKey
    owner: str
    epoch: int

    @property
    def revision(self) -> str:
        """What the stored lease is compared by."""
        return f"{self.owner}:{self.epoch}"


class Checkpoints:
    """Keeps leases and checkpoints of all mappings."""

    def __init__(
        self, resources: ResourceStore, apply: Apply, clock: Clock, *, owner: str, alone: bool
    ) -> None:
        """`owner` names this daemon's run; `alone`: no other can have this store open now.

        Then a lease that stands there is of a run that has ended, and need not be waited out.
        """
        self._resources = resources
        self._apply = apply
        self._clock = clock
        self._owner = owner
        self._alone = alone

    async def take(self, mapping: EventSourceMapping) -> Lease | None:
        """Take the lease of a mapping; None while somebody else holds it."""
        key = _key(LEASE_KIND, mapping, mapping.uuid)
        stored = self._resources.get(key)
        if stored is None:
            lease, expected = Lease(key=key, owner=self._owner, epoch=1), ""
        else:
            held = stored.document
            free = self._alone or held["expires_s"] <= self._clock.time()
            if not free and held["owner"] != self._owner:
                return None
            lease = Lease(key=key, owner=self._owner, epoch=held["epoch"] + 1)
            expected = stored.revision
        try:
            await self._apply(self._put(lease, expected, LEASE_S))
        except (AlreadyExists, RevisionMismatch):
            return None
        return lease

    async def renew(self, lease: Lease) -> None:
        """Hold it for longer.

        Raises:
            LeaseLost: it is somebody else's.
        """
        await self._change(lease, self._put(lease, lease.revision, LEASE_S))

    async def release(self, lease: Lease) -> None:
        """Let others take it at once; nothing happens if they have."""
        try:
            await self._apply(self._put(lease, lease.revision, 0.0))
        except (AlreadyExists, RevisionMismatch):
            return

    def of(self, mapping: EventSourceMapping) -> Mapping[str, Checkpoint]:
        """Return the checkpoints of a mapping by shard."""
        found = [Checkpoint(**each.document) for each in self._stored(mapping)]
        return {checkpoint.shard_id: checkpoint for checkpoint in found}

    async def save(
        self, mapping: EventSourceMapping, lease: Lease, *checkpoints: Checkpoint
    ) -> None:
        """Store checkpoints durably.

        Raises:
            LeaseLost: this lease is not the one that stands.
        """
        changes = [
            PutResource(
                resource=Resource(
                    key=_key(CHECKPOINT_KIND, mapping, f"{mapping.uuid}:{each.shard_id}"),
                    function=None,
                    revision=lease.revision,
                    document=_document(each),
                )
            )
            for each in checkpoints
        ]
        await self._change(lease, self._put(lease, lease.revision, LEASE_S), *changes)

    async def remove(
        self, mapping: EventSourceMapping, lease: Lease, shard_ids: Sequence[str]
    ) -> None:
        """Forget shards that the stream has forgotten."""
        names = [f"{mapping.uuid}:{shard_id}" for shard_id in shard_ids]
        changes = [DeleteResource(key=_key(CHECKPOINT_KIND, mapping, name)) for name in names]
        await self._change(lease, self._put(lease, lease.revision, LEASE_S), *changes)

    async def forget(self, mapping: EventSourceMapping) -> None:
        """Remove all that is known of a mapping that goes away."""
        keys = [each.key for each in self._stored(mapping)]
        keys.append(_key(LEASE_KIND, mapping, mapping.uuid))
        await self._apply(*(DeleteResource(key=key) for key in keys))

    async def _change(self, lease: Lease, *changes: Change) -> None:
        try:
            await self._apply(*changes)
        except (AlreadyExists, RevisionMismatch) as error:
            raise LeaseLost(lease.key.name) from error

    def _put(self, lease: Lease, expected: str, lasts_s: float) -> PutResource:
        document = {
            "owner": lease.owner,
            "epoch": lease.epoch,
            "expires_s": self._clock.time() + lasts_s,
        }
        resource = Resource(
            key=lease.key, function=None, revision=lease.revision, document=document
        )
        return PutResource(resource=resource, expected_revision=expected)

    def _stored(self, mapping: EventSourceMapping) -> Sequence[Resource]:
        function = mapping.function
        return self._resources.list(
            CHECKPOINT_KIND, function.account_id, function.region, prefix=f"{mapping.uuid}:"
        )


def _key(kind: str, mapping: EventSourceMapping, name: str) -> ResourceKey:
    function = mapping.function
    return ResourceKey(kind=kind, account_id=function.account_id, region=function.region, name=name)


def _document(checkpoint: Checkpoint) -> Mapping[str, Any]:
    return {
        "shard_id": checkpoint.shard_id,
        "sequence": checkpoint.sequence,
        "position": checkpoint.position,
        "since_s": checkpoint.since_s,
        "done": checkpoint.done,
        "window": checkpoint.window,
    }
