"""Requests to lambdad's own pages, below `/_lambdad/`."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from lambdad.cli.client import CONNECT_TIMEOUT_S, DEFAULT_REGION, not_running
from lambdad.cli.errors import Failure
from lambdad.config.service import variables

# A large queue is counted, and purged, in seconds.
_TIMEOUT_S = 12 * CONNECT_TIMEOUT_S
_LIMIT_BYTES = 64 * 1024 * 1024


def ask(
    endpoint_url: str,
    path: str,
    query: Mapping[str, object | None] | None = None,
    *,
    method: str = "GET",
) -> Mapping[str, Any]:
    """Return the document that a page answers; members of `query` that are None are left out.

    Raises:
        Failure: nobody answers, or not lambdad, or it refuses; then with its message.
    """
    url = urlsplit(endpoint_url)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise Failure(f"{endpoint_url} is not an HTTP address.")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname, url.port, timeout=_TIMEOUT_S)
    text = urlencode({key: value for key, value in (query or {}).items() if value is not None})
    target = f"{url.path.rstrip('/')}/_lambdad/{path}" + (f"?{text}" if text else "")
    try:
        address = f"{url.scheme}://{url.netloc}{target}"
        connection.request(method, target, headers=_signed(method, address))
        response = connection.getresponse()
        body = response.read(_LIMIT_BYTES)
    except OSError as error:
        raise not_running(endpoint_url) from error
    except http.client.HTTPException as error:
        raise Failure(f"What answers at {endpoint_url} does not speak HTTP.") from error
    finally:
        connection.close()
    return _document(body, response.status, endpoint_url)


def _signed(method: str, address: str) -> Mapping[str, str]:
    """Return headers, signed with the credentials of the environment if it has any.

    A daemon that wants everybody to prove who they are shows some pages to nobody else.
    """
    headers = {"Content-Type": "application/json"}
    given = variables()
    access_key, secret = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret:
        return headers
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method, address, headers=headers)
    credentials = Credentials(access_key, secret, given.get("AWS_SESSION_TOKEN"))
    SigV4Auth(credentials, "lambda", given.get("AWS_REGION") or DEFAULT_REGION).add_auth(request)
    return dict(request.headers.items())


def _document(body: bytes, status: int, endpoint_url: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Failure(f"What answers at {endpoint_url} is not lambdad (HTTP {status}).")
    if status != http.client.OK:
        raise Failure(str(document.get("message") or f"HTTP {status}"))
    return document
