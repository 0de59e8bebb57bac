"""Aliases, as a client of AWS sees them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
WHO = "def handler(event, context):\n    return context.invoked_function_arn\n"
STALE = (
    412,
    "PreconditionFailedException",
    (
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id"
    ),
)


@pytest.fixture
def published(lonely: Deployer) -> Any:
    """The Lambda client of a user who has a function `hello` with versions 1 and 2."""
    lonely.deploy("hello", WHO)
    lonely.lambda_.publish_version(FunctionName="hello")
    lonely.lambda_.update_function_configuration(FunctionName="hello", Timeout=17)
    lonely.lambda_.get_waiter("function_updated_v2").wait(FunctionName="hello")
    lonely.lambda_.publish_version(FunctionName="hello")
    return lonely.lambda_


@pytest.fixture
def arn(lonely: Deployer) -> str:
    """ARN of the function `hello` of the lonely user."""
    account = lonely.sts.get_caller_identity()["Account"]
    return f"arn:aws:lambda:us-east-1:{account}:function:hello"


def body(answer: dict[str, Any], status: int = 200) -> dict[str, Any]:
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_the_life_of_an_alias(published: Any, arn: str, error_of: ErrorOf) -> None:
    made = body(published.create_alias(FunctionName="hello", Name="live", FunctionVersion="1"), 201)
    assert UUID.fullmatch(made["RevisionId"])
    assert made == {
        "AliasArn": f"{arn}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
        "RevisionId": made["RevisionId"],
    }
    assert body(published.get_alias(FunctionName="hello", Name="live")) == made
    changed = body(
        published.update_alias(
            FunctionName="hello",
            Name="live",
            FunctionVersion="2",
            Description="d",
            RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}},
            RevisionId=made["RevisionId"],
        )
    )
    assert changed == {
        **made,
        "FunctionVersion": "2",
        "Description": "d",
        "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}},
        "RevisionId": changed["RevisionId"],
    }
    assert changed["RevisionId"] != made["RevisionId"]
    assert body(published.get_alias(FunctionName="hello", Name="live")) == changed
    stale = {"FunctionName": "hello", "Name": "live", "RevisionId": made["RevisionId"]}
    assert error_of(published.update_alias, **stale) == STALE
    cleared = body(published.update_alias(FunctionName="hello", Name="live", RoutingConfig={}))
    assert "RoutingConfig" not in cleared
    assert (cleared["FunctionVersion"], cleared["Description"]) == ("2", "d")
    for _ in range(2):  # one that is not there is no error
        assert body(published.delete_alias(FunctionName="hello", Name="live"), 204) == {}
    absent = f"Cannot find alias arn: {arn}:live"
    call = {"FunctionName": "hello", "Name": "live"}
    assert error_of(published.get_alias, **call) == (404, "ResourceNotFoundException", absent)
    assert error_of(published.update_alias, **call) == (
        404,
        "ResourceNotFoundException",
        f"Alias not found: {arn}:live",
    )


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        (
            {"FunctionVersion": "9"},
            (
                404,
                "ResourceNotFoundException",
                "Function not found: {arn}:9",
            ),
        ),
        (
            {
                "FunctionVersion": "1",
                "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "3": 0.1}},
            },
            (
                400,
                "InvalidParameterValueException",
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
        ),
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
            (
                400,
                "InvalidParameterValueException",
                (
                    "Invalid function version 1. Function version 1 is already included in routing "
                    "configuration."
                ),
            ),
        ),
        (
            {
                "FunctionVersion": "$LATEST",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}},
            },
            (
                400,
                "InvalidParameterValueException",
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
        ),
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"9": 0.1}}},
            (
                404,
                "ResourceNotFoundException",
                "Function not found: {arn}:9",
            ),
        ),
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            (
                400,
                "ValidationException",
                (
                    "1 validation error detected: Value '{{2=1.5}}' at "
                    "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map "
                    "value must satisfy constraint: [Member must have value less than or equal to "
                    "1.0, Member must have value greater than or equal to 0.0, Member must not be "
                    "null]"
                ),
            ),
        ),
        (
            {"FunctionVersion": "1", "Name": "17"},
            (
                400,
                "ValidationException",
                (
                    "1 validation error detected: Value '17' at 'name' failed to satisfy "
                    "constraint: Member must satisfy regular expression pattern: "
                    "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
                ),
            ),
        ),
    ],
)
def test_what_is_refused(
    published: Any,
    arn: str,
    error_of: ErrorOf,
    params: dict[str, Any],
    refusal: tuple[int, str, str],
) -> None:
    wanted = {"FunctionName": "hello", "Name": "live", **params}
    status, code, message = refusal
    refusal = (status, code, message.format(arn=arn))
    assert error_of(published.create_alias, **wanted) == refusal


def test_a_name_is_taken_once(published: Any, arn: str, error_of: ErrorOf) -> None:
    alias = {"FunctionName": "hello", "Name": "live", "FunctionVersion": "1"}
    published.create_alias(**alias)
    assert error_of(published.create_alias, **alias) == (
        409,
        "ResourceConflictException",
        f"Alias already exists: {arn}:live",
    )


def test_aliases_of_no_function(lonely: Deployer, arn: str, error_of: ErrorOf) -> None:
    absent = (404, "ResourceNotFoundException", f"Function not found: {arn}")
    for operation in ("get_alias", "update_alias", "delete_alias"):
        call = getattr(lonely.lambda_, operation)
        assert error_of(call, FunctionName="hello", Name="live") == absent
    assert error_of(lonely.lambda_.list_aliases, FunctionName="hello") == absent


def test_aliases_are_listed_by_name_by_version_and_page_by_page(published: Any) -> None:
    for number in range(7):
        published.create_alias(
            FunctionName="hello", Name=f"a{number}", FunctionVersion="2" if number % 2 else "1"
        )
    paginator = published.get_paginator("list_aliases")
    pages = [
        [alias["Name"] for alias in page["Aliases"]]
        for page in paginator.paginate(FunctionName="hello", PaginationConfig={"PageSize": 3})
    ]
    assert pages == [["a0", "a1", "a2"], ["a3", "a4", "a5"], ["a6"]]
    second = published.list_aliases(FunctionName="hello", FunctionVersion="2")
    assert [alias["Name"] for alias in second["Aliases"]] == ["a1", "a3", "a5"]
    [first, *_] = second["Aliases"]
    assert first == body(published.get_alias(FunctionName="hello", Name="a1"))


def test_a_function_is_read_and_run_through_its_alias(
    published: Any, lonely: Deployer, arn: str, error_of: ErrorOf
) -> None:
    published.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    for params in (
        {"FunctionName": "hello", "Qualifier": "live"},
        {"FunctionName": "hello:live"},
        {"FunctionName": f"{arn}:live"},
    ):
        seen = published.get_function(**params)["Configuration"]
        assert (seen["FunctionArn"], seen["Version"]) == (f"{arn}:live", "1")
        seen = published.get_function_configuration(**params)
        assert (seen["FunctionArn"], seen["Version"]) == (f"{arn}:live", "1")
        answer = published.invoke(**params)
        assert answer["ExecutedVersion"] == "1"
        assert answer["Payload"].read().decode() == f'"{arn}:live"'
    published.update_alias(FunctionName="hello", Name="live", FunctionVersion="2")
    assert published.invoke(FunctionName="hello:live")["ExecutedVersion"] == "2"
    absent = {"FunctionName": "hello", "Qualifier": "other"}
    refused = (404, "ResourceNotFoundException", f"Cannot find alias arn: {arn}:other")
    assert error_of(published.invoke, **absent) == refused
    refused = (404, "ResourceNotFoundException", f"Function not found: {arn}:other")
    assert error_of(published.get_function, **absent) == refused


@pytest.mark.parametrize(("weight", "low", "high"), [(0.0, 0, 0), (0.5, 30, 90), (1.0, 120, 120)])
def test_traffic_is_shared_between_two_versions(
    published: Any, weight: float, low: int, high: int
) -> None:
    published.create_alias(
        FunctionName="hello",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": weight}},
    )
    ran = Counter(
        published.invoke(FunctionName="hello:live")["ExecutedVersion"] for _ in range(120)
    )
    # For one half, 30 is more than five standard deviations from 60.
    assert low <= ran["2"] <= high
    assert sum(ran.values()) == 120


def test_aliases_of_accounts_are_apart_and_go_with_their_function(
    published: Any, error_of: ErrorOf, arn: str
) -> None:
    published.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    published.delete_function(FunctionName="hello")
    assert error_of(published.get_alias, FunctionName="hello", Name="live") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}",
    )


def test_a_function_that_is_not_there_is_what_is_missing(
    lonely: Deployer, arn: str, error_of: ErrorOf
) -> None:
    absent = (404, "ResourceNotFoundException", f"Function not found: {arn}:live")
    assert error_of(lonely.lambda_.invoke, FunctionName="hello:live") == absent
