"""boto3 clients that talk to an `App` without a network."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from lambdad.protocol.http import HttpRequest, HttpResponse

BASE_URL = "http://127.0.0.1:4566"


class _App(Protocol):
    async def handle(self, request: HttpRequest, *, base_url: str) -> HttpResponse: ...


class _Body(io.BytesIO):
    """What botocore expects of urllib3's responses."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class Client:
    """A boto3 client whose requests an `App` on the running loop answers.

    Every call runs in a thread, so that the loop stays free to serve it.
    """

    def __init__(
        self,
        app: _App,
        service: str,
        *,
        region: str = "us-east-1",
        access_key: str = "test",
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        """`credentials` are those that STS answered, in place of `access_key`."""
        given = credentials or {"AccessKeyId": access_key, "SecretAccessKey": "any"}
        self._loop = asyncio.get_running_loop()
        self._app = app
        self.responses: list[HttpResponse] = []
        self.boto3: Any = boto3.client(
            service,
            endpoint_url=BASE_URL,
            region_name=region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            config=Config(retries={"max_attempts": 0}),
        )
        self.boto3.meta.events.register("before-send", self._send)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """The client's method of this name, to be awaited."""
        method = getattr(self.boto3, name)

        async def call(**params: Any) -> Any:
            return await asyncio.to_thread(method, **params)

        return call

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        answer = self._app.handle(to_http_request(request), base_url=BASE_URL)
        response = asyncio.run_coroutine_threadsafe(answer, self._loop).result(timeout=30)
        self.responses.append(response)
        headers: Any = {**response.headers, "Content-Length": str(len(response.body))}
        return AWSResponse(request.url, response.status, headers, _Body(response.body))


def to_http_request(request: AWSPreparedRequest) -> HttpRequest:
    """What a server would read from the wire."""
    url = urlsplit(request.url)
    given: Any = request.headers  # botocore mixes bytes and text
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in given.items()
    }
    headers.setdefault("host", url.netloc)
    return HttpRequest(
        method=request.method,
        path=url.path,
        query=url.query,
        headers=headers,
        body=_read(request.body),
    )


def _read(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else bytes(body.read())
