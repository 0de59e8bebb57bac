"""Resources that somebody else's code makes, told by a function or a topic."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account

pytestmark = pytest.mark.slow

NODE = """
const response = require('cfn-response');
exports.handler = (event, context) => {
  const twice = 2 * Number(event.ResourceProperties.Number);
  const fails = event.ResourceProperties.Number === '13';
  response.send(event, context, fails ? response.FAILED : response.SUCCESS, {Twice: twice}, 'made');
};
"""


def node() -> str:
    """The runtime of this host's Node.js."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node.js is not on this host")
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    return f"nodejs{done.stdout.lstrip('v').partition('.')[0]}.x"


def numbered(number: int) -> dict[str, Any]:
    function = {
        "Runtime": node(),
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Timeout": 20,
        "Code": {"ZipFile": NODE},
    }
    made = {
        "ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]},
        "ServiceTimeout": 60,
        "Number": number,
    }
    return {
        "Resources": {
            "Maker": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Made": {"Type": "Custom::Number", "Properties": made},
        },
        "Outputs": {"Twice": {"Value": {"Fn::GetAtt": ["Made", "Twice"]}}},
    }


@pytest.mark.root
def test_a_node_function_answers_by_its_module(account: Account) -> None:
    stack = account.deploy("node", numbered(21))
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("node")
    assert stack["Outputs"][0]["OutputValue"] == "42"
    stack = account.update("node", numbered(13))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    [reason] = [
        reason
        for name, status, reason in account.events("node")
        if (name, status) == ("Made", "UPDATE_FAILED")
    ]
    assert reason.startswith("Received response status [FAILED] from custom resource.")
    assert account.delete("node")["StackStatus"] == "DELETE_COMPLETE"


def test_a_topic_tells_who_makes_the_resource(account: Account) -> None:
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = sns.create_topic(Name="custom-requests")["TopicArn"]
    policy = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    attributes = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [policy]})}
    url = sqs.create_queue(QueueName="custom-requests", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    custom = {
        "Type": "AWS::CloudFormation::CustomResource",
        "Properties": {"ServiceToken": topic, "ServiceTimeout": "60", "Size": 3},
    }
    template = {
        "Resources": {"Made": custom},
        "Outputs": {"Id": {"Value": {"Ref": "Made"}}},
    }
    account.cfn.create_stack(StackName="topic", TemplateBody=json.dumps(template))
    request = answered(sqs, url, "thing")
    assert (request["RequestType"], request["ResourceProperties"]["Size"]) == ("Create", "3")
    stack = account.settled("topic")
    assert stack["Outputs"][0]["OutputValue"] == "thing"
    account.cfn.delete_stack(StackName="topic")
    request = answered(sqs, url, "thing")
    assert (request["RequestType"], request["PhysicalResourceId"]) == ("Delete", "thing")
    assert account.settled(stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def answered(sqs: Any, url: str, physical_id: str) -> dict[str, Any]:
    """The next request, with the answer that all went well."""
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    request: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
    body = {"Status": "SUCCESS", "PhysicalResourceId": physical_id}
    put = urllib.request.Request(  # noqa: S310 - an URL of the daemon
        request["ResponseURL"], data=json.dumps(body).encode(), method="PUT"
    )
    urllib.request.urlopen(put, timeout=30).close()  # noqa: S310
    return request


def test_one_that_never_answers_fails_after_its_time(account: Account) -> None:
    topic = account.client("sns").create_topic(Name="custom-silence")["TopicArn"]
    custom = {
        "Type": "Custom::Silence",
        "Properties": {"ServiceToken": topic, "ServiceTimeout": "1"},
    }
    stack = account.deploy("silence", {"Resources": {"Made": custom}}, DisableRollback=True)
    assert stack["StackStatus"] == "CREATE_FAILED"
    [reason] = [
        reason
        for name, status, reason in account.events("silence")
        if status == "CREATE_FAILED" and name == "Made"
    ]
    assert reason.startswith("CloudFormation did not receive a response from your Custom Resource.")
