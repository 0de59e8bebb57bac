"""The platform's own lines in a function's log, letter for letter as AWS writes them.

Pure: figures come in, lines come out. Every line is one log event and ends with its newline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lambdad.observability.usage import UsageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a phase ended when it did not end well.

    Attributes:
        status: `timeout` or `error`.
        error_type: with `error`, for example `Runtime.ExitError`.
    """

    status: str
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSegment:
    """The X-Ray segment of a sampled invocation."""

    trace_id: str
    segment_id: str


def init_start_line(runtime_version: str, runtime_version_arn: str) -> str:
    """First line of an environment, `runtime_version` as in `python:3.12.v38`."""
    return (
        f"INIT_START Runtime Version: {runtime_version}\t"
        f"Runtime Version ARN: {runtime_version_arn}\n"
    )


def init_report_line(duration_ms: float, *, phase: str, outcome: Outcome | None = None) -> str:
    """Line of an init phase that failed, or that AWS always reports (provisioned, snapshot).

    `phase` is `init`, or `invoke` when the init ran again inside an invocation.
    """
    ending = "" if outcome is None else f"\t{_outcome(outcome)}"
    return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}{ending}\n"


def restore_start_line(runtime_version: str, runtime_version_arn: str) -> str:
    """First line of an environment that is made from a snapshot."""
    return (
        f"RESTORE_START Runtime Version: {runtime_version}\t"
        f"Runtime Version ARN: {runtime_version_arn}\n"
    )


def restore_report_line(duration_ms: float, outcome: Outcome | None = None) -> str:
    """Line of a restore phase, however it ended."""
    ending = "" if outcome is None else f"\t{_outcome(outcome)}"
    return f"RESTORE_REPORT Restore Duration: {duration_ms:.2f} ms{ending}\n"


def start_line(request_id: str, version: str) -> str:
    """First line of an invocation."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end_line(request_id: str) -> str:
    """Line behind the function's own output."""
    return f"END RequestId: {request_id}\n"


def plain_line(
    request_id: str, duration_ms: float, billed_ms: int, memory_mb: int, peak_mb: int
) -> str:
    """Last line of an invocation in a warm environment that did not end its process."""
    return (
        f"REPORT RequestId: {request_id}\t"
        f"Duration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {billed_ms} ms\t"
        f"Memory Size: {memory_mb} MB\t"
        f"Max Memory Used: {peak_mb} MB\t\n"
    )


def report_line(
    usage: UsageRecord,
    *,
    outcome: Outcome | None = None,
    trace: TraceSegment | None = None,
) -> str:
    """Last line of an invocation."""
    line = plain_line(
        usage.request_id,
        usage.duration_ms,
        usage.billed_duration_ms,
        usage.memory_size_mb,
        usage.max_memory_used_mb,
    )[:-1]
    if usage.init_duration_ms is not None:
        line += f"Init Duration: {usage.init_duration_ms:.2f} ms\t"
    if usage.restore is not None:
        line += (
            f"Restore Duration: {usage.restore.duration_ms:.2f} ms\t"
            f"Billed Restore Duration: {usage.restore.billed_ms} ms\t"
        )
    if trace is not None:
        line += f"\nXRAY TraceId: {trace.trace_id}\tSegmentId: {trace.segment_id}\tSampled: true\t"
    # AWS quirk: a line ends with tab and newline, but with the newline alone behind a status.
    return f"{line}{_outcome(outcome)}\n" if outcome is not None else f"{line}\n"


def timed_out_line(moment: datetime, request_id: str, timeout_s: float) -> str:
    """Line of a function that ran out of time; a blank line belongs to the same event.

    AWS moved this to the status of the REPORT line, but tools look for it here.
    """
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return f"{stamp} {request_id} Task timed out after {timeout_s:.2f} seconds\n\n"


def runtime_exited_line(request_id: str, reason: str, error_type: str = "Runtime.ExitError") -> str:
    """Line of a runtime that ended; `reason` as in `Runtime exited with error: exit status 1`.

    AWS moved this to the status of the REPORT line, but tools look for it here.
    """
    return f"RequestId: {request_id} Error: {reason}\n{error_type}\n"


def _outcome(outcome: Outcome) -> str:
    if outcome.error_type is None:
        return f"Status: {outcome.status}"
    return f"Status: {outcome.status}\tError Type: {outcome.error_type}"
