"""What an operation knows about its request, and what it may call.

`Services` is the only way from an operation to the control plane, the data plane and the stores.
Who the caller is has been decided before; whether the request is well formed, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from lambdad.api.prepared import PreparedInvocations
from lambdad.authz.authentication import Authenticator
from lambdad.authz.callers import Caller
from lambdad.authz.sessions import Sessions
from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.functions import Functions
from lambdad.controlplane.log_filters import Document, LogFilters
from lambdad.domain.arns import FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.invocations import Invocation, InvocationResult, Waiter
from lambdad.domain.logs import LogGroupKey
from lambdad.storage.base import LogStore

S = TypeVar("S")


class Invoker(Protocol):
    """The one door to running code."""

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        """Run a function once and return its answer or the error document of its failure.

        Raises:
            ServiceException: the invocation was refused: no such function or qualifier, a limit,
                a function that cannot run in its present state.
        """
        ...

    async def invoke_streaming(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> StreamedInvocation:
        """Run a function once and return when its answer begins; raises like :meth:`invoke`."""
        ...

    def begin(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation, waiter: Waiter
    ) -> object:
        """Begin to run a function; `waiter` is told the outcome. Raises like :meth:`invoke`."""
        ...


class StreamedInvocation(Protocol):
    """A running invocation whose answer comes piece by piece.

    Attributes:
        executed_version: of the function.
        headers: of HTTP, as `InvocationResult.headers`.
    """

    executed_version: str
    headers: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """Of the answer."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the answer as it comes; closing it early does not stop the function."""
        ...

    async def outcome(self) -> InvocationResult:
        """Return how it ended, once it has; the payload is empty if it was streamed."""
        ...


class EventAcceptor(Protocol):
    """The way into the queue of asynchronous invocations."""

    async def accept(
        self,
        key: FunctionKey,
        qualifier: str | None,
        *,
        request_id: str,
        payload: bytes,
        trace: str | None,
        tenant_id: str | None = None,
    ) -> str:
        """Store an event durably and return its trace header.

        Raises:
            PlatformError: it could not be stored.
        """
        ...


class LogSubscriptions(Protocol):
    """Who sends on what is logged."""

    async def put(self, key: LogGroupKey, document: Document) -> None:
        """Store a subscription and begin with what is logged from now on.

        Raises:
            ServiceException: its destination would not take events, or the group has too many.
        """
        ...

    async def delete(self, key: LogGroupKey, name: str) -> bool:
        """Remove a subscription; False when there was none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What operations call.

    Attributes:
        sessions: issues temporary credentials.
        prepared: invocations that need not be checked again.
        code_location_key: secret that signs `Code.Location` links; as long as it lives, so do they.
        function_url_scheme: what a `FunctionUrl` begins with.
        function_url_domain: what follows `<url id>.lambda-url.<region>.` in a `FunctionUrl`.
    """

    functions: Functions
    attachments: Attachments
    invoker: Invoker
    events: EventAcceptor
    log_store: LogStore
    log_filters: LogFilters
    subscriptions: LogSubscriptions
    clock: Clock
    sessions: Sessions
    code_location_key: bytes
    prepared: PreparedInvocations
    function_url_scheme: str = "http"
    function_url_domain: str = "localhost:4566"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext(Generic[S]):
    """One request's circumstances.

    Attributes:
        caller: who asks; `account_id` and `access_key` are theirs.
        guest: whether the request comes from inside a sandbox.
        services: what the operations of its service call.
        access_key: as the client signed, or None for an unsigned request.
        base_url: scheme and host as the client used them, `http://127.0.0.1:4566`, no final slash.
        trace_header: `X-Amzn-Trace-Id` of the request, or None.
    """

    account_id: str
    region: str
    request_id: str
    access_key: str | None
    base_url: str
    services: S
    caller: Caller
    authenticator: Authenticator
    guest: bool = False
    trace_header: str | None = None


# Of Lambda, CloudWatch Logs and STS; a neighbour has `ServiceContext` of what is its own.
RequestContext = ServiceContext[Services]
