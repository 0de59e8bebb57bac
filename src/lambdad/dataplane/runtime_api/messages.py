"""Answers of the Runtime API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambdad.domain import limits
from lambdad.protocol.http import HttpResponse

if TYPE_CHECKING:
    from lambdad.dataplane.runtime_api.session import RuntimeEvent, RuntimeState

_JSON = {"Content-Type": "application/json"}


def _error(status: int, error_type: str, message: str) -> HttpResponse:
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    return HttpResponse(status=status, headers=_JSON, body=body)


ACCEPTED = HttpResponse(status=202, headers=_JSON, body=b'{"status":"OK"}\n')
PONG = HttpResponse(status=200, headers={"Content-Type": "text/plain"}, body=b"pong")
NOT_FOUND = HttpResponse(
    status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n"
)
INVALID_REQUEST_ID = _error(400, "InvalidRequestID", "Invalid request ID")
INVALID_RESPONSE_MODE = _error(400, "InvalidFunctionResponseMode", "Invalid function response mode")
TOO_LARGE = _error(
    413,
    "RequestEntityTooLarge",
    f"Exceeded maximum allowed payload size ({limits.INVOKE_RESPONSE_BYTES_MAX} bytes).",
)
RESPONSE_SIZE_TOO_LARGE = json.dumps(
    {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({limits.INVOKE_RESPONSE_BYTES_MAX} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    },
    separators=(",", ":"),
).encode()


def invalid_transition(before: RuntimeState, after: RuntimeState) -> HttpResponse:
    """A call that may not follow the one before."""
    return _error(
        403,
        "InvalidStateTransition",
        f"State transition from {before} to {after} failed for runtime. "
        "Error: State transition is not allowed",
    )


def response_mode(headers: Mapping[str, str]) -> str | None:
    """`buffered` or `streaming`; None for a mode that does not exist."""
    mode = headers.get("lambda-runtime-function-response-mode", "buffered").lower()
    return mode if mode in ("buffered", "streaming") else None


def event(event: RuntimeEvent) -> HttpResponse:
    """The answer to `/invocation/next`."""
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": event.request_id,
        "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": event.invoked_arn,
        "Lambda-Runtime-Trace-Id": event.trace_header,
    }
    if event.client_context:
        headers["Lambda-Runtime-Client-Context"] = _header_text(event.client_context)
    return HttpResponse(status=200, headers=headers, body=event.payload)


def _header_text(document: str) -> str:
    """JSON as one line of ASCII, which is all that a header can carry safely."""
    try:
        return json.dumps(json.loads(document))
    except ValueError:
        return " ".join(document.encode("ascii", "backslashreplace").decode().split())
