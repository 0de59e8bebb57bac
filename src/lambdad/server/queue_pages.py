"""`/_lambdad/queue`: what stands in the queue, and what an operator does about it.

GET  queue?function=&state=&after=&limit=    counts, metrics and a page of events
GET  queue/<id>                              one event with its payload
POST queue/<id>/retry                        due now, with all its retries before it
POST queue/purge?function=&state=&id=        removed
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from lambdad.async_invocation import metric_names
from lambdad.authz.principals import DEFAULT_ACCOUNT_ID, DEFAULT_REGION
from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.async_events import EventState, EventSummary, QueuedEvent, invocation_lane
from lambdad.observability.metrics import Metrics
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.storage.base import EventQueue

PAGE_MAX = 1_000
_JSON = "application/json"


class Listener(Protocol):
    """Told that a lane has something to do."""

    @property
    def in_hand(self) -> int:
        """Events that are being worked on."""
        ...

    def note(self, lane: str, due_ms: int) -> None:
        """A lane has an event that is due then."""
        ...


class _Wrong(Exception):
    """The request cannot be understood; the text says why."""


class QueuePages:
    """Answers the operator's requests; all accounts are the operator's."""

    def __init__(self, queue: EventQueue, listener: Listener, metrics: Metrics) -> None:
        self._queue = queue
        self._listener = listener
        self._metrics = metrics

    async def handle(self, request: HttpRequest, path: str) -> HttpResponse:
        """Answer a request; `path` is what follows `queue/`."""
        query = dict(parse_qsl(request.query))
        try:
            if request.method in ("GET", "HEAD"):
                return await (self._show(path) if path else self._list(query))
            if request.method != "POST":
                return _answer(405, {"message": "Only GET and POST are served here."})
            # A web page elsewhere may make a browser send forms here, but not this.
            if request.headers.get("content-type", "").partition(";")[0].strip() != _JSON:
                return _answer(415, {"message": f"Send Content-Type: {_JSON}."})
            return await self._change(path, query)
        except _Wrong as error:
            return _answer(400, {"message": str(error)})

    async def _list(self, query: Mapping[str, str]) -> HttpResponse:
        limit = min(_number(query.get("limit", "100"), "limit"), PAGE_MAX)
        events = await self._queue.list(
            lane=_lane(query.get("function")),
            state=_state(query.get("state")),
            after=_number(query.get("after", "0"), "after"),
            limit=limit,
        )
        counts = await self._queue.counts()
        document = {
            "counts": {
                "waiting": counts.waiting,
                "running": counts.running,
                "set_aside": counts.set_aside,
                "oldest_ms": counts.oldest_ms,
            },
            "metrics": {name: self._metrics.total(name) for name in metric_names.ALL},
            "events": [_summary(event) for event in events],
            "next": events[-1].event_id if len(events) == limit and events else None,
        }
        return _answer(200, document)

    async def _show(self, path: str) -> HttpResponse:
        event_id = _number(path, "the event's id")
        try:
            queued = await self._queue.show(event_id)
        except ValueError as error:
            return _answer(200, {"id": event_id, "state": "set-aside", "message": str(error)})
        if queued is None:
            return _absent(event_id)
        return _answer(200, _whole(queued))

    async def _change(self, path: str, query: Mapping[str, str]) -> HttpResponse:
        if path == "purge":
            chosen = query.get("id")
            gone = await self._queue.purge(
                event_id=None if chosen is None else _number(chosen, "id"),
                lane=_lane(query.get("function")),
                state=_state(query.get("state")),
            )
            return _answer(200, {"purged": gone})
        name, _, action = path.partition("/")
        if action != "retry":
            return _answer(404, {"message": "There is no such action."})
        event_id = _number(name, "the event's id")
        lane = await self._queue.revive(event_id)
        if lane is None:
            return _absent(event_id)
        self._listener.note(lane, 0)
        return _answer(200, {"id": event_id})


def _absent(event_id: int) -> HttpResponse:
    text = f"There is no event {event_id} in the queue, or it is being worked on."
    return _answer(404, {"message": text})


def _summary(event: EventSummary) -> Mapping[str, Any]:
    return {
        "id": event.event_id,
        "state": event.state.value,
        "kind": event.kind.value,
        "function": event.function_arn,
        "request_id": event.request_id,
        "target": event.target,
        "accepted_ms": event.accepted_ms,
        "visible_ms": event.visible_ms,
        "tries": event.tries,
        "size": event.size,
        "message": event.message,
    }


def _whole(queued: QueuedEvent) -> Mapping[str, Any]:
    event, progress = queued.event, queued.progress
    outcome = progress.outcome
    return {
        "id": queued.event_id,
        "state": queued.state.value,
        "kind": event.kind.value,
        "function": event.key.arn(event.qualifier),
        "request_id": event.request_id,
        "target": event.target,
        "accepted_ms": event.accepted_ms,
        "visible_ms": queued.visible_ms,
        "attempt": queued.attempt,
        "lost": queued.lost,
        "tries": progress.tries,
        "refusals": progress.refusals,
        "trace": event.trace_header,
        "tenant": event.tenant_id,
        "details": dict(event.details),
        "message": "" if outcome is None else outcome.message,
        "response": None if outcome is None else _text(outcome.payload),
        "payload": _text(event.payload),
    }


def _text(payload: bytes | None) -> str | None:
    if payload is None:
        return None
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode()


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _Wrong(f"{text!r} is no number: {what} is one.")
    return int(text)


def _state(text: str | None) -> EventState | None:
    if text is None:
        return None
    try:
        return EventState(text)
    except ValueError as error:
        known = ", ".join(state.value for state in EventState)
        raise _Wrong(f"There is no state {text!r}; there are {known}.") from error


def _lane(function: str | None) -> str | None:
    """The lane of a function by name or ARN; a name alone is in the default account and region."""
    if function is None:
        return None
    reference = parse_function_reference(function)
    if reference is None:
        raise _Wrong(f"{function!r} is no function's name or ARN.")
    return invocation_lane(
        FunctionKey(
            account_id=reference.account_id or DEFAULT_ACCOUNT_ID,
            region=reference.region or DEFAULT_REGION,
            name=reference.name,
        )
    )


def _answer(status: int, document: Mapping[str, Any]) -> HttpResponse:
    body = json.dumps(document, indent=2).encode() + b"\n"
    return HttpResponse(status=status, headers={"Content-Type": _JSON}, body=body)
