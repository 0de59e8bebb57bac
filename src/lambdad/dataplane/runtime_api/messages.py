"""Answers of the Runtime API."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambdad.domain import limits
from lambdad.protocol.http import HttpResponse

if TYPE_CHECKING:
    from lambdad.dataplane.runtime_api.session import RuntimeEvent, RuntimeState

# AWS: other error types are recorded as Function.Unknown or Runtime.Unknown (Runtime API).
_ERROR_TYPE = re.compile(r"(Runtime|Function|Extension|Sandbox)\.[A-Z][a-zA-Z]{1,62}")
_JSON = {"Content-Type": "application/json"}


def _error(status: int, error_type: str, message: str) -> HttpResponse:
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    return HttpResponse(status=status, headers=_JSON, body=body)


ACCEPTED = HttpResponse(status=202, headers=_JSON, body=b'{"status":"OK"}\n')
PONG = HttpResponse(status=200, headers={"Content-Type": "text/plain"}, body=b"pong")
RESTORED = HttpResponse(status=200, headers=_JSON, body=b"{}")
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

STREAM_TOO_LARGE = json.dumps(
    {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({limits.STREAMED_RESPONSE_BYTES_MAX} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    },
    separators=(",", ":"),
).encode()
TRUNCATED_RESPONSE = json.dumps(
    {
        "errorMessage": "The response ended before its end.",
        "errorType": "Runtime.TruncatedResponse",
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
    invocation = event.invocation
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn,
        "Lambda-Runtime-Trace-Id": event.trace_header,
    }
    if invocation.client_context:
        headers["Lambda-Runtime-Client-Context"] = _header_text(invocation.client_context)
    if invocation.tenant_id is not None:
        headers["Lambda-Runtime-Aws-Tenant-Id"] = invocation.tenant_id
    return HttpResponse(status=200, headers=headers, body=invocation.payload)


def _header_text(document: str) -> str:
    """JSON as one line of ASCII, which is all that a header can carry safely."""
    try:
        return json.dumps(json.loads(document))
    except ValueError:
        return " ".join(document.encode("ascii", "backslashreplace").decode().split())


def streamed_error(headers: Mapping[str, str]) -> tuple[str, bytes] | None:
    """The error in the trailers of a streamed response, type and document; None without one."""
    if "lambda-runtime-function-error-type" not in headers:
        return None
    try:
        document = base64.b64decode(headers.get("lambda-runtime-function-error-body", ""))
    except ValueError:
        document = b""
    return known_error_type(reported(headers), "Function.Unknown"), document


def reported(headers: Mapping[str, str]) -> str:
    """The error type that a request reports; empty without one."""
    return headers.get("lambda-runtime-function-error-type", "")


def known_error_type(reported: str, unknown: str) -> str:
    """An error type that a runtime reports, if it is of a known form; else `unknown`."""
    return reported if _ERROR_TYPE.fullmatch(reported) else unknown
