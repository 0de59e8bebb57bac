"""What one account may do with another's functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of

STRANGER = "222222222222"
OWNER = "000000000000"


@pytest.fixture
async def owner(endpoint: Any) -> Client:
    """Who owns the function `hello`, its version 1 and its alias `live`."""
    client: Client = endpoint.client(access_key=OWNER)
    await client.create_function(**a_request())
    await client.get_function(FunctionName="hello")
    await client.publish_version(FunctionName="hello")
    await client.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    return client


@pytest.fixture
async def stranger(endpoint: Any) -> Client:
    """Somebody of another account."""
    client: Client = endpoint.client(access_key=STRANGER)
    return client


def refusal(action: str, arn: str = FUNCTION_ARN) -> tuple[int, str, str]:
    return (
        403,
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: lambda:{action} on "
            f"resource: {arn} because no resource-based policy allows the lambda:{action} action"
        ),
    )


async def grant(owner: Client, action: str, **params: str) -> None:
    await owner.add_permission(
        FunctionName="hello",
        StatementId=action,
        Action=f"lambda:{action}",
        **{"Principal": STRANGER, **params},
    )


CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("invoke", {}, "InvokeFunction"),
    ("get_function", {}, "GetFunction"),
    ("get_function_configuration", {}, "GetFunctionConfiguration"),
    ("get_policy", {}, "GetPolicy"),
    ("list_versions_by_function", {}, "ListVersionsByFunction"),
    ("update_function_configuration", {"Timeout": 4}, "UpdateFunctionConfiguration"),
    ("publish_version", {}, "PublishVersion"),
    ("get_alias", {"Name": "live"}, "GetAlias"),
    (
        "add_permission",
        {"StatementId": "x", "Action": "lambda:GetFunction", "Principal": STRANGER},
        "AddPermission",
    ),
    ("delete_function", {}, "DeleteFunction"),
]


@pytest.mark.parametrize("name", [FUNCTION_ARN, f"{OWNER}:function:hello", f"{OWNER}:hello"])
@pytest.mark.parametrize("wanted", CALLS)
async def test_without_a_policy_everything_is_refused(
    owner: Client, stranger: Client, name: str, wanted: tuple[str, dict[str, Any], str]
) -> None:
    operation, params, action = wanted
    call = getattr(stranger, operation)(FunctionName=name, **params)
    assert await error_of(call) == refusal(action)


@pytest.mark.parametrize(("operation", "params", "action"), CALLS)
async def test_a_policy_allows_its_action_and_no_other(
    owner: Client, stranger: Client, operation: str, params: dict[str, Any], action: str
) -> None:
    await grant(owner, action)
    for other, more, needed in CALLS:
        if needed != action:
            denied = await error_of(getattr(stranger, other)(FunctionName=FUNCTION_ARN, **more))
            assert denied == refusal(needed)
    await getattr(stranger, operation)(FunctionName=FUNCTION_ARN, **params)


@pytest.mark.parametrize(
    "principal", [STRANGER, f"arn:aws:iam::{STRANGER}:root", "*", "111122223333"]
)
async def test_a_policy_is_for_the_accounts_it_names(
    owner: Client, stranger: Client, principal: str
) -> None:
    await grant(owner, "InvokeFunction", Principal=principal)
    call = stranger.invoke(FunctionName=FUNCTION_ARN)
    if principal == "111122223333":
        assert await error_of(call) == refusal("InvokeFunction")
    else:
        assert (await call)["StatusCode"] == 200


async def test_an_absent_function_of_another_account_is_not_told_from_a_closed_one(
    owner: Client, stranger: Client
) -> None:
    absent = FUNCTION_ARN.replace("hello", "absent")
    assert await error_of(stranger.get_function(FunctionName=absent)) == refusal(
        "GetFunction", absent
    )


async def test_a_policy_of_an_alias_opens_the_alias_alone(owner: Client, stranger: Client) -> None:
    await grant(owner, "InvokeFunction", Qualifier="live")
    assert (await stranger.invoke(FunctionName=f"{FUNCTION_ARN}:live"))["StatusCode"] == 200
    for arn in (FUNCTION_ARN, f"{FUNCTION_ARN}:1", f"{FUNCTION_ARN}:$LATEST"):
        denied = await error_of(stranger.invoke(FunctionName=arn))
        assert denied == refusal("InvokeFunction", arn)


async def test_a_policy_of_the_function_opens_it_unqualified_and_as_latest(
    owner: Client, stranger: Client
) -> None:
    await grant(owner, "InvokeFunction")
    for arn in (FUNCTION_ARN, f"{FUNCTION_ARN}:$LATEST"):
        assert (await stranger.invoke(FunctionName=arn))["StatusCode"] == 200
    for arn in (f"{FUNCTION_ARN}:1", f"{FUNCTION_ARN}:live"):
        denied = await error_of(stranger.invoke(FunctionName=arn))
        assert denied == refusal("InvokeFunction", arn)


async def put(owner: Client, **members: Any) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": STRANGER},
        "Action": "lambda:*",
        "Resource": f"{FUNCTION_ARN}*",
        **members,
    }
    await owner.put_resource_policy(
        ResourceArn=FUNCTION_ARN,
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


async def test_a_wildcard_in_the_functions_policy_opens_versions_and_aliases(
    owner: Client, stranger: Client
) -> None:
    await put(owner)
    for arn in (FUNCTION_ARN, f"{FUNCTION_ARN}:1", f"{FUNCTION_ARN}:live"):
        assert (await stranger.invoke(FunctionName=arn))["StatusCode"] == 200


async def test_a_condition_that_a_call_does_not_meet_opens_nothing(
    owner: Client, stranger: Client
) -> None:
    await grant(owner, "InvokeFunction", Principal="*", PrincipalOrgID="o-abcdefghij")
    denied = await error_of(stranger.invoke(FunctionName=FUNCTION_ARN))
    assert denied == refusal("InvokeFunction")


async def test_a_denial_holds_for_the_owner_too_but_does_not_lock_him_out(
    owner: Client, stranger: Client
) -> None:
    await put(owner, Effect="Deny", Principal="*")
    assert await error_of(owner.invoke(FunctionName="hello")) == (
        403,
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{OWNER}:root is not authorized to perform: lambda:InvokeFunction "
            f"on resource: {FUNCTION_ARN} with an explicit deny in a resource-based policy"
        ),
    )
    denied = await error_of(stranger.invoke(FunctionName=FUNCTION_ARN))
    assert denied[2].endswith("with an explicit deny in a resource-based policy")
    await owner.delete_resource_policy(ResourceArn=FUNCTION_ARN)
    assert (await owner.invoke(FunctionName="hello"))["StatusCode"] == 200


async def test_a_policy_about_others_leaves_the_owner_alone(owner: Client) -> None:
    await grant(owner, "GetFunction")
    assert (await owner.invoke(FunctionName="hello"))["StatusCode"] == 200
    await put(owner, Effect="Deny", Principal={"AWS": STRANGER})
    assert (await owner.invoke(FunctionName="hello"))["StatusCode"] == 200


async def test_tags_are_another_accounts_only_by_its_policy(
    owner: Client, stranger: Client
) -> None:
    assert await error_of(stranger.list_tags(Resource=FUNCTION_ARN)) == refusal("ListTags")
    await grant(owner, "ListTags")
    assert (await stranger.list_tags(Resource=FUNCTION_ARN))["Tags"] == {}
