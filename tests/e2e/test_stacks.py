"""Stacks as people deploy them with the AWS CLI, and through a daemon that is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import RUNTIME

pytestmark = [pytest.mark.root, pytest.mark.slow]

AWS = Path(sys.executable).with_name("aws")
Start = Callable[..., DaemonProcess]
SAM = f"""
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {RUNTIME}
      Handler: index.handler
      Role: arn:aws:iam::000000000000:role/r
      InlineCode: |
        def handler(event, context):
            return "hello " + event["name"]
      Events:
        Work: {{Type: SQS, Properties: {{Queue: !GetAtt Jobs.Arn}}}}
        Daily: {{Type: Schedule, Properties: {{Schedule: rate(1 day)}}}}
  Jobs: {{Type: AWS::SQS::Queue}}
  Table: {{Type: AWS::Serverless::SimpleTable}}
  Store: {{Type: AWS::S3::Bucket}}
Outputs: {{Name: {{Value: !Ref Hello}}}}
"""


def client(endpoint_url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
    )


def test_a_sam_template_is_deployed_twice_and_removed_with_the_cli(
    start: Start, tmp_path: Path
) -> None:
    url = start().endpoint_url
    (tmp_path / "template.yaml").write_text(SAM)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def deploy() -> str:
        done = subprocess.run(
            [
                AWS,
                "cloudformation",
                "deploy",
                "--template-file",
                "template.yaml",
                "--stack-name",
                "app",
                "--capabilities",
                "CAPABILITY_IAM",
                "CAPABILITY_AUTO_EXPAND",
                "--no-fail-on-empty-changeset",
            ],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Successfully created/updated stack - app" in deploy()
    cfn = client(url, "cloudformation")
    stack = cfn.describe_stacks(StackName="app")["Stacks"][0]
    [name] = [each["OutputValue"] for each in stack["Outputs"]]
    answer = client(url, "lambda").invoke(FunctionName=name, Payload=json.dumps({"name": "you"}))
    assert json.load(answer["Payload"]) == "hello you"
    assert "No changes to deploy. Stack app is up to date" in deploy()
    cfn.delete_stack(StackName="app")
    cfn.get_waiter("stack_delete_complete").wait(
        StackName=stack["StackId"], WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    assert client(url, "lambda").list_functions()["Functions"] == []
    assert client(url, "lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert client(url, "dynamodb").list_tables()["TableNames"] == []
    assert client(url, "s3").list_buckets()["Buckets"] == []
    assert client(url, "events").list_rules()["Rules"] == []
    assert "QueueUrls" not in client(url, "sqs").list_queues()


def test_an_operation_goes_on_after_the_daemon_was_killed(start: Start) -> None:
    daemon = start()
    number = 40
    template: dict[str, dict[str, Any]] = {"Resources": {}}
    for each in range(number):
        template["Resources"][f"Q{each}"] = {
            "Type": "AWS::SQS::Queue",
            **({"DependsOn": f"Q{each - 2}"} if each > 1 else {}),
        }
    cfn = client(daemon.endpoint_url, "cloudformation")
    stack_id = cfn.create_stack(StackName="cut", TemplateBody=json.dumps(template))["StackId"]
    for _ in asking(pause_s=0):
        rows = cfn.list_stack_resources(StackName="cut")["StackResourceSummaries"]
        if sum(row["ResourceStatus"] == "CREATE_COMPLETE" for row in rows) >= 4:
            break
    daemon.kill()
    daemon = start()
    cfn = client(daemon.endpoint_url, "cloudformation")
    cfn.get_waiter("stack_create_complete").wait(
        StackName=stack_id, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    urls = client(daemon.endpoint_url, "sqs").list_queues()["QueueUrls"]
    assert len(urls) == number
    cfn.delete_stack(StackName="cut")
    cfn.get_waiter("stack_delete_complete").wait(
        StackName=stack_id, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    assert "QueueUrls" not in client(daemon.endpoint_url, "sqs").list_queues()
