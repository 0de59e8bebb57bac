"""Reads what there is of a world from a daemon, in the form in which clients know it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions

from lambdad.testing.crash.world import Model, World, nothing
from lambdad.testing.deploy import Deployer

_SETTLE_S = 30.0
_PAUSE_S = 0.05


def observe(user: Deployer, world: World) -> tuple[Model, dict[str, str]]:
    """Return what there is, once no transition is under way, and the names that servers give."""
    ids: dict[str, str] = {}
    model = nothing()
    _observe_function(user.lambda_, world, model)
    model["layer"], model["layer_policy"] = _layers(user.lambda_, world)
    model["mapping"] = _mapping(user.lambda_, world, ids)
    model["signing"] = _signing(user.lambda_, world, ids)
    model["log_group"] = _log_group(user.logs, world)
    return model, ids


def settled_function(client: Any, name: str) -> Any:
    """`GetFunction` once its creation or update is over; None when there is no such function."""
    return _settled(lambda: _maybe(client.get_function, FunctionName=name), _function_settled)


def _maybe(call: Callable[..., Any], **params: Any) -> Any:
    """Call; None when there is no such thing."""
    try:
        return call(**params)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def _settled(read: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    found = None
    for _ in range(int(_SETTLE_S / _PAUSE_S)):
        found = read()
        if done(found):
            return found
        time.sleep(_PAUSE_S)
    raise AssertionError(f"a transition does not end: {found}")


def _observe_function(client: Any, world: World, model: Model) -> None:
    name = {"FunctionName": world.name}
    found = settled_function(client, world.name)
    if found is not None:
        configuration = found["Configuration"]
        model["function"] = [configuration["CodeSha256"], configuration["Description"]]
        model["tags"] = found.get("Tags", {})
        model["concurrency"] = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    # Asked for even when there is no function: what belongs to one may not outlive it.
    model["versions"] = _versions(client, name)
    listed = _maybe(client.list_aliases, **name) or {"Aliases": []}
    model["aliases"] = {
        alias["Name"]: [alias["FunctionVersion"], alias["Description"]]
        for alias in listed["Aliases"]
    }
    _observe_attachments(client, name, model)


def _function_settled(found: Any) -> bool:
    if found is None:
        return True
    configuration = found["Configuration"]
    assert configuration["State"] != "Failed", configuration
    settled: tuple[str, str] = (configuration["State"], configuration["LastUpdateStatus"])
    return settled[0] != "Pending" and settled[1] == "Successful"


def _versions(client: Any, name: dict[str, str]) -> dict[str, list[str]]:
    listed = _maybe(client.list_versions_by_function, **name) or {"Versions": []}
    return {
        version["Version"]: [version["CodeSha256"], version["Description"]]
        for version in listed["Versions"]
        if version["Version"] != "$LATEST"
    }


def _observe_attachments(client: Any, name: dict[str, str], model: Model) -> None:
    policy = _maybe(client.get_policy, **name)
    if policy is not None:
        model["policy"] = _statements(policy)
    provisioned = _maybe(client.list_provisioned_concurrency_configs, **name)
    for config in (provisioned or {}).get("ProvisionedConcurrencyConfigs", ()):
        qualifier = config["FunctionArn"].rpartition(":")[2]
        requested = config["RequestedProvisionedConcurrentExecutions"]
        model["provisioned"][qualifier] = requested
    url = _maybe(client.get_function_url_config, **name)
    model["url"] = None if url is None else url["AuthType"]
    config = _maybe(client.get_function_event_invoke_config, **name)
    if config is not None:
        age, retries = config.get("MaximumEventAgeInSeconds"), config.get("MaximumRetryAttempts")
        model["event_invoke"] = [retries, age]
    recursion = _maybe(client.get_function_recursion_config, **name)
    model["recursion"] = _unless("Terminate", (recursion or {}).get("RecursiveLoop"))
    runtime = _maybe(client.get_runtime_management_config, **name)
    model["runtime_management"] = _unless("Auto", (runtime or {}).get("UpdateRuntimeOn"))
    signing = _maybe(client.get_function_code_signing_config, **name)
    model["code_signing"] = bool((signing or {}).get("CodeSigningConfigArn"))


def _unless(default: str, value: str | None) -> str | None:
    return None if value == default else value


def _statements(answer: Any) -> list[str]:
    return [statement["Sid"] for statement in json.loads(answer["Policy"])["Statement"]]


def _layers(client: Any, world: World) -> tuple[dict[str, list[str]], list[str]]:
    layers, policy = {}, []
    listed = client.list_layer_versions(LayerName=world.name)["LayerVersions"]
    for version in listed:
        named = {"LayerName": world.name, "VersionNumber": version["Version"]}
        content = client.get_layer_version(**named)["Content"]
        layers[str(version["Version"])] = [content["CodeSha256"], version["Description"]]
        answer = _maybe(client.get_layer_version_policy, **named)
        policy += [] if answer is None else _statements(answer)
    return layers, policy


def _mapping(client: Any, world: World, ids: dict[str, str]) -> int | None:
    mappings = _settled(
        lambda: client.list_event_source_mappings(EventSourceArn=world.source)[
            "EventSourceMappings"
        ],
        lambda found: all(each["State"] in ("Enabled", "Disabled") for each in found),
    )
    assert len(mappings) < 2, mappings
    for mapping in mappings:
        ids["mapping"] = mapping["UUID"]
        return int(mapping["BatchSize"])
    return None


def _signing(client: Any, world: World, ids: dict[str, str]) -> str | None:
    pages = client.get_paginator("list_code_signing_configs").paginate()
    for page in pages:
        for config in page["CodeSigningConfigs"]:
            if config["Description"] == world.name:
                ids["signing"] = config["CodeSigningConfigArn"]
                return str(config["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"])
    return None


def _log_group(client: Any, world: World) -> dict[str, Any] | None:
    groups = client.describe_log_groups(logGroupNamePrefix=world.group)["logGroups"]
    for group in groups:
        streams = client.describe_log_streams(logGroupName=world.group)["logStreams"]
        return {
            "retention": group.get("retentionInDays"),
            "tags": client.list_tags_log_group(logGroupName=world.group)["tags"],
            "metric_filters": [
                each["filterName"]
                for each in client.describe_metric_filters(logGroupName=world.group)[
                    "metricFilters"
                ]
            ],
            "subscriptions": [
                each["filterName"]
                for each in client.describe_subscription_filters(logGroupName=world.group)[
                    "subscriptionFilters"
                ]
            ],
            "streams": {
                stream["logStreamName"]: _messages(client, world, stream["logStreamName"])
                for stream in streams
            },
        }
    return None


def _messages(client: Any, world: World, stream: str) -> list[str]:
    answer = client.get_log_events(
        logGroupName=world.group, logStreamName=stream, startFromHead=True
    )
    return [event["message"] for event in answer["events"]]
