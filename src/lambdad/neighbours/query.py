"""What a query protocol request asks for. Pure."""

from __future__ import annotations

from urllib.parse import parse_qsl

from lambdad.protocol.http import HttpRequest

_FIELDS_MAX = 1_000


def query_fields(request: HttpRequest) -> dict[str, str]:
    """Return `Action` and `Version` of a query protocol request, from its body or its query."""
    content_type = request.headers.get("content-type", "")
    in_body = content_type.startswith("application/x-www-form-urlencoded")
    text = request.body.decode("latin-1") if in_body and request.body else request.query
    if "Action=" not in text:
        return {}
    try:
        fields = parse_qsl(text, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return {}
    return {name: value for name, value in fields if name in ("Action", "Version")}
