"""What an environment writes to its log stream, in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from lambdad.dataplane.failures import FatalError, outcome_of_phase, outcome_reported
from lambdad.dataplane.function_log import FunctionLog
from lambdad.dataplane.log_names import runtime_version
from lambdad.domain.clock import Clock
from lambdad.domain.environments import InitializationType
from lambdad.domain.errors import FunctionError
from lambdad.domain.functions import Function
from lambdad.domain.invocations import Invocation
from lambdad.observability import platform_events, report
from lambdad.observability.extension_records import extension_event, extension_line
from lambdad.observability.lines import FrameReader, LineSplitter
from lambdad.observability.logs import LogWriter
from lambdad.observability.platform_events import Course, Initialisation, event_time
from lambdad.observability.report import Outcome
from lambdad.observability.tail import LogTail
from lambdad.observability.usage import (
    Restore,
    UsageRecord,
    billed_duration_ms,
    billed_restore_ms,
)


class EnvironmentLog(FunctionLog):
    """What an environment tells of itself, phase by phase, and what its processes print.

    Mutable: what is unfinished of the guest's output; whether the end of the running invocation's
    runtime part is written; since when an init goes on that is not reported, and whether its
    runtime's part is; the restore to report.

    Attributes:
        memory_mb, version: of the function.
        begun_ms: when an invocation began last, epoch milliseconds.
    """

    def __init__(
        self,
        function: Function,
        clock: Clock,
        logs: LogWriter,
        initialization: InitializationType = InitializationType.ON_DEMAND,
    ) -> None:
        super().__init__(function, clock, logs)
        self.memory_mb = function.memory_mb
        self.version = function.version
        self.begun_ms = 0
        self._initialisation = Initialisation(initialization_type=initialization.value)
        self._init_begun: float | None = None
        self._init_runtime_done = self._runtime_done = True
        self._trace_header: str | None = None
        self._lines = LineSplitter()
        self._frames = FrameReader()
        self._restore: Restore | None = None

    def init_start(self, *, again: bool = False) -> None:
        """An environment begins to initialise; `again`: within an invocation."""
        self._init_begun = self._clock.monotonic()
        self._init_runtime_done = False
        of = self._initialisation
        self._initialisation = replace(of, phase="invoke" if again else "init")
        version, arn = runtime_version(self._function)
        self._platform(
            # Of a repeated init the format Text has no line, nor of one without a managed runtime.
            "" if again or not version else report.init_start_line(version, arn),
            lambda: platform_events.init_start(
                self._initialisation,
                runtime_version=version,
                runtime_version_arn=arn,
                name=self._function.key.name,
                version=self._function.version,
            ),
        )

    def init_began(self, moment: float) -> None:
        """Count what was started then, monotonic seconds: before that its sandbox was made."""
        if self._init_begun is not None:
            self._init_begun = moment

    def init_report(self, duration_s: float, error: FunctionError | None) -> None:
        """An init phase that failed, or that no invocation reports, is over."""
        outcome = outcome_of_phase(error)
        self._init_events(duration_s * 1000, outcome)
        line = report.init_report_line(duration_s * 1000, phase="init", outcome=outcome)
        self._platform(line, None)

    def init_runtime_done(self, outcome: Outcome | None = None) -> None:
        """The runtime has initialised; extensions may still."""
        if self._init_begun is not None and not self._init_runtime_done:
            self._init_runtime_done = True
            of = self._initialisation
            self._platform("", lambda: platform_events.init_runtime_done(of, outcome))

    def init_repeated(self, error: FunctionError | None) -> None:
        """An init within an invocation is over."""
        self._init_ended(outcome_of_phase(error))

    def restore_start(self) -> None:
        """An environment begins to be restored from a snapshot."""
        version, arn = runtime_version(self._function)
        key = self._function.key
        self._platform(
            report.restore_start_line(version, arn),
            lambda: platform_events.restore_start(
                runtime_version=version,
                runtime_version_arn=arn,
                name=key.name,
                version=self._function.version,
            ),
        )

    def restore_report(
        self, duration_s: float, hooks_s: float, error: FunctionError | None
    ) -> None:
        """A restore is over; hooks took so much of it. What comes next reports it, too."""
        duration_ms, outcome = duration_s * 1000, outcome_of_phase(error)
        self._platform("", lambda: platform_events.restore_runtime_done(outcome))
        self._platform(
            report.restore_report_line(duration_ms, outcome),
            lambda: platform_events.restore_report(duration_ms, outcome),
        )
        billed_ms = billed_restore_ms(hooks_s * 1000)
        self._restore = Restore(duration_ms=duration_ms, billed_ms=billed_ms) if not error else None

    def notice(self, text: str) -> None:
        """Say something of lambdad's own, whatever the levels."""
        if self._structured:
            told = {"timestamp": event_time(self._clock.now()), "level": "WARN", "message": text}
            text = json.dumps(told)
        self._store(self._now_ms(), f"{text}\n")

    def subscription(self, api: str, name: str, types: Sequence[str]) -> None:
        """An extension subscribed to telemetry; `api` is `telemetry` or `logs`."""
        self._platform(
            platform_events.subscription_line(api, name, types),
            lambda: platform_events.subscription(api, name, types),
        )

    def extension(
        self, name: str, state: str, events: Sequence[str], error_type: str | None
    ) -> None:
        """How an extension stands at the end of an init."""
        self._platform(
            extension_line(name, state, events, error_type),
            lambda: extension_event(name, state, events, error_type),
        )

    def line(self, line: str) -> None:
        """An extension printed a line."""
        self._application(line, "extension")

    def start(
        self, invocation: Invocation, trace: str | None = None, *, initialised: bool = True
    ) -> None:
        """An invocation begins, with this trace header; not `initialised`: the init failed."""
        # Of an init that an invocation reports the format Text has no line.
        if self._init_begun is not None:
            self._init_ended(None if initialised else Outcome(status="failure"))
        self._tail = LogTail() if invocation.wants_log_tail else None
        self.plain = not self._structured and self._tail is None and self._told is None
        self._runtime_done = False
        self._trace_header = trace
        self.begun_ms = int(self._clock.time() * 1000)
        if self.plain:
            self._invocations.begin(invocation.request_id, self.begun_ms)
            return
        version = self._function.version
        self._platform(
            report.start_line(invocation.request_id, version),
            lambda: platform_events.start(
                invocation.request_id, version, invocation.tenant_id, trace
            ),
        )

    def output(self, data: bytes) -> None:
        """The guest wrote to stdout or stderr."""
        for line in self._lines.feed(data):
            self._application(line)

    def telemetry(self, data: bytes) -> None:
        """The guest wrote framed records."""
        for frame in self._frames.feed(data):
            self._framed(frame)

    def end_of_output(self) -> None:
        """The guest process is gone: what it left unfinished is all there is."""
        for line in self._lines.flush():
            self._application(line)
        for frame in self._frames.flush():
            self._framed(frame)

    def runtime_done(
        self,
        request_id: str,
        duration_s: float,
        error: FunctionError | None,
        course: Course | None = None,
    ) -> None:
        """The runtime asks for more; extensions may still be at work. Only the first call counts.

        `error` is what the function reported.
        """
        # A line without an end belongs to the invocation that wrote it.
        for line in self._lines.flush():
            self._application(line)
        self._invocation_events(request_id, duration_s * 1000, outcome_reported(error), course)

    def end(self, duration_ms: float, peak_mb: int) -> bool:
        """A plain invocation is over, without an init, its process goes on.

        Returns False when :meth:`finish` has to say so: anything was written since it began.
        """
        if self._lines.unfinished or self._restore is not None:
            return False
        return self._invocations.end(int(self._clock.time() * 1000), duration_ms, peak_mb)

    def finish(
        self,
        usage: UsageRecord,
        error: FunctionError | None,
        *,
        fatal: bool,
        course: Course | None = None,
    ) -> bytes | None:
        """An invocation ends; returns the tail if the caller wants one.

        `fatal` says that the error took the runtime process with it.
        """
        for line in self._lines.flush():
            self._application(line)
        outcome = self._failure(usage.request_id, error) if error is not None and fatal else None
        if self.plain:
            self._runtime_done = True
            now_ms = int(self._clock.time() * 1000)
            self._store(now_ms, report.end_line(usage.request_id))
            self._store(now_ms, report.report_line(usage, outcome=outcome))
            return None
        ended = outcome if fatal else outcome_reported(error)
        self._invocation_events(usage.request_id, usage.duration_ms, ended, course)
        self._platform(report.end_line(usage.request_id), None)
        trace = self._trace_header
        self._platform(
            report.report_line(usage, outcome=outcome),
            lambda: platform_events.report(usage, ended, trace),
        )
        tail, self._tail = self._tail, None
        return tail.content() if tail is not None else None

    def usage(
        self,
        invocation: Invocation,
        *,
        duration_s: float,
        init_s: float | None,
        peak_mb: int,
    ) -> UsageRecord:
        """What the invocation used, in the figures that are billed; it began with :meth:`start`."""
        duration_ms = duration_s * 1000
        init_ms = None if init_s is None else init_s * 1000
        restore, self._restore = self._restore, None
        return UsageRecord(
            version=self._function.version,
            request_id=invocation.request_id,
            timestamp_ms=self.begun_ms,
            duration_ms=duration_ms,
            init_duration_ms=init_ms,
            billed_duration_ms=billed_duration_ms(duration_ms, init_ms),
            memory_size_mb=self.memory_mb,
            max_memory_used_mb=peak_mb,
            restore=restore,
        )

    def _failure(self, request_id: str, error: FunctionError) -> Outcome:
        if not isinstance(error, FatalError):
            return Outcome(status="error", error_type=error.error_type)
        if error.reason is not None:
            line = report.runtime_exited_line(request_id, error.reason, error.error_type)
            self._fault(line)
        if error.logged_type is not None:
            return Outcome(status="error", error_type=error.logged_type)
        timeout_s = float(self._function.timeout_s)
        self._fault(report.timed_out_line(self._clock.now(), request_id, timeout_s))
        return Outcome(status="timeout")

    def _invocation_events(
        self, request_id: str, duration_ms: float, outcome: Outcome | None, course: Course | None
    ) -> None:
        if self._runtime_done:
            return
        self._runtime_done = True
        if self.plain:
            return
        trace = self._trace_header
        self._platform(
            "",
            lambda: platform_events.runtime_done(
                request_id,
                duration_ms,
                outcome,
                course=course,
                moment=self._clock.now(),
                trace_header=trace,
            ),
        )

    def _init_ended(self, outcome: Outcome | None) -> None:
        if self._init_begun is not None:
            self._init_events((self._clock.monotonic() - self._init_begun) * 1000, outcome)

    def _init_events(self, duration_ms: float, outcome: Outcome | None) -> None:
        self.init_runtime_done(outcome)
        self._init_begun = None
        of = self._initialisation
        self._platform("", lambda: platform_events.init_report(of, duration_ms, outcome))
