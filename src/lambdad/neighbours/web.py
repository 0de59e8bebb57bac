"""Web servers elsewhere, asked in the name of somebody who configured their address.

Decides which addresses may be asked and how much of an answer is taken. See
`lambdad.triggers.outgoing`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from lambdad.neighbours.delivery.clients import AwsCalls
from lambdad.neighbours.delivery.model import DeliveryFailed
from lambdad.neighbours.forwarding import ForwardingFailed, Streams, forward
from lambdad.neighbours.reach import NotReached, Reach
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.outgoing import CallRefused, Unreachable

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE = re.compile(r"[^\x21-\x7e]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ANSWER_MAX = 10 * 1024 * 1024
_SERVER_ERROR = 500


class WebClient:
    """See `lambdad.triggers.outgoing.Web`."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def send(self, request: HttpRequest, url: str, *, timeout_s: float) -> HttpResponse:
        """Send a request, a connection each."""
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise Unreachable(f"{url} is no web address.")
        tls = ssl.create_default_context() if address.scheme == "https" else None

        async def connect() -> Streams:
            port = address.port or (443 if tls else 80)
            return await self._reach.connect(str(address.hostname), port, tls)

        try:
            async with asyncio.timeout(timeout_s):
                return await _whole(await forward(_directed(request, address), connect))
        except (NotReached, ForwardingFailed, OSError, UnicodeError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise Unreachable(f"{url} cannot be asked: {error}") from error


def _directed(request: HttpRequest, address: SplitResult) -> HttpRequest:
    query = "&".join(each for each in (address.query, request.query) if each)
    headers = {**request.headers, "host": address.netloc.rpartition("@")[2]}
    # SECURITY: values may come from whoever calls; none may end its line and begin another one.
    if _TOKEN.fullmatch(request.method) is None or _UNSAFE.search(f"{address.path}?{query}"):
        raise Unreachable("there is no such request")
    clean = {name: _line(value) for name, value in headers.items() if _TOKEN.fullmatch(name)}
    return replace(request, path=address.path or "/", query=query, headers=clean)


def _line(value: str) -> str:
    """Return a value without line ends; letters that Latin-1 lacks are sent as UTF-8."""
    text = _CONTROL.sub(" ", value)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("latin-1")
    return text


async def _whole(response: HttpResponse) -> HttpResponse:
    if response.pieces is None:
        return response
    body = bytearray()
    async with aclosing(response.pieces) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > _ANSWER_MAX:
                raise ForwardingFailed("its answer is too large")
    return replace(response, body=bytes(body), pieces=None, length=None)


class OwnCalls:
    """See `lambdad.triggers.outgoing.ServiceCalls`: lambdad's own endpoint is called."""

    def __init__(self, endpoint_url: str, access_key: Callable[[str], tuple[str, str]]) -> None:
        self._calls = AwsCalls(endpoint_url, access_key, "front-doors")

    async def call(
        self, service: str, account_id: str, region: str, operation: str, **params: Any
    ) -> Any:
        """Call an operation."""
        try:
            return await self._calls.call(service, account_id, region, operation, **params)
        except DeliveryFailed as failed:
            raise _refusal(failed) from failed

    def close(self) -> None:
        """Begin no more calls."""
        self._calls.close()


def _refusal(failed: DeliveryFailed) -> CallRefused:
    cause = failed.__cause__
    if isinstance(cause, ClientError):
        error = cause.response.get("Error", {})
        metadata = cause.response.get("ResponseMetadata", {})
        status = int(metadata.get("HTTPStatusCode", _SERVER_ERROR))
        return CallRefused(str(error.get("Code")), str(error.get("Message")), status)
    invalid = isinstance(cause, BotoCoreError) and failed.final
    return CallRefused("InternalFailure", str(failed), 400 if invalid else _SERVER_ERROR)
