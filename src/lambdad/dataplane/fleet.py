"""All environments of one function version: which is idle, which works, which must go."""

from __future__ import annotations

from dataclasses import replace

from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Function, State, Status

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
        role="",
    )


class Fleet:
    """Environments of one version. Mutable: the function as last seen, idle and busy ones."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.idle: list[ExecutionEnvironment] = []
        self.busy: set[ExecutionEnvironment] = set()
        self._runnable = runnable(function)

    @property
    def name(self) -> tuple[FunctionKey, str]:
        """Which function version."""
        return (self.function.key, self.function.version)

    def take(self) -> ExecutionEnvironment | None:
        """The most recently used idle environment, so that the others can age; or None."""
        return self.idle.pop() if self.idle else None

    def put(self, environment: ExecutionEnvironment) -> bool:
        """Keep a free environment; False when it is of old code and must go."""
        if environment.function is not self.function:
            return False
        self.idle.append(environment)
        return True

    def update(self, function: Function) -> list[ExecutionEnvironment]:
        """Serve a new configuration from now on; returns the idle environments that must go."""
        fresh = runnable(function)
        if fresh == self._runnable:
            self.function = function
            for environment in (*self.idle, *self.busy):
                if runnable(environment.function) == fresh:
                    environment.function = function
            return []
        self.function, self._runnable = function, fresh
        stale, self.idle = self.idle, []
        return stale

    def expired(self, now: float, idle_timeout_s: float) -> list[ExecutionEnvironment]:
        """Take out the environments that have been idle too long; the oldest come first."""
        kept = 0
        while kept < len(self.idle) and self.idle[kept].idle_since + idle_timeout_s <= now:
            kept += 1
        gone, self.idle = self.idle[:kept], self.idle[kept:]
        return gone

    @property
    def empty(self) -> bool:
        """Whether there is no environment at all."""
        return not self.idle and not self.busy
