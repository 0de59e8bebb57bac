"""Callers of APIs that keep a connection or do not, and what two answers must have in common."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, list[tuple[str, str]], bytes]

_OF_A_REQUEST = frozenset(
    {"apigw-requestid", "connection", "content-length", "date", "x-amz-apigw-id"}
    | {"x-amzn-requestid", "x-amzn-trace-id"}
)


class ApiCaller:
    """Asks an API on a connection that stays open, or on a new one for each request."""

    def __init__(self, url: str, api_id: str, *, keep: bool) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._prefix = f"/_aws/execute-api/{api_id}"
        self._keep = keep

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return status, headers and body of an answer."""
        sent = {"X-Given": "yes", "Cookie": "c=1; d=2", **(headers or {})}
        if not self._keep:
            sent["Connection"] = "close"
        self._connection.request(method, self._prefix + path, body or None, sent)
        answer = self._connection.getresponse()
        found = answer.read()
        if not self._keep:
            self._connection.close()
        return answer.status, answer.getheaders(), found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def alike(answer: Answer) -> Any:
    """Return what must be the same of two requests."""
    status, headers, body = answer
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_A_REQUEST]
    try:
        event = json.loads(body)
    except ValueError:
        return status, kept, body
    if not isinstance(event, dict) or "requestContext" not in event:
        return status, kept, event
    context = event["requestContext"]
    for name in (
        "requestId",
        "extendedRequestId",
        "time",
        "timeEpoch",
        "requestTime",
        "requestTimeEpoch",
    ):
        context.pop(name, None)
    for member in ("headers", "multiValueHeaders"):
        for name in ("x-amzn-trace-id", "X-Amzn-Trace-Id", "connection", "Connection"):
            event.get(member, {}).pop(name, None)
    return status, kept, event
