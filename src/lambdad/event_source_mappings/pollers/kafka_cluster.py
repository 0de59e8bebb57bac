"""How one mapping reaches its Kafka cluster, and what it says when it does not.

Decides protocol, authentication and the words for failures; refuses to know what is read.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from lambdad.event_source_mappings.access import Access, Certificate
from lambdad.event_source_mappings.base import Problem
from lambdad.event_source_mappings.brokers import KafkaBrokers

# What it has to say about brokers that do not answer stands in `LastProcessingResult`.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

_REQUEST_MS = 20_000
_SESSION_MS = 10_000
_LOOK_MS = 5_000
_CLOSE_S = 10.0
_NOT_LOGGED_IN = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
_NOT_AUTHORIZED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)


class KafkaCluster:
    """A cluster, as one mapping is let in."""

    def __init__(self, brokers: KafkaBrokers, access: Access) -> None:
        """May take a while to read certificates.

        Raises:
            Problem: a certificate or key is none.
        """
        self.servers: Sequence[str] = brokers.servers
        self._access = access
        protocol = brokers.protocol or _guess(brokers, access)
        self._options: dict[str, Any] = {"security_protocol": protocol}
        if protocol.startswith("SASL_") and access.login is not None:
            self._options["sasl_mechanism"] = access.login.mechanism
            self._options["sasl_plain_username"] = access.login.username
            self._options["sasl_plain_password"] = access.login.password
        if protocol.endswith("SSL"):
            self._options["ssl_context"] = _ssl_context(access)

    def consumer(self, *, group: str) -> AIOKafkaConsumer:
        """Return a consumer that is not started yet and reads nothing yet.

        It leaves its group when it is stopped; where it is killed, its partitions are free after
        10 s. A member with a name of its own would be quicker, but would not notice partitions
        that came meanwhile.
        """
        return AIOKafkaConsumer(
            bootstrap_servers=list(self.servers),
            client_id="lambdad",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=_REQUEST_MS,
            session_timeout_ms=_SESSION_MS,
            metadata_max_age_ms=30_000,
            **self._options,
        )

    def producer(self) -> AIOKafkaProducer:
        """Return a producer that is not started yet and waits for all replicas."""
        return AIOKafkaProducer(
            bootstrap_servers=list(self.servers),
            client_id="lambdad",
            acks="all",
            request_timeout_ms=_REQUEST_MS,
            **self._options,
        )

    async def explain(self, error: Exception) -> Problem:
        """Return what is wrong, in AWS's words where it has some; looks at the brokers itself."""
        if isinstance(error, KafkaError) and (text := _words(error)) is not None:
            return Problem(text)
        found: Exception = error
        for server in self.servers:
            host, _, port = server.rpartition(":")
            try:
                connection = await create_conn(
                    host.strip("[]"), int(port), request_timeout_ms=_LOOK_MS, **self._options
                )
            except (OSError, KafkaError, TimeoutError, ValueError) as cause:
                found = cause
                if (text := _words(cause) or self._words_of_tls(cause)) is not None:
                    return Problem(text)
            else:
                connection.close()
        return Problem(
            f"Connection error. Please check your event source connection configuration. ({found})"
        )

    def _words_of_tls(self, error: Exception) -> str | None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return "Lambda failed to authenticate server"
        if not isinstance(error, ssl.SSLError):
            return None
        if self._access.certificate is not None:
            return "Server failed to authenticate Lambda"
        return f"Lambda failed to authenticate server ({error.reason or error})"


def _words(error: Exception) -> str | None:
    if isinstance(error, _NOT_LOGGED_IN):
        return "SASL authentication failed"
    return "Cluster failed to authorize Lambda" if isinstance(error, _NOT_AUTHORIZED) else None


def _guess(brokers: KafkaBrokers, access: Access) -> str:
    """TLS wherever something is to be kept secret, but for brokers on this very host."""
    guarded = access.root_ca is not None or access.certificate is not None
    if access.login is None:
        return "SSL" if guarded else "PLAINTEXT"
    return "SASL_PLAINTEXT" if brokers.are_here and not guarded else "SASL_SSL"


def _ssl_context(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.root_ca)
        if access.certificate is not None:
            _load(context, access.certificate)
    except (ssl.SSLError, ValueError) as error:
        raise Problem("Provided certificate or private key is invalid") from error
    return context


def _load(context: ssl.SSLContext, own: Certificate) -> None:
    """The library reads certificates from files only; these live as long as it takes."""
    with tempfile.TemporaryDirectory(prefix="lambdad-certificate-") as directory:
        file = Path(directory, "client.pem")
        file.touch(mode=0o600)
        file.write_text(f"{own.private_key}\n{own.certificate}\n", encoding="utf-8")
        context.load_cert_chain(file, password=own.password or "")


async def let_go(closing: Coroutine[Any, Any, None]) -> bool:
    """Close a client; whether that went well, which it need not where brokers are gone."""
    # A task of its own: the client may end as if it were cancelled, which nobody has asked for.
    task = asyncio.ensure_future(closing)
    try:
        await asyncio.wait({task}, timeout=_CLOSE_S)
    finally:
        task.cancel()
    return task.done() and not task.cancelled() and task.exception() is None
