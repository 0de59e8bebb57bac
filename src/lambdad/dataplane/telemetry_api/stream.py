"""The telemetry of one init's processes: who subscribed to it, and what each is to be told.

Decides whether a subscription is accepted; how records travel is the deliveries' business.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from lambdad.dataplane.telemetry_api.buffer import Allowance, Buffer
from lambdad.dataplane.telemetry_api.delivery import Delivery
from lambdad.dataplane.telemetry_api.records import Happening, rendered
from lambdad.dataplane.telemetry_api.subscription import Api, Refused, Subscription, parse
from lambdad.dataplane.telemetry_api.transmission import Connect, Transmission
from lambdad.domain.clock import Clock
from lambdad.observability.platform_events import PlatformEvent
from lambdad.protocol.http import HttpResponse

_JSON = {"Content-Type": "application/json"}
# Of all subscribers of one environment together.
_MEMORY_MAX = 8 * 1024 * 1024
# What may have happened before the first subscription, and is told to it all the same.
_HISTORY_EVENTS_MAX = 1000
_HISTORY_BYTES_MAX = 256 * 1024

Subscribed = Callable[[str, str, tuple[str, ...]], None]


class TelemetryStream:
    """What happens in an environment, from the beginning of one init to the end of its processes.

    Mutable: the subscribers by the name of their extension; and, while there may be more of them,
    what happened so far. `subscribed` is told API, name and types of each.
    """

    def __init__(
        self,
        clock: Clock,
        connect: Connect,
        spawn_task: Callable[[Coroutine[Any, Any, None]], None],
        subscribed: Subscribed,
    ) -> None:
        self._clock = clock
        self._connect = connect
        self._spawn_task = spawn_task
        self._subscribed = subscribed
        self._open = True
        self._history: list[Happening] = []
        self._history_bytes = 0
        self._allowance = Allowance(_MEMORY_MAX)
        self._subscribers: dict[str, tuple[Subscription, Delivery]] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody listens, and nobody will."""
        return not self._open and not self._subscribers

    def subscribe(self, api: Api, name: str, body: bytes) -> HttpResponse:
        """Answer a request of an extension; the same one again changes its subscription."""
        prefix = "" if api is Api.TELEMETRY else f"{api}."
        try:
            if not self._open:
                message = f"{api} API subscription is closed"
                raise Refused(message, status=403, error_type="SubscriptionClosed")
            subscription = parse(api, body)
            known = self._subscribers.get(name)
            if known is not None and known[0].api is not api:
                raise Refused(f"the extension has subscribed to the {known[0].api} API already")
        except Refused as refused:
            named = refused.error_type != "ValidationError"
            error_type = f"{api}.{refused.error_type}" if named else f"{prefix}ValidationError"
            return _answer(refused.status, {"errorMessage": str(refused), "errorType": error_type})
        self._add(name, subscription)
        self._subscribed(api.lower(), name, subscription.types)
        return _answer(200, "OK")

    def close_subscription(self) -> None:
        """The init is over: nobody may subscribe any more."""
        self._open = False
        self._history.clear()

    def platform(self, event: PlatformEvent, moment: datetime) -> None:
        """Tell an event of the platform."""
        self._tell(Happening("platform", moment, event))

    def printed(self, source: str, line: str, moment: datetime, *, structured: bool) -> None:
        """Tell a line that the `function` or an `extension` printed: to that extension, too."""
        self._tell(Happening(source, moment, line, structured))

    def pause(self) -> None:
        """The environment freezes."""
        for _, delivery in self._subscribers.values():
            delivery.pause()

    def resume(self) -> None:
        """The environment runs again."""
        for _, delivery in self._subscribers.values():
            delivery.resume()

    async def flush(self) -> None:
        """The environment ends: deliver what there is and what follows; wait for what there is."""
        deliveries = [delivery for _, delivery in self._subscribers.values()]
        for delivery in deliveries:
            delivery.hurry()
        await asyncio.gather(*(delivery.drained() for delivery in deliveries))

    def close(self) -> None:
        """Its processes are gone; may be called twice."""
        self.close_subscription()
        for _, delivery in self._subscribers.values():
            delivery.close()
        self._subscribers.clear()

    def _add(self, name: str, subscription: Subscription) -> None:
        before = self._subscribers.pop(name, None)
        if before is not None:
            before[1].close()
        delivery = Delivery(
            subscription,
            Buffer(subscription.buffering, self._allowance),
            Transmission(subscription.destination, self._connect),
            self._clock.now,
        )
        self._subscribers[name] = subscription, delivery
        if before is None:
            for happening in self._history:
                for record in rendered(subscription, happening):
                    delivery.add(record)
        self._spawn_task(delivery.run())

    def _tell(self, happening: Happening) -> None:
        if self._open:
            self._remember(happening)
        for subscription, delivery in self._subscribers.values():
            for record in rendered(subscription, happening):
                delivery.add(record)

    def _remember(self, happening: Happening) -> None:
        size = len(happening.content) if isinstance(happening.content, str) else 0
        full = len(self._history) >= _HISTORY_EVENTS_MAX
        if not full and self._history_bytes + size <= _HISTORY_BYTES_MAX:
            self._history_bytes += size
            self._history.append(happening)


def _answer(status: int, document: object) -> HttpResponse:
    body = json.dumps(document, separators=(",", ":")).encode()
    return HttpResponse(status=status, headers=_JSON, body=body)
