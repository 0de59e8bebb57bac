"""Small resources that belong to others: policies, groups, consumers, streams and filters."""

from __future__ import annotations

from typing import Any

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work
from lambdad.neighbours.cloudformation.types.declared import Declared, given, own_id
from lambdad.neighbours.cloudformation.types.identity import named_capability, plain_capability


def _document(work: Work) -> str:
    return text_of(work.get("PolicyDocument"))


def _half(index: int) -> Any:
    return lambda work: work.physical_id.split("|")[index]


def _joined(*names: str) -> Any:
    return lambda work: "|".join(str(work.get(each)) for each in names)


def _inline(kind: str) -> ResourceType:
    """Return the type of a policy that stands in a role, user or group."""
    owner = f"{kind}Name"
    return Declared(
        name=f"AWS::IAM::{kind}Policy",
        service="iam",
        create=f"Put{kind}Policy",
        update=f"Put{kind}Policy",
        delete=f"Delete{kind}Policy",
        key={"PolicyName": _half(0), owner: _half(1)},
        more={"PolicyDocument": _document},
        physical_id=_joined("PolicyName", owner),
        fixed=("PolicyName", owner),
        required=("PolicyName", owner),
        capability=plain_capability,
    ).as_type()


def _group_arn(work: Work) -> str:
    path = work.get("Path", "/")
    return f"arn:{work.partition}:iam::{work.calls.account_id}:group{path}{work.physical_id}"


def _create_membership(work: Work) -> Made:
    group = str(work.get("GroupName"))
    before, after = work.previous.get("Users") or [], work.get("Users") or []
    for each in after:
        if each not in before:
            work.call("iam", "AddUserToGroup", GroupName=group, UserName=each)
    for each in before:
        if each not in after:
            work.remove("iam", "RemoveUserFromGroup", GroupName=group, UserName=each)
    return Made(physical_id=work.physical_id or work.name)


def _delete_membership(work: Work) -> None:
    for each in work.get("Users") or ():
        work.remove("iam", "RemoveUserFromGroup", GroupName=work.get("GroupName"), UserName=each)


def _set_key(work: Work) -> Made:
    user = work.get("UserName")
    params = {"UserName": user, "AccessKeyId": work.physical_id}
    work.call("iam", "UpdateAccessKey", **params, Status=work.get("Status", "Active"))
    return Made(physical_id=work.physical_id)


def _create_access_key(work: Work) -> Made:
    found = work.call("iam", "CreateAccessKey", UserName=work.get("UserName"))["AccessKey"]
    made = Made(
        physical_id=found["AccessKeyId"], attributes={"SecretAccessKey": found["SecretAccessKey"]}
    )
    if work.get("Status", "Active") != "Active":
        _set_key(work.with_id(made.physical_id))
    return made


def _delete_access_key(work: Work) -> None:
    who = {"UserName": work.get("UserName"), "AccessKeyId": work.physical_id}
    work.remove("iam", "DeleteAccessKey", **who)


def _queue_policy(work: Work) -> Made:
    url = str(work.get("Queue"))
    work.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": _document(work)})
    return Made(physical_id=url)


def _delete_queue_policy(work: Work) -> None:
    url = work.physical_id
    work.remove("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})


def _bus_statement(work: Work) -> dict[str, Any] | None:
    statement = work.get("Statement")
    if statement is None:
        return None
    return {"Version": "2012-10-17", "Statement": [{"Sid": work.get("StatementId"), **statement}]}


def _bus_policy(work: Work) -> Made:
    policy = _bus_statement(work)
    params = work.properties if policy is None else work.without("Statement", "StatementId")
    more = {} if policy is None else {"Policy": text_of(policy)}
    work.call("events", "PutPermission", **params, **more)
    return Made(physical_id=str(work.get("StatementId")))


def _delete_bus_policy(work: Work) -> None:
    bus = {"EventBusName": work.get("EventBusName")} if work.get("EventBusName") else {}
    work.remove("events", "RemovePermission", **bus, StatementId=work.physical_id)


TYPES = (
    _inline("Role"),
    _inline("User"),
    _inline("Group"),
    Declared(
        name="AWS::IAM::Group",
        service="iam",
        create="CreateGroup",
        delete="DeleteGroup",
        key={"GroupName": own_id},
        attributes={"Arn": _group_arn},
        naming=Naming(property="GroupName", length=128),
        capability=named_capability("GroupName"),
    ).as_type(),
    ResourceType(
        name="AWS::IAM::UserToGroupAddition",
        create=_create_membership,
        update=_create_membership,
        delete=_delete_membership,
        fixed=frozenset({"GroupName"}),
        required=("GroupName", "Users"),
        capability=plain_capability,
    ),
    ResourceType(
        name="AWS::IAM::AccessKey",
        create=_create_access_key,
        update=_set_key,
        delete=_delete_access_key,
        fixed=frozenset({"Serial", "UserName"}),
        required=("UserName",),
        capability=plain_capability,
    ),
    ResourceType(
        name="AWS::SQS::QueueInlinePolicy",
        create=_queue_policy,
        update=_queue_policy,
        delete=_delete_queue_policy,
        fixed=frozenset({"Queue"}),
        required=("PolicyDocument", "Queue"),
    ),
    Declared(
        name="AWS::SNS::TopicInlinePolicy",
        service="sns",
        create="SetTopicAttributes",
        update="SetTopicAttributes",
        key={"TopicArn": own_id},
        more={
            "TopicArn": given("TopicArn"),
            "AttributeName": lambda _: "Policy",
            "AttributeValue": _document,
        },
        physical_id=given("TopicArn"),
        fixed=("TopicArn",),
        required=("PolicyDocument", "TopicArn"),
    ).as_type(),
    ResourceType(
        name="AWS::Events::EventBusPolicy",
        create=_bus_policy,
        update=_bus_policy,
        delete=_delete_bus_policy,
        fixed=frozenset({"EventBusName", "StatementId"}),
        required=("StatementId",),
    ),
    Declared(
        name="AWS::Events::Archive",
        service="events",
        create="CreateArchive",
        update="UpdateArchive",
        delete="DeleteArchive",
        key={"ArchiveName": own_id},
        names={"SourceArn": "EventSourceArn"},
        attributes={
            "ArchiveName": own_id,
            "Arn": lambda work: work.arn("events", f"archive/{work.physical_id}"),
        },
        naming=Naming(property="ArchiveName", length=48),
        fixed=("SourceArn",),
        required=("SourceArn",),
    ).as_type(),
    Declared(
        name="AWS::Scheduler::ScheduleGroup",
        service="scheduler",
        create="CreateScheduleGroup",
        delete="DeleteScheduleGroup",
        key={"Name": own_id},
        answered={"Arn": "ScheduleGroupArn"},
        naming=Naming(property="Name", length=64),
    ).as_type(),
    Declared(
        name="AWS::Logs::LogStream",
        service="logs",
        create="CreateLogStream",
        delete="DeleteLogStream",
        key={"logGroupName": given("LogGroupName"), "logStreamName": own_id},
        naming=Naming(property="LogStreamName", length=512),
        required=("LogGroupName",),
    ).as_type(),
    Declared(
        name="AWS::Logs::MetricFilter",
        service="logs",
        create="PutMetricFilter",
        update="PutMetricFilter",
        delete="DeleteMetricFilter",
        key={"logGroupName": given("LogGroupName"), "filterName": own_id},
        naming=Naming(property="FilterName", length=512),
        fixed=("LogGroupName",),
        required=("FilterPattern", "LogGroupName", "MetricTransformations"),
    ).as_type(),
    Declared(
        name="AWS::Kinesis::StreamConsumer",
        service="kinesis",
        create="RegisterStreamConsumer",
        delete="DeregisterStreamConsumer",
        key={"ConsumerARN": own_id},
        found="Consumer.ConsumerARN",
        attributes={
            "ConsumerARN": own_id,
            "ConsumerName": given("ConsumerName"),
            "StreamARN": given("StreamARN"),
        },
        answered={"ConsumerStatus": "Consumer.ConsumerStatus"},
        required=("ConsumerName", "StreamARN"),
    ).as_type(),
    Declared(
        name="AWS::Kinesis::ResourcePolicy",
        service="kinesis",
        create="PutResourcePolicy",
        update="PutResourcePolicy",
        delete="DeleteResourcePolicy",
        key={"ResourceARN": own_id},
        names={"ResourceArn": "ResourceARN"},
        more={"Policy": lambda work: text_of(work.get("ResourcePolicy"))},
        physical_id=given("ResourceArn"),
        fixed=("ResourceArn",),
        required=("ResourceArn", "ResourcePolicy"),
    ).as_type(),
    Declared(
        name="AWS::SecretsManager::ResourcePolicy",
        service="secretsmanager",
        create="PutResourcePolicy",
        update="PutResourcePolicy",
        delete="DeleteResourcePolicy",
        key={"SecretId": own_id},
        more={"ResourcePolicy": lambda work: text_of(work.get("ResourcePolicy"))},
        physical_id=given("SecretId"),
        fixed=("SecretId",),
        required=("ResourcePolicy", "SecretId"),
    ).as_type(),
)
