"""What the parts that work on one shard share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from lambdad.domain.async_events import AsyncEvent
from lambdad.domain.clock import Clock
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.calls import Calls
from lambdad.event_source_mappings.checkpoints import Checkpoint, Checkpoints, Lease
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.progress import Progress
from lambdad.event_source_mappings.shown import Shown
from lambdad.event_source_mappings.stopping import Stopping
from lambdad.event_source_mappings.streams import Form, Stream, Wake
from lambdad.event_source_mappings.windows import Window

Send = Callable[[AsyncEvent], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every mapping is worked on with."""

    mapping: EventSourceMapping
    calls: Calls
    counting: Counting
    results: Shown
    clock: Clock
    stopping: Stopping


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Tools):
    """What records that keep their order are worked on with."""

    form: Form
    send: Send


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWork(Work):
    """What a mapping of a stream is worked on with.

    Attributes:
        wake: what knows of new records, where something does.
    """

    stream: Stream
    checkpoints: Checkpoints
    wake: Wake | None = None


class Ordered(Protocol):
    """How far records that keep their order are done with: of a shard, or of a partition.

    Attributes:
        window: the tumbling window that is open, if there is one.
    """

    progress: Progress
    window: Window | None

    @property
    def shard_id(self) -> str:
        """Which shard it is."""
        ...

    async def save(self) -> None:
        """Store durably how far it is, if that has changed."""
        ...

    async def oldest(self) -> int | None:
        """Return the sequence of the oldest record that the source still has, if it says so."""
        ...


class ShardState:
    """How far one shard is. Mutable: progress, window, and what was stored last."""

    def __init__(self, work: StreamWork, lease: Lease, checkpoint: Checkpoint) -> None:
        self._work = work
        self._lease = lease
        self._saving = asyncio.Lock()
        self.checkpoint = checkpoint
        self.progress = Progress(checkpoint.sequence)
        self.window: Window | None = None
        length_s = float(work.mapping.settings.get("TumblingWindowInSeconds") or 0)
        if length_s and checkpoint.window is not None:
            self.window = Window.stored(checkpoint.window, length_s)

    @property
    def shard_id(self) -> str:
        """Which shard it is."""
        return self.checkpoint.shard_id

    async def oldest(self) -> int | None:
        """See `Ordered`. What a stream has lost is noticed when it is read."""
        return None

    async def save(self, *, done: bool = False) -> None:
        """Store how far it is, if that has changed; what comes meanwhile is stored together.

        Raises:
            LeaseLost: somebody else polls the mapping now.
        """
        async with self._saving:
            window = None if self.window is None else self.window.document()
            current = replace(
                self.checkpoint, sequence=self.progress.sequence, window=window, done=done
            )
            if current != self.checkpoint:
                await self._work.checkpoints.save(self._work.mapping, self._lease, current)
                self.checkpoint = current
