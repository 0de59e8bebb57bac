"""Resources of every service, whoever serves it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account

pytestmark = pytest.mark.slow

POLICY: Any = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
OPEN: Any = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"AWS": "*"}}],
}
TEMPLATE: Any = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ],
                },
                "ManagedPolicyArns": [
                    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
                ],
                "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}],
            },
        },
        "MP": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": POLICY, "Roles": [{"Ref": "Role"}]},
        },
        "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}},
        "S": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"GenerateSecretString": {"PasswordLength": 20}},
        },
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": OPEN}},
        "KeyAlias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": "alias/types", "TargetKeyId": {"Ref": "Key"}},
        },
        "Images": {
            "Type": "AWS::ECR::Repository",
            "Properties": {
                "RepositoryName": "types-images",
                "ImageTagMutability": "IMMUTABLE",
                "ImageScanningConfiguration": {"ScanOnPush": True},
                "RepositoryPolicyText": OPEN,
                "LifecyclePolicy": {
                    "LifecyclePolicyText": json.dumps(
                        {
                            "rules": [
                                {
                                    "rulePriority": 1,
                                    "selection": {
                                        "tagStatus": "untagged",
                                        "countType": "imageCountMoreThan",
                                        "countNumber": 1,
                                    },
                                    "action": {"type": "expire"},
                                }
                            ]
                        }
                    )
                },
            },
        },
        "T": {"Type": "AWS::SNS::Topic"},
        "TQ": {"Type": "AWS::SQS::Queue"},
        "Sub": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "T"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["TQ", "Arn"]},
                "RawMessageDelivery": "true",
            },
        },
        "K": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
        "D": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
            },
        },
        "B": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": {"EventBridgeConfiguration": {}},
            },
        },
        "R": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "ScheduleExpression": "rate(1 day)",
                "Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["TQ", "Arn"]}}],
            },
        },
        "A": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 1,
                "MetricName": "m",
                "Namespace": "n",
                "Period": 60,
                "Statistic": "Sum",
                "Threshold": 1,
            },
        },
        "Sch": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "ScheduleExpression": "rate(1 day)",
                "Target": {
                    "Arn": {"Fn::GetAtt": ["TQ", "Arn"]},
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
        },
    },
    "Outputs": {
        "X": {"Value": {"Fn::GetAtt": ["D", "StreamArn"]}},
        "Y": {"Value": {"Fn::GetAtt": ["Images", "RepositoryUri"]}},
        "Z": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}},
    },
}


def test_resources_of_every_service_are_made_and_removed(account: Account) -> None:
    stack = account.deploy("all", TEMPLATE, Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", [
        event for event in account.events("all") if event[2]
    ]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert "/stream/" in outputs["X"]
    assert outputs["Y"].endswith("/types-images")
    key = account.client("kms").describe_key(KeyId="alias/types")["KeyMetadata"]
    assert key["Arn"] == outputs["Z"]
    gone = account.delete("all")
    assert gone["StackStatus"] == "DELETE_COMPLETE", account.events(gone["StackId"])
    assert account.client("iam").list_roles()["Roles"] == []
    assert account.client("ecr").describe_repositories()["repositories"] == []
    found = account.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    assert found["KeyState"] == "PendingDeletion"
    assert account.client("kinesis").list_streams()["StreamNames"] == []
    assert account.client("dynamodb").list_tables()["TableNames"] == []
    assert account.client("sns").list_topics()["Topics"] == []
