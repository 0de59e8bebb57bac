"""What changes resources of the neighbouring services, as steps of a script of their own.

Each round has names of its own, as some services do not give a name again at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from lambdad.testing.crash.world import Model, Params, Step, World
from lambdad.testing.deploy import ROLE

Effect = Callable[[World, Model], None]

_TEMPLATE = {"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}
_RULES = json.dumps({"rules": [{"rulePriority": 1, "description": "of the crash test" * 6}]})
_TARGET = {"Arn": "arn:aws:sqs:us-east-1:000000000000:nobody", "RoleArn": ROLE}
_FACETS = ("api", "bucket", "bus", "queue", "repository", "schedules", "stack", "stream", "table")


def nothing_of_services() -> Model:
    """What a world is before its first step."""
    return dict.fromkeys((*_FACETS, "topic"))


def name_of(world: World) -> str:
    """What everything of a round is called."""
    return f"{world.name}-n{world.round}"


def _is(facet: str, value: Any) -> Effect:
    """An effect: the facet is this; a fresh copy, as others change it."""

    def effect(_: World, model: Model) -> None:
        model[facet] = json.loads(json.dumps(value))

    return effect


def _has(facet: str, member: str, value: Any) -> Effect:
    """An effect: a member of the facet is this."""

    def effect(_: World, model: Model) -> None:
        model[facet][member] = value

    return effect


def _lacks(facet: str, member: str) -> Effect:
    def effect(_: World, model: Model) -> None:
        model[facet].pop(member, None)

    return effect


def _step(service: str, operation: str, naming: str, effect: Effect, **more: Any) -> Step:
    """A step on what has the round's name in the parameter `naming`."""

    def params(world: World, _: Model) -> Params:
        return {naming: name_of(world), **more}

    return Step(service, operation, params, effect)


def _queue(operation: str, effect: Effect, **more: Any) -> Step:
    def params(world: World, _: Model) -> Params:
        return {"QueueUrl": f"/000000000000/{name_of(world)}", **more}

    return Step("sqs", operation, params, effect)


def _topic(operation: str, effect: Effect, **more: Any) -> Step:
    def params(world: World, _: Model) -> Params:
        return {"TopicArn": f"arn:aws:sns:us-east-1:000000000000:{name_of(world)}", **more}

    return Step("sns", operation, params, effect)


def _api(operation: str, effect: Effect, **more: Any) -> Step:
    def params(world: World, _: Model) -> Params:
        return {"ApiId": world.ids["api"], **more}

    return Step("apigatewayv2", operation, params, effect)


def _item(operation: str, effect: Effect, **more: Any) -> Step:
    return _step("dynamodb", operation, "TableName", effect, **more)


_KEY = {"id": {"S": "k"}}
_EVENT_RULE: Any = {"Name": "r", "EventPattern": '{"source":["crash"]}'}
_SCHEDULE: Any = {
    "Name": "s",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": _TARGET,
    "State": "DISABLED",
}

_OBJECTS = (
    _step("s3", "CreateBucket", "Bucket", _is("bucket", {})),
    _step("s3", "PutObject", "Bucket", _has("bucket", "small", 5), Key="small", Body=b"small"),
    _step("s3", "PutObject", "Bucket", _has("bucket", "l", 300_000), Key="l", Body=b"x" * 300_000),
    _step("s3", "DeleteObject", "Bucket", _lacks("bucket", "small"), Key="small"),
    _step("s3", "DeleteObject", "Bucket", _lacks("bucket", "l"), Key="l"),
    _step("s3", "DeleteBucket", "Bucket", _is("bucket", None)),
)
_MESSAGES = (
    _step("sqs", "CreateQueue", "QueueName", _is("queue", {"timeout": "30", "tags": {}})),
    _queue(
        "SetQueueAttributes", _has("queue", "timeout", "7"), Attributes={"VisibilityTimeout": "7"}
    ),
    _queue("TagQueue", _has("queue", "tags", {"a": "1"}), Tags={"a": "1"}),
    _queue("UntagQueue", _has("queue", "tags", {}), TagKeys=["a"]),
    _queue("DeleteQueue", _is("queue", None)),
    _step("sns", "CreateTopic", "Name", _is("topic", {"display": ""})),
    _topic(
        "SetTopicAttributes",
        _has("topic", "display", "shown"),
        AttributeName="DisplayName",
        AttributeValue="shown",
    ),
    _topic("DeleteTopic", _is("topic", None)),
)
_RECORDS = (
    _item(
        "CreateTable",
        _is("table", {}),
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    ),
    _item("PutItem", _has("table", "k", "1"), Item={**_KEY, "n": {"N": "1"}}),
    _item(
        "UpdateItem",
        _has("table", "k", "2"),
        Key=_KEY,
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "2"}},
    ),
    _item("DeleteItem", _lacks("table", "k"), Key=_KEY),
    _item("DeleteTable", _is("table", None)),
    _step("kinesis", "CreateStream", "StreamName", _is("stream", {}), ShardCount=1),
    _step("kinesis", "AddTagsToStream", "StreamName", _has("stream", "a", "1"), Tags={"a": "1"}),
    _step("kinesis", "DeleteStream", "StreamName", _is("stream", None)),
)
_EVENTS = (
    _step("events", "CreateEventBus", "Name", _is("bus", {})),
    _step("events", "PutRule", "EventBusName", _has("bus", "r", "ENABLED"), **_EVENT_RULE),
    _step("events", "DisableRule", "EventBusName", _has("bus", "r", "DISABLED"), Name="r"),
    _step("events", "DeleteRule", "EventBusName", _lacks("bus", "r"), Name="r"),
    _step("events", "DeleteEventBus", "Name", _is("bus", None)),
    _step("scheduler", "CreateScheduleGroup", "Name", _is("schedules", {})),
    _step(
        "scheduler",
        "CreateSchedule",
        "GroupName",
        _has("schedules", "s", "rate(1 hour)"),
        ScheduleExpression="rate(1 hour)",
        **_SCHEDULE,
    ),
    _step(
        "scheduler",
        "UpdateSchedule",
        "GroupName",
        _has("schedules", "s", "rate(2 hours)"),
        ScheduleExpression="rate(2 hours)",
        **_SCHEDULE,
    ),
    _step("scheduler", "DeleteSchedule", "GroupName", _lacks("schedules", "s"), Name="s"),
    _step("scheduler", "DeleteScheduleGroup", "Name", _is("schedules", None)),
)
_OTHERS = (
    _step("apigatewayv2", "CreateApi", "Name", _is("api", {}), ProtocolType="HTTP"),
    _api("UpdateApi", _has("api", "description", "changed"), Description="changed"),
    _api("CreateRoute", _has("api", "route", "GET /"), RouteKey="GET /"),
    _api("DeleteApi", _is("api", None)),
    _step(
        "cloudformation",
        "CreateStack",
        "StackName",
        _is("stack", "CREATE_COMPLETE"),
        TemplateBody=json.dumps(_TEMPLATE),
    ),
    _step("cloudformation", "DeleteStack", "StackName", _is("stack", None)),
    _step("ecr", "CreateRepository", "repositoryName", _is("repository", {})),
    _step(
        "ecr",
        "PutLifecyclePolicy",
        "repositoryName",
        _has("repository", "policy", _RULES),
        lifecyclePolicyText=_RULES,
    ),
    _step("ecr", "DeleteRepository", "repositoryName", _is("repository", None)),
)
SERVICE_SCRIPT: Sequence[Step] = (*_OBJECTS, *_MESSAGES, *_RECORDS, *_EVENTS, *_OTHERS)
