"""An execution environment: one sandbox, one runtime process, one request at a time.

Decides what happens in which phase; how a process is confined is the sandbox's business, which
call may follow which the Runtime API session's, and who gets which request the fleet's.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

from lambdad.authz.role_credentials import RENEWAL_S
from lambdad.dataplane import failures
from lambdad.dataplane.answering import Answering
from lambdad.dataplane.conclusion import Conclusion
from lambdad.dataplane.entrypoints import NoEntrypoint
from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.dataplane.environment_owner import EnvironmentOwner
from lambdad.dataplane.environment_state import FREED, TAKEN, EnvironmentState, follow
from lambdad.dataplane.failures import Failure
from lambdad.dataplane.freezing import GRACE_S
from lambdad.dataplane.guest_doors import GuestDoors
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.processes import Processes
from lambdad.dataplane.shutdown import TICK_S, ShutdownReason, reason_of
from lambdad.dataplane.timing import Due
from lambdad.dataplane.work import Work
from lambdad.domain.environments import InitializationType
from lambdad.domain.errors import FunctionError, PlatformError
from lambdad.domain.functions import Function
from lambdad.sandbox.base import ExitStatus

_INVOKING = EnvironmentState.INVOKING
_LOGGER = logging.getLogger(__name__)


class ExecutionEnvironment(Answering):
    """One environment of one function version, and of one tenant where there are tenants.

    Mutable: state, sandbox (from the first init on), the processes of the last init, work in hand,
    and whether one event followed right after the other.

    Attributes:
        provisioned: whether it is kept initialised.
        conclusion: what is to be written of its last invocation.
    """

    def __init__(
        self,
        function: Function,
        host: EnvironmentHost,
        owner: EnvironmentOwner,
        initialization: InitializationType = InitializationType.ON_DEMAND,
    ) -> None:
        super().__init__(host)
        self._doors = GuestDoors(host, lambda: self._processes.apis)
        self.function = function
        self.initialization = initialization
        self.provisioned = initialization.provisioned
        self.tenant_id: str | None = None
        self.state = EnvironmentState.NEW
        self.idle_since = 0.0
        self.renew_at = host.clock.monotonic() + RENEWAL_S
        self._owner = owner
        self._time = host.clock.time
        self._environment_id = host.new_environment_id()
        self._log = EnvironmentLog(function, host.clock, host.logs, initialization)
        self.conclusion = Conclusion(self._log, host.timing, host.metrics)
        self._freezer, self._deadlines = host.timing.freezer, host.timing.deadlines
        self._processes = Processes(function, host, self._log, self)
        self._announce: Callable[[], None] | None = None
        self._due: Due | None = None
        self._init_s: float | None = None
        self._end_reason = ShutdownReason.SPINDOWN
        self._busy = False

    @property
    def warm(self) -> bool:
        """Whether :meth:`run` may be used; otherwise :meth:`run_cold`."""
        return self.state is EnvironmentState.IDLE

    def run(self, work: Work) -> None:
        """Give the waiting runtime an event. `work` gets the outcome."""
        assert self._sandbox is not None  # noqa: S101 - IDLE has a sandbox
        if self.conclusion.waits:
            self._conclude_now()
        self.state = TAKEN
        self._work = work
        work.begun = now = self._monotonic()
        timeout_s = self.function.timeout_s
        self._log.start(work.invocation, work.trace_header)
        self._due = self._deadlines.arm(self, timeout_s + TICK_S)
        self._busy = now - self.idle_since < GRACE_S
        if not self._freezer.keep(self._sandbox):
            self._sandbox.thaw()
        work.deadline_ms = int((self._time() + timeout_s) * 1000)
        self._processes.deliver(work)

    async def run_cold(self, work: Work) -> None:
        """Initialise, then run. Never raises: the outcome, good or bad, is in `work`."""
        self._work = work
        try:
            await self._run_cold(work)
        except PlatformError as error:
            _LOGGER.error("environment %s: %s", self._environment_id, error)
            work.break_off(error)
            await self._give_up()
        except Exception:
            _LOGGER.exception("environment %s failed", self._environment_id)
            work.break_off(PlatformError("An internal error occurred."))
            await self._give_up()

    async def initialise_ahead(self, limit_s: float) -> None:
        """Initialise without work, within `limit_s` seconds, and wait for work, frozen.

        Raises:
            FunctionError: its code failed or was not ready in time; it is closed.
            PlatformError: the host failed, or it was closed meanwhile.
        """
        try:
            await self._open_sandbox()
            outcome = await self._initialise(limit_s, self._log.init_start)
            self._finish_init(None if outcome is None else failures.of_init(outcome, "", limit_s))
        except Exception:
            await self.close()
            raise

    async def close(self) -> None:
        """Take everything down, extensions in their time; never raises, may be called twice."""
        if self.state is not EnvironmentState.DEAD:
            self._enter(EnvironmentState.DEAD)
        self._conclude_now()
        self._be_on_time()
        self._processes.settle_init(ExitStatus(signal=signal.SIGKILL))
        if self._sandbox is not None:
            self._freezer.keep(self._sandbox)
        if self._sandbox is not None and self._processes.extended:
            self._sandbox.thaw()
            await self._processes.shut_down(self._end_reason)
        self._processes.close()
        self._doors.close()
        await self._vacate()

    # -- initialisation ---------------------------------------------------------------------

    async def _run_cold(self, work: Work) -> None:
        if self._sandbox is None:
            await self._open_sandbox()
            limit_s = self._host.init_timeout_s
            await self._go_on(work, await self._initialise(limit_s, self._log.init_start))
        else:
            await self._initialise_suppressed(work)

    async def _go_on(self, work: Work, outcome: Failure | None) -> None:
        """Run after the first init, or fail with it."""
        if isinstance(outcome, FunctionError):
            self._log.init_report(self._init_s or 0.0, outcome)
            self._begin(work, None)
            self._fail(outcome)
        elif outcome is not None:
            # AWS: it runs again inside the invoke ("suppressed init"), on the function's timeout.
            error = failures.of_init(outcome, "", self._host.init_timeout_s)
            self._log.init_report(self._init_s or 0.0, error)
            self._enter(EnvironmentState.RESETTING)
            await self._kill_processes(reason_of(error))
            await self._initialise_suppressed(work)
        elif self.state is EnvironmentState.INITIALISING:  # and not given work by `initialised`
            self._go(work)

    async def _initialise_suppressed(self, work: Work) -> None:
        self._renew_processes()
        self._begin(work, None)
        timeout_s = self.function.timeout_s
        outcome = await self._initialise(timeout_s, lambda: self._log.init_start(again=True))
        self._init_s = None
        if outcome is None:
            self._log.init_repeated(None)
            left_s = max(timeout_s - self._elapsed(work), 0.0)
            self._due = self._deadlines.arm(self, left_s + TICK_S)
            self._start_invoking(work)
        else:
            error = failures.of_init(outcome, self._request_id, timeout_s)
            self._log.init_repeated(error)
            self._fail(error)

    def _finish_init(self, error: FunctionError | None) -> None:
        """End an init that no work waits for: AWS reports every one of these."""
        if self.state is EnvironmentState.DEAD:
            raise PlatformError("The environment was closed while it was initialised.")
        duration_s, self._init_s = self._init_s or 0.0, None
        self._processes.drain()
        self._log.init_report(duration_s, error)
        if error is not None:
            raise error
        self._enter(EnvironmentState.IDLE)
        assert self._sandbox is not None  # noqa: S101 - initialised before
        self._sandbox.set_limits(self._host.limits(self.function))
        self._processes.pause()
        self._sandbox.freeze()
        self.idle_since = self._monotonic()

    async def _open_sandbox(self) -> None:
        self._sandbox = await self._find_room(self._environment_id, self.function)
        self._renew_processes()

    def _renew_processes(self) -> None:
        """Make the processes of the next init."""
        self._processes = Processes(self.function, self._host, self._log, self)

    async def _initialise(
        self, limit_s: float, announce: Callable[[], None] | None = None
    ) -> Failure | None:
        """Start the processes and wait until they are ready; returns as `Processes.start`."""
        self._announce = announce
        assert self._sandbox is not None  # noqa: S101 - opened before
        self._enter(EnvironmentState.INITIALISING)
        try:
            outcome = await self._processes.start(self._sandbox, self.initialization, limit_s)
        except NoEntrypoint as missing:
            return failures.invalid_entrypoint(self._request_id, missing.reason, missing.error_type)
        if outcome is not None or self.state is EnvironmentState.INITIALISING:
            self._init_s = self._monotonic() - self._processes.begun
        return outcome

    def _go(self, work: Work) -> None:
        """The first init has succeeded, just now: run."""
        self._init_s = self._monotonic() - self._processes.begun
        # The event first: what is written of it is written while the runtime reads that.
        self._start_invoking(work)
        self._begin(work, self.function.timeout_s)

    def _start_invoking(self, work: Work) -> None:
        self._enter(EnvironmentState.INVOKING)
        self._deliver(work)
        self._limit_soon(self._host.limits(self.function))

    # -- the invoke phase -------------------------------------------------------------------

    def _begin(self, work: Work, timeout_s: float | None) -> None:
        work.begun = self._monotonic()
        initialised = timeout_s is not None
        self._log.start(work.invocation, work.trace_header, initialised=initialised)
        if timeout_s is not None:
            self._due = self._deadlines.arm(self, timeout_s + TICK_S)

    def _be_on_time(self) -> None:
        if self._due is not None:
            self._due.pop(self, None)
            self._due = None

    def _deliver(self, work: Work) -> None:
        remaining_s = self.function.timeout_s - self._elapsed(work)
        work.deadline_ms = int((self._time() + remaining_s) * 1000)
        self._processes.deliver(work)

    def _settle(self, work: Work, *, extended: bool) -> None:
        """All ask for more: the phase is over, freeze until the next event."""
        assert self._sandbox is not None  # noqa: S101 - INVOKING has a sandbox
        self._work = None
        if self._due is not None:
            self._due.pop(self, None)
            self._due = None
        self.idle_since = now = self._monotonic()
        init_s, self._init_s = self._init_s, None
        if work.told and not extended:
            self.conclusion.later(work, now, init_s, self._sandbox)
        else:
            self._processes.drain()
            work.tell(self.conclusion.write(work, now, init_s=init_s, sandbox=self._sandbox))
            self._processes.pause()
        self.state = FREED
        if self._busy:
            self._freezer.later(self._sandbox)
        else:
            self._freezer.at_once(self._sandbox)
        self._owner.environment_free(self)

    def _conclude_now(self) -> None:
        """Write the end of what is answered before anything else is logged."""
        if self.conclusion.waits:
            self._processes.drain()
            self.conclusion.conclude()

    async def _kill_processes(self, reason: ShutdownReason) -> None:
        await self._processes.shut_down(reason)
        self._doors.disconnect()
        if self._sandbox is not None:
            await self._processes.kill(self._sandbox)

    async def _give_up(self) -> None:
        # Again even when closed: what was being made then came too late for it.
        self._end_reason = ShutdownReason.FAILURE
        await self.close()
        self._owner.environment_lost(self)

    def runtime_ready(self) -> None:
        """See `RuntimeObserver`."""
        work = self._work if self.state is _INVOKING else None
        if work is not None:
            if not self._processes.extended:
                self._settle(work, extended=False)  # there is nobody else to wait for
                return
            # Its part of the invocation is over, and extensions may wait to be told so.
            self._processes.drain()
            course = work.course(self._monotonic())
            self._log.runtime_done(self._request_id, self._elapsed(work), work.error, course)
        self._processes.runtime_ready()

    def init_failed(self, error_type: str, payload: bytes) -> None:
        """See `RuntimeObserver`."""
        self._processes.settle_init(FunctionError(error_type, payload))

    async def started(self) -> None:
        """See `ProcessesObserver`."""
        assert self._sandbox is not None  # noqa: S101 - opened before
        if self._announce is not None:
            self._announce()
            self._log.init_began(self._processes.begun)
        await self._doors.open(self._sandbox)

    def initialised(self) -> bool:
        """See `ProcessesObserver`."""
        ahead = self.initialization is not InitializationType.ON_DEMAND
        if self._work is None or self._work.begun is not None or ahead:
            return False
        self._go(self._work)
        return True

    def all_waiting(self) -> None:
        """See `ProcessesObserver`."""
        if self.state is EnvironmentState.INVOKING and self._work is not None:
            self._settle(self._work, extended=self._processes.extended)

    def failed(self, failure: Failure) -> None:
        """See `ProcessesObserver`."""
        if self.state is EnvironmentState.INVOKING and self._work is not None:
            self._fail(failures.of_init(failure, self._request_id, self.function.timeout_s))
        elif self.state is EnvironmentState.IDLE:
            # First, so that nobody is given an environment that takes its time to end.
            self._end_reason = ShutdownReason.FAILURE
            self._owner.discard(self)
            self._owner.environment_lost(self)

    def timed_out(self) -> None:
        """See `Timed`."""
        self._due = None
        if self.state is EnvironmentState.INVOKING and self._work is not None:
            self._fail(failures.timed_out(self._request_id, self.function.timeout_s))

    def _fail(self, error: FunctionError) -> None:
        """End the work with an error after which the processes cannot be used again."""
        work, self._work = self._work, None
        if work is None:
            return
        self._be_on_time()
        work.fail(error)
        self._processes.drain()
        now = self._monotonic()
        # How long the init took belongs to this invocation, once.
        init_s, self._init_s = self._init_s, None
        tail = self.conclusion.write(work, now, init_s=init_s, sandbox=self._sandbox, fatal=error)
        if self.state is EnvironmentState.DEAD:
            work.tell(tail)
        self._enter(EnvironmentState.RESETTING)
        self._host.spawn_task(self._reset(work, tail, reason_of(error)))

    async def _reset(self, work: Work, tail: bytes | None, reason: ShutdownReason) -> None:
        """Be free again, then tell the caller, whose next request shall find this environment."""
        try:
            await self._kill_processes(reason)
            if self.state is EnvironmentState.RESETTING:
                self._enter(EnvironmentState.RESET)
                self.idle_since = self._monotonic()
                self._owner.environment_free(self)
        except PlatformError as error:
            _LOGGER.error("environment %s: %s", self._environment_id, error)
            await self._give_up()
        finally:
            work.tell(tail)

    def _enter(self, state: EnvironmentState) -> None:
        self.state = follow(self.state, state)
