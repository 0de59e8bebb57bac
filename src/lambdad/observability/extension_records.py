"""The platform's record of an extension: a line, or an event of the format JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lambdad.observability.platform_events import PlatformEvent


def extension_line(name: str, state: str, events: Sequence[str], error_type: str | None) -> str:
    """Line of one extension at the end of an init."""
    ending = "" if error_type is None else f"\tError Type: {error_type}"
    return f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{','.join(events)}]{ending}\n"


def extension_event(
    name: str, state: str, events: Sequence[str], error_type: str | None
) -> PlatformEvent:
    """Event of one extension at the end of an init."""
    record: dict[str, object] = {"name": name, "state": state, "events": list(events)}
    if error_type is not None:
        record["errorType"] = error_type
    level = "INFO" if error_type is None else "WARN"
    return PlatformEvent(type="platform.extension", level=level, record=record)
