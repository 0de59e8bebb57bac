"""AWS Signature Version 4 as it stands in a request.

Decides which access key and scope a request claims, and what it brings to prove it. Refuses to
know secrets: what was read is a claim and nothing more until `sigv4_verification` has checked it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused

ALGORITHM = "AWS4-HMAC-SHA256"

_CREDENTIAL = "Credential="
_USUAL = f"{ALGORITHM} {_CREDENTIAL}"
_AUTHORIZATION = re.compile(r"\s*AWS4-HMAC-SHA256[\s,]+(?:.*?[\s,])?Credential=([^,\s]+)")
_IN_QUERY = re.compile(r"(?:^|&)X-Amz-Credential=([^&]+)")
_SCOPE = re.compile(r"(.+)/(\d{8})/([a-zA-Z0-9-]+)/([a-zA-Z0-9._-]+)/aws4_request")
_MAX_CREDENTIAL = 512
_SEPARATORS = re.compile(r"[,\s]+")
_HEADER_PARTS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARTS = ("Algorithm", "Credential", "Signature", "SignedHeaders", "Date", "Expires")
_SIGNED_QUERY = "X-Amz-Signature="


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

    @property
    def scope(self) -> str:
        """`YYYYMMDD/region/service/aws4_request`."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a request brings to prove who it is from.

    Attributes:
        value: 64 hexadecimal digits, or anything else a client wrote.
        signed_headers: names in lower case, in the order of the request.
        timestamp: `YYYYMMDDTHHMMSSZ` as the client signed it, else the text of its date header.
        token: session token, or None.
        expires_s: of a presigned URL, in seconds from `timestamp` as the client wrote it; None
            for a header.
    """

    credential: Credential
    value: str
    signed_headers: tuple[str, ...]
    timestamp: str
    token: str | None
    expires_s: str | None = None

    @property
    def presigned(self) -> bool:
        """Whether it stands in the query, so that the address alone is enough to call."""
        return self.expires_s is not None


def parse_credential(request: HttpRequest) -> Credential | None:
    """Return the credential of the Authorization header or of a presigned query.

    None if the request is unsigned, or signed in another way or not well formed.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        # As nearly all clients write it; the pattern takes ten times as long.
        if authorization.startswith(_USUAL) and authorization.count(_CREDENTIAL) == 1:
            end = authorization.find(",")
            scope = authorization[len(_USUAL) : end]
            if end > 0 and " " not in scope and scope.isprintable():
                return _parse_scope(scope)
        match = _AUTHORIZATION.match(authorization)
        return _parse_scope(match[1]) if match else None
    match = _IN_QUERY.search(request.query) if request.query else None
    return _parse_scope(unquote(match[1])) if match else None


def claim_of(authorization: str) -> str | None:
    """Return the beginning of an Authorization header where that alone says whose it is.

    Then :func:`parse_credential` finds the same in whatever begins so. None: all of it counts.
    """
    beginning, _, rest = authorization.partition(",")
    return beginning if beginning.startswith(_USUAL) and _CREDENTIAL not in rest else None


def session_token(request: HttpRequest) -> str | None:
    """Return the session token that a request brings, whether it is signed or not."""
    token = request.headers.get("x-amz-security-token")
    if token is None and "X-Amz-Security-Token=" in request.query:
        token = _query_parts(request.query).get("Security-Token")
    return token


def read_signature(request: HttpRequest) -> Signature:
    """Return the signature of the Authorization header, else of a presigned query.

    Raises:
        SignatureRefused: there is none, or a part of it is missing.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _of_header(request, authorization)
    if _SIGNED_QUERY in request.query or "X-Amz-Credential=" in request.query:
        return _of_query(request)
    raise SignatureRefused(Fault.MISSING)


def _of_header(request: HttpRequest, authorization: str) -> Signature:
    algorithm, *parts = _SEPARATORS.split(authorization.strip())
    if algorithm != ALGORITHM:
        raise SignatureRefused(Fault.INCOMPLETE, f"Unsupported AWS 'algorithm': '{algorithm[:64]}'")
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        found[name] = value
    lacking = [
        f"Authorization header requires '{name}' parameter."
        for name in _HEADER_PARTS
        if not found.get(name)
    ]
    date = _date_of(request.headers)
    if date is None:
        lacking.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if lacking or date is None:
        raise SignatureRefused(Fault.INCOMPLETE, " ".join([*lacking, _hashed(authorization)]))
    return Signature(
        credential=_scoped(found["Credential"]),
        value=found["Signature"],
        signed_headers=tuple(found["SignedHeaders"].lower().split(";")),
        timestamp=date,
        token=request.headers.get("x-amz-security-token"),
    )


def _of_query(request: HttpRequest) -> Signature:
    found = _query_parts(request.query)
    lacking = [
        f"AWS query-string parameters must include 'X-Amz-{name}'."
        for name in _QUERY_PARTS
        if not found.get(name)
    ]
    if lacking:
        raise SignatureRefused(Fault.INCOMPLETE, " ".join(lacking))
    if found["Algorithm"] != ALGORITHM:
        text = f"Unsupported AWS 'algorithm': '{found['Algorithm'][:64]}'"
        raise SignatureRefused(Fault.INCOMPLETE, text)
    token = request.headers.get("x-amz-security-token")
    return Signature(
        credential=_scoped(found["Credential"]),
        value=found["Signature"],
        signed_headers=tuple(found["SignedHeaders"].lower().split(";")),
        timestamp=found["Date"],
        token=found.get("Security-Token", token),
        expires_s=found["Expires"],
    )


def _query_parts(query: str) -> Mapping[str, str]:
    """Return `X-Amz-` parameters by what follows that; of a repeated one the first."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        if pair.startswith("X-Amz-"):
            name, _, value = pair[6:].partition("=")
            found.setdefault(name, unquote(value))
    return found


def _date_of(headers: Mapping[str, str]) -> str | None:
    date = headers.get("x-amz-date") or headers.get("date")
    if date is None or date.endswith("Z"):
        return date
    try:
        return f"{parsedate_to_datetime(date):%Y%m%dT%H%M%SZ}"
    except (TypeError, ValueError):
        return date


def _scoped(text: str) -> Credential:
    credential = _parse_scope(text)
    if credential is None:
        raise SignatureRefused(
            Fault.INCOMPLETE,
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{text[:_MAX_CREDENTIAL]}'",
        )
    return credential


def _hashed(authorization: str) -> str:
    digest = base64.b64encode(hashlib.sha256(authorization.encode("latin-1", "replace")).digest())
    return f"(Hashed with SHA-256 and encoded with Base64) Authorization={digest.decode()}"


def _parse_scope(credential: str) -> Credential | None:
    return None if len(credential) > _MAX_CREDENTIAL else _cached_scope(credential)


@lru_cache(maxsize=1_024)
def _cached_scope(credential: str) -> Credential | None:
    match = _SCOPE.fullmatch(credential)
    if match is None:
        return None
    return Credential(access_key=match[1], date=match[2], region=match[3], service=match[4])
