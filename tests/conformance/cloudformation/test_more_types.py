"""Resources that belong to others, state machines and user pools: made, changed and removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account

pytestmark = pytest.mark.slow

POLICY: Any = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
}
ANYBODY: Any = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
TRUST: Any = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "states.amazonaws.com"},
        }
    ],
}
MACHINE: Any = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Word}", "End": True}}}


def att(name: str, attribute: str) -> Any:
    return {"Fn::GetAtt": [name, attribute]}


def resources(word: str) -> dict[str, Any]:
    return {
        "Role": ("IAM::Role", {"AssumeRolePolicyDocument": TRUST}),
        "RolePolicy": (
            "IAM::RolePolicy",
            {"RoleName": {"Ref": "Role"}, "PolicyName": "p", "PolicyDocument": POLICY},
        ),
        "Group": ("IAM::Group", {}),
        "User": ("IAM::User", {}),
        "Members": (
            "IAM::UserToGroupAddition",
            {"GroupName": {"Ref": "Group"}, "Users": [{"Ref": "User"}]},
        ),
        "AccessKey": ("IAM::AccessKey", {"UserName": {"Ref": "User"}, "Status": "Inactive"}),
        "Queue": ("SQS::Queue", {}),
        "QueuePolicy": (
            "SQS::QueueInlinePolicy",
            {"Queue": {"Ref": "Queue"}, "PolicyDocument": ANYBODY},
        ),
        "Topic": ("SNS::Topic", {}),
        "TopicPolicy": (
            "SNS::TopicInlinePolicy",
            {"TopicArn": {"Ref": "Topic"}, "PolicyDocument": ANYBODY},
        ),
        "Bus": ("Events::EventBus", {"Name": "more-types"}),
        "BusPolicy": (
            "Events::EventBusPolicy",
            {
                "EventBusName": {"Ref": "Bus"},
                "StatementId": "all",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "events:PutEvents",
                    "Resource": att("Bus", "Arn"),
                },
            },
        ),
        "Archive": ("Events::Archive", {"SourceArn": att("Bus", "Arn"), "Description": word}),
        "Schedules": ("Scheduler::ScheduleGroup", {}),
        "LogGroup": ("Logs::LogGroup", {}),
        "LogStream": ("Logs::LogStream", {"LogGroupName": {"Ref": "LogGroup"}}),
        "Counted": (
            "Logs::MetricFilter",
            {
                "LogGroupName": {"Ref": "LogGroup"},
                "FilterPattern": word,
                "MetricTransformations": [
                    {"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1"}
                ],
            },
        ),
        "Stream": ("Kinesis::Stream", {"ShardCount": 1}),
        "Consumer": (
            "Kinesis::StreamConsumer",
            {"StreamARN": att("Stream", "Arn"), "ConsumerName": "c"},
        ),
        "Table": (
            "DynamoDB::GlobalTable",
            {
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
                "Replicas": [
                    {"Region": "us-east-1", "DeletionProtectionEnabled": word == "protected"}
                ],
            },
        ),
        "Machine": (
            "StepFunctions::StateMachine",
            {
                "RoleArn": att("Role", "Arn"),
                "DefinitionString": json.dumps(MACHINE),
                "DefinitionSubstitutions": {"Word": word},
            },
        ),
        "Pool": ("Cognito::UserPool", {"AutoVerifiedAttributes": ["email"]}),
        "Client": (
            "Cognito::UserPoolClient",
            {"UserPoolId": {"Ref": "Pool"}, "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"]},
        ),
        "Staff": ("Cognito::UserPoolGroup", {"UserPoolId": {"Ref": "Pool"}, "Description": word}),
        "Secret": ("SecretsManager::Secret", {"SecretString": "s"}),
        "SecretPolicy": (
            "SecretsManager::ResourcePolicy",
            {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": ANYBODY},
        ),
    }


def template(word: str) -> dict[str, Any]:
    return {
        "Resources": {
            name: {"Type": f"AWS::{kind}", "Properties": properties}
            for name, (kind, properties) in resources(word).items()
        },
        "Outputs": {
            "Machine": {"Value": att("Machine", "Arn")},
            "Pool": {"Value": att("Pool", "ProviderURL")},
            "Group": {"Value": att("Schedules", "Arn")},
            "Table": {"Value": att("Table", "StreamArn")},
        },
    }


def test_small_resources_are_made_changed_and_removed(account: Account) -> None:
    params = {"Capabilities": ["CAPABILITY_IAM"]}
    stack = account.deploy("more", template("first"), **params)
    assert stack["StackStatus"] == "CREATE_COMPLETE", failures(account, "more")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert outputs["Pool"].startswith("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_")
    machines = account.client("stepfunctions")
    found = machines.describe_state_machine(stateMachineArn=outputs["Machine"])
    assert json.loads(found["definition"])["States"]["A"]["Result"] == "first"
    [group] = account.client("iam").list_groups()["Groups"]
    users = account.client("iam").get_group(GroupName=group["GroupName"])["Users"]
    assert len(users) == 1
    stack = account.update("more", template("second"), **params)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", failures(account, "more")
    found = machines.describe_state_machine(stateMachineArn=outputs["Machine"])
    assert json.loads(found["definition"])["States"]["A"]["Result"] == "second"
    gone = account.delete("more")
    assert gone["StackStatus"] == "DELETE_COMPLETE", failures(account, gone["StackId"])
    assert machines.list_state_machines()["stateMachines"] == []
    assert account.client("cognito-idp").list_user_pools(MaxResults=9)["UserPools"] == []
    assert account.client("iam").list_groups()["Groups"] == []
    assert account.client("events").list_archives()["Archives"] == []
    groups = account.client("scheduler").list_schedule_groups()["ScheduleGroups"]
    assert [each["Name"] for each in groups] == ["default"]


def failures(account: Account, stack: str) -> list[Any]:
    return [each for each in account.events(stack) if "FAILED" in each[1]]


def test_a_global_table_elsewhere_is_refused_in_clear_words(account: Account) -> None:
    table = template("x")["Resources"]["Table"]
    table["Properties"]["Replicas"].append({"Region": "eu-west-1"})
    account.deploy("abroad", {"Resources": {"Table": table}})
    [(_, _, reason)] = failures(account, "abroad")
    assert reason.startswith("A global table has one replica here, in us-east-1")
