"""Keeps environments of the runtimes in use ready, frozen, until a function needs one.

Bounded by number and by memory. An environment is made only while there is nothing better to do,
one at a time, so that it never competes with what runs; everything works when there is none.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from lambdad.config.sections import PrewarmConfig
from lambdad.dataplane.capacity import Claim, HostCapacity, Usage
from lambdad.dataplane.prewarm.sizing import Demand, next_kind, surplus_kind, wanted
from lambdad.dataplane.prewarm.waiting import WaitingRuntime, start_waiting
from lambdad.domain.clock import Clock
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.sandbox.base import Sandbox, SandboxBackend, SandboxSpec

_LOGGER = logging.getLogger(__name__)
# Every function has at least so much of these; more memory is given with the function. It is what
# most functions have, and what they have need not be set.
EPHEMERAL_STORAGE_MB = 512
_MEMORY_MB = 128
# Between a cold start and the making of its replacement, so that a wave gets through first.
_PAUSE_S = 0.02
# Then one is made in spite of a load that does not end.
_PATIENCE = 100
_AFTER_FAILURE_S = 60.0
_WHEN_FULL_S = 5.0
_LEAST_OF_A_SIZE = 1
# Until it has been measured.
_EXPECTED_MB = 32


@dataclass(frozen=True, slots=True)
class _Kind:
    """Which functions one that waits is good for: those of a runtime, or of a memory size too."""

    identifier: str
    memory_mb: int | None


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
        self._ready: dict[_Kind, deque[_Ready]] = {}
        self._runtimes: dict[_Kind, Runtime] = {}
        self._demand: dict[_Kind, Demand] = {}
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
        counts: Counter[str] = Counter()
        for kind, waiting in self._ready.items():
            counts[kind.identifier] += len(waiting)
        return dict(+counts)

    def announce(self, runtime: Runtime, memory_mb: int) -> None:
        """A function of this runtime and size was deployed: it may be invoked soon."""
        if self.enabled and runtime.ahead:
            demand = self._demand_for(_kind(runtime, memory_mb), runtime)
            demand.known_since = self._clock.monotonic()
            self._refill()

    def take(self, runtime: Runtime, memory_mb: int) -> WaitingRuntime | None:
        """Return an environment that waits, the caller's from now on, or None."""
        if not self.enabled or not runtime.ahead:
            return None
        kind = _kind(runtime, memory_mb)
        self._demand_for(kind, runtime).started(self._clock.monotonic())
        ready = self._ready.get(kind)
        taken = ready.popleft() if ready else None
        # Whoever takes one is in a hurry.
        asyncio.get_running_loop().call_soon(self._refill)
        if taken is None:
            return None
        taken.claim.release()
        return taken.runtime

    async def obtain(self, runtime: Runtime, memory_mb: int) -> WaitingRuntime | None:
        """As :meth:`take`, but make one if none waits; None where there can be none.

        Raises:
            HostUnfit: it cannot be made.
        """
        taken = self.take(runtime, memory_mb)
        if taken is not None or self._closed or not (runtime.ahead and self._backend.zygotes):
            return taken
        kind = _kind(runtime, memory_mb)
        self._runtimes[kind] = runtime
        return await self._waiting(kind)

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

    def _demand_for(self, kind: _Kind, runtime: Runtime) -> Demand:
        self._runtimes[kind] = runtime
        return self._demand.setdefault(kind, Demand())

    def _refill(self) -> None:
        if not self._filling and self._next() is not None:
            self._filling = True
            self._spawn_task(self._fill())

    def _next(self) -> _Kind | None:
        """What to make another one of, if anything."""
        now = self._clock.monotonic()
        if not self.enabled or now < self._rest_until:
            return None
        ready = {kind: len(waiting) for kind, waiting in self._ready.items()}
        targets = {kind: self._target(kind, demand, now) for kind, demand in self._demand.items()}
        wanting = next_kind(ready, targets)
        if wanting is None or sum(ready.values()) < self._config.in_all:
            return wanting
        surplus = surplus_kind(ready, targets)
        if surplus is None:
            return None
        given = self._ready[surplus].pop()
        given.claim.leave()
        self._spawn_task(_end(given))
        return wanting

    def _target(self, kind: _Kind, demand: Demand, now: float) -> int:
        least = self._config.least
        if kind.memory_mb is not None:
            # There may be many sizes, and what depends on them is large.
            least = min(least, _LEAST_OF_A_SIZE)
        return wanted(demand, now, least=least, most=self._config.most)

    async def _fill(self) -> None:
        try:
            while (kind := self._next()) is not None:
                await self._calm()
                await self._make(kind)
        finally:
            self._filling = False

    async def _calm(self) -> None:
        """Wait for a moment at which a processor is free, but not for ever."""
        for _ in range(_PATIENCE):
            await asyncio.sleep(_PAUSE_S)
            if self.busy() < self._processors:
                return

    async def _make(self, kind: _Kind) -> None:
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
            waiting = await self._waiting(kind)
        except BaseException as error:
            claim.release()
            self._rest_until = self._clock.monotonic() + _AFTER_FAILURE_S
            if not isinstance(error, HostUnfit):
                raise
            _LOGGER.warning("no %s is started ahead: %s", kind.identifier, error)
            return
        finally:
            self._making = None
        sandbox = waiting.sandbox
        ready = _Ready(waiting, claim)
        if self._closed or claim.leaving:
            await _end(ready)
        else:
            self._ready.setdefault(kind, deque()).append(ready)

    async def _waiting(self, kind: _Kind) -> WaitingRuntime:
        runtime = self._runtimes[kind]
        if runtime.zygote is not None:
            await self._backend.prepare(runtime.zygote)
        sandbox = await self._backend.create(
            SandboxSpec(
                environment_id=os.urandom(8).hex(),
                mounts=runtime.mounts,
                limits=ResourceLimits(
                    memory_mb=max(_MEMORY_MB, kind.memory_mb or 0),
                    vcpus=None,
                    ephemeral_storage_mb=EPHEMERAL_STORAGE_MB,
                ),
                ports=self._ports,
                egress=self._egress,
                zygote=runtime.zygote,
            )
        )
        try:
            return await start_waiting(sandbox, runtime, kind.memory_mb)
        except BaseException:
            await sandbox.destroy()
            raise


def _kind(runtime: Runtime, memory_mb: int) -> _Kind:
    return _Kind(runtime.identifier, memory_mb if runtime.sized else None)


async def _end(ready: _Ready) -> None:
    await ready.runtime.dispose()
    ready.claim.release()
