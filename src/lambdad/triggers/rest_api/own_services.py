"""Services of AWS that integrations call: addressed by a URI, signed, asked at our own endpoint.

Decides how a URI and an action become a request of the service's protocol. An integration acts as
its API's account; of its role only the presence counts.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.outgoing import Web
from lambdad.triggers.rest_api.gateway_responses import misconfigured

_URI = re.compile(
    r"arn:aws:apigateway:(?P<region>[\w-]+):(?:(?P<sub>[\w.-]+)\.)?(?P<service>[\w-]+)"
    r":(?P<kind>path|action)/(?P<rest>.*)",
    re.DOTALL,
)
# As URIs have it where botocore names the service otherwise.
_NAMES = {"email": "ses", "monitoring": "cloudwatch", "execute-api": "apigatewaymanagementapi"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """What the URI of an integration with a service says.

    Attributes:
        service: as botocore names it.
        action: of the service's API, with its parameters; None where a path is called.
        path: below the endpoint, with its query.
    """

    service: str
    region: str
    action: str | None
    path: str


def address_of(uri: str) -> ServiceAddress | None:
    """Return what a URI addresses; None where it is none of a service."""
    found = _URI.fullmatch(uri)
    if found is None:
        return None
    service = _NAMES.get(found["service"], found["service"])
    if found["kind"] == "action":
        return ServiceAddress(
            service=service, region=found["region"], action=found["rest"], path="/"
        )
    # A subdomain is the bucket in `arn:aws:apigateway:us-east-1:bucket.s3:path/key`.
    path = f"/{found['sub']}/{found['rest']}" if found["sub"] else f"/{found['rest']}"
    return ServiceAddress(service=service, region=found["region"], action=None, path=path)


class OwnServices:
    """Calls services at lambdad's own endpoint."""

    def __init__(
        self, web: Web, endpoint_url: str, access_key: Callable[[str], tuple[str, str]]
    ) -> None:
        self._web = web
        self._endpoint_url = endpoint_url
        self._access_key = access_key

    async def send(
        self,
        address: ServiceAddress,
        account_id: str,
        request: HttpRequest,
        *,
        timeout_s: float,
    ) -> HttpResponse:
        """Send a request, whose path is replaced by the address, and return the answer.

        Raises:
            Refused: there is no such service.
            TimeoutError: there was no answer in time.
            Unreachable: there was none at all.
        """
        model = _model(address.service)
        headers = dict(request.headers)
        parts = urlsplit(address.path)
        query = "&".join(each for each in (parts.query, request.query) if each)
        if address.action is not None:
            query = _act(model, address.action, headers, query)
        url = f"{self._endpoint_url}{quote(parts.path, safe='/~%')}"
        signed = self._signed(
            HttpRequest(
                method=request.method,
                path=parts.path,
                query=query,
                headers=headers,
                body=request.body,
            ),
            url,
            address,
            account_id,
        )
        found = await self._web.send(signed, url, timeout_s=timeout_s)
        return (
            _as_json(found) if model["protocol"] == "query" or address.service == "sqs" else found
        )

    def _signed(
        self, request: HttpRequest, url: str, address: ServiceAddress, account_id: str
    ) -> HttpRequest:
        from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: PLC0415 - slow to import
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        kept = {name: value for name, value in request.headers.items() if name != "host"}
        target = f"{url}?{request.query}" if request.query else url
        unsigned = AWSRequest(method=request.method, url=target, data=request.body, headers=kept)
        sign = S3SigV4Auth if address.service == "s3" else SigV4Auth
        name = _model(address.service)["signing_name"]
        sign(Credentials(*self._access_key(account_id)), name, address.region).add_auth(unsigned)
        headers = {name.lower(): str(value) for name, value in unsigned.headers.items()}
        return HttpRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            body=request.body,
        )


def _model(service: str) -> Mapping[str, Any]:
    from botocore.exceptions import UnknownServiceError  # noqa: PLC0415 - as above
    from botocore.session import get_session  # noqa: PLC0415

    known = _MODELS.get(service)
    if known is None:
        try:
            model = get_session().get_service_model(service)
        except UnknownServiceError as error:
            raise misconfigured() from error
        known = _MODELS[service] = {
            **model.metadata,
            "signing_name": model.signing_name,
        }
    return known


_MODELS: dict[str, Mapping[str, Any]] = {}


def _as_json(found: HttpResponse) -> HttpResponse:
    """Return an answer in XML as JSON, which services of that protocol send to API Gateway."""
    headers = {name.lower(): value for name, value in found.headers.items()}
    if "xml" not in headers.get("content-type", ""):
        return found
    try:
        root = ET.fromstring(found.body)  # noqa: S314 - our own endpoint's
    except ET.ParseError:
        return found
    document = {_name(root): _value(root)}
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return replace(found, headers={**headers, "content-type": "application/json"}, body=body)


def _value(element: ET.Element) -> Any:
    children = list(element)
    if not children:
        return element.text
    members: dict[str, Any] = {}
    for child in children:
        name, value = _name(child), _value(child)
        if name in members:
            known = members[name]
            members[name] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            members[name] = value
    # Lists of the query protocol are elements of this one name.
    if set(members) == {"member"}:
        return members["member"] if isinstance(members["member"], list) else [members["member"]]
    return members


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _act(model: Mapping[str, Any], action: str, headers: dict[str, str], query: str) -> str:
    """Name the action as the service's protocol does; return the query."""
    name, _, parameters = action.partition("&")
    prefix = model.get("targetPrefix")
    asks_json = "json" in headers.get("content-type", "json")
    if prefix is not None and asks_json:
        headers["x-amz-target"] = f"{prefix}.{name}"
        headers["content-type"] = f"application/x-amz-json-{model.get('jsonVersion', '1.0')}"
        return query
    named = urlencode({"Action": name, "Version": model["apiVersion"]})
    return "&".join(each for each in (named, parameters, query) if each)
