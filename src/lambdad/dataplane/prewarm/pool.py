"""Keeps environments of the runtimes in use ready, frozen, until a function needs one.

Bounded by number and by memory. An environment is made only while there is nothing better to do,
one at a time, so that it never competes with what runs; everything works when there is none.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from lambdad.config.sections import PrewarmConfig
from lambdad.dataplane.capacity import Claim, HostCapacity, Usage
from lambdad.dataplane.prewarm.sizing import Demand, wanted
from lambdad.dataplane.prewarm.waiting import WaitingRuntime, start_waiting
from lambdad.domain.clock import Clock
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.sandbox.base import Sandbox, SandboxBackend, SandboxSpec

_LOGGER = logging.getLogger(__name__)
# Every function has at least so much of these; more memory is given with the function.
EPHEMERAL_STORAGE_MB = 512
_MEMORY_MB = 256
_MIB = 1024 * 1024
# Between a cold start and the making of its replacement, so that a wave gets through first.
_PAUSE_S = 0.02
# Then one is made in spite of a load that does not end.
_PATIENCE = 100
_AFTER_FAILURE_S = 60.0
_WHEN_FULL_S = 5.0
# Until it has been measured.
_EXPECTED_MB = 32


@dataclass(frozen=True, slots=True)
class _Ready:
    """One that waits, and its part of the host's capacity."""

    runtime: WaitingRuntime
    claim: Claim


class PrewarmPool:
    """The environments that wait, by runtime.

    Mutable: those, the demand, and whether they are being made. `busy` says how many environments
    work at this moment.
    """

    def __init__(
        self,
        backend: SandboxBackend,
        config: PrewarmConfig,
        clock: Clock,
        spawn_task: Callable[[Coroutine[Any, Any, None]], None],
        *,
        capacity: HostCapacity,
        ports: tuple[int, ...],
        egress: bool,
    ) -> None:
        self.busy: Callable[[], int] = lambda: 0
        self._backend = backend
        self._capacity = capacity
        self._config = config
        self._clock = clock
        self._spawn_task = spawn_task
        self._ports = ports
        self._egress = egress
        self._ready: dict[str, deque[_Ready]] = {}
        self._runtimes: dict[str, Runtime] = {}
        self._demand: dict[str, Demand] = {}
        self._making: Claim | None = None
        self._filling = False
        self._closed = False
        self._rest_until = 0.0
        self._processors = os.cpu_count() or 1

    @property
    def enabled(self) -> bool:
        """Whether anything is ever kept ready."""
        return self._backend.zygotes and self._config.most > 0 and not self._closed

    def counts(self) -> dict[str, int]:
        """How many wait, by runtime identifier."""
        return {name: len(waiting) for name, waiting in self._ready.items() if waiting}

    def announce(self, runtime: Runtime) -> None:
        """A function of this runtime was deployed: it may be invoked soon."""
        if self.enabled and runtime.ahead:
            self._runtimes[runtime.identifier] = runtime
            self._demand_for(runtime).known_since = self._clock.monotonic()
            self._refill()

    def take(self, runtime: Runtime) -> WaitingRuntime | None:
        """Return an environment that waits, the caller's from now on, or None."""
        if not self.enabled or not runtime.ahead:
            return None
        self._runtimes[runtime.identifier] = runtime
        self._demand_for(runtime).started(self._clock.monotonic())
        ready = self._ready.get(runtime.identifier)
        taken = ready.popleft() if ready else None
        self._refill()
        if taken is None:
            return None
        taken.claim.release()
        return taken.runtime

    def give_up(self) -> bool:
        """See `Spares`: the one that was made last goes first."""
        for ready in self._ready.values():
            if ready:
                given = ready.pop()
                given.claim.leave()
                self._spawn_task(_end(given))
                return True
        if self._making is None or self._making.leaving:
            return False
        self._making.leave()
        return True

    async def close(self) -> None:
        """Take all of them down."""
        self._closed = True
        everything = [ready for waiting in self._ready.values() for ready in waiting]
        self._ready.clear()
        await asyncio.gather(*map(_end, everything))

    def _demand_for(self, runtime: Runtime) -> Demand:
        return self._demand.setdefault(runtime.identifier, Demand())

    def _refill(self) -> None:
        if not self._filling and self._next() is not None:
            self._filling = True
            self._spawn_task(self._fill())

    def _next(self) -> Runtime | None:
        """What to make another one of, if anything."""
        now = self._clock.monotonic()
        if not self.enabled or now < self._rest_until:
            return None
        total = sum(map(len, self._ready.values()))
        if total >= self._config.in_all:
            return None
        for name, demand in self._demand.items():
            target = wanted(demand, now, least=self._config.least, most=self._config.most)
            if len(self._ready.get(name, ())) < target:
                return self._runtimes[name]
        return None

    async def _fill(self) -> None:
        try:
            while (runtime := self._next()) is not None:
                await self._calm()
                await self._make(runtime)
        finally:
            self._filling = False

    async def _calm(self) -> None:
        """Wait for a moment at which a processor is free, but not for ever."""
        for _ in range(_PATIENCE):
            await asyncio.sleep(_PAUSE_S)
            if self.busy() < self._processors:
                return

    async def _make(self, runtime: Runtime) -> None:
        sandbox: Sandbox | None = None

        def measure() -> Usage:
            now = sandbox.memory_charge_bytes() if sandbox is not None else 0
            return Usage(now=now, peak=0)

        claim = self._capacity.spare(_EXPECTED_MB, measure)
        if claim is None:
            self._rest_until = self._clock.monotonic() + _WHEN_FULL_S
            return
        self._making = claim
        try:
            waiting = await self._waiting(runtime)
        except BaseException as error:
            claim.release()
            self._rest_until = self._clock.monotonic() + _AFTER_FAILURE_S
            if not isinstance(error, HostUnfit):
                raise
            _LOGGER.warning("no %s is started ahead: %s", runtime.identifier, error)
            return
        finally:
            self._making = None
        sandbox = waiting.sandbox
        ready = _Ready(waiting, claim)
        if self._closed or claim.leaving:
            await _end(ready)
        else:
            self._ready.setdefault(runtime.identifier, deque()).append(ready)

    async def _waiting(self, runtime: Runtime) -> WaitingRuntime:
        if runtime.zygote is not None:
            await self._backend.prepare(runtime.zygote)
        sandbox = await self._backend.create(
            SandboxSpec(
                environment_id=os.urandom(8).hex(),
                mounts=runtime.mounts,
                limits=ResourceLimits(
                    memory_mb=_MEMORY_MB, vcpus=None, ephemeral_storage_mb=EPHEMERAL_STORAGE_MB
                ),
                ports=self._ports,
                egress=self._egress,
                zygote=runtime.zygote,
            )
        )
        try:
            return await start_waiting(sandbox, runtime)
        except BaseException:
            await sandbox.destroy()
            raise


async def _end(ready: _Ready) -> None:
    await ready.runtime.dispose()
    ready.claim.release()
