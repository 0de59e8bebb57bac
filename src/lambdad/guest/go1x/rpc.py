"""The calls that `aws-lambda-go` answers when it is started with `_LAMBDA_SERVER_PORT`."""
# ruff: noqa: TID252

from __future__ import annotations

import json
import socket
import time
from typing import Any, Callable, Dict, Optional

from .gob import BYTES, INT, STRING, UINT, Decoder, Encoder, Fields

_REQUEST, _INVOKE, _TIMESTAMP = 65, 66, 67
_TIMESTAMP_FIELDS: Fields = (("Seconds", INT), ("Nanos", INT))
_INVOKE_FIELDS: Fields = (
    ("Payload", BYTES),
    ("RequestId", STRING),
    ("XAmznTraceId", STRING),
    ("Deadline", _TIMESTAMP),
    ("InvokedFunctionArn", STRING),
    ("CognitoIdentityId", STRING),
    ("CognitoIdentityPoolId", STRING),
    ("ClientContext", BYTES),
)
_TYPES = {
    _REQUEST: ("Request", (("ServiceMethod", STRING), ("Seq", UINT))),
    _INVOKE: ("InvokeRequest", _INVOKE_FIELDS),
    _TIMESTAMP: ("InvokeRequest_Timestamp", _TIMESTAMP_FIELDS),
}
_RETRY_S = 0.002


class GoError(Exception):
    """The program answered with an error. Attribute `fatal`: it cannot go on after it."""

    def __init__(self, error: Dict[str, Any]) -> None:
        super().__init__(error.get("Message", ""))
        self.fatal = bool(error.get("ShouldExit"))
        self.error_type = error.get("Type", "")
        self.document: Dict[str, Any] = {
            "errorMessage": error.get("Message", ""),
            "errorType": self.error_type,
        }
        if error.get("StackTrace"):
            self.document["stackTrace"] = [
                {"path": f.get("Path", ""), "line": f.get("Line", 0), "label": f.get("Label", "")}
                for f in error["StackTrace"]
            ]


class Program:
    """A connection to the Go program."""

    def __init__(self, port: int) -> None:
        self._socket = _connected(port)
        self._stream = self._socket.makefile("rb")
        self._encoder = Encoder(_TYPES)
        self._decoder = Decoder(self._read)
        self._calls = 0

    def invoke(self, event: bytes, header: Callable[[str], Optional[str]]) -> bytes:
        """Return the answer of the handler; `header` gives those of the Runtime API.

        Raises:
            GoError: the handler failed.
            EOFError: the program has ended.
        """
        self._calls += 1
        deadline_ms = int(header("deadline-ms") or 0)
        identity = json.loads(header("cognito-identity") or "{}")
        call = {"ServiceMethod": "Function.Invoke", "Seq": self._calls}
        request = {
            "Payload": event,
            "RequestId": header("aws-request-id"),
            "XAmznTraceId": header("trace-id"),
            "Deadline": {
                "Seconds": deadline_ms // 1_000,
                "Nanos": deadline_ms % 1_000 * 1_000_000,
            },
            "InvokedFunctionArn": header("invoked-function-arn"),
            "CognitoIdentityId": identity.get("cognitoIdentityId"),
            "CognitoIdentityPoolId": identity.get("cognitoIdentityPoolId"),
            "ClientContext": (header("client-context") or "").encode(),
        }
        content = self._encoder.message(_REQUEST, call) + self._encoder.message(_INVOKE, request)
        try:
            self._socket.sendall(content)
        except OSError as error:
            raise EOFError from error
        outcome = self._decoder.message()
        answer = self._decoder.message()
        if outcome.get("Error"):
            raise GoError({"Message": outcome["Error"], "Type": "ServerError"})
        if answer.get("Error"):
            raise GoError(answer["Error"])
        payload: bytes = answer.get("Payload", b"")
        return payload

    def _read(self, size: int) -> bytes:
        try:
            content = self._stream.read(size)
        except OSError as error:
            raise EOFError from error
        if len(content) < size:
            raise EOFError
        return content


def _connected(port: int) -> socket.socket:
    """Connect as soon as the program listens; whoever started it ends us when it never does."""
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(_RETRY_S)
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
