"""What API Gateway itself answers in place of an integration, as each API may have it changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.protocol.http import HttpResponse
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.model import Document

_VARIABLE = re.compile(r"\$\{?(context|stageVariables)((?:\.[A-Za-z_][\w-]*)+)\}?")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Default:
    status: int
    error: str


_DEFAULTS = {
    "ACCESS_DENIED": _Default(403, "AccessDeniedException"),
    "API_CONFIGURATION_ERROR": _Default(500, "InternalServerErrorException"),
    "AUTHORIZER_CONFIGURATION_ERROR": _Default(500, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": _Default(500, "AuthorizerFailureException"),
    "BAD_REQUEST_BODY": _Default(400, "BadRequestException"),
    "BAD_REQUEST_PARAMETERS": _Default(400, "BadRequestException"),
    "DEFAULT_4XX": _Default(400, "BadRequestException"),
    "DEFAULT_5XX": _Default(500, "InternalServerErrorException"),
    "EXPIRED_TOKEN": _Default(403, "ExpiredTokenException"),
    "INTEGRATION_FAILURE": _Default(504, "InternalServerErrorException"),
    "INTEGRATION_TIMEOUT": _Default(504, "InternalServerErrorException"),
    "INVALID_API_KEY": _Default(403, "ForbiddenException"),
    "INVALID_SIGNATURE": _Default(403, "InvalidSignatureException"),
    "MISSING_AUTHENTICATION_TOKEN": _Default(403, "MissingAuthenticationTokenException"),
    "QUOTA_EXCEEDED": _Default(429, "LimitExceededException"),
    "REQUEST_TOO_LARGE": _Default(413, "RequestTooLargeException"),
    "RESOURCE_NOT_FOUND": _Default(404, "NotFoundException"),
    "THROTTLED": _Default(429, "TooManyRequestsException"),
    "UNAUTHORIZED": _Default(401, "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": _Default(415, "BadRequestException"),
    "WAF_FILTERED": _Default(403, "ForbiddenException"),
}


class Refused(Exception):
    """A request gets a gateway response.

    Attributes:
        kind: the response's type, `UNAUTHORIZED`.
        message: what went wrong in AWS's words; None says that nothing is told.
        status: in place of the type's own.
        details: what validation found.
        member: of the default body, which holds the message.
    """

    def __init__(
        self,
        kind: str,
        message: str | None,
        *,
        status: int | None = None,
        details: str | None = None,
        member: str = "message",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status or _DEFAULTS[kind].status
        self.details = details
        self.member = member


def internal_error(status: int = 500) -> Refused:
    """Return the refusal of what is nobody's fault but the API's."""
    return Refused("DEFAULT_5XX", "Internal server error", status=status)


def misconfigured() -> Refused:
    """Return the refusal of what an integration cannot do as it is set up."""
    return Refused("API_CONFIGURATION_ERROR", "Internal server error")


def response_of(refused: Refused, call: Call | None) -> HttpResponse:
    """Return what the caller sees; without a call, as nobody changed it."""
    headers = {"content-type": _JSON, "x-amzn-ErrorType": _DEFAULTS[refused.kind].error}
    body = json.dumps({refused.member: refused.message}, separators=(",", ":"))
    if call is None:
        return HttpResponse(status=refused.status, headers=headers, body=body.encode())
    custom = _custom(refused, call)
    status = int(custom.get("statusCode") or refused.status)
    context = _Variables(refused, call, status)
    for name, expression in (custom.get("responseParameters") or {}).items():
        value = context.parameter(expression)
        if value is not None:
            headers[name.removeprefix("gatewayresponse.header.").lower()] = value
    templates: Mapping[str, str] = custom.get("responseTemplates") or {}
    if templates:
        kind = _chosen(templates, call.header("accept"))
        headers["content-type"] = kind
        body = context.rendered(templates[kind])
    return HttpResponse(status=status, headers=headers, body=body.encode("utf-8", "replace"))


def _custom(refused: Refused, call: Call) -> Document:
    changed = call.snapshot.gateway_responses
    default = "DEFAULT_4XX" if refused.status < 500 else "DEFAULT_5XX"
    return changed.get(refused.kind) or changed.get(default) or {}


def _chosen(templates: Mapping[str, str], accept: str | None) -> str:
    wanted = (accept or "").partition(",")[0].partition(";")[0].strip().lower()
    if wanted in templates:
        return wanted
    return _JSON if _JSON in templates else next(iter(templates))


class _Variables:
    """What templates of gateway responses may name."""

    def __init__(self, refused: Refused, call: Call, status: int) -> None:
        self._call = call
        self._context = {
            **call.context(),
            "status": status,
            "error": {
                "message": refused.message,
                "messageString": json.dumps(refused.message),
                "responseType": refused.kind,
                "validationErrorString": refused.details,
            },
        }

    def parameter(self, expression: str) -> str | None:
        """Return a header's value: a text in quotes, a part of the request, or a variable."""
        if expression.startswith("'") and expression.endswith("'"):
            return expression[1:-1]
        source, _, name = expression.removeprefix("method.request.").partition(".")
        if source == "header":
            return self._call.header(name)
        if source == "querystring":
            return self._call.last_query.get(name)
        if source == "path":
            return self._call.path_parameters.get(name)
        value = self._value(source, name.split("."))
        return None if value is None else _text(value)

    def rendered(self, template: str) -> str:
        """Put values in place of variables; nothing else of the template language is known."""
        return _VARIABLE.sub(
            lambda found: _text(self._value(found[1], found[2][1:].split("."))), template
        )

    def _value(self, root: str, names: list[str]) -> Any:
        value: Any = self._context if root == "context" else dict(self._call.stage_variables)
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
