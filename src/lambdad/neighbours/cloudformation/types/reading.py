"""What resources really are now: their properties as a template would have them, read by calls.

For drift detection. Each reader gives the properties that the services tell, and no
others: what cannot be read back, such as code or passwords, is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed
from lambdad.neighbours.cloudformation.types.base import Work


class Whole(dict[str, Any]):
    """A map whose every entry counts, also those that the template does not have."""


Reader = Callable[[Work], Mapping[str, Any]]


def pairs(tags: Any) -> Whole:
    """Return tags, a list of keys and values or a map, as a map."""
    if isinstance(tags, Mapping):
        return Whole(tags)
    return Whole(
        {
            each.get("Key", each.get("TagKey")): each.get("Value", each.get("TagValue", ""))
            for each in tags or ()
        }
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


def _function(work: Work) -> dict[str, Any]:
    answer = work.call("lambda", "GetFunction", FunctionName=work.physical_id)
    found: dict[str, Any] = dict(answer["Configuration"])
    found["Layers"] = [each["Arn"] for each in found.get("Layers") or ()]
    variables = (found.get("Environment") or {}).get("Variables") or {}
    found["Environment"] = {"Variables": Whole(variables)}
    found["Tags"] = pairs(answer.get("Tags"))
    found["ReservedConcurrentExecutions"] = (answer.get("Concurrency") or {}).get(
        "ReservedConcurrentExecutions"
    )
    for name in ("Code", "FunctionArn", "RuntimeManagementConfig"):
        found.pop(name, None)
    # The template may give either the name or the whole ARN.
    found["FunctionName"] = work.physical_id
    return found


def _alias(work: Work) -> dict[str, Any]:
    function, _, name = work.physical_id.rpartition(":")
    found = work.call("lambda", "GetAlias", FunctionName=function, Name=name)
    return {each: found.get(each, "") for each in ("Name", "FunctionVersion", "Description")}


def _version(work: Work) -> dict[str, Any]:
    function, _, number = work.physical_id.rpartition(":")
    found = work.call("lambda", "GetFunctionConfiguration", FunctionName=function, Qualifier=number)
    return {"Description": found.get("Description", "")}


def _mapping(work: Work) -> dict[str, Any]:
    found = work.call("lambda", "GetEventSourceMapping", UUID=work.physical_id)
    kept = (
        "BatchSize",
        "BisectBatchOnFunctionError",
        "EventSourceArn",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "Queues",
        "SourceAccessConfigurations",
        "StartingPosition",
        "Topics",
        "TumblingWindowInSeconds",
    )
    enabled = found.get("State") in ("Enabled", "Enabling", "Creating", "Updating")
    return {"Enabled": enabled, **{name: found[name] for name in kept if name in found}}


def _url(work: Work) -> dict[str, Any]:
    found = work.call("lambda", "GetFunctionUrlConfig", FunctionName=work.physical_id)
    return {name: found[name] for name in ("AuthType", "Cors", "InvokeMode") if name in found}


def _permission(work: Work) -> dict[str, Any]:
    policy = work.call("lambda", "GetPolicy", FunctionName=work.get("FunctionName"))["Policy"]
    for each in json.loads(policy)["Statement"]:
        if each["Sid"] == work.physical_id:
            return {"Action": each["Action"]}
    raise CallFailed("ResourceNotFoundException", work.physical_id)


def _queue(work: Work) -> dict[str, Any]:
    url = work.physical_id
    found = work.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    attributes: dict[str, Any] = dict(found["Attributes"])
    for name in ("RedrivePolicy", "RedriveAllowPolicy"):
        if name in attributes:
            attributes[name] = _json(attributes[name])
    attributes["QueueName"] = url.rpartition("/")[2]
    attributes["Tags"] = pairs(work.call("sqs", "ListQueueTags", QueueUrl=url).get("Tags"))
    attributes.setdefault("FifoQueue", "false")
    return attributes


def _topic(work: Work) -> dict[str, Any]:
    arn = work.physical_id
    attributes = work.call("sns", "GetTopicAttributes", TopicArn=arn)["Attributes"]
    tags = work.call("sns", "ListTagsForResource", ResourceArn=arn).get("Tags")
    kept = ("DisplayName", "KmsMasterKeyId", "ContentBasedDeduplication", "FifoTopic")
    return {
        **{name: attributes.get(name, "") for name in kept},
        "TopicName": arn.rpartition(":")[2],
        "Tags": pairs(tags),
    }


def _subscription(work: Work) -> dict[str, Any]:
    found = work.call("sns", "GetSubscriptionAttributes", SubscriptionArn=work.physical_id)
    kept = ("Endpoint", "Protocol", "TopicArn", "RawMessageDelivery", "FilterPolicyScope")
    attributes = found["Attributes"]
    return {
        **{name: attributes[name] for name in kept if name in attributes},
        "FilterPolicy": _json(attributes.get("FilterPolicy")),
        "RedrivePolicy": _json(attributes.get("RedrivePolicy")),
    }


def _stream(work: Work) -> dict[str, Any]:
    name = work.physical_id
    found = work.call("kinesis", "DescribeStreamSummary", StreamName=name)
    summary = found["StreamDescriptionSummary"]
    tags = work.call("kinesis", "ListTagsForStream", StreamName=name).get("Tags")
    return {
        "Name": name,
        "ShardCount": summary.get("OpenShardCount"),
        "RetentionPeriodHours": summary.get("RetentionPeriodHours"),
        "StreamModeDetails": summary.get("StreamModeDetails"),
        "Tags": pairs(tags),
    }


def _table(work: Work) -> dict[str, Any]:
    name = work.physical_id
    found = work.call("dynamodb", "DescribeTable", TableName=name)["Table"]
    billing = (found.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED")
    ttl = work.call("dynamodb", "DescribeTimeToLive", TableName=name)["TimeToLiveDescription"]
    arn = found["TableArn"]
    tags = work.call("dynamodb", "ListTagsOfResource", ResourceArn=arn).get("Tags")
    return {
        **found,
        "BillingMode": billing,
        "TimeToLiveSpecification": {
            "AttributeName": ttl.get("AttributeName"),
            "Enabled": ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"),
        },
        "Tags": pairs(tags),
    }


def _optional(work: Work, operation: str, member: str | None = None, **params: Any) -> Any:
    """Return a setting, or None where there is none."""
    try:
        found = work.call("s3", operation, Bucket=work.physical_id, **params)
    except CallFailed as error:
        if error.code in ("NoSuchBucket", "404"):
            raise
        return None
    return found.get(member) if member else found


def _bucket(work: Work) -> dict[str, Any]:
    work.call("s3", "HeadBucket", Bucket=work.physical_id)
    status = _optional(work, "GetBucketVersioning", "Status")
    tags = _optional(work, "GetBucketTagging", "TagSet")
    access = _optional(work, "GetPublicAccessBlock", "PublicAccessBlockConfiguration")
    owner = _optional(work, "GetBucketOwnershipControls", "OwnershipControls")
    return {
        "BucketName": work.physical_id,
        "VersioningConfiguration": {"Status": status or "Suspended"},
        "PublicAccessBlockConfiguration": access,
        "OwnershipControls": owner,
        "Tags": pairs(tags),
    }


def _bucket_policy(work: Work) -> dict[str, Any]:
    found = work.call("s3", "GetBucketPolicy", Bucket=work.get("Bucket"))
    return {"Bucket": work.get("Bucket"), "PolicyDocument": json.loads(found["Policy"])}


def _group(work: Work) -> dict[str, Any]:
    name = work.physical_id
    found = work.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)["logGroups"]
    group = next((each for each in found if each["logGroupName"] == name), None)
    if group is None:
        raise CallFailed("ResourceNotFoundException", name)
    tags = work.call(
        "logs", "ListTagsForResource", resourceArn=work.arn("logs", f"log-group:{name}")
    )
    return {
        "LogGroupName": name,
        "RetentionInDays": group.get("retentionInDays"),
        "Tags": pairs(tags.get("tags")),
    }


def _filter(work: Work) -> dict[str, Any]:
    found = work.call(
        "logs",
        "DescribeSubscriptionFilters",
        logGroupName=work.get("LogGroupName"),
        filterNamePrefix=work.physical_id,
    )["subscriptionFilters"]
    for each in found:
        if each["filterName"] == work.physical_id:
            return {
                "FilterPattern": each.get("filterPattern", ""),
                "DestinationArn": each["destinationArn"],
                "LogGroupName": each["logGroupName"],
            }
    raise CallFailed("ResourceNotFoundException", work.physical_id)


def _rule(work: Work) -> dict[str, Any]:
    bus, _, name = work.physical_id.rpartition("|")
    where = {"EventBusName": bus} if bus else {}
    found = work.call("events", "DescribeRule", Name=name, **where)
    targets = work.call("events", "ListTargetsByRule", Rule=name, **where).get("Targets") or []
    return {
        "Name": name,
        "EventPattern": _json(found.get("EventPattern")),
        "Targets": targets,
        **{
            each: found.get(each, "")
            for each in ("Description", "ScheduleExpression", "State", "RoleArn")
        },
    }


def _bus(work: Work) -> dict[str, Any]:
    return {"Name": work.call("events", "DescribeEventBus", Name=work.physical_id)["Name"]}


def _schedule(work: Work) -> dict[str, Any]:
    group = {"GroupName": work.get("GroupName")} if work.get("GroupName") else {}
    found = work.call("scheduler", "GetSchedule", Name=work.physical_id, **group)
    found.pop("ResponseMetadata", None)
    return found


def _parameter(work: Work) -> dict[str, Any]:
    found = work.call("ssm", "GetParameter", Name=work.physical_id)["Parameter"]
    return {"Name": found["Name"], "Type": found["Type"], "Value": found["Value"]}


def _secret(work: Work) -> dict[str, Any]:
    found = work.call("secretsmanager", "DescribeSecret", SecretId=work.physical_id)
    if found.get("DeletedDate"):
        raise CallFailed("ResourceNotFoundException", work.physical_id)
    kept = ("Name", "Description", "KmsKeyId")
    return {**{name: found.get(name, "") for name in kept}, "Tags": pairs(found.get("Tags"))}


def _alarm(work: Work) -> dict[str, Any]:
    found = work.call("cloudwatch", "DescribeAlarms", AlarmNames=[work.physical_id])
    if not found.get("MetricAlarms"):
        raise CallFailed("ResourceNotFound", work.physical_id)
    return dict(found["MetricAlarms"][0])


def _role(work: Work) -> dict[str, Any]:
    who = {"RoleName": work.physical_id}
    role = work.call("iam", "GetRole", **who)["Role"]
    attached = work.call("iam", "ListAttachedRolePolicies", **who)["AttachedPolicies"]
    names = work.call("iam", "ListRolePolicies", **who)["PolicyNames"]
    inline = [
        {
            "PolicyName": name,
            "PolicyDocument": work.call("iam", "GetRolePolicy", **who, PolicyName=name)[
                "PolicyDocument"
            ],
        }
        for name in names
    ]
    return {
        **role,
        "Description": role.get("Description", ""),
        "ManagedPolicyArns": [each["PolicyArn"] for each in attached],
        "Policies": inline,
        "Tags": pairs(role.get("Tags")),
    }


def _user(work: Work) -> dict[str, Any]:
    return dict(work.call("iam", "GetUser", UserName=work.physical_id)["User"])


def _managed(work: Work) -> dict[str, Any]:
    arn = work.physical_id
    found = work.call("iam", "GetPolicy", PolicyArn=arn)["Policy"]
    version = work.call(
        "iam", "GetPolicyVersion", PolicyArn=arn, VersionId=found["DefaultVersionId"]
    )["PolicyVersion"]
    return {
        "ManagedPolicyName": found["PolicyName"],
        "Path": found.get("Path", "/"),
        "PolicyDocument": version["Document"],
    }


READERS: Mapping[str, Reader] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::EventBus": _bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::ManagedPolicy": _managed,
    "AWS::IAM::Role": _role,
    "AWS::IAM::User": _user,
    "AWS::Kinesis::Stream": _stream,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Url": _url,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _group,
    "AWS::Logs::SubscriptionFilter": _filter,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
    "AWS::SSM::Parameter": _parameter,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::SecretsManager::Secret": _secret,
}
