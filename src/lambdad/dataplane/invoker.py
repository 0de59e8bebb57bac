"""The one door to running a function: route, admit, assign, run, settle."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from lambdad.config.sections import DataPlaneConfig
from lambdad.dataplane.counting import ConcurrencyLedger
from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.dataplane.fleet import Fleet
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.routing import route
from lambdad.dataplane.tracing import trace_header
from lambdad.dataplane.work import Work
from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Function, UpdateStatus
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.storage.base import FunctionStore

_LOGGER = logging.getLogger(__name__)


class Invoker:
    """Runs invocations in environments.

    Mutable: the fleets by function and version, the ledger, and whether it drains.
    """

    def __init__(
        self, functions: FunctionStore, host: EnvironmentHost, config: DataPlaneConfig
    ) -> None:
        self._functions = functions
        self._host = host
        self._idle_timeout_s = config.idle_timeout_s
        self._ledger = ConcurrencyLedger(config.concurrency)
        self._fleets: dict[tuple[FunctionKey, str], Fleet] = {}
        self._busy: dict[ExecutionEnvironment, Fleet] = {}
        self._closing: set[ExecutionEnvironment] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._draining = False

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        """Run a function once. A caller that goes away does not stop what runs.

        Raises:
            ResourceNotFoundException, ResourceConflictException: it cannot run.
            TooManyRequestsException: a concurrency limit is reached.
            PlatformError: the host failed.
        """
        trace = trace_header(invocation.trace_header, self._host.clock.time())
        invocation = replace(invocation, trace_header=trace)
        function = route(self._functions, key, qualifier)
        self._ledger.acquire(key)
        self._quiet.clear()
        fleet = self._fleet(function)
        work = Work(invocation=invocation, done=asyncio.get_running_loop().create_future())
        environment = fleet.take()
        if environment is None:
            environment = ExecutionEnvironment(fleet.function, self._host, self)
        self._busy[environment] = fleet
        fleet.busy.add(environment)
        if environment.warm:
            environment.run(work)
        else:
            self._host.spawn_task(environment.run_cold(work))
        return await asyncio.shield(work.done)

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        fleet = self._settle(environment)
        current = fleet is not None and self._fleets.get(fleet.name) is fleet
        if fleet is None or not current or self._draining or not fleet.put(environment):
            self._close(environment)

    def environment_lost(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        if self._settle(environment) is None:
            function = environment.function
            fleet = self._fleets.get((function.key, function.version))
            if fleet is not None and environment in fleet.idle:
                fleet.idle.remove(environment)

    def version_changed(self, function: Function) -> None:
        """See `VersionObserver`."""
        self._host.spawn_task(self._host.prepare(function))
        fleet = self._fleets.get((function.key, function.version))
        if fleet is not None:
            self._update(fleet, function)

    def function_deleted(self, function: Function) -> None:
        """See `VersionObserver`."""
        for name, fleet in list(self._fleets.items()):
            if name[0] == function.key:
                del self._fleets[name]
                for environment in fleet.idle:
                    self._close(environment)

    def digests(self) -> frozenset[str]:
        """Packages that environments have mounted, whatever the control plane has now."""
        fleets = self._fleets.values()
        everything = {*self._busy, *self._closing, *(e for f in fleets for e in f.idle)}
        return frozenset(environment.function.code.digest for environment in everything)

    def counts(self) -> dict[str, int]:
        """Environments by what they do."""
        fleets = self._fleets.values()
        return {
            "busy": len(self._busy),
            "idle": sum(len(fleet.idle) for fleet in fleets),
            "closing": len(self._closing),
        }

    def reap(self) -> None:
        """Take down what has been idle for too long."""
        now = self._host.clock.monotonic()
        for name, fleet in list(self._fleets.items()):
            for environment in fleet.expired(now, self._idle_timeout_s):
                self._close(environment)
            if fleet.empty:
                del self._fleets[name]

    async def run_reaper(self) -> None:
        """Reap for ever."""
        pause_s = min(max(self._idle_timeout_s / 10, 0.05), 5.0)
        while True:
            await asyncio.sleep(pause_s)
            self.reap()

    async def quiet(self) -> None:
        """Wait until no environment works and none is being taken down."""
        await self._quiet.wait()

    async def drain(self, timeout_s: float) -> None:
        """Let running functions finish, for so long; then take every environment down."""
        self._draining = True
        try:
            async with asyncio.timeout(timeout_s):
                await self.quiet()
        except TimeoutError:
            _LOGGER.warning("%d invocations were cut off", len(self._busy))
        everything = {*self._busy, *self._closing}
        for fleet in self._fleets.values():
            everything.update(fleet.idle)
        self._fleets.clear()
        await asyncio.gather(*(environment.close() for environment in everything))

    def _fleet(self, function: Function) -> Fleet:
        name = (function.key, function.version)
        fleet = self._fleets.get(name)
        if fleet is None:
            fleet = self._fleets[name] = Fleet(function)
        elif function is not fleet.function:
            self._update(fleet, function)
        return fleet

    def _update(self, fleet: Fleet, function: Function) -> None:
        # AWS: the old code serves until the update is done.
        if function.status.last_update is UpdateStatus.IN_PROGRESS:
            return
        for environment in fleet.update(function):
            self._close(environment)

    def _settle(self, environment: ExecutionEnvironment) -> Fleet | None:
        """Count its work as done; None when it had none."""
        fleet = self._busy.pop(environment, None)
        if fleet is not None:
            fleet.busy.discard(environment)
            self._ledger.release(fleet.function.key)
            self._note_quiet()
        return fleet

    def _close(self, environment: ExecutionEnvironment) -> None:
        self._closing.add(environment)
        self._quiet.clear()
        self._host.spawn_task(self._finish_closing(environment))

    async def _finish_closing(self, environment: ExecutionEnvironment) -> None:
        await environment.close()
        self._closing.discard(environment)
        self._note_quiet()

    def _note_quiet(self) -> None:
        if not self._busy and not self._closing:
            self._quiet.set()
