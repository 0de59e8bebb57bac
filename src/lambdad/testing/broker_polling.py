"""Mappings of brokers that run, and functions in memory that get what is in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lambdad.domain.async_events import AsyncEvent
from lambdad.domain.clock import SystemClock
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.base import AwsRefused, Poller
from lambdad.event_source_mappings.calls import Calls
from lambdad.event_source_mappings.checkpoints import Checkpoints
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.shard_state import Tools
from lambdad.event_source_mappings.shown import Shown
from lambdad.event_source_mappings.stopping import Stopping
from lambdad.observability.metrics import Metrics
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.event_sources import Answer, FakeDoor, NotedResults

_DEADLINE_S = 30.0


class Secrets:
    """Secrets Manager in memory; see `event_source_mappings.base.AwsApi`."""

    def __init__(self, **secrets: Mapping[str, Any]) -> None:
        """`secrets` are values by the last part of an ARN."""
        self.secrets = secrets

    @staticmethod
    def arn(name: str) -> str:
        """Return the ARN of a secret."""
        return f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}"

    async def call(
        self,
        service: str,
        region: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        timeout_s: float = 30.0,
    ) -> dict[str, Any]:
        """Answer GetSecretValue."""
        assert (service, region, operation) == ("secretsmanager", "us-east-1", "GetSecretValue")
        name = params["SecretId"].rpartition(":")[2]
        if name not in self.secrets:
            message = "Secrets Manager can't find the specified secret."
            raise AwsRefused("ResourceNotFoundException", message, 400)
        return {"SecretString": json.dumps(self.secrets[name])}


class Polling:
    """One function; pollers come and go. Mutable: what the function got, and what was sent."""

    def __init__(self, answer: Answer = lambda event: None) -> None:
        self.clock = SystemClock()
        self.door = FakeDoor(answer)
        self.store: Engine = engine("memory")(Path("/nowhere"), self.clock)
        self.results = NotedResults()
        self.sent: list[AsyncEvent] = []
        self.metrics = Metrics()
        self.secrets = Secrets()
        self._task: asyncio.Future[None] | None = None

    def checkpoints(self) -> Checkpoints:
        """Leases of the one daemon there is."""
        resources, apply = self.store.resources, self.store.apply
        return Checkpoints(resources, apply, self.clock, owner="me", alone=True)

    def tools(self, mapping: EventSourceMapping) -> Tools:
        """What a poller works with."""
        return Tools(
            mapping=mapping,
            calls=Calls(self.door),
            counting=Counting(mapping, self.metrics, self.clock),
            results=Shown(self.results, mapping),
            clock=self.clock,
            stopping=Stopping(asyncio.sleep),
        )

    async def send(self, event: AsyncEvent) -> None:
        """Note what is to be delivered."""
        self.sent.append(event)

    @asynccontextmanager
    async def running(self, poller: Poller) -> AsyncIterator[None]:
        """Run a poller, and end it in good order."""
        task = self._task = asyncio.ensure_future(poller.run())
        try:
            yield
        finally:
            poller.stop()
            async with asyncio.timeout(_DEADLINE_S):
                await task

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(_DEADLINE_S):
            while not condition():
                assert self._task is None or not self._task.done(), "the poller has ended"
                await asyncio.sleep(0.01)
