"""A subscription to telemetry: what an extension may ask for, and how it is refused. Pure.

The request comes from the guest and is hostile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

_REQUEST_BYTES_MAX = 64 * 1024
_PATH_CHARACTERS_MAX = 2048


class Api(StrEnum):
    """Which of the two an extension uses; the value begins the names of its errors."""

    TELEMETRY = "Telemetry"
    LOGS = "Logs"


VERSIONS: Mapping[Api, tuple[str, ...]] = {
    Api.TELEMETRY: ("2022-07-01", "2022-12-13", "2025-01-29"),
    Api.LOGS: ("2020-08-15", "2021-03-18"),
}
_VERSION_PROBLEM = {
    Api.TELEMETRY: "TelemetryAPI only supports the SchemaVersion released after 2021-03-18",
    Api.LOGS: "LogsAPI only supports the following SchemaVersion: 2020-08-15, 2021-03-18",
}
TYPES = ("platform", "function", "extension")
HOSTS = ("sandbox.localdomain", "sandbox")
# AWS keeps it for its own agent.
_RESERVED_PORT = 9001
_PORT_MAX = 65535


class Refused(Exception):
    """A subscription that is not accepted.

    Attributes:
        status: of the HTTP response.
        error_type: without the name of the API.
    """

    def __init__(
        self, message: str, *, status: int = 400, error_type: str = "ValidationError"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the records go: always to the sandbox's own loopback.

    Attributes:
        protocol: `HTTP` or `TCP`.
        target: path and query of the HTTP request.
    """

    protocol: str
    port: int
    target: str = "/"
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffering:
    """When a batch is complete: by number, by bytes, or by the age of its first record."""

    max_items: int
    max_bytes: int
    timeout_ms: int


_DEFAULTS = {"maxItems": 10_000, "maxBytes": 262_144, "timeoutMs": 1_000}
_RANGES = {
    "maxItems": (1_000, 10_000),
    "maxBytes": (262_144, 1_048_576),
    "timeoutMs": (25, 30_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What one extension wants to be told."""

    api: Api
    schema_version: str
    types: tuple[str, ...]
    destination: Destination
    buffering: Buffering


def parse(api: Api, body: bytes) -> Subscription:
    """Read a request.

    Raises:
        Refused: with all that is wrong with it.
    """
    document = _document(body)
    version = document.get("schemaVersion", VERSIONS[api][0] if api is Api.LOGS else None)
    if version not in VERSIONS[api]:
        raise Refused(_VERSION_PROBLEM[api])
    destination = document.get("destination")
    if not isinstance(destination, dict):
        raise Refused("destination is not provided")
    _check_host(destination)
    buffering = document.get("buffering") or {}
    if not isinstance(buffering, dict):
        raise Refused("buffering: an object is expected")
    problems = [
        *_destination_problems(destination),
        *_type_problems(document.get("types")),
        *_buffering_problems(buffering),
    ]
    if problems:
        raise Refused("; ".join(problems))
    return Subscription(
        api=api,
        schema_version=version,
        types=tuple(document["types"]),
        destination=_destination(destination),
        buffering=_buffering({**_DEFAULTS, **buffering}),
    )


def _document(body: bytes) -> dict[str, Any]:
    if len(body) > _REQUEST_BYTES_MAX:
        raise Refused("the subscription is too long")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the subscription is no JSON document") from None
    if not isinstance(document, dict):
        raise Refused("the subscription is no JSON object")
    return document


def _check_host(destination: Mapping[str, Any]) -> None:
    """Refuse what leads out of the sandbox before anything else."""
    uri = destination.get("URI")
    if destination.get("protocol") != "HTTP" or not isinstance(uri, str):
        return
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        raise Refused("invalid destination URI") from None
    if parts.scheme != "http":
        raise Refused("Only 'http' scheme is supported.", status=403, error_type="AccessDenied")
    if host not in HOSTS:
        raise Refused(
            "Only 'sandbox.localdomain' hostname is supported.",
            status=403,
            error_type="AccessDenied",
        )


def _destination_problems(destination: Mapping[str, Any]) -> Iterator[str]:
    protocol = destination.get("protocol")
    if protocol == "HTTP":
        yield from _uri_problems(destination.get("URI"))
        if destination.get("method", "POST") not in ("POST", "PUT"):
            yield "method should be POST or PUT"
        if destination.get("encoding", "JSON") != "JSON":
            yield "encoding should be JSON"
    elif protocol == "TCP":
        port = destination.get("port")
        if not _is_within(port, 1, _PORT_MAX):
            yield f"port should be between 1 and {_PORT_MAX}"
        elif port == _RESERVED_PORT:
            yield f"port {_RESERVED_PORT} is reserved"
    else:
        yield "protocol should be HTTP or TCP"


def _uri_problems(uri: object) -> Iterator[str]:
    if not isinstance(uri, str):
        yield "URI is not provided"
        return
    parts = urlsplit(uri)
    try:
        port = parts.port
    except ValueError:
        yield "invalid destination port"
        return
    if port is None:
        yield "URI port is not provided"
    elif port == _RESERVED_PORT:
        yield f"port {_RESERVED_PORT} is reserved"
    elif port == 0:
        yield "invalid destination port"
    target = parts.path + parts.query
    # SECURITY: it becomes a line of a request, which must not be continued by the guest.
    printable = target.isascii() and target.isprintable() and " " not in target
    if parts.username is not None or parts.fragment or not printable:
        yield "invalid destination URI"
    elif len(target) > _PATH_CHARACTERS_MAX:
        yield "the destination URI is too long"


def _type_problems(types: object) -> Iterator[str]:
    if not isinstance(types, list) or not types:
        yield "types should not be empty"
    elif any(kind not in TYPES for kind in types):
        yield "types should be platform, function or extension"
    elif len(set(types)) < len(types):
        yield "types should be unique"


def _buffering_problems(buffering: Mapping[str, Any]) -> Iterator[str]:
    for name, (least, most) in _RANGES.items():
        if name not in buffering:
            continue
        if not _is_within(buffering[name], least, most):
            yield f"{name} should be between {least} and {most}"


def _buffering(document: Mapping[str, int]) -> Buffering:
    return Buffering(
        max_items=document["maxItems"],
        max_bytes=document["maxBytes"],
        timeout_ms=document["timeoutMs"],
    )


def _destination(document: Mapping[str, Any]) -> Destination:
    if document["protocol"] == "TCP":
        return Destination(protocol="TCP", port=document["port"])
    parts = urlsplit(document["URI"])
    assert parts.port is not None  # noqa: S101 - checked
    target = parts.path or "/"
    return Destination(
        protocol="HTTP",
        port=parts.port,
        target=f"{target}?{parts.query}" if parts.query else target,
        method=document.get("method", "POST"),
    )


def _is_within(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
