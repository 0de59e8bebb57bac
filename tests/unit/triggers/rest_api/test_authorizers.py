"""Lambda authorizers of REST APIs: when they are asked, and what their answers do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from lambdad.authz.authentication import Authenticator
from lambdad.controlplane.references import Target
from lambdad.domain.invocations import InvocationResult
from lambdad.testing.clock import FakeClock
from lambdad.triggers.authorizers.jwt import IssuerKeys
from lambdad.triggers.rest_api.authorization import Authorization
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.functions import ApiFunctions
from lambdad.triggers.rest_api.gateway_responses import Refused

MakeCall = Callable[..., Call]
ARN = "arn:aws:lambda:us-east-1:123456789012:function:who"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{ARN}/invocations"
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
