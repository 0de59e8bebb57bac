"""Asynchronous invocation for tests: a queue nobody works on, and one that is worked by hand."""

from __future__ import annotations

from lambdad.async_invocation.event_queue import AsyncInvocations
from lambdad.domain.clock import Clock
from lambdad.observability.metrics import Metrics
from lambdad.storage.base import Engine


class Unattended:
    """Hears of lanes and does nothing."""

    def note(self, lane: str, due_ms: int) -> None:
        """Do nothing."""


def events_of(store: Engine, clock: Clock) -> AsyncInvocations:
    """The way into a store's queue, where events stay."""
    return AsyncInvocations(store.events, listener=Unattended(), clock=clock, metrics=Metrics())
