"""HTTP requests as Lambda events, format 1.0, and answers of functions to them. Pure.

REST APIs have it for every proxy integration, HTTP APIs where an integration or an authorizer asks
for it (API Gateway developer guide, "Payload format").
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.http_events import (
    Arrival,
    InvalidResponse,
    clf_time,
    header_name,
    is_textual,
)

_QUERY_FIELDS_MAX = 1_000
_IDENTITY = (
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "sourceIp",
    "principalOrgId",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "userAgent",
    "user",
)
Values = dict[str, list[str]]


def event_v1(
    request: HttpRequest,
    arrival: Arrival,
    *,
    path: str,
    resource: str,
    stage: str,
    path_parameters: Mapping[str, str] | None = None,
    stage_variables: Mapping[str, str] | None = None,
    binary: bool | None = None,
) -> dict[str, Any]:
    """Return the event of a request of an HTTP API, with `version` and all.

    `path` holds the stage if it was part of the address; `resource` is the route's path.
    `binary` as in :func:`body_members`.
    """
    headers = header_values(request, arrival)
    query = query_values(request.query)
    context = {
        **request_context(request, arrival, path=path, stage=stage, resource=resource),
        "resourceId": f"{request.method} {resource}",
    }
    return {
        "version": "1.0",
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": last_of(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": last_of(query) or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": context,
        "pathParameters": dict(path_parameters) if path_parameters else None,
        "stageVariables": dict(stage_variables) if stage_variables else None,
        **body_members(request, binary=binary),
    }


def header_values(request: HttpRequest, arrival: Arrival) -> Values:
    """Return the values of each header, names as the client wrote them, and what a proxy adds."""
    values: Values = {}
    names: dict[str, str] = {}
    for name, value in request.header_lines():
        # Names that differ in case alone are one header.
        values.setdefault(names.setdefault(name.lower(), name), []).append(value)
    added = {
        "X-Forwarded-For": arrival.source_ip,
        "X-Forwarded-Port": arrival.port,
        "X-Forwarded-Proto": arrival.scheme,
    }
    for name, value in added.items():
        if name.lower() not in names:
            values[name] = [value]
    values[names.get("x-amzn-trace-id", "X-Amzn-Trace-Id")] = [arrival.trace_header]
    return values


def query_values(query: str) -> Values:
    """Return the decoded values of each parameter, in their order.

    Raises:
        ValueError: there are too many to be meant.
    """
    values: Values = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX):
        values.setdefault(name, []).append(value)
    return values


def last_of(values: Values) -> dict[str, str]:
    """Return of each name the value that counts where only one may."""
    return {name: each[-1] for name, each in values.items()}


def request_context(
    request: HttpRequest, arrival: Arrival, *, path: str, stage: str, resource: str
) -> dict[str, Any]:
    """Return what both kinds of API say of a request; who adds `identity` members, changes them."""
    identity: dict[str, Any] = dict.fromkeys(_IDENTITY)
    identity["sourceIp"] = arrival.source_ip
    identity["userAgent"] = request.headers.get("user-agent")
    context: dict[str, Any] = {
        "accountId": arrival.account_id,
        "apiId": arrival.api_id,
        "domainName": arrival.domain,
        "domainPrefix": arrival.domain.partition(".")[0],
        "extendedRequestId": extended_request_id(arrival.request_id),
        "httpMethod": request.method,
        "identity": identity,
        "path": path,
        "protocol": "HTTP/1.1",
        "requestId": arrival.request_id,
        "requestTime": clf_time(arrival.moment),
        "requestTimeEpoch": int(arrival.moment.timestamp() * 1000),
        "resourcePath": resource,
        "stage": stage,
    }
    if arrival.authorizer is not None:
        context["authorizer"] = dict(arrival.authorizer)
    return context


# A request asks twice: for its event, and for its answer.
@lru_cache(maxsize=1_024)
def extended_request_id(request_id: str) -> str:
    """Return the identifier that goes out as `x-amz-apigw-id`: short, and of this request alone."""
    return base64.b64encode(blake2b(request_id.encode(), digest_size=11).digest()).decode()


def body_members(request: HttpRequest, *, binary: bool | None = None) -> dict[str, Any]:
    """Return `body` and `isBase64Encoded`.

    `binary` says whether the body counts as binary; None: its content type decides, as it does
    for HTTP APIs.
    """
    if not request.body:
        return {"body": None, "isBase64Encoded": False}
    if binary is None:
        binary = not is_textual(request.headers.get("content-type", ""))
        if not binary:
            try:
                return {"body": request.body.decode(), "isBase64Encoded": False}
            except UnicodeDecodeError:
                binary = True
    if binary:
        return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}
    return {"body": request.body.decode("utf-8", "replace"), "isBase64Encoded": False}


def response_v1(payload: bytes, *, binary: bool = True) -> HttpResponse:
    """Return the response that a function's answer describes; `binary` allows Base64.

    Raises:
        InvalidResponse: it describes none.
    """
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise InvalidResponse("the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise InvalidResponse("the answer is no object")
    headers, repeated = _headers(answer)
    cookies = tuple(value for name, value in repeated if name.lower() == "set-cookie")
    return HttpResponse(
        status=_status(answer),
        headers=headers,
        cookies=cookies,
        repeated=tuple(each for each in repeated if each[0].lower() != "set-cookie"),
        body=_body(answer, binary=binary),
    )


def _status(answer: Mapping[str, Any]) -> int:
    given = answer.get("statusCode")
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise InvalidResponse("statusCode is no number")
    try:
        status = int(given)
    except (ValueError, OverflowError) as error:
        raise InvalidResponse("statusCode is no number") from error
    if not 100 <= status <= 599:
        raise InvalidResponse("statusCode is out of range")
    return status


def _headers(answer: Mapping[str, Any]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return headers that have one line, and those that have several or are cookies.

    A header that both members have is taken from `multiValueHeaders`.
    """
    single = _object(answer, "headers")
    several = _object(answer, "multiValueHeaders")
    lines: dict[str, tuple[str, list[str]]] = {}
    for name, value in single.items():
        lines[header_name(name)] = (name, [_text(value)])
    for name, values in several.items():
        if not isinstance(values, list):
            raise InvalidResponse("a header of multiValueHeaders is no list")
        lines[header_name(name)] = (name, [_text(value) for value in values])
    headers: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    for key, (name, values) in lines.items():
        if len(values) == 1 and key != "set-cookie":
            headers[key] = values[0]
        else:
            repeated += [(name, value) for value in values]
    if not any(name == "content-type" for name in lines):
        headers["content-type"] = "application/json"
    return headers, repeated


def _object(answer: Mapping[str, Any], member: str) -> dict[str, Any]:
    given = answer.get(member)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidResponse(f"{member} is no object")
    return given


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if value is None:
        return ""
    raise InvalidResponse("a header is no text")


def _body(answer: Mapping[str, Any], *, binary: bool) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidResponse("body is no text")
    encoded = answer.get("isBase64Encoded", False)
    if isinstance(encoded, str):
        encoded = encoded.lower() == "true"
    if not (encoded and binary):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidResponse("body is no Base64") from error
