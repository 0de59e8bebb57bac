"""An invocation and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lambdad.domain.errors import LambdadError


# Neither is frozen: nobody changes one, but to make it would take three times as long.
@dataclass(slots=True, kw_only=True)
class Invocation:
    """A request to run a function once.

    Attributes:
        payload: the event, JSON bytes that are carried and never parsed on the way.
        invoked_arn: exactly as the caller qualified it.
        client_context: decoded JSON text, or None.
        trace_header: as the caller sent it, or None.
        wants_log_tail: whether the answer carries the last 4 KiB of the log.
        tenant_id: whose environments may run it, where the function isolates tenants; else None.
        is_event: whether it comes from a queue, whose rate is not limited.
    """

    request_id: str
    payload: bytes
    invoked_arn: str
    client_context: str | None = None
    trace_header: str | None = None
    wants_log_tail: bool = False
    tenant_id: str | None = None
    is_event: bool = False


@dataclass(slots=True, kw_only=True)
class InvocationResult:
    """What the caller of an invocation receives.

    Attributes:
        payload: the handler's answer or the error document.
        function_error: `Unhandled` when the function failed, else None.
        log_tail: the last 4 KiB of the log when asked for.
        trace_header: of this invocation; None where it did not come to one.
    """

    payload: bytes
    executed_version: str
    function_error: str | None = None
    log_tail: bytes | None = None
    trace_header: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the HTTP response."""
        return trace_headers(self.trace_header)


def trace_headers(trace_header: str | None) -> Mapping[str, str]:
    """Return the headers of the answer to an invocation with such a trace header."""
    return {} if trace_header is None else {"X-Amzn-Trace-Id": trace_header}


class Waiter(Protocol):
    """Who waits for an outcome: a future, or whoever is called as one."""

    def done(self) -> bool:
        """Whether it has been told, or does not wait any more."""
        ...

    def set_result(self, result: InvocationResult, /) -> None:
        """The function ran."""
        ...

    def set_exception(self, exception: LambdadError, /) -> None:
        """It did not come to the function: the platform failed, or its version."""
        ...
