"""Reads one shard and deals its records out to lanes.

Mutable: the iterator, what was read last, and the lanes.
"""

from __future__ import annotations

import asyncio
import math

from lambdad.event_source_mappings import metric_names
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import AwsRefused, AwsUnreachable
from lambdad.event_source_mappings.filtering import Filters
from lambdad.event_source_mappings.lanes import Lane, lane_of
from lambdad.event_source_mappings.shard_state import ShardState, StreamWork
from lambdad.event_source_mappings.streams import (
    AFTER,
    AT_TIMESTAMP,
    EXPIRED,
    LATEST,
    TRIM_HORIZON,
    TRIMMED,
    Page,
    Position,
)

_BEHIND_PAUSE_S = 0.2
_PAGE_MIN = 100


class ShardReader:
    """Of one shard, from where its checkpoint is to its end."""

    def __init__(self, work: StreamWork, shard: ShardState, *, fresh: bool) -> None:
        """`fresh`: its checkpoint was made just now, so that `LATEST` means what comes from now."""
        settings = work.mapping.settings
        self._work = work
        self._shard = shard
        self._filters = Filters.of(work.mapping)
        # A window's state goes from batch to batch, so there is one batch at a time.
        windowed = settings.get("TumblingWindowInSeconds")
        count = 1 if windowed else int(settings.get("ParallelizationFactor", 1))
        self._lanes = [Lane(work, shard) for _ in range(count)]
        self._limit = min(work.stream.page_max, max(_PAGE_MIN, int(settings["BatchSize"])))
        self._fresh = fresh
        self._iterator: str | None = None
        self._last: str | None = shard.checkpoint.sequence
        self._trimmed = False
        self._troubles = Backoff(0.5, 30.0)

    async def run(self) -> None:
        """Read until the shard ends or polling stops; returns when the lanes have come to rest."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.run())
            ended = await self._read_all()
            for lane in self._lanes:
                lane.close()
        if ended and self._shard.progress.all_done and self._shard.window is None:
            await self._shard.save(done=True)

    async def _read_all(self) -> bool:
        """Whether the shard has ended."""
        while not self._work.stopping.stopped:
            await self._room()
            mark = 0 if self._work.wake is None else self._work.wake.mark()
            page = await self._page()
            if page is None:
                continue
            await self._deal(page)
            if page.following is None:
                return True
            self._iterator = page.following
            if not page.records:
                await self._rest(page, self._iterator, mark)
        return False

    async def _rest(self, page: Page, iterator: str, mark: int) -> None:
        """Wait until there may be more to read."""
        work = self._work
        if page.behind or work.wake is None:
            await work.stopping.pause(_BEHIND_PAUSE_S if page.behind else work.stream.idle_s)
        else:
            await work.stopping.unless_stopped(work.wake.wait(iterator, mark, work.stream.idle_s))

    async def _page(self) -> Page | None:
        """Read; None when it did not go well, after a pause."""
        work, shard_id = self._work, self._shard.shard_id
        try:
            if self._iterator is None:
                self._iterator = await work.stream.iterator(shard_id, self._position())
            page = await work.stopping.unless_stopped(
                work.stream.read(shard_id, self._iterator, self._limit)
            )
        except (AwsRefused, AwsUnreachable) as error:
            self._iterator = None
            code = error.code if isinstance(error, AwsRefused) else ""
            self._trimmed = code in TRIMMED
            if code not in EXPIRED and not self._trimmed:
                await work.results.show(f"PROBLEM: {error}")
            await work.stopping.pause(self._troubles.failed())
            return None
        self._troubles.succeeded()
        return page

    def _position(self) -> Position:
        checkpoint = self._shard.checkpoint
        if self._trimmed:
            # What comes after the last record is gone: begin with what is left.
            return Position(TRIM_HORIZON)
        if self._last is not None:
            return Position(AFTER, sequence=self._last)
        if checkpoint.position == LATEST and not self._fresh:
            return Position(AT_TIMESTAMP, timestamp_s=checkpoint.since_s)
        return Position(checkpoint.position, timestamp_s=checkpoint.since_s)

    async def _deal(self, page: Page) -> None:
        since_s = self._shard.checkpoint.since_s
        oldest_s = -math.inf if since_s is None else math.floor(since_s)
        records = [each for each in page.records if each.arrived_s >= oldest_s]
        if not records:
            return
        self._fresh, self._trimmed = False, False
        self._last = records[-1].sequence
        self._shard.progress.read(records)
        out = []
        for record in records:
            if self._filters.passes(record.described, record.data):
                self._lanes[lane_of(record.key, len(self._lanes))].put(record)
            else:
                out.append(record)
        self._work.counting.add(metric_names.POLLED, len(records))
        self._work.counting.add(metric_names.FILTERED_OUT, len(out))
        if out:
            self._shard.progress.done(out)
            await self._shard.save()

    async def _room(self) -> None:
        """Wait while a lane has more than enough."""
        for lane in self._lanes:
            while lane.full and not self._work.stopping.stopped:
                lane.taken.clear()
                await self._work.stopping.unless_stopped(_set(lane.taken))


async def _set(event: asyncio.Event) -> None:
    await event.wait()
