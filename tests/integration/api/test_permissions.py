"""Resource policies, as boto3 sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.requests import FUNCTION_ARN, UUID, a_request, error_of

SOURCE = "arn:aws:s3:::pictures"
INVOKE = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
ABSENT = "The resource you requested does not exist."


@pytest.fixture
async def deployed(aws: Client) -> Client:
    """A function `hello` with the version 1 and the alias `live`."""
    await aws.create_function(**a_request())
    await aws.get_function(FunctionName="hello")
    await aws.publish_version(FunctionName="hello")
    await aws.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    return aws


def a_statement(**members: Any) -> dict[str, Any]:
    return {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
        **members,
    }


async def revision_of(aws: Client, **named: str) -> str:
    revision: str = (await aws.get_function(FunctionName="hello", **named))["Configuration"][
        "RevisionId"
    ]
    return revision


async def add(aws: Client, sid: str = "s", **params: Any) -> dict[str, Any]:
    request = {"FunctionName": "hello", "StatementId": sid, **INVOKE, **params}
    answer: dict[str, Any] = await aws.add_permission(**request)
    return answer


async def test_a_statement_is_answered_and_read_back_in_one_line(deployed: Client) -> None:
    answer = await add(deployed, SourceArn=SOURCE, SourceAccount="111122223333")
    statement = (
        '{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
        f'"Action":"lambda:InvokeFunction","Resource":"{FUNCTION_ARN}",'
        '"Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"},'
        f'"ArnLike":{{"AWS:SourceArn":"{SOURCE}"}}}}}}'
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert answer["Statement"] == statement
    policy = await deployed.get_policy(FunctionName="hello")
    del policy["ResponseMetadata"]
    assert UUID.fullmatch(policy.pop("RevisionId"))
    assert policy == {
        "Policy": f'{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}'
    }


async def test_function_version_and_alias_have_policies_of_their_own(deployed: Client) -> None:
    await add(deployed)
    await add(deployed, Qualifier="1")
    await deployed.add_permission(FunctionName="hello:live", StatementId="s", **INVOKE)
    for qualifier in (None, "1", "live"):
        named = {"Qualifier": qualifier} if qualifier else {}
        policy = json.loads((await deployed.get_policy(FunctionName="hello", **named))["Policy"])
        resource = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
        assert policy["Statement"] == [a_statement(Resource=resource)]
    await deployed.remove_permission(FunctionName="hello", StatementId="s", Qualifier="live")
    await deployed.get_policy(FunctionName="hello", Qualifier="1")
    assert await error_of(deployed.get_policy(FunctionName="hello:live")) == (
        404,
        "ResourceNotFoundException",
        ABSENT,
    )


async def test_the_policy_ends_with_its_last_statement(deployed: Client) -> None:
    await add(deployed, "one")
    await add(deployed, "two")
    answer = await deployed.remove_permission(FunctionName="hello", StatementId="one")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    policy = json.loads((await deployed.get_policy(FunctionName="hello"))["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["two"]
    await deployed.remove_permission(FunctionName="hello", StatementId="two")
    assert (await error_of(deployed.get_policy(FunctionName="hello")))[2] == ABSENT


async def test_a_policy_goes_with_what_it_belongs_to(deployed: Client) -> None:
    for qualifier in (None, "1", "live"):
        await add(deployed, **({"Qualifier": qualifier} if qualifier else {}))
    await deployed.delete_alias(FunctionName="hello", Name="live")
    await deployed.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    assert (await error_of(deployed.get_policy(FunctionName="hello:live")))[2] == ABSENT
    await deployed.delete_function(FunctionName="hello")
    await deployed.create_function(**a_request())
    assert (await error_of(deployed.get_policy(FunctionName="hello")))[2] == ABSENT


@pytest.mark.parametrize("qualifier", [None, "1", "live"])
async def test_the_revision_is_that_of_what_the_policy_belongs_to(
    deployed: Client, qualifier: str | None
) -> None:
    named = {"Qualifier": qualifier} if qualifier else {}

    async def revision() -> str:
        if qualifier == "live":
            alias = await deployed.get_alias(FunctionName="hello", Name="live")
            revision: str = alias["RevisionId"]
            return revision
        return await revision_of(deployed, **named)

    before = await revision()
    refused = await error_of(add(deployed, RevisionId="0" * 8, **named))
    assert refused == (
        412,
        "PreconditionFailedException",
        (
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy "
            "API to retrieve the latest Revision Id"
        ),
    )
    await add(deployed, RevisionId=before, **named)
    added = await revision()
    assert added != before
    assert (await deployed.get_policy(FunctionName="hello", **named))["RevisionId"] == added
    removal = {"FunctionName": "hello", "StatementId": "s", **named}
    refused = await error_of(deployed.remove_permission(**removal, RevisionId=before))
    assert refused == (
        412,
        "PreconditionFailedException",
        (
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id"
        ),
    )
    await deployed.remove_permission(**removal, RevisionId=added)
    assert await revision() not in (before, added)


async def test_a_function_that_is_being_created_gets_its_policy_and_comes_into_service(
    aws: Client,
) -> None:
    await aws.create_function(**a_request())
    await add(aws)
    await aws.get_policy(FunctionName="hello")
    found = await aws.get_function(FunctionName="hello")
    assert found["Configuration"]["State"] == "Active"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        (
            {"Qualifier": "$LATEST"},
            (
                400,
                "InvalidParameterValueException",
                "We currently do not support adding policies for $LATEST.",
            ),
        ),
        (
            {"Principal": "nobody.example.com"},
            (
                400,
                "InvalidParameterValueException",
                "The provided principal was invalid. Please check the principal and try again.",
            ),
        ),
        (
            {"StatementId": "taken"},
            (
                409,
                "ResourceConflictException",
                (
                    "The statement id (taken) provided already exists. Please provide a new "
                    "statement id, or remove the existing statement."
                ),
            ),
        ),
        (
            {"FunctionUrlAuthType": "NONE"},
            (
                400,
                "InvalidParameterValueException",
                "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
            ),
        ),
        (
            {"Action": "lambda:InvokeFunctionUrl", "Principal": "*"},
            (
                400,
                "InvalidParameterValueException",
                (
                    "This policy could enable public access to your lambda function as it allows "
                    "all Principals (*) to perform lambda:InvokeFunctionUrl action. You must "
                    "specify lambda:FunctionUrlAuthType condition"
                ),
            ),
        ),
        (
            {"Action": "lambda:*", "Principal": "*"},
            (
                400,
                "PublicPolicyException",
                (
                    "Lambda blocked the creation of this policy because it would grant public "
                    "access to your function."
                ),
            ),
        ),
        (
            {"FunctionName": "absent"},
            (
                404,
                "ResourceNotFoundException",
                f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}",
            ),
        ),
        (
            {"Qualifier": "42"},
            (404, "ResourceNotFoundException", f"Function not found: {FUNCTION_ARN}:42"),
        ),
        (
            {"Qualifier": "none"},
            (404, "ResourceNotFoundException", f"Cannot find alias arn: {FUNCTION_ARN}:none"),
        ),
        (
            {"StatementId": "with.dot"},
            (
                400,
                "ValidationException",
                (
                    "1 validation error detected: Value 'with.dot' at 'statementId' failed "
                    "to satisfy constraint: Member must satisfy regular expression pattern: "
                    "([a-zA-Z0-9-_]+)"
                ),
            ),
        ),
    ],
)
async def test_what_cannot_be_granted_is_refused(
    deployed: Client, params: dict[str, Any], error: tuple[int, str, str]
) -> None:
    await add(deployed, "taken")
    assert await error_of(add(deployed, **params)) == error


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "Statement absent is not found in resource policy."),
        ({"Qualifier": "1"}, "No policy is associated with the given resource."),
        ({"Qualifier": "42"}, f"Function not found: {FUNCTION_ARN}:42"),
        ({"Qualifier": "none"}, f"Cannot find alias arn: {FUNCTION_ARN}:none"),
        (
            {"FunctionName": "absent"},
            f"No policy found for: {FUNCTION_ARN.replace('hello', 'absent')}",
        ),
    ],
)
async def test_what_is_not_there_cannot_be_removed(
    deployed: Client, params: dict[str, str], text: str
) -> None:
    await add(deployed)
    request = {"FunctionName": "hello", "StatementId": "absent", **params}
    assert await error_of(deployed.remove_permission(**request)) == (
        404,
        "ResourceNotFoundException",
        text,
    )


async def test_a_policy_that_would_become_too_long_stays_as_it_was(deployed: Client) -> None:
    source = f"arn:aws:s3:::{'x' * 9_000}"
    await add(deployed, "one", SourceArn=source)
    await add(deployed, "two", SourceArn=source)
    status, code, text = await error_of(add(deployed, "three", SourceArn=source))
    assert (status, code) == (400, "PolicyLengthExceededException")
    assert text.startswith("The final policy size (27")
    assert text.endswith(") is bigger than the limit (20480).")
    policy = json.loads((await deployed.get_policy(FunctionName="hello"))["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["one", "two"]


DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [a_statement(Sid="own", Principal={"AWS": ["111122223333"]})],
}


async def test_a_whole_policy_is_put_read_extended_and_deleted(deployed: Client) -> None:
    await add(deployed, "replaced")
    put = await deployed.put_resource_policy(
        ResourceArn=FUNCTION_ARN, Policy=json.dumps(DOCUMENT, indent=2)
    )
    assert json.loads(put["Policy"]) == DOCUMENT
    read = await deployed.get_resource_policy(ResourceArn=FUNCTION_ARN)
    assert (read["Policy"], read["RevisionId"]) == (put["Policy"], put["RevisionId"])
    assert put["RevisionId"] == await revision_of(deployed)
    await add(deployed, "more")
    policy = json.loads((await deployed.get_policy(FunctionName="hello"))["Policy"])
    assert policy == {**DOCUMENT, "Statement": [*DOCUMENT["Statement"], a_statement(Sid="more")]}
    stale = await error_of(
        deployed.delete_resource_policy(ResourceArn=FUNCTION_ARN, RevisionId=put["RevisionId"])
    )
    assert stale[:2] == (412, "PreconditionFailedException")
    answer = await deployed.delete_resource_policy(ResourceArn=FUNCTION_ARN)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    again = await error_of(deployed.delete_resource_policy(ResourceArn=FUNCTION_ARN))
    assert again[2] == "No policy is associated with the given resource."
    gone = await error_of(deployed.get_resource_policy(ResourceArn=FUNCTION_ARN))
    assert gone == (404, "ResourceNotFoundException", ABSENT)


@pytest.mark.parametrize(
    ("arn", "policy", "code", "told"),
    [
        (FUNCTION_ARN, "{", "InvalidParameterValueException", "it is not JSON"),
        (f"{FUNCTION_ARN}:$LATEST", "{}", "InvalidParameterValueException", "adding policies for"),
        (f"{FUNCTION_ARN}:42", "{}", "ResourceNotFoundException", ":42"),
        (f"{FUNCTION_ARN}:1", json.dumps(DOCUMENT), "InvalidParameterValueException", "Resource"),
        (
            "arn:aws:lambda:us-east-1:000000000000:runtime/python",
            "{}",
            "ResourceNotFoundException",
            ABSENT,
        ),
        (
            FUNCTION_ARN,
            json.dumps({"Statement": a_statement(Action="*", Principal="*")}),
            "PublicPolicyException",
            "public access",
        ),
    ],
)
async def test_a_policy_that_may_not_be_is_refused(
    deployed: Client, arn: str, policy: str, code: str, told: str
) -> None:
    error = await error_of(deployed.put_resource_policy(ResourceArn=arn, Policy=policy))
    assert error[1] == code
    assert told in error[2]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, ABSENT),
        ({"Qualifier": "$LATEST"}, ABSENT),
        ({"Qualifier": "1"}, ABSENT),
        ({"Qualifier": "42"}, f"Function not found: {FUNCTION_ARN}:42"),
        ({"Qualifier": "none"}, f"Cannot find alias arn: {FUNCTION_ARN}:none"),
        (
            {"FunctionName": "absent", "Qualifier": "live"},
            f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}:live",
        ),
    ],
)
async def test_a_policy_that_is_not_there_is_not_found(
    deployed: Client, params: dict[str, str], text: str
) -> None:
    error = await error_of(deployed.get_policy(**{"FunctionName": "hello", **params}))
    assert error == (404, "ResourceNotFoundException", text)
