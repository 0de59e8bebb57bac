"""Whether an AWS Signature Version 4 is right: made with the secret, of this request, lately.

Sans I/O: the secret and the time are given. Whose secret it is, and what its owner may do, is not
decided here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from functools import lru_cache

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import ALGORITHM, Signature
from lambdad.protocol.sigv4_canonical import canonical_requests
from lambdad.protocol.sigv4_refusals import MISMATCH_TEXT, Fault, SignatureRefused

SKEW_S = 15 * 60
EXPIRES_MAX_S = 7 * 24 * 3600
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-"

# Services that encode the path once and take a payload whose hash was not signed.
S3_SERVICES = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})

_CONTENT_HASH = "x-amz-content-sha256"
_TIMESTAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)


def verify(request: HttpRequest, signature: Signature, secret: str, *, now_s: float) -> None:
    """Check a signature made with `secret`; `now_s` is the time in seconds since the epoch.

    Of a chunked payload (`STREAMING-*`) the chunks are checked by `aws_chunked`.

    Raises:
        SignatureRefused: it is not right, too old, or leaves out what must be signed.
    """
    check_claims(request, signature, now_s=now_s)
    service = signature.credential.service
    payload_hash = _payload_hash(request, signature)
    key = signing_key(secret, signature)
    head = f"{ALGORITHM}\n{signature.timestamp}\n{signature.credential.scope}\n"
    given = signature.value.encode("latin-1", "replace")
    canonical = b""
    for canonical in canonical_requests(
        request,
        signature.signed_headers,
        payload_hash,
        single_encoding=service in S3_SERVICES,
    ):
        to_sign = head + hashlib.sha256(canonical).hexdigest()
        own = hmac.digest(key, to_sign.encode(), "sha256").hex().encode()
        if hmac.compare_digest(own, given):
            return
    raise SignatureRefused(Fault.MISMATCH, _explanation(service, canonical, head))


def check_claims(request: HttpRequest, signature: Signature, *, now_s: float) -> None:
    """Check what needs no secret: the time, and that all is signed that must be.

    Raises:
        SignatureRefused: it is too old, or leaves something out.
    """
    _check_time(signature, now_s)
    _check_headers(request, signature)


def signing_key(secret: str, signature: Signature) -> bytes:
    """Return the key that a secret gives for the day, region and service of a signature."""
    credential = signature.credential
    return _derived(secret, credential.date, credential.region, credential.service)


@lru_cache(maxsize=1_024)
def _derived(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _payload_hash(request: HttpRequest, signature: Signature) -> str:
    """Return the hash that the signature must cover; only S3 takes the client's word for it."""
    if signature.credential.service not in S3_SERVICES:
        return hashlib.sha256(request.body).hexdigest()
    claimed = request.headers.get(_CONTENT_HASH)
    if claimed is None and signature.presigned:
        return UNSIGNED_PAYLOAD
    if claimed is not None and (claimed == UNSIGNED_PAYLOAD or claimed.startswith(STREAMING)):
        return claimed
    uploaded = request.upload
    own = uploaded.sha256 if uploaded is not None else hashlib.sha256(request.body).hexdigest()
    if claimed is not None and claimed.lower() != own:
        raise SignatureRefused(Fault.PAYLOAD)
    return claimed or own


def _check_headers(request: HttpRequest, signature: Signature) -> None:
    """What decides about the request must be signed: its host and every `x-amz-` header."""
    signed = signature.signed_headers
    if "host" not in signed:
        text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        raise SignatureRefused(Fault.MISMATCH, text)
    for name in request.headers:
        if name.startswith("x-amz-") and name not in signed:
            is_s3 = signature.credential.service in S3_SERVICES
            text = f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
            raise SignatureRefused(Fault.NOT_SIGNED_HEADER, None if is_s3 else text)


def _check_time(signature: Signature, now_s: float) -> None:
    signed_s = _seconds(signature.timestamp)
    if signed_s is None:
        text = (
            "Date must be in ISO-8601 'basic format'. Got "
            f"'{signature.timestamp[:64]}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
        raise SignatureRefused(Fault.INCOMPLETE, text)
    if signature.credential.date != signature.timestamp[:8]:
        raise SignatureRefused(
            Fault.SCOPE,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{signature.credential.date}' != '{signature.timestamp[:8]}', from "
            f"'{signature.timestamp}'.",
        )
    is_s3 = signature.credential.service in S3_SERVICES
    age_s = int(now_s) - signed_s
    lasts_s = SKEW_S if signature.expires_s is None else _lifetime(signature.expires_s)
    if -SKEW_S <= age_s <= lasts_s:
        return
    now = _timestamp(now_s)
    if age_s < 0:
        text = (
            f"Signature not yet current: {signature.timestamp} is still later than "
            f"{_timestamp(now_s + SKEW_S)} ({now} + {SKEW_S // 60} min.)"
        )
    elif signature.presigned:
        raise SignatureRefused(
            Fault.URL_EXPIRED,
            None
            if is_s3
            else f"Signature expired: {_timestamp(signed_s + lasts_s)} is now earlier than {now}",
        )
    else:
        text = (
            f"Signature expired: {signature.timestamp} is now earlier than "
            f"{_timestamp(now_s - SKEW_S)} ({now} - {SKEW_S // 60} min.)"
        )
    raise SignatureRefused(Fault.OUT_OF_TIME, None if is_s3 else text)


def _lifetime(expires_s: str) -> int:
    if not (expires_s.isascii() and expires_s.isdigit() and len(expires_s) < 8):
        raise SignatureRefused(Fault.INCOMPLETE, "X-Amz-Expires should be a number")
    if not 1 <= int(expires_s) <= EXPIRES_MAX_S:
        raise SignatureRefused(
            Fault.INCOMPLETE,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            f"X-Amz-Expires must be less than {EXPIRES_MAX_S} seconds",
        )
    return int(expires_s)


@lru_cache(maxsize=256)
def _seconds(timestamp: str) -> int | None:
    match = _TIMESTAMP.fullmatch(timestamp)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _timestamp(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(int(moment_s), UTC):%Y%m%dT%H%M%SZ}"


def _explanation(service: str, canonical: bytes, head: str) -> str | None:
    """Tell what should have been signed, as AWS does but for S3."""
    if service in S3_SERVICES:
        return None
    to_sign = head + hashlib.sha256(canonical).hexdigest()
    return (
        f"{MISMATCH_TEXT}\n\nThe Canonical String for this request should have been\n"
        f"'{canonical.decode('latin-1')}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
    )
