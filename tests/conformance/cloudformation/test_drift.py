"""What is changed behind a stack's back is found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account, refused

from lambdad.testing.deploy import RUNTIME

pytestmark = pytest.mark.slow

TEMPLATE: Any = {
    "Resources": {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "DelaySeconds": "5",
                "FifoQueue": False,
                "Tags": [{"Key": "a", "Value": "b"}],
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                    "maxReceiveCount": 3,
                },
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"VersioningConfiguration": {"Status": "Enabled"}},
        },
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["a"]},
                "Targets": [{"Id": "t", "Arn": {"Fn::GetAtt": ["Dead", "Arn"]}}],
            },
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "shown"}},
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Dead", "Arn"]},
                "FilterPolicy": {"a": ["b"]},
            },
        },
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "ScheduleExpression": "rate(1 day)",
                "Target": {
                    "Arn": {"Fn::GetAtt": ["Dead", "Arn"]},
                    "RoleArn": "arn:aws:iam::000000000000:role/r",
                },
            },
        },
        "Alarm": {
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
        "Nothing": {"Type": "AWS::CDK::Metadata"},
    }
}
POLICY: Any = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["sqs:*"], "Resource": "*"}],
}
TRUST: Any = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    ],
}
FUNCTION: Any = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}],
                "MaxSessionDuration": "3600",
            },
        },
        "Policy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": POLICY, "Roles": [{"Ref": "Role"}]},
        },
        "User": {"Type": "AWS::IAM::User", "Properties": {"Path": "/"}},
        "Parameter": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": "v"},
        },
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"Description": "d", "SecretString": "s"},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": RUNTIME,
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Timeout": "7",
                "Environment": {"Variables": {"AA": 1}},
                "Code": {"ZipFile": "def handler(event, context): return 1"},
            },
        },
        "Version": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            },
        },
        "Url": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Ref": "Function"}},
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "sns.amazonaws.com",
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                "BatchSize": "2",
            },
        },
    }
}


def detected(account: Account, name: str, **params: Any) -> dict[str, Any]:
    cfn = account.cfn
    token = cfn.detect_stack_drift(StackName=name, **params)["StackDriftDetectionId"]
    for _ in range(3_000):
        found: dict[str, Any] = cfn.describe_stack_drift_detection_status(
            StackDriftDetectionId=token
        )
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return found
    raise AssertionError(found)


def drifts(account: Account, name: str, **params: Any) -> dict[str, Any]:
    found = account.cfn.describe_stack_resource_drifts(StackName=name, **params)
    return {each["LogicalResourceId"]: each for each in found["StackResourceDrifts"]}


def test_what_nobody_touched_is_in_sync(account: Account) -> None:
    stack = account.deploy("calm", TEMPLATE, Tags=[{"Key": "team", "Value": "blue"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("calm")
    assert stack["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    found = detected(account, "calm")
    assert found["DetectionStatus"] == "DETECTION_COMPLETE", found
    differing = {
        name: each["PropertyDifferences"]
        for name, each in drifts(account, "calm").items()
        if each["StackResourceDriftStatus"] != "IN_SYNC"
    }
    assert differing == {}
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("IN_SYNC", 0)
    assert len(drifts(account, "calm")) == len(TEMPLATE["Resources"]) - 1
    detail = account.cfn.describe_stack_resource(StackName="calm", LogicalResourceId="Nothing")
    assert (
        detail["StackResourceDetail"]["DriftInformation"]["StackResourceDriftStatus"]
        == "NOT_CHECKED"
    )


def test_a_function_and_what_belongs_to_it_are_compared(account: Account) -> None:
    stack = account.deploy("code", FUNCTION, Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", [
        each for each in account.events("code") if each[2]
    ]
    found = detected(account, "code")
    assert found["DetectionStatus"] == "DETECTION_COMPLETE", found
    there = drifts(account, "code")
    assert {name: each["PropertyDifferences"] for name, each in there.items()} == {
        name: [] for name in FUNCTION["Resources"]
    }
    name = physical(account, "code", "Function")
    account.client("lambda").update_function_configuration(
        FunctionName=name, Timeout=8, Environment={"Variables": {"AA": "1", "BB": "2"}}
    )
    account.client("iam").delete_role_policy(
        RoleName=physical(account, "code", "Role"), PolicyName="p"
    )
    assert detected(account, "code")["DriftedStackResourceCount"] == 2
    assert [
        (each["PropertyPath"], each["DifferenceType"])
        for each in drifts(account, "code")["Function"]["PropertyDifferences"]
    ] == [("/Environment/Variables/BB", "ADD"), ("/Timeout", "NOT_EQUAL")]


def test_what_was_changed_or_removed_is_found_property_by_property(account: Account) -> None:
    account.deploy("moved", TEMPLATE)
    sqs, url = account.client("sqs"), physical(account, "moved", "Queue")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "9", "RedrivePolicy": ""})
    sqs.tag_queue(QueueUrl=url, Tags={"new": "one"})
    account.client("logs").delete_log_group(logGroupName=physical(account, "moved", "Group"))
    account.client("s3").put_bucket_versioning(
        Bucket=physical(account, "moved", "Bucket"), VersioningConfiguration={"Status": "Suspended"}
    )
    found = detected(account, "moved")
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 3)
    there = drifts(account, "moved", StackResourceDriftStatusFilters=["MODIFIED", "DELETED"])
    assert {name: each["StackResourceDriftStatus"] for name, each in there.items()} == {
        "Queue": "MODIFIED",
        "Group": "DELETED",
        "Bucket": "MODIFIED",
    }
    differences = {
        each["PropertyPath"]: (each["DifferenceType"], each["ExpectedValue"], each["ActualValue"])
        for each in there["Queue"]["PropertyDifferences"]
    }
    assert differences["/DelaySeconds"] == ("NOT_EQUAL", "5", "9")
    assert differences["/Tags/1"][0] == "ADD"
    assert json.loads(there["Queue"]["ActualProperties"])["DelaySeconds"] == "9"
    assert json.loads(there["Queue"]["ExpectedProperties"])["DelaySeconds"] == "5"
    stack = account.cfn.describe_stacks(StackName="moved")["Stacks"][0]
    assert stack["DriftInformation"]["StackDriftStatus"] == "DRIFTED"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "5"})
    one = account.cfn.detect_stack_resource_drift(StackName="moved", LogicalResourceId="Topic")
    assert one["StackResourceDrift"]["StackResourceDriftStatus"] == "IN_SYNC"


def test_drift_of_what_is_not_there_or_cannot_be_read_is_refused(account: Account) -> None:
    cfn = account.cfn
    nothing = {"Resources": {"Nothing": {"Type": "AWS::CDK::Metadata"}}}
    account.deploy("unread", nothing)
    assert refused(
        cfn.detect_stack_resource_drift, StackName="unread", LogicalResourceId="Nothing"
    ) == (
        "ValidationError",
        "Drift detection is not supported for resources of the type AWS::CDK::Metadata",
    )
    assert refused(cfn.detect_stack_drift, StackName="unread", LogicalResourceIds=["No"]) == (
        "ValidationError",
        "Resource No does not exist for stack unread",
    )
    code, _ = refused(cfn.describe_stack_drift_detection_status, StackDriftDetectionId="x" * 36)
    assert code == "ValidationError"


def physical(account: Account, stack: str, name: str) -> str:
    found = account.cfn.describe_stack_resource(StackName=stack, LogicalResourceId=name)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
