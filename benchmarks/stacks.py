"""CloudFormation: a stack of 150 resources, made, deployed again unchanged, and removed."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess

RESOURCES = 150
_POLL_S = 0.05


def measure(quick: bool) -> Iterator[Series]:
    """Time CreateStack, an UpdateStack without changes, and DeleteStack."""
    number = RESOURCES // 5 if quick else RESOURCES
    text = json.dumps(template(number))
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        cfn = boto3.client(
            "cloudformation",
            endpoint_url=daemon.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="any",  # noqa: S106
        )
        began = time.perf_counter()
        stack_id = cfn.create_stack(StackName="many", TemplateBody=text)["StackId"]
        assert _settled(cfn, stack_id) == "CREATE_COMPLETE"
        yield _series(f"{number} resources made", began)
        began = time.perf_counter()
        with suppress(ClientError):  # no updates are to be performed
            cfn.update_stack(StackName="many", TemplateBody=text)
        yield _series(f"{number} resources deployed again", began)
        began = time.perf_counter()
        cfn.delete_stack(StackName="many")
        assert _settled(cfn, stack_id) == "DELETE_COMPLETE"
        yield _series(f"{number} resources removed", began)


def template(number: int) -> dict[str, Any]:
    """Functions with their queues, mappings, permissions and versions: five resources each."""
    resources: dict[str, Any] = {}
    for each in range(number // 5):
        resources |= {
            f"F{each}": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": "arn:aws:iam::000000000000:role/r",
                    "Code": {"ZipFile": "def handler(event, context): return event"},
                },
            },
            f"Q{each}": {"Type": "AWS::SQS::Queue"},
            f"M{each}": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "FunctionName": {"Ref": f"F{each}"},
                    "EventSourceArn": {"Fn::GetAtt": [f"Q{each}", "Arn"]},
                },
            },
            f"P{each}": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": {"Ref": f"F{each}"},
                    "Principal": "s3.amazonaws.com",
                },
            },
            f"G{each}": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": {"Fn::Sub": f"/aws/lambda/${{F{each}}}"}},
            },
        }
    return {"Resources": resources}


def _settled(cfn: Any, stack_id: str) -> str:
    while True:
        status = str(cfn.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(_POLL_S)


def _series(name: str, began: float) -> Series:
    return Series(row="", name=name, unit="s", values=[time.perf_counter() - began])
