"""boto3 talking to the logs API in this process, on the in-memory and on the SQLite engine."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from lambdad.api import logs
from lambdad.api.app import App
from lambdad.api.context import Services
from lambdad.controlplane.log_filters import LogFilters
from lambdad.neighbours.front import Neighbours
from lambdad.protocol.http import HttpRequest
from lambdad.storage.registry import engine as engine_named
from lambdad.testing.authentication import an_authenticator
from lambdad.testing.clock import FakeClock


class _Raw:
    """What botocore reads a body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object):
        yield self._body


class LogsWorld:
    """The API with its store and clock, and clients of it."""

    def __init__(self, store, clock: FakeClock, runner: asyncio.Runner) -> None:
        self.store = store
        self.clock = clock
        self._runner = runner
        services = Services(
            functions=None,
            attachments=None,
            invoker=None,
            events=None,
            log_store=store,
            log_filters=LogFilters(engine_named("memory")(Path("/nowhere"), clock).resources),
            subscriptions=None,
            clock=clock,
            sessions=None,
            code_location_key=b"",
            prepared=None,
        )
        self._app = App(
            offered=[logs.LOGS],
            services=services,
            elsewhere=Neighbours([logs.LOGS.model]),
            authenticator=an_authenticator(clock),
        )

    @property
    def now_ms(self) -> int:
        return int(self.clock.time() * 1000)

    def run(self, awaitable):
        """Await something of the store's."""
        return self._runner.run(awaitable)

    def client(self, *, account: str = "000000000000", region: str = "us-east-1"):
        client = boto3.client(
            "logs",
            endpoint_url="http://127.0.0.1:4566",
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.logs", self._send)
        return client

    def _send(self, request, **_: object) -> AWSResponse:
        body = request.body or b""
        response = self._runner.run(
            self._app.handle(
                HttpRequest(
                    method=request.method,
                    path="/",
                    headers={
                        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
                        for name, value in request.headers.items()
                    },
                    body=body.encode() if isinstance(body, str) else body,
                ),
                base_url="http://127.0.0.1:4566",
            )
        )
        return AWSResponse(request.url, response.status, response.headers, _Raw(response.body))


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path):
    clock = FakeClock()
    with asyncio.Runner() as runner:
        engine = engine_named(request.param)(tmp_path, clock)
        runner.run(engine.open())
        try:
            yield LogsWorld(engine.logs, clock, runner)
        finally:
            runner.run(engine.close())


@pytest.fixture
def client(world: LogsWorld):
    return world.client()


@pytest.fixture
def errors(client) -> SimpleNamespace:
    return client.exceptions
