"""A daemon that is killed in the middle of an operation on a stack finishes it afterwards."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess

pytestmark = [pytest.mark.root, pytest.mark.slow]

Start = Callable[..., DaemonProcess]
_NUMBER = 30
BAD: Any = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99_999_999}}


class Victim:
    """A daemon that is killed when an operation on its stack has come to its third resource."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._daemon = start()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._daemon.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def cfn(self) -> Any:
        return self.client("cloudformation")

    def interrupted(self, name: str, status: str, number: int = 3, **operation: Any) -> str:
        """The end of a stack's operation that was cut off once so many resources had a status."""
        cfn = self.cfn
        stack_id = cfn.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        before = self._events(cfn, stack_id, status)
        [(call, params)] = operation.items()
        # Some calls answer when the operation has ended, if that is soon.
        caller = Thread(target=_quietly, args=(getattr(self.cfn, call), params))
        caller.start()
        for _ in asking(pause_s=0):
            if self._events(cfn, stack_id, status) - before >= number:
                break
        self.restart()
        caller.join()
        return self.settled(stack_id)

    def restart(self) -> None:
        self._daemon.kill()
        self._daemon = self._start()

    def settled(self, name: str) -> str:
        for _ in asking():
            stack = self.cfn.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return str(stack["StackStatus"])
        raise AssertionError(stack)

    def _events(self, cfn: Any, name: str, status: str) -> int:
        pages = cfn.get_paginator("describe_stack_events").paginate(StackName=name)
        return sum(
            each["ResourceStatus"] == status and each["ResourceType"] == "AWS::SQS::Queue"
            for page in pages
            for each in page["StackEvents"]
        )

    def delays(self) -> list[str]:
        sqs = self.client("sqs")
        urls = sqs.list_queues().get("QueueUrls", [])
        return [
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"][
                "DelaySeconds"
            ]
            for url in urls
        ]


def _quietly(call: Callable[..., Any], params: dict[str, Any]) -> None:
    with suppress(BotoCoreError):
        call(**params)


def template(delay: int, **more: Any) -> str:
    """Queues that wait for each other, so that an operation takes its time."""
    resources: dict[str, Any] = {
        f"Q{each}": {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": "Delete",
            "Properties": {"DelaySeconds": delay},
            **({"DependsOn": f"Q{each - 1}"} if each else {}),
        }
        for each in range(_NUMBER)
    }
    return json.dumps({"Resources": {**resources, **more}})


def test_updates_rollbacks_and_deletions_go_on_after_a_kill(start: Start) -> None:
    victim = Victim(start)
    name = {"StackName": "cut"}
    victim.cfn.create_stack(**name, TemplateBody=template(0))
    assert victim.settled("cut") == "CREATE_COMPLETE"
    update = {**name, "TemplateBody": template(1)}
    assert victim.interrupted("cut", "UPDATE_COMPLETE", update_stack=update) == "UPDATE_COMPLETE"
    assert victim.delays() == ["1"] * _NUMBER
    victim.cfn.create_change_set(**name, ChangeSetName="c", TemplateBody=template(2))
    execute = {**name, "ChangeSetName": "c"}
    assert (
        victim.interrupted("cut", "UPDATE_IN_PROGRESS", execute_change_set=execute)
        == "UPDATE_COMPLETE"
    )
    assert victim.delays() == ["2"] * _NUMBER
    # The last one fails, and the way back is cut off.
    broken = template(3, Bad={**BAD, "DependsOn": f"Q{_NUMBER - 1}"})
    update = {**name, "TemplateBody": broken}
    assert (
        victim.interrupted("cut", "UPDATE_COMPLETE", _NUMBER + 3, update_stack=update)
        == "UPDATE_ROLLBACK_COMPLETE"
    )
    assert victim.delays() == ["2"] * _NUMBER
    assert victim.interrupted("cut", "DELETE_COMPLETE", delete_stack=name) == "DELETE_COMPLETE"
    assert victim.delays() == []


def test_an_import_goes_on_after_a_kill(start: Start) -> None:
    victim = Victim(start)
    sqs = victim.client("sqs")
    urls = [sqs.create_queue(QueueName=f"cut-{each}")["QueueUrl"] for each in range(_NUMBER)]
    victim.cfn.create_change_set(
        StackName="taken",
        ChangeSetName="c",
        ChangeSetType="IMPORT",
        TemplateBody=template(0),
        ResourcesToImport=[
            {
                "ResourceType": "AWS::SQS::Queue",
                "LogicalResourceId": f"Q{number}",
                "ResourceIdentifier": {"QueueUrl": url},
            }
            for number, url in enumerate(urls)
        ],
    )
    execute = {"StackName": "taken", "ChangeSetName": "c"}
    assert victim.interrupted("taken", "IMPORT_COMPLETE", execute_change_set=execute) == (
        "IMPORT_COMPLETE"
    )
    victim.cfn.delete_stack(StackName="taken")
    assert victim.delays() == []


def test_a_signal_before_and_one_after_a_kill_let_a_stack_go_on(start: Start) -> None:
    victim = Victim(start)
    text = json.dumps(
        {
            "Resources": {
                "Q": {"Type": "AWS::SQS::Queue"},
                "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
                "Wait": {
                    "Type": "AWS::CloudFormation::WaitCondition",
                    "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 120, "Count": 2},
                },
            }
        }
    )
    victim.cfn.create_stack(StackName="told", TemplateBody=text)
    url = ""
    while not url:
        rows = victim.cfn.list_stack_resources(StackName="told")["StackResourceSummaries"]
        url = "".join(
            row.get("PhysicalResourceId", "")
            for row in rows
            if row["LogicalResourceId"] == "Handle"
        )
    _signal(url, "a")
    victim.restart()
    old, new = url.split("/")[2], victim.cfn.meta.endpoint_url.split("/")[2]
    _signal(url.replace(old, new), "b")
    assert victim.settled("told") == "CREATE_COMPLETE"


def _signal(url: str, name: str) -> None:
    body = json.dumps({"Status": "SUCCESS", "UniqueId": name, "Data": "", "Reason": ""}).encode()
    request = urllib.request.Request(url, data=body, method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
