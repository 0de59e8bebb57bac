"""The platform's own records in a function's log of JSON format, as AWS writes them. Pure.

The same records in the format Text are lines; those stand in `report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambdad.observability.report import Outcome
from lambdad.observability.usage import UsageRecord

_ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformEvent:
    """One record.

    Attributes:
        level: it is kept if the function's SystemLogLevel is this or lower.
        record: text where AWS writes text: of a fault.
    """

    type: str
    level: str
    record: Mapping[str, Any] | str

    def text(self, moment: datetime) -> str:
        """Return the log event, as it happened at `moment` (UTC)."""
        document = {"time": event_time(moment), "type": self.type, "record": self.record}
        return json.dumps(document, separators=(",", ":"))


def event_time(moment: datetime) -> str:
    """Write a time (UTC) as every record begins: `2025-11-24T16:00:00.000Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialisation:
    """Why and in which phase an environment is initialised: `init`, or `invoke` if again."""

    initialization_type: str
    phase: str = "init"

    @property
    def members(self) -> dict[str, str]:
        """As every record of it begins."""
        return {"initializationType": self.initialization_type, "phase": self.phase}


def init_start(
    of: Initialisation, *, runtime_version: str, runtime_version_arn: str, name: str, version: str
) -> PlatformEvent:
    """An environment begins to initialise."""
    record = {
        **of.members,
        "runtimeVersion": runtime_version,
        "runtimeVersionArn": runtime_version_arn,
        "functionName": name,
        "functionVersion": version,
    }
    return PlatformEvent(type="platform.initStart", level="INFO", record=record)


def init_runtime_done(of: Initialisation, outcome: Outcome | None) -> PlatformEvent:
    """The runtime has initialised, or failed to."""
    record = {**of.members, **_status(outcome)}
    return PlatformEvent(
        type="platform.initRuntimeDone", level=_level("DEBUG", outcome), record=record
    )


def init_report(of: Initialisation, duration_ms: float, outcome: Outcome | None) -> PlatformEvent:
    """The init phase is over."""
    quiet = "DEBUG" if of.initialization_type == _ON_DEMAND else "INFO"
    record = {
        **of.members,
        **_status(outcome),
        "metrics": {"durationMs": _shown(duration_ms)},
    }
    return PlatformEvent(type="platform.initReport", level=_level(quiet, outcome), record=record)


def restore_start(
    *, runtime_version: str, runtime_version_arn: str, name: str, version: str
) -> PlatformEvent:
    """An environment begins to be restored from a snapshot."""
    record = {
        "functionName": name,
        "functionVersion": version,
        "runtimeVersion": runtime_version,
        "runtimeVersionArn": runtime_version_arn,
    }
    return PlatformEvent(type="platform.restoreStart", level="INFO", record=record)


def restore_runtime_done(outcome: Outcome | None) -> PlatformEvent:
    """The runtime goes on after its restore, or cannot."""
    return PlatformEvent(
        type="platform.restoreRuntimeDone",
        level=_level("DEBUG", outcome),
        record=_status(outcome),
    )


def restore_report(duration_ms: float, outcome: Outcome | None) -> PlatformEvent:
    """The restore phase is over."""
    record = {**_status(outcome), "metrics": {"durationMs": _shown(duration_ms)}}
    return PlatformEvent(
        type="platform.restoreReport", level=_level("INFO", outcome), record=record
    )


def start(
    request_id: str, version: str, tenant_id: str | None = None, trace_header: str | None = None
) -> PlatformEvent:
    """An invocation begins."""
    record: dict[str, Any] = {"requestId": request_id, "version": version}
    if tenant_id is not None:
        record["tenantId"] = tenant_id
    record.update(_tracing(trace_header))
    return PlatformEvent(type="platform.start", level="INFO", record=record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How an invocation went in time; monotonic seconds, None for what did not happen.

    Attributes:
        began: its event was given to the runtime.
        response_began: the first byte of the answer was there.
        response_ended: the last one was.
        ended: the runtime asked for the next event.
        produced_bytes: size of the answer.
    """

    began: float
    response_began: float | None
    response_ended: float | None
    ended: float
    produced_bytes: int

    def spans(self, ended_at: datetime) -> list[dict[str, Any]]:
        """Return the parts of an invocation that ended at `ended_at`, as far as it came."""
        if self.response_began is None or self.response_ended is None:
            return []
        parts = (
            ("responseLatency", self.began, self.response_began),
            ("responseDuration", self.response_began, self.response_ended),
            ("runtimeOverhead", self.response_ended, self.ended),
        )
        return [
            {
                "name": name,
                "start": event_time(ended_at - timedelta(seconds=self.ended - begin)),
                "durationMs": _shown((end - begin) * 1000),
            }
            for name, begin, end in parts
        ]


def runtime_done(
    request_id: str,
    duration_ms: float,
    outcome: Outcome | None,
    *,
    course: Course | None = None,
    moment: datetime | None = None,
    trace_header: str | None = None,
) -> PlatformEvent:
    """The runtime has answered and asks for more, or will not; `course` ended at `moment`."""
    metrics: dict[str, float] = {"durationMs": _shown(duration_ms)}
    record: dict[str, Any] = {"requestId": request_id, **_status(outcome), "metrics": metrics}
    if course is not None and moment is not None and (spans := course.spans(moment)):
        metrics["producedBytes"] = course.produced_bytes
        record["spans"] = spans
    record.update(_tracing(trace_header))
    return PlatformEvent(type="platform.runtimeDone", level=_level("DEBUG", outcome), record=record)


def report(
    usage: UsageRecord, outcome: Outcome | None, trace_header: str | None = None
) -> PlatformEvent:
    """An invocation is over."""
    metrics: dict[str, float] = {
        "durationMs": _shown(usage.duration_ms),
        "billedDurationMs": usage.billed_duration_ms,
        "memorySizeMB": usage.memory_size_mb,
        "maxMemoryUsedMB": usage.max_memory_used_mb,
    }
    if usage.init_duration_ms is not None:
        metrics["initDurationMs"] = _shown(usage.init_duration_ms)
    if usage.restore is not None:
        metrics["restoreDurationMs"] = _shown(usage.restore.duration_ms)
        metrics["billedRestoreDurationMs"] = usage.restore.billed_ms
    record = {"requestId": usage.request_id, **_status(outcome), "metrics": metrics}
    record.update(_tracing(trace_header))
    return PlatformEvent(type="platform.report", level=_level("INFO", outcome), record=record)


def fault(text: str) -> PlatformEvent:
    """Something ended that should not have; told to subscribers of the Logs API alone."""
    return PlatformEvent(type="platform.fault", level="WARN", record=text)


def subscription(api: str, name: str, types: Sequence[str]) -> PlatformEvent:
    """An extension subscribed to telemetry; `api` is `telemetry` or `logs`."""
    record = {"name": name, "state": "Subscribed", "types": list(types)}
    return PlatformEvent(type=f"platform.{api}Subscription", level="INFO", record=record)


def subscription_line(api: str, name: str, types: Sequence[str]) -> str:
    """Line of the same in the format Text."""
    shown = ", ".join(kind.capitalize() for kind in types)
    return f"{api.upper()}\tName: {name}\tState: Subscribed\tTypes: [{shown}]\n"


def _tracing(trace_header: str | None) -> dict[str, Any]:
    """Return the member of records of a sampled invocation; of others there is no segment."""
    if trace_header is None or "Sampled=1" not in trace_header:
        return {}
    return {"tracing": {"type": "X-Amzn-Trace-Id", "value": trace_header}}


def _status(outcome: Outcome | None) -> dict[str, str]:
    if outcome is None:
        return {"status": "success"}
    if outcome.error_type is None:
        return {"status": outcome.status}
    return {"status": outcome.status, "errorType": outcome.error_type}


def _level(quiet: str, outcome: Outcome | None) -> str:
    return quiet if outcome is None else "WARN"


def _shown(duration_ms: float) -> float:
    return round(duration_ms, 3)
