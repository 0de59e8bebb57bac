"""Keys of token issuers: asked for when needed, remembered, and never asked for too often."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.testing.clock import FakeClock
from lambdad.triggers.authorizers.jwt import IssuerKeys, TokenRefused, claims_of
from lambdad.triggers.outgoing import Unreachable

ISSUER = "http://issuer.example"
FIRST = RSAKey.generate_key(2048, {"kid": "first"})
SECOND = RSAKey.generate_key(2048, {"kid": "second"})


class Publisher:
    """A web that holds one issuer's documents."""

    def __init__(self, *keys: RSAKey | OctKey) -> None:
        self.asked = 0
        self.down = False
        self.keys: list[Any] = list(keys)

    async def send(self, request: HttpRequest, url: str, *, timeout_s: float) -> HttpResponse:
        if self.down:
            raise Unreachable("no route")
        document: Any = {"jwks_uri": f"{ISSUER}/keys"}
        if url == f"{ISSUER}/keys":
            self.asked += 1
            document = KeySet(self.keys).as_dict(private=False) if self.keys else {"keys": []}
        return HttpResponse(status=200, body=json.dumps(document).encode())


async def test_keys_are_remembered_for_an_hour() -> None:
    clock, web = FakeClock(), Publisher(FIRST)
    keys = IssuerKeys(web, clock)
    for _ in range(3):
        assert (await keys.find(ISSUER, "first")).kid == "first"
    assert web.asked == 1
    clock.advance(3_700)
    await keys.find(ISSUER, "first")
    assert web.asked == 2


async def test_a_key_that_was_published_since_is_found() -> None:
    clock, web = FakeClock(), Publisher(FIRST)
    keys = IssuerKeys(web, clock)
    await keys.find(ISSUER, "first")
    web.keys.append(SECOND)
    with pytest.raises(TokenRefused):
        await keys.find(ISSUER, "second")
    clock.advance(31)
    assert (await keys.find(ISSUER, "second")).kid == "second"


async def test_known_keys_hold_while_the_issuer_is_down() -> None:
    clock, web = FakeClock(), Publisher(FIRST)
    keys = IssuerKeys(web, clock)
    await keys.find(ISSUER, "first")
    web.down = True
    clock.advance(4_000)
    assert (await keys.find(ISSUER, "first")).kid == "first"


async def test_an_issuer_that_is_down_is_not_asked_for_every_token() -> None:
    clock, web = FakeClock(), Publisher(FIRST)
    web.down = True
    keys = IssuerKeys(web, clock)
    with pytest.raises(TokenRefused):
        await keys.find(ISSUER, "first")
    web.down = False
    with pytest.raises(TokenRefused):
        await keys.find(ISSUER, "first")
    clock.advance(6)
    assert (await keys.find(ISSUER, "first")).kid == "first"


async def test_a_shared_secret_signs_nothing() -> None:
    web = Publisher(FIRST)
    secret = OctKey.import_key("published to nobody" * 3)
    claims = {"iss": ISSUER, "aud": "a", "exp": 2_000_000_000}
    token = jwt.encode({"alg": "HS256", "kid": "first"}, claims, secret)
    configuration = {"Issuer": ISSUER, "Audience": ["a"]}
    with pytest.raises(TokenRefused, match="algorithm"):
        await claims_of(token, configuration, IssuerKeys(web, FakeClock()), now_s=1.0)


async def test_a_token_holds_until_it_expires_and_a_little_longer() -> None:
    keys = IssuerKeys(Publisher(FIRST), FakeClock())
    token = jwt.encode(
        {"alg": "RS256"}, {"iss": ISSUER, "client_id": "a", "exp": 1_000, "nbf": 900}, FIRST
    )
    configuration = {"Issuer": ISSUER, "Audience": ["a"]}
    for now_s in (895, 1_000, 1_009):
        assert (await claims_of(token, configuration, keys, now_s=now_s))["exp"] == 1_000
    for now_s in (880, 1_011):
        with pytest.raises(TokenRefused):
            await claims_of(token, configuration, keys, now_s=now_s)
