"""What resource policies allow and deny."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.authz.policies import (
    ANONYMOUS,
    Decision,
    Principal,
    Request,
    account_root,
    evaluate,
)

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
OTHER = "222222222222"


def statement(**members: Any) -> dict[str, Any]:
    return {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        **members,
    }


def decided(
    *statements: dict[str, Any],
    principal: Principal | None = None,
    action: str = "lambda:InvokeFunction",
    resource: str = ARN,
    context: dict[str, str] | None = None,
) -> Decision:
    request = Request(
        principal=principal or account_root(OTHER),
        action=action,
        resource=resource,
        context=context or {},
    )
    return evaluate([{"Statement": [statement]} for statement in statements], request)


@pytest.mark.parametrize(
    ("element", "principal", "named"),
    [
        ("*", account_root(OTHER), True),
        ("*", ANONYMOUS, True),
        ({"AWS": "*"}, ANONYMOUS, True),
        ({"AWS": f"arn:aws:iam::{OTHER}:root"}, account_root(OTHER), True),
        ({"AWS": OTHER}, account_root(OTHER), True),
        ({"AWS": ["111111111111", OTHER]}, account_root(OTHER), True),
        (
            {"AWS": f"arn:aws:iam::{OTHER}:root"},
            Principal(arn=f"arn:aws:iam::{OTHER}:user/u"),
            True,
        ),
        (
            {"AWS": f"arn:aws:iam::{OTHER}:user/u"},
            Principal(arn=f"arn:aws:iam::{OTHER}:user/u"),
            True,
        ),
        ({"AWS": f"arn:aws:iam::{OTHER}:user/u"}, account_root(OTHER), False),
        (
            {"AWS": f"arn:aws:iam::{OTHER}:user/*"},
            Principal(arn=f"arn:aws:iam::{OTHER}:user/u"),
            False,
        ),
        ({"AWS": "arn:aws:iam::111111111111:root"}, account_root(OTHER), False),
        ({"AWS": OTHER}, ANONYMOUS, False),
        ({"Service": "s3.amazonaws.com"}, Principal(service="s3.amazonaws.com"), True),
        ({"Service": "s3.amazonaws.com"}, Principal(service="sns.amazonaws.com"), False),
        ({"Service": "s3.amazonaws.com"}, account_root(OTHER), False),
        (
            {"AWS": OTHER, "Service": "s3.amazonaws.com"},
            Principal(service="s3.amazonaws.com"),
            True,
        ),
    ],
)
def test_a_statement_is_for_whom_it_names(element: Any, principal: Principal, named: bool) -> None:
    expected = Decision.ALLOWED if named else Decision.SILENT
    assert decided(statement(Principal=element), principal=principal) is expected
    denial = statement(Effect="Deny", NotPrincipal=element)
    del denial["Principal"]
    expected = Decision.SILENT if named else Decision.DENIED
    assert decided(denial, principal=principal) is expected


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("lambda:InvokeFunction", True),
        ("LAMBDA:invokefunction", True),
        ("lambda:*", True),
        ("*", True),
        (["lambda:GetFunction", "lambda:Invoke*"], True),
        ("lambda:InvokeFunctionUrl", False),
        ("lambda:Invoke", False),
        ("s3:*", False),
    ],
)
def test_a_statement_is_about_the_actions_it_names(pattern: Any, allowed: bool) -> None:
    expected = Decision.ALLOWED if allowed else Decision.SILENT
    assert decided(statement(Action=pattern)) is expected
    other = statement(NotAction=pattern)
    del other["Action"]
    assert decided(other) is (Decision.SILENT if allowed else Decision.ALLOWED)


@pytest.mark.parametrize(
    ("pattern", "resource", "allowed"),
    [
        (ARN, ARN, True),
        (ARN, f"{ARN}:1", False),
        (f"{ARN}:1", f"{ARN}:1", True),
        (f"{ARN}:1", ARN, False),
        (f"{ARN}:*", f"{ARN}:live", True),
        (f"{ARN}*", ARN, True),
        ("*", f"{ARN}:live", True),
        ("arn:aws:lambda:*:*:function:f", ARN, True),
        ("arn:aws:lambda:*:function:f", ARN, False),
        (f"{ARN}?", f"{ARN}g", True),
    ],
)
def test_a_statement_is_about_the_resources_it_names(
    pattern: str, resource: str, allowed: bool
) -> None:
    expected = Decision.ALLOWED if allowed else Decision.SILENT
    assert decided(statement(Resource=pattern), resource=resource) is expected


def test_one_denial_outweighs_all_that_allow() -> None:
    denial = statement(Effect="Deny", Action="lambda:*")
    assert decided(statement(), denial, statement()) is Decision.DENIED
    assert decided(denial, statement()) is Decision.DENIED


def test_without_statements_policies_are_silent() -> None:
    assert decided() is Decision.SILENT
    assert evaluate([{}], Request(principal=ANONYMOUS, action="a", resource=ARN)) is Decision.SILENT


def test_a_single_statement_need_not_be_in_a_list() -> None:
    request = Request(principal=account_root(OTHER), action="lambda:InvokeFunction", resource=ARN)
    assert evaluate([{"Statement": statement()}], request) is Decision.ALLOWED


def test_a_principals_own_account_and_arn_are_condition_keys() -> None:
    own = {
        "StringEquals": {"AWS:PrincipalAccount": OTHER, "aws:principalarn": account_root(OTHER).arn}
    }
    assert decided(statement(Condition=own)) is Decision.ALLOWED
    service = Principal(service="s3.amazonaws.com")
    assert decided(statement(Condition=own), principal=service) is Decision.SILENT


def test_a_callers_context_cannot_say_who_it_is() -> None:
    condition = {"StringEquals": {"aws:PrincipalAccount": "111111111111"}}
    context = {"aws:PrincipalAccount": "111111111111"}
    assert decided(statement(Condition=condition), context=context) is Decision.SILENT


STATEMENTS = st.builds(
    statement,
    Effect=st.sampled_from(["Allow", "Deny"]),
    Principal=st.sampled_from(["*", {"AWS": OTHER}, {"Service": "s3.amazonaws.com"}]),
    Action=st.sampled_from(["*", "lambda:*", "lambda:InvokeFunction", ["lambda:GetFunction"]]),
    Resource=st.sampled_from(["*", ARN, f"{ARN}:*", [f"{ARN}:1", ARN]]),
    Condition=st.sampled_from(
        [{}, {"StringEquals": {"k": ["a", "b"]}}, {"StringNotEquals": {"k": "a"}}]
    ),
)
REQUESTS = st.fixed_dictionaries(
    {
        "principal": st.sampled_from(
            [
                account_root(OTHER),
                account_root("1" * 12),
                ANONYMOUS,
                Principal(service="s3.amazonaws.com"),
            ]
        ),
        "action": st.sampled_from(["lambda:InvokeFunction", "lambda:GetFunction"]),
        "resource": st.sampled_from([ARN, f"{ARN}:1"]),
        "context": st.sampled_from([{}, {"k": "a"}, {"K": "b"}]),
    }
)


@given(statements=st.lists(STATEMENTS, max_size=6), request=REQUESTS, data=st.data())
def test_the_order_of_statements_and_policies_does_not_matter(
    statements: list[dict[str, Any]], request: dict[str, Any], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(statements))
    together = evaluate([{"Statement": statements}], Request(**request))
    assert decided(*shuffled, **request) is together


@given(statements=st.lists(STATEMENTS, max_size=6), more=STATEMENTS, request=REQUESTS)
def test_another_allowance_never_takes_away_and_another_denial_never_gives(
    statements: list[dict[str, Any]], more: dict[str, Any], request: dict[str, Any]
) -> None:
    before, after = decided(*statements, **request), decided(*statements, more, **request)
    if more["Effect"] == "Allow":
        assert after is before or (before, after) == (Decision.SILENT, Decision.ALLOWED)
    else:
        assert after is before or after is Decision.DENIED


@given(statements=st.lists(STATEMENTS, max_size=6), request=REQUESTS)
def test_what_one_statement_says_alone_decides_what_all_say(
    statements: list[dict[str, Any]], request: dict[str, Any]
) -> None:
    alone = {decided(statement, **request) for statement in statements}
    expected = next(
        (word for word in (Decision.DENIED, Decision.ALLOWED) if word in alone), Decision.SILENT
    )
    assert decided(*statements, **request) is expected
