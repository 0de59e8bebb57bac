"""AWS Signature Version 4, as far as it says who calls.

Decides which access key and scope a request claims. Refuses to know secrets: a credential that
was read is a claim and nothing more until its signature is verified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from lambdad.protocol.http import HttpRequest

_AUTHORIZATION = re.compile(r"\s*AWS4-HMAC-SHA256[\s,]+(?:.*?[\s,])?Credential=([^,\s]+)")
_IN_QUERY = re.compile(r"(?:^|&)X-Amz-Credential=([^&]+)")
_SCOPE = re.compile(r"(.+)/(\d{8})/([a-zA-Z0-9-]+)/([a-zA-Z0-9._-]+)/aws4_request")
_MAX_CREDENTIAL = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Who a request says it is from, and for which scope it was signed.

    Attributes:
        date: `YYYYMMDD`.
        service: signing name, for example `lambda`.
    """

    access_key: str
    date: str
    region: str
    service: str


def parse_credential(request: HttpRequest) -> Credential | None:
    """Return the credential of the Authorization header or of a presigned query.

    None if the request is unsigned, or signed in another way or not well formed.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        match = _AUTHORIZATION.match(authorization)
        return _parse_scope(match[1]) if match else None
    match = _IN_QUERY.search(request.query) if request.query else None
    return _parse_scope(unquote(match[1])) if match else None


def _parse_scope(credential: str) -> Credential | None:
    return None if len(credential) > _MAX_CREDENTIAL else _cached_scope(credential)


@lru_cache(maxsize=1_024)
def _cached_scope(credential: str) -> Credential | None:
    match = _SCOPE.fullmatch(credential)
    if match is None:
        return None
    return Credential(access_key=match[1], date=match[2], region=match[3], service=match[4])
