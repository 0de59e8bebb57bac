"""What changes layers, mappings, code signing configurations and logs, as steps of the script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.testing.crash.world import Model, Params, Step, World, digest, named, package, put
from lambdad.testing.deploy import ROLE

# A made-up signer; nobody asks AWS whether it exists.
_SIGNER = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/Profile/"


def _layer_params(world: World, _: Model) -> Params:
    return {
        "LayerName": world.name,
        "Description": f"layer {world.round}",
        "Content": {"ZipFile": package(f"layer {world.round}")},
    }


def _layer_published(world: World, model: Model) -> None:
    sha = digest(package(f"layer {world.round}"))
    model["layer"][str(world.round + 1)] = [sha, f"layer {world.round}"]


def _layer_permission(world: World, _: Model) -> Params:
    return {
        "LayerName": world.name,
        "VersionNumber": world.round + 1,
        "StatementId": "all",
        "Action": "lambda:GetLayerVersion",
        "Principal": "*",
    }


def _layer_version(**more: Any) -> Callable[[World, Model], Params]:
    return lambda world, _: {"LayerName": world.name, "VersionNumber": world.round + 1, **more}


def _layer_gone(world: World, model: Model) -> None:
    model["layer"].pop(str(world.round + 1), None)
    model["layer_policy"] = []


def _signing(world: World, _: Model) -> Params:
    return {
        "Description": world.name,
        "AllowedPublishers": {"SigningProfileVersionArns": [f"{_SIGNER}0123456789"]},
    }


def _signing_params(**more: Any) -> Callable[[World, Model], Params]:
    return lambda world, _: {"CodeSigningConfigArn": world.ids["signing"], **more}


def _mapping(world: World, _: Model) -> Params:
    return {
        "FunctionName": world.name,
        "EventSourceArn": world.source,
        "BatchSize": 1 + world.round % 10,
        "Enabled": False,
    }


def _group(**more: Any) -> Callable[[World, Model], Params]:
    return lambda world, _: {"logGroupName": world.group, **more}


def _group_arn(**more: Any) -> Callable[[World, Model], Params]:
    return lambda world, _: {"resourceArn": world.group_arn, **more}


def _in_group(facet: str, value: Any) -> Callable[[World, Model], None]:
    def effect(_: World, model: Model) -> None:
        model["log_group"][facet] = value

    return effect


_EMPTY_GROUP: Mapping[str, Any] = {
    "retention": None,
    "tags": {},
    "metric_filters": [],
    "subscriptions": [],
    "streams": {},
}

BESIDES = (
    Step(
        "lambda", "CreateEventSourceMapping", _mapping, put("mapping", lambda w: 1 + w.round % 10)
    ),
    Step(
        "lambda",
        "UpdateEventSourceMapping",
        lambda world, _: {"UUID": world.ids["mapping"], "BatchSize": 9},
        put("mapping", lambda _: 9),
    ),
    Step(
        "lambda",
        "DeleteEventSourceMapping",
        lambda world, _: {"UUID": world.ids["mapping"]},
        put("mapping", lambda _: None),
    ),
    Step("lambda", "CreateCodeSigningConfig", _signing, put("signing", lambda _: "Warn")),
    Step(
        "lambda",
        "UpdateCodeSigningConfig",
        _signing_params(CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}),
        put("signing", lambda _: "Enforce"),
    ),
    Step(
        "lambda",
        "PutFunctionCodeSigningConfig",
        lambda world, _: {
            "FunctionName": world.name,
            "CodeSigningConfigArn": world.ids["signing"],
        },
        put("code_signing", lambda _: True),
    ),
    Step(
        "lambda",
        "DeleteFunctionCodeSigningConfig",
        named(),
        put("code_signing", lambda _: False),
    ),
    Step("lambda", "DeleteCodeSigningConfig", _signing_params(), put("signing", lambda _: None)),
    Step("lambda", "PublishLayerVersion", _layer_params, _layer_published),
    Step(
        "lambda",
        "AddLayerVersionPermission",
        _layer_permission,
        put("layer_policy", lambda _: ["all"]),
    ),
    Step(
        "lambda",
        "RemoveLayerVersionPermission",
        _layer_version(StatementId="all"),
        put("layer_policy", lambda _: []),
    ),
    Step("lambda", "DeleteLayerVersion", _layer_version(), _layer_gone),
)
LOGS = (
    Step(
        "logs",
        "CreateLogGroup",
        _group(),
        put("log_group", lambda _: json.loads(json.dumps(_EMPTY_GROUP))),
    ),
    Step("logs", "PutRetentionPolicy", _group(retentionInDays=7), _in_group("retention", 7)),
    Step("logs", "DeleteRetentionPolicy", _group(), _in_group("retention", None)),
    Step("logs", "TagLogGroup", _group(tags={"a": "1"}), _in_group("tags", {"a": "1"})),
    Step(
        "logs",
        "TagResource",
        _group_arn(tags={"b": "2"}),
        _in_group("tags", {"a": "1", "b": "2"}),
    ),
    Step("logs", "UntagResource", _group_arn(tagKeys=["a"]), _in_group("tags", {"b": "2"})),
    Step("logs", "UntagLogGroup", _group(tags=["b"]), _in_group("tags", {})),
    Step("logs", "CreateLogStream", _group(logStreamName="s"), _in_group("streams", {"s": []})),
    Step(
        "logs",
        "PutLogEvents",
        lambda world, model: {
            "logGroupName": world.group,
            "logStreamName": "s",
            "logEvents": [
                {"timestamp": model["now_ms"] + each, "message": f"line {each}"}
                for each in range(3)
            ],
        },
        _in_group("streams", {"s": ["line 0", "line 1", "line 2"]}),
    ),
    Step(
        "logs",
        "PutMetricFilter",
        _group(
            filterName="m",
            filterPattern="ERROR",
            metricTransformations=[
                {"metricName": "n", "metricNamespace": "crash", "metricValue": "1"}
            ],
        ),
        _in_group("metric_filters", ["m"]),
    ),
    Step("logs", "DeleteMetricFilter", _group(filterName="m"), _in_group("metric_filters", [])),
    Step(
        "logs",
        "PutSubscriptionFilter",
        lambda world, _: {
            "logGroupName": world.group,
            "filterName": "s",
            "filterPattern": "never",
            "destinationArn": world.stream,
            "roleArn": ROLE,
        },
        _in_group("subscriptions", ["s"]),
    ),
    Step(
        "logs",
        "DeleteSubscriptionFilter",
        _group(filterName="s"),
        _in_group("subscriptions", []),
    ),
    Step("logs", "DeleteLogStream", _group(logStreamName="s"), _in_group("streams", {})),
    Step("logs", "DeleteLogGroup", _group(), put("log_group", lambda _: None)),
)
