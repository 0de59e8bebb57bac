"""What functions are told of a connection: that it begins, what it says, that it ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_events import clf_time
from lambdad.triggers.http_events_v1 import (
    extended_request_id,
    header_values,
    last_of,
    query_values,
)
from lambdad.triggers.websocket.connections import Connection


def context_of(
    connection: Connection,
    *,
    route_key: str,
    kind: str,
    request_id: str,
    moment: datetime,
) -> dict[str, Any]:
    """Return `requestContext`; `kind` is CONNECT, MESSAGE or DISCONNECT."""
    identity = {"sourceIp": connection.arrival.source_ip}
    if connection.user_agent:
        identity["userAgent"] = connection.user_agent
    context: dict[str, Any] = {
        "routeKey": route_key,
        "eventType": kind,
        "extendedRequestId": extended_request_id(request_id),
        "requestTime": clf_time(moment),
        "messageDirection": "IN",
        "stage": connection.stage,
        "connectedAt": int(connection.connected_at.timestamp() * 1000),
        "requestTimeEpoch": int(moment.timestamp() * 1000),
        "identity": identity,
        "requestId": request_id,
        "domainName": connection.arrival.domain,
        "connectionId": connection.id,
        "apiId": connection.api.api_id,
    }
    if connection.authorizer is not None:
        context["authorizer"] = dict(connection.authorizer)
    return context


def connect_event(
    request: HttpRequest, connection: Connection, context: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the event of a handshake."""
    headers = header_values(request, connection.arrival)
    event: dict[str, Any] = {"headers": last_of(headers), "multiValueHeaders": headers}
    if request.query:
        query = query_values(request.query)
        event["queryStringParameters"] = last_of(query)
        event["multiValueQueryStringParameters"] = query
    return {**event, **_common(connection, context)}


def message_event(connection: Connection, context: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return the event of a message; `messageId` is part of the context."""
    common = _common(connection, context)
    return {**common, "body": text}


def disconnect_event(
    connection: Connection, context: Mapping[str, Any], code: int, reason: str
) -> dict[str, Any]:
    """Return the event of an end."""
    headers = {"Host": connection.arrival.domain, "x-api-key": "", "x-restapi": ""}
    told = {**context, "disconnectStatusCode": code, "disconnectReason": reason}
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        **_common(connection, told),
    }


def authorizer_event(
    request: HttpRequest, connection: Connection, context: Mapping[str, Any], arn: str
) -> dict[str, Any]:
    """Return what an authorizer is asked about a handshake."""
    event = connect_event(request, connection, context)
    event.pop("isBase64Encoded")
    for member in ("queryStringParameters", "multiValueQueryStringParameters", "stageVariables"):
        event.setdefault(member, {})
    return {"type": "REQUEST", "methodArn": arn, **event}


def _common(connection: Connection, context: Mapping[str, Any]) -> dict[str, Any]:
    stage = connection.api.parts["stage"].get(connection.stage) or {}
    variables = stage.get("StageVariables")
    common: dict[str, Any] = {"requestContext": dict(context), "isBase64Encoded": False}
    return {"stageVariables": dict(variables), **common} if variables else common
