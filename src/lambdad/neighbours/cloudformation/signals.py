"""Signals: what the resources that wait for somebody outside are told.

They come to an URL of ours, or by SignalResource, and are on disk before they are answered; so a
stop in between loses none. Mutable: who waits for which signals.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from lambdad.domain.clock import Clock
from lambdad.neighbours.cloudformation import rows
from lambdad.neighbours.cloudformation.custom import first_of
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.model import Resource, Stack
from lambdad.neighbours.cloudformation.types.base import Made, ResourceFailed
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.storage.database import Database

PATH = "/_cloudformation/signals/"
_BODY_MAX = 4_096
_DURATION = re.compile(r"PT(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,5})S)?")
_STATUSES = ("SUCCESS", "FAILURE")


class Signals:
    """See the module."""

    def __init__(self, db: Database, clock: Clock, endpoint_url: str) -> None:
        self._db = db
        self._clock = clock
        self._endpoint_url = endpoint_url
        self._waiting: dict[str, asyncio.Event] = {}

    def url(self, token: str) -> str:
        """Return where the signals of a handle go."""
        return f"{self._endpoint_url}{PATH}{token}"

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Take a signal that is put to a handle's URL."""
        token = request.path.removeprefix(PATH)
        if request.method != "PUT" or not token:
            return HttpResponse(status=403, headers={}, body=b"")
        if len(request.body) > _BODY_MAX:
            return HttpResponse(status=413, headers={}, body=b"")
        try:
            found = json.loads(request.body)
            status = found["Status"]
            signal = {
                "id": str(found.get("UniqueId") or uuid4()),
                "status": status,
                "data": str(found.get("Data", "")),
                "reason": str(found.get("Reason", "")),
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            status, signal = "", {}
        if status not in _STATUSES:
            text = b"The body has to be JSON with Status, UniqueId, Data and Reason."
            return HttpResponse(status=400, headers={}, body=text)
        await self.put(token, signal)
        return HttpResponse(status=200, headers={}, body=b"")

    async def put(self, key: str, signal: dict[str, str]) -> None:
        """Store a signal; the same id again changes nothing."""
        body = json.dumps(signal)
        await self._db.write(partial(rows.put_signal, key=key, signal_id=signal["id"], body=body))
        event = self._waiting.get(key)
        if event is not None:
            event.set()

    async def wait(
        self, key: str, *, count: int, timeout_s: float, began_ms: int, stopped: asyncio.Event
    ) -> Made:
        """Return when so many signals of success came; what they said is the attribute `Data`.

        Raises:
            ResourceFailed: one was of failure, or too few came in time.
        """
        event = self._waiting.setdefault(key, asyncio.Event())
        try:
            while True:
                event.clear()
                found = await self._db.read(partial(rows.signals, key=key))
                if (made := _outcome(found, count)) is not None:
                    return made
                left = began_ms / 1_000 + timeout_s - self._clock.time()
                if left <= 0:
                    raise ResourceFailed(
                        f"WaitCondition timed out. Received {len(found)} conditions when expecting "
                        f"{count}"
                    )
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await first_of(event, stopped)
                if stopped.is_set():
                    raise ResourceFailed("Resource creation cancelled")
        finally:
            self._waiting.pop(key, None)


@dataclass(frozen=True, slots=True)
class CreationPolicy:
    """How many signals a resource waits for, and how long."""

    count: int = 1
    timeout_s: float = 300


def creation_policy(stack: Stack, logical_id: str) -> CreationPolicy:
    """Return the creation policy that a template gives a resource.

    Raises:
        ResourceFailed: it has the wrong form.
    """
    definition = stack.plan.template.resources.get(logical_id) or {}
    scope = Scope(values=stack.plan.values)
    try:
        policy = evaluate(definition.get("CreationPolicy") or {}, scope)
        signal = policy.get("ResourceSignal") or {}
        found = _DURATION.fullmatch(str(signal.get("Timeout", "PT5M")))
        if found is None:
            raise ValueError(signal["Timeout"])
        hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return CreationPolicy(int(signal.get("Count", 1)), hours * 3_600 + minutes * 60 + seconds)
    except (ValidationError, ValueError, TypeError, AttributeError) as error:
        raise ResourceFailed(f"Invalid CreationPolicy for {logical_id}: {error}") from error


def token_of(handle: str) -> str:
    """Return the token in a handle's URL; the daemon may have had another port when it was made."""
    return handle.rpartition(PATH)[2]


def signal_key(stack: Stack, resource: Resource) -> str:
    """Return where the signals for a resource are kept."""
    return f"{stack.id}/{resource.logical_id}/{resource.token}"


def _outcome(found: list[dict[str, Any]], count: int) -> Made | None:
    for each in found:
        if each["status"] == "FAILURE":
            raise ResourceFailed(
                f"WaitCondition received failed message: '{each['reason']}' for uniqueId: "
                f"{each['id']}"
            )
    if len(found) < count:
        return None
    data = json.dumps({each["id"]: each["data"] for each in found}, separators=(",", ":"))
    return Made(physical_id="", attributes={"Data": data})
