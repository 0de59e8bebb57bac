"""Lambda authorizers of REST APIs: when they are asked, and what their answers do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from lambdad.authz.authentication import Authenticator
from lambdad.controlplane.references import Target
from lambdad.domain.invocations import InvocationResult
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.testing.clock import FakeClock
from lambdad.triggers.authorizers.jwt import IssuerKeys
from lambdad.triggers.rest_api.authorization import Authorization
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.functions import ApiFunctions
from lambdad.triggers.rest_api.gateway_responses import Refused

MakeCall = Callable[..., Call]
ARN = "arn:aws:lambda:us-east-1:123456789012:function:who"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{ARN}/invocations"
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool"
KEY, OTHER = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))
ALLOW = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}


class Functions:
    """A function that answers what it is told, and notes what it was asked."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Any = {"principalId": "me", "policyDocument": {"Statement": [ALLOW]}}
        self.error: str | None = None

    def check(self, call: Call, target: Target, source_arn: str) -> None:
        assert source_arn.endswith("/authorizers/a")

    async def invoke(
        self, call: Call, target: Target, payload: bytes, **_: Any
    ) -> InvocationResult:
        self.events.append(json.loads(payload))
        return InvocationResult(
            payload=json.dumps(self.answer).encode(),
            executed_version="$LATEST",
            function_error=self.error,
        )


class Publisher:
    """A web that holds the keys of one user pool."""

    async def send(self, request: HttpRequest, url: str, *, timeout_s: float) -> HttpResponse:
        document: Any = {"jwks_uri": f"{ISSUER}/keys"}
        if url == f"{ISSUER}/keys":
            document = KeySet([KEY]).as_dict(private=False)
        return HttpResponse(status=200, body=json.dumps(document).encode())


class Pool:
    """A method that wants tokens of a user pool."""

    def __init__(self, make_call: MakeCall, scopes: list[str] | None = None) -> None:
        self.clock = FakeClock()
        self._make_call = make_call
        self._method = {
            "authorizationType": "COGNITO_USER_POOLS",
            "authorizerId": "a",
            "authorizationScopes": scopes,
        }
        self._gate = Authorization(
            authenticator=cast("Authenticator", None),
            functions=cast("ApiFunctions", None),
            keys=IssuerKeys(Publisher(), self.clock),
            clock=self.clock,
        )

    def token(self, key: RSAKey, **claims: Any) -> str:
        """Return a token that is good for a minute, unless claims say otherwise."""
        own = {"iss": ISSUER, "token_use": "id", "exp": self.clock.time() + 60, **claims}
        return jwt.encode({"alg": "RS256", "kid": "one"}, own, key)

    async def call(self, sent: str) -> Call:
        """Call once with an `Authorization` header."""
        arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_pool"
        pool = {"id": "a", "type": "COGNITO_USER_POOLS", "providerARNs": [arn]}
        call = self._make_call(
            method=self._method,
            parts={"authorizers": {"a": pool}},
            headers={"authorization": sent},
        )
        await self._gate.check(call)
        return call


class Gate:
    """An authorization with one authorizer, and a clock that goes when told."""

    def __init__(self, make_call: MakeCall, **authorizer: Any) -> None:
        self.clock = FakeClock()
        self.functions = Functions()
        self._make_call = make_call
        self._authorizer = {"id": "a", "type": "TOKEN", "authorizerUri": URI, **authorizer}
        self._gate = Authorization(
            authenticator=cast("Authenticator", None),
            functions=cast("ApiFunctions", self.functions),
            keys=cast("IssuerKeys", None),
            clock=self.clock,
        )

    async def call(self, sent: str | None = "who") -> Call:
        """Call once with an `Authorization` header."""
        call = self._make_call(
            method={"authorizationType": "CUSTOM", "authorizerId": "a"},
            parts={"authorizers": {"a": self._authorizer}},
            headers={} if sent is None else {"authorization": sent},
        )
        await self._gate.check(call)
        return call

    async def refusal(self, sent: str | None = "who") -> str:
        """Call once; return the refusal's kind."""
        with pytest.raises(Refused) as caught:
            await self.call(sent)
        return caught.value.kind


async def test_an_answer_is_kept_for_its_time_by_token(make_call: MakeCall) -> None:
    gate = Gate(make_call, authorizerResultTtlInSeconds=60)
    await gate.call()
    gate.clock.advance(59)
    await gate.call()
    assert len(gate.functions.events) == 1
    await gate.call("another")
    assert len(gate.functions.events) == 2
    gate.clock.advance(1)
    await gate.call()
    assert len(gate.functions.events) == 3


async def test_an_answer_is_kept_for_five_minutes_unless_it_is_not_to_be(
    make_call: MakeCall,
) -> None:
    usual, never = Gate(make_call), Gate(make_call, authorizerResultTtlInSeconds=0)
    for gate in (usual, never):
        await gate.call()
        gate.clock.advance(299)
        await gate.call()
    assert (len(usual.functions.events), len(never.functions.events)) == (1, 2)


async def test_the_event_of_a_token_has_the_methods_arn(make_call: MakeCall) -> None:
    gate = Gate(make_call)
    await gate.call("Bearer x")
    assert gate.functions.events == [
        {
            "type": "TOKEN",
            "methodArn": "arn:aws:execute-api:us-east-1:123456789012:abcdefghij/dev/POST/things/7",
            "authorizationToken": "Bearer x",
        }
    ]


async def test_context_reaches_the_integration_as_text(make_call: MakeCall) -> None:
    gate = Gate(make_call)
    gate.functions.answer |= {"context": {"n": 1, "yes": True, "text": "t", "none": None}}
    authorizer = (await gate.call()).authorizer
    assert authorizer == {
        "n": "1",
        "yes": "true",
        "text": "t",
        "none": None,
        "principalId": "me",
        "integrationLatency": 0,
    }


@pytest.mark.parametrize("token", [None, "", "does not match"])
async def test_a_token_that_is_missing_or_malformed_asks_nobody(
    make_call: MakeCall, token: str | None
) -> None:
    gate = Gate(make_call, identityValidationExpression="^[a-z]+$")
    assert await gate.refusal(token) == "UNAUTHORIZED"
    assert gate.functions.events == []


@pytest.mark.parametrize(
    ("answer", "error", "kind"),
    [
        ({"errorMessage": "Unauthorized"}, "Unhandled", "UNAUTHORIZED"),
        ({"errorMessage": "other"}, "Unhandled", "AUTHORIZER_FAILURE"),
        ({"principalId": "me"}, None, "AUTHORIZER_CONFIGURATION_ERROR"),
        (
            {"principalId": "me", "policyDocument": {"Statement": [{**ALLOW, "Effect": "Deny"}]}},
            None,
            "ACCESS_DENIED",
        ),
        (
            {"principalId": "me", "policyDocument": {"Statement": []}},
            None,
            "ACCESS_DENIED",
        ),
    ],
)
async def test_what_a_function_answers_decides(
    make_call: MakeCall, answer: Any, error: str | None, kind: str
) -> None:
    gate = Gate(make_call)
    gate.functions.answer, gate.functions.error = answer, error
    assert await gate.refusal() == kind


@pytest.mark.parametrize("scheme", ["", "Bearer "])
async def test_a_pools_identity_token_lets_its_holder_in(make_call: MakeCall, scheme: str) -> None:
    pool = Pool(make_call)
    token = pool.token(KEY, sub="me", groups=["a", "b"])
    authorizer = (await pool.call(f"{scheme}{token}")).authorizer
    assert authorizer is not None
    assert authorizer["claims"]["sub"] == "me"
    assert authorizer["claims"]["groups"] == "[a b]"


async def test_where_scopes_are_asked_for_access_tokens_with_one_of_them_count(
    make_call: MakeCall,
) -> None:
    pool = Pool(make_call, scopes=["shop/read"])
    await pool.call(pool.token(KEY, token_use="access", scope="shop/read shop/write"))
    for claims in ({"token_use": "access", "scope": "shop/write"}, {"scope": "shop/read"}):
        with pytest.raises(Refused, match="Unauthorized"):
            await pool.call(pool.token(KEY, **claims))


@pytest.mark.parametrize(
    ("key", "claims"),
    [
        (OTHER, {}),
        (KEY, {"exp": 1}),
        (KEY, {"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other"}),
        (KEY, {"token_use": "access"}),
    ],
)
async def test_other_tokens_are_refused(
    make_call: MakeCall, key: RSAKey, claims: dict[str, Any]
) -> None:
    pool = Pool(make_call)
    with pytest.raises(Refused) as caught:
        await pool.call(pool.token(key, **claims))
    assert (caught.value.kind, caught.value.status) == ("UNAUTHORIZED", 401)


async def test_what_is_no_token_is_refused(make_call: MakeCall) -> None:
    with pytest.raises(Refused, match="Unauthorized"):
        await Pool(make_call).call("a.b.c")
