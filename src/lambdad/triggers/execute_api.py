"""Which API a request is for, and which kind of API that is.

`http://<api id>.execute-api.<region>.localhost:4566/<stage>/<path>`, or below
`/_aws/execute-api/<api id>/` where names cannot be resolved; REST APIs also at
`/restapis/<api id>/<stage>/_user_request_/<path>`. Refuses to know how an API of either
kind answers.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.http_events import is_legible

_LOGGER = logging.getLogger(__name__)

UNUSUAL = frozenset({"HEAD", "OPTIONS"})
"""Methods of requests that `take` leaves alone: no body behind the head, or browsers' questions."""
PATH_PREFIX = "/_aws/execute-api/"
_HOST = re.compile(r"([a-z0-9]{10})\.execute-api\.[a-z0-9-]+\..+", re.IGNORECASE)
_PATH = re.compile(re.escape(PATH_PREFIX) + r"([a-z0-9]{10})(/.*)?")
# Longer ones are not remembered, as anybody may send many.
_USUAL_PATH = 256
# Other local clouds had it so, and tools print it.
_USER_REQUEST = "/_user_request_"
_OLD_PATH = re.compile(r"/restapis/([a-z0-9]{10})(/[^/]+)/_user_request_(/.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which API a request is for, and the raw path below it.

    Attributes:
        path: begins with the stage, unless `stage` says which it is.
        stage: which a domain name's mapping leads to; None for an address of the API's own.
    """

    api_id: str
    path: str
    stage: str | None = None

    @property
    def mapped(self) -> bool:
        """Whether a domain name's mapping led here."""
        return self.stage is not None


def address_of(request: HttpRequest) -> Address | None:
    """Find the API in the host name, or in the path form; None when it is not for one."""
    named = request.headers.get("host", "")
    host = _HOST.fullmatch(named) if ".execute-api." in named else None
    if host is not None:
        return Address(api_id=host[1].lower(), path=request.path)
    return _usual(request.path) if len(request.path) <= _USUAL_PATH else _by_path(request.path)


def _by_path(asked: str) -> Address | None:
    if asked.startswith(PATH_PREFIX):
        path = _PATH.fullmatch(asked)
        return None if path is None else Address(api_id=path[1], path=path[2] or "/")
    old = _OLD_PATH.fullmatch(asked) if _USER_REQUEST in asked else None
    return None if old is None else Address(api_id=old[1], path=f"{old[2]}{old[3] or '/'}")


_usual = lru_cache(512)(_by_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Where a path of a custom domain name leads to.

    Attributes:
        api_id: empty where no mapping fits.
        path: below the mapping.
    """

    api_id: str
    stage: str
    path: str


class DomainNames(Protocol):
    """The custom domain names there are."""

    def mapped(self, host: str, path: str) -> Mapped | None:
        """Return where a path of a host leads to; None if the host is no such name."""
        ...


def mapped(request: HttpRequest, domains: DomainNames) -> Address | None:
    """Find the API by a custom domain name; None when the host is none."""
    host = request.headers.get("host", "").partition(":")[0].lower()
    found = domains.mapped(host, request.path)
    if found is None:
        return None
    return Address(api_id=found.api_id, path=found.path, stage=found.stage)


class ApiFront(Protocol):
    """Serves all APIs of one kind."""

    async def serves(self, api_id: str) -> bool:
        """Whether there is an API of this kind with that identifier."""
        ...

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer a request for one of its APIs; `guest` if it comes from inside a sandbox."""
        ...


Reply = Callable[[HttpResponse], None]


class QuickFront(Protocol):
    """One that answers some requests by calls alone, without a task."""

    def take(self, request: HttpRequest, address: Address, reply: Reply) -> bool:
        """Begin to answer a request from outside, as `handle` would; `reply` gets it, perhaps now.

        False, and nothing was done: it has to be handled.
        """
        ...


class ExecuteApi:
    """Hands each request to the front that serves its API."""

    def __init__(self, fronts: Sequence[ApiFront], *, quick: Sequence[QuickFront] = ()) -> None:
        """In this order each is asked whether an API is its own."""
        self._fronts = fronts
        self._quick = quick

    def take(self, request: HttpRequest, address: Address, reply: Reply) -> bool:
        """See `QuickFront`."""
        if not is_legible(request):
            return False
        for front in self._quick:  # noqa: SIM110 - a generator costs more than most fronts
            if front.take(request, address, reply):
                return True
        return False

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer one request; 404 if there is no such API."""
        if not is_legible(request):
            return message(400, "Bad Request")
        for front in self._fronts:
            if await front.serves(address.api_id):
                return await front.handle(request, address, guest=guest)
        # AWS: what a domain name's mappings do not lead to is not for anybody to see.
        return message(403, "Forbidden") if address.mapped else message(404, "Not Found")


def broken(error: Exception) -> HttpResponse:
    """Return what is said of a request that failed for no reason of its own; logs why."""
    _LOGGER.error("a request failed", exc_info=error)
    body = b'{"message": "An internal error occurred."}'
    return HttpResponse(status=500, headers={"Content-Type": "application/json"}, body=body)


def message(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return what API Gateway itself answers, not the function."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    kind = {"content-type": "application/json"}
    return HttpResponse(status=status, headers={**kind, **(headers or {})}, body=body)
