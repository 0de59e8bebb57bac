"""What changes a function and what is attached to it, as steps of the crash test's script."""

from __future__ import annotations

import json
from collections.abc import Callable

from lambdad.testing.crash.world import (
    ATTACHED,
    Model,
    Params,
    Step,
    World,
    digest,
    named,
    package,
    put,
)
from lambdad.testing.deploy import ROLE, RUNTIME


def _create(world: World, _: Model) -> Params:
    return {
        "FunctionName": world.name,
        "Runtime": RUNTIME,
        "Handler": "app.handler",
        "Role": ROLE,
        "Description": f"made {world.round}",
        "Code": {"ZipFile": package(f"first {world.round}")},
        "Tags": {"round": str(world.round)},
    }


def _created(world: World, model: Model) -> None:
    sha = digest(package(f"first {world.round}"))
    model["function"] = [sha, f"made {world.round}"]
    model["tags"] = {"round": str(world.round)}


def _published(world: World, model: Model) -> None:
    sha, _ = model["function"]
    model["versions"][world.versions[0]] = [sha, f"published {world.round}"]


def _recoded(world: World, model: Model) -> None:
    """One call that changes the code and publishes it."""
    sha = digest(package(f"second {world.round}"))
    model["function"][0] = sha
    model["versions"][world.versions[1]] = list(model["function"])


def _configured(world: World, model: Model) -> None:
    model["function"][1] = f"changed {world.round}"


def _alias(which: int) -> Callable[[World, Model], None]:
    def effect(world: World, model: Model) -> None:
        model["aliases"]["live"] = [world.versions[which], f"alias {world.round}"]

    return effect


def _tagged(world: World, model: Model) -> None:
    model["tags"]["more"] = str(world.round)


def _untagged(_: World, model: Model) -> None:
    model["tags"].pop("round", None)


def _policy(*names: str) -> Callable[[World, Model], None]:
    return put("policy", lambda _: list(names))


def _resource_policy(world: World, _: Model) -> Params:
    statement = {
        "Sid": "whole",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "lambda:InvokeFunction",
        "Resource": world.arn,
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"ResourceArn": world.arn, "Policy": json.dumps(policy)}


def _permission(world: World, _: Model) -> Params:
    return {
        "FunctionName": world.name,
        "StatementId": f"s{world.round}",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }


def _deleted(_: World, model: Model) -> None:
    model.update(json.loads(json.dumps(ATTACHED)))


FIRST = (
    Step("lambda", "CreateFunction", _create, _created),
    Step(
        "lambda",
        "PublishVersion",
        lambda world, _: {"FunctionName": world.name, "Description": f"published {world.round}"},
        _published,
    ),
    Step(
        "lambda",
        "CreateAlias",
        lambda world, _: {
            "FunctionName": world.name,
            "Name": "live",
            "FunctionVersion": world.versions[0],
            "Description": f"alias {world.round}",
        },
        _alias(0),
    ),
    Step(
        "lambda",
        "UpdateFunctionConfiguration",
        lambda world, _: {"FunctionName": world.name, "Description": f"changed {world.round}"},
        _configured,
    ),
    Step(
        "lambda",
        "UpdateFunctionCode",
        lambda world, _: {
            "FunctionName": world.name,
            "ZipFile": package(f"second {world.round}"),
            "Publish": True,
        },
        _recoded,
    ),
    Step(
        "lambda",
        "UpdateAlias",
        lambda world, _: {
            "FunctionName": world.name,
            "Name": "live",
            "FunctionVersion": world.versions[1],
        },
        _alias(1),
    ),
)
ATTACHMENTS = (
    Step(
        "lambda",
        "TagResource",
        lambda world, _: {"Resource": world.arn, "Tags": {"more": str(world.round)}},
        _tagged,
    ),
    Step(
        "lambda",
        "UntagResource",
        lambda world, _: {"Resource": world.arn, "TagKeys": ["round"]},
        _untagged,
    ),
    Step("lambda", "AddPermission", _permission, put("policy", lambda world: [f"s{world.round}"])),
    Step(
        "lambda",
        "RemovePermission",
        lambda world, _: {"FunctionName": world.name, "StatementId": f"s{world.round}"},
        _policy(),
    ),
    Step("lambda", "PutResourcePolicy", _resource_policy, _policy("whole")),
    Step("lambda", "DeleteResourcePolicy", lambda world, _: {"ResourceArn": world.arn}, _policy()),
    Step(
        "lambda",
        "PutFunctionConcurrency",
        named(ReservedConcurrentExecutions=2),
        put("concurrency", lambda _: 2),
    ),
    Step(
        "lambda",
        "PutProvisionedConcurrencyConfig",
        named(Qualifier="live", ProvisionedConcurrentExecutions=1),
        put("provisioned", lambda _: {"live": 1}),
    ),
    Step(
        "lambda",
        "DeleteProvisionedConcurrencyConfig",
        named(Qualifier="live"),
        put("provisioned", lambda _: {}),
    ),
    Step("lambda", "DeleteFunctionConcurrency", named(), put("concurrency", lambda _: None)),
    Step(
        "lambda",
        "PutFunctionEventInvokeConfig",
        named(MaximumRetryAttempts=1),
        put("event_invoke", lambda _: [1, None]),
    ),
    Step(
        "lambda",
        "UpdateFunctionEventInvokeConfig",
        named(MaximumEventAgeInSeconds=600),
        put("event_invoke", lambda _: [1, 600]),
    ),
    Step(
        "lambda",
        "DeleteFunctionEventInvokeConfig",
        named(),
        put("event_invoke", lambda _: None),
    ),
    Step(
        "lambda",
        "CreateFunctionUrlConfig",
        named(AuthType="AWS_IAM"),
        put("url", lambda _: "AWS_IAM"),
    ),
    Step(
        "lambda",
        "UpdateFunctionUrlConfig",
        named(AuthType="NONE"),
        put("url", lambda _: "NONE"),
    ),
    Step("lambda", "DeleteFunctionUrlConfig", named(), put("url", lambda _: None)),
    Step(
        "lambda",
        "PutFunctionRecursionConfig",
        named(RecursiveLoop="Allow"),
        put("recursion", lambda _: "Allow"),
    ),
    Step(
        "lambda",
        "PutRuntimeManagementConfig",
        named(UpdateRuntimeOn="FunctionUpdate"),
        put("runtime_management", lambda _: "FunctionUpdate"),
    ),
)
LAST = (
    Step("lambda", "DeleteAlias", named(Name="live"), put("aliases", lambda _: {})),
    Step("lambda", "DeleteFunction", named(), _deleted),
)
