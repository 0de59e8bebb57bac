"""Where a function's lines go: the store, the tail that a caller asked for, and subscribers.

Decides in which of the function's formats and from which levels on. The tail has the lines of the
format Text in any case, as on AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from lambdad.dataplane.invocation_lines import InvocationLines
from lambdad.dataplane.log_names import stream_name
from lambdad.dataplane.telemetry_api.stream import TelemetryStream
from lambdad.domain.clock import Clock
from lambdad.domain.functions import Function
from lambdad.domain.logs import LogGroupKey
from lambdad.observability import platform_events
from lambdad.observability.levels import admits, claims_of, credible
from lambdad.observability.lines import Frame
from lambdad.observability.logs import LogWriter
from lambdad.observability.platform_events import PlatformEvent
from lambdad.observability.tail import LogTail


class FunctionLog:
    """The log stream of one environment.

    Mutable: the tail of the running invocation; who gets telemetry.

    Attributes:
        stream: its name.
        plain: whether the running invocation has lines in the format Text, for the store alone.
    """

    def __init__(self, function: Function, clock: Clock, logs: LogWriter) -> None:
        key = function.key
        self._function = function
        self._clock = clock
        self._logs = logs
        group = LogGroupKey(
            account_id=key.account_id, region=key.region, name=function.logging.log_group
        )
        self.stream = stream_name(function, clock)
        self._invocations = InvocationLines(
            logs, group, self.stream, version=function.version, memory_mb=function.memory_mb
        )
        self._store = self._invocations.write
        self._structured = function.logging.log_format == "JSON"
        self._subscribers: TelemetryStream | None = None
        self._tail: LogTail | None = None
        self.plain = False

    @property
    def congested(self) -> bool:
        """Whether the disk cannot keep up, so that the guest should wait."""
        return self._logs.congested

    async def uncongested(self) -> None:
        """Wait until the disk has caught up."""
        await self._logs.uncongested()

    def attach(self, subscribers: TelemetryStream) -> None:
        """Tell whoever subscribed there what happens from now on, whatever format and levels."""
        self._subscribers = subscribers

    @property
    def _told(self) -> TelemetryStream | None:
        """Who is told by the Telemetry API; None when nobody is."""
        subscribers = self._subscribers
        return None if subscribers is None or subscribers.idle else subscribers

    def _platform(self, line: str, event_of: Callable[[], PlatformEvent] | None) -> None:
        """Write a record of the platform: the line or the event, as the function's format is."""
        if self.plain:
            if line:
                self._store(self._now_ms(), line)
            return
        if self._tail is not None:
            self._tail.add(line)
        told = self._told
        event = event_of() if event_of is not None and (told or self._structured) else None
        if told is not None and event is not None:
            told.platform(event, self._clock.now())
        if not self._structured:
            if line:
                self._store(self._now_ms(), line)
        elif event is not None and admits(self._function.logging.system_log_level, event.level):
            self._store(self._now_ms(), event.text(self._clock.now()))

    def _framed(self, frame: Frame) -> None:
        level = frame.level or (claims_of(frame.text).level if self._structured else None)
        self._printed(frame.text, level, frame.happened_ms(self._now_ms()))

    def _application(self, line: str, source: str = "function") -> None:
        """Write a line that somebody printed: only JSON has a level and a time of its own."""
        now_ms = self._now_ms()
        if not self._structured:
            self._printed(line, None, now_ms, source)
            return
        claims = claims_of(line)
        self._printed(line, claims.level, credible(claims.timestamp_ms, now_ms), source)

    def _printed(
        self, line: str, level: str | None, timestamp_ms: int, source: str = "function"
    ) -> None:
        if self._structured and not admits(self._function.logging.application_log_level, level):
            return
        if self._tail is not None:
            self._tail.add(line)
        if (told := self._told) is not None:
            moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
            told.printed(source, line, moment, structured=self._structured)
        self._store(timestamp_ms, line)

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)

    def _fault(self, line: str) -> None:
        """Write a line that has no event but for subscribers of the Logs API."""
        self._platform(line, None)
        if (told := self._told) is not None:
            told.platform(platform_events.fault(line.rstrip("\n")), self._clock.now())
