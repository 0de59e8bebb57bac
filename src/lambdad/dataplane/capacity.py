"""How many environments this host holds and how much memory they have: who must go, who may come.

An environment without work counts with the memory that it really has. One that works, or begins
to, counts with what it may be expected to need: a share of its memory size, or the most that an
environment of its version had so far, or what it has, whichever is most. So memory is promised more
than once (`overcommit`), and what is really used is never forgotten.

What is kept only to be quick is given up first, then environments without work, the least recently
used first. Only when that would not do is a new one refused. Which environments have no work is
known by an :class:`EnvironmentKeeper`; what gives up what was prepared, by :class:`Spares`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from lambdad.dataplane.host_room import HostRoom
from lambdad.domain.clock import Clock
from lambdad.domain.errors import TooManyRequestsException

_LOGGER = logging.getLogger(__name__)

_MIB = 1024 * 1024
_PAUSE_S = 1.0
# Measured at once, which takes some 20 microseconds each; the others have their turn later.
_MEASURED_AT_ONCE = 256
_LOG_PAUSE_S = 10.0
# Of whose needs something is remembered.
_VERSIONS_MAX = 10_000

MEMORY_REASON = "HostMemoryLimitExceeded"
NUMBER_REASON = "HostEnvironmentLimitExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Memory of an environment in bytes, now and at most so far; 0 where that is not known."""

    now: int
    peak: int


class VersionMemory:
    """What environments of one function version need. Mutable: the most that one had.

    Attributes:
        expected: bytes that one more would need.
    """

    __slots__ = ("_peak", "_share", "expected", "promised")

    def __init__(self, memory_mb: int, overcommit: float) -> None:
        self.promised = memory_mb * _MIB
        self._share = int(self.promised / overcommit)
        self.peak = 0

    @property
    def peak(self) -> int:
        """The most bytes that one had."""
        return self._peak

    @peak.setter
    def peak(self, peak: int) -> None:
        self._peak = peak
        self.expected = min(max(self._share, peak), self.promised)


class Claim:
    """The part of one environment. Mutable: its weight, and what it does.

    Attributes:
        weight: bytes that it counts with.
        leaving: whether it is being taken down.
    """

    __slots__ = ("_capacity", "_held", "_measure", "_memory", "_working", "leaving", "weight")

    def __init__(
        self,
        capacity: HostCapacity,
        memory: VersionMemory,
        measure: Callable[[], Usage],
        *,
        kept: bool,
    ) -> None:
        """`kept`: counts with what it may need even without work, as provisioned ones do."""
        self.weight = 0
        self.leaving = False
        self._capacity = capacity
        self._memory = memory
        self._measure = measure
        self._working = True
        self._held = kept

    @property
    def working(self) -> bool:
        """Whether it has work, or counts as if it had."""
        return self._working

    def work(self) -> None:
        """It gets work."""
        if not self._working:
            self._working = True
            expected = self._memory.expected
            if self.weight < expected:
                self._capacity.weigh(self, expected)

    def rest(self) -> None:
        """It has none any more; its weight stays until it is measured."""
        if not self._held:
            self._working = False
            self._capacity.unmeasured[self] = None

    def leave(self) -> None:
        """It is being taken down."""
        self._capacity.leave(self)

    def release(self) -> None:
        """It is gone."""
        self._capacity.release(self)

    def measure(self) -> None:
        """Count with what it has."""
        usage = self._measure()
        self._memory.peak = max(self._memory.peak, usage.peak)
        if self._working:
            self._capacity.weigh(self, max(self._memory.expected, usage.now))
        elif usage.now:
            self._capacity.weigh(self, usage.now)
        else:  # not known yet
            self._capacity.unmeasured[self] = None


class EnvironmentKeeper(Protocol):
    """Who has the environments."""

    def claims_at_rest(self) -> Iterable[Claim]:
        """Those of environments that :meth:`evict` would take."""
        ...

    def evict(self) -> bool:
        """Begin to take down the environment that has had no work for the longest time.

        False when all work or are provisioned.
        """
        ...


class Spares(Protocol):
    """Who keeps things only to be quick, counted by :meth:`HostCapacity.spare`."""

    def give_up(self) -> bool:
        """Begin to take one down, with its claim's `leave`; False when there is none."""
        ...


class HostCapacity:
    """The host's environments. Mutable: their claims, and what was given up and refused.

    Attributes:
        used: bytes that all claims count with, of those that leave too.
        unmeasured: claims that count with more than they may have, in order.
        spares: who gives up first, or None.
    """

    def __init__(
        self,
        *,
        total_bytes: int,
        environments: int,
        clock: Clock,
        overcommit: float = 1.0,
        available: Callable[[], int] | None = None,
    ) -> None:
        """`available`: bytes that the host has left for environments at this moment."""
        self.used = 0
        self.unmeasured: dict[Claim, None] = {}
        self.spares: Spares | None = None
        self._total = total_bytes
        self._most = environments
        self._clock = clock
        self._overcommit = overcommit
        self._host = None if available is None else HostRoom(available, clock)
        self._versions: dict[Hashable, VersionMemory] = {}
        self._claims: dict[Claim, None] = {}
        self._leaving: set[Claim] = set()
        self._leaving_bytes = 0
        self._changed = asyncio.Event()
        self._evictions = self._given_up = self._refusals = 0
        self._logged_at: float | None = None
        self._unlogged = 0

    @classmethod
    def endless(cls, clock: Clock) -> HostCapacity:
        """One that is never full."""
        return cls(total_bytes=2**62, environments=2**31, clock=clock)

    def version(self, name: Hashable, memory_mb: int) -> VersionMemory:
        """Return what is known of the needs of a version, whose code has that `name`.

        It is remembered for longer than there are environments: those that were evicted may be
        needed again.
        """
        found = self._versions.pop(name, None)
        if found is None or found.promised != memory_mb * _MIB:
            found = VersionMemory(memory_mb, self._overcommit)
        self._versions[name] = found
        if len(self._versions) > _VERSIONS_MAX:
            del self._versions[next(iter(self._versions))]
        return found

    def claim(
        self,
        keeper: EnvironmentKeeper,
        memory: VersionMemory,
        measure: Callable[[], Usage],
        *,
        name: str,
        kept: bool = False,
    ) -> Claim:
        """Make room for one more environment, of the function `name`, and count it.

        Whoever makes it waits for :meth:`room` first.

        Raises:
            TooManyRequestsException: the host is full.
        """
        need = memory.expected
        if not self._fits(need):
            self._measure_those_at_rest()
            self._make_room(need, keeper)
        if not self._fits(need):
            raise self._refusal(need, name)
        return self._count(Claim(self, memory, measure, kept=kept), need)

    def spare(self, memory_mb: int, measure: Callable[[], Usage]) -> Claim | None:
        """Count something that is kept only to be quick, at first with `memory_mb`.

        None when that would cost others. Whoever makes an environment of it releases this claim:
        the environment has its own.
        """
        memory = VersionMemory(memory_mb, 1.0)
        if not self._fits(memory.expected):
            return None
        claim = self._count(Claim(self, memory, measure, kept=False), memory.expected)
        claim.rest()
        return claim

    async def room(self) -> None:
        """Wait until those that had to go are gone."""
        while self._leaving and (self.used > self._total or len(self._claims) > self._most):
            self._changed.clear()
            await self._changed.wait()

    def measure(self, keeper: EnvironmentKeeper) -> None:
        """Count with what environments have; when that is too much, those without work go."""
        self._measure_those_at_rest(_MEASURED_AT_ONCE)
        if self._host is not None:
            self._host.look()
        working = [claim for claim in self._claims if claim.working and not claim.leaving]
        for claim in working[:_MEASURED_AT_ONCE]:
            claim.measure()
            # To the end: all have their turn.
            del self._claims[claim]
            self._claims[claim] = None
        while self._committed > self._total and self._give_up(keeper):
            continue

    async def watch(self, keeper: EnvironmentKeeper) -> None:
        """Measure for ever."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            self.measure(keeper)

    def report(self) -> dict[str, int]:
        """Figures for people; memory in MiB."""
        return {
            "budget_mb": self._total // _MIB,
            "used_mb": -(-self.used // _MIB),
            "environments": len(self._claims),
            "environments_max": self._most,
            "evictions": self._evictions,
            "spares_given_up": self._given_up,
            "refusals": self._refusals,
        }

    def weigh(self, claim: Claim, weight: int) -> None:
        """Change what a claim counts with."""
        if claim in self._claims:
            self.used += weight - claim.weight
            if claim.leaving:
                self._leaving_bytes += weight - claim.weight
            claim.weight = weight

    def leave(self, claim: Claim) -> None:
        """See `Claim.leave`."""
        if claim in self._claims and not claim.leaving:
            claim.leaving = True
            self._leaving.add(claim)
            self._leaving_bytes += claim.weight
            self.unmeasured.pop(claim, None)

    def release(self, claim: Claim) -> None:
        """See `Claim.release`."""
        if claim in self._claims:
            self.leave(claim)
            del self._claims[claim]
            self._leaving.discard(claim)
            self._leaving_bytes -= claim.weight
            self.used -= claim.weight
            self._changed.set()

    @property
    def _committed(self) -> int:
        return self.used - self._leaving_bytes

    def _count(self, claim: Claim, weight: int) -> Claim:
        claim.weight = weight
        self._claims[claim] = None
        self.used += weight
        if self._host is not None:
            self._host.admitted(weight)
        return claim

    def _fits(self, need: int, *, freed: int = 0, fewer: int = 0) -> bool:
        """Whether there is room for so much, when so much and so many have gone."""
        if len(self._claims) - len(self._leaving) - fewer >= self._most:
            return False
        if self._committed - freed + need > self._total:
            return False
        return self._host is None or need <= self._host.left(need) + self._leaving_bytes + freed

    def _measure_those_at_rest(self, number: int | None = None) -> None:
        for claim in list(self.unmeasured)[:number]:
            self.unmeasured.pop(claim, None)
            claim.measure()

    def _make_room(self, need: int, keeper: EnvironmentKeeper) -> None:
        while not self._fits(need) and self._give_up_spare():
            continue
        if self._fits(need):
            return
        idle = [claim.weight for claim in keeper.claims_at_rest()]
        if not self._fits(need, freed=sum(idle), fewer=len(idle)):
            return  # nobody shall go in vain
        while not self._fits(need) and self._evict(keeper):
            continue

    def _give_up(self, keeper: EnvironmentKeeper) -> bool:
        return self._give_up_spare() or self._evict(keeper)

    def _give_up_spare(self) -> bool:
        if self.spares is None or not self.spares.give_up():
            return False
        self._given_up += 1
        return True

    def _evict(self, keeper: EnvironmentKeeper) -> bool:
        if not keeper.evict():
            return False
        self._evictions += 1
        return True

    def _refusal(self, need: int, name: str) -> TooManyRequestsException:
        self._refusals += 1
        self._unlogged += 1
        count = len(self._claims) - len(self._leaving)
        if count >= self._most:
            reason = NUMBER_REASON
            cause = f"there are {count} environments on this host, as many as may be"
            remedy = "Raise sandbox.max_environments."
        else:
            reason = MEMORY_REASON
            cause = (
                f"it needs {_mib(need)} MiB, and {count} environments that work or are provisioned "
                f"have {_mib(self._committed)} of {_mib(self._total)} MiB"
            )
            if self._host is not None and need > (left := self._host.look()) + self._leaving_bytes:
                cause += f"; the host itself has {_mib(left)} MiB left"
            remedy = (
                "Give this host more memory, lower memory sizes or concurrency, or set "
                "dataplane.memory_mb and dataplane.memory_overcommit."
            )
        self._log(f"no environment for {name}: {cause}. {remedy}")
        return TooManyRequestsException(
            f"This host has no room for another environment: {cause}.",
            Reason=reason,
            Type="User",
            retryAfterSeconds="1",
        )

    def _log(self, text: str) -> None:
        now = self._clock.monotonic()
        if self._logged_at is not None and now - self._logged_at < _LOG_PAUSE_S:
            return
        _LOGGER.warning("%s (%d refused since the last such line)", text, self._unlogged)
        self._logged_at, self._unlogged = now, 0


def _mib(size: int) -> int:
    return -(-size // _MIB)
