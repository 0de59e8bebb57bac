"""Which changes are told to whom: the notification configuration of a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from uuid import uuid4

from botocore.model import StringShape

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.pushing import EventSource, PushRefused
from lambdad.neighbours.s3 import events
from lambdad.neighbours.s3.errors import S3Error, malformed_xml
from lambdad.neighbours.s3.model import Bucket
from lambdad.neighbours.s3.service import S3, Context, about, operation, reach

_SERVICE = "s3.amazonaws.com"
_ARN = {
    "LambdaFunctionConfigurations": re.compile(
        r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:.+"
    ),
    "QueueConfigurations": re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[^:]+"),
    "TopicConfigurations": re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[^:]+"),
}
_EVENTS = frozenset(cast("StringShape", S3.model.shape_for("Event")).enum)
_INVALID_TARGETS = "Unable to validate the following destination configurations"


@operation("GetBucketNotificationConfiguration")
async def get_bucket_notification_configuration(context: Context, params: Params) -> Result:
    """Return what is told to whom."""
    bucket = reach(context, params, "s3:GetBucketNotification")
    configuration: Mapping[str, Any] = bucket.settings.get(events.SETTING) or {}
    return configuration


# S3 takes Prefix for prefix, which the model does not.
@operation("PutBucketNotificationConfiguration", lenient=("NotificationConfiguration",))
async def put_bucket_notification_configuration(context: Context, params: Params) -> Result:
    """Replace what is told to whom; queues and topics get a test event first."""
    bucket = reach(context, params, "s3:PutBucketNotification")
    configuration = _complete(params["NotificationConfiguration"])
    _check_events(configuration)
    _check_overlaps(configuration)
    if not params.get("SkipDestinationValidation"):
        _check_functions(context, bucket, configuration)
        await _check_queues(context, bucket, configuration)
    messages = events.test_messages(bucket, configuration, about(context))
    await context.services.configure(bucket, events.SETTING, configuration, messages)
    return {}


def _complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with an id for each part."""
    found = dict(given)
    for member, _ in events.TARGETS:
        if member in given:
            found[member] = [
                {**each, "Id": each.get("Id") or str(uuid4())} for each in given[member]
            ]
    ids = [each["Id"] for _, each in _each(found)]
    if len(ids) != len(set(ids)):
        raise _invalid("Same ID used for multiple configurations. IDs must be unique")
    return found


def _each(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for member, _ in events.TARGETS:
        for each in configuration.get(member, ()):
            yield member, each


def _check_events(configuration: Mapping[str, Any]) -> None:
    targets = dict(events.TARGETS)
    for member, each in _each(configuration):
        arn = each.get(targets[member])
        if arn is None or not each.get("Events"):
            raise malformed_xml()
        if not _ARN[member].fullmatch(arn):
            raise _invalid("The ARN could not be parsed", arn)
        for event in each["Events"]:
            if event not in _EVENTS:
                raise _invalid("The event is not supported for notifications", event)
        names = [rule.get("Name", "").lower() for rule in _rules(each)]
        if any(name not in ("prefix", "suffix") for name in names):
            raise _invalid("filter rule name must be either prefix or suffix")
        if len(names) != len(set(names)):
            raise _invalid(
                "Cannot specify more than one prefix rule in a filter."
                if names.count("prefix") > 1
                else "Cannot specify more than one suffix rule in a filter."
            )


def _rules(each: Mapping[str, Any]) -> list[Mapping[str, str]]:
    rules: list[Mapping[str, str]] = each.get("Filter", {}).get("Key", {}).get("FilterRules") or []
    return rules


def _check_overlaps(configuration: Mapping[str, Any]) -> None:
    """Refuse two parts that would both be told of the same event of the same key."""
    parts = [each for _, each in _each(configuration)]
    for place, one in enumerate(parts):
        for other in parts[place + 1 :]:
            if _share_events(one, other) and _share_keys(one, other):
                raise _invalid(
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two "
                    "rules if the prefixes are overlapping for the same event type."
                    if _rules(one) or _rules(other)
                    else "Configurations overlap. Configurations on the same bucket cannot share a "
                    "common event type."
                )


def _share_events(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    def covers(wide: str, narrow: str) -> bool:
        return wide == narrow or (wide.endswith(":*") and narrow.startswith(wide[:-1]))

    return any(
        covers(mine, theirs) or covers(theirs, mine)
        for mine in one["Events"]
        for theirs in other["Events"]
    )


def _share_keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, theirs = _limits(one), _limits(other)
    prefixes = sorted((mine["prefix"], theirs["prefix"]), key=len)
    suffixes = sorted((mine["suffix"], theirs["suffix"]), key=len)
    return prefixes[1].startswith(prefixes[0]) and suffixes[1].endswith(suffixes[0])


def _limits(each: Mapping[str, Any]) -> dict[str, str]:
    found = {"prefix": "", "suffix": ""}
    found |= {rule["Name"].lower(): rule.get("Value", "") for rule in _rules(each)}
    return found


def _check_functions(context: Context, bucket: Bucket, configuration: Mapping[str, Any]) -> None:
    source = EventSource(service=_SERVICE, arn=bucket.arn, account_id=bucket.account_id)
    for each in configuration.get("LambdaFunctionConfigurations", ()):
        arn = each["LambdaFunctionArn"]
        if arn.split(":")[3] != bucket.region:
            raise _invalid(
                "The notification destination service region is not valid for the bucket location "
                "constraint",
                arn,
            )
        try:
            context.services.functions.check(arn, source)
        except PushRefused as refused:
            missing = refused.code == "RESOURCE_NOT_FOUND"
            why = (
                "The destination Lambda does not exist"
                if missing
                else "Not authorized to invoke function "
                f"[{arn}]. Add a permission for s3.amazonaws.com: {refused}"
            )
            raise _invalid(_INVALID_TARGETS, arn, why) from refused


async def _check_queues(context: Context, bucket: Bucket, configuration: Mapping[str, Any]) -> None:
    """Refuse queues and topics of lambdad's own that are not there, or do not let S3 tell them.

    Others show with the test event.
    """
    queues = [each["QueueArn"] for each in configuration.get("QueueConfigurations", ())]
    topics = [each["TopicArn"] for each in configuration.get("TopicConfigurations", ())]
    for arn in (*queues, *topics):
        problem = await context.services.outbox.problem_of(arn, (bucket.arn, bucket.account_id))
        if problem is not None:
            raise _invalid(_INVALID_TARGETS, arn, problem)
        if arn in queues and arn.endswith(".fifo"):
            raise _invalid(_INVALID_TARGETS, arn, "FIFO queues are not supported")


def _invalid(text: str, value: str = "null", why: str | None = None) -> S3Error:
    members = {"ArgumentName1": value, "ArgumentValue1": why or "null"}
    if why is None:
        members = {"ArgumentName": "NotificationConfiguration", "ArgumentValue": value}
    return S3Error("InvalidArgument", text, **members)
