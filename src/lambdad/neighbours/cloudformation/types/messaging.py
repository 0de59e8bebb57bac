"""AWS::SQS, AWS::SNS and AWS::Kinesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work

_QUEUE_DEFAULTS: Mapping[str, str] = {
    "ContentBasedDeduplication": "false",
    "DelaySeconds": "0",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


def _fifo(properties: Mapping[str, Any]) -> str:
    wanted = properties.get("FifoQueue", properties.get("FifoTopic", False))
    return ".fifo" if text_of(wanted) == "true" else ""


def _attributes(properties: Mapping[str, Any], *others: str) -> dict[str, str]:
    return {
        name: text_of(value)
        for name, value in properties.items()
        if name not in others and value is not None
    }


def _queue(work: Work, url: str) -> Made:
    name = url.rpartition("/")[2]
    return Made(
        physical_id=url,
        attributes={"Arn": work.arn("sqs", name), "QueueName": name, "QueueUrl": url},
    )


def _create_queue(work: Work) -> Made:
    attributes = _attributes(work.properties, "QueueName", "Tags")
    if attributes.get("FifoQueue") == "false":
        del attributes["FifoQueue"]
    found = work.call(
        "sqs", "CreateQueue", QueueName=work.name, Attributes=attributes, tags=work.tags()
    )
    return _queue(work, found["QueueUrl"])


def _update_queue(work: Work) -> Made:
    before = _attributes(work.previous, "QueueName", "Tags", "FifoQueue")
    after = _attributes(work.properties, "QueueName", "Tags", "FifoQueue")
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    changed |= {name: _QUEUE_DEFAULTS.get(name, "") for name in before if name not in after}
    url = work.physical_id
    if changed:
        work.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=changed)
    old, new = work.tags(work.previous), work.tags()
    if removed := [each for each in old if each not in new]:
        work.call("sqs", "UntagQueue", QueueUrl=url, TagKeys=removed)
    if new and new != old:
        work.call("sqs", "TagQueue", QueueUrl=url, Tags=new)
    return _queue(work, url)


def _delete_queue(work: Work) -> None:
    work.remove("sqs", "DeleteQueue", QueueUrl=work.physical_id)


def _put_queue_policy(work: Work) -> Made:
    policy = {"Policy": text_of(work.get("PolicyDocument"))}
    for url in set(work.previous.get("Queues") or ()) - set(work.get("Queues") or ()):
        work.remove("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
    for url in work.get("Queues") or ():
        work.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=policy)
    return Made(physical_id=work.physical_id or work.name)


def _delete_queue_policy(work: Work) -> None:
    for url in work.get("Queues") or ():
        work.remove("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})


_TOPIC_APART = (
    "TopicName",
    "Subscription",
    "Tags",
    "DataProtectionPolicy",
    "DeliveryStatusLogging",
)


def _topic(work: Work, arn: str) -> Made:
    name = arn.rpartition(":")[2]
    return Made(physical_id=arn, attributes={"TopicArn": arn, "TopicName": name})


def _create_topic(work: Work) -> Made:
    attributes = _attributes(work.properties, *_TOPIC_APART)
    if attributes.get("FifoTopic") == "false":
        del attributes["FifoTopic"]
    arn = work.call(
        "sns", "CreateTopic", Name=work.name, Attributes=attributes, Tags=work.tag_list()
    )["TopicArn"]
    for each in work.get("Subscription") or ():
        work.call("sns", "Subscribe", TopicArn=arn, **each)
    return _topic(work, arn)


def _update_topic(work: Work) -> Made:
    arn = work.physical_id
    before, after = (
        _attributes(each, *_TOPIC_APART, "FifoTopic") for each in (work.previous, work.properties)
    )
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            work.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=arn,
                AttributeName=name,
                AttributeValue=after.get(name, ""),
            )
    if work.changed("Subscription"):
        _resubscribe(work, arn)
    old, new = work.tags(work.previous), work.tags()
    if removed := [each for each in old if each not in new]:
        work.call("sns", "UntagResource", ResourceArn=arn, TagKeys=removed)
    if new and new != old:
        work.call("sns", "TagResource", ResourceArn=arn, Tags=work.tag_list())
    return _topic(work, arn)


def _resubscribe(work: Work, arn: str) -> None:
    wanted = work.get("Subscription") or []
    for each in wanted:
        work.call("sns", "Subscribe", TopicArn=arn, **each)
    gone = [each for each in work.previous.get("Subscription") or () if each not in wanted]
    if not gone:
        return
    listed = work.call("sns", "ListSubscriptionsByTopic", TopicArn=arn)["Subscriptions"]
    for found in listed:
        if {"Protocol": found["Protocol"], "Endpoint": found["Endpoint"]} in gone:
            work.remove("sns", "Unsubscribe", SubscriptionArn=found["SubscriptionArn"])


def _delete_topic(work: Work) -> None:
    work.remove("sns", "DeleteTopic", TopicArn=work.physical_id)


_SUBSCRIPTION = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
)


def _subscription_attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    # The scope goes first: it says how the policy is read.
    names = sorted(_SUBSCRIPTION, key=lambda name: name != "FilterPolicyScope")
    return {name: text_of(properties[name]) for name in names if name in properties}


def _subscribe(work: Work) -> Made:
    found = work.call(
        "sns",
        "Subscribe",
        **work.properties,
        ReturnSubscriptionArn=True,
        Attributes=_subscription_attributes(work.properties),
    )
    return Made(physical_id=found["SubscriptionArn"], attributes={"Arn": found["SubscriptionArn"]})


def _update_subscription(work: Work) -> Made:
    before, after = map(_subscription_attributes, (work.previous, work.properties))
    defaults = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}
    for name in (*after, *(each for each in before if each not in after)):
        if before.get(name) != after.get(name):
            work.call(
                "sns",
                "SetSubscriptionAttributes",
                SubscriptionArn=work.physical_id,
                AttributeName=name,
                AttributeValue=after.get(name, defaults.get(name, "{}")),
            )
    return Made(physical_id=work.physical_id, attributes={"Arn": work.physical_id})


def _unsubscribe(work: Work) -> None:
    work.remove("sns", "Unsubscribe", SubscriptionArn=work.physical_id)


def _put_topic_policy(work: Work) -> Made:
    for arn in work.get("Topics") or ():
        work.call(
            "sns",
            "SetTopicAttributes",
            TopicArn=arn,
            AttributeName="Policy",
            AttributeValue=text_of(work.get("PolicyDocument")),
        )
    return Made(physical_id=work.physical_id or work.name)


def _stream(work: Work, name: str) -> Made:
    return Made(physical_id=name, attributes={"Arn": work.arn("kinesis", f"stream/{name}")})


def _create_stream(work: Work) -> Made:
    mode = work.get("StreamModeDetails") or {}
    shards = (
        {} if mode.get("StreamMode") == "ON_DEMAND" else {"ShardCount": work.get("ShardCount", 1)}
    )
    work.create(
        "kinesis",
        "CreateStream",
        StreamName=work.name,
        **shards,
        **({"StreamModeDetails": mode} if mode else {}),
    )
    work.wait("kinesis", "stream_exists", StreamName=work.name)
    hours = int(work.get("RetentionPeriodHours", 24))
    if hours > 24:
        work.call(
            "kinesis",
            "IncreaseStreamRetentionPeriod",
            StreamName=work.name,
            RetentionPeriodHours=hours,
        )
    if tags := work.tags():
        work.call("kinesis", "AddTagsToStream", StreamName=work.name, Tags=tags)
    if encryption := work.get("StreamEncryption"):
        work.call("kinesis", "StartStreamEncryption", StreamName=work.name, **encryption)
    return _stream(work, work.name)


def _update_stream(work: Work) -> Made:
    name = work.physical_id
    if work.changed("ShardCount"):
        work.call(
            "kinesis",
            "UpdateShardCount",
            StreamName=name,
            TargetShardCount=work.get("ShardCount", 1),
            ScalingType="UNIFORM_SCALING",
        )
        work.wait("kinesis", "stream_exists", StreamName=name)
    before, after = (
        int(each.get("RetentionPeriodHours", 24)) for each in (work.previous, work.properties)
    )
    if before != after:
        direction = "Increase" if after > before else "Decrease"
        work.call(
            "kinesis",
            f"{direction}StreamRetentionPeriod",
            StreamName=name,
            RetentionPeriodHours=after,
        )
    old, new = work.tags(work.previous), work.tags()
    if removed := [each for each in old if each not in new]:
        work.call("kinesis", "RemoveTagsFromStream", StreamName=name, TagKeys=removed)
    if new and new != old:
        work.call("kinesis", "AddTagsToStream", StreamName=name, Tags=new)
    return _stream(work, name)


def _delete_stream(work: Work) -> None:
    work.remove(
        "kinesis", "DeleteStream", StreamName=work.physical_id, EnforceConsumerDeletion=True
    )


def _topic_policy_kept(work: Work) -> None:
    """A topic always has a policy; with the topic it goes away."""


TYPES = (
    ResourceType(
        name="AWS::SQS::Queue",
        create=_create_queue,
        update=_update_queue,
        delete=_delete_queue,
        naming=Naming(property="QueueName", length=80, suffix=_fifo),
        fixed=frozenset({"FifoQueue"}),
    ),
    ResourceType(
        name="AWS::SQS::QueuePolicy",
        create=_put_queue_policy,
        update=_put_queue_policy,
        delete=_delete_queue_policy,
        required=("PolicyDocument", "Queues"),
    ),
    ResourceType(
        name="AWS::SNS::Topic",
        create=_create_topic,
        update=_update_topic,
        delete=_delete_topic,
        naming=Naming(property="TopicName", length=256, suffix=_fifo),
        fixed=frozenset({"FifoTopic"}),
    ),
    ResourceType(
        name="AWS::SNS::Subscription",
        create=_subscribe,
        update=_update_subscription,
        delete=_unsubscribe,
        fixed=frozenset({"Endpoint", "Protocol", "TopicArn"}),
        required=("Protocol", "TopicArn"),
    ),
    ResourceType(
        name="AWS::SNS::TopicPolicy",
        create=_put_topic_policy,
        update=_put_topic_policy,
        delete=_topic_policy_kept,
        required=("PolicyDocument", "Topics"),
    ),
    ResourceType(
        name="AWS::Kinesis::Stream",
        by_name=True,
        create=_create_stream,
        update=_update_stream,
        delete=_delete_stream,
        naming=Naming(property="Name", length=128),
    ),
)
