"""Makes the parts of asynchronous invocation and connects them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambdad.async_invocation.attempts import Attempts
from lambdad.async_invocation.delivery import AwsCourier
from lambdad.async_invocation.dispatcher import Dispatcher
from lambdad.async_invocation.event_queue import AsyncInvocations
from lambdad.async_invocation.policies import EventPolicies
from lambdad.config.sections import Config
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.clock import Clock
from lambdad.observability.metrics import Metrics
from lambdad.server.queue_pages import QueuePages
from lambdad.storage.base import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncParts:
    """What the daemon runs, offers and closes of it."""

    dispatcher: Dispatcher
    invocations: AsyncInvocations
    courier: AwsCourier
    pages: QueuePages
    metrics: Metrics


def connect(
    store: Engine,
    invoker: Invoker,
    clock: Clock,
    config: Config,
    *,
    endpoint_url: str,
    own_key: Callable[[str], tuple[str, str]],
) -> AsyncParts:
    """Connect the queue of a store with an invoker.

    `endpoint_url` is lambdad's own, `own_key` returns access key and secret that it knows.
    """
    metrics = invoker.metrics
    policies = EventPolicies(store.functions, store.resources)
    elsewhere = config.async_invocation.endpoint_url
    courier = AwsCourier(
        elsewhere or endpoint_url,
        policies=policies,
        clock=clock,
        **({} if elsewhere else {"access_key": own_key}),
    )
    attempts = Attempts(
        door=invoker,
        policies=policies,
        courier=courier,
        clock=clock,
        metrics=metrics,
        retry_delay_s=config.async_invocation.retry_delay_s,
    )
    dispatcher = Dispatcher(
        store.events, attempts, clock=clock, capacity=config.dataplane.concurrency
    )
    return AsyncParts(
        dispatcher=dispatcher,
        invocations=AsyncInvocations(
            store.events, listener=dispatcher, clock=clock, metrics=metrics
        ),
        courier=courier,
        pages=QueuePages(store.events, dispatcher, metrics),
        metrics=metrics,
    )
