"""What is told of a change to an object, to whom: records of notifications. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote_plus
from uuid import uuid4

from lambdad.neighbours.s3.model import NULL, Bucket, Version
from lambdad.neighbours.s3.object_rows import Notify
from lambdad.neighbours.s3.outbox_rows import Message

SETTING = "Notification"
TARGETS = (
    ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ("QueueConfigurations", "QueueArn"),
    ("TopicConfigurations", "TopicArn"),
)
_BRIDGE = "EventBridgeConfiguration"
# What EventBridge calls the first part of an event's name, and the reason it gives.
_DETAIL_TYPES = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectAcl": "Object ACL Updated",
    "LifecycleExpiration": "Object Deleted",
}
_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved:Delete": "DeleteObject",
    "ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
    "LifecycleExpiration:Delete": "Lifecycle Expiration",
    "LifecycleExpiration:DeleteMarkerCreated": "Lifecycle Expiration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The request that an event comes of.

    Attributes:
        principal: as records name who asked: `AWS:` and the id of the identity.
        requester: their account.
        moment_ms: when it was, in milliseconds since 1970.
    """

    principal: str
    requester: str
    request_id: str
    moment_ms: int
    source_ip: str = "127.0.0.1"

    @classmethod
    def lifecycle(cls, moment_ms: int) -> Self:
        """Nobody asked: S3 itself follows a rule."""
        request_id = uuid4().hex[:16].upper()
        return cls(
            principal="s3.amazonaws.com",
            requester="s3.amazonaws.com",
            request_id=request_id,
            moment_ms=moment_ms,
        )


def notifier(bucket: Bucket, kind: str, about: About) -> Notify | None:
    """Return what makes the notifications of an event, or None if nobody wants them.

    `kind` is the name of the event without `s3:`.
    """
    configuration = bucket.settings.get(SETTING)
    if not configuration:
        return None

    def notify(version: Version) -> list[Message]:
        return list(_messages(bucket, configuration, kind, version, about))

    return notify


def _messages(
    bucket: Bucket, configuration: Mapping[str, Any], kind: str, version: Version, about: About
) -> Iterator[Message]:
    source = source_of(bucket)
    for member, target in TARGETS:
        for each in configuration.get(member, ()):
            if wants(each, kind, version.key):
                records = [record(bucket, each["Id"], kind, version, about)]
                payload = json.dumps({"Records": records}, separators=(",", ":"))
                yield Message(target=each[target], source=source, payload=payload)
    if _BRIDGE in configuration:
        bus = f"arn:aws:events:{bucket.region}:{bucket.account_id}:event-bus/default"
        payload = json.dumps(_bridge_event(bucket, kind, version, about))
        yield Message(target=bus, source=source, payload=payload)


def source_of(bucket: Bucket) -> str:
    """Return on whose behalf targets are called; see `Message`."""
    return f"{bucket.arn}|{bucket.account_id}|{bucket.region}"


def wants(configuration: Mapping[str, Any], kind: str, key: str) -> bool:
    """Whether one part of a notification configuration wants an event of a key."""
    family = kind.partition(":")[0]
    wanted = {f"s3:{kind}", f"s3:{family}:*"}
    if not wanted & set(configuration["Events"]):
        return False
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    for rule in rules:
        value = rule.get("Value", "")
        prefix = rule["Name"].lower() == "prefix"
        if not (key.startswith(value) if prefix else key.endswith(value)):
            return False
    return True


def record(
    bucket: Bucket, configuration_id: str, kind: str, version: Version, about: About
) -> Mapping[str, Any]:
    """Return one record as functions, queues and topics get it."""
    thing: dict[str, Any] = {"key": quote_plus(version.key, safe="/")}
    if not kind.startswith(("ObjectRemoved", "LifecycleExpiration")):
        thing |= {"size": version.size, "eTag": version.etag}
    elif kind.endswith("DeleteMarkerCreated"):
        thing["eTag"] = "d41d8cd98f00b204e9800998ecf8427e"
    if version.version_id != NULL:
        thing["versionId"] = version.version_id
    thing["sequencer"] = f"{version.row:018X}"
    newer = kind.startswith(("ObjectTagging", "ObjectAcl", "LifecycleExpiration"))
    return {
        "eventVersion": "2.3" if newer else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": _iso(about.moment_ms),
        "eventName": kind,
        "userIdentity": {"principalId": about.principal},
        "requestParameters": {"sourceIPAddress": about.source_ip},
        "responseElements": {
            "x-amz-request-id": about.request_id,
            "x-amz-id-2": about.request_id,
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.account_id},
                "arn": bucket.arn,
            },
            "object": thing,
        },
    }


def _bridge_event(bucket: Bucket, kind: str, version: Version, about: About) -> Mapping[str, Any]:
    thing: dict[str, Any] = {"key": version.key}
    deletion = kind.startswith(("ObjectRemoved", "LifecycleExpiration"))
    if not deletion:
        thing |= {"size": version.size, "etag": version.etag}
    if version.version_id != NULL:
        thing["version-id"] = version.version_id
    thing["sequencer"] = f"{version.row:018X}"
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": thing,
        "request-id": about.request_id,
        "requester": about.requester,
        "source-ip-address": about.source_ip,
    }
    if kind in _REASONS:
        detail["reason"] = _REASONS[kind]
    if deletion:
        marker = kind.endswith("DeleteMarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if marker else "Permanently Deleted"
    family = kind.partition(":")[0]
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": _DETAIL_TYPES.get(kind, _DETAIL_TYPES.get(family, kind)),
        "source": "aws.s3",
        "account": bucket.account_id,
        "time": f"{datetime.fromtimestamp(about.moment_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": bucket.region,
        "resources": [bucket.arn],
        "detail": detail,
    }


def test_event(bucket: Bucket, about: About) -> str:
    """Return what a new queue or topic gets first."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": _iso(about.moment_ms),
            "Bucket": bucket.name,
            "RequestId": about.request_id,
            "HostId": about.request_id,
        }
    )


def test_messages(
    bucket: Bucket, configuration: Mapping[str, Any], about: About
) -> Sequence[Message]:
    """Return the test events for queues and topics that are newly told of."""
    before = bucket.settings.get(SETTING, {})
    known = {each[target] for member, target in TARGETS for each in before.get(member, ())}
    arns = [
        each[target] for member, target in TARGETS[1:] for each in configuration.get(member, ())
    ]
    return [
        Message(target=arn, source=source_of(bucket), payload=test_event(bucket, about))
        for arn in dict.fromkeys(arns)
        if arn not in known
    ]


def _iso(moment_ms: int) -> str:
    text = datetime.fromtimestamp(moment_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
