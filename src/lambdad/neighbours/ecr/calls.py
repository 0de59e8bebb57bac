"""A request of a registry's client, as its handlers get it, and what refuses one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lambdad.authz.policies import Principal
from lambdad.domain.images import is_digest
from lambdad.neighbours.ecr.access import may
from lambdad.neighbours.ecr.model import Repository
from lambdad.neighbours.ecr.parts import Registry
from lambdad.protocol.http import HttpRequest, HttpResponse

JSON = {"Content-Type": "application/json", "Docker-Distribution-Api-Version": "registry/2.0"}


class RegistryError(Exception):
    """What the client of a registry is told.

    Attributes:
        code: of the distribution specification.
    """

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> HttpResponse:
        """As it is sent."""
        error = {"code": self.code, "message": self.message, "detail": {}}
        body = json.dumps({"errors": [error]}).encode()
        return HttpResponse(status=self.status, headers={**JSON, **self.headers}, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCall:
    """A request that has found its repository, by somebody who may make it.

    Attributes:
        rest: last part of the path: a tag, a digest, an upload.
        principal: who asks.
    """

    registry: Registry
    repository: Repository
    request: HttpRequest
    rest: str
    principal: Principal
    query: Mapping[str, str] = field(default_factory=dict)

    def require(self, action: str, repository: Repository | None = None) -> None:
        """Refuse who may not; raises `RegistryError`."""
        repository = repository or self.repository
        now = self.registry.clock.now()
        if not may(repository, self.principal, f"ecr:{action}", now=now):
            raise RegistryError(
                403,
                "DENIED",
                f"User: {self.principal.arn} is not authorized to perform: ecr:{action} on "
                f"resource: {repository.arn}",
            )


Handler = Callable[[RegistryCall], Awaitable[HttpResponse]]


def wanted_digest(text: str) -> str:
    """Return a digest that was given.

    Raises:
        RegistryError: it is none of those that are taken.
    """
    if not is_digest(text):
        raise RegistryError(400, "DIGEST_INVALID", "Digests are sha256: and 64 hex digits.")
    return text
