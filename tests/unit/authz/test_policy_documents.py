"""Statements and policies in AWS's form."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.authz.policies import Document
from lambdad.authz.policy_checks import is_public, parse_document
from lambdad.authz.policy_documents import (
    Grant,
    check_length,
    statement_of,
    text_of,
    with_statement,
    without_statement,
)
from lambdad.domain.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    ResourceConflictException,
    ResourceNotFoundException,
)

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def a_grant(**members: Any) -> Grant:
    values = {
        "statement_id": "s",
        "action": "lambda:InvokeFunction",
        "principal": "s3.amazonaws.com",
        **members,
    }
    return Grant(**values)


def a_policy(**members: Any) -> str:
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        **members,
    }
    return json.dumps(
        {"Statement": {name: value for name, value in statement.items() if value is not None}}
    )


@pytest.mark.parametrize(
    ("principal", "element"),
    [
        ("*", "*"),
        ("111122223333", {"AWS": "arn:aws:iam::111122223333:root"}),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        ("logs.us-east-1.amazonaws.com", {"Service": "logs.us-east-1.amazonaws.com"}),
        (
            "arn:aws:iam::111122223333:role/path/r",
            {"AWS": "arn:aws:iam::111122223333:role/path/r"},
        ),
        ("arn:aws:iam::111122223333:root", {"AWS": "arn:aws:iam::111122223333:root"}),
    ],
)
def test_principals_take_the_form_of_their_kind(principal: str, element: Any) -> None:
    assert statement_of(a_grant(principal=principal), ARN) == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": element,
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
    }


@pytest.mark.parametrize(
    "principal",
    [
        "s3",
        "invalid.nonaws.com",
        "amazonaws.com",
        "11112222333",
        "arn:aws:s3:::b",
        "",
        "*.*",
        "arn:aws:iam::111122223333:user/*",
    ],
)
def test_other_principals_are_refused(principal: str) -> None:
    with pytest.raises(InvalidParameterValueException) as refusal:
        statement_of(a_grant(principal=principal), ARN)
    assert refusal.value.message == (
        "The provided principal was invalid. Please check the principal and try again."
    )


def test_conditions_stand_under_their_operators_in_awss_order() -> None:
    statement = statement_of(
        a_grant(
            source_arn="arn:aws:s3:::b",
            source_account="111122223333",
            organization_id="o-abcdefghij",
            event_source_token="t",
            url_auth_type="NONE",
            via_function_url=True,
        ),
        ARN,
    )
    assert text_of(statement["Condition"]) == (
        '{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE",'
        '"AWS:SourceAccount":"111122223333","lambda:EventSourceToken":"t",'
        '"aws:PrincipalOrgID":"o-abcdefghij"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"},'
        '"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}'
    )


def test_a_policy_begins_with_its_first_statement_and_ends_with_its_last() -> None:
    first = statement_of(a_grant(), ARN)
    second = statement_of(a_grant(statement_id="t"), ARN)
    policy = with_statement(with_statement(None, first), second)
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [first, second]}
    left = without_statement(policy, "s")
    assert left == {"Version": "2012-10-17", "Id": "default", "Statement": [second]}
    assert without_statement(left, "t") is None


def test_statement_ids_are_unique() -> None:
    policy = with_statement(None, statement_of(a_grant(), ARN))
    with pytest.raises(ResourceConflictException, match=r"The statement id \(s\) provided already"):
        with_statement(policy, statement_of(a_grant(action="lambda:GetFunction"), ARN))


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (None, "No policy is associated with the given resource."),
        ({"Statement": [{"Sid": "s"}]}, "Statement t is not found in resource policy."),
    ],
)
def test_only_what_is_there_can_be_removed(policy: Document | None, text: str) -> None:
    with pytest.raises(ResourceNotFoundException) as refusal:
        without_statement(policy, "t")
    assert refusal.value.message == text


def test_a_policy_of_20480_bytes_is_kept_and_one_byte_more_is_too_long() -> None:
    empty = len(text_of({"Id": ""}).encode())
    check_length({"Id": "x" * (20_480 - empty)})
    with pytest.raises(PolicyLengthExceededException) as refusal:
        check_length({"Id": "x" * (20_481 - empty)})
    assert (
        refusal.value.message == "The final policy size (20481) is bigger than the limit (20480)."
    )


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"Sid": None},
        {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": "111122223333"}},
        {"Action": ["lambda:Get*", "lambda:InvokeFunction"]},
        {"Resource": f"{ARN}:*"},
        {"Resource": [ARN, f"{ARN}:live"]},
        {"Resource": "*"},
        {"Principal": {"AWS": ["111122223333"], "Service": "s3.amazonaws.com"}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}},
    ],
)
def test_policies_that_can_be_obeyed_are_taken_as_written(members: dict[str, Any]) -> None:
    text = a_policy(**members)
    assert parse_document(text, ARN) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "it is not JSON"),
        ('{"Statement": NaN}', "it is not JSON"),
        ('{"Statement": 1e999}', "it is not JSON"),
        ("[" * 15_000, "it is not JSON"),
        ("[]", "an object of Version, Id and Statement"),
        ('{"Statements": []}', "an object of Version, Id and Statement"),
        ('{"Version": "2020-01-01", "Statement": []}', "Version must be one of"),
        ('{"Id": 1, "Statement": []}', "Id must be a string"),
        ("{}", "a statement is needed"),
        ('{"Statement": ["s"]}', "each statement must be an object"),
        (a_policy(Effekt="Allow"), "no element Effekt"),
        (a_policy(Effect="allow"), "Effect must be"),
        (a_policy(Sid=1), "Sid must be a string"),
        (a_policy(Principal=None), "one of Principal and NotPrincipal"),
        (a_policy(NotAction="*"), "one of Action and NotAction"),
        (a_policy(Resource=None), "one of Resource and NotResource"),
        (a_policy(Principal=None, NotPrincipal="*"), "NotPrincipal cannot be used with Allow"),
        (a_policy(Principal="111122223333"), "Principal must be"),
        (a_policy(Principal={}), "Principal must be"),
        (a_policy(Principal={"Federated": "x"}), "Principal must be"),
        (a_policy(Principal={"AWS": []}), "Principal must be"),
        (a_policy(Principal={"AWS": "arn:aws:iam::1:root"}), "Principal must be"),
        (a_policy(Principal={"Service": "example.com"}), "Principal must be"),
        (a_policy(Action="s3:GetObject"), "s3:GetObject is no action"),
        (a_policy(Action=[]), "an action is needed"),
        (a_policy(Resource=ARN + "g"), "Resource"),
        (a_policy(Resource=[]), "a resource is needed"),
        (a_policy(Resource=[{"a": 1}]), "Resource"),
        (a_policy(Condition={"Same": {"k": "v"}}), "Same is not supported"),
        (
            '{"Statement": [%s, %s]}' % ((json.dumps(json.loads(a_policy())["Statement"]),) * 2),
            "statement ids must be unique",
        ),
    ],
)
def test_policies_that_are_none_are_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(InvalidParameterValueException) as refusal:
        parse_document(text, ARN)
    assert refusal.value.message.startswith("The provided policy is invalid: ")
    assert told in refusal.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Statement",
                    "Effect",
                    "Principal",
                    "Action",
                    "Resource",
                    "Condition",
                    "AWS",
                    "Bool",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(document=JSON)
def test_no_json_makes_more_than_a_refusal(document: Any) -> None:
    with contextlib.suppress(InvalidParameterValueException):
        parse_document(json.dumps(document), ARN)


@pytest.mark.parametrize(
    ("members", "public"),
    [
        ({}, False),
        ({"Action": "lambda:InvokeFunctionUrl"}, False),
        ({"Action": "lambda:*"}, True),
        ({"Action": ["lambda:InvokeFunction", "lambda:DeleteFunction"]}, True),
        ({"Action": "lambda:Invoke*"}, True),
        ({"Action": None, "NotAction": "lambda:DeleteFunction"}, True),
        ({"Action": "*", "Principal": {"AWS": "*"}}, True),
        ({"Action": "*", "Principal": {"AWS": "111122223333"}}, False),
        ({"Action": "*", "Effect": "Deny"}, False),
        ({"Action": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
        ({"Action": "*", "Condition": {"StringLike": {"aws:PrincipalOrgID": "*"}}}, True),
        ({"Action": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}, True),
        ({"Action": "*", "Condition": {"StringEquals": {"aws:UserAgent": "x"}}}, True),
        (
            {"Action": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}},
            True,
        ),
    ],
)
def test_public_is_what_lets_everybody_do_more_than_invoke(
    members: dict[str, Any], public: bool
) -> None:
    assert is_public(json.loads(a_policy(**members))["Statement"]) is public
