"""The `@connections` API: messages to connections, what they are, and their end.

`POST`, `GET` and `DELETE /<stage>/@connections/<id>` at the API's own address. Where the endpoint
is called without one, the identifier alone says which connection is meant.
"""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from lambdad.authz.authentication import Authenticator
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.sigv4_refusals import SignatureRefused
from lambdad.triggers.websocket.connections import Connection, Connections, is_id
from lambdad.triggers.websocket.socket import MESSAGE_MAX, BufferFull

PLACE = "/@connections/"
_NORMAL = 1000
_PATH = re.compile(r"/@connections/([^/]+)/?")


def is_management(path: str) -> bool:
    """Whether a path below the stage is one of this API."""
    return path.startswith(PLACE)


class Management:
    """Answers whoever speaks to connections by their identifiers."""

    def __init__(self, connections: Connections, authenticator: Authenticator) -> None:
        self._connections = connections
        self._authenticator = authenticator

    def handle(
        self,
        request: HttpRequest,
        path: str,
        *,
        request_id: str,
        api_id: str | None = None,
        stage: str | None = None,
        guest: bool = False,
    ) -> HttpResponse:
        """Answer one request; `api_id` and `stage` are those of its address, if it has one."""
        found = _PATH.fullmatch(path)
        if found is None:
            return _error(404, "NotFoundException", "Not Found", request_id)
        connection_id = unquote(found[1])
        if not is_id(connection_id):
            return _error(
                400, "BadRequestException", f"Invalid connectionId: {connection_id}", request_id
            )
        connection = self._connections.find(connection_id)
        if connection is not None and (
            api_id not in (None, connection.api.api_id) or stage not in (None, connection.stage)
        ):
            connection = None
        if not self._may(request, connection, guest=guest):
            return _error(403, "ForbiddenException", "Forbidden", request_id)
        if connection is None or connection.socket is None:
            return _error(410, "GoneException", None, request_id)
        return self._answer(request, connection, request_id)

    def _may(self, request: HttpRequest, connection: Connection | None, *, guest: bool) -> bool:
        """Whether a caller signed, and is of the account that the API belongs to."""
        try:
            if connection is None:
                self._authenticator.authenticate(request, service="execute-api", guest=guest)
                return True
            caller = self._authenticator.authenticate_signed(
                request, service="execute-api", region=connection.api.region, guest=guest
            )
        except SignatureRefused:
            return False
        return caller.account_id == connection.api.account_id

    def _answer(
        self, request: HttpRequest, connection: Connection, request_id: str
    ) -> HttpResponse:
        if request.method == "POST":
            return self._post(request, connection, request_id)
        if request.method == "GET":
            return _response(200, _described(connection))
        if request.method == "DELETE":
            if connection.socket is not None:
                connection.socket.close(_NORMAL, "Connection Closed Normally")
            self._connections.remove(connection)
            return HttpResponse(status=204)
        return _error(405, "BadRequestException", "Method Not Allowed", request_id)

    def _post(self, request: HttpRequest, connection: Connection, request_id: str) -> HttpResponse:
        if len(request.body) > MESSAGE_MAX:
            return _error(413, "PayloadTooLargeException", "Message too long", request_id)
        try:
            if connection.socket is not None:
                connection.socket.send(request.body)
        except BufferFull:
            return _error(429, "LimitExceededException", "Too many requests", request_id)
        self._connections.touch(connection)
        return _response(200, {})


def _described(connection: Connection) -> dict[str, object]:
    identity = {"sourceIp": connection.arrival.source_ip, "userAgent": connection.user_agent}
    return {
        "connectedAt": _time(connection.connected_at.isoformat(timespec="milliseconds")),
        "identity": identity,
        "lastActiveAt": _time(connection.active_at.isoformat(timespec="milliseconds")),
    }


def _time(text: str) -> str:
    return text.replace("+00:00", "Z")


def _response(status: int, document: dict[str, object]) -> HttpResponse:
    body = json.dumps(document, separators=(",", ":")).encode() if document else b""
    return HttpResponse(status=status, headers={"content-type": "application/json"}, body=body)


def _error(status: int, code: str, text: str | None, request_id: str) -> HttpResponse:
    body = json.dumps({"message": text, "requestId": request_id}, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "x-amzn-ErrorType": code}
    return HttpResponse(status=status, headers=headers, body=body)
