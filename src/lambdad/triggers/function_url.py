"""Function URLs: an HTTP request in, an invocation, an HTTP response out.

Decides who may call and how an answer becomes a response. How a URL came to be is the control
plane's business, what an event looks like that of `http_events`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from lambdad.authz.authentication import Authenticator
from lambdad.authz.callers import Caller
from lambdad.authz.policies import ANONYMOUS, Decision, Principal
from lambdad.controlplane.function_urls import FunctionUrls
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.dataplane.streaming import StreamedInvocation
from lambdad.dataplane.tracing import trace_header
from lambdad.domain import limits
from lambdad.domain.clock import Clock
from lambdad.domain.errors import (
    FunctionError,
    RecursiveInvocationException,
    ServiceException,
    TooManyRequestsException,
)
from lambdad.domain.function_urls import FunctionUrl
from lambdad.domain.invocations import Invocation
from lambdad.observability import activity
from lambdad.observability.activity import Happening
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.triggers import cors
from lambdad.triggers.authorizers.iam import event_identity
from lambdad.triggers.http_events import (
    Arrival,
    InvalidResponse,
    event_v2,
    head_of,
    is_legible,
    response_of,
)

PATH_PREFIX = "/_lambdad/function-urls/"

_HOST = re.compile(r"([a-z0-9]{32})\.lambda-url\.[a-z0-9-]+\..+", re.IGNORECASE)
_PATH = re.compile(re.escape(PATH_PREFIX) + r"([a-z0-9]{32})(/.*)?")
_PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END = bytes(8)
_PRELUDE_BYTES_MAX = 1024 * 1024
_NOT_ALLOWED = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which URL a request is for, and the raw path below it."""

    url_id: str
    path: str


def address_of(request: HttpRequest) -> Address | None:
    """Find the URL in the host name, or in the path form; None when it is not for one."""
    named = request.headers.get("host", "")
    host = _HOST.fullmatch(named) if ".lambda-url." in named else None
    if host is not None:
        return Address(url_id=host[1].lower(), path=request.path)
    path = _PATH.fullmatch(request.path) if request.path.startswith(PATH_PREFIX) else None
    if path is not None:
        return Address(url_id=path[1], path=path[2] or "/")
    return None


class Broken(FunctionError):
    """A streamed response failed half way: the connection is cut, as AWS does."""


class RequestIds(Protocol):
    """Where new request ids come from."""

    def __next__(self) -> str: ...


class FunctionUrlTrigger:
    """Serves the URLs of all functions."""

    def __init__(
        self,
        *,
        urls: FunctionUrls,
        permissions: Permissions,
        invoker: Invoker,
        authenticator: Authenticator,
        clock: Clock,
        request_ids: RequestIds,
    ) -> None:
        self._urls = urls
        self._permissions = permissions
        self._invoker = invoker
        self._authenticator = authenticator
        self._clock = clock
        self._request_ids = request_ids

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer a request to a function URL; `guest` says that a function made it."""
        request_id, begun = next(self._request_ids), self._clock.monotonic()
        url = self._urls.by_id(address.url_id)
        if url is None:
            response = _forbidden(None)
        elif url.cors is not None and (answer := cors.preflight(url.cors, request)) is not None:
            response = answer
        else:
            response = await self._run(request, address, url, request_id, guest=guest)
            headers = cors.response_headers(url.cors, request, response.headers)
            response = replace(response, headers=headers)
        if url is not None:
            self._count(url, request_id, response.status, self._clock.monotonic() - begun)
        return replace(response, headers={**response.headers, "x-amzn-RequestId": request_id})

    def _count(self, url: FunctionUrl, request_id: str, status: int, duration_s: float) -> None:
        metrics, function_arn = self._invoker.metrics, url.function.arn()
        metrics.activity.note(
            Happening(
                source="url",
                arn=url.url_id,
                function=url.function.arn(url.alias),
                request_id=request_id,
                result=activity.of_status(status),
                detail="" if status < 400 else f"HTTP {status}",
                took_ms=duration_s * 1_000,
            )
        )
        metrics.add("UrlRequestCount", function_arn)
        metrics.add("UrlRequestLatency", function_arn, duration_s * 1_000)
        for name, least in (("Url4xxCount", 400), ("Url5xxCount", 500)):
            if least <= status < least + 100:
                metrics.add(name, function_arn)

    async def _run(
        self,
        request: HttpRequest,
        address: Address,
        url: FunctionUrl,
        request_id: str,
        *,
        guest: bool,
    ) -> HttpResponse:
        try:
            caller = self._caller(request, url, guest=guest)
        except SignatureRefused as refused:
            return _not_accepted(refused)
        if not self._may_call(url, ANONYMOUS if caller is None else caller.principal):
            return _forbidden(_NOT_ALLOWED)
        if (refusal := _too_much(request)) is not None:
            return refusal
        invocation = self._invocation(request, address, url, request_id, caller)
        try:
            return await self._invoke(url, invocation)
        except ServiceException as error:
            return _refused(error)
        except InvalidResponse:
            return _bad_gateway()

    async def _invoke(self, url: FunctionUrl, invocation: Invocation) -> HttpResponse:
        if url.invoke_mode == "RESPONSE_STREAM":
            streamed = await self._invoker.invoke_streaming(url.function, url.alias, invocation)
            return await _streamed_response(streamed)
        outcome = await self._invoker.invoke(url.function, url.alias, invocation)
        return response_of(outcome.payload) if outcome.function_error is None else _bad_gateway()

    def _caller(self, request: HttpRequest, url: FunctionUrl, *, guest: bool) -> Caller | None:
        """Return who calls; nobody in particular where nobody is asked.

        Raises:
            SignatureRefused: the URL wants a signature, and this is none.
        """
        if url.auth_type != "AWS_IAM":
            return None
        return self._authenticator.authenticate_signed(
            request, service="lambda", region=url.function.region, guest=guest
        )

    def _may_call(self, url: FunctionUrl, principal: Principal) -> bool:
        owner = principal.account_id == url.function.account_id
        target = Target(key=url.function, qualifier=url.alias)
        context = {
            "lambda:FunctionUrlAuthType": url.auth_type,
            "lambda:InvokedViaFunctionUrl": "true",
        }
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if self._permissions.of_identity(principal, action, target) is not Decision.ALLOWED:
                return False
            decision = self._permissions.decide(target, principal, action, context)
            if decision is Decision.DENIED or (decision is Decision.SILENT and not owner):
                return False
        return True

    def _invocation(
        self,
        request: HttpRequest,
        address: Address,
        url: FunctionUrl,
        request_id: str,
        caller: Caller | None,
    ) -> Invocation:
        host, _, port = request.headers.get("host", "").partition(":")
        trace = trace_header(request.headers.get("x-amzn-trace-id"), self._clock.time())
        arrival = Arrival(
            domain=host,
            api_id=url.url_id,
            account_id="anonymous" if caller is None else caller.account_id,
            request_id=request_id,
            source_ip=request.headers.get("x-forwarded-for", "127.0.0.1").split(",")[0].strip(),
            port=port or "80",
            scheme="http",
            moment=self._clock.now(),
            trace_header=trace,
            authorizer=None if caller is None else {"iam": event_identity(caller)},
        )
        event = event_v2(request, arrival, path=address.path)
        return Invocation(
            request_id=request_id,
            payload=json.dumps(event, separators=(",", ":")).encode(),
            invoked_arn=url.function_arn,
            trace_header=trace,
        )


async def _streamed_response(streamed: StreamedInvocation) -> HttpResponse:
    """Begin a response with what the runtime sent first: its prelude, or the body itself."""
    pieces = streamed.pieces()
    first = b""
    wants_prelude = streamed.content_type == _PRELUDE_TYPE
    async for piece in pieces:
        first += piece
        if not wants_prelude or _PRELUDE_END in first or len(first) > _PRELUDE_BYTES_MAX:
            break
    else:
        outcome = await streamed.outcome()
        if outcome.function_error is not None:
            return _bad_gateway()
    head = HttpResponse(status=200, headers={"content-type": streamed.content_type})
    if wants_prelude:
        prelude, _, first = first.partition(_PRELUDE_END)
        try:
            head = head_of(json.loads(prelude))
        except (ValueError, AttributeError, InvalidResponse) as error:
            await pieces.aclose()
            raise InvalidResponse("the prelude describes no response") from error
    return replace(head, pieces=_rest(streamed, first, pieces))


async def _rest(
    streamed: StreamedInvocation, first: bytes, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        if first:
            yield first
        async for piece in pieces:
            yield piece
    outcome = await streamed.outcome()
    if outcome.function_error is not None:
        raise Broken(outcome.function_error, outcome.payload)


def _too_much(request: HttpRequest) -> HttpResponse | None:
    if len(request.body) > limits.INVOKE_REQUEST_BYTES_MAX:
        return _message(413, "Request Entity Too Large")
    return None if is_legible(request) else _message(400, "Bad Request")


def _forbidden(message: str | None) -> HttpResponse:
    headers = {"content-type": "application/json", "x-amzn-ErrorType": "AccessDeniedException"}
    body = json.dumps({"Message": message}, separators=(",", ":")).encode()
    return HttpResponse(status=403, headers=headers, body=body)


def _refused(error: ServiceException) -> HttpResponse:
    if isinstance(error, TooManyRequestsException):
        return _message(429, error.message, reason=error.members.get("Reason"))
    if isinstance(error, RecursiveInvocationException):
        return _message(400, error.message)
    # AWS: a URL whose alias or function is gone answers like one that never was.
    return _forbidden(None)


def _not_accepted(refused: SignatureRefused) -> HttpResponse:
    if refused.fault is Fault.MISSING:
        return _forbidden(_NOT_ALLOWED)
    error = refused.as_error("rest-json")
    response = _message(403, error.message)
    return replace(response, headers={**response.headers, "x-amzn-ErrorType": error.code})


def _message(status: int, text: str, *, reason: str | None = None) -> HttpResponse:
    document = {"message": text} if reason is None else {"Reason": reason, "message": text}
    body = json.dumps(document, separators=(",", ":")).encode()
    return HttpResponse(status=status, headers={"content-type": "application/json"}, body=body)


def _bad_gateway() -> HttpResponse:
    headers = {"content-type": "application/json"}
    return HttpResponse(status=502, headers=headers, body=b"Internal Server Error")
