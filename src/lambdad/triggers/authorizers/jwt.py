"""JSON Web Tokens: whether one holds, and what it claims.

Decides as the API Gateway developer guide says of JWT authorizers: key, issuer, audience, times and
scopes. Keys are those that the issuer publishes (OpenID Connect discovery), remembered for a while.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambdad.domain.clock import Clock
from lambdad.protocol.http import HttpRequest
from lambdad.triggers.outgoing import Unreachable, Web

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

_LOGGER = logging.getLogger(__name__)

_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_LEEWAY_S = 10
_KEYS_LAST_S = 3600.0
# Somebody who makes up key ids must not make us ask the issuer each time.
_ASK_AGAIN_S = 30.0
_RETRY_S = 5.0
_ISSUERS_MAX = 1_000
_TIMEOUT_S = 5.0
_DOCUMENT_MAX = 512 * 1024
_TOKEN_MAX = 16 * 1024


class TokenRefused(Exception):
    """A token does not hold.

    Attributes:
        scopes: those of which it needs one, if it is good but lacks them all.
    """

    def __init__(self, reason: str, scopes: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.scopes = tuple(scopes)


@dataclass(slots=True)
class _Issuer:
    """What an issuer published. Mutable: renewed under its lock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: KeySet | None = None
    asked_s: float = -math.inf


class IssuerKeys:
    """The public keys of issuers. Mutable: what was fetched, by issuer."""

    def __init__(self, web: Web, clock: Clock) -> None:
        self._web = web
        self._clock = clock
        self._issuers: dict[str, _Issuer] = {}

    async def find(self, issuer: str, key_id: str | None) -> Any:
        """Return the key of an id, or the only key there is for a token that names none.

        Raises:
            TokenRefused: the issuer has no such key, or cannot be asked.
        """
        found = _chosen(await self._keys(issuer, _KEYS_LAST_S), key_id)
        if found is None:
            # It may have been published since.
            found = _chosen(await self._keys(issuer, _ASK_AGAIN_S), key_id)
        if found is None:
            raise TokenRefused("the issuer has no such key")
        return found

    async def _keys(self, issuer: str, age_s: float) -> KeySet:
        known = self._issuers.get(issuer)
        if known is None:
            while len(self._issuers) >= _ISSUERS_MAX:
                del self._issuers[next(iter(self._issuers))]
            known = self._issuers[issuer] = _Issuer()
        async with known.lock:
            age = self._clock.monotonic() - known.asked_s
            if age > (_RETRY_S if known.keys is None else age_s):
                known.asked_s = self._clock.monotonic()
                try:
                    known.keys = await self._fetch(issuer)
                except TokenRefused as refused:
                    _LOGGER.warning("%s: %s: %s", issuer, refused, refused.__cause__)
            if known.keys is None:
                raise TokenRefused("the issuer's keys are not known")
            return known.keys

    async def _fetch(self, issuer: str) -> KeySet:
        # Imported once somebody has an authorizer: cryptography is large.
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import KeySet  # noqa: PLC0415

        described = await self._document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        published = await self._document(str(described.get("jwks_uri")))
        keys = published.get("keys")
        if not isinstance(keys, list):
            raise TokenRefused("the issuer publishes no keys")
        usable = [each for each in keys if isinstance(each, dict) and each.get("kty") != "oct"]
        try:
            return KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise TokenRefused("the issuer's keys cannot be read") from error

    async def _document(self, url: str) -> Mapping[str, Any]:
        request = HttpRequest(method="GET", path="/", headers={"accept": "application/json"})
        try:
            answer = await self._web.send(request, url, timeout_s=_TIMEOUT_S)
            document = json.loads(answer.body) if len(answer.body) <= _DOCUMENT_MAX else None
        except (TimeoutError, Unreachable, ValueError, RecursionError) as error:
            raise TokenRefused("the issuer cannot be asked") from error
        if answer.status != 200 or not isinstance(document, dict):
            raise TokenRefused("the issuer does not answer as OpenID Connect has it")
        return document


def _chosen(keys: KeySet, key_id: str | None) -> Any:
    found = [key for key in keys.keys if key_id is None or key.kid == key_id]
    return found[0] if len(found) == 1 or (found and key_id is not None) else None


async def claims_of(
    token: str, configuration: Mapping[str, Any], keys: IssuerKeys, *, now_s: float
) -> Mapping[str, Any]:
    """Return what a token claims; `configuration` has members `Issuer` and `Audience`.

    With `AnyAudience` tokens for anybody are good: user pools of REST APIs have it so.

    Raises:
        TokenRefused: it does not hold.
    """
    from joserfc import jwt  # noqa: PLC0415 - as above
    from joserfc.errors import JoseError  # noqa: PLC0415

    if len(token) > _TOKEN_MAX:
        raise TokenRefused("the token is too large")
    issuer = str(configuration["Issuer"])
    audience = None if configuration.get("AnyAudience") else configuration.get("Audience") or ()
    key = await keys.find(issuer, _key_id(token))
    try:
        claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("the token's signature is not valid") from error
    _check_claims(claims, issuer, audience, now_s)
    return claims


def _key_id(token: str) -> str | None:
    from joserfc.errors import JoseError  # noqa: PLC0415 - as above
    from joserfc.jws import extract_compact  # noqa: PLC0415

    try:
        header = extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("the token is malformed") from error
    if header.get("alg") not in _ALGORITHMS:
        raise TokenRefused("the token's algorithm is not served")
    key_id = header.get("kid")
    return None if key_id is None else str(key_id)


def _check_claims(
    claims: Mapping[str, Any], issuer: str, audience: Sequence[str] | None, now_s: float
) -> None:
    if claims.get("iss") != issuer:
        raise TokenRefused("the token is of another issuer")
    given = claims.get("aud", claims.get("client_id"))
    named = given if isinstance(given, list) else [given]
    if audience is not None and not any(each in audience for each in named):
        raise TokenRefused("the token is for another audience")
    if not _time(claims, "exp", required=True) + _LEEWAY_S > now_s:
        raise TokenRefused("the token has expired")
    for name in ("nbf", "iat"):
        if _time(claims, name, required=False) - _LEEWAY_S > now_s:
            raise TokenRefused("the token is not valid yet")


def _time(claims: Mapping[str, Any], name: str, *, required: bool) -> float:
    given = claims.get(name)
    if given is None and not required:
        return 0.0
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TokenRefused(f"the token's {name} is no time")
    return float(given)


def check_scopes(claims: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """See that the token has one of the scopes that a route asks for, if it asks for any.

    Raises:
        TokenRefused: it has none of them.
    """
    if wanted and not set(wanted) & set(_scopes(claims)):
        raise TokenRefused("the token has none of the scopes", wanted)


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    given = claims.get("scope", claims.get("scp"))
    if isinstance(given, list):
        return [str(each) for each in given]
    return given.split() if isinstance(given, str) else []


def event_claims(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return claims as events have them: texts, lists as `[a b]`."""
    return {name: _claim_text(value) for name, value in claims.items()}


def _claim_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(_claim_text(each) for each in value)}]"
    return json.dumps(value, separators=(",", ":"))
