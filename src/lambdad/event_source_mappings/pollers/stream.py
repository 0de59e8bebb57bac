"""Polls a stream: finds its shards, and has each read in its turn.

Decides which shards are read: those whose parents are done. Holds the mapping's lease all the
while, and gives way to whoever has taken it over.
Mutable: the shards that are read, and the lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import AwsRefused, AwsUnreachable
from lambdad.event_source_mappings.checkpoints import Checkpoint, Lease, LeaseLost
from lambdad.event_source_mappings.pollers.leasing import take_lease
from lambdad.event_source_mappings.pollers.shard import ShardReader
from lambdad.event_source_mappings.shard_state import ShardState, StreamWork
from lambdad.event_source_mappings.streams import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Shard

_LOGGER = logging.getLogger(__name__)

DISCOVERY_S = 10.0


class StreamPoller:
    """See `base.Poller`."""

    def __init__(self, work: StreamWork) -> None:
        self._work = work
        self._mapping = work.mapping
        self._reading: set[str] = set()
        self._again = asyncio.Event()

    def stop(self) -> None:
        """See `base.Poller`."""
        self._work.stopping.stop()

    async def run(self) -> None:
        """See `base.Poller`."""
        work = self._work
        lease = await take_lease(work.checkpoints, self._mapping, work.stopping)
        if lease is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                await self._follow_shards(lease, group)
        except* LeaseLost:
            _LOGGER.warning("mapping %s is polled by somebody else now", self._mapping.uuid)
        finally:
            await asyncio.shield(work.checkpoints.release(lease))

    async def _follow_shards(self, lease: Lease, group: asyncio.TaskGroup) -> None:
        work, troubles = self._work, Backoff(0.5, 30.0)
        while not work.stopping.stopped:
            self._again.clear()
            try:
                shards = await work.stream.shards()
            except (AwsRefused, AwsUnreachable) as error:
                await work.results.show(f"PROBLEM: {error}")
                await work.checkpoints.renew(lease)
                await work.stopping.pause(min(troubles.failed(), DISCOVERY_S))
                continue
            troubles.succeeded()
            await self._begin_shards(shards, lease, group)
            await work.checkpoints.renew(lease)
            await self._next_round()

    async def _next_round(self) -> None:
        """Look again after a while, or as soon as a shard has ended."""

        async def wait() -> None:
            again = asyncio.ensure_future(self._again.wait())
            pause = asyncio.ensure_future(self._pause())
            try:
                await asyncio.wait({again, pause}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                again.cancel()
                pause.cancel()

        await self._work.stopping.unless_stopped(wait())

    async def _pause(self) -> bool:
        await self._work.stopping.sleep(DISCOVERY_S)
        return True

    async def _begin_shards(
        self, shards: Sequence[Shard], lease: Lease, group: asyncio.TaskGroup
    ) -> None:
        checkpoints = self._work.checkpoints
        known = dict(checkpoints.of(self._mapping))
        new = {
            shard.shard_id: self._first_checkpoint(shard, first=not known)
            for shard in shards
            if shard.shard_id not in known
        }
        if new:
            await checkpoints.save(self._mapping, lease, *new.values())
        listed = {shard.shard_id for shard in shards}
        gone = [name for name, each in known.items() if each.done and name not in listed]
        if gone:
            await checkpoints.remove(self._mapping, lease, gone)
        known |= new
        for shard in shards:
            mine = known[shard.shard_id]
            waits = any(name in known and not known[name].done for name in shard.parents)
            if not mine.done and not waits and shard.shard_id not in self._reading:
                self._reading.add(shard.shard_id)
                fresh = shard.shard_id in new
                group.create_task(self._read(ShardState(self._work, lease, mine), fresh=fresh))

    def _first_checkpoint(self, shard: Shard, *, first: bool) -> Checkpoint:
        """A shard that was there when the mapping was made begins where the mapping says.

        Others came of those, or later: all of them is read.
        """
        settings = self._mapping.settings
        position = settings["StartingPosition"] if first else TRIM_HORIZON
        since_s = None
        if position == LATEST:
            since_s = self._work.clock.time()
        elif position == AT_TIMESTAMP:
            since_s = settings["StartingPositionTimestamp"]
        return Checkpoint(
            shard_id=shard.shard_id,
            position=position,
            since_s=since_s,
            done=position == LATEST and shard.closed,
        )

    async def _read(self, shard: ShardState, *, fresh: bool) -> None:
        try:
            await ShardReader(self._work, shard, fresh=fresh).run()
        finally:
            self._reading.discard(shard.shard_id)
            self._again.set()
