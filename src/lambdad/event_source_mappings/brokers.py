"""Where the brokers of mappings are: as a mapping says, or as the configuration does. Pure.

No service tells here which brokers an Amazon MSK cluster or an Amazon MQ broker has, so its ARN
stands in the configuration's table `brokers`. A self-managed broker can stand there, too, where
it is to be spoken to in another way than is guessed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind

KAFKA_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class Speaks(StrEnum):
    """What a broker is."""

    KAFKA = "Kafka"
    RABBITMQ = "RabbitMQ"
    OTHER = "something else"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaBrokers:
    """Bootstrap servers, and in which of Kafka's protocols to speak; None where that is guessed."""

    servers: Sequence[str]
    protocol: str | None = None

    @property
    def are_here(self) -> bool:
        """Whether all of them are on this host."""
        return all(_is_loopback(server.rpartition(":")[0]) for server in self.servers)


class Brokers:
    """The configuration's table, by ARN or by address."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = table

    def speaks(self, arn: str) -> Speaks | None:
        """Return what is behind the ARN of a broker; None when it is not configured."""
        text = self._table.get(arn)
        if text is None:
            return None
        scheme = urlsplit(text).scheme if "://" in text else ""
        if scheme in ("amqp", "amqps"):
            return Speaks.RABBITMQ
        return Speaks.KAFKA if not scheme or scheme.upper() in KAFKA_PROTOCOLS else Speaks.OTHER

    def kafka(self, mapping: EventSourceMapping) -> KafkaBrokers | None:
        """Return the bootstrap servers of a mapping; None when they are not known."""
        settings = mapping.settings
        if mapping.kind is SourceKind.MSK:
            text = self._table.get(settings["EventSourceArn"])
            return None if text is None else _kafka(text)
        servers = settings["SelfManagedEventSource"]["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"]
        text = next((self._table[each] for each in servers if each in self._table), None)
        return KafkaBrokers(servers=list(servers)) if text is None else _kafka(text)

    def url(self, mapping: EventSourceMapping) -> str | None:
        """Return the URL of an Amazon MQ broker; None when it is not known."""
        return self._table.get(mapping.settings["EventSourceArn"])


def _kafka(text: str) -> KafkaBrokers:
    scheme, divider, servers = text.rpartition("://")
    protocol = scheme.upper() if divider else None
    return KafkaBrokers(servers=[each.strip() for each in servers.split(",")], protocol=protocol)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
