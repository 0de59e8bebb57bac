"""Answers of Lambda authorizers, and how long they are good."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdad.authz.policies import Decision
from lambdad.testing.clock import FakeClock
from lambdad.triggers.authorizers.lambda_results import InvalidResult, ResultCache, parse_result

ARN = "arn:aws:execute-api:us-east-1:123456789012:abcdefghij/dev/GET/items/1:2"


def an_answer(*statements: dict[str, Any], **members: Any) -> bytes:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return json.dumps({"principalId": "me", "policyDocument": document, **members}).encode()


def a_statement(effect: str, resource: object, **members: Any) -> dict[str, Any]:
    return {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource, **members}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([a_statement("Allow", "*")], Decision.ALLOWED),
        ([a_statement("Allow", [ARN])], Decision.ALLOWED),
        ([a_statement("Allow", "arn:aws:execute-api:*/dev/GET/items/*")], Decision.ALLOWED),
        ([a_statement("Allow", "arn:aws:execute-api:*/dev/POST/*")], Decision.SILENT),
        ([a_statement("Allow", "*"), a_statement("Deny", ARN)], Decision.DENIED),
        ([a_statement("Allow", "*", Action="EXECUTE-API:*")], Decision.ALLOWED),
        ([a_statement("Allow", "*", Action="s3:*")], Decision.SILENT),
        (
            [
                a_statement(
                    "Allow", "*", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
                )
            ],
            Decision.SILENT,
        ),
    ],
)
def test_a_policy_decides(statements: list[dict[str, Any]], expected: Decision) -> None:
    result = parse_result(an_answer(*statements))
    assert result.decide(ARN, {"aws:SourceIp": "127.0.0.1"}) is expected


def test_an_answer_says_who_and_what_else() -> None:
    result = parse_result(
        an_answer(a_statement("Allow", "*"), context={"n": 1}, usageIdentifierKey="key")
    )
    assert (result.principal_id, result.context, result.usage_key) == ("me", {"n": 1}, "key")


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"no",
        b"{}",
        b'{"principalId":"me"}',
        an_answer({"Effect": "Allow", "Action": "*"}),
        an_answer({"Effect": "Maybe", "Action": "*", "Resource": "*"}),
        an_answer(a_statement("Allow", "*"), context={"deep": {}}),
        an_answer(a_statement("Allow", "*"), principalId=None),
    ],
)
def test_other_answers_are_invalid(payload: bytes) -> None:
    with pytest.raises(InvalidResult):
        parse_result(payload)


def test_an_answer_is_kept_for_its_time() -> None:
    clock = FakeClock()
    cache = ResultCache[str](clock)
    cache.put("key", "value", 300)
    cache.put("never", "value", 0)
    clock.advance(299)
    assert (cache.get("key"), cache.get("never")) == ("value", None)
    clock.advance(1)
    assert cache.get("key") is None
