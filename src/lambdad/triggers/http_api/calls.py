"""A request of an HTTP API once its route is found, and what the API itself says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lambdad.protocol.http import HttpRequest
from lambdad.triggers import execute_api
from lambdad.triggers.http_api.model import Api, Document
from lambdad.triggers.http_events import Arrival, clf_time
from lambdad.triggers.http_events_v1 import extended_request_id


class Unanswerable(Exception):
    """The API cannot answer; `response` is what its caller sees."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.response = execute_api.message(status, message, headers)


@dataclass(slots=True, kw_only=True)
class Call:
    """A request that has found its route.

    Attributes:
        path: raw, as it was asked for, stage and all; `below_stage` what routes are for.
        stage: its name.
        served: parts of the API as the stage has them.
        variables: of the route's path, decoded.
        authorizer: who calls, as events have it; set once that is known.
        guest: it comes from inside a sandbox.
    """

    api: Api
    stage: str
    served: Mapping[str, Mapping[str, Document]]
    route: Document
    variables: Mapping[str, str]
    path: str
    below_stage: str
    request: HttpRequest
    arrival: Arrival
    guest: bool = False
    authorizer: Mapping[str, Any] | None = None
    _context: dict[str, str] | None = None

    @property
    def route_key(self) -> str:
        """`GET /items/{id}` or `$default`."""
        return str(self.route["RouteKey"])

    @property
    def stage_variables(self) -> Mapping[str, str]:
        """Those of its stage."""
        return self.api.parts["stage"][self.stage].get("StageVariables") or {}

    @property
    def arn(self) -> str:
        """What is called, as policies of callers name it."""
        return f"{self.api.execute_arn}/{self.stage}/{self.request.method}{self.below_stage}"

    @property
    def route_arn(self) -> str:
        """What is called, as policies of functions name it."""
        return f"{self.api.execute_arn}/{self.stage}/{_place(self.route_key)}"

    def context_variable(self, name: str) -> str | None:
        """Return a variable of `$context`, `identity.sourceIp` for example."""
        if name.startswith("authorizer."):
            return self._authorizer_variable(name.removeprefix("authorizer."))
        if self._context is None:
            self._context = self._variables()
        return self._context.get(name)

    def _authorizer_variable(self, name: str) -> str | None:
        given = self.authorizer or {}
        if name.startswith("claims."):
            claims = (given.get("jwt") or {}).get("claims") or {}
            return _text(claims.get(name.removeprefix("claims.")))
        return _text((given.get("lambda") or given.get("iam") or given).get(name))

    def _variables(self) -> dict[str, str]:
        request, arrival = self.request, self.arrival
        return {
            "accountId": self.api.account_id,
            "apiId": self.api.api_id,
            "domainName": arrival.domain,
            "domainPrefix": arrival.domain.partition(".")[0],
            "extendedRequestId": extended_request_id(arrival.request_id),
            "httpMethod": request.method,
            "identity.sourceIp": arrival.source_ip,
            "identity.userAgent": request.headers.get("user-agent", ""),
            "path": self.path,
            "protocol": "HTTP/1.1",
            "requestId": arrival.request_id,
            "requestTime": clf_time(arrival.moment),
            "requestTimeEpoch": str(int(arrival.moment.timestamp() * 1000)),
            "routeKey": self.route_key,
            "stage": self.stage,
        }


@lru_cache(maxsize=512)
def _place(route_key: str) -> str:
    method, _, path = route_key.partition(" ")
    return method if not path else f"{'*' if method == 'ANY' else method}{path}"


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None or isinstance(value, dict | list) else str(value)
