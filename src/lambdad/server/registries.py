"""The way of `docker push` and its like to lambdad's own registries of images."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from lambdad.authz.authentication import Authenticator
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.front import Neighbours
from lambdad.neighbours.registry_hosts import RegistryAddress, address_of
from lambdad.protocol.http import HttpRequest, HttpResponse


class _Served(Protocol):
    async def serve(
        self, request: HttpRequest, address: RegistryAddress, *, must_prove: bool
    ) -> HttpResponse: ...


class Registries:
    """Answers clients of registries, where ECR is lambdad's own."""

    def __init__(self, neighbours: Neighbours, authenticator: Authenticator) -> None:
        self._neighbours = neighbours
        self._authenticator = authenticator

    def handler(self, request: HttpRequest) -> Callable[..., Awaitable[HttpResponse]] | None:
        """Return what answers a request, told whether by a `guest`; None: no registry here."""
        address = address_of(request.path, request.headers)
        if address is None or not self._neighbours.is_own("ecr"):
            return None
        return partial(self._serve, request, address)

    async def _serve(
        self, request: HttpRequest, address: RegistryAddress, *, guest: bool
    ) -> HttpResponse:
        try:
            registry: _Served = await self._neighbours.parts("ecr")
        except HostUnfit as error:
            return HttpResponse(status=503, body=str(error).encode())
        must_prove = self._authenticator.must_prove(guest=guest)
        return await registry.serve(request, address, must_prove=must_prove)
