"""HTTP requests as Lambda events, format 2.0, and answers of functions as HTTP responses. Pure.

Function URLs and HTTP APIs share this format (API Gateway developer guide, "Payload format").
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from lambdad.protocol.http import HttpRequest, HttpResponse

_TEXTUAL_TYPES = frozenset(
    {"application/json", "application/javascript", "application/xml", "application/graphql"}
)
# What is said to the next hop is not said to the function.
OF_THE_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
)
_FIELDS_MAX = 1_000
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


class InvalidResponse(Exception):
    """The function's answer cannot be an HTTP response; the caller sees a 502."""


class Arrival(NamedTuple):
    """What the request itself does not say.

    Attributes:
        domain: host name under which it came, without the port.
        api_id: first label of the domain.
        account_id: of the caller; `anonymous` when it is unknown.
        authorizer: who the caller is, as the event has it, or None.
    """

    domain: str
    api_id: str
    account_id: str
    request_id: str
    source_ip: str
    port: str
    scheme: str
    moment: datetime
    trace_header: str
    authorizer: Mapping[str, Any] | None = None


def is_legible(request: HttpRequest) -> bool:
    """Whether a request's parameters are few enough to be meant; events are made of no others."""
    return request.query.count("&") < _FIELDS_MAX


def event_v2(request: HttpRequest, arrival: Arrival, *, path: str) -> dict[str, Any]:
    """Return the event of a request; `path` is raw and below the stage."""
    headers = {name: text for name, text in request.headers.items() if name not in OF_THE_HOP}
    cookies = headers.pop("cookie", None)
    headers["x-amzn-trace-id"] = arrival.trace_header
    headers.setdefault("x-forwarded-for", arrival.source_ip)
    headers.setdefault("x-forwarded-port", arrival.port)
    headers.setdefault("x-forwarded-proto", arrival.scheme)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
    }
    if cookies:
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";") if cookie.strip()]
    event["headers"] = headers
    if request.query:
        event["queryStringParameters"] = query_of(request.query)
    event["requestContext"] = _context(request, arrival, path)
    if request.body:
        event.update(body_of(request))
    else:
        event["isBase64Encoded"] = False
    return event


def query_of(text: str) -> dict[str, str]:
    """Return the parameters of a query; the values of repeated ones are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _context(request: HttpRequest, arrival: Arrival, path: str) -> dict[str, Any]:
    epoch_ms = int(arrival.moment.timestamp() * 1000)
    context: dict[str, Any] = {
        "accountId": arrival.account_id,
        "apiId": arrival.api_id,
        "domainName": arrival.domain,
        "domainPrefix": arrival.api_id,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": arrival.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": arrival.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": clf_second(epoch_ms // 1000),
        "timeEpoch": epoch_ms,
    }
    if arrival.authorizer is not None:
        context["authorizer"] = dict(arrival.authorizer)
    return context


def clf_time(moment: datetime) -> str:
    """Return a UTC time as log files of web servers have it, whatever the locale."""
    day = f"{moment.day:02}/{_MONTHS[moment.month - 1]}/{moment.year:04}"
    return f"{day}:{moment.hour:02}:{moment.minute:02}:{moment.second:02} +0000"


@lru_cache(maxsize=16)
def clf_second(epoch_s: int) -> str:
    """Return :func:`clf_time` of a second since the epoch."""
    return clf_time(datetime.fromtimestamp(epoch_s, UTC))


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Return what an event says of the body that a request has."""
    if is_textual(request.headers.get("content-type", "")):
        try:
            return {"body": request.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def is_textual(content_type: str) -> bool:
    """Whether a body of this type is passed as text rather than as Base64."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXTUAL_TYPES or kind.endswith(("+json", "+xml"))


def response_of(payload: bytes) -> HttpResponse:
    """Return the response that a function's answer describes.

    An object with `statusCode` describes one; every other value is the body of a 200.

    Raises:
        InvalidResponse: it describes one that cannot be.
    """
    try:
        # Of what can be nothing but UTF-8 loads() need not find out how it is encoded.
        plain = payload.isascii() and b"\0" not in payload[:4]
        answer = json.loads(payload.decode("ascii") if plain else payload)
    except ValueError:
        return _plain(payload)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return _plain(answer.encode() if isinstance(answer, str) else _compact(answer))
    status, headers, cookies = _head(answer)
    body = answer.get("body", "")
    return HttpResponse(
        status=status,
        headers=headers,
        cookies=cookies,
        body=_decoded(body, encoded=bool(answer.get("isBase64Encoded", False))),
    )


def head_of(answer: Mapping[str, Any]) -> HttpResponse:
    """Return status, headers and cookies that an answer or a streamed prelude describes.

    Raises:
        InvalidResponse: one of them cannot be.
    """
    status, headers, cookies = _head(answer)
    return HttpResponse(status=status, headers=headers, cookies=cookies)


def _head(answer: Mapping[str, Any]) -> tuple[int, dict[str, str], tuple[str, ...]]:
    headers = {"content-type": "application/json"}
    if given := answer.get("headers"):
        if not isinstance(given, dict):
            raise InvalidResponse("headers is no object")
        headers |= {header_name(name): _header_text(value) for name, value in given.items()}
    cookies = answer.get("cookies") or []
    if not isinstance(cookies, list):
        raise InvalidResponse("cookies is no list")
    try:
        status = int(answer.get("statusCode", 200))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidResponse("statusCode is no number") from error
    if not 100 <= status <= 599:
        raise InvalidResponse("statusCode is out of range")
    return status, headers, tuple(map(_header_text, cookies))


@lru_cache(maxsize=512)
def header_name(name: str) -> str:
    """Return a header's name in lower case.

    Raises:
        InvalidResponse: no header can have it.
    """
    if _TOKEN.fullmatch(name) is None:
        raise InvalidResponse(f"{name!r} is no name of a header")
    return name.lower()


def _header_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidResponse("a header is no text")


def _decoded(body: object, *, encoded: bool) -> bytes:
    if body is None:
        return b""
    if not isinstance(body, str):
        return _compact(body)
    if not encoded:
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidResponse("body is no Base64") from error


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _plain(body: bytes) -> HttpResponse:
    return HttpResponse(status=200, headers={"content-type": "application/json"}, body=body)
