"""How resources that are there already come into a stack: what names them, what they are then.

Nothing is changed: who imports a resource with other properties than the template's finds that out
by drift detection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.base import Change, Made, Work

# What names a resource that is to be imported: the property or attribute that is its physical id.
IDENTIFIERS: Mapping[str, str] = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::ManagedPolicy": "PolicyArn",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Alias": "AliasArn",
    "AWS::Lambda::EventSourceMapping": "Id",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicArn",
    "AWS::SQS::Queue": "QueueUrl",
    "AWS::SSM::Parameter": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SecretsManager::Secret": "Id",
}


def _with(**attributes: Callable[[Work], Any]) -> Change:
    return lambda work: Made(
        physical_id=work.physical_id,
        attributes={name: value(work) for name, value in attributes.items()},
    )


def _mapping_arn(work: Work) -> str:
    return work.arn("lambda", f"event-source-mapping:{work.physical_id}")


# Whose update writes even what stays the same; of the others an update without changes reads.
ADOPTED: Mapping[str, Change] = {
    "AWS::CloudWatch::Alarm": _with(
        Arn=lambda work: work.arn("cloudwatch", f"alarm:{work.physical_id}")
    ),
    "AWS::Lambda::Alias": _with(AliasArn=lambda work: work.physical_id),
    "AWS::Lambda::EventSourceMapping": _with(
        Id=lambda work: work.physical_id, EventSourceMappingArn=_mapping_arn
    ),
    "AWS::SSM::Parameter": _with(
        Type=lambda work: work.get("Type"), Value=lambda work: work.get("Value")
    ),
    "AWS::Scheduler::Schedule": _with(
        Arn=lambda work: work.arn(
            "scheduler", f"schedule/{work.get('GroupName', 'default')}/{work.physical_id}"
        )
    ),
    "AWS::SecretsManager::Secret": _with(Id=lambda work: work.physical_id),
}
