"""Links to the package of a function or a layer: signed, short-lived, plain to GET.

Decides whether a link is genuine; serving the bytes is the server's business.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from lambdad.domain import limits
from lambdad.domain.arns import FunctionKey
from lambdad.domain.layers import LayerKey

PREFIX = "/_lambdad/code/"

_PATH = re.compile(
    re.escape(PREFIX)
    + r"(?P<account>\d{12})/(?P<region>[a-z0-9-]+)/(?P<layer>layers/)?(?P<name>[a-zA-Z0-9-_.]+)"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The package that a genuine link leads to.

    Attributes:
        digest: its key in the package store.
    """

    key: FunctionKey | LayerKey
    digest: str


def sign(
    secret: bytes, *, base_url: str, key: FunctionKey | LayerKey, digest: str, now_s: float
) -> str:
    """Return a link to a package that is valid for ten minutes from `now_s`, epoch seconds."""
    expires = str(int(now_s) + limits.CODE_LOCATION_VALID_S)
    place = "layers/" if isinstance(key, LayerKey) else ""
    path = f"{PREFIX}{key.account_id}/{key.region}/{place}{key.name}"
    query = {
        "digest": digest,
        "expires": expires,
        "signature": _signature(secret, path, digest, expires),
    }
    return f"{base_url}{path}?{urlencode(query)}"


def verify(secret: bytes, *, path: str, query: str, now_s: float) -> Package | None:
    """Return what a link leads to; None when it is forged, malformed or expired."""
    location = _PATH.fullmatch(path)
    try:
        given = parse_qs(query, max_num_fields=8)
    except ValueError:
        return None
    digest, expires, signature = (
        given.get(name, [""])[0] for name in ("digest", "expires", "signature")
    )
    if location is None or not _DIGEST.fullmatch(digest):
        return None
    expected = _signature(secret, path, digest, expires)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        return None
    if int(expires) < now_s:
        return None
    kind = LayerKey if location["layer"] else FunctionKey
    key = kind(account_id=location["account"], region=location["region"], name=location["name"])
    return Package(key=key, digest=digest)


def _signature(secret: bytes, path: str, digest: str, expires: str) -> str:
    text = "\n".join((path, digest, expires)).encode("utf-8", "replace")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()
