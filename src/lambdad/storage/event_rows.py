"""Events as rows: what of an event is JSON text, and how it is read back."""

from __future__ import annotations

import json
from typing import Any

from lambdad.domain.arns import FunctionKey
from lambdad.domain.async_events import AsyncEvent, EventKind, Outcome

MESSAGE_LENGTH_MAX = 1_024


def head_text(event: AsyncEvent) -> str:
    """Everything of an event but its payload, lane and times."""
    key = event.key
    return json.dumps(
        {
            "kind": event.kind.value,
            "function": [key.account_id, key.region, key.name],
            "qualifier": event.qualifier,
            "request_id": event.request_id,
            "trace": event.trace_header,
            "tenant": event.tenant_id,
            "target": event.target,
            "details": dict(event.details),
        },
        separators=(",", ":"),
    )


def event_of(head: str, *, lane: str, accepted_ms: int, payload: bytes) -> AsyncEvent:
    """Read an event back.

    Raises:
        ValueError: the text is not what :func:`head_text` gives.
    """
    try:
        read: dict[str, Any] = json.loads(head)
        account_id, region, name = read["function"]
        return AsyncEvent(
            kind=EventKind(read["kind"]),
            lane=lane,
            key=FunctionKey(account_id=account_id, region=region, name=name),
            qualifier=read["qualifier"],
            request_id=read["request_id"],
            payload=payload,
            accepted_ms=accepted_ms,
            trace_header=read["trace"],
            # Rows of earlier releases have none.
            tenant_id=read.get("tenant"),
            target=read["target"],
            details=read["details"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no event: {error!r}") from error


def outcome_text(outcome: Outcome | None) -> str | None:
    """An outcome but its payload."""
    if outcome is None:
        return None
    return json.dumps(
        {
            "status_code": outcome.status_code,
            "message": outcome.message[:MESSAGE_LENGTH_MAX],
            "executed_version": outcome.executed_version,
            "function_error": outcome.function_error,
        },
        separators=(",", ":"),
    )


def outcome_of(text: str | None, payload: bytes | None) -> Outcome | None:
    """Read an outcome back.

    Raises:
        ValueError: the text is not what :func:`outcome_text` gives.
    """
    if text is None:
        return None
    try:
        return Outcome(**json.loads(text), payload=payload)
    except TypeError as error:
        raise ValueError(f"no outcome: {error}") from error
