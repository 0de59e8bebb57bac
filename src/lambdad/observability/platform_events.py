"""The platform's own records in a function's log of JSON format, as AWS writes them. Pure.

The same records in the format Text are lines; those stand in `report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdad.observability.report import Outcome
from lambdad.observability.usage import UsageRecord

_ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformEvent:
    """One record.

    Attributes:
        level: it is kept if the function's SystemLogLevel is this or lower.
    """

    type: str
    level: str
    record: Mapping[str, Any]

    def text(self, moment: datetime) -> str:
        """Return the log event, as it happened at `moment` (UTC)."""
        time = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
        document = {"time": time, "type": self.type, "record": self.record}
        return json.dumps(document, separators=(",", ":"))


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


def start(request_id: str, version: str, tenant_id: str | None = None) -> PlatformEvent:
    """An invocation begins."""
    record = {"requestId": request_id, "version": version}
    if tenant_id is not None:
        record["tenantId"] = tenant_id
    return PlatformEvent(type="platform.start", level="INFO", record=record)


def runtime_done(usage: UsageRecord, outcome: Outcome | None) -> PlatformEvent:
    """The runtime has answered, or will not."""
    record = {
        "requestId": usage.request_id,
        **_status(outcome),
        "metrics": {"durationMs": _shown(usage.duration_ms)},
    }
    return PlatformEvent(type="platform.runtimeDone", level=_level("DEBUG", outcome), record=record)


def report(usage: UsageRecord, outcome: Outcome | None) -> PlatformEvent:
    """An invocation is over."""
    metrics: dict[str, float] = {
        "durationMs": _shown(usage.duration_ms),
        "billedDurationMs": usage.billed_duration_ms,
        "memorySizeMB": usage.memory_size_mb,
        "maxMemoryUsedMB": usage.max_memory_used_mb,
    }
    if usage.init_duration_ms is not None:
        metrics["initDurationMs"] = _shown(usage.init_duration_ms)
    record = {"requestId": usage.request_id, **_status(outcome), "metrics": metrics}
    return PlatformEvent(type="platform.report", level=_level("INFO", outcome), record=record)


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
