"""Makes what sends log events on to those who subscribed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from lambdad.controlplane.log_filters import LogFilters
from lambdad.domain.clock import Clock
from lambdad.neighbours.delivery.clients import AwsCalls
from lambdad.neighbours.log_metrics.watching import LogMetrics
from lambdad.neighbours.pushing import FunctionPush
from lambdad.neighbours.subscriptions.destinations import Destinations
from lambdad.neighbours.subscriptions.shipping import Shipping
from lambdad.storage.base import Engine


class Subscriptions:
    """The subscriptions of a daemon, and the filters they are stored as."""

    def __init__(
        self,
        store: Engine,
        functions: FunctionPush,
        clock: Clock,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        endpoint_url: str,
        access_key: Callable[[str], tuple[str, str]],
    ) -> None:
        self.filters = LogFilters(store.resources)
        self._calls = AwsCalls(endpoint_url, access_key, "logs")
        destinations = Destinations(functions, self._calls, clock)
        self.shipping = Shipping(store.logs, self.filters, destinations, clock, spawn)
        self.metrics = LogMetrics(self.filters)
        store.logs.watch(self.metrics.appended)

    def close(self) -> None:
        """Send no more."""
        self.shipping.stop()
        self._calls.close()
