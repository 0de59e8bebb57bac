"""The processes of one init: a runtime and its extensions, from their start to their end.

Decides when all of them wait for an event, and which failure was the first. What that means for
an invocation is the environment's business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from lambdad.dataplane import failures
from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.dataplane.extension_log import ExtensionLog
from lambdad.dataplane.extensions_api import messages
from lambdad.dataplane.extensions_api.extension import Extension, ExtensionFailure, ExtensionState
from lambdad.dataplane.extensions_api.session import ExtensionsSession, FunctionMetadata
from lambdad.dataplane.failures import Failure
from lambdad.dataplane.guest_apis import GuestApis
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.runtime_api.session import (
    RestoreCalls,
    RuntimeEvent,
    RuntimeObserver,
    RuntimeSession,
    RuntimeState,
)
from lambdad.dataplane.runtime_process import RuntimeProcess
from lambdad.dataplane.shutdown import FLUSH_S, TICK_S, ShutdownReason, reached, shut_down
from lambdad.dataplane.snapstart.image import Capture, Restore
from lambdad.dataplane.telemetry_api.stream import TelemetryStream
from lambdad.domain import limits
from lambdad.domain.environments import LAYER_ROOT, InitializationType
from lambdad.domain.functions import Function
from lambdad.sandbox.base import ExitStatus, Sandbox


class ProcessesObserver(RuntimeObserver, Protocol):
    """Who is told what the processes do, above all once they are initialised."""

    async def started(self) -> None:
        """The first program was asked for: what it need not wait for is done while it starts."""
        ...

    def initialised(self) -> bool:
        """The runtime has become ready, now, and there is nobody else to wait for.

        Whether it was given an event at once.
        """
        ...

    def all_waiting(self) -> None:
        """The runtime and every extension ask for the next event."""
        ...

    def failed(self, failure: Failure) -> None:
        """One of them ended, or said that it cannot go on."""
        ...


class Processes:
    """A runtime and its extensions.

    Mutable: the processes; the outcome of the init, as long as it goes on, and what failed right
    behind it; until when it may take, by the loop's clock; and the end of the SHUTDOWN phase,
    from its begin on.

    Attributes:
        begun: when the init began, in monotonic seconds: not before the sandbox stood, so that
            nobody pays for the making of that. Valid after :meth:`start`.
    """

    def __init__(
        self,
        function: Function,
        host: EnvironmentHost,
        log: EnvironmentLog,
        observer: ProcessesObserver,
        image: Capture | Restore | None = None,
    ) -> None:
        """`image` is what the runtime writes a snapshot to, or goes on with, if it does."""
        self.begun = self._deadline = 0.0
        self._image = image
        self._function = function
        self._host = host
        self._log = log
        self._observer = observer
        self._programs = host.extensions(function)
        names = [program.name for program in self._programs[: limits.EXTENSIONS]]
        metadata = FunctionMetadata(
            name=function.key.name,
            version=function.version,
            handler=function.handler,
            account_id=function.key.account_id,
        )
        self.telemetry = TelemetryStream(
            host.clock, self._connect, host.spawn_task, log.subscription
        )
        log.attach(self.telemetry)
        self._runtime = RuntimeSession(observer)
        self._extensions = ExtensionsSession(
            self, metadata, names, subscribe=self.telemetry.subscribe
        )
        self.apis = GuestApis(self._runtime, self._extensions)
        self._sandbox: Sandbox | None = None
        self._process: RuntimeProcess | None = None
        self._extension_processes: dict[str, RuntimeProcess] = {}
        self._outcome: asyncio.Future[Failure | None] | None = None
        self._late: Failure | None = None
        self._registered = asyncio.Event()
        self._shut_down: asyncio.Future[None] | None = None

    @property
    def extended(self) -> bool:
        """Whether there are extensions."""
        return self._extensions.present

    async def start(
        self, sandbox: Sandbox, initialization: InitializationType, limit_s: float
    ) -> Failure | None:
        """Start the extensions, then the runtime, and wait until all are ready.

        None when they are; else the first failure, an empty ExitStatus when they were not ready
        in time.

        Raises:
            NoEntrypoint: the function brings no program to start.
            HostUnfit: the sandbox is gone.
        """
        loop = asyncio.get_running_loop()
        self._sandbox = sandbox
        self._outcome = loop.create_future()
        self._deadline = loop.time() + limit_s + TICK_S
        self.begun = self._host.clock.monotonic()
        try:
            # One may fail when all had just been ready.
            outcome = await self._start(sandbox, initialization) or self._late
        finally:
            self._outcome = None
            self.telemetry.close_subscription()
        self.drain()  # what they wrote precedes what follows their init
        for extension in self._extensions.extensions:
            self._log.extension(
                extension.name, extension.state, extension.events, extension.error_type
            )
        return outcome

    async def _start(self, sandbox: Sandbox, initialization: InitializationType) -> Failure | None:
        assert self._outcome is not None  # noqa: S101 - made by start
        outcome = self._outcome
        if initialization is InitializationType.SNAP_START:
            template = isinstance(self._image, Capture)
            self._runtime.restores = RestoreCalls.HELD if template else RestoreCalls.GO_ON
            self.apis.credentials = self._host.identities.asked(
                sandbox, self._function, template=template
            )
        variables = await self._host.variables(
            sandbox, self._function, initialization, self._log.stream, self.apis.credentials
        )
        if self._programs:
            await self._observer.started()
            if (problem := self._launch_problem()) is not None:
                return problem
            for extension in self._extensions.extensions:
                await self._launch(sandbox, extension, variables)
            self._begin(sandbox)
            if not await reached(self._registered.wait(), self._deadline):
                return ExitStatus()
        if not outcome.done():
            try:
                self._process = await self._host.start_runtime(
                    sandbox,
                    self._function,
                    variables,
                    self._log,
                    self._runtime_ended,
                    session=self._runtime,
                    image=self._image,
                )
            finally:
                if not self._programs:
                    await self._observer.started()
            self._begin(sandbox)
            if not await reached(asyncio.shield(outcome), self._deadline) and not outcome.done():
                return ExitStatus()
        return outcome.result()

    def _begin(self, sandbox: Sandbox) -> None:
        """A program was started, perhaps asked for long before its sandbox stood."""
        late_s = sandbox.stood - self.begun
        if late_s > 0:
            self.begun = sandbox.stood
            self._deadline += late_s
            self._log.init_began(self.begun)

    def deliver(self, event: RuntimeEvent) -> None:
        """Begin an invocation. All must be waiting."""
        if self._extensions.present:
            self.telemetry.resume()
            self._extensions.invoke(
                messages.invoke_event(
                    deadline_ms=event.deadline_ms,
                    request_id=event.invocation.request_id,
                    invoked_arn=event.invocation.invoked_arn,
                    trace_header=event.trace_header,
                )
            )
        self._runtime.deliver(event)

    def pause(self) -> None:
        """They freeze until the next invocation."""
        if self._extensions.present:
            self.telemetry.pause()

    def drain(self) -> None:
        """Log what they have written so far."""
        for process in self._all():
            process.drain()

    def settle_init(self, outcome: Failure | None) -> bool:
        """End the init, if it goes on; whether it did."""
        if self._outcome is None:
            return False
        if not self._outcome.done():
            self._outcome.set_result(outcome)
        elif self._late is None:
            self._late = outcome
        self._registered.set()
        return True

    async def shut_down(self, reason: ShutdownReason) -> None:
        """Let them end in their time, if there are extensions; at once if there are none."""
        if not self.extended:
            return
        if self._shut_down is not None:
            await asyncio.shield(self._shut_down)
            return
        self._shut_down = asyncio.get_running_loop().create_future()
        try:
            if not self.telemetry.idle:
                # First, because who is told of the end may end.
                flushed = asyncio.get_running_loop().time() + FLUSH_S
                await reached(self.telemetry.flush(), flushed)
            await shut_down(
                self._extensions,
                self._process,
                self._extension_processes,
                clock=self._host.clock,
                reason=reason,
            )
        finally:
            self._shut_down.set_result(None)

    async def kill(self, sandbox: Sandbox) -> None:
        """Kill what was started.

        Raises:
            HostUnfit: the sandbox is gone and has to be replaced.
        """
        processes = self._all()
        for process in processes:
            process.disown()
        if processes:
            await sandbox.kill_processes()
        self.close()

    def close(self) -> None:
        """Log the rest of their output and free the pipes; may be called twice."""
        for process in self._all():
            process.close()
        self.telemetry.close()

    def runtime_ready(self) -> None:
        """See `RuntimeObserver`."""
        self._extensions.close_registration()
        outcome = self._outcome
        if outcome is not None:
            self.drain()
            if not self.extended and not outcome.done() and self._observer.initialised():
                # What happens from now on happens to an invocation.
                self._outcome = None
                outcome.set_result(None)
                return
            self._log.init_runtime_done()
        self._progress()

    def extension_registered(self) -> None:
        """See `ExtensionObserver`."""
        self._registered.set()

    def extension_ready(self) -> None:
        """See `ExtensionObserver`."""
        self._progress()

    def extension_failed(self, failure: ExtensionFailure) -> None:
        """See `ExtensionObserver`."""
        self._fail(failure)

    def _progress(self) -> None:
        waiting = self._runtime.state is RuntimeState.READY and self._extensions.waiting
        if waiting and not self.settle_init(None):
            self._observer.all_waiting()

    def _fail(self, failure: Failure) -> None:
        if not self.settle_init(failure):
            self._observer.failed(failure)

    async def _connect(self, port: int) -> socket.socket:
        """Make a connection to a listener of an extension."""
        if self._sandbox is None:
            raise ConnectionAbortedError("There is no sandbox.")
        return await self._sandbox.connect(port)

    def _all(self) -> Sequence[RuntimeProcess]:
        extensions = self._extension_processes.values()
        return (*extensions, self._process) if self._process is not None else (*extensions,)

    def _launch_problem(self) -> ExtensionFailure | None:
        """Why the extensions cannot be started."""
        if len(self._programs) > limits.EXTENSIONS:
            return self._refuse(None, f"Extension limit ({limits.EXTENSIONS}) reached")
        for extension, program in zip(self._extensions.extensions, self._programs, strict=True):
            if program.problem is not None:
                path = f"{LAYER_ROOT}/extensions/{program.name}"
                return self._refuse(extension, f"fork/exec {path}: {program.problem}")
        return None

    def _refuse(self, extension: Extension | None, reason: str) -> ExtensionFailure:
        if extension is not None:
            extension.state = ExtensionState.LAUNCH_ERROR
            extension.error_type = (
                "PermissionDenied" if reason.endswith("permission denied") else "UnknownError"
            )
        return ExtensionFailure(error_type="Extension.LaunchError", reason=reason)

    async def _launch(
        self, sandbox: Sandbox, extension: Extension, variables: Mapping[str, str]
    ) -> None:
        self._extension_processes[extension.name] = await self._host.start_extension(
            sandbox,
            extension.name,
            variables,
            ExtensionLog(self._log),
            lambda status: self._extension_ended(extension, status),
        )

    def _extension_ended(self, extension: Extension, status: ExitStatus) -> None:
        if self._shut_down is not None:
            return
        failure = failures.extension_exit(status)
        if extension.error_type is None:
            extension.error_type = failure.error_type
        self._fail(failure)

    def _runtime_ended(self, status: ExitStatus) -> None:
        if self._shut_down is None:
            self._runtime.behind_stream(lambda: self._fail(status))
