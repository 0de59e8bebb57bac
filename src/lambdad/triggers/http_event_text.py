"""The event of a usual request to an HTTP API as JSON, put together without the event itself. Pure.

What is written here is what `http_events.event_v2` says, letter by letter: a test compares them.
What is not usual is left to that. The text of headers is remembered, as clients repeat them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_events import OF_THE_HOP, Arrival, body_of, clf_second, query_of

ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
"""Of events, which hold nothing that holds itself."""

# SECURITY: headers of guests are remembered, too: they must not be much memory.
_HEAD_BYTES_MAX = 2_048
_OWN = frozenset(
    {"cookie", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
)


def event_text(
    request: HttpRequest,
    arrival: Arrival,
    *,
    path: str,
    route_key: str,
    stage: str,
    variables: Mapping[str, str],
    stage_variables: Mapping[str, str],
) -> str | None:
    """Return the event of a request; None where it has to be made and encoded."""
    if arrival.authorizer is not None or not 0 < len(request.head) <= _HEAD_BYTES_MAX:
        return None
    headers = _headers(tuple(request.headers.items()))
    if headers is None:
        return None
    raw, route, source = quoted(path), quoted(route_key), quoted(arrival.source_ip)
    scheme, port = quoted(arrival.scheme), quoted(arrival.port)
    agent = quoted(request.headers.get("user-agent", ""))
    query = request.query
    named = f'"queryStringParameters":{ENCODER.encode(query_of(query))},' if query else ""
    rest = ""
    if variables:
        rest = f',"pathParameters":{ENCODER.encode(dict(variables))}'
    if stage_variables:
        rest += f',"stageVariables":{ENCODER.encode(dict(stage_variables))}'
    epoch_ms = int(arrival.moment.timestamp() * 1000)
    return (
        f'{{"version":"2.0","routeKey":{route},"rawPath":{raw},"rawQueryString":{quoted(query)},'
        f'"headers":{{{headers}"x-amzn-trace-id":{quoted(arrival.trace_header)},'
        f'"x-forwarded-for":{source},"x-forwarded-port":{port},"x-forwarded-proto":{scheme}}},'
        f'{named}"requestContext":{{{_place(arrival.account_id, arrival.api_id, arrival.domain)}'
        f'"http":{{"method":{quoted(request.method)},"path":{raw},"protocol":"HTTP/1.1",'
        f'"sourceIp":{source},"userAgent":{agent}}},"requestId":{quoted(arrival.request_id)},'
        f'"routeKey":{route},"stage":{quoted(stage)},"time":"{clf_second(epoch_ms // 1000)}",'
        f'"timeEpoch":{epoch_ms}}},{_body(request)}{rest}}}'
    )


@lru_cache(maxsize=256)
def _headers(items: tuple[tuple[str, str], ...]) -> str | None:
    """Return what a client's headers are in the event, with a comma behind each."""
    if any(name in _OWN for name, _ in items):
        return None
    kept = (f"{quoted(name)}:{quoted(text)}," for name, text in items if name not in OF_THE_HOP)
    return "".join(kept)


@lru_cache(maxsize=256)
def _place(account_id: str, api_id: str, domain: str) -> str:
    api = quoted(api_id)
    return (
        f'"accountId":{quoted(account_id)},"apiId":{api},"domainName":{quoted(domain)},'
        f'"domainPrefix":{api},'
    )


def _body(request: HttpRequest) -> str:
    if not request.body:
        return '"isBase64Encoded":false'
    told = body_of(request)
    encoded = "true" if told["isBase64Encoded"] else "false"
    return f'"body":{quoted(told["body"])},"isBase64Encoded":{encoded}'
