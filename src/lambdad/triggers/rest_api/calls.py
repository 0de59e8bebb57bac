"""One request of a REST API on its way: what it is, and what the checks found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.http_events_v1 import (
    Values,
    header_values,
    last_of,
    query_values,
    request_context,
)
from lambdad.triggers.rest_api.model import Document, RestApi, Snapshot
from lambdad.triggers.rest_api.routing import Match


@dataclass(eq=False, kw_only=True)
class Call:
    """A request that has found its stage. Mutable: checks add what they found out.

    Attributes:
        path: raw, below the stage.
        match: the method that takes it; None until it is found.
        authorizer: what integrations learn from the authorizer.
        identity: members of the context's `identity` that are known.
        guest: whether it comes from inside a sandbox.
        usage_key: API key that the authorizer named.
    """

    api: RestApi
    snapshot: Snapshot
    stage: Document
    request: HttpRequest
    arrival: Arrival
    path: str
    match: Match | None = None
    authorizer: dict[str, Any] | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    guest: bool = False
    usage_key: str | None = None

    @property
    def stage_name(self) -> str:
        """As it stands in addresses."""
        return str(self.stage["stageName"])

    @property
    def method(self) -> Document:
        """The Method document; empty until one is found."""
        return {} if self.match is None else self.match.method

    @property
    def resource_path(self) -> str:
        """With its parameters in braces."""
        return "" if self.match is None else str(self.match.resource["path"])

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """As they stand in the path."""
        return {} if self.match is None else self.match.parameters

    @property
    def stage_variables(self) -> Mapping[str, str]:
        """By name."""
        variables: Mapping[str, str] = self.stage.get("variables") or {}
        return variables

    @cached_property
    def headers(self) -> Values:
        """All values of each header, names as they were written."""
        return header_values(self.request, self.arrival)

    @cached_property
    def query(self) -> Values:
        """All values of each parameter, decoded."""
        return query_values(self.request.query)

    @cached_property
    def last_headers(self) -> dict[str, str]:
        """The last value of each header."""
        return last_of(self.headers)

    @cached_property
    def last_query(self) -> dict[str, str]:
        """The last value of each parameter."""
        return last_of(self.query)

    def header(self, name: str) -> str | None:
        """The last value of a header, whatever the case of its name."""
        value = self.request.headers.get(name.lower())
        if value is None or "," not in value:
            return value
        return next(
            (each for key, each in self.last_headers.items() if key.lower() == name.lower()), value
        )

    @property
    def method_arn(self) -> str:
        """What policies are asked about: of the method and the path as they were called."""
        return f"{self.api_arn}/{self.request.method}/{self.path.lstrip('/')}"

    @property
    def api_arn(self) -> str:
        """Of the stage."""
        api = self.api
        return f"arn:aws:execute-api:{api.region}:{api.account_id}:{api.api_id}/{self.stage_name}"

    def context(self) -> dict[str, Any]:
        """Return what integrations are told: `requestContext` of events, `$context`."""
        context = request_context(
            self.request,
            self.arrival,
            path=f"/{self.stage_name}{self.path}",
            stage=self.stage_name,
            resource=self.resource_path,
        )
        context["identity"] = {**context["identity"], **self.identity}
        context["deploymentId"] = self.snapshot.deployment_id
        if self.match is not None:
            context["resourceId"] = self.match.resource["id"]
        if self.authorizer is not None:
            context["authorizer"] = self.authorizer
        return context
