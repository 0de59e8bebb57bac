"""Credentials that are asked for, where they cannot be variables: in restored environments.

An SDK client that was made before the snapshot goes on in every copy. So none of these has keys of
its own: it asks its environment's Runtime API, which knows whose it is, and what the template had
is over as soon as it is looked at.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from lambdad.authz.sessions import Session
from lambdad.domain.functions import Function
from lambdad.protocol.http import HttpRequest, HttpResponse

PATH = "/2021-04-23/credentials"
# Of what a template is given. SDKs renew credentials that expire within 10 to 15 minutes at every
# use: so does a copy, with its own.
TEMPLATE_LIFETIME_S = 240

_TEXT = {"Content-Type": "text/plain"}
_NO_TOKEN = HttpResponse(status=400, headers=_TEXT, body=b"")
_WRONG_TOKEN = HttpResponse(
    status=404, headers=_TEXT, body=b"cannot get credentials for the provided token\n"
)
_WRONG_METHOD = HttpResponse(status=405, headers={"Allow": "GET", **_TEXT}, body=b"")


class Tokens:
    """The tokens by which environments of a version ask: the same in all, as clients keep it.

    It opens nothing but the Runtime API of these environments, and ends with the daemon.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, function: Function) -> str:
        """Return the token of a version."""
        name = f"{function.arn}:{function.version}:{function.code.digest}"
        return hmac.digest(self._key, name.encode(), "sha256").hex()


class ContainerCredentials:
    """Answers one environment. `issue` makes credentials of its own for it."""

    def __init__(self, token: str, issue: Callable[[], Session]) -> None:
        self._token = token.encode()
        self._issue = issue

    def variables(self, address: str) -> Mapping[str, str]:
        """Return what tells an SDK to ask, at the Runtime API's `host:port`."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{address}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._token.decode(),
        }

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return credentials to who shows the token."""
        if request.method != "GET":
            return _WRONG_METHOD
        shown = request.headers.get("authorization", "")
        if not shown:
            return _NO_TOKEN
        if not hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self._token):
            return _WRONG_TOKEN
        session = self._issue()
        expires = datetime.fromtimestamp(session.claims.expires_s, UTC)
        document = {
            "AccessKeyId": session.claims.access_key,
            "SecretAccessKey": session.secret,
            "Token": session.token,
            "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        }
        return HttpResponse(
            status=200,
            headers={"Content-Type": "application/json"},
            body=json.dumps(document).encode(),
        )
