"""Reserved concurrency and account settings, as boto3 sees them."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException
from lambdad.testing.clients import Client
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of

KEY = FunctionKey(account_id="000000000000", region="us-east-1", name="hello")
NOT_QUALIFIED = (
    400,
    "InvalidParameterValueException",
    (
        "This operation is permitted on Lambda functions only. Aliases and versions do not support "
        "this operation. Please specify either a function name or an unqualified function ARN."
    ),
)


@pytest.fixture
async def deployed(aws: Client) -> Client:
    await aws.create_function(**a_request(Publish=True))
    await aws.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    return aws


async def unreserved(aws: Client) -> int:
    limits = (await aws.get_account_settings())["AccountLimit"]
    return limits["UnreservedConcurrentExecutions"]


async def reserve(aws: Client, number: int, name: str = "hello") -> dict[str, Any]:
    return await aws.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=number
    )


async def provision(aws: Client, number: int, qualifier: str = "1") -> dict[str, Any]:
    return await aws.put_provisioned_concurrency_config(
        FunctionName="hello", Qualifier=qualifier, ProvisionedConcurrentExecutions=number
    )


async def test_a_reservation_is_read_back_and_removed(deployed: Client, endpoint: Any) -> None:
    answer = await reserve(deployed, 7)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ReservedConcurrentExecutions"] == 7
    found = await deployed.get_function_concurrency(FunctionName="hello")
    assert found["ReservedConcurrentExecutions"] == 7
    removed = await deployed.delete_function_concurrency(FunctionName="hello")
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    found = await deployed.get_function_concurrency(FunctionName="hello")
    assert "ReservedConcurrentExecutions" not in found
    await deployed.delete_function_concurrency(FunctionName="hello")
    assert endpoint.observer.reservations == [(KEY, 7), (KEY, None), (KEY, None)]


@pytest.mark.parametrize("number", [0, 7])
async def test_get_function_tells_the_reservation(deployed: Client, number: int) -> None:
    assert "Concurrency" not in await deployed.get_function(FunctionName="hello")
    await reserve(deployed, number)
    for qualifier in ({}, {"Qualifier": "1"}):
        found = await deployed.get_function(FunctionName="hello", **qualifier)
        assert found["Concurrency"] == {"ReservedConcurrentExecutions": number}


async def test_a_hundred_stay_unreserved(deployed: Client) -> None:
    refused = await error_of(reserve(deployed, 901))
    assert refused == (
        400,
        "InvalidParameterValueException",
        (
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100]."
        ),
    )
    await reserve(deployed, 900)
    assert await unreserved(deployed) == 100
    await deployed.create_function(**a_request(FunctionName="other"))
    assert (await error_of(reserve(deployed, 1, "other")))[1] == "InvalidParameterValueException"
    await reserve(deployed, 0, "other")
    await reserve(deployed, 899)
    await reserve(deployed, 1, "other")
    assert await unreserved(deployed) == 100


async def test_a_reservation_covers_what_is_provisioned(deployed: Client) -> None:
    await provision(deployed, 2)
    assert await error_of(reserve(deployed, 1)) == (
        400,
        "InvalidParameterValueException",
        (
            " ReservedConcurrentExecutions  1 should not be lower than function's total "
            "provisioned concurrency [2]."
        ),
    )
    await reserve(deployed, 5)
    assert await unreserved(deployed) == 995


@pytest.mark.parametrize("name", ["hello:1", "hello:live", "hello:$LATEST", f"{FUNCTION_ARN}:1"])
@pytest.mark.parametrize("operation", ["put", "get", "delete"])
async def test_versions_and_aliases_have_no_reservation(
    deployed: Client, operation: str, name: str
) -> None:
    more = {"ReservedConcurrentExecutions": 1} if operation == "put" else {}
    call = getattr(deployed, f"{operation}_function_concurrency")
    assert await error_of(call(FunctionName=name, **more)) == NOT_QUALIFIED


async def test_functions_that_do_not_exist_are_named_as_aws_does(aws: Client) -> None:
    latest = (404, "ResourceNotFoundException", f"Function not found: {FUNCTION_ARN}:$LATEST")
    assert await error_of(reserve(aws, 1)) == latest
    assert await error_of(aws.delete_function_concurrency(FunctionName="hello")) == latest
    found = await error_of(aws.get_function_concurrency(FunctionName="hello"))
    assert found == (404, "ResourceNotFoundException", f"Function not found: {FUNCTION_ARN}")


async def test_a_reservation_goes_with_its_function(deployed: Client) -> None:
    await reserve(deployed, 50)
    await deployed.delete_function(FunctionName="hello")
    assert await unreserved(deployed) == 1000
    await deployed.create_function(**a_request())
    assert "Concurrency" not in await deployed.get_function(FunctionName="hello")


async def test_accounts_and_regions_reserve_apart(deployed: Client, endpoint: Any) -> None:
    await reserve(deployed, 900)
    for options in ({"region": "eu-west-1"}, {"access_key": "111111111111"}):
        elsewhere = endpoint.client(**options)
        assert await unreserved(elsewhere) == 1000
        await elsewhere.create_function(**a_request())
        await reserve(elsewhere, 900)


async def test_a_throttled_invocation_has_the_body_that_aws_sends(
    deployed: Client, endpoint: Any
) -> None:
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    endpoint.invoker.failure = TooManyRequestsException(
        "Rate Exceeded.", Reason=reason, Type="User", retryAfterSeconds="1"
    )
    refused = await error_of(deployed.invoke(FunctionName="hello"))
    assert refused == (429, "TooManyRequestsException", "Rate Exceeded.")
    response = deployed.responses[-1]
    expected = b'{"Type":"User","Reason":"%s","message":"Rate Exceeded."}' % reason.encode()
    assert response.body == expected
    assert response.headers["Retry-After"] == "1"
    assert response.headers["x-amzn-ErrorType"] == "TooManyRequestsException"


async def test_scaling_by_capacity_providers_is_refused_honestly(deployed: Client) -> None:
    params = {"FunctionName": "hello", "Qualifier": "1"}
    for call in (
        deployed.get_function_scaling_config(**params),
        deployed.put_function_scaling_config(**params, FunctionScalingConfig={}),
    ):
        status, code, message = await error_of(call)
        assert (status, code) == (400, "NotImplementedException")
        assert "capacity providers" in message
