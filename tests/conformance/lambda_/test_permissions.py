"""Resource policies over the wire: their documents, and what they let other accounts do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

OWNER, STRANGER = "000000000000", "222222222222"
ARN = f"arn:aws:lambda:us-east-1:{OWNER}:function:"
S3 = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
HANDLER = "def handler(event, context):\n    return [event, context.invoked_function_arn]\n"

ErrorOf = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stranger(daemon: DaemonProcess) -> Deployer:
    """A user of another account."""
    return Deployer(daemon.endpoint_url, account_id=STRANGER)


@pytest.fixture
def name(user: Deployer, a_name: Callable[[], str]) -> str:
    """A function with the version 1 and the alias `live`."""
    name = a_name()
    user.deploy(name, HANDLER)
    user.lambda_.publish_version(FunctionName=name)
    user.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def policy_of(user: Deployer, name: str, **named: str) -> dict[str, Any]:
    text = user.lambda_.get_policy(FunctionName=name, **named)["Policy"]
    document: dict[str, Any] = json.loads(text)
    assert text == json.dumps(document, separators=(",", ":"))
    return document


@pytest.mark.parametrize(
    ("params", "principal", "condition"),
    [
        ({}, {"Service": "s3.amazonaws.com"}, None),
        (
            {"SourceArn": "arn:aws:s3:::b", "SourceAccount": "111122223333"},
            {"Service": "s3.amazonaws.com"},
            {
                "StringEquals": {"AWS:SourceAccount": "111122223333"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
            },
        ),
        ({"Principal": STRANGER}, {"AWS": f"arn:aws:iam::{STRANGER}:root"}, None),
        (
            {"Principal": f"arn:aws:iam::{STRANGER}:role/r"},
            {"AWS": f"arn:aws:iam::{STRANGER}:role/r"},
            None,
        ),
        (
            {"Principal": "*", "PrincipalOrgID": "o-abcdefghij"},
            "*",
            {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
        ),
        (
            {
                "Principal": "*",
                "Action": "lambda:InvokeFunctionUrl",
                "FunctionUrlAuthType": "NONE",
            },
            "*",
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        ),
        (
            {"Principal": "*", "InvokedViaFunctionUrl": True},
            "*",
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        ),
        (
            {"Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill.1"},
            {"Service": "alexa-appkit.amazon.com"},
            {"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill.1"}},
        ),
    ],
)
def test_a_permission_becomes_awss_statement(
    user: Deployer, name: str, params: dict[str, Any], principal: Any, condition: Any
) -> None:
    request = {"FunctionName": name, "StatementId": "s", **S3, **params}
    answer = user.lambda_.add_permission(**request)
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": principal,
        "Action": request["Action"],
        "Resource": f"{ARN}{name}",
    }
    if condition is not None:
        statement["Condition"] = condition
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert answer["Statement"] == json.dumps(statement, separators=(",", ":"))
    assert policy_of(user, name) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [statement],
    }


def test_each_qualifier_has_its_own_policy_and_new_versions_have_none(
    user: Deployer, name: str, error_of: ErrorOf
) -> None:
    for qualifier in (None, "1", "live"):
        named = {"Qualifier": qualifier} if qualifier else {}
        user.lambda_.add_permission(FunctionName=name, StatementId="s", **S3, **named)
        resource = f"{ARN}{name}:{qualifier}" if qualifier else f"{ARN}{name}"
        assert policy_of(user, name, **named)["Statement"][0]["Resource"] == resource
    user.lambda_.update_function_configuration(FunctionName=name, Description="changed")
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    version = user.lambda_.publish_version(FunctionName=name)["Version"]
    absent = error_of(user.lambda_.get_policy, FunctionName=name, Qualifier=version)
    assert absent == (
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


def test_a_change_of_the_policy_changes_the_functions_revision_and_keeps_it_warm(
    user: Deployer, name: str
) -> None:
    def revision() -> str:
        found: str = user.lambda_.get_function_configuration(FunctionName=name)["RevisionId"]
        return found

    assert "Init Duration" in user.invoke(name).log
    before = revision()
    user.lambda_.add_permission(FunctionName=name, StatementId="s", RevisionId=before, **S3)
    added = revision()
    assert user.lambda_.get_policy(FunctionName=name)["RevisionId"] == added != before
    assert "Init Duration" not in user.invoke(name).log
    user.lambda_.remove_permission(FunctionName=name, StatementId="s", RevisionId=added)
    assert revision() not in (before, added)


@pytest.mark.parametrize("revision", ["", "stale"])
def test_a_stale_revision_is_refused_and_an_empty_one_is_none(
    user: Deployer, name: str, error_of: ErrorOf, revision: str
) -> None:
    params = {"FunctionName": name, "StatementId": "s", "RevisionId": revision}
    if not revision:
        user.lambda_.add_permission(**params, **S3)
        user.lambda_.remove_permission(**params)
        return
    stale = "The Revision Id provided does not match the latest Revision Id. Call the "
    assert error_of(user.lambda_.add_permission, **params, **S3) == (
        412,
        "PreconditionFailedException",
        f"{stale}GetPolicy API to retrieve the latest Revision Id",
    )
    user.lambda_.add_permission(FunctionName=name, StatementId="s", **S3)
    assert error_of(user.lambda_.remove_permission, **params) == (
        412,
        "PreconditionFailedException",
        f"{stale}GetFunction/GetAlias API to retrieve the latest Revision Id",
    )


def test_a_whole_policy_is_put_read_and_deleted(
    user: Deployer, name: str, error_of: ErrorOf
) -> None:
    arn = f"{ARN}{name}:live"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "x",
                "Effect": "Allow",
                "Principal": {"AWS": [STRANGER]},
                "Action": ["lambda:InvokeFunction", "lambda:Get*"],
                "Resource": arn,
            }
        ],
    }
    put = user.lambda_.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
    got = user.lambda_.get_resource_policy(ResourceArn=arn)
    assert json.loads(put["Policy"]) == document == policy_of(user, name, Qualifier="live")
    assert (got["Policy"], got["RevisionId"]) == (put["Policy"], put["RevisionId"])
    alias = user.lambda_.get_alias(FunctionName=name, Name="live")
    assert alias["RevisionId"] == put["RevisionId"]
    stale = error_of(
        user.lambda_.put_resource_policy,
        ResourceArn=arn,
        Policy=json.dumps(document),
        RevisionId="00000000-0000-4000-8000-000000000000",
    )
    assert stale == (
        412,
        "PreconditionFailedException",
        (
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetResourcePolicy API to retrieve the latest Revision Id"
        ),
    )
    answer = user.lambda_.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    gone = error_of(user.lambda_.get_resource_policy, ResourceArn=arn)
    assert gone[:2] == (404, "ResourceNotFoundException")


def test_another_account_runs_what_a_policy_opens_to_it_and_nothing_else(
    user: Deployer, stranger: Deployer, name: str, error_of: ErrorOf
) -> None:
    arn = f"{ARN}{name}"

    def refusal(action: str, resource: str) -> tuple[int, str, str]:
        return (
            403,
            "AccessDeniedException",
            (
                f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: "
                f"lambda:{action} on resource: {resource} because no resource-based policy "
                f"allows the lambda:{action} action"
            ),
        )

    refused = error_of(stranger.lambda_.invoke, FunctionName=arn)
    assert refused == refusal("InvokeFunction", arn)
    user.lambda_.add_permission(
        FunctionName=name,
        Qualifier="live",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal=STRANGER,
    )
    assert stranger.invoke(f"{arn}:live", 1).payload == [1, f"{arn}:live"]
    refused = error_of(stranger.lambda_.invoke, FunctionName=arn)
    assert refused == refusal("InvokeFunction", arn)
    refused = error_of(stranger.lambda_.get_function, FunctionName=f"{arn}:live")
    assert refused == refusal("GetFunction", f"{arn}:live")
    user.lambda_.remove_permission(FunctionName=name, Qualifier="live", StatementId="s")
    refused = error_of(stranger.lambda_.invoke, FunctionName=f"{arn}:live")
    assert refused == refusal("InvokeFunction", f"{arn}:live")


def test_the_same_name_in_another_account_is_another_function(
    user: Deployer, stranger: Deployer, name: str
) -> None:
    stranger.deploy(name, "def handler(event, context):\n    return 'mine'\n")
    assert stranger.invoke(name).payload == "mine"
    assert user.invoke(name, 2).payload == [2, f"{ARN}{name}"]
    stranger.lambda_.add_permission(FunctionName=name, StatementId="s", **S3)
    stranger.lambda_.delete_function(FunctionName=name)
    user.lambda_.get_function(FunctionName=name)
