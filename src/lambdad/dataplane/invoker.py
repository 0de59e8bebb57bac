"""The one door to running a function: route, admit, assign, run, settle."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator, Mapping

from lambdad.config.sections import DataPlaneConfig
from lambdad.dataplane.arrivals import Arrivals
from lambdad.dataplane.capacity import Claim, HostCapacity
from lambdad.dataplane.counting import ConcurrencyLedger
from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.dataplane.environment_state import EnvironmentState
from lambdad.dataplane.fleet import Fleet
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.provisioned import ConfigReader, ProvisionedConcurrency
from lambdad.dataplane.rates import Rates
from lambdad.dataplane.routing import Draw, FunctionReader
from lambdad.dataplane.snapshots import Snapshots
from lambdad.dataplane.streaming import ResponseStream, StreamedInvocation
from lambdad.dataplane.work import Work
from lambdad.domain.arns import FunctionKey
from lambdad.domain.concurrency import RESERVED_KIND, ProvisionedState, Reservation
from lambdad.domain.errors import TooManyRequestsException
from lambdad.domain.functions import Function
from lambdad.domain.invocations import Invocation, InvocationResult, Waiter

_IDLE = EnvironmentState.IDLE
_LOGGER = logging.getLogger(__name__)


class Invoker:
    """Runs invocations in environments.

    Mutable: the fleets by function and version, the ledger, and whether it drains.

    Attributes:
        capacity: what environments count in.
        metrics: what is counted by function, here and by whoever queues events.
        peaks: see `ConcurrencyLedger.peaks`.
        snapshots: of versions that SnapStart applies to.
    """

    def __init__(
        self,
        functions: FunctionReader,
        resources: ConfigReader,
        host: EnvironmentHost,
        config: DataPlaneConfig,
        *,
        draw: Draw = random.random,
        capacity: HostCapacity | None = None,
    ) -> None:
        """`draw` decides which of an alias's two versions runs a request.

        Without a `capacity` there is no end of room.
        """
        self.capacity = capacity or HostCapacity.endless(host.clock)
        self._functions = functions
        self._resources = resources
        self._arrivals = Arrivals(functions, resources, host, draw)
        self._host = host
        self._monotonic = host.clock.monotonic
        self._idle_timeout_s = config.idle_timeout_s
        self.metrics = host.metrics
        rates = Rates(environments=config.scaling_rate, requests=config.request_rate)
        self._ledger = ConcurrencyLedger(config.concurrency, rates)
        self.peaks = self._ledger.peaks
        self._provisioned = ProvisionedConcurrency(
            functions=functions, resources=resources, host=host, owner=self, ledger=self._ledger
        )
        self.snapshots = Snapshots(
            host, self, self._admit_template, bytes_max=config.snapshots_mb * 1024 * 1024
        )
        self._fleets: dict[tuple[FunctionKey, str], Fleet] = {}
        self._busy: dict[ExecutionEnvironment, Fleet] = {}
        self._closing: set[ExecutionEnvironment] = set()
        host.watch(lambda: len(self._busy))
        host.folders.changed = self._folder_changed
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._draining = False

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        """Run a function once. A caller that goes away does not stop what runs.

        Raises:
            ResourceNotFoundException, ResourceConflictException: it cannot run.
            TooManyRequestsException: a limit of concurrency or rate is reached.
            RecursiveInvocationException: it is part of a loop.
            PlatformError: the host failed.
        """
        # A caller that gives up cancels the future, which nobody else looks at.
        done: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self.begin(key, qualifier, invocation, done)
        return await done

    async def invoke_streaming(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> StreamedInvocation:
        """Run a function once and return when its answer begins; raises like :meth:`invoke`."""
        stream = ResponseStream(self._host.clock, self._host.stream_bytes_per_s)
        done = asyncio.get_running_loop().create_future()
        work = self.begin(key, qualifier, invocation, done, stream)
        await stream.opened()
        if done.done():
            done.result()  # raises when the host failed
        return StreamedInvocation(stream, done, executed_version=work.version, headers=work.headers)

    def begin(
        self,
        key: FunctionKey,
        qualifier: str | None,
        invocation: Invocation,
        waiter: Waiter,
        stream: ResponseStream | None = None,
    ) -> Work:
        """Begin to run a function; `waiter` is told the outcome. Raises like :meth:`invoke`."""
        route, trace = self._arrivals.route(key, qualifier, invocation)
        fleet = route.fleet
        if fleet is None or not fleet.serving or fleet.function is not route.function:
            fleet = route.fleet = self.fleet_of(route.function)
        try:
            environment = self._admit(fleet, invocation)
        except TooManyRequestsException:
            self.metrics.throttled(invocation.invoked_arn, self._host.clock.time())
            raise
        work = Work(
            invocation=invocation,
            trace_header=trace,
            version=route.function.version,
            waiter=waiter,
            stream=stream,
        )
        if not self._busy:
            self._quiet.clear()
        self._busy[environment] = fleet
        fleet.busy.add(environment)
        if environment.claim is not None:
            environment.claim.work()
        if environment.state is _IDLE:
            environment.run(work)
        else:
            self._host.spawn_task(self._run_cold(environment, work))
        return work

    async def _run_cold(self, environment: ExecutionEnvironment, work: Work) -> None:
        await self.capacity.room()
        await environment.run_cold(work)

    def _admit(self, fleet: Fleet, invocation: Invocation) -> ExecutionEnvironment:
        """Count an invocation and choose its environment."""
        now = self._monotonic()
        fleet.concurrency.acquire()
        try:
            if not invocation.is_event:
                fleet.concurrency.request(now)
            return fleet.take(invocation.tenant_id) or self._new_environment(
                fleet, invocation.tenant_id, now
            )
        except TooManyRequestsException:
            fleet.concurrency.release()
            raise

    def _new_environment(
        self, fleet: Fleet, tenant_id: str | None, now: float
    ) -> ExecutionEnvironment:
        fleet.concurrency.grow(now)
        environment = self.snapshots.environment(fleet.function)
        environment.tenant_id = tenant_id
        self._count(fleet, environment)
        return environment

    def _count(self, fleet: Fleet, environment: ExecutionEnvironment) -> None:
        environment.claim = self.capacity.claim(
            self,
            fleet.memory,
            environment.memory,
            name=fleet.function.arn,
            kept=environment.provisioned,
        )

    async def _admit_template(self, environment: ExecutionEnvironment) -> None:
        await self.make_room(self.fleet_of(environment.function), environment)

    async def make_room(self, fleet: Fleet, environment: ExecutionEnvironment) -> None:
        """See `FleetOwner`."""
        self._count(fleet, environment)
        await self.capacity.room()

    def claims_at_rest(self) -> Iterator[Claim]:
        """See `EnvironmentKeeper`."""
        for fleet in self._fleets.values():
            for environment in fleet.idle:
                if environment.claim is not None:
                    yield environment.claim

    def evict(self) -> bool:
        """See `EnvironmentKeeper`."""
        fleets = [fleet for fleet in self._fleets.values() if fleet.idle]
        if not fleets:
            return False
        oldest = min(fleets, key=lambda fleet: fleet.idle[0].idle_since)
        self.discard(oldest.idle.pop(0))
        return True

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        fleet = self._settle(environment)
        if fleet is None or not fleet.serving or self._draining:
            self.discard(environment)
        else:
            if not fleet.put(environment, environment.idle_since):
                self.discard(environment)
            elif environment.claim is not None:
                environment.claim.rest()
            if environment.provisioned:
                self._provisioned.reconcile(fleet)
        if not self._busy:
            self._note_quiet()

    def environment_lost(self, environment: ExecutionEnvironment) -> None:
        """See `EnvironmentOwner`."""
        fleet = self._settle(environment)
        if fleet is None:
            fleet = self.find_fleet(environment.function.key, environment.function.version)
        if fleet is not None:
            fleet.lose(environment)
            if environment.provisioned:
                self._provisioned.reconcile(fleet)
        self._note_quiet()

    def version_changed(self, function: Function) -> None:
        """See `VersionObserver`."""
        self._host.spawn_task(self._host.prepare(function))
        fleet = self.find_fleet(function.key, function.version)
        if fleet is not None:
            self._replace(fleet, fleet.update(function.serving))
        self._provisioned.version_changed(function)

    def version_deleted(self, function: Function) -> None:
        """See `VersionObserver`."""
        self._retire((function.key, function.version))
        self.snapshots.forget(function.key, function.version)
        self._provisioned.changed(function.key)

    def function_deleted(self, function: Function) -> None:
        """See `VersionObserver`."""
        for name in [name for name in self._fleets if name[0] == function.key]:
            self._retire(name)
        self.snapshots.forget(function.key)
        self._provisioned.changed(function.key)
        self._ledger.reserve(function.key, None)

    def aliases_changed(self, key: FunctionKey) -> None:
        """See `VersionObserver`."""
        self._provisioned.changed(key)

    def reservation_changed(self, key: FunctionKey, limit: int | None) -> None:
        """See `ConcurrencyObserver`."""
        self._ledger.reserve(key, limit)

    def provisioned_changed(self, key: FunctionKey) -> None:
        """See `ConcurrencyObserver`."""
        self._provisioned.changed(key)

    def provisioned_states(self, key: FunctionKey) -> Mapping[str, ProvisionedState]:
        """See `ConcurrencyObserver`."""
        return self._provisioned.states(key)

    def resume(self) -> None:
        """Take up what is stored, once, before the first invocation."""
        for reservation in map(Reservation.of, self._resources.all(RESERVED_KIND)):
            self._ledger.reserve(reservation.key, reservation.limit)
        self._provisioned.resume()
        self.snapshots.open()
        self._host.spawn_task(self._host.announce(self._functions.runtimes()))

    def digests(self) -> frozenset[str]:
        """Packages and images that environments run, whatever the control plane has now."""
        running = [environment.function for environment in self._everything()]
        return frozenset().union(*(each.packages | each.images for each in running))

    def counts(self) -> dict[str, int]:
        """Environments by what they do."""
        fleets = self._fleets.values()
        return {
            "busy": len(self._busy),
            "idle": sum(len(fleet.idle) + len(fleet.provisioned.idle) for fleet in fleets),
            "initialising": sum(len(fleet.provisioned.starting) for fleet in fleets),
            "closing": len(self._closing),
        }

    def reap(self) -> None:
        """Take down what has been idle for too long."""
        now = self._host.clock.monotonic()
        for name, fleet in list(self._fleets.items()):
            for environment in fleet.expired(now, self._idle_timeout_s):
                self.discard(environment)
            if outlived := fleet.outlived(now):
                for environment in outlived:
                    self.discard(environment)
                self._provisioned.reconcile(fleet)
            if fleet.empty:
                fleet.serving = False
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
        self._provisioned.stop()
        try:
            async with asyncio.timeout(timeout_s):
                await self.quiet()
        except TimeoutError:
            _LOGGER.warning("%d invocations were cut off", len(self._busy))
        everything = self._everything()
        for fleet in self._fleets.values():
            fleet.serving = False
        self._fleets.clear()
        await asyncio.gather(*(environment.close() for environment in everything))
        self.snapshots.close()

    def find_fleet(self, key: FunctionKey, version: str) -> Fleet | None:
        """See `FleetOwner`."""
        return self._fleets.get((key, version))

    def fleet_of(self, function: Function) -> Fleet:
        """See `FleetOwner`."""
        name = (function.key, function.version)
        fleet = self._fleets.get(name)
        if fleet is None:
            fleet = self._fleets[name] = Fleet(function, self._ledger.version(*name), self.capacity)
        elif function is not fleet.function:
            self._replace(fleet, fleet.update(function))
        return fleet

    def discard(self, environment: ExecutionEnvironment) -> None:
        """See `FleetOwner`."""
        if environment.claim is not None:
            environment.claim.leave()
        self._closing.add(environment)
        self._quiet.clear()
        self._host.spawn_task(self._finish_closing(environment))

    def _everything(self) -> set[ExecutionEnvironment]:
        fleets = self._fleets.values()
        return {*self._busy, *self._closing, *(e for fleet in fleets for e in fleet.environments)}

    def _folder_changed(self, folder: str) -> bool:
        found = [each for each in self._fleets.values() if each.function.code.folder == folder]
        for fleet in found:
            self._replace(fleet, fleet.renew())
        return bool(found)

    def _replace(self, fleet: Fleet, stale: list[ExecutionEnvironment]) -> None:
        for environment in stale:
            self.discard(environment)
        if stale:
            self._provisioned.reconcile(fleet)

    def _retire(self, name: tuple[FunctionKey, str]) -> None:
        fleet = self._fleets.pop(name, None)
        for environment in fleet.retire() if fleet is not None else ():
            self.discard(environment)

    def _settle(self, environment: ExecutionEnvironment) -> Fleet | None:
        """Count its work as done; None when it had none."""
        fleet = self._busy.pop(environment, None)
        if fleet is not None:
            fleet.busy.discard(environment)
            fleet.concurrency.release()
        return fleet

    async def _finish_closing(self, environment: ExecutionEnvironment) -> None:
        await environment.close()
        self._closing.discard(environment)
        self._note_quiet()

    def _note_quiet(self) -> None:
        if not self._busy and not self._closing:
            self._quiet.set()
