"""What tools ask about resources that a function does not have."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of

ABSENT = ("ResourceNotFoundException", "The resource you requested does not exist.")


@pytest.fixture
async def deployed(aws: Client) -> Client:
    await aws.create_function(**a_request())
    return aws


@pytest.mark.parametrize(
    ("operation", "params", "answer"),
    [
        ("get_function_concurrency", {"FunctionName": "hello"}, {}),
        ("delete_function_concurrency", {"FunctionName": "hello"}, {}),
        ("get_function_code_signing_config", {"FunctionName": "hello"}, {}),
        ("list_aliases", {"FunctionName": "hello"}, {"Aliases": []}),
        ("list_event_source_mappings", {}, {"EventSourceMappings": []}),
        ("list_function_url_configs", {"FunctionName": "hello"}, {"FunctionUrlConfigs": []}),
        (
            "list_function_event_invoke_configs",
            {"FunctionName": "hello"},
            {"FunctionEventInvokeConfigs": []},
        ),
        (
            "list_provisioned_concurrency_configs",
            {"FunctionName": "hello"},
            {"ProvisionedConcurrencyConfigs": []},
        ),
        ("list_code_signing_configs", {}, {"CodeSigningConfigs": []}),
        ("list_layers", {}, {"Layers": []}),
        ("list_layer_versions", {"LayerName": "l"}, {"LayerVersions": []}),
    ],
)
async def test_nothing_is_listed_where_nothing_can_be_made(
    deployed: Client, operation: str, params: dict[str, Any], answer: dict[str, Any]
) -> None:
    found = await getattr(deployed, operation)(**params)
    del found["ResponseMetadata"]
    assert found == answer


@pytest.mark.parametrize(
    ("operation", "params", "error"),
    [
        ("get_policy", {"FunctionName": "hello"}, ABSENT),
        ("get_function_url_config", {"FunctionName": "hello"}, ABSENT),
        ("get_layer_version", {"LayerName": "l", "VersionNumber": 1}, ABSENT),
        (
            "get_alias",
            {"FunctionName": "hello", "Name": "live"},
            ("ResourceNotFoundException", f"Cannot find alias arn: {FUNCTION_ARN}:live"),
        ),
        (
            "get_function_event_invoke_config",
            {"FunctionName": "hello"},
            (
                "ResourceNotFoundException",
                f"The function {FUNCTION_ARN}:$LATEST doesn't have an EventInvokeConfig",
            ),
        ),
        (
            "list_function_url_configs",
            {"FunctionName": "absent"},
            ("ResourceNotFoundException", "Function does not exist"),
        ),
        (
            "get_policy",
            {"FunctionName": "absent"},
            (
                "ResourceNotFoundException",
                f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}",
            ),
        ),
    ],
)
async def test_what_does_not_exist_is_not_found(
    deployed: Client, operation: str, params: dict[str, Any], error: tuple[str, str]
) -> None:
    assert await error_of(getattr(deployed, operation)(**params)) == (404, *error)


async def test_latest_is_the_only_version(deployed: Client) -> None:
    [version] = (await deployed.list_versions_by_function(FunctionName="hello"))["Versions"]
    assert (version["Version"], version["FunctionArn"]) == ("$LATEST", f"{FUNCTION_ARN}:$LATEST")
    assert "State" not in version


async def test_account_settings_count_what_is_deployed(deployed: Client) -> None:
    settings = await deployed.get_account_settings()
    size = (await deployed.get_function_configuration(FunctionName="hello"))["CodeSize"]
    assert settings["AccountUsage"] == {"TotalCodeSize": size, "FunctionCount": 1}
    assert settings["AccountLimit"] == {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
