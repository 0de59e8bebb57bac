"""All environments of one function version: which is idle, which works, which must go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf

from lambdad.dataplane.capacity import HostCapacity, VersionMemory
from lambdad.dataplane.counting import VersionConcurrency
from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Function, State, Status

# Initialised at once of one version: more would slow down what is being invoked. Every version
# has its own, so that code that hangs holds nobody else up.
_AT_ONCE = 4

_NO_STATUS = Status(state=State.ACTIVE)


def runnable(function: Function) -> Function:
    """The function reduced to what its environments depend on."""
    return replace(
        function,
        status=_NO_STATUS,
        revision_id="",
        last_modified="",
        description="",
        tags={},
    )


def _memory_of(function: Function, capacity: HostCapacity) -> VersionMemory:
    name = (function.key, function.version, function.code.digest)
    return capacity.version(name, function.memory_mb)


class ProvisionedEnvironments:
    """Environments of one version that are kept initialised; `gate` is held to initialise one.

    Mutable:
        target: how many there shall be.
        failure: why there cannot be as many, else None.
        unused_deaths: how many ended in a row without having worked.
        members: all of them, the busy ones too.
        starting: those that are not initialised yet.
        idle: those that wait for work.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(_AT_ONCE)
        self.target = 0
        self.failure: str | None = None
        self.unused_deaths = 0
        self.members: set[ExecutionEnvironment] = set()
        self.starting: set[ExecutionEnvironment] = set()
        self.idle: list[ExecutionEnvironment] = []

    @property
    def initialised(self) -> int:
        """How many are ready to work or at work."""
        return len(self.members) - len(self.starting)

    def put(self, environment: ExecutionEnvironment) -> bool:
        """Keep one that has worked; False when it is not initialised or one too many."""
        if not environment.warm or len(self.members) > self.target:
            self.members.discard(environment)
            return False
        self.unused_deaths = 0
        self.idle.append(environment)
        return True

    def drop(self, environment: ExecutionEnvironment) -> bool:
        """Forget one; whether it was initialised and had no work."""
        self.members.discard(environment)
        self.starting.discard(environment)
        if environment not in self.idle:
            return False
        self.idle.remove(environment)
        return True

    def surplus(self) -> list[ExecutionEnvironment]:
        """Take out what there is too much of; those that work stay until they have done."""
        number = max(0, len(self.members) - self.target)
        gone = [*self.starting, *self.idle][:number]
        for environment in gone:
            self.drop(environment)
        return gone


class Fleet:
    """Environments of one version.

    Mutable: the function as last seen, idle and busy ones, and whether new work comes to it.
    """

    def __init__(
        self, function: Function, concurrency: VersionConcurrency, capacity: HostCapacity
    ) -> None:
        self.serving = True
        self.function = function
        self.concurrency = concurrency
        self.memory = _memory_of(function, capacity)
        self._capacity = capacity
        self.idle: list[ExecutionEnvironment] = []
        self.busy: set[ExecutionEnvironment] = set()
        self.provisioned = ProvisionedEnvironments()
        self._runnable = runnable(function)

    @property
    def name(self) -> tuple[FunctionKey, str]:
        """Which function version."""
        return (self.function.key, self.function.version)

    def take(self, tenant_id: str | None = None) -> ExecutionEnvironment | None:
        """An idle environment or None: a provisioned one first, then one of the last used.

        So the others can age. With a tenant, only one that no other tenant has used.
        """
        if tenant_id is not None:
            return self._take_of(tenant_id)
        idle = self.provisioned.idle or self.idle
        if not idle:
            return None
        if idle[-1].conclusion.waits:
            # To give it work costs a look at what it has printed: rather one that was free before.
            for position in range(len(idle) - 2, -1, -1):
                if not idle[position].conclusion.waits:
                    return idle.pop(position)
        return idle.pop()

    def _take_of(self, tenant_id: str) -> ExecutionEnvironment | None:
        for position in reversed(range(len(self.idle))):
            if self.idle[position].tenant_id == tenant_id:
                return self.idle.pop(position)
        return None

    def put(self, environment: ExecutionEnvironment, now: float) -> bool:
        """Keep a free environment; False when it is too old, of old code or too many: it must go.

        `now` is monotonic time.
        """
        if environment.function is not self.function or environment.renew_at <= now:
            self.provisioned.drop(environment)
            return False
        if environment.provisioned:
            return self.provisioned.put(environment)
        self.idle.append(environment)
        return True

    def lose(self, environment: ExecutionEnvironment) -> None:
        """An environment is gone."""
        if environment in self.idle:
            self.idle.remove(environment)
        elif self.provisioned.drop(environment):
            self.provisioned.unused_deaths += 1

    def update(self, function: Function) -> list[ExecutionEnvironment]:
        """Serve a new configuration from now on; returns the idle environments that must go."""
        fresh = runnable(function)
        if fresh == self._runnable:
            self.function = function
            for environment in (*self.idle, *self.busy, *self.provisioned.members):
                if runnable(environment.function) == fresh:
                    environment.function = function
            return []
        self.function, self._runnable = function, fresh
        self.memory = _memory_of(function, self._capacity)
        return self._empty_out()

    def renew(self) -> list[ExecutionEnvironment]:
        """Its code is other code now; returns what does not work at this moment, and must go."""
        for environment in self.busy:
            environment.renew_at = -inf
        for environment in self.provisioned.members:
            environment.renew_at = -inf
        return self._empty_out()

    def retire(self) -> list[ExecutionEnvironment]:
        """Serve nothing any more; returns what does not work at this moment."""
        self.serving = False
        self.provisioned.target = 0
        return self._empty_out()

    def outlived(self, now: float) -> list[ExecutionEnvironment]:
        """Take out idle environments whose credentials would expire before long."""
        old = [each for each in self.idle if each.renew_at <= now]
        for environment in old:
            self.idle.remove(environment)
        provisioned = [each for each in self.provisioned.idle if each.renew_at <= now]
        for environment in provisioned:
            self.provisioned.drop(environment)
        return [*old, *provisioned]

    def expired(self, now: float, idle_timeout_s: float) -> list[ExecutionEnvironment]:
        """Take out the environments that have been idle too long; the oldest come first.

        Provisioned ones stay.
        """
        kept = 0
        while kept < len(self.idle) and self.idle[kept].idle_since + idle_timeout_s <= now:
            kept += 1
        gone, self.idle = self.idle[:kept], self.idle[kept:]
        return gone

    @property
    def environments(self) -> frozenset[ExecutionEnvironment]:
        """All of them."""
        return frozenset((*self.idle, *self.busy, *self.provisioned.members))

    @property
    def empty(self) -> bool:
        """Whether there is no environment at all and none is wanted."""
        return not self.environments and not self.provisioned.target

    def _empty_out(self) -> list[ExecutionEnvironment]:
        provisioned = [*self.provisioned.starting, *self.provisioned.idle]
        for environment in provisioned:
            self.provisioned.drop(environment)
        stale, self.idle = self.idle, []
        return [*stale, *provisioned]
