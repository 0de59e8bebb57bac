"""Which AWS service a request is for. Pure.

Reads what the client must send anyway: target, credential scope, action, path. Whether the service
is served, and how, is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from botocore.model import ServiceModel

from lambdad.neighbours.query import query_fields
from lambdad.neighbours.refusals import refuse
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.sigv4 import Credential

# Lambda's paths begin with the date of their operation family.
_LAMBDA_PATH = re.compile(
    r"/\d{4}-\d{2}-\d{2}/(?:functions|event-source-mappings|layers|tags|account-settings"
    r"|code-signing-configs|capacity-providers|durable-executions|durable-execution-callbacks)"
    r"(?:/|$)"
)


class ServiceDirectory:
    """Finds the service of a request among those that are served, else names the other one."""

    def __init__(self, models: Sequence[ServiceModel]) -> None:
        self._by_signing_name = {str(model.signing_name): model.service_name for model in models}
        self._by_target_prefix = {
            str(model.metadata["targetPrefix"]): model.service_name
            for model in models
            if "targetPrefix" in model.metadata
        }
        self._by_query_version = {
            str(model.api_version): model.service_name
            for model in models
            if model.metadata["protocol"] == "query"
        }

    def identify(self, request: HttpRequest, credential: Credential | None) -> str | None:
        """Return botocore's name of a served service, or the caller's name of another one.

        None when nothing in the request tells.
        """
        target = request.headers.get("x-amz-target")
        if target is not None:
            prefix = target.rpartition(".")[0]
            if (name := self._by_target_prefix.get(prefix)) is not None:
                return name
            return prefix if credential is None else credential.service
        if credential is not None:
            return self._by_signing_name.get(credential.service, credential.service)
        if (version := query_fields(request).get("Version")) is not None:
            return self._by_query_version.get(version)
        return "lambda" if _LAMBDA_PATH.match(request.path) else None

    def refuse(self, request: HttpRequest, service: str | None, request_id: str) -> HttpResponse:
        """Return the error for a service that is not served, in a form its clients read."""
        return refuse(request, service, request_id)
