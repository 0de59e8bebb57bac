"""Services that somebody else runs, at an address or at AWS: requests are handed on.

A server at an address gets what the client signed, host and all, so that the client's credentials
are the server's. What lambdad gave out itself, to functions and for its own calls, means nothing
there: such requests are signed anew with the AWS credentials of the daemon's process, or with the
account's number where it has none. AWS always gets the daemon's own.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import botocore.session
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambdad.api.context import ServiceContext
from lambdad.authz.authentication import DAEMON_PREFIX
from lambdad.authz.sessions import TOKEN_PREFIX
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.directory import NEIGHBOURS
from lambdad.neighbours.forwarding import Streams, forward
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.sigv4 import session_token

AWS = "aws"
_TIMEOUT_S = 10.0
_PROBE_S = 2.0
_OF_SIGNATURE = re.compile(r"(?i)authorization|x-amz-date|x-amz-security-token|host|expect")
_OF_QUERY = "X-Amz-"


class _Remote:
    """What does not differ. See `front.Server`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @property
    def kind(self) -> str:
        """The address."""
        return self._kind

    async def start(self) -> None:
        """Nothing to begin."""

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Nothing to let go of."""


class Endpoint(_Remote):
    """A server at an address. See `front.Server`. Mutable: the session."""

    def __init__(self, url: str) -> None:
        """`url` is `http://host:port` or `https://…`.

        Raises:
            HostUnfit: it is neither.
        """
        super().__init__(url)
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise HostUnfit(
                f"{url} is no address of a service.",
                'Write "builtin", "aws", or an URL such as "http://127.0.0.1:9000".',
            )
        self._host = address.hostname
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._port = address.port or (443 if self._tls else 80)
        self._session: botocore.session.Session | None = None

    async def handle(
        self, request: HttpRequest, service: str, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Hand the request on as it is, unless nobody there can know who signed it."""
        if _issued_here(request, caller):
            request = await asyncio.to_thread(self._sign, request, service, caller)
        return await forward(request, self._connect)

    def _sign(
        self, request: HttpRequest, service: str, caller: ServiceContext[None]
    ) -> HttpRequest:
        if self._session is None:
            self._session = _session()
        known = self._session.get_credentials()
        credentials = known or Credentials(caller.account_id, "any")
        return _signed(request, service, self.kind.rstrip("/"), caller.region, credentials)

    async def answers(self) -> bool:
        """Whether it accepts a connection."""
        try:
            async with asyncio.timeout(_PROBE_S):
                _, writer = await self._connect()
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def _connect(self) -> Streams:
        async with asyncio.timeout(_TIMEOUT_S):
            return await asyncio.open_connection(self._host, self._port, ssl=self._tls)


class Aws(_Remote):
    """AWS itself, with the daemon's credentials. See `front.Server`. Mutable: the session."""

    def __init__(self, service: str) -> None:
        super().__init__(AWS)
        self._service = service
        self._session: botocore.session.Session | None = None

    async def handle(
        self, request: HttpRequest, service: str, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Sign the request anew for the caller's region and hand it on."""
        host = await asyncio.to_thread(self._host, caller.region)
        signed = await asyncio.to_thread(self._sign, request, host, caller.region)
        tls = ssl.create_default_context()

        async def connect() -> Streams:
            async with asyncio.timeout(_TIMEOUT_S):
                return await asyncio.open_connection(host, 443, ssl=tls)

        return await forward(signed, connect)

    async def answers(self) -> bool:
        """Whether there are credentials to call it with."""
        return await asyncio.to_thread(self._credentials) is not None

    def _opened(self) -> botocore.session.Session:
        if self._session is None:
            self._session = _session()
        return self._session

    def _credentials(self) -> Any:
        return self._opened().get_credentials()

    def _host(self, region: str) -> str:
        resolver = self._opened().get_component("endpoint_resolver")
        data = resolver.construct_endpoint(self._service, region) or {}
        name = NEIGHBOURS[self._service].signing_name
        return str(data.get("hostname") or f"{name}.{region}.amazonaws.com")

    def _sign(self, request: HttpRequest, host: str, region: str) -> HttpRequest:
        credentials = self._credentials()
        if credentials is None:
            raise HostUnfit(
                "lambdad has no AWS credentials.",
                "Give its process some, by AWS_ACCESS_KEY_ID or a profile, as for any SDK.",
            )
        return _signed(request, self._service, f"https://{host}", region, credentials)


def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    # Off EC2 nobody answers there, and asking takes seconds.
    session.set_config_variable("metadata_service_num_attempts", 0)
    return session


def _signed(
    request: HttpRequest, service: str, base_url: str, region: str, credentials: Any
) -> HttpRequest:
    """Return a request signed anew, for a server at `base_url`."""
    kept = {
        name: value
        for name, value in request.headers.items()
        if _OF_SIGNATURE.fullmatch(name) is None
    }
    pairs = parse_qsl(request.query, keep_blank_values=True)
    query = urlencode([pair for pair in pairs if not pair[0].startswith(_OF_QUERY)])
    url = f"{base_url}{request.path}" + (f"?{query}" if query else "")
    to_sign = AWSRequest(method=request.method, url=url, data=request.body, headers=kept)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(credentials, NEIGHBOURS[service].signing_name, region).add_auth(to_sign)
    headers = {key.lower(): str(value) for key, value in to_sign.headers.items()}
    host = base_url.partition("://")[2]
    return replace(request, query=query, headers={**headers, "host": host})


def _issued_here(request: HttpRequest, caller: ServiceContext[None]) -> bool:
    """Whether lambdad itself gave out what signed a request: to itself, or to a function."""
    token = session_token(request) or ""
    return (caller.access_key or "").startswith(DAEMON_PREFIX) or token.startswith(TOKEN_PREFIX)
