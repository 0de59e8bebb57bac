"""Footings made ahead, so that a cold start for which no environment waits is spared their making.

They hold no process, and a quarter of a MiB each. How many are kept follows the last wave of
starts; one is made at a time, and not while a wave goes on. Everything works when there is none.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from lambdad.domain.clock import Clock
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.domain.limits import EPHEMERAL_STORAGE_MB_DEFAULT
from lambdad.sandbox.footing import Footing, Foundry, Kind

_LOG = logging.getLogger(__name__)
# Of those that most functions have; what differs is set when it is known.
_LIMITS = ResourceLimits(
    memory_mb=128, vcpus=None, ephemeral_storage_mb=EPHEMERAL_STORAGE_MB_DEFAULT
)
# Starts within so long count as one wave, which may come again.
_WAVE_S = 10.0
_LEAST = 4
_PAUSE_S = 0.01
_QUIET_S = 0.05
_AFTER_FAILURE_S = 60.0


class Footings:
    """The ready ones.

    State: those; the kind they are of, which is the first that was asked for; when the last were
    asked for.

    Args:
        foundry: makes them.
        clock: for the waves.
        most: how many are kept; 0 keeps none.
        busy: how many sandboxes are being built.
        own: starts a task that is awaited before the backend closes.
    """

    def __init__(
        self,
        foundry: Foundry,
        clock: Clock,
        *,
        most: int,
        busy: Callable[[], int],
        own: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._foundry = foundry
        self._clock = clock
        self._most = most
        self._busy = busy
        self._own = own
        self._kind: Kind | None = None
        self._ready: deque[Footing] = deque()
        self._starts: deque[float] = deque(maxlen=max(most, 1))
        self._names = itertools.count()
        self._filling = False
        self._closed = False
        self._rest_until = 0.0
        self._processors = os.cpu_count() or 1

    @property
    def ready(self) -> int:
        """How many there are."""
        return len(self._ready)

    async def obtain(self, kind: Kind, name: str, limits: ResourceLimits) -> Footing:
        """Return one, the caller's from now on: a ready one, else one made now of that name.

        Raises:
            HostUnfit: the host refuses.
        """
        if self._is_kept(kind):
            self._starts.append(self._clock.monotonic())
            ready = self._ready.popleft() if self._ready else None
            self._refill()
            if ready is not None:
                return await self._assigned(ready, limits)
        try:
            return await self._foundry.make(kind, name, limits)
        except HostUnfit:
            if not self._ready:
                raise
            # What is kept may be what the host lacks.
            await self._foundry.dispose(self._ready.pop())
            return await self._foundry.make(kind, name, limits)

    def _is_kept(self, kind: Kind) -> bool:
        # A sandbox without a Runtime API is a trial; `/tmp` of other sizes is rare.
        if not kind.ports or kind.storage_mb != EPHEMERAL_STORAGE_MB_DEFAULT or self._most == 0:
            return False
        self._kind = self._kind or kind
        return kind == self._kind

    async def _assigned(self, footing: Footing, limits: ResourceLimits) -> Footing:
        try:
            footing.assign(limits)
        except OSError as error:
            await self._foundry.dispose(footing)
            raise HostUnfit(f"Limits cannot be set: {error}.", "See `lambdad doctor`.") from error
        return footing

    @property
    def _wanted(self) -> int:
        now = self._clock.monotonic()
        wave = sum(1 for start in self._starts if now - start <= _WAVE_S)
        return min(self._most, max(_LEAST, wave))

    def _refill(self) -> None:
        if not self._filling and not self._closed and self._clock.monotonic() >= self._rest_until:
            self._filling = True
            self._own(self._fill())

    async def _fill(self) -> None:
        try:
            while len(self._ready) < self._wanted and not self._closed:
                if not self._calm():
                    await asyncio.sleep(_PAUSE_S)
                    continue
                if not await self._make():
                    return
        finally:
            self._filling = False

    def _calm(self) -> bool:
        """Whether making one now keeps nobody waiting, or is overdue."""
        if len(self._ready) < _LEAST:
            return self._busy() < self._processors
        # What was built last starts its runtime now.
        return self._clock.monotonic() - self._starts[-1] >= _QUIET_S

    async def _make(self) -> bool:
        assert self._kind is not None  # noqa: S101 - who asks for a refill has asked for a kind
        try:
            footing = await self._foundry.make(self._kind, f"ready-{next(self._names)}", _LIMITS)
        except HostUnfit as error:
            _LOG.warning("no footing of a sandbox is made ahead: %s", error)
            self._rest_until = self._clock.monotonic() + _AFTER_FAILURE_S
            return False
        if self._closed:
            await self._foundry.dispose(footing)
        else:
            self._ready.append(footing)
        return True

    async def close(self) -> None:
        """Take all of them apart."""
        self._closed = True
        ready, self._ready = list(self._ready), deque()
        await asyncio.gather(*map(self._foundry.dispose, ready))
