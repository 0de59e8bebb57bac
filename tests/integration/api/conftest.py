"""An `App` on the in-memory engine, with an invoker that does what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambdad.api.app import App
from lambdad.api.context import Services
from lambdad.api.lambda_ import LAMBDA
from lambdad.api.prepared import PreparedInvocations
from lambdad.api.sts import STS
from lambdad.authz.sessions import Sessions
from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.functions import Functions
from lambdad.controlplane.log_filters import LogFilters
from lambdad.domain.arns import FunctionKey
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.neighbours.front import Neighbours
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.async_invocation import events_of
from lambdad.testing.authentication import an_authenticator
from lambdad.testing.clients import Client
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import FakeRuntimes, MemoryPackages, RecordingObserver

SECRET = b"secret of the test"


@dataclass
class FakeInvoker:
    """Answers what it is told, and remembers what it was asked."""

    result: InvocationResult = field(
        default_factory=lambda: InvocationResult(payload=b"null", executed_version="$LATEST")
    )
    failure: Exception | None = None
    calls: list[tuple[FunctionKey, str | None, Invocation]] = field(default_factory=list)

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        self.calls.append((key, qualifier, invocation))
        if self.failure is not None:
            raise self.failure
        return self.result


@dataclass
class Endpoint:
    app: App
    functions: Functions
    invoker: FakeInvoker
    clock: FakeClock
    packages: MemoryPackages
    observer: RecordingObserver
    storage: Engine

    def client(self, service: str = "lambda", **options: Any) -> Client:
        return Client(self.app, service, **options)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    clock, packages = FakeClock(), MemoryPackages()
    storage = engine("memory")(Path("/nowhere"), clock)
    invoker, observer = FakeInvoker(), RecordingObserver()
    async with (
        Functions(
            engine=storage,
            packages=packages,
            runtimes=FakeRuntimes(),
            clock=clock,
            observer=observer,
        ) as functions,
        Attachments(
            storage, locks=functions.locks, clock=clock, concurrency=observer
        ) as attachments,
    ):
        services = Services(
            functions=functions,
            attachments=attachments,
            invoker=invoker,
            events=events_of(storage, clock),
            log_store=storage.logs,
            log_filters=LogFilters(storage.resources),
            subscriptions=None,  # type: ignore[arg-type]  # no log group is offered here
            clock=clock,
            sessions=(sessions := Sessions(SECRET)),
            code_location_key=SECRET,
            prepared=PreparedInvocations(storage.functions),
        )
        offered = (LAMBDA, STS)
        app = App(
            offered=offered,
            services=services,
            elsewhere=Neighbours([service.model for service in offered]),
            authenticator=an_authenticator(clock, sessions),
        )
        yield Endpoint(app, functions, invoker, clock, packages, observer, storage)


@pytest.fixture
async def aws(endpoint: Endpoint) -> Client:
    return endpoint.client()
