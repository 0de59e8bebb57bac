"""The Runtime API's rules for one runtime process: which call may follow which.

Decides and answers; knows nothing of sockets, sandboxes or time. Calls come from the guest, as
HTTP requests or over its channel, and are hostile.
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


class RestoreCalls(StrEnum):
    """What becomes of a process that waits to be restored."""

    HELD = "it is what a snapshot is made of"
    GO_ON = "it is restored, or initialised in the place of a snapshot"


@dataclass(slots=True, kw_only=True, eq=False)
class RuntimeEvent:
    """What `/invocation/next` answers with.

    Attributes:
        trace_header: of this invocation, made of what the caller sent.
        deadline_ms: epoch milliseconds; known when it is delivered.
    """

    invocation: Invocation
    trace_header: str
    deadline_ms: int = 0


Take = Callable[[RuntimeEvent], None]

_READY, _RUNNING, _RESPONDED = RuntimeState.READY, RuntimeState.RUNNING, RuntimeState.RESPONDED
_BEFORE_READY = frozenset(before for before, after in TRANSITIONS.items() if _READY in after)


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

    Attributes:
        restores: how a call is answered that waits for a restore; None where none is awaited.

    Mutable: state, who takes the next event and how, the current id, that of an answer that was
    too large, who streams a response, and what is to be done when that has ended.
    """

    def __init__(self, observer: RuntimeObserver) -> None:
        self.state = RuntimeState.STARTED
        self._observer = observer
        self._caller: object = None
        self._take: Take | None = None
        self._request_id: str | None = None
        self._too_large: str | None = None
        self._streamer: object = None
        self._behind: Callable[[], None] | None = None
        self.restores: RestoreCalls | None = None

    # -- calls, whatever they came by ---------------------------------------------------------

    def next(self, caller: object, take: Take) -> HttpResponse | None:
        """`caller` waits for the next event, which `take` gets; returns a refusal, if any."""
        if self.state not in _BEFORE_READY:
            return messages.invalid_transition(self.state, _READY)
        self.state = _READY
        self._request_id = self._too_large = None
        self._caller, self._take = caller, take
        self._observer.runtime_ready()
        return None

    def respond(self, request_id: str, payload: bytes) -> HttpResponse:
        """The handler's answer."""
        refusal = self._refusal(request_id, payload)
        if refusal is not None:
            return refusal
        self.state = _RESPONDED
        self._observer.invocation_responded(payload)
        return messages.ACCEPTED

    def fail(self, request_id: str, error_type: str, payload: bytes) -> HttpResponse:
        """The handler failed."""
        if request_id == self._too_large:
            return messages.ACCEPTED  # the caller has been told the same
        refusal = self._refusal(request_id, payload)
        if refusal is not None:
            return refusal
        self.state = RuntimeState.RESPONDED
        error_type = messages.known_error_type(error_type, "Function.Unknown")
        self._observer.invocation_failed(error_type, payload)
        return messages.ACCEPTED

    def fail_init(self, error_type: str, payload: bytes) -> HttpResponse:
        """The function could not be initialised."""
        if RuntimeState.INIT_ERROR not in TRANSITIONS[self.state]:
            return messages.invalid_transition(self.state, RuntimeState.INIT_ERROR)
        self.state = RuntimeState.INIT_ERROR
        error_type = messages.known_error_type(error_type, "Runtime.Unknown")
        self._observer.init_failed(error_type, payload)
        return messages.ACCEPTED

    def begin_stream(
        self, caller: object, request_id: str, content_type: str, flow: Flow
    ) -> Callable[[bytes], None] | None:
        """The answer comes piece by piece; returns what takes the pieces, None when not now."""
        if self.state is not RuntimeState.RUNNING or request_id != self._request_id:
            return None
        self.state = RuntimeState.STREAMING
        self._streamer = caller
        self._observer.response_began(content_type, flow)
        return self._observer.response_piece

    def end_stream(self, error: tuple[str, bytes] | None) -> None:
        """The last piece was there, or the error that broke the stream off."""
        if self.state is not RuntimeState.STREAMING:
            return
        self._streamer = None
        self.state = RuntimeState.RESPONDED
        self._observer.response_ended(error)
        behind, self._behind = self._behind, None
        if behind is not None:
            behind()

    def response_too_large(self) -> None:
        """The body exceeded what is read at all: fail the invocation on the guest's behalf."""
        if self.state is RuntimeState.RUNNING:
            self._answer_too_large()
        elif self.state is RuntimeState.STREAMING:
            self.end_stream(("Function.ResponseSizeTooLarge", messages.STREAM_TOO_LARGE))

    def forget(self, caller: object) -> None:
        """A connection ended: if it waited for an event, nobody waits any more."""
        if self._caller == caller:
            self._caller = self._take = None
        if self._streamer == caller:
            self.end_stream(("Runtime.TruncatedResponse", messages.TRUNCATED_RESPONSE))

    def behind_stream(self, then: Callable[[], None]) -> None:
        """Call `then` when a streamed response has ended; now, if none is on its way.

        For a runtime that is gone: what it had sent is still to be read.
        """
        if self.state is RuntimeState.STREAMING:
            self._behind = then
        else:
            then()

    # -- events -------------------------------------------------------------------------------

    def deliver(self, event: RuntimeEvent) -> None:
        """Hand an event to who waits for it. The state must be READY."""
        if self.state is not _READY:
            raise InvalidTransition(self.state, _RUNNING)
        self.state = _RUNNING
        self._request_id = event.invocation.request_id
        take, self._take = self._take, None
        self._caller = None
        if take is not None:
            take(event)

    @property
    def listening(self) -> bool:
        """Whether somebody waits for an event, so that one can be delivered."""
        return self._take is not None

    # -- HTTP ---------------------------------------------------------------------------------

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        """Answer one request now, or park it when it is a `next` without an event."""
        route = (request.method, request.path)
        if route == ("GET", "/2018-06-01/runtime/invocation/next"):
            refusal = self.next(reply, lambda event: reply(messages.event(event)))
            if refusal is not None:
                reply(refusal)
        elif request.method == "POST" and (match := _INVOCATION.fullmatch(request.path)):
            reply(self._finish(match[1], match[2], request, reply))
        elif route == ("POST", "/2018-06-01/runtime/init/error"):
            reply(self.fail_init(messages.reported(request.headers), request.body))
        elif self.restores is not None and route == ("GET", "/2018-06-01/runtime/restore/next"):
            self._restore_next(reply)
        elif self.restores is not None and route == ("POST", "/2018-06-01/runtime/restore/error"):
            reply(self.fail_init(messages.reported(request.headers), request.body))
        elif route == ("GET", "/2018-06-01/ping"):
            reply(messages.PONG)
        else:
            reply(messages.NOT_FOUND)

    def _restore_next(self, reply: Reply) -> None:
        """The function is initialised and its hooks before the snapshot have run."""
        if self.state is not RuntimeState.STARTED:
            reply(messages.invalid_transition(self.state, RuntimeState.STARTED))
        elif self.restores is RestoreCalls.GO_ON:
            reply(messages.RESTORED)
        else:
            # It has written its snapshot, and is not the one that goes on.
            self.next(reply, lambda _event: None)

    def open_stream(
        self, path: str, headers: Mapping[str, str], reply: Reply, flow: Flow
    ) -> Callable[[bytes], None] | None:
        """Told of a POST's head: take the body piece by piece, if it is a streamed response.

        What may not be streamed now is refused once it is here as a whole, by :meth:`handle`.
        """
        match = _INVOCATION.fullmatch(path)
        if match is None or match[2] != "response":
            return None
        if messages.response_mode(headers) != "streaming":
            return None
        content_type = headers.get("content-type", "application/octet-stream")
        return self.begin_stream(reply, match[1], content_type, flow)

    def _finish(
        self, request_id: str, how: str, request: HttpRequest, reply: Reply
    ) -> HttpResponse:
        if self.state is RuntimeState.STREAMING and self._streamer == reply:
            self.end_stream(messages.streamed_error(request.headers))
            return messages.ACCEPTED
        if how == "error":
            return self.fail(request_id, messages.reported(request.headers), request.body)
        if messages.response_mode(request.headers) is None:
            return self._refusal(request_id, request.body) or messages.INVALID_RESPONSE_MODE
        return self.respond(request_id, request.body)

    # -- rules --------------------------------------------------------------------------------

    def _refusal(self, request_id: str, payload: bytes) -> HttpResponse | None:
        """Why an outcome is not taken; None when it is."""
        if self.state is not _RUNNING:
            return messages.invalid_transition(self.state, _RESPONDED)
        if request_id != self._request_id:
            return messages.INVALID_REQUEST_ID
        if len(payload) > limits.INVOKE_RESPONSE_BYTES_MAX:
            self._answer_too_large()
            return messages.TOO_LARGE
        return None

    def _answer_too_large(self) -> None:
        # Some runtimes report it themselves after their 413, others ask for the next event.
        self._too_large = self._request_id
        self.state = RuntimeState.RESPONDED
        self._observer.invocation_failed(
            "Function.ResponseSizeTooLarge", messages.RESPONSE_SIZE_TOO_LARGE
        )


class InvalidTransition(Exception):
    """A call that may not follow the one before."""

    def __init__(self, before: RuntimeState, after: RuntimeState) -> None:
        super().__init__(f"{before} -> {after}")
        self.before = before
        self.after = after
