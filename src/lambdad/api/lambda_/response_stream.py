"""The event stream of InvokeWithResponseStream: chunks of the answer, then how it ended."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from lambdad.api.context import StreamedInvocation
from lambdad.protocol.eventstream import encode_event

_CHUNK_BYTES = 64 * 1024


async def response_events(invocation: StreamedInvocation) -> AsyncGenerator[bytes, None]:
    """Yield the messages of an invocation as they come: its answer in chunks, then the end.

    AWS: the answer of a function that does not stream comes as chunks once it is complete. An
    error is no payload; it is told at the end.
    """
    async with aclosing(invocation.pieces()) as pieces:
        async for piece in pieces:
            for start in range(0, len(piece), _CHUNK_BYTES):
                chunk = piece[start : start + _CHUNK_BYTES]
                yield encode_event("PayloadChunk", chunk, content_type="application/octet-stream")
    outcome = await invocation.outcome()
    complete: dict[str, str] = {}
    if outcome.function_error is not None:
        complete["ErrorCode"] = _error_type(outcome.payload) or outcome.function_error
        complete["ErrorDetails"] = outcome.payload.decode("utf-8", "replace")
    if outcome.log_tail is not None:
        complete["LogResult"] = base64.b64encode(outcome.log_tail).decode()
    yield encode_event(
        "InvokeComplete", json.dumps(complete).encode(), content_type="application/json"
    )


def _error_type(payload: bytes) -> str | None:
    """The `errorType` of an error document; the guest wrote it and may have written anything."""
    try:
        document = json.loads(payload)
    except ValueError:
        return None
    found = document.get("errorType") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
