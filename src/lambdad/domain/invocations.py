"""An invocation and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lambdad.domain.errors import LambdadError


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A request to run a function once.

    Attributes:
        payload: the event, JSON bytes that are carried and never parsed on the way.
        invoked_arn: exactly as the caller qualified it.
        client_context: decoded JSON text, or None.
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

    def traced(self, trace_header: str) -> Invocation:
        """Return the same with another trace header; cheaper than `replace`."""
        return Invocation(
            request_id=self.request_id,
            payload=self.payload,
            invoked_arn=self.invoked_arn,
            client_context=self.client_context,
            trace_header=trace_header,
            wants_log_tail=self.wants_log_tail,
            tenant_id=self.tenant_id,
            is_event=self.is_event,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResult:
    """What the caller of an invocation receives.

    Attributes:
        payload: the handler's answer or the error document.
        function_error: `Unhandled` when the function failed, else None.
        log_tail: the last 4 KiB of the log when asked for.
    """

    payload: bytes
    executed_version: str
    function_error: str | None = None
    log_tail: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


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
