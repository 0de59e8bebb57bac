"""Which AWS service a request is for. Pure.

Reads what the client must send anyway: target, credential scope, action, path, and the host's name
where nothing is signed. Whether the service is served, and how, is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from botocore.model import ServiceModel

from lambdad.neighbours.directory import NEIGHBOURS
from lambdad.neighbours.query import query_fields
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import Credential, parse_credential
from lambdad.protocol.sigv4_verification import S3_SERVICES

# Lambda's paths begin with the date of their operation family.
_LAMBDA_PATH = re.compile(
    r"/\d{4}-\d{2}-\d{2}/(?:functions|event-source-mappings|layers|tags|account-settings"
    r"|code-signing-configs|capacity-providers|durable-executions|durable-execution-callbacks)"
    r"(?:/|$)"
)
# `sqs.eu-west-1.amazonaws.com`, `sqs.localhost:4566`, `bucket.s3.localhost`, `queue.amazonaws.com`
_HOST = re.compile(
    r"(?:.+\.)?(?P<service>s3|[a-z-]+)(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?"
    r"\.(?:amazonaws\.com(?:\.cn)?|localhost(?:\.[a-z.]+)?)(?::\d+)?"
)
_ALIASES = {"queue": "sqs"}
# Two services have this signing name.
_API_GATEWAY = "apigateway"
# How S3's older signature begins.
_SIGNATURE_2 = "AWS "
# Where custom resources of a stack send their answers, and where SNS's certificate is.
_OF_SERVICES = (
    ("/_cloudformation/", "cloudformation"),
    ("/SimpleNotificationService-", "sns"),
)


class ServiceDirectory:
    """Finds the service of a request among those that are known, else names the other one."""

    def __init__(self, models: Sequence[ServiceModel]) -> None:
        """`models` are of the services that are lambdad's own, beside its neighbours."""
        self._by_signing_name = {
            marks.signing_name: name
            for name, marks in NEIGHBOURS.items()
            if name != "dynamodbstreams"
        } | {str(model.signing_name): model.service_name for model in models}
        self._by_target_prefix = {
            marks.target_prefix: name
            for name, marks in NEIGHBOURS.items()
            if marks.target_prefix is not None
        } | {
            str(model.metadata["targetPrefix"]): model.service_name
            for model in models
            if "targetPrefix" in model.metadata
        }
        self._by_query_version = {
            marks.query_version: name
            for name, marks in NEIGHBOURS.items()
            if marks.query_version is not None
        } | {
            str(model.api_version): model.service_name
            for model in models
            if model.metadata["protocol"] == "query"
        }

    def identify(self, request: HttpRequest, credential: Credential | None) -> str | None:
        """Return botocore's name of a known service, or the caller's name of another one.

        None when nothing in the request tells.
        """
        target = request.headers.get("x-amz-target")
        if target is not None:
            prefix = target.rpartition(".")[0]
            if (name := self._by_target_prefix.get(prefix)) is not None:
                return name
            return (prefix or None) if credential is None else credential.service
        if credential is not None:
            if credential.service == _API_GATEWAY:
                return _version_of(request)
            return self._by_signing_name.get(credential.service, credential.service)
        return self._unsigned(request)

    def _unsigned(self, request: HttpRequest) -> str | None:
        for beginning, service in _OF_SERVICES:
            if request.path.startswith(beginning):
                return service
        if (version := query_fields(request).get("Version")) is not None:
            return self._by_query_version.get(version)
        if _LAMBDA_PATH.match(request.path):
            return "lambda"
        host = _HOST.fullmatch(request.headers.get("host", "").lower())
        if host is not None:
            label = _ALIASES.get(host["service"], host["service"])
            if label == _API_GATEWAY:
                return _version_of(request)
            if (name := self._by_signing_name.get(label)) is not None:
                return name
        # Of all services S3 alone has paths that anybody may call: public objects, forms.
        return "s3" if request.path.strip("/") and _from_page(request) else None


def _version_of(request: HttpRequest) -> str:
    """Return which of API Gateway's two services a request is for."""
    return "apigatewayv2" if request.path.startswith("/v2/") else _API_GATEWAY


def _from_page(request: HttpRequest) -> bool:
    """Whether OPTIONS, if it is that, comes from a browser that asks what a page may do."""
    return request.method != "OPTIONS" or "access-control-request-method" in request.headers


def belongs_to_s3(request: HttpRequest) -> bool:
    """Whether a request is S3's, as far as its path and headers tell; the query may be missing."""
    headers = request.headers
    if "x-amz-target" in headers:
        return False
    if (credential := parse_credential(request)) is not None:
        return credential.service in S3_SERVICES
    if "authorization" in headers:
        return headers["authorization"].startswith(_SIGNATURE_2)
    host = headers.get("host", "")
    return not (
        request.path.startswith("/_")
        or _LAMBDA_PATH.match(request.path)
        or ".lambda-url." in host
        or ".execute-api." in host
    )
