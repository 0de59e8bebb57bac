"""START, END and REPORT of invocations that print nothing: kept as numbers, laid out for many.

So it is with those that found a warm environment and left its process alive. Whatever else is
written to the stream, and whoever takes what it has, has them laid out first.
"""

from __future__ import annotations

from lambdad.domain.logs import LogGroupKey
from lambdad.observability import report
from lambdad.observability.logs import LogWriter
from lambdad.observability.usage import billed_duration_ms

_KEPT_MAX = 200

# Request id, epoch milliseconds of begin and end, duration in milliseconds, peak in MiB.
_Ended = tuple[str, int, int, float, int]


class InvocationLines:
    """The stream of one environment.

    Mutable: the invocations that ended, in order; the one that goes on, by request id and begin,
    if nothing was written since it began.
    """

    __slots__ = ("_begun_ms", "_ended", "_memory_mb", "_request_id", "_stream", "_version")

    def __init__(
        self, logs: LogWriter, group: LogGroupKey, name: str, *, version: str, memory_mb: int
    ) -> None:
        """`version` and `memory_mb` are those of the function."""
        self._stream = logs.stream(group, name, self.lay_out)
        self._version = version
        self._memory_mb = memory_mb
        self._ended: list[_Ended] = []
        self._request_id: str | None = None
        self._begun_ms = 0

    def write(self, timestamp_ms: int, message: str) -> None:
        """Write anything else."""
        if self._ended or self._request_id is not None:
            self.lay_out()
        self._stream.write(timestamp_ms, message)

    def begin(self, request_id: str, begun_ms: int) -> None:
        """An invocation begins."""
        if self._stream.open:
            self._request_id = request_id
            self._begun_ms = begun_ms

    def end(self, ended_ms: int, duration_ms: float, peak_mb: int) -> bool:
        """It is over, as most are; False when something was written since it began."""
        request_id = self._request_id
        if request_id is None:
            return False
        self._request_id = None
        self._ended.append((request_id, self._begun_ms, ended_ms, duration_ms, peak_mb))
        if len(self._ended) >= _KEPT_MAX:
            self.lay_out()
        return True

    def lay_out(self) -> None:
        """Write what is there to write."""
        ended, self._ended = self._ended, []
        version, memory_mb = self._version, self._memory_mb
        times_ms: list[int] = []
        lines: list[str] = []
        for request_id, begun_ms, ended_ms, duration_ms, peak_mb in ended:
            billed_ms = billed_duration_ms(duration_ms)
            times_ms += (begun_ms, ended_ms, ended_ms)
            lines += (
                report.start_line(request_id, version),
                report.end_line(request_id),
                report.plain_line(request_id, duration_ms, billed_ms, memory_mb, peak_mb),
            )
        if self._request_id is not None:
            times_ms.append(self._begun_ms)
            lines.append(report.start_line(self._request_id, version))
            self._request_id = None
        if lines:
            self._stream.write_lines(times_ms, lines)
