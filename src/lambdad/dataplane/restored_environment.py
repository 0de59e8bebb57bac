"""Environments that a snapshot is made of, and those that are restored from one.

Both are environments like others; they differ in how they come to be initialised. What a snapshot
is, and how a process goes on with it, is decided in `snapstart`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lambdad.dataplane import failures
from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.dataplane.environment_owner import EnvironmentOwner
from lambdad.dataplane.failures import Failure
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.processes import Processes
from lambdad.dataplane.shutdown import TICK_S
from lambdad.dataplane.snapstart.image import Capture, Restore, Snapshot
from lambdad.dataplane.work import Work
from lambdad.domain.environments import InitializationType
from lambdad.domain.errors import (
    FunctionError,
    SnapStartException,
    SnapStartTimeoutException,
)
from lambdad.domain.functions import Function
from lambdad.sandbox.base import ExitStatus

_LOGGER = logging.getLogger(__name__)

# AWS developer guide: an init that a snapshot is made of may take this long, or as long as the
# function's timeout if that is more; what is done after a restore may take ten seconds.
_INIT_TIMEOUT_S = 130.0
RESTORE_TIMEOUT_S = 10.0

_HOOK_FAILED = (
    "The after-restore runtime hook encountered an error. For more information, check the "
    "Amazon CloudWatch logs."
)
_TOO_LATE = "Lambda couldn't restore the snapshot within the timeout limit."


def init_timeout_s(function: Function) -> float:
    """Return how long the init of a version may take that is restored from snapshots."""
    return max(_INIT_TIMEOUT_S, function.timeout_s)


class _Nobody:
    """Owns an environment that never gets work; who made it closes it."""

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        """It never is."""

    def environment_lost(self, environment: ExecutionEnvironment) -> None:
        """Its maker learns by itself."""

    def discard(self, environment: ExecutionEnvironment) -> None:
        """Its maker will."""


class TemplateEnvironment(ExecutionEnvironment):
    """One whose process writes a snapshot of itself when it is initialised; then it is closed."""

    def __init__(self, function: Function, host: EnvironmentHost, capture: Capture) -> None:
        super().__init__(function, host, _Nobody(), InitializationType.SNAP_START)
        self._capture = capture

    def notice(self, text: str) -> None:
        """Say something in its log stream."""
        self._log.notice(text)

    def _renew_processes(self) -> None:
        self._processes = Processes(self.function, self._host, self._log, self, image=self._capture)


class RestoredEnvironment(ExecutionEnvironment):
    """One whose process goes on with a snapshot, or initialises where that cannot be.

    `used` is told why the snapshot was of no use, or nothing. Mutable: whether it was tried.
    """

    restored = True

    def __init__(
        self,
        function: Function,
        host: EnvironmentHost,
        owner: EnvironmentOwner,
        snapshot: Snapshot,
        used: Callable[[str], None],
    ) -> None:
        super().__init__(function, host, owner, InitializationType.SNAP_START)
        self._restore = Restore(snapshot)
        self._used = used
        self._tried = False

    async def close(self) -> None:
        """See `ExecutionEnvironment`."""
        self._restore.close()
        await super().close()

    def _renew_processes(self) -> None:
        image, self._tried = None if self._tried else self._restore, True
        self._processes = Processes(self.function, self._host, self._log, self, image=image)

    async def _run_cold(self, work: Work) -> None:
        if self._sandbox is not None:
            await super()._run_cold(work)
            return
        await self._open_sandbox()
        self._log.restore_start()
        overdue = asyncio.get_running_loop().call_later(RESTORE_TIMEOUT_S + TICK_S, self._overdue)
        try:
            outcome = await self._initialise(init_timeout_s(self.function))
        finally:
            overdue.cancel()
        how = self._restore.outcome()
        self._restore.close()
        if how.restored:
            self._used("")
            await self._go_on_restored(work, outcome, how.hooks_s)
        else:
            self._log_failure(how.reason or "Its process ended while it took on the snapshot.")
            await self._go_on(work, outcome)

    def _overdue(self) -> None:
        """Ten seconds are over: end the restore, but not an init that goes on in its place."""
        how = self._restore.outcome()
        if how.restored or not how.reason:
            self._processes.settle_init(ExitStatus())

    async def _go_on_restored(self, work: Work, outcome: Failure | None, hooks_s: float) -> None:
        duration_s, self._init_s = self._init_s or 0.0, None
        if outcome is None:
            self._log.restore_report(duration_s, hooks_s, None)
            self._begin(work, self.function.timeout_s)
            self._start_invoking(work)
            return
        error = failures.of_init(outcome, self._request_id, RESTORE_TIMEOUT_S)
        self._log.restore_report(duration_s, hooks_s, error)
        late = error.error_type == failures.TIMED_OUT
        work.break_off(
            SnapStartTimeoutException(_TOO_LATE) if late else SnapStartException(_HOOK_FAILED)
        )
        await self._give_up()

    def _log_failure(self, reason: str) -> None:
        _LOGGER.warning("%s was initialised, not restored: %s", self.function.arn, reason)
        self._used(reason)
        self._log.restore_report(0.0, 0.0, FunctionError("Sandbox.Failure", b""))
