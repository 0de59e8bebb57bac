"""One invocation on its way through an environment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from lambdad.dataplane import failures
from lambdad.dataplane.runtime_api.session import RuntimeEvent
from lambdad.dataplane.streaming import Flow, ResponseStream
from lambdad.domain import limits
from lambdad.domain.errors import FunctionError, LambdadError
from lambdad.domain.invocations import InvocationResult, Waiter, trace_headers
from lambdad.observability.platform_events import Course


@dataclass(slots=True, kw_only=True, eq=False)
class Work(RuntimeEvent):
    """An event with what is known of its outcome so far.

    Attributes:
        waiter: is told the outcome.
        told: whether the caller waits for nothing more.
        begun: monotonic seconds when the invoke phase began; None before.
        response_began: monotonic seconds when the first byte of the answer was there; None before.
        response_ended: monotonic seconds when the last one was; None before.
        payload: the handler's answer, or the error document; None before either.
        error: set when the function failed.
        stream: where pieces of the answer go, for a caller that wants them as they come.
        streamed_bytes: size of the pieces so far.
        collected: pieces of a streamed answer for a caller that wants it whole.
    """

    version: str
    waiter: Waiter
    told: bool = False
    begun: float | None = None
    response_began: float | None = None
    response_ended: float | None = None
    payload: bytes | None = None
    error: FunctionError | None = None
    stream: ResponseStream | None = None
    streamed_bytes: int = 0
    collected: bytearray | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the HTTP response."""
        return trace_headers(self.trace_header)

    @property
    def answered(self) -> bool:
        """Whether the outcome is known, although the phase may go on."""
        return self.payload is not None

    def course(self, now: float) -> Course | None:
        """Return how it went until `now`, monotonic seconds, when the runtime asks for more."""
        if self.begun is None:
            return None
        return Course(
            began=self.begun,
            response_began=self.response_began,
            response_ended=self.response_ended,
            ended=now,
            produced_bytes=self.streamed_bytes or len(self.payload or b""),
        )

    def respond(self, payload: bytes, now: float) -> None:
        """The answer is here as a whole."""
        if self.payload is None:
            self.response_began = self.response_ended = now
            self.payload = payload
            if not self.invocation.wants_log_tail:
                self.tell(None)

    def respond_error(self, error_type: str, payload: bytes, now: float) -> None:
        """The runtime said why there is no answer."""
        if not self.answered:
            self.response_began = self.response_ended = now
            self.fail(FunctionError(error_type, payload))
            self._tell_early()

    def _tell_early(self) -> None:
        if not self.invocation.wants_log_tail:
            self.tell(None)

    def fail(self, error: FunctionError) -> None:
        """The function failed; the first outcome counts, but for extensions.

        AWS: an extension that fails fails the invocation, answered or not; who has been told
        the answer keeps it.
        """
        if self.payload is None or error.error_type.startswith("Extension."):
            self.payload = error.payload
            self.error = error

    def begin_stream(self, content_type: str, flow: Flow, now: float) -> None:
        """The runtime answers piece by piece."""
        self.response_began = now
        if self.stream is not None:
            self.stream.begin(content_type, flow)

    def add_piece(self, piece: bytes) -> None:
        """Pass a piece on, or keep it; what a whole answer may not hold is only counted."""
        self.streamed_bytes += len(piece)
        if self.stream is not None:
            self.stream.put(piece)
        elif self.streamed_bytes - len(piece) <= limits.INVOKE_RESPONSE_BYTES_MAX:
            if self.collected is None:
                self.collected = bytearray()
            self.collected += piece

    def end_stream(self, error: tuple[str, bytes] | None, now: float) -> None:
        """The last piece was there, or what broke the answer off."""
        if self.answered:
            return
        self.response_ended = now
        if error is not None:
            self.fail(FunctionError(*error))
        else:
            self._complete_stream()
        self._tell_early()

    def _complete_stream(self) -> None:
        if self.stream is not None:
            self.payload = self.payload or b""
        elif self.streamed_bytes > limits.INVOKE_RESPONSE_BYTES_MAX:
            self.fail(failures.response_too_large())
        elif self.payload is None:
            self.payload = bytes(self.collected or b"")

    def tell(self, log_tail: bytes | None) -> None:
        """Give the caller the outcome, once; nobody may be waiting any more."""
        if self.payload is None or self.told:
            return
        self.told = True
        waiter = self.waiter
        if waiter.done():
            return
        if self.stream is not None:
            self._close_stream(self.stream)
        waiter.set_result(
            InvocationResult(
                payload=self.payload,
                executed_version=self.version,
                function_error="Unhandled" if self.error is not None else None,
                log_tail=log_tail,
                trace_header=self.trace_header,
            )
        )

    def _close_stream(self, stream: ResponseStream) -> None:
        """End the caller's stream; an answer that came whole is its only piece."""
        if not stream.began and self.error is None and self.payload is not None:
            stream.begin("application/json")
            stream.put(self.payload)
        stream.end()

    def break_off(self, error: LambdadError) -> None:
        """It did not come to the function: the caller gets no outcome."""
        if self.stream is not None:
            self.stream.end()
        if not self.waiter.done():
            self.waiter.set_exception(error)
            if isinstance(self.waiter, asyncio.Future):
                self.waiter.exception()  # the caller may have gone: then nobody retrieves it
