"""One invocation on its way through an environment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lambdad.domain.errors import FunctionError, PlatformError
from lambdad.domain.invocations import Invocation, InvocationResult


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """An invocation with what is known of its outcome so far.

    Attributes:
        done: what the caller awaits.
        begun: monotonic seconds when the invoke phase began; None before.
        payload: the handler's answer, or the error document; None before either.
        error: set when the function failed.
    """

    invocation: Invocation
    done: asyncio.Future[InvocationResult]
    begun: float | None = None
    payload: bytes | None = None
    error: FunctionError | None = None

    @property
    def answered(self) -> bool:
        """Whether the outcome is known, although the phase may go on."""
        return self.payload is not None

    def fail(self, error: FunctionError) -> None:
        """The function failed; the first outcome counts."""
        if self.payload is None:
            self.payload = error.payload
            self.error = error

    def tell(self, version: str, log_tail: bytes | None) -> None:
        """Give the caller the outcome, once; nobody may be waiting any more."""
        if self.payload is None or self.done.done():
            return
        self.done.set_result(
            InvocationResult(
                payload=self.payload,
                executed_version=version,
                function_error="Unhandled" if self.error is not None else None,
                log_tail=log_tail,
                headers={"X-Amzn-Trace-Id": self.invocation.trace_header or ""},
            )
        )

    def break_off(self, error: PlatformError) -> None:
        """The platform failed: the caller gets no outcome."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # the caller may have gone: then nobody retrieves it
