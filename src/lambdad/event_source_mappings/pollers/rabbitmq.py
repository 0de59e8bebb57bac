"""Polls a queue of RabbitMQ: consumes, calls the function, acknowledges what is done.

Decides when a batch is whole and what becomes of it; the broker decides which messages come, and
in which order they come back. One batch is in hand at a time, so that a queue keeps its order.
Mutable: what the broker has handed over and is in no batch yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from yarl import URL

from lambdad.event_source_mappings import metric_names
from lambdad.event_source_mappings.access import Access
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import OK, Problem
from lambdad.event_source_mappings.batching import EVENT_BYTES_MAX, fitting
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.calls import Verdict
from lambdad.event_source_mappings.filtering import MessageFilters
from lambdad.event_source_mappings.rabbitmq_records import QueueMessage, event_of, message_of
from lambdad.event_source_mappings.shard_state import Tools

# What it has to say about brokers that do not answer stands in `LastProcessingResult`.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)
_LOGGER = logging.getLogger(__name__)

_WINDOW_S = 0.5
_CONNECT_S = 10.0
# The broker takes back what is not acknowledged within 30 minutes, and a function may take 14.
_HOLD_S = 600.0

# Ends with None when the broker sends nothing any more.
Inbox = asyncio.Queue[DeliveredMessage | None]


class RabbitMqPoller:
    """See `base.Poller`."""

    def __init__(
        self, tools: Tools, *, brokers: Brokers, access: Callable[[], Awaitable[Access]]
    ) -> None:
        """`access` reads the secrets of now."""
        settings = tools.mapping.settings
        self._tools = tools
        self._brokers = brokers
        self._access = access
        self._arn: str = settings["EventSourceArn"]
        self._queue: str = settings["Queues"][0]
        self._virtual_host = "/"
        self._size = int(settings.get("BatchSize", 100))
        self._window_s = float(settings.get("MaximumBatchingWindowInSeconds", _WINDOW_S))
        self._filters = MessageFilters.of(tools.mapping)
        self._failures = Backoff(0.1, 10.0)
        self._troubled = (tools.mapping.last_processing_result or "").startswith("PROBLEM")

    def stop(self) -> None:
        """See `base.Poller`."""
        self._tools.stopping.stop()

    async def run(self) -> None:
        """See `base.Poller`."""
        tools, troubles = self._tools, Backoff(1.0, 30.0)
        while not tools.stopping.stopped:
            try:
                await self._poll(troubles)
            except Problem as problem:
                self._troubled = True
                await tools.results.show(str(problem))
                await tools.stopping.pause(troubles.failed())

    async def _poll(self, troubles: Backoff) -> None:
        """Consume until polling stops.

        Raises:
            Problem: the broker cannot be consumed from now.
        """
        access = await self._access()
        self._virtual_host = access.virtual_host
        try:
            async with self._channel(access) as channel:
                inbox: Inbox = asyncio.Queue()
                channel.closing.add_done_callback(lambda _: inbox.put_nowait(None))
                channel.on_consumer_cancel_callbacks.add(lambda _: inbox.put_nowait(None))
                await channel.basic_qos(prefetch_count=self._size)
                await channel.basic_consume(self._queue, inbox.put)
                troubles.succeeded()
                await self._well()
                while batch := await self._gather(inbox):
                    await self._work_on(channel, batch, inbox)
        except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
            raise Problem(self._words(error)) from error

    @asynccontextmanager
    async def _channel(self, access: Access) -> AsyncIterator[AbstractChannel]:
        async with asyncio.timeout(_CONNECT_S):
            connection = await aiormq.connect(self._address(access))
        try:
            yield await connection.channel(publisher_confirms=False)
        finally:
            # What is not acknowledged goes back to the queue.
            with suppress(AMQPError, OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_S):
                    await connection.close()

    def _address(self, access: Access) -> URL:
        url = self._brokers.url(self._tools.mapping)
        if url is None:
            raise Problem(f"The broker {self._arn} is not in the table [brokers] of the settings.")
        if access.login is None:
            raise Problem("The mapping has no secret of type BASIC_AUTH.")
        address = URL(url).with_path("/" + quote(access.virtual_host, safe=""), encoded=True)
        return address.with_user(access.login.username).with_password(access.login.password)

    async def _gather(self, inbox: Inbox) -> Sequence[QueueMessage]:
        """Return a batch: the first message is waited for; nothing when polling is to stop."""
        clock, batch, size = self._tools.clock, list[QueueMessage](), 0
        deadline: float | None = None
        while len(batch) < self._size and size < EVENT_BYTES_MAX:
            left_s = None if deadline is None else deadline - clock.monotonic()
            if self._tools.stopping.stopped:
                return ()
            if left_s is not None and left_s <= 0 and inbox.empty():
                break
            got = await self._tools.stopping.unless_stopped(_next(inbox, left_s))
            if got is None:
                continue
            batch.append(_message(got))
            size += len(batch[-1].document)
            deadline = deadline or clock.monotonic() + self._window_s
        return batch

    async def _work_on(
        self, channel: AbstractChannel, batch: Sequence[QueueMessage], inbox: Inbox
    ) -> None:
        counting, kept = self._tools.counting, list[QueueMessage]()
        counting.add(metric_names.POLLED, len(batch))
        for message in batch:
            too_large = len(message.document) > EVENT_BYTES_MAX
            if too_large:
                counting.add(metric_names.DROPPED, 1)
                _LOGGER.warning("a message of %s is too large for an event", self._queue)
            if too_large or not self._filters.passes(message.described, {"data": message.body}):
                await channel.basic_ack(message.tag)
            else:
                kept.append(message)
        counting.add(metric_names.FILTERED_OUT, len(batch) - len(kept))
        for part in fitting(kept):
            if not await self._deliver(part):
                await self._tools.stopping.pause(self._failures.failed())
                last = _drain(inbox, kept[-1].tag)
                await channel.basic_nack(last, multiple=True, requeue=True)
                return
            await channel.basic_ack(part[-1].tag, multiple=True)
            self._failures.succeeded()

    async def _deliver(self, part: Sequence[QueueMessage]) -> bool:
        """Call the function, again while it cannot run; whether it succeeded."""
        tools = self._tools
        event = event_of(
            part, source_arn=self._arn, queue=self._queue, virtual_host=self._virtual_host
        )
        refused, begun = Backoff(0.1, 10.0), tools.clock.monotonic()
        while True:
            call = await tools.calls.make(tools.mapping, event, None, size=len(part))
            tools.counting.add(
                metric_names.INVOKED if call.ran else metric_names.FAILED_INVOKE, len(part)
            )
            await self._show(call.text)
            held_s = tools.clock.monotonic() - begun
            if call.ran or tools.stopping.stopped or held_s > _HOLD_S:
                return call.verdict is Verdict.SUCCEEDED
            await tools.stopping.pause(refused.failed())

    async def _well(self) -> None:
        if self._troubled:
            await self._show(OK)

    async def _show(self, text: str) -> None:
        """Show what is wrong; AWS shows nothing for brokers that are well."""
        self._troubled = text.startswith("PROBLEM")
        await self._tools.results.show(text if self._troubled else None)

    def _words(self, error: Exception) -> str:
        if isinstance(error, AuthenticationError | ProbableAuthenticationError):
            return f"EVENT_SOURCE_AUTHN_ERROR: Lambda failed to authenticate. ({error})"
        # A virtual host that is not there, or not for this user, ends the conversation.
        if isinstance(error, ChannelAccessRefused | ConnectionNotAllowed | InvalidFrameError):
            return (
                f"EVENT_SOURCE_AUTHZ_ERROR: Lambda may not read queue {self._queue} of virtual "
                f"host {self._virtual_host}. ({error})"
            )
        if isinstance(error, ChannelNotFoundEntity):
            return f"ESM_CONFIG_NOT_VALID: There is no queue {self._queue}. ({error})"
        return (
            "Connection error. Please check your event source connection configuration. "
            f"({str(error) or type(error).__name__})"
        )


async def _next(inbox: Inbox, timeout_s: float | None) -> DeliveredMessage | None:
    """Return the next message; None when there was none in time.

    Raises:
        ConnectionError: the broker sends nothing any more.
    """
    try:
        async with asyncio.timeout(timeout_s if inbox.empty() else None):
            message = await inbox.get()
    except TimeoutError:
        return None
    if message is None:
        raise ConnectionError("the broker has ended the consumer")
    return message


def _drain(inbox: Inbox, tag: int) -> int:
    """Take out what goes back with a failed batch, so that the order stays; returns the last tag.

    Raises:
        ConnectionError: the broker sends nothing any more.
    """
    while not inbox.empty():
        message = inbox.get_nowait()
        if message is None:
            raise ConnectionError("the broker has ended the consumer")
        tag = message.delivery_tag or tag
    return tag


def _message(given: DeliveredMessage) -> QueueMessage:
    properties: Any = given.header.properties
    names = properties.attributes() if properties is not None else ()
    return message_of(
        {name: getattr(properties, name) for name in names},
        given.body,
        tag=given.delivery_tag or 0,
        redelivered=bool(given.redelivered),
    )
