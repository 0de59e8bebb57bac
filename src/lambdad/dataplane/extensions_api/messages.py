"""Answers and events of the Extensions API."""

from __future__ import annotations

import json
import uuid

from lambdad.dataplane.extensions_api.extension import INVOKE, SHUTDOWN, Extension
from lambdad.domain import limits
from lambdad.protocol.http import HttpResponse

_JSON = {"Content-Type": "application/json"}

ERROR_TYPE_HEADER = "Lambda-Extension-Function-Error-Type"


def refusal(error_type: str, message: str, *, status: int = 403) -> HttpResponse:
    """A call that is not allowed."""
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    return HttpResponse(status=status, headers=_JSON, body=body)


NO_NAME = refusal("Extension.InvalidExtensionName", "Empty extension name")
NO_IDENTIFIER = refusal(
    "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
)
INVALID_IDENTIFIER = refusal(
    "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
)
UNKNOWN_IDENTIFIER = refusal(
    "Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"
)
NO_ERROR_TYPE = refusal("Extension.MissingHeader", f"{ERROR_TYPE_HEADER} not found")
CLOSED = refusal("Extension.RegistrationClosed", "Extension registration closed already")
NAME_TAKEN = refusal(
    "Extension.InvalidExtensionState", "Extension with this name already registered"
)
TOO_MANY = refusal("Extension.TooManyExtensions", f"Extension limit ({limits.EXTENSIONS}) reached")


def unknown_extension(identifier: str) -> HttpResponse:
    """A `next` of an extension that was never registered."""
    return refusal("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")


def invalid_format(problem: str) -> HttpResponse:
    """A registration that cannot be read."""
    return refusal("InvalidRequestFormat", problem)


def invalid_event(event: str, *, external: bool) -> HttpResponse:
    """A subscription to what this kind of extension does not get."""
    internal = not external and event == SHUTDOWN
    problem = (
        "ShutdownEventNotSupportedForInternalExtension" if internal else "ErrorInvalidEventType"
    )
    return refusal("Extension.InvalidEventType", f"{event}: {problem}")


def invalid_transition(extension: Extension, after: str, *, named: str) -> HttpResponse:
    """A call that may not follow the one before; AWS names the extension or its identifier."""
    return refusal(
        "Extension.InvalidExtensionState",
        f"State transition from {extension.state} to {after} failed for extension {named}. "
        "Error: State transition is not allowed",
    )


def registered(identifier: str, metadata: dict[str, str]) -> HttpResponse:
    """The answer to a registration."""
    return HttpResponse(
        status=200,
        headers={**_JSON, "Lambda-Extension-Identifier": identifier},
        body=json.dumps(metadata, separators=(",", ":")).encode(),
    )


def invoke_event(
    *, deadline_ms: int, request_id: str, invoked_arn: str, trace_header: str
) -> HttpResponse:
    """An invocation begins."""
    tracing = {"type": "X-Amzn-Trace-Id", "value": trace_header}
    return _event(
        {
            "eventType": INVOKE,
            "deadlineMs": deadline_ms,
            "requestId": request_id,
            "invokedFunctionArn": invoked_arn,
            "tracing": tracing,
        }
    )


def shutdown_event(*, reason: str, deadline_ms: int) -> HttpResponse:
    """The environment goes; the reason is `spindown`, `timeout` or `failure`."""
    return _event({"eventType": SHUTDOWN, "shutdownReason": reason, "deadlineMs": deadline_ms})


def _event(document: dict[str, object]) -> HttpResponse:
    return HttpResponse(
        status=200,
        headers={**_JSON, "Lambda-Extension-Event-Identifier": str(uuid.uuid4())},
        body=json.dumps(document, separators=(",", ":")).encode(),
    )
