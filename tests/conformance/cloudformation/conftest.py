"""Stacks, and users who talk to CloudFormation with boto3."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)
_FINAL = "_IN_PROGRESS"


@dataclass(frozen=True)
class Account:
    """A user of all services, in an account of its own."""

    endpoint_url: str
    account_id: str

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.account_id,
            aws_secret_access_key="any",
            config=Config(retries={"max_attempts": 0}, read_timeout=60),
        )

    @property
    def cfn(self) -> Any:
        return self.client("cloudformation")

    def settled(self, name: str) -> dict[str, Any]:
        """The stack once nothing goes on in it."""
        cfn, stack = self.cfn, {}
        for _ in range(3_000):
            stack = cfn.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith(_FINAL):
                return dict(stack)
        raise AssertionError(stack)

    def deploy(self, name: str, template: Any, **params: Any) -> dict[str, Any]:
        body = template if isinstance(template, str) else json.dumps(template)
        self.cfn.create_stack(StackName=name, TemplateBody=body, **params)
        return self.settled(name)

    def update(self, name: str, template: Any, **params: Any) -> dict[str, Any]:
        body = template if isinstance(template, str) else json.dumps(template)
        self.cfn.update_stack(StackName=name, TemplateBody=body, **params)
        return self.settled(name)

    def delete(self, name: str) -> dict[str, Any]:
        stack_id = self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.cfn.delete_stack(StackName=name)
        return self.settled(stack_id)

    def events(self, name: str) -> list[tuple[str, str, str]]:
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=name)
        return [
            (
                event["LogicalResourceId"],
                event["ResourceStatus"],
                event.get("ResourceStatusReason", ""),
            )
            for page in pages
            for event in page["StackEvents"]
        ]


@pytest.fixture
def account(daemon: DaemonProcess) -> Account:
    return Account(daemon.endpoint_url, f"6{next(_NUMBERS):011}")


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
