"""The Runtime API's rules for one runtime process: which call may follow which.

Decides and answers; knows nothing of sockets, sandboxes or time. Requests come from the guest
and are hostile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lambdad.dataplane.runtime_api import messages
from lambdad.dataplane.streaming import Flow
from lambdad.domain import limits
from lambdad.domain.invocations import Invocation
from lambdad.protocol.http import HttpRequest, HttpResponse

Reply = Callable[[HttpResponse], None]

_INVOCATION = re.compile(r"/2018-06-01/runtime/invocation/([0-9A-Za-z-]{1,64})/(response|error)")


class RuntimeState(StrEnum):
    """Where a runtime process stands."""

    STARTED = "RuntimeStarted"
    INIT_ERROR = "RuntimeInitError"
    READY = "RuntimeReady"
    RUNNING = "RuntimeRunning"
    STREAMING = "RuntimeStreaming"
    RESPONDED = "RuntimeResponseSent"


TRANSITIONS: Mapping[RuntimeState, frozenset[RuntimeState]] = {
    RuntimeState.STARTED: frozenset({RuntimeState.INIT_ERROR, RuntimeState.READY}),
    RuntimeState.INIT_ERROR: frozenset(),
    RuntimeState.READY: frozenset({RuntimeState.READY, RuntimeState.RUNNING}),
    RuntimeState.RUNNING: frozenset({RuntimeState.RESPONDED, RuntimeState.STREAMING}),
    RuntimeState.STREAMING: frozenset({RuntimeState.RESPONDED}),
    RuntimeState.RESPONDED: frozenset({RuntimeState.READY}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeEvent:
    """What `/invocation/next` answers with."""

    request_id: str
    payload: bytes
    deadline_ms: int
    invoked_arn: str
    trace_header: str
    client_context: str | None = None
    tenant_id: str | None = None

    @staticmethod
    def of(invocation: Invocation, deadline_ms: int) -> RuntimeEvent:
        """The event of an invocation that has time until `deadline_ms`, epoch milliseconds."""
        return RuntimeEvent(
            request_id=invocation.request_id,
            payload=invocation.payload,
            deadline_ms=deadline_ms,
            invoked_arn=invocation.invoked_arn,
            trace_header=invocation.trace_header or "",
            client_context=invocation.client_context,
            tenant_id=invocation.tenant_id,
        )


class RuntimeObserver(Protocol):
    """Who is told what the runtime did; called from within the request that did it."""

    def runtime_ready(self) -> None:
        """It asks for the next event and none is waiting."""
        ...

    def init_failed(self, error_type: str, payload: bytes) -> None:
        """It could not initialise and said why."""
        ...

    def invocation_responded(self, payload: bytes) -> None:
        """The handler's answer is here."""
        ...

    def response_began(self, content_type: str, flow: Flow) -> None:
        """The handler begins to answer piece by piece."""
        ...

    def response_piece(self, piece: bytes) -> None:
        """The next piece."""
        ...

    def response_ended(self, error: tuple[str, bytes] | None) -> None:
        """The last piece was there; or the error, type and document, that broke it off."""
        ...

    def invocation_failed(self, error_type: str, payload: bytes) -> None:
        """The handler failed and the runtime said why."""
        ...


class RuntimeSession:
    """The calls of one runtime process.

    Mutable: state, the parked `next`, the current id, and that of an answer that was too large.
    """

    def __init__(self, observer: RuntimeObserver) -> None:
        self.state = RuntimeState.STARTED
        self._observer = observer
        self._parked: Reply | None = None
        self._request_id: str | None = None
        self._too_large: str | None = None
        self._streaming: Reply | None = None

    def open_stream(
        self, path: str, headers: Mapping[str, str], reply: Reply, flow: Flow
    ) -> Callable[[bytes], None] | None:
        """Told of a POST's head: take the body piece by piece, if it is a streamed response.

        What may not be streamed now is refused once it is here as a whole, by :meth:`handle`.
        """
        match = _INVOCATION.fullmatch(path)
        if (
            self.state is not RuntimeState.RUNNING
            or match is None
            or match.groups() != (self._request_id, "response")
            or messages.response_mode(headers) != "streaming"
        ):
            return None
        self._enter(RuntimeState.STREAMING)
        self._streaming = reply
        content_type = headers.get("content-type", "application/octet-stream")
        self._observer.response_began(content_type, flow)
        return self._observer.response_piece

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        """Answer one request now, or park it when it is a `next` without an event."""
        route = (request.method, request.path)
        if route == ("GET", "/2018-06-01/runtime/invocation/next"):
            self._next(reply)
        elif request.method == "POST" and (match := _INVOCATION.fullmatch(request.path)):
            self._finish(match[1], match[2], request, reply)
        elif route == ("POST", "/2018-06-01/runtime/init/error"):
            self._init_error(request, reply)
        elif route == ("GET", "/2018-06-01/ping"):
            reply(messages.PONG)
        else:
            reply(messages.NOT_FOUND)

    def deliver(self, event: RuntimeEvent) -> None:
        """Hand an event to the parked `next`. The state must be READY."""
        self._enter(RuntimeState.RUNNING)
        self._request_id = event.request_id
        parked, self._parked = self._parked, None
        if parked is not None:
            parked(messages.event(event))

    def forget(self, reply: Reply) -> None:
        """A connection ended: if it held the parked `next`, nobody waits any more."""
        if self._parked == reply:
            self._parked = None
        if self.state is RuntimeState.STREAMING and self._streaming == reply:
            self._end_stream(("Runtime.TruncatedResponse", messages.TRUNCATED_RESPONSE))

    @property
    def listening(self) -> bool:
        """Whether a `next` is parked, so that an event can be delivered."""
        return self._parked is not None

    def _enter(self, state: RuntimeState) -> None:
        if state not in TRANSITIONS[self.state]:
            raise InvalidTransition(self.state, state)
        self.state = state

    def _next(self, reply: Reply) -> None:
        try:
            self._enter(RuntimeState.READY)
        except InvalidTransition as refused:
            reply(messages.invalid_transition(refused.before, refused.after))
            return
        self._request_id = self._too_large = None
        self._parked = reply
        self._observer.runtime_ready()

    def _finish(self, request_id: str, how: str, request: HttpRequest, reply: Reply) -> None:
        if self.state is RuntimeState.STREAMING and self._streaming == reply:
            reply(messages.ACCEPTED)
            self._end_stream(messages.streamed_error(request.headers))
            return
        if how == "error" and request_id == self._too_large:
            reply(messages.ACCEPTED)  # the caller has been told the same
            return
        if self.state is not RuntimeState.RUNNING:
            reply(messages.invalid_transition(self.state, RuntimeState.RESPONDED))
            return
        if request_id != self._request_id:
            reply(messages.INVALID_REQUEST_ID)
            return
        if len(request.body) > limits.INVOKE_RESPONSE_BYTES_MAX:
            reply(messages.TOO_LARGE)
            self._answer_too_large()
            return
        if how == "response" and messages.response_mode(request.headers) is None:
            reply(messages.INVALID_RESPONSE_MODE)
            return
        self._enter(RuntimeState.RESPONDED)
        reply(messages.ACCEPTED)
        if how == "response":
            self._observer.invocation_responded(request.body)
        else:
            error_type = messages.reported_error_type(request.headers, "Function.Unknown")
            self._observer.invocation_failed(error_type, request.body)

    def response_too_large(self) -> None:
        """The body exceeded what is read at all: fail the invocation on the guest's behalf."""
        if self.state is RuntimeState.RUNNING:
            self._answer_too_large()
        elif self.state is RuntimeState.STREAMING:
            self._end_stream(("Function.ResponseSizeTooLarge", messages.STREAM_TOO_LARGE))

    def _end_stream(self, error: tuple[str, bytes] | None) -> None:
        self._streaming = None
        self._enter(RuntimeState.RESPONDED)
        self._observer.response_ended(error)

    def _answer_too_large(self) -> None:
        # Some runtimes report it themselves after their 413, others ask for the next event.
        self._too_large = self._request_id
        self._enter(RuntimeState.RESPONDED)
        self._observer.invocation_failed(
            "Function.ResponseSizeTooLarge", messages.RESPONSE_SIZE_TOO_LARGE
        )

    def _init_error(self, request: HttpRequest, reply: Reply) -> None:
        try:
            self._enter(RuntimeState.INIT_ERROR)
        except InvalidTransition as refused:
            reply(messages.invalid_transition(refused.before, refused.after))
            return
        reply(messages.ACCEPTED)
        self._observer.init_failed(
            messages.reported_error_type(request.headers, "Runtime.Unknown"), request.body
        )


class InvalidTransition(Exception):
    """A call that may not follow the one before."""

    def __init__(self, before: RuntimeState, after: RuntimeState) -> None:
        super().__init__(f"{before} -> {after}")
        self.before = before
        self.after = after
