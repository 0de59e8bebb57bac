"""Configurations of provisioned concurrency, as boto3 sees them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.domain.concurrency import ProvisionedState, ProvisionedStatus
from lambdad.testing.clients import Client
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of

KEY = FunctionKey(account_id="000000000000", region="us-east-1", name="hello")
INVALID = "InvalidParameterValueException"
UNPUBLISHED = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."


@pytest.fixture
async def deployed(aws: Client) -> Client:
    """Versions 1 and 2, an alias of each, and one of `$LATEST`."""
    await aws.create_function(**a_request(Publish=True))
    await aws.update_function_configuration(FunctionName="hello", MemorySize=256)
    await aws.publish_version(FunctionName="hello")
    for name, version in (("blue", "1"), ("green", "2"), ("dev", "$LATEST")):
        await aws.create_alias(FunctionName="hello", Name=name, FunctionVersion=version)
    return aws


def provision(aws: Client, number: int, qualifier: str = "1", name: str = "hello") -> Any:
    return aws.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=number
    )


def config(aws: Client, qualifier: str, name: str = "hello") -> Any:
    return aws.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)


def unprovision(aws: Client, qualifier: str, name: str = "hello") -> Any:
    return aws.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)


async def members_of(call: Any) -> dict[str, Any]:
    answer = await call
    del answer["ResponseMetadata"]
    return answer


@pytest.mark.parametrize("qualifier", ["1", "green"])
async def test_it_is_asked_for_and_has_just_begun(
    deployed: Client, endpoint: Any, qualifier: str
) -> None:
    answer = await provision(deployed, 3, qualifier)
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    modified = answer.pop("LastModified")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", modified)
    begun = {
        "RequestedProvisionedConcurrentExecutions": 3,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }
    assert answer == begun
    assert await members_of(config(deployed, qualifier)) == {
        **begun,
        "AvailableProvisionedConcurrentExecutions": 0,
        "LastModified": modified,
    }
    assert endpoint.observer.provisioned == [KEY]


async def test_it_tells_how_far_it_has_come(deployed: Client, endpoint: Any) -> None:
    await provision(deployed, 3)
    endpoint.observer.states["1"] = ProvisionedState(
        status=ProvisionedStatus.FAILED,
        allocated=2,
        available=1,
        reason="FUNCTION_ERROR_INIT_FAILURE",
    )
    found = await members_of(config(deployed, "1"))
    del found["LastModified"]
    assert found == {
        "RequestedProvisionedConcurrentExecutions": 3,
        "AllocatedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 1,
        "Status": "FAILED",
        "StatusReason": "FUNCTION_ERROR_INIT_FAILURE",
    }


async def test_another_request_replaces_the_number(deployed: Client) -> None:
    await provision(deployed, 3)
    await provision(deployed, 5)
    found = await config(deployed, "1")
    assert found["RequestedProvisionedConcurrentExecutions"] == 5


async def test_it_is_removed_once_and_again(deployed: Client, endpoint: Any) -> None:
    await provision(deployed, 3)
    removed = await unprovision(deployed, "1")
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    await unprovision(deployed, "1")
    assert await error_of(config(deployed, "1")) == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    assert endpoint.observer.provisioned == [KEY, KEY]


@pytest.mark.parametrize("qualifier", ["$LATEST", "dev"])
async def test_latest_cannot_have_any(deployed: Client, qualifier: str) -> None:
    assert await error_of(provision(deployed, 1, qualifier)) == (400, INVALID, UNPUBLISHED)


async def test_latest_cannot_be_asked(deployed: Client) -> None:
    expected = (
        400,
        INVALID,
        "The function resource provided must be an alias or a published version.",
    )
    assert await error_of(config(deployed, "$LATEST")) == expected
    assert await error_of(unprovision(deployed, "$LATEST")) == expected


@pytest.mark.parametrize(
    ("qualifier", "name", "message"),
    [
        ("9", "hello", f"Function not found: {FUNCTION_ARN}:9"),
        ("gone", "hello", f"Cannot find alias arn: {FUNCTION_ARN}:gone"),
        ("1", "absent", f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}:1"),
        ("a", "absent", f"Cannot find alias arn: {FUNCTION_ARN.replace('hello', 'absent')}:a"),
    ],
)
async def test_what_does_not_exist_is_not_found(
    deployed: Client, qualifier: str, name: str, message: str
) -> None:
    expected = (404, "ResourceNotFoundException", message)
    assert await error_of(provision(deployed, 1, qualifier, name)) == expected
    assert await error_of(config(deployed, qualifier, name)) == expected
    assert await error_of(unprovision(deployed, qualifier, name)) == expected


async def test_a_version_and_its_alias_do_not_both_have_some(deployed: Client) -> None:
    await provision(deployed, 1, "1")
    await provision(deployed, 1, "green")
    assert await error_of(provision(deployed, 1, "blue")) == (
        409,
        "ResourceConflictException",
        (
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version"
        ),
    )
    assert await error_of(provision(deployed, 1, "2")) == (
        409,
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )


async def test_an_alias_of_two_versions_cannot_be_changed(deployed: Client) -> None:
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    await deployed.update_alias(FunctionName="hello", Name="blue", RoutingConfig=weights)
    assert await error_of(provision(deployed, 1, "blue")) == (
        400,
        INVALID,
        "Alias with weights can not be used with Provisioned Concurrency",
    )


async def test_it_fits_into_the_reservation(deployed: Client) -> None:
    await deployed.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=3)
    await provision(deployed, 2, "1")
    refused = (
        400,
        INVALID,
        (
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
        ),
    )
    assert await error_of(provision(deployed, 4, "1")) == refused
    assert await error_of(provision(deployed, 2, "2")) == refused
    await provision(deployed, 1, "2")


async def test_a_hundred_stay_unreserved(deployed: Client) -> None:
    assert await error_of(provision(deployed, 1001)) == (
        400,
        INVALID,
        (
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            "concurrency [1000]."
        ),
    )
    assert await error_of(provision(deployed, 901)) == (
        400,
        INVALID,
        (
            "Specified ConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100]."
        ),
    )
    await provision(deployed, 900)
    settings = await deployed.get_account_settings()
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    await provision(deployed, 900)
    assert (await error_of(provision(deployed, 1, "2")))[1] == INVALID


async def test_all_of_a_function_are_listed_page_by_page(deployed: Client) -> None:
    await deployed.create_function(**a_request(FunctionName="hello2", Publish=True))
    await provision(deployed, 9, "1", "hello2")
    await provision(deployed, 1, "1")
    await provision(deployed, 2, "green")
    first = await deployed.list_provisioned_concurrency_configs(FunctionName="hello", MaxItems=1)
    second = await deployed.list_provisioned_concurrency_configs(
        FunctionName="hello", Marker=first["NextMarker"]
    )
    assert "NextMarker" not in second
    items = [*first["ProvisionedConcurrencyConfigs"], *second["ProvisionedConcurrencyConfigs"]]
    assert [(item["FunctionArn"], item["Status"]) for item in items] == [
        (f"{FUNCTION_ARN}:1", "IN_PROGRESS"),
        (f"{FUNCTION_ARN}:green", "IN_PROGRESS"),
    ]
    assert await error_of(deployed.list_provisioned_concurrency_configs(FunctionName="absent")) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}",
    )


async def test_it_goes_with_its_alias_version_and_function(deployed: Client) -> None:
    async def listed() -> list[str]:
        found = await deployed.list_provisioned_concurrency_configs(FunctionName="hello")
        return [i["FunctionArn"].split(":")[-1] for i in found["ProvisionedConcurrencyConfigs"]]

    await provision(deployed, 1, "1")
    await provision(deployed, 1, "green")
    await deployed.delete_alias(FunctionName="hello", Name="green")
    await deployed.delete_alias(FunctionName="hello", Name="blue")
    assert await listed() == ["1"]
    await deployed.delete_function(FunctionName="hello", Qualifier="1")
    assert await listed() == []
    await provision(deployed, 1, "2")
    await deployed.delete_function(FunctionName="hello")
    await deployed.create_function(**a_request())
    assert await listed() == []


async def test_who_moves_an_alias_is_heard_by_the_data_plane(
    deployed: Client, endpoint: Any
) -> None:
    endpoint.observer.aliased.clear()
    await deployed.update_alias(FunctionName="hello", Name="green", FunctionVersion="1")
    await deployed.delete_alias(FunctionName="hello", Name="green")
    assert endpoint.observer.aliased == [KEY, KEY]
