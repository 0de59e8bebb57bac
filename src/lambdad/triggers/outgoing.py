"""What front doors call besides functions: web servers, and services by AWS's API.

The contracts alone; the server connects them with what can reach both.
"""

from __future__ import annotations

from typing import Any, Protocol

from lambdad.domain.errors import LambdadError
from lambdad.protocol.http import HttpRequest, HttpResponse


class Unreachable(LambdadError):
    """A web server did not answer, or may not be asked."""


class CallRefused(LambdadError):
    """A service answered with an error.

    Attributes:
        code: as the service names it.
        status: HTTP status of the answer.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Web(Protocol):
    """Other people's web servers."""

    async def send(self, request: HttpRequest, url: str, *, timeout_s: float) -> HttpResponse:
        """Send a request to the server of a URL and return its whole answer.

        The path of the URL counts, query parameters of both are joined, and `Host` is the URL's.

        Raises:
            TimeoutError: there was no answer in time.
            Unreachable: there was none at all, or it is too large to be passed on.
        """
        ...


class ServiceCalls(Protocol):
    """AWS's API, called in the name of an account."""

    async def call(
        self, service: str, account_id: str, region: str, operation: str, **params: Any
    ) -> Any:
        """Call an operation by its method name, `put_record`, and return its answer.

        Raises:
            CallRefused: it answered with an error, or not at all.
        """
        ...
