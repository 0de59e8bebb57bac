"""Events of the asynchronous queue for tests to start from."""

from __future__ import annotations

from typing import Any

from lambdad.domain.arns import FunctionKey
from lambdad.domain.async_events import AsyncEvent, EventKind, invocation_lane


def an_event(name: str = "f", **changes: Any) -> AsyncEvent:
    """An accepted invocation of a function, but for the given fields."""
    key = FunctionKey(account_id="000000000000", region="us-east-1", name=name)
    values: dict[str, Any] = {
        "kind": EventKind.INVOCATION,
        "lane": invocation_lane(key),
        "key": key,
        "qualifier": None,
        "request_id": "00000000-0000-4000-8000-000000000000",
        "payload": b"{}",
        "accepted_ms": 1_764_000_000_000,
    }
    return AsyncEvent(**{**values, **changes})
