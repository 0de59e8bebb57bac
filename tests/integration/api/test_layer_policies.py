"""Policies of layer versions over the API, and what they let other accounts do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.controlplane import a_zip
from lambdad.testing.requests import UUID, a_request, error_of

OWNER, STRANGER = "000000000000", "222222222222"
ARN = f"arn:aws:lambda:us-east-1:{OWNER}:layer:l:1"
LAYER = {"LayerName": "l", "VersionNumber": 1}
GRANT = {**LAYER, "StatementId": "s", "Action": "lambda:GetLayerVersion"}
STALE = (
    412,
    "PreconditionFailedException",
    (
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetLayerPolicy API to retrieve the latest Revision Id"
    ),
)
NO_POLICY = (
    404,
    "ResourceNotFoundException",
    "No policy is associated with the given resource.",
)
NO_STATEMENT = (
    404,
    "ResourceNotFoundException",
    "Statement s is not found in resource policy.",
)


def denied(action: str, arn: str = ARN) -> tuple[int, str, str]:
    return (
        403,
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: lambda:{action} on "
            f"resource: {arn} because no resource-based policy allows the lambda:{action} action"
        ),
    )


@pytest.fixture
async def published(aws: Client) -> Client:
    """The owner of a layer with one version."""
    await aws.publish_layer_version(LayerName="l", Content={"ZipFile": a_zip()})
    return aws


@pytest.fixture
async def stranger(endpoint) -> Client:
    return endpoint.client(access_key=STRANGER)


@pytest.mark.parametrize(
    ("params", "principal", "condition"),
    [
        ({"Principal": STRANGER}, {"AWS": f"arn:aws:iam::{STRANGER}:root"}, None),
        (
            {"Principal": f"arn:aws:iam::{STRANGER}:root"},
            {"AWS": f"arn:aws:iam::{STRANGER}:root"},
            None,
        ),
        ({"Principal": "*"}, "*", None),
        (
            {"Principal": "*", "OrganizationId": "o-abcdefghij"},
            "*",
            {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
        ),
    ],
)
async def test_a_permission_becomes_a_statement(
    published: Client, params: dict[str, str], principal: object, condition: object
) -> None:
    statement: dict[str, Any] = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": principal,
        "Action": "lambda:GetLayerVersion",
        "Resource": ARN,
    }
    if condition is not None:
        statement["Condition"] = condition
    added = await published.add_layer_version_permission(**GRANT, **params)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert json.loads(added["Statement"]) == statement
    assert UUID.fullmatch(added["RevisionId"])
    policy = await published.get_layer_version_policy(**LAYER)
    assert policy["RevisionId"] == added["RevisionId"]
    assert json.loads(policy["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [statement],
    }


async def test_statements_come_and_go_and_the_policy_with_the_last(published: Client) -> None:
    first = await published.add_layer_version_permission(**GRANT, Principal="*")
    second = await published.add_layer_version_permission(
        **{**GRANT, "StatementId": "t"}, Principal=STRANGER, RevisionId=first["RevisionId"]
    )
    assert second["RevisionId"] != first["RevisionId"]
    removed = await published.remove_layer_version_permission(
        **LAYER, StatementId="s", RevisionId=second["RevisionId"]
    )
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    policy = await published.get_layer_version_policy(**LAYER)
    assert [one["Sid"] for one in json.loads(policy["Policy"])["Statement"]] == ["t"]
    assert policy["RevisionId"] not in (first["RevisionId"], second["RevisionId"])
    await published.remove_layer_version_permission(**LAYER, StatementId="t")
    assert await error_of(published.get_layer_version_policy(**LAYER)) == NO_POLICY


async def test_preconditions_are_held(published: Client) -> None:
    added = published.add_layer_version_permission
    assert await error_of(added(**GRANT, Principal="*", RevisionId="stale")) == STALE
    await added(**GRANT, Principal="*")
    other = {**GRANT, "StatementId": "t"}
    assert await error_of(added(**other, Principal="*", RevisionId="stale")) == STALE
    removed = published.remove_layer_version_permission
    assert await error_of(removed(**LAYER, StatementId="s", RevisionId="stale")) == STALE


async def test_what_is_not_there_is_said(published: Client) -> None:
    assert await error_of(published.get_layer_version_policy(**LAYER)) == NO_POLICY
    removed = published.remove_layer_version_permission
    assert await error_of(removed(**LAYER, StatementId="s")) == NO_STATEMENT
    await published.add_layer_version_permission(**{**GRANT, "StatementId": "t"}, Principal="*")
    assert await error_of(removed(**LAYER, StatementId="s")) == NO_STATEMENT
    absent = {"LayerName": "l", "VersionNumber": 7}
    expected = (
        404,
        "ResourceNotFoundException",
        f"Layer version {ARN.removesuffix('1')}7 does not exist.",
    )
    grant = {**GRANT, **absent, "Principal": "*"}
    assert await error_of(published.add_layer_version_permission(**grant)) == expected
    assert await error_of(published.get_layer_version_policy(**absent)) == expected
    assert await error_of(removed(**absent, StatementId="s")) == expected


async def test_a_statement_id_is_taken_once(published: Client) -> None:
    await published.add_layer_version_permission(**GRANT, Principal="*")
    error = await error_of(published.add_layer_version_permission(**GRANT, Principal=STRANGER))
    assert error == (
        409,
        "ResourceConflictException",
        (
            "The statement id (s) provided already exists. Please provide a new statement id, or "
            "remove the existing statement."
        ),
    )


@pytest.mark.parametrize(
    ("params", "constraint"),
    [
        (
            {"Action": "lambda:Invoke", "Principal": "*"},
            (
                "Value 'lambda:Invoke' at 'action' failed to satisfy constraint: Member must "
                "satisfy regular expression pattern: lambda:GetLayerVersion"
            ),
        ),
        (
            {"Principal": "s3.amazonaws.com"},
            (
                "Value 's3.amazonaws.com' at 'principal' failed to satisfy constraint: Member must "
                r"satisfy regular expression pattern: \d{12}|\*|"
                r"arn:(aws[a-zA-Z-]*):iam::\d{12}:root"
            ),
        ),
    ],
)
async def test_grants_are_of_layers_only(
    published: Client, params: dict[str, str], constraint: str
) -> None:
    error = await error_of(published.add_layer_version_permission(**{**GRANT, **params}))
    assert error == (
        400,
        "ValidationException",
        f"1 validation error detected: {constraint}",
    )


async def test_an_organisation_is_named_for_everybody_only(published: Client) -> None:
    status, code, _ = await error_of(
        published.add_layer_version_permission(
            **GRANT, Principal=STRANGER, OrganizationId="o-abcdefghij"
        )
    )
    assert (status, code) == (400, "InvalidParameterValueException")


@pytest.mark.parametrize("principal", [STRANGER, "*"])
async def test_another_account_may_use_what_a_policy_lets_it(
    published: Client, stranger: Client, principal: str
) -> None:
    by_arn = {"LayerName": ARN.removesuffix(":1"), "VersionNumber": 1}
    assert await error_of(stranger.get_layer_version(**by_arn)) == denied("GetLayerVersion")
    assert await error_of(stranger.get_layer_version_by_arn(Arn=ARN)) == denied("GetLayerVersion")
    request = a_request(Layers=[ARN])
    assert await error_of(stranger.create_function(**request)) == denied("GetLayerVersion")

    await published.add_layer_version_permission(**GRANT, Principal=principal)
    assert (await stranger.get_layer_version(**by_arn))["LayerVersionArn"] == ARN
    assert (await stranger.get_layer_version_by_arn(Arn=ARN))["Version"] == 1
    assert [one["Arn"] for one in (await stranger.create_function(**request))["Layers"]] == [ARN]

    await published.remove_layer_version_permission(**LAYER, StatementId="s")
    error = await error_of(stranger.get_layer_version_by_arn(Arn=ARN))
    assert error == denied("GetLayerVersion")
    kept = await stranger.get_function_configuration(FunctionName="hello")
    assert [one["Arn"] for one in kept["Layers"]] == [ARN]


async def test_a_policy_is_of_one_version_and_ends_with_it(
    published: Client, stranger: Client
) -> None:
    await published.add_layer_version_permission(**GRANT, Principal="*")
    await published.publish_layer_version(LayerName="l", Content={"ZipFile": a_zip()})
    second = f"{ARN.removesuffix('1')}2"
    error = await error_of(stranger.get_layer_version_by_arn(Arn=second))
    assert error == denied("GetLayerVersion", second)
    await published.delete_layer_version(**LAYER)
    error = await error_of(stranger.get_layer_version_by_arn(Arn=ARN))
    assert error == denied("GetLayerVersion")


async def test_an_organisation_that_nobody_is_in_lets_nobody_in(
    published: Client, stranger: Client
) -> None:
    await published.add_layer_version_permission(
        **GRANT, Principal="*", OrganizationId="o-abcdefghij"
    )
    error = await error_of(stranger.get_layer_version_by_arn(Arn=ARN))
    assert error == denied("GetLayerVersion")


async def test_a_policy_never_lets_another_account_change_or_list(
    published: Client, stranger: Client
) -> None:
    await published.add_layer_version_permission(**GRANT, Principal="*")
    layer = ARN.removesuffix(":1")
    named = {"LayerName": layer, "VersionNumber": 1}
    calls = {
        "DeleteLayerVersion": stranger.delete_layer_version(**named),
        "AddLayerVersionPermission": stranger.add_layer_version_permission(
            **{**GRANT, **named, "Principal": "*"}
        ),
        "RemoveLayerVersionPermission": stranger.remove_layer_version_permission(
            **named, StatementId="s"
        ),
        "GetLayerVersionPolicy": stranger.get_layer_version_policy(**named),
    }
    for action, call in calls.items():
        assert await error_of(call) == denied(action)
    error = await error_of(stranger.list_layer_versions(LayerName=layer))
    assert error == denied("ListLayerVersions", layer)
    error = await error_of(
        stranger.publish_layer_version(LayerName=layer, Content={"ZipFile": a_zip()})
    )
    assert error == denied("PublishLayerVersion", layer)
