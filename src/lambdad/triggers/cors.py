"""Cross-origin rules of a function URL: what a browser is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.protocol.http import HttpRequest, HttpResponse

_PREFIX = "access-control-"


def preflight(config: Mapping[str, Any], request: HttpRequest) -> HttpResponse | None:
    """Answer a browser's question before its request; None when this is not one."""
    asked = "access-control-request-method" in request.headers
    if request.method != "OPTIONS" or "origin" not in request.headers or not asked:
        return None
    headers = _allowed(config, request.headers["origin"])
    if headers:
        headers["access-control-allow-methods"] = _joined(config, "AllowMethods")
        headers["access-control-allow-headers"] = _joined(config, "AllowHeaders")
        headers["access-control-max-age"] = str(config.get("MaxAge", 0))
    headers = {name: value for name, value in headers.items() if value}
    return HttpResponse(status=200, headers={**headers, "vary": "Origin"})


def response_headers(
    config: Mapping[str, Any] | None, request: HttpRequest, headers: Mapping[str, str]
) -> Mapping[str, str]:
    """Return a response's headers with the configured rules in place of the function's own."""
    if config is None:
        return headers
    kept = {name: value for name, value in headers.items() if not name.startswith(_PREFIX)}
    origin = request.headers.get("origin")
    if origin is None:
        return kept
    allowed = _allowed(config, origin)
    if allowed and config.get("ExposeHeaders"):
        allowed["access-control-expose-headers"] = _joined(config, "ExposeHeaders")
    return {**kept, **allowed, "vary": "Origin"}


def _allowed(config: Mapping[str, Any], origin: str) -> dict[str, str]:
    origins: Sequence[str] = config.get("AllowOrigins") or ()
    if not any(_matches(pattern, origin) for pattern in origins):
        return {}
    credentials = bool(config.get("AllowCredentials"))
    allowed = {"access-control-allow-origin": origin}
    if "*" in origins and not credentials:
        allowed["access-control-allow-origin"] = "*"
    if credentials:
        allowed["access-control-allow-credentials"] = "true"
    return allowed


def _matches(pattern: str, origin: str) -> bool:
    return pattern == "*" or pattern.rstrip("/").lower() == origin.rstrip("/").lower()


def _joined(config: Mapping[str, Any], member: str) -> str:
    return ",".join(config.get(member) or ())
