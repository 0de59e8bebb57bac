"""What an environment writes to its log stream, and the tail that a caller asked for."""

from __future__ import annotations

import hashlib
import os

from lambdad.dataplane.failures import FatalError
from lambdad.domain.clock import Clock
from lambdad.domain.errors import FunctionError
from lambdad.domain.functions import Function
from lambdad.domain.invocations import Invocation
from lambdad.domain.logs import LogGroupKey
from lambdad.observability import report
from lambdad.observability.lines import FrameReader, LineSplitter
from lambdad.observability.logs import LogWriter
from lambdad.observability.report import Outcome
from lambdad.observability.tail import LogTail
from lambdad.observability.usage import UsageRecord, billed_duration_ms, peak_memory_mb


class EnvironmentLog:
    """The log stream of one environment.

    Mutable: what is unfinished of the guest's output, and the tail of the running invocation.
    """

    def __init__(self, function: Function, clock: Clock, logs: LogWriter) -> None:
        key = function.key
        self._function = function
        self._clock = clock
        self._logs = logs
        self._group = LogGroupKey(
            account_id=key.account_id, region=key.region, name=function.logging.log_group
        )
        self.stream = f"{clock.now():%Y/%m/%d}/[{function.version}]{os.urandom(16).hex()}"
        self._lines = LineSplitter()
        self._frames = FrameReader()
        self._tail: LogTail | None = None

    @property
    def congested(self) -> bool:
        """Whether the disk cannot keep up, so that the guest should wait."""
        return self._logs.congested

    async def uncongested(self) -> None:
        """Wait until the disk has caught up."""
        await self._logs.uncongested()

    def init_start(self) -> None:
        """A fresh environment begins to initialise."""
        version = _runtime_version(self._function.runtime)
        digest = hashlib.sha256(self._function.runtime.encode()).hexdigest()
        arn = f"arn:aws:lambda:{self._function.key.region}::runtime:{digest}"
        self._write(report.init_start_line(version, arn))

    def init_report(self, duration_s: float, error: FunctionError | None) -> None:
        """An init phase that failed, or that no invocation reports, is over."""
        outcome = None
        if isinstance(error, FatalError) and error.logged_type is None:
            outcome = Outcome(status="timeout")
        elif error is not None:
            outcome = Outcome(status="error", error_type=error.error_type)
        self._write(report.init_report_line(duration_s * 1000, phase="init", outcome=outcome))

    def start(self, invocation: Invocation) -> None:
        """An invocation begins."""
        self._tail = LogTail() if invocation.wants_log_tail else None
        self._write(report.start_line(invocation.request_id, self._function.version))

    def output(self, data: bytes) -> None:
        """The guest wrote to stdout or stderr."""
        for line in self._lines.feed(data):
            self._write(line)

    def telemetry(self, data: bytes) -> None:
        """The guest wrote framed records."""
        now_ms = int(self._clock.time() * 1000)
        for frame in self._frames.feed(data):
            self._write(frame.text, frame.happened_ms(now_ms))

    def end_of_output(self) -> None:
        """The guest process is gone: what it left unfinished is all there is."""
        for line in self._lines.flush():
            self._write(line)
        for frame in self._frames.flush():
            self._write(frame.text)

    def finish(
        self, usage: UsageRecord, error: FunctionError | None, *, fatal: bool
    ) -> bytes | None:
        """An invocation ends; returns the tail if the caller wants one.

        `fatal` says that the error took the runtime process with it.
        """
        # A line without an end belongs to the invocation that wrote it.
        for line in self._lines.flush():
            self._write(line)
        outcome = self._failure(usage.request_id, error) if error is not None and fatal else None
        self._write(report.end_line(usage.request_id))
        self._write(report.report_line(usage, outcome=outcome))
        tail, self._tail = self._tail, None
        return tail.content() if tail is not None else None

    def usage(
        self,
        invocation: Invocation,
        *,
        duration_s: float,
        init_s: float | None,
        peak_bytes: int,
    ) -> UsageRecord:
        """What the invocation used, in the figures that are billed."""
        duration_ms = duration_s * 1000
        init_ms = None if init_s is None else init_s * 1000
        memory_mb = self._function.memory_mb
        return UsageRecord(
            function=self._function.key,
            version=self._function.version,
            request_id=invocation.request_id,
            timestamp_ms=int((self._clock.time() - duration_s) * 1000),
            duration_ms=duration_ms,
            init_duration_ms=init_ms,
            billed_duration_ms=billed_duration_ms(duration_ms, init_ms),
            memory_size_mb=memory_mb,
            max_memory_used_mb=peak_memory_mb(peak_bytes, memory_mb),
        )

    def _failure(self, request_id: str, error: FunctionError) -> Outcome:
        if not isinstance(error, FatalError):
            return Outcome(status="error", error_type=error.error_type)
        if error.reason is not None:
            self._write(report.runtime_exited_line(request_id, error.reason, error.error_type))
        if error.logged_type is not None:
            return Outcome(status="error", error_type=error.logged_type)
        timeout_s = float(self._function.timeout_s)
        self._write(report.timed_out_line(self._clock.now(), request_id, timeout_s))
        return Outcome(status="timeout")

    def _write(self, message: str, timestamp_ms: int | None = None) -> None:
        if timestamp_ms is None:
            timestamp_ms = int(self._clock.time() * 1000)
        self._logs.write(self._group, self.stream, timestamp_ms, message)
        if self._tail is not None:
            self._tail.add(message)


def _runtime_version(identifier: str) -> str:
    """`python3.12` as AWS prints it: `python:3.12`; ours has no patch counter."""
    for family in ("python", "nodejs", "java", "dotnet", "ruby", "provided"):
        rest = identifier.removeprefix(family)
        if rest != identifier:
            return f"{family}:{rest.removeprefix('.').removesuffix('.x')}"
    return identifier
