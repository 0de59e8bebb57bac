"""Reads what there is of a world's resources in the neighbouring services."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import botocore.exceptions

from lambdad.testing.crash.service_steps import name_of, nothing_of_services
from lambdad.testing.crash.world import Model, World

Clients = Callable[[str], Any]

_SETTLE_S = 60.0
_PAUSE_S = 0.05
_ABSENT = (
    *("NoSuchBucket", "ResourceNotFoundException", "NotFound", "NotFoundException", "404"),
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    *("RepositoryNotFoundException", "ValidationError", "LifecyclePolicyNotFoundException"),
)


def observe_services(clients: Clients, world: World) -> tuple[Model, dict[str, str]]:
    """Return what there is, once nothing is under way, and the names that servers give."""
    model, ids = nothing_of_services(), dict[str, str]()
    name = name_of(world)
    for facet, look in _LOOKS.items():
        model[facet] = _or_none(look, clients, name)
    for api in clients("apigatewayv2").get_apis()["Items"]:
        if api["Name"] == name:
            ids["api"] = api["ApiId"]
            model["api"] = _api(clients, api)
    return model, ids


def _or_none(look: Callable[[Clients, str], Any], clients: Clients, name: str) -> Any:
    try:
        return look(clients, name)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise


def _bucket(clients: Clients, name: str) -> Mapping[str, int]:
    listed = clients("s3").list_objects_v2(Bucket=name).get("Contents", ())
    for each in listed:
        body = clients("s3").get_object(Bucket=name, Key=each["Key"])["Body"].read()
        assert len(body) == each["Size"], each
    return {each["Key"]: each["Size"] for each in listed}


def _queue(clients: Clients, name: str) -> Mapping[str, Any]:
    sqs, url = clients("sqs"), f"/000000000000/{name}"
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    return {"timeout": found["Attributes"]["VisibilityTimeout"], "tags": tags}


def _topic(clients: Clients, name: str) -> Mapping[str, str]:
    arn = f"arn:aws:sns:us-east-1:000000000000:{name}"
    found = clients("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return {"display": found.get("DisplayName", "")}


def _table(clients: Clients, name: str) -> Mapping[str, str] | None:
    dynamodb = clients("dynamodb")

    def read() -> str | None:
        try:
            return str(dynamodb.describe_table(TableName=name)["Table"]["TableStatus"])
        except dynamodb.exceptions.ResourceNotFoundException:
            return None

    if _settled(read, "ACTIVE", None) is None:
        return None
    items = dynamodb.scan(TableName=name)["Items"]
    return {item["id"]["S"]: item["n"]["N"] for item in items}


def _stream(clients: Clients, name: str) -> Mapping[str, str] | None:
    kinesis = clients("kinesis")
    kinesis.describe_stream_summary(StreamName=name)
    listed = kinesis.list_tags_for_stream(StreamName=name)["Tags"]
    return {each["Key"]: each["Value"] for each in listed}


def _bus(clients: Clients, name: str) -> Mapping[str, str]:
    clients("events").describe_event_bus(Name=name)
    rules = clients("events").list_rules(EventBusName=name)["Rules"]
    return {rule["Name"]: rule["State"] for rule in rules}


def _schedules(clients: Clients, name: str) -> Mapping[str, str]:
    scheduler = clients("scheduler")
    scheduler.get_schedule_group(Name=name)
    listed = scheduler.list_schedules(GroupName=name)["Schedules"]
    found = [scheduler.get_schedule(GroupName=name, Name=each["Name"]) for each in listed]
    return {each["Name"]: each["ScheduleExpression"] for each in found}


def _stack(clients: Clients, name: str) -> str | None:
    cloudformation = clients("cloudformation")

    def read() -> str | None:
        try:
            stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
        except botocore.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return str(stacks[0]["StackStatus"])

    return _settled(read, "CREATE_COMPLETE", None)


def _repository(clients: Clients, name: str) -> Mapping[str, str]:
    ecr = clients("ecr")
    ecr.describe_repositories(repositoryNames=[name])
    try:
        text = ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return {}
    return {"policy": text}


def _api(clients: Clients, api: Mapping[str, Any]) -> Mapping[str, str]:
    routes = clients("apigatewayv2").get_routes(ApiId=api["ApiId"])["Items"]
    found = {"description": api.get("Description")}
    found["route"] = routes[0]["RouteKey"] if routes else None
    return {name: value for name, value in found.items() if value}


def _settled(read: Callable[[], str | None], *finals: str | None) -> str | None:
    found = read()
    for _ in range(int(_SETTLE_S / _PAUSE_S)):
        if found in finals:
            return found
        time.sleep(_PAUSE_S)
        found = read()
    raise AssertionError(f"a transition does not end: {found}")


_LOOKS: Mapping[str, Callable[[Clients, str], Any]] = {
    "bucket": _bucket,
    "bus": _bus,
    "queue": _queue,
    "repository": _repository,
    "schedules": _schedules,
    "stack": _stack,
    "stream": _stream,
    "table": _table,
    "topic": _topic,
}
