"""One stack of a project: made, changed or removed, with what happens to each resource told."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lambdad.cli.deployment.artifacts import Artifacts
from lambdad.cli.errors import Failure

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_INLINE_BYTES = 51_200
_PAUSE_S = 0.2
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
_GONE = "DELETE_COMPLETE"
_TO_BE_MADE = ("REVIEW_IN_PROGRESS", _GONE)
_TO_BE_CLEARED = ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED")


class Progress(Protocol):
    """Who is told what happens."""

    def event(self, event: Mapping[str, Any]) -> None:
        """An event of the stack, as DescribeStackEvents has it."""
        ...


class Stack:
    """Mutable: which events were told.

    Args:
        client: of CloudFormation.
        name: of the stack.
        progress: told of each event from now on.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        progress: Progress,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._client = client
        self._progress = progress
        self._sleep = sleep
        self._told: set[str] = set()
        self._failure = ""

    def describe(self) -> Mapping[str, Any] | None:
        """Return the stack as DescribeStacks has it; None where there is none."""
        try:
            found: Mapping[str, Any] = self._client.describe_stacks(StackName=self.name)["Stacks"][
                0
            ]
        except self._client.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == _GONE else found

    def deploy(
        self,
        template: Mapping[str, Any],
        artifacts: Artifacts,
        *,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> bool:
        """Make the stack what a template says; False when it is that already.

        Raises:
            Failure: it was rolled back; the first reason is in the message.
        """
        stack = self.describe()
        if stack is not None and stack["StackStatus"] in _TO_BE_CLEARED:
            # Nothing works there: what a first deployment left when it failed.
            self.remove()
            stack = None
        makes = stack is None or stack["StackStatus"] in _TO_BE_MADE
        change_set = self._client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"lambdad-{uuid.uuid4().hex}",
            ChangeSetType="CREATE" if makes else "UPDATE",
            Capabilities=_CAPABILITIES,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            **_body(template, artifacts),
        )["Id"]
        if not self._has_changes(change_set):
            self._client.delete_change_set(ChangeSetName=change_set)
            return False
        self._forget_events()
        self._client.execute_change_set(ChangeSetName=change_set)
        status = self._follow(self.name)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise Failure(f"The stack {self.name} ended in {status}. {self._failure}")
        return True

    def remove(self) -> bool:
        """Delete the stack with all that is in it; False when there is none.

        Raises:
            Failure: something could not be deleted.
        """
        stack = self.describe()
        if stack is None:
            return False
        self._forget_events()
        self._client.delete_stack(StackName=self.name)
        status = self._follow(stack["StackId"])
        if status != _GONE:
            raise Failure(
                f"The stack {self.name} ended in {status}. {self._failure}",
                "Mend the cause, for example by emptying a bucket, and remove it again.",
            )
        return True

    def _has_changes(self, change_set: str) -> bool:
        while True:
            found = self._client.describe_change_set(ChangeSetName=change_set)
            if found["Status"] == "CREATE_COMPLETE":
                return True
            if found["Status"] == "FAILED":
                reason = found.get("StatusReason", "")
                if any(text in reason for text in _UNCHANGED):
                    return False
                raise Failure(f"The stack {self.name} cannot become that: {reason}")
            self._sleep(_PAUSE_S)

    def _forget_events(self) -> None:
        stack = self.describe()
        if stack is not None:
            self._told.update(event["EventId"] for event in self._events(stack["StackId"]))

    def _follow(self, stack: str) -> str:
        while True:
            found = self._client.describe_stacks(StackName=stack)["Stacks"][0]
            status: str = found["StackStatus"]
            for event in reversed(self._events(found["StackId"])):
                self._tell(event)
            if not status.endswith("_IN_PROGRESS"):
                return status
            self._sleep(_PAUSE_S)

    def _events(self, stack: str) -> list[Mapping[str, Any]]:
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
        return [event for page in pages for event in page["StackEvents"]]

    def _tell(self, event: Mapping[str, Any]) -> None:
        if event["EventId"] in self._told:
            return
        self._told.add(event["EventId"])
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and not self._failure:
            self._failure = f"{event['LogicalResourceId']}: {reason}"
        self._progress.event(event)


def _body(template: Mapping[str, Any], artifacts: Artifacts) -> dict[str, str]:
    text = json.dumps(template)
    if len(text.encode()) <= _INLINE_BYTES:
        return {"TemplateBody": text}
    key = artifacts.put(text.encode(), ".template")
    return {"TemplateURL": f"https://s3.amazonaws.com/{artifacts.bucket}/{key}"}
