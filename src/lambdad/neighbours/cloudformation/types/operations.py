"""AWS::Logs, AWS::Events, AWS::Scheduler, AWS::SSM, AWS::SecretsManager and AWS::CloudWatch."""

from __future__ import annotations

import json
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, text_of
from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work


def _group(work: Work, name: str) -> Made:
    return Made(physical_id=name, attributes={"Arn": work.arn("logs", f"log-group:{name}:*")})


def _create_group(work: Work) -> Made:
    work.create(
        "logs",
        "CreateLogGroup",
        logGroupName=work.name,
        kmsKeyId=work.get("KmsKeyId"),
        logGroupClass=work.get("LogGroupClass"),
        **({"tags": work.tags()} if work.tags() else {}),
    )
    _set_retention(work, work.name)
    return _group(work, work.name)


def _set_retention(work: Work, name: str) -> None:
    if not work.changed("RetentionInDays"):
        return
    if work.get("RetentionInDays") is None:
        work.call("logs", "DeleteRetentionPolicy", logGroupName=name)
    else:
        work.call(
            "logs",
            "PutRetentionPolicy",
            logGroupName=name,
            retentionInDays=work.get("RetentionInDays"),
        )


def _update_group(work: Work) -> Made:
    name = work.physical_id
    _set_retention(work, name)
    arn, old, new = work.arn("logs", f"log-group:{name}"), work.tags(work.previous), work.tags()
    if removed := [each for each in old if each not in new]:
        work.call("logs", "UntagResource", resourceArn=arn, tagKeys=removed)
    if new and new != old:
        work.call("logs", "TagResource", resourceArn=arn, tags=new)
    return _group(work, name)


def _delete_group(work: Work) -> None:
    work.remove("logs", "DeleteLogGroup", logGroupName=work.physical_id)


def _put_filter(work: Work) -> Made:
    name = work.physical_id or work.name
    work.call("logs", "PutSubscriptionFilter", **work.without("FilterName"), filterName=name)
    return Made(physical_id=name)


def _delete_filter(work: Work) -> None:
    work.remove(
        "logs",
        "DeleteSubscriptionFilter",
        logGroupName=work.get("LogGroupName"),
        filterName=work.physical_id,
    )


def _bus(work: Work) -> dict[str, Any]:
    bus = work.get("EventBusName")
    return {"EventBusName": bus} if bus else {}


def _put_rule(work: Work) -> Made:
    name = work.physical_id.rpartition("|")[2] or work.name
    work.call(
        "events",
        "PutRule",
        **work.without("Name", "Targets", "Tags"),
        Name=name,
        **({"Tags": work.tag_list()} if work.tags() and not work.physical_id else {}),
    )
    before = {each["Id"] for each in work.previous.get("Targets") or ()}
    wanted = [_target(each) for each in work.get("Targets") or ()]
    gone = sorted(before - {each["Id"] for each in wanted})
    if gone:
        work.remove("events", "RemoveTargets", Rule=name, **_bus(work), Ids=gone)
    if wanted:
        found = work.call("events", "PutTargets", Rule=name, **_bus(work), Targets=wanted)
        for entry in found.get("FailedEntries") or ():
            raise CallFailed(entry.get("ErrorCode", ""), entry.get("ErrorMessage", ""))
    bus = str(work.get("EventBusName") or "default").rpartition("/")[2]
    path = name if bus == "default" else f"{bus}/{name}"
    return Made(
        physical_id=name if bus == "default" else f"{bus}|{name}",
        attributes={"Arn": work.arn("events", f"rule/{path}")},
    )


def _target(target: dict[str, Any]) -> dict[str, Any]:
    """Return a target as the API has it; some members begin with a capital in templates only."""
    return target


def _delete_rule(work: Work) -> None:
    name = work.physical_id.rpartition("|")[2]
    ids = [each["Id"] for each in work.get("Targets") or ()]
    if ids:
        work.remove("events", "RemoveTargets", Rule=name, **_bus(work), Ids=ids)
    work.remove("events", "DeleteRule", Name=name, **_bus(work))


def _create_bus(work: Work) -> Made:
    work.create("events", "CreateEventBus", **work.without("Tags"), Tags=work.tag_list())
    name = str(work.get("Name"))
    return Made(
        physical_id=name, attributes={"Arn": work.arn("events", f"event-bus/{name}"), "Name": name}
    )


def _delete_bus(work: Work) -> None:
    work.remove("events", "DeleteEventBus", Name=work.physical_id)


def _schedule(work: Work, name: str) -> Made:
    group = work.get("GroupName", "default")
    return Made(
        physical_id=name, attributes={"Arn": work.arn("scheduler", f"schedule/{group}/{name}")}
    )


def _create_schedule(work: Work) -> Made:
    work.create("scheduler", "CreateSchedule", **work.without("Name"), Name=work.name)
    return _schedule(work, work.name)


def _update_schedule(work: Work) -> Made:
    work.call("scheduler", "UpdateSchedule", **work.without("Name"), Name=work.physical_id)
    return _schedule(work, work.physical_id)


def _delete_schedule(work: Work) -> None:
    work.remove(
        "scheduler", "DeleteSchedule", Name=work.physical_id, GroupName=work.get("GroupName")
    )


def _put_parameter(work: Work) -> Made:
    name = work.physical_id or work.name
    fresh = {"Tags": work.tag_list()} if not work.physical_id and work.tags() else {}
    overwrite = bool(work.physical_id) or work.attempted
    work.call(
        "ssm",
        "PutParameter",
        **work.without("Name", "Tags"),
        Name=name,
        **fresh,
        Overwrite=overwrite and not fresh,
    )
    return Made(physical_id=name, attributes={"Type": work.get("Type"), "Value": work.get("Value")})


def _delete_parameter(work: Work) -> None:
    work.remove("ssm", "DeleteParameter", Name=work.physical_id)


_GENERATE = {
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "IncludeSpace",
    "PasswordLength",
    "RequireEachIncludedType",
}


def _secret_value(work: Work) -> dict[str, str]:
    wanted = work.get("GenerateSecretString")
    if wanted is None:
        text = work.get("SecretString")
        return {} if text is None else {"SecretString": text_of(text)}
    params = {name: each for name, each in wanted.items() if name in _GENERATE}
    password = work.call("secretsmanager", "GetRandomPassword", **params)["RandomPassword"]
    key = wanted.get("GenerateStringKey")
    if not key:
        return {"SecretString": password}
    template = _json(wanted.get("SecretStringTemplate") or "{}")
    return {"SecretString": text_of({**template, key: password})}


def _json(text: str) -> dict[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def _create_secret(work: Work) -> Made:
    found = work.create(
        "secretsmanager",
        "CreateSecret",
        Name=work.name,
        Description=work.get("Description"),
        KmsKeyId=work.get("KmsKeyId"),
        Tags=work.tag_list(),
        **_secret_value(work),
    )
    if found is None:
        found = work.call("secretsmanager", "DescribeSecret", SecretId=work.name)
    return Made(physical_id=found["ARN"], attributes={"Id": found["ARN"]})


def _update_secret(work: Work) -> Made:
    value = _secret_value(work) if work.changed("SecretString", "GenerateSecretString") else {}
    work.call(
        "secretsmanager",
        "UpdateSecret",
        SecretId=work.physical_id,
        Description=work.get("Description"),
        KmsKeyId=work.get("KmsKeyId"),
        **value,
    )
    return Made(physical_id=work.physical_id, attributes={"Id": work.physical_id})


def _delete_secret(work: Work) -> None:
    work.remove(
        "secretsmanager", "DeleteSecret", SecretId=work.physical_id, ForceDeleteWithoutRecovery=True
    )


def _put_alarm(work: Work) -> Made:
    name = work.physical_id or work.name
    work.call(
        "cloudwatch",
        "PutMetricAlarm",
        **work.without("AlarmName", "Tags"),
        AlarmName=name,
        **({"Tags": work.tag_list()} if work.tags() else {}),
    )
    return Made(physical_id=name, attributes={"Arn": work.arn("cloudwatch", f"alarm:{name}")})


def _delete_alarm(work: Work) -> None:
    work.remove("cloudwatch", "DeleteAlarms", AlarmNames=[work.physical_id])


TYPES = (
    ResourceType(
        name="AWS::Logs::LogGroup",
        by_name=True,
        create=_create_group,
        update=_update_group,
        delete=_delete_group,
        naming=Naming(property="LogGroupName", length=512),
    ),
    ResourceType(
        name="AWS::Logs::SubscriptionFilter",
        create=_put_filter,
        update=_put_filter,
        delete=_delete_filter,
        naming=Naming(property="FilterName", length=512),
        fixed=frozenset({"LogGroupName"}),
        required=("DestinationArn", "FilterPattern", "LogGroupName"),
    ),
    ResourceType(
        name="AWS::Events::Rule",
        by_name=True,
        create=_put_rule,
        update=_put_rule,
        delete=_delete_rule,
        naming=Naming(property="Name", length=64),
        fixed=frozenset({"EventBusName"}),
    ),
    ResourceType(
        name="AWS::Events::EventBus",
        create=_create_bus,
        delete=_delete_bus,
        required=("Name",),
    ),
    ResourceType(
        name="AWS::Scheduler::Schedule",
        create=_create_schedule,
        update=_update_schedule,
        delete=_delete_schedule,
        naming=Naming(property="Name", length=64),
        fixed=frozenset({"GroupName"}),
        required=("FlexibleTimeWindow", "ScheduleExpression", "Target"),
    ),
    ResourceType(
        name="AWS::SSM::Parameter",
        create=_put_parameter,
        update=_put_parameter,
        delete=_delete_parameter,
        naming=Naming(property="Name", length=1_011),
        fixed=frozenset({"Type"}),
        required=("Type", "Value"),
    ),
    ResourceType(
        name="AWS::SecretsManager::Secret",
        create=_create_secret,
        update=_update_secret,
        delete=_delete_secret,
        naming=Naming(property="Name", length=512),
    ),
    ResourceType(
        name="AWS::CloudWatch::Alarm",
        create=_put_alarm,
        update=_put_alarm,
        delete=_delete_alarm,
        naming=Naming(property="AlarmName"),
        required=("ComparisonOperator", "EvaluationPeriods"),
    ),
)
