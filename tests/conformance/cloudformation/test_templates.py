"""Templates that others write parts of, stacks in stacks, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account, refused

from lambdad.testing.deploy import RUNTIME

pytestmark = pytest.mark.slow

QUEUE: Any = {"Type": "AWS::SQS::Queue"}
EXPAND = ["CAPABILITY_AUTO_EXPAND"]


def stored(account: Account, bucket: str, key: str, text: str) -> str:
    s3 = account.client("s3")
    if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    return f"https://{bucket}.s3.amazonaws.com/{key}"


def queues(account: Account) -> list[str]:
    urls = account.client("sqs").list_queues().get("QueueUrls", [])
    return sorted(url.rpartition("/")[2] for url in urls)


LOOPS = """
Transform: AWS::LanguageExtensions
Parameters:
  Names: {Type: CommaDelimitedList, Default: "templates-a,templates-b"}
  Policy: {Type: String, Default: Delete}
Mappings: {Sizes: {small: {Delay: 3}}}
Resources:
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - "Queue&{Name}":
        Type: AWS::SQS::Queue
        DeletionPolicy: !Ref Policy
        Properties:
          QueueName: !Ref Name
          DelaySeconds: !FindInMap [Sizes, big, Delay, {DefaultValue: !Length [1, 2]}]
Outputs:
  Json: {Value: !ToJsonString {a: !Ref Names}}
"""


def test_a_template_with_loops_is_deployed_and_kept_as_it_was_written(account: Account) -> None:
    cfn = account.cfn
    assert refused(cfn.create_stack, StackName="loops", TemplateBody=LOOPS) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
    )
    stack = account.deploy("loops", LOOPS, Capabilities=EXPAND)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("loops")
    assert queues(account) == ["templates-a", "templates-b"]
    assert stack["Outputs"][0]["OutputValue"] == '{"a":["templates-a","templates-b"]}'
    assert cfn.get_template(StackName="loops")["TemplateBody"] == LOOPS
    processed = cfn.get_template(StackName="loops", TemplateStage="Processed")["TemplateBody"]
    assert sorted(processed["Resources"]) == ["Queuetemplatesa", "Queuetemplatesb"]
    more = [{"ParameterKey": "Names", "ParameterValue": "templates-b"}]
    account.update("loops", LOOPS, Parameters=more, Capabilities=EXPAND)
    assert queues(account) == ["templates-b"]


@pytest.mark.root
def test_a_macro_and_an_included_part_write_the_template(account: Account) -> None:
    location = stored(account, "templates-parts", "part.yaml", "DelaySeconds: 7\n")
    macro = {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": RUNTIME,
                "Handler": "index.handler",
                "Role": "arn:aws:iam::000000000000:role/r",
                "Timeout": 20,
                "Code": {
                    "ZipFile": "def handler(event, context):\n"
                    "    found = dict(event['fragment'], QueueName=event['params']['Name'])\n"
                    "    return {'requestId': event['requestId'], 'status': 'success',\n"
                    "            'fragment': found}\n"
                },
            },
        },
        "Macro": {
            "Type": "AWS::CloudFormation::Macro",
            "Properties": {"Name": "Named", "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}},
        },
    }
    account.deploy("macro", {"Resources": macro})
    include = {"Name": "AWS::Include", "Parameters": {"Location": location}}
    named = {"Name": "Named", "Parameters": {"Name": {"Ref": "Name"}}}
    template = {
        "Parameters": {"Name": {"Type": "String", "Default": "templates-named"}},
        "Resources": {"Q": {**QUEUE, "Properties": {"Fn::Transform": [include, named]}}},
    }
    stack = account.deploy("written", template, Capabilities=EXPAND)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("written")
    [url] = account.client("sqs").list_queues()["QueueUrls"]
    assert url.endswith("/templates-named")
    found = account.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["DelaySeconds"]
    )
    assert found["Attributes"] == {"DelaySeconds": "7"}


def test_values_are_taken_from_parameters_and_secrets(account: Account) -> None:
    account.client("ssm").put_parameter(Name="templates-size", Type="String", Value="4")
    account.client("ssm").put_parameter(Name="templates-safe", Type="SecureString", Value="5")
    account.client("secretsmanager").create_secret(
        Name="templates-login", SecretString='{"user": "anna"}'
    )
    values = {
        "DelaySeconds": "{{resolve:ssm:templates-size:1}}",
        "VisibilityTimeout": "{{resolve:ssm-secure:templates-safe}}",
        "Tags": [
            {"Key": "k", "Value": "{{resolve:secretsmanager:templates-login:SecretString:user}}"}
        ],
    }
    stack = account.deploy("values", {"Resources": {"Q": {**QUEUE, "Properties": values}}})
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("values")
    sqs = account.client("sqs")
    [url] = sqs.list_queues()["QueueUrls"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("4", "5")
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"k": "anna"}
    gone = {**QUEUE, "Properties": {"DelaySeconds": "{{resolve:ssm:templates-none}}"}}
    assert account.deploy("none", {"Resources": {"Q": gone}})["StackStatus"] == "ROLLBACK_COMPLETE"


def nested(url: str, delay: str, **more: Any) -> dict[str, Any]:
    inner = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": url, "Parameters": {"Delay": delay}},
    }
    return {
        "Resources": {"Inner": inner, **more},
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Name"]}}},
    }


INNER: Any = {
    "Parameters": {"Delay": {"Type": "Number"}},
    "Resources": {"Q": {**QUEUE, "Properties": {"DelaySeconds": {"Ref": "Delay"}}}},
    "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Q", "QueueName"]}}},
}
BAD: Any = {**QUEUE, "DependsOn": "Inner", "Properties": {"VisibilityTimeout": 99_999_999}}


def delay_of(account: Account) -> str:
    sqs = account.client("sqs")
    [url] = sqs.list_queues()["QueueUrls"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    return str(found["Attributes"]["DelaySeconds"])


def test_a_stack_in_a_stack_is_made_changed_taken_back_and_removed(account: Account) -> None:
    url = stored(account, "templates-inner", "inner.json", json.dumps(INNER))
    stack = account.deploy("outer", nested(url, "1"), EnableTerminationProtection=True)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("outer")
    assert [each["OutputValue"] for each in stack["Outputs"]] == queues(account)
    detail = account.cfn.describe_stack_resource(StackName="outer", LogicalResourceId="Inner")
    inner_id = detail["StackResourceDetail"]["PhysicalResourceId"]
    inner = account.cfn.describe_stacks(StackName=inner_id)["Stacks"][0]
    assert (inner["ParentId"], inner["RootId"]) == (stack["StackId"], stack["StackId"])
    code, message = refused(account.cfn.delete_stack, StackName=inner_id)
    assert (code, "TerminationProtection is enabled" in message) == ("ValidationError", True)
    account.cfn.update_termination_protection(StackName="outer", EnableTerminationProtection=False)
    stack = account.update("outer", nested(url, "2"))
    assert (stack["StackStatus"], delay_of(account)) == ("UPDATE_COMPLETE", "2")
    stack = account.update("outer", nested(url, "3", Bad=BAD))
    assert (stack["StackStatus"], delay_of(account)) == ("UPDATE_ROLLBACK_COMPLETE", "2")
    account.delete("outer")
    assert queues(account) == []
    assert account.cfn.describe_stacks(StackName=inner_id)["Stacks"][0]["StackStatus"] == (
        "DELETE_COMPLETE"
    )


def test_a_stack_in_a_stack_that_fails_fails_the_outer_one(account: Account) -> None:
    broken = json.loads(json.dumps(INNER))
    broken["Resources"]["Bad"] = {**BAD, "DependsOn": "Q"}
    url = stored(account, "templates-broken", "inner.json", json.dumps(broken))
    stack = account.deploy("failing", nested(url, "1"))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert queues(account) == []
    [reason] = [
        reason
        for name, status, reason in account.events("failing")
        if (name, status) == ("Inner", "CREATE_FAILED")
    ]
    assert "was not successfully created" in reason


def test_what_is_not_offered_says_why_and_what_to_do(account: Account) -> None:
    cfn = account.cfn
    code, message = refused(cfn.create_stack_set, StackSetName="s")
    assert code == "NotImplementedException"
    assert message.endswith("Create a stack in every one instead.")
    _, message = refused(
        cfn.register_type, TypeName="Our::Own::Type", SchemaHandlerPackage="s3://bucket/key"
    )
    assert "Use a custom resource or a macro" in message


def test_the_registry_has_what_stacks_can_have(account: Account) -> None:
    cfn = account.cfn
    pages = cfn.get_paginator("list_types").paginate(
        Visibility="PUBLIC", Filters={"TypeNamePrefix": "AWS::SQS"}
    )
    names = [each["TypeName"] for page in pages for each in page["TypeSummaries"]]
    assert "AWS::SQS::Queue" in names
    assert cfn.list_types()["TypeSummaries"] == [], "nobody has private types"
    found = cfn.describe_type(Type="RESOURCE", TypeName="AWS::SQS::Queue")
    assert json.loads(found["Schema"])["typeName"] == "AWS::SQS::Queue"
    assert refused(cfn.describe_type, Type="RESOURCE", TypeName="Our::Own::Type") == (
        "TypeNotFoundException",
        "The type 'Our::Own::Type' cannot be found.",
    )


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Color": "red"}, "Encountered unsupported property Color"),
        ({"Tags": "x"}, "Value of property Tags must be of type List"),
        ({"QueueName": {"a": 1}}, "Value of property QueueName must be of type String"),
    ],
)
def test_a_wrong_property_fails_its_resource_and_touches_nothing(
    account: Account, properties: dict[str, Any], reason: str
) -> None:
    sqs = account.client("sqs")
    sqs.create_queue(QueueName="templates-mine")
    wrong = {"QueueName": "templates-mine", **properties}
    stack = account.deploy("wrong", {"Resources": {"Q": {**QUEUE, "Properties": wrong}}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("Q", "CREATE_FAILED", reason) in account.events("wrong")
    assert queues(account) == ["templates-mine"], "what is not the stack's stays"


def _many(section: str, number: int) -> str:
    found: dict[str, Any] = {"Resources": {"Q": QUEUE}}
    found[section] = {f"N{each}": QUEUE for each in range(number)}
    return json.dumps(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps({"Resources": {"Q": QUEUE}, "Metadata": {"a": "x" * 51_200}}),
            "Member must have length less than or equal to 51200",
        ),
        (_many("Resources", 501), "Number of resources, 501, is greater than maximum allowed, 500"),
        ('{"Resources": {"Q": 1, "Q": 2}}', "duplicate key 'Q'"),
        ("Resources: {Q: {Type: AWS::SQS::Queue}, Q: {}}", "duplicate key 'Q'"),
        ("Resources: " + "[" * 5_000, "deeper than 100 levels"),
        ("a: " + "[" * 200 + "]" * 200, "deeper than 100 levels"),
        ('{"a":' * 2_000 + "1" + "}" * 2_000, "deeper than 100 levels"),
        (
            "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nResources: {Q: {Type: A::B::C}}",
            "YAML aliases are not allowed",
        ),
        (
            "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {A: {Fn::Bad: 1}}}}",
            "Encountered unsupported function: Fn::Bad",
        ),
        (
            (
                "Conditions: {A: {Condition: B}, B: {Condition: A}}\n"
                "Resources: {Q: {Type: AWS::SQS::Queue, Condition: A}}"
            ),
            "circular condition dependency",
        ),
        (
            "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {A: !GetAtt B.C}}}",
            "Unresolved resource dependencies [B]",
        ),
        ("Resources: {a-b: {Type: AWS::SQS::Queue}}", "Resource name a-b is non alphanumeric"),
        ("Resources: {Q: {Type: AWS::SQS::Queue, Color: 1}}", "Color"),
        ("Resources: {Q: {Properties: {}}}", "must contain a Type member"),
    ],
    ids=lambda text: text[:40],
)
def test_a_bad_template_is_refused_before_anything_is_made(
    account: Account, text: str, message: str
) -> None:
    code, found = refused(account.cfn.create_stack, StackName="bad", TemplateBody=text)
    assert code == "ValidationError"
    assert message in found
    assert account.cfn.describe_stacks()["Stacks"] == []


def test_a_template_in_s3_may_be_larger_but_not_any_size(account: Account) -> None:
    text = {"Resources": {"Q": QUEUE}, "Metadata": {"a": "x" * 100_000}}
    url = stored(account, "templates-large", "large.json", json.dumps(text))
    account.cfn.validate_template(TemplateURL=url)
    text["Metadata"]["a"] = "x" * 1_000_001
    url = stored(account, "templates-large", "larger.json", json.dumps(text))
    assert refused(account.cfn.validate_template, TemplateURL=url) == (
        "ValidationError",
        "Template may not exceed 1000000 bytes in size.",
    )
