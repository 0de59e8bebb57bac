"""An AWS client for the event loop: services that speak JSON, over kept connections.

Decides signing, framing and what of an answer is an error. Refuses to know the services: what is
asked and answered are JSON values, so that a record reaches a function as its service wrote it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httptools

from lambdad.domain.clock import Clock
from lambdad.event_source_mappings.base import AwsRefused, AwsUnreachable, Params

_CONNECT_S = 5.0
_READ = 256 * 1024
_IDLE_MAX = 64
_SIGNED = "content-type;host;x-amz-date;x-amz-target"


@dataclass(frozen=True, slots=True)
class _Wire:
    """How a service is spoken to."""

    target: str
    signing_name: str
    version: str = "1.0"


_WIRES = {
    "dynamodbstreams": _Wire("DynamoDBStreams_20120810", "dynamodb"),
    "kinesis": _Wire("Kinesis_20131202", "kinesis", "1.1"),
    "secretsmanager": _Wire("secretsmanager", "secretsmanager", "1.1"),
    "sqs": _Wire("AmazonSQS", "sqs"),
}


class HttpAwsApi:
    """See `base.AwsApi`. Mutable: the connections that nobody uses just now."""

    def __init__(self, endpoint_url: str, access_key: tuple[str, str], clock: Clock) -> None:
        """`access_key` are the id and the secret of the account that calls."""
        address = urlsplit(endpoint_url)
        self._host = address.hostname or "127.0.0.1"
        self._port = address.port or 80
        self._access_key, self._secret = access_key
        self._clock = clock
        self._idle: list[_Connection] = []

    async def call(
        self, service: str, region: str, operation: str, params: Params, *, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        """See `base.AwsApi`."""
        body = json.dumps(params, separators=(",", ":")).encode()
        request = self._request(_WIRES[service], region, operation, body)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._exchange(request)
        except (OSError, EOFError, TimeoutError, httptools.HttpParserError) as error:
            raise AwsUnreachable(f"{service} did not answer: {error!r}") from error
        return _read(answer, service)

    def close(self) -> None:
        """Let go of the connections that nobody uses."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _exchange(self, request: bytes) -> _Answer:
        while self._idle:
            connection = self._idle.pop()
            # The other side may have closed it while nobody looked.
            if not connection.closed and (answer := await self._on(connection, request)):
                return answer
        connection = await _Connection.open(self._host, self._port)
        answer = await self._on(connection, request)
        if answer is None:
            raise ConnectionError("the connection was closed before an answer")
        return answer

    async def _on(self, connection: _Connection, request: bytes) -> _Answer | None:
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if answer is None or not answer.keep_alive or len(self._idle) >= _IDLE_MAX:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _request(self, wire: _Wire, region: str, operation: str, body: bytes) -> bytes:
        moment = f"{self._clock.now():%Y%m%dT%H%M%SZ}"
        scope = f"{moment[:8]}/{region}/{wire.signing_name}/aws4_request"
        headers = (
            f"content-type:application/x-amz-json-{wire.version}\n"
            f"host:{self._host}:{self._port}\nx-amz-date:{moment}\n"
            f"x-amz-target:{wire.target}.{operation}\n"
        )
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"POST\n/\n\n{headers}\n{_SIGNED}\n{digest}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
        key = _signing_key(self._secret, moment[:8], region, wire.signing_name)
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        return (
            "POST / HTTP/1.1\r\n"
            + headers.replace("\n", "\r\n")
            + "authorization:AWS4-HMAC-SHA256 "
            f"Credential={self._access_key}/{scope}, SignedHeaders={_SIGNED}, "
            f"Signature={signature}\r\ncontent-length:{len(body)}\r\n\r\n"
        ).encode() + body


@lru_cache(256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class _Answer:
    """An answer being read; the callbacks are httptools'."""

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.done = False

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @property
    def status(self) -> int:
        return int(self._parser.get_status_code())

    @property
    def keep_alive(self) -> bool:
        return bool(self._parser.should_keep_alive())

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self.done = self.status >= 200


class _Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> _Connection:
        async with asyncio.timeout(_CONNECT_S):
            return cls(*await asyncio.open_connection(host, port))

    @property
    def closed(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def exchange(self, request: bytes) -> _Answer | None:
        """Send and read the answer; None when the other side had hung up before."""
        answer = _Answer()
        try:
            self._writer.write(request)
            await self._writer.drain()
            data = await self._reader.read(_READ)
        except ConnectionError:
            return None
        if not data:
            return None
        answer.feed(data)
        while not answer.done:
            data = await self._reader.read(_READ)
            if not data:
                raise EOFError("the answer broke off")
            answer.feed(data)
        return answer

    def close(self) -> None:
        self._writer.close()


def _read(answer: _Answer, service: str) -> dict[str, Any]:
    try:
        document = json.loads(answer.body or b"{}")
    except ValueError as error:
        raise AwsUnreachable(f"{service} answered {answer.status} and no JSON.") from error
    if answer.status < 300 and isinstance(document, dict):
        return document
    if not isinstance(document, dict):
        document = {}
    query_code = answer.headers.get("x-amzn-query-error", "").partition(";")[0]
    code = query_code or str(document.get("__type", answer.status)).rpartition("#")[2]
    message = document.get("message") or document.get("Message") or ""
    raise AwsRefused(code, str(message), answer.status)


AccessKeys = Callable[[str], tuple[str, str]]


class Accounts:
    """Clients by account. Mutable: those that were made."""

    def __init__(self, endpoint_url: str, access_key: AccessKeys, clock: Clock) -> None:
        self._endpoint_url = endpoint_url
        self._access_key = access_key
        self._clock = clock
        self._clients: dict[str, HttpAwsApi] = {}

    def of(self, account_id: str) -> HttpAwsApi:
        """Return the client of an account."""
        client = self._clients.get(account_id)
        if client is None:
            key = self._access_key(account_id)
            client = self._clients[account_id] = HttpAwsApi(self._endpoint_url, key, self._clock)
        return client

    def close(self) -> None:
        """Let go of all connections."""
        for client in self._clients.values():
            client.close()
