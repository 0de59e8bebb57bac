"""Functions as targets of an Application Load Balancer: requests as their events, and back.

Which function answers which listener the operator configures; nobody else can, so that no policy
of the function is asked. Health checks are off. See "Lambda functions as targets" in the Elastic
Load Balancing guide.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.dataplane.tracing import trace_header
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit, ServiceException
from lambdad.domain.invocations import Invocation
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.http_events import InvalidResponse
from lambdad.triggers.invoking import target_of

_MULTI = "multi-value-headers"
_BYTES_MAX = 1024 * 1024
_TEXTUAL = frozenset({"application/json", "application/javascript", "application/xml"})
Values = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """A function behind a listener.

    Attributes:
        multi_value: headers and query parameters are lists, in events and in answers.
    """

    target: Target
    multi_value: bool

    @property
    def arn(self) -> str:
        """What the function knows it by; it has 16 digits of its own, as AWS's have."""
        key = self.target.key
        digits = hashlib.sha256(key.arn(self.target.qualifier).encode()).hexdigest()[:16]
        place = f"{key.region}:{key.account_id}"
        return f"arn:aws:elasticloadbalancing:{place}:targetgroup/{key.name[:32]}/{digits}"


def target_group(text: str) -> TargetGroup:
    """Return what a configured text means: an ARN, and `multi-value-headers` if that is wanted.

    Raises:
        HostUnfit: it means nothing.
    """
    arn, _, option = text.strip().partition(" ")
    target = target_of(arn)
    if target is None or option.strip() not in ("", _MULTI):
        raise HostUnfit(
            f"alb: {text!r} is no target.",
            f'Write the ARN of a function, and "{_MULTI}" behind it for lists of values.',
        )
    return TargetGroup(target=target, multi_value=bool(option))


class LoadBalancerTrigger:
    """Answers the requests of one listener."""

    def __init__(
        self, group: TargetGroup, *, invoker: Invoker, clock: Clock, request_ids: Iterator[str]
    ) -> None:
        self._group = group
        self._invoker = invoker
        self._clock = clock
        self._request_ids = request_ids

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; a function that does not answer well is a bad gateway."""
        if len(request.body) > _BYTES_MAX:
            return _page(413, "Request Entity Too Large")
        trace = trace_header(request.headers.get("x-amzn-trace-id"), self._clock.time())
        event = event_of(request, self._group, trace)
        target = self._group.target
        invocation = Invocation(
            request_id=next(self._request_ids),
            payload=json.dumps(event, separators=(",", ":")).encode(),
            invoked_arn=target.key.arn(target.qualifier),
            trace_header=trace,
        )
        try:
            outcome = await self._invoker.invoke(target.key, target.qualifier, invocation)
            if outcome.function_error is not None or len(outcome.payload) > _BYTES_MAX:
                return _page(502, "Bad Gateway")
            return response_of(outcome.payload, multi_value=self._group.multi_value)
        except (ServiceException, InvalidResponse):
            return _page(502, "Bad Gateway")


def event_of(request: HttpRequest, group: TargetGroup, trace: str) -> dict[str, Any]:
    """Return the event of a request. Query parameters stay as they were written."""
    headers = _headers(request, trace)
    query: Values = {}
    for pair in request.query.split("&") if request.query else ():
        name, _, value = pair.partition("=")
        query.setdefault(name, []).append(value)
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": group.arn}},
        "httpMethod": request.method,
        "path": request.path,
    }
    if group.multi_value:
        event |= {"multiValueQueryStringParameters": query, "multiValueHeaders": headers}
    else:
        event |= {"queryStringParameters": _last(query), "headers": _last(headers)}
    textual = _is_textual(request)
    body = request.body.decode("utf-8", "replace") if textual else _base64(request.body)
    return {**event, "body": body, "isBase64Encoded": bool(request.body) and not textual}


def _headers(request: HttpRequest, trace: str) -> Values:
    headers: Values = {}
    for name, value in request.header_lines():
        headers.setdefault(name.lower(), []).append(value)
    port = request.headers.get("host", "").partition(":")[2] or "80"
    added = {"x-forwarded-for": "127.0.0.1", "x-forwarded-port": port, "x-forwarded-proto": "http"}
    for name, value in added.items():
        headers.setdefault(name, [value])
    headers["x-amzn-trace-id"] = [trace]
    return headers


def _last(values: Values) -> dict[str, str]:
    return {name: each[-1] for name, each in values.items()}


def _is_textual(request: HttpRequest) -> bool:
    if "content-encoding" in request.headers:
        return not request.body
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXTUAL or not request.body


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def response_of(payload: bytes, *, multi_value: bool) -> HttpResponse:
    """Return the response that a function's answer describes.

    Raises:
        InvalidResponse: it describes none.
    """
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidResponse("the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise InvalidResponse("the answer is no object")
    status = answer.get("statusCode")
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise InvalidResponse("statusCode is no status")
    lines = list(_lines(answer, multi_value=multi_value))
    return HttpResponse(
        status=status,
        repeated=tuple(each for each in lines if each[0].lower() != "set-cookie"),
        cookies=tuple(value for name, value in lines if name.lower() == "set-cookie"),
        body=_body(answer),
    )


def _lines(answer: Mapping[str, Any], *, multi_value: bool) -> Iterator[tuple[str, str]]:
    given = answer.get("multiValueHeaders" if multi_value else "headers") or {}
    if not isinstance(given, dict):
        raise InvalidResponse("headers are no object")
    for name, values in given.items():
        for value in values if multi_value and isinstance(values, list) else [values]:
            if not isinstance(value, str | int | float):
                raise InvalidResponse("a header is no text")
            yield str(name), str(value)


def _body(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise InvalidResponse("body is no text")
    if not answer.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidResponse("body is no Base64") from error


def _page(status: int, text: str) -> HttpResponse:
    title = f"{status} {text}"
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
    body += "</center>\r\n</body>\r\n</html>\r\n"
    headers = {"server": "awselb/2.0", "content-type": "text/html"}
    return HttpResponse(status=status, headers=headers, body=body.encode())
