"""Stacks of real resources: made, changed, rolled back and removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account, refused

from lambdad.testing.deploy import RUNTIME

pytestmark = pytest.mark.slow

POLICY = (
    '{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}'
)
APPLICATION = f"""
AWSTemplateFormatVersion: 2010-09-09
Description: An application
Parameters:
  Word: {{Type: String, Default: hello, AllowedValues: [hello, bye]}}
Conditions:
  Polite: !Equals [!Ref Word, hello]
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: {RUNTIME}
      Handler: index.handler
      Role: arn:aws:iam::000000000000:role/r
      Timeout: "7"
      Environment: {{Variables: {{WORD: !Ref Word, QUEUE: !Ref Queue}}}}
      Code:
        ZipFile: |
          import os
          def handler(event, context):
              return os.environ["WORD"]
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {{LogGroupName: !Sub "/aws/lambda/${{Function}}", RetentionInDays: 7}}
  Version: {{Type: AWS::Lambda::Version, Properties: {{FunctionName: !Ref Function}}}}
  Alias:
    Type: AWS::Lambda::Alias
    Properties:
      Name: live
      FunctionName: !Ref Function
      FunctionVersion: !GetAtt Version.Version
  Url:
    Type: AWS::Lambda::Url
    Properties: {{AuthType: NONE, TargetFunctionArn: !GetAtt Function.Arn}}
  Queue: {{Type: AWS::SQS::Queue, Properties: {{VisibilityTimeout: 60}}}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{FunctionName: !Ref Alias, EventSourceArn: !GetAtt Queue.Arn, BatchSize: 2}}
  Topic: {{Type: AWS::SNS::Topic, Condition: Polite}}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !GetAtt Function.Arn
      Principal: sns.amazonaws.com
Outputs:
  Name: {{Value: !Ref Function}}
  Arn: {{Value: !GetAtt Function.Arn, Export: {{Name: !Sub "${{AWS::StackName}}-arn"}}}}
  Address: {{Value: !GetAtt Url.FunctionUrl}}
  Topic: {{Condition: Polite, Value: !Ref Topic}}
"""


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}


def queue(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}}}


@pytest.mark.root
def test_an_application_is_made_changed_and_removed(account: Account) -> None:
    stack = account.deploy("app", APPLICATION, Tags=[{"Key": "team", "Value": "blue"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("app")
    found, lambda_ = outputs(stack), account.client("lambda")
    assert found["Arn"].endswith(f":function:{found['Name']}")
    assert found["Name"].startswith("app-Function-")
    assert lambda_.invoke(FunctionName=found["Name"])["Payload"].read() == b'"hello"'
    config = lambda_.get_function(FunctionName=found["Name"])
    assert (config["Configuration"]["Timeout"], config["Tags"]) == (7, {"team": "blue"})
    stack = account.update(
        "app", APPLICATION, Parameters=[{"ParameterKey": "Word", "ParameterValue": "bye"}]
    )
    assert stack["StackStatus"] == "UPDATE_COMPLETE", account.events("app")
    assert "Topic" not in outputs(stack)
    assert account.client("sns").list_topics()["Topics"] == []
    assert outputs(stack)["Name"] == found["Name"]
    assert lambda_.invoke(FunctionName=found["Name"])["Payload"].read() == b'"bye"'
    same = [{"ParameterKey": "Word", "UsePreviousValue": True}]
    assert refused(
        account.cfn.update_stack, StackName="app", TemplateBody=APPLICATION, Parameters=same
    ) == ("ValidationError", "No updates are to be performed.")
    gone = account.delete("app")
    assert gone["StackStatus"] == "DELETE_COMPLETE", account.events(gone["StackId"])
    assert lambda_.list_functions()["Functions"] == []
    assert lambda_.list_event_source_mappings()["EventSourceMappings"] == []
    assert "QueueUrls" not in account.client("sqs").list_queues()
    assert refused(account.cfn.describe_stacks, StackName="app") == (
        "ValidationError",
        "Stack with id app does not exist",
    )


def test_what_a_failed_creation_made_is_taken_back(account: Account) -> None:
    template = queue()
    template["Resources"]["Bad"] = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": "Queue",
        "Properties": {"VisibilityTimeout": 99_999_999},
    }
    stack = account.deploy("broken", template)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "QueueUrls" not in account.client("sqs").list_queues()
    statuses = [(name, status) for name, status, _ in account.events("broken")]
    assert ("Bad", "CREATE_FAILED") in statuses
    assert ("Queue", "DELETE_COMPLETE") in statuses
    assert statuses[0] == ("broken", "ROLLBACK_COMPLETE")
    assert account.delete("broken")["StackStatus"] == "DELETE_COMPLETE"


def test_a_failed_update_is_taken_back(account: Account) -> None:
    sqs = account.client("sqs")
    assert account.deploy("back", queue(DelaySeconds=1))["StackStatus"] == "CREATE_COMPLETE"
    [url] = sqs.list_queues()["QueueUrls"]
    template = queue(DelaySeconds=2)
    template["Resources"]["Bad"] = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": "Queue",
        "Properties": {"VisibilityTimeout": 99_999_999},
    }
    assert account.update("back", template)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert sqs.list_queues()["QueueUrls"] == [url]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    assert found["Attributes"] == {"DelaySeconds": "1"}
    assert account.update("back", queue(DelaySeconds=3))["StackStatus"] == "UPDATE_COMPLETE"


def test_a_replacement_is_made_before_the_old_one_goes(account: Account) -> None:
    account.deploy("swap", queue(QueueName="first"))
    assert account.update("swap", queue(QueueName="second"))["StackStatus"] == "UPDATE_COMPLETE"
    urls = account.client("sqs").list_queues()["QueueUrls"]
    assert [url.rpartition("/")[2] for url in urls] == ["second"]
    order = [each for each in account.events("swap") if each[0] == "Queue"]
    assert [status for _, status, _ in order][:3] == [
        "UPDATE_COMPLETE",
        "DELETE_COMPLETE",
        "DELETE_IN_PROGRESS",
    ]


def test_what_is_to_be_retained_stays(account: Account) -> None:
    template = queue(QueueName="kept")
    template["Resources"]["Queue"]["DeletionPolicy"] = "Retain"
    account.deploy("keeper", template)
    gone = account.delete("keeper")
    assert ("Queue", "DELETE_SKIPPED", "") in account.events(gone["StackId"])
    assert len(account.client("sqs").list_queues()["QueueUrls"]) == 1


def test_a_change_set_says_what_would_change_and_does_it(account: Account) -> None:
    cfn = account.cfn
    first = queue(QueueName="one")
    made = cfn.create_change_set(
        StackName="changing",
        ChangeSetName="a",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(first),
    )
    assert account.cfn.describe_stacks(StackName="changing")["Stacks"][0]["StackStatus"] == (
        "REVIEW_IN_PROGRESS"
    )
    cfn.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"])
    cfn.execute_change_set(ChangeSetName=made["Id"])
    assert account.settled("changing")["StackStatus"] == "CREATE_COMPLETE"
    second = queue(QueueName="two")
    second["Resources"]["User"] = {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": []}},
    }
    cfn.create_change_set(StackName="changing", ChangeSetName="b", TemplateBody=json.dumps(second))
    described = cfn.describe_change_set(StackName="changing", ChangeSetName="b")
    changes = {
        each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"]
        for each in described["Changes"]
    }
    assert (changes["Queue"]["Action"], changes["Queue"]["Replacement"]) == ("Modify", "True")
    assert changes["User"]["Action"] == "Add"
    cfn.delete_change_set(StackName="changing", ChangeSetName="b")
    # Who makes sure that there is none asks for no more than the stack.
    cfn.delete_change_set(StackName="changing", ChangeSetName="b")
    with pytest.raises(cfn.exceptions.ChangeSetNotFoundException):
        cfn.delete_change_set(ChangeSetName=described["ChangeSetId"])
    cfn.create_change_set(StackName="changing", ChangeSetName="c", TemplateBody=json.dumps(first))
    empty = cfn.describe_change_set(StackName="changing", ChangeSetName="c")
    assert (empty["Status"], empty["StatusReason"]) == (
        "FAILED",
        (
            "The submitted information didn't contain changes. Submit different information to "
            "create a change set."
        ),
    )


def test_an_export_in_use_protects_its_stack(account: Account) -> None:
    exporting = queue()
    exporting["Outputs"] = {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "the-url"}}}
    account.deploy("exporter", exporting)
    importing = queue(
        QueueName={"Fn::Select": [4, {"Fn::Split": ["/", {"Fn::ImportValue": "the-url"}]}]}
    )
    importing["Resources"]["Queue"]["Properties"] = {
        "Tags": [{"Key": "other", "Value": {"Fn::ImportValue": "the-url"}}]
    }
    assert account.deploy("importer", importing)["StackStatus"] == "CREATE_COMPLETE"
    assert refused(account.cfn.delete_stack, StackName="exporter") == (
        "ValidationError",
        "Export the-url cannot be deleted as it is in use by importer",
    )
    assert account.cfn.list_imports(ExportName="the-url")["Imports"] == ["importer"]
    account.delete("importer")
    assert account.delete("exporter")["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.root
def test_a_custom_resource_is_made_by_a_function(account: Account) -> None:
    template = f"""
Resources:
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: {RUNTIME}
      Handler: index.handler
      Role: arn:aws:iam::000000000000:role/r
      Timeout: 20
      Code:
        ZipFile: |
          import cfnresponse
          def handler(event, context):
              twice = 2 * int(event["ResourceProperties"]["Number"])
              cfnresponse.send(event, context, cfnresponse.SUCCESS, {{"Twice": twice}}, "made")
  Made:
    Type: Custom::Number
    Properties: {{ServiceToken: !GetAtt Maker.Arn, ServiceTimeout: 30, Number: 21}}
Outputs: {{Twice: {{Value: !GetAtt Made.Twice}}}}
"""
    stack = account.deploy("custom", template)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("custom")
    assert outputs(stack) == {"Twice": "42"}
    gone = account.delete("custom")
    assert gone["StackStatus"] == "DELETE_COMPLETE", account.events(gone["StackId"])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{}", "Template format error: At least one Resources member must be defined."),
        ("[]", "Template format error: unsupported structure."),
        ("a: [", "Template format error: YAML not well-formed. (line 2, column 1)"),
        (
            "Resources: {A: {Type: 'AWS::Nothing::Here'}}",
            "Template format error: Unrecognized resource types: [AWS::Nothing::Here]",
        ),
        (
            (
                "Resources: {A: {Type: 'AWS::SQS::Queue', DependsOn: B}, "
                "B: {Type: 'AWS::SQS::Queue', DependsOn: A}}"
            ),
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: {A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref No}}}",
            (
                "Template format error: Unresolved resource dependencies [No] in the Resources "
                "block of the template"
            ),
        ),
        (
            "x: &a [1]\nResources: {A: {Type: 'AWS::SQS::Queue', Metadata: *a}}",
            "Template format error: YAML aliases are not allowed in CloudFormation templates",
        ),
    ],
)
def test_a_bad_template_is_refused_in_cloudformations_words(
    account: Account, template: str, message: str
) -> None:
    found = refused(account.cfn.create_stack, StackName="bad", TemplateBody=template)
    assert found == ("ValidationError", message)
    assert account.cfn.describe_stacks()["Stacks"] == []


def test_protection_lists_and_templates_are_read_back(account: Account) -> None:
    cfn, text = account.cfn, json.dumps(queue(DelaySeconds=1))
    account.deploy("read", text, EnableTerminationProtection=True)
    assert refused(cfn.delete_stack, StackName="read") == (
        "ValidationError",
        "Stack [read] cannot be deleted while TerminationProtection is enabled",
    )
    cfn.update_termination_protection(StackName="read", EnableTerminationProtection=False)
    assert cfn.get_template(StackName="read")["TemplateBody"] == json.loads(text)
    summary = cfn.get_template_summary(StackName="read")
    assert summary["ResourceTypes"] == ["AWS::SQS::Queue"]
    [row] = cfn.list_stack_resources(StackName="read")["StackResourceSummaries"]
    assert row["PhysicalResourceId"].rpartition("/")[2].startswith("read-Queue-")
    detail = cfn.describe_stack_resource(StackName="read", LogicalResourceId="Queue")
    assert detail["StackResourceDetail"]["ResourceStatus"] == "CREATE_COMPLETE"
    [one] = cfn.describe_stack_resources(StackName="read")["StackResources"]
    assert one["PhysicalResourceId"] == row["PhysicalResourceId"]
    assert len(cfn.list_change_sets(StackName="read")["Summaries"]) == 0
    assert cfn.list_exports()["Exports"] == []
    cfn.set_stack_policy(StackName="read", StackPolicyBody=POLICY)
    assert cfn.get_stack_policy(StackName="read")["StackPolicyBody"] == POLICY
    assert refused(cfn.create_stack, StackName="read", TemplateBody=text) == (
        "AlreadyExistsException",
        "Stack [read] already exists",
    )
    assert [each["StackName"] for each in cfn.list_stacks()["StackSummaries"]] == ["read"]
    assert cfn.validate_template(TemplateBody=text)["Parameters"] == []
