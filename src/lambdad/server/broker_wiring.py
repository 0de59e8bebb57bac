"""Makes those who poll brokers: Kafka and RabbitMQ. Their clients are imported when needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.access import Access, read_access
from lambdad.event_source_mappings.aws_client import Accounts
from lambdad.event_source_mappings.base import Poller
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.checkpoints import Checkpoints
from lambdad.event_source_mappings.clients import missing_client
from lambdad.event_source_mappings.pollers.unable import UnablePoller
from lambdad.event_source_mappings.shard_state import Send, Tools


class BrokerPollers:
    """Makes a poller for one mapping."""

    def __init__(
        self,
        table: Mapping[str, str],
        accounts: Accounts,
        checkpoints: Checkpoints,
    ) -> None:
        """`table` is the configuration's, of where brokers are."""
        self.brokers = Brokers(table)
        self._accounts = accounts
        self._checkpoints = checkpoints

    def kafka(self, tools: Tools, send: Send) -> Poller:
        """Return a poller of Kafka, or one that says what it lacks."""
        if (text := missing_client(tools.mapping.kind)) is not None:
            return UnablePoller(tools, text)
        from lambdad.event_source_mappings.pollers.kafka import KafkaPoller  # noqa: PLC0415

        return KafkaPoller(
            tools,
            send=send,
            brokers=self.brokers,
            access=self._access_of(tools.mapping),
            checkpoints=self._checkpoints,
        )

    def message_broker(self, tools: Tools) -> Poller:
        """Return a poller of RabbitMQ, or one that says what it lacks."""
        if (text := missing_client(tools.mapping.kind)) is not None:
            return UnablePoller(tools, text)
        from lambdad.event_source_mappings.pollers.rabbitmq import RabbitMqPoller  # noqa: PLC0415

        access = self._access_of(tools.mapping)
        return RabbitMqPoller(tools, brokers=self.brokers, access=access)

    def _access_of(self, mapping: EventSourceMapping) -> Callable[[], Awaitable[Access]]:
        return partial(read_access, mapping, self._accounts.of(mapping.function.account_id))
