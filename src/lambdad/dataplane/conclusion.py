"""The end of an invocation in its log, usage and metrics: at once, or behind its answer."""

from __future__ import annotations

from math import inf

from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.dataplane.timing import Timing
from lambdad.dataplane.work import Work
from lambdad.domain.errors import FunctionError
from lambdad.observability.metrics import Calls, Metrics
from lambdad.observability.usage import peak_memory_mb
from lambdad.sandbox.base import Sandbox

_SHORT_S = 0.003
_YOUNG_S = 0.05


class PeakMemory:
    """The most memory that a sandbox has had. Mutable: what was read last, and when.

    Behind an invocation of less than three milliseconds, which cannot have taken much, one that
    was read in the last 50 ms will do.
    """

    __slots__ = ("_at", "_mb")

    def __init__(self) -> None:
        self._mb = 1
        self._at = -inf

    def megabytes(self, sandbox: Sandbox, size_mb: int, duration_s: float, now: float) -> int:
        """Return it, at most `size_mb`, behind an invocation that ended at `now`, monotonic s."""
        if duration_s >= _SHORT_S or now - self._at >= _YOUNG_S:
            self._mb = peak_memory_mb(sandbox.memory_peak_bytes(), size_mb)
            self._at = now
        return self._mb


class Conclusion:
    """Writes what there is to say of invocations that are over.

    Mutable: the one that waits to be written, with its end and the duration of its init; where
    the last one was counted, by which name and begin.
    """

    __slots__ = ("_arn", "_calls", "_later", "_log", "_metrics", "_minute", "_peak", "_waiting")

    def __init__(self, log: EnvironmentLog, timing: Timing, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._later = timing.conclusions.later
        self._peak = PeakMemory()
        self._waiting: tuple[Work, float, float | None, Sandbox] | None = None
        self._calls: Calls | None = None
        self._arn = ""
        self._minute = 0

    @property
    def waits(self) -> bool:
        """Whether one is over and not written."""
        return self._waiting is not None

    def later(self, work: Work, ended: float, init_s: float | None, sandbox: Sandbox) -> None:
        """Write it when all output of before its answer has been read."""
        self._waiting = (work, ended, init_s, sandbox)
        self._later(self)

    def conclude(self) -> None:
        """See `timing.Concluding`."""
        if self._waiting is not None:
            (work, ended, init_s, sandbox), self._waiting = self._waiting, None
            self.write(work, ended, init_s=init_s, sandbox=sandbox)

    def write(
        self,
        work: Work,
        ended: float,
        *,
        init_s: float | None,
        sandbox: Sandbox | None,
        fatal: FunctionError | None = None,
    ) -> bytes | None:
        """Write it; returns the tail of the log if the caller wants one.

        `ended` is in monotonic seconds, `fatal` what took the runtime process with it.
        """
        log = self._log
        duration_s = 0.0 if work.begun is None else ended - work.begun
        if sandbox is None:
            peak_mb = peak_memory_mb(0, log.memory_mb)
        else:
            peak_mb = self._peak.megabytes(sandbox, log.memory_mb, duration_s, ended)
        error = work.error if fatal is None else fatal
        duration_ms = duration_s * 1000
        self._where(work.invocation.invoked_arn).ended(duration_ms, failed=error is not None)
        if log.plain and init_s is None and fatal is None and log.end(duration_ms, peak_mb):
            return None
        usage = log.usage(work.invocation, duration_s=duration_s, init_s=init_s, peak_mb=peak_mb)
        course = None if log.plain else work.course(ended)
        return log.finish(usage, error, fatal=fatal is not None, course=course)

    def _where(self, arn: str) -> Calls:
        """Return where an invocation by this name is counted; most are where the last one was."""
        minute, calls = self._log.begun_ms // 60_000, self._calls
        if calls is None or calls.taken or minute != self._minute or arn != self._arn:
            calls = self._calls = self._metrics.calls(arn, self._log.version, minute)
            self._arn, self._minute = arn, minute
        return calls
