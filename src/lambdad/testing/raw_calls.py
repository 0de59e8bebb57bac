"""Calls without an SDK, for callers that behave as none does."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_TIMEOUT_S = 60.0


def call(
    endpoint_url: str,
    function: str,
    payload: str,
    *,
    streaming: bool = False,
    receive_bytes: int | None = None,
) -> socket.socket:
    """Send a signed Invoke, or InvokeWithResponseStream, and read nothing of the answer.

    `receive_bytes` is the size of the socket's buffer; the caller closes the socket.
    """
    path = f"/2015-03-31/functions/{function}/invocations"
    if streaming:
        path = f"/2021-11-15/functions/{function}/response-streaming-invocations"
    signed = AWSRequest("POST", f"{endpoint_url}{path}", data=payload.encode())
    SigV4Auth(Credentials("000000000000", "test"), "lambda", "us-east-1").add_auth(signed)
    place = urlsplit(endpoint_url)
    lines = [f"POST {path} HTTP/1.1", f"Host: {place.netloc}"]
    lines += [f"{name}: {value}" for name, value in signed.headers.items()]
    lines += [f"Content-Length: {len(payload.encode())}", "", payload]
    caller = socket.socket()
    if receive_bytes is not None:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    caller.settimeout(_TIMEOUT_S)
    caller.connect((place.hostname or "", place.port or 80))
    caller.sendall("\r\n".join(lines).encode())
    return caller


def raw(
    endpoint_url: str, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers in lower case and body of the answer to a request as it is given."""
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=_TIMEOUT_S)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, content
