"""Every service but lambdad's own: finds what serves it here, and hands the request over.

Decides nothing about a service; knows no protocol but the form of a refusal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from botocore.model import ServiceModel

from lambdad.api.app import answer
from lambdad.api.context import ServiceContext
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.hosting import Hosted
from lambdad.neighbours.refusals import not_accepted, refuse, unavailable
from lambdad.neighbours.services import ServiceDirectory
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.sigv4 import Credential
from lambdad.protocol.sigv4_refusals import SignatureRefused

_LOGGER = logging.getLogger(__name__)


class Server(Protocol):
    """What serves one service, or many."""

    @property
    def kind(self) -> str:
        """In words: `builtin`, `moto` or an address."""
        ...

    async def handle(
        self, request: HttpRequest, service: str, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Answer a request."""
        ...

    async def answers(self) -> bool:
        """Whether it can be reached; something that starts when it is first used can."""
        ...

    async def start(self) -> None:
        """Begin what has to run without being called."""
        ...

    def drain(self) -> None:
        """Let nobody wait any longer."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class Builtin:
    """Serves one service by its package. See `Server`."""

    kind = "builtin"

    def __init__(self, hosted: Hosted) -> None:
        self.hosted = hosted

    async def handle(
        self, request: HttpRequest, service: str, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Run the operation."""
        neighbour, parts = await self.hosted.opened()
        if neighbour.rewrite is not None:
            request = neighbour.rewrite(request)
        context: ServiceContext[Any] = replace(caller, services=parts)  # type: ignore[arg-type]
        if neighbour.handle is not None:
            return await neighbour.handle(request, context)
        return await answer(neighbour.service, request, context)

    async def answers(self) -> bool:
        """It is part of this process."""
        return True

    async def start(self) -> None:
        """Open it if it has work."""
        await self.hosted.start()

    def drain(self) -> None:
        """Let nobody wait any longer."""
        self.hosted.drain()

    async def close(self) -> None:
        """Close what was opened."""
        await self.hosted.close()


class Neighbours:
    """See `lambdad.api.app.Elsewhere`."""

    def __init__(
        self,
        own: Sequence[ServiceModel],
        servers: Mapping[str, Server] | None = None,
        *,
        others: Server | None = None,
    ) -> None:
        """`servers` by service; `others` serves whatever else is asked for, if anything does."""
        self._directory = ServiceDirectory(own)
        self._servers = dict(servers or {})
        self._others = others

    def identify(self, request: HttpRequest, credential: Credential | None) -> str | None:
        """Return the name of the service a request is for."""
        return self._directory.identify(request, credential)

    async def handle(
        self, request: HttpRequest, service: str | None, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Let whatever serves the service answer."""
        server = None if service is None else self._servers.get(service, self._others)
        if server is self._others and caller.access_key is None and service == "s3":
            server = None  # a guess, as nothing in the request told
        if server is None or service is None:
            return refuse(request, service, caller.request_id)
        try:
            return await server.handle(request, service, caller)
        except Exception as error:
            _LOGGER.exception("%s (%s) failed", service, server.kind)
            return unavailable(request, service, caller.request_id, str(error))

    def refuse_caller(
        self, request: HttpRequest, service: str | None, refused: SignatureRefused, request_id: str
    ) -> HttpResponse:
        """Say to whoever calls that their credentials are not accepted."""
        return not_accepted(request, service, refused, request_id)

    async def report(self) -> Mapping[str, Mapping[str, object]]:
        """What serves each service and whether it answers; `others` are all that are not named."""
        servers = dict(sorted(self._servers.items()))
        if self._others is not None:
            servers["others"] = self._others
        answers = await asyncio.gather(*(server.answers() for server in servers.values()))
        return {
            name: {"served_by": server.kind, "answers": answering}
            for (name, server), answering in zip(servers.items(), answers, strict=True)
        }

    def builtin(self, service: str) -> Builtin | None:
        """Return what serves a service if that is lambdad itself."""
        server = self._servers.get(service)
        return server if isinstance(server, Builtin) else None

    def is_own(self, service: str) -> bool:
        """Whether lambdad itself serves a service here."""
        return self.builtin(service) is not None

    async def parts(self, service: str) -> Any:
        """Return the parts of a service of lambdad's own, opened if need be.

        Raises:
            HostUnfit: somebody else serves it here, or nobody.
        """
        server = self._servers.get(service)
        if not isinstance(server, Builtin):
            raise HostUnfit(
                f"{service} is not served by lambdad itself here.",
                f'Set neighbours.{service} = "builtin", or reach it through its address.',
            )
        return (await server.hosted.opened())[1]

    def opened(self, service: str) -> Any | None:
        """Return the parts of a service of lambdad's own if they are open; nothing is opened."""
        server = self.builtin(service)
        return None if server is None else server.hosted.parts

    def when_opened(self, service: str, tell: Callable[[Any], None]) -> None:
        """Let something know the parts of a service of lambdad's own once it is opened."""
        server = self.builtin(service)
        if server is not None:
            server.hosted.when_opened = tell

    async def start(self) -> None:
        """Begin what has to run without being called; a failure stops no other."""
        for server in self._all():
            try:
                await server.start()
            except Exception:
                _LOGGER.exception("%s could not be started", server.kind)

    def drain(self) -> None:
        """Let nobody wait any longer: the daemon is about to stop."""
        for server in self._all():
            server.drain()

    async def close(self) -> None:
        """Close every service."""
        for server in self._all():
            try:
                await server.close()
            except Exception:
                _LOGGER.exception("%s could not be closed", server.kind)

    def _all(self) -> list[Server]:
        others = [] if self._others is None else [self._others]
        return [*self._servers.values(), *others]
