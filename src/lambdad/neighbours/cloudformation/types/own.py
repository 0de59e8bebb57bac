"""AWS::CloudFormation and AWS::CDK: nested stacks, and what exists in a template alone."""

from __future__ import annotations

import threading
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed
from lambdad.neighbours.cloudformation.types.base import (
    Made,
    Naming,
    ResourceFailed,
    ResourceType,
    Work,
    keep,
    nothing,
)

_SERVICE = "cloudformation"
HANDLE = "AWS::CloudFormation::WaitConditionHandle"
WAIT = "AWS::CloudFormation::WaitCondition"
_POLL_S = 0.2
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def _create_nothing(work: Work) -> Made:
    return Made(physical_id=work.name)


def _create_macro(work: Work) -> Made:
    """Make nothing: a macro is looked up among the resources of all stacks."""
    return Made(physical_id=str(work.get("Name")))


def _refuse_change(work: Work) -> Made:
    raise ResourceFailed(f"Update to resource type {WAIT} is not supported.")


def _parameters(work: Work) -> list[dict[str, Any]]:
    found = work.get("Parameters") or {}
    return [
        {
            "ParameterKey": name,
            "ParameterValue": ",".join(map(str, value)) if isinstance(value, list) else value,
        }
        for name, value in found.items()
    ]


def _settled(work: Work, stack_id: str) -> dict[str, Any]:
    """Return a nested stack once nothing goes on in it."""
    pause = threading.Event()
    while True:
        stack: dict[str, Any] = work.call(_SERVICE, "DescribeStacks", StackName=stack_id)["Stacks"][
            0
        ]
        if not str(stack["StackStatus"]).endswith("_IN_PROGRESS"):
            return stack
        pause.wait(_POLL_S)


def _nested(work: Work, stack_id: str, wanted: str) -> Made:
    stack = _settled(work, stack_id)
    if stack["StackStatus"] != wanted:
        done = wanted.partition("_")[0].lower()
        raise ResourceFailed(
            f"Embedded stack {stack_id} was not successfully {done}d: "
            f"{stack.get('StackStatusReason', stack['StackStatus'])}",
            left=stack_id,
        )
    outputs = stack.get("Outputs") or ()
    return Made(
        physical_id=stack_id,
        attributes={f"Outputs.{each['OutputKey']}": each["OutputValue"] for each in outputs},
    )


def _create_stack(work: Work) -> Made:
    found = work.create(
        _SERVICE,
        "CreateStack",
        **work.without("Parameters", "Tags"),
        StackName=work.name,
        Parameters=_parameters(work),
        Tags=work.tag_list(),
        Capabilities=_CAPABILITIES,
        OnFailure="DO_NOTHING",
    )
    stack_id = (
        found["StackId"]
        if found
        else work.call(_SERVICE, "DescribeStacks", StackName=work.name)["Stacks"][0]["StackId"]
    )
    return _nested(work, stack_id, "CREATE_COMPLETE")


def _update_stack(work: Work) -> Made:
    try:
        work.call(
            _SERVICE,
            "UpdateStack",
            **work.without("Parameters", "Tags"),
            StackName=work.physical_id,
            Parameters=_parameters(work),
            Tags=work.tag_list(),
            Capabilities=_CAPABILITIES,
        )
    except CallFailed as error:
        if "No updates are to be performed" not in str(error):
            raise
        return _nested(work, work.physical_id, _settled(work, work.physical_id)["StackStatus"])
    return _nested(work, work.physical_id, "UPDATE_COMPLETE")


def _delete_stack(work: Work) -> None:
    work.remove(_SERVICE, "DeleteStack", StackName=work.physical_id)
    stack = _settled(work, work.physical_id)
    if stack["StackStatus"] != "DELETE_COMPLETE":
        raise ResourceFailed(f"Embedded stack {work.physical_id} was not successfully deleted.")


TYPES = (
    ResourceType(
        name="AWS::CloudFormation::Stack",
        create=_create_stack,
        update=_update_stack,
        delete=_delete_stack,
        naming=Naming(property="", length=128),
        required=("TemplateURL",),
    ),
    # Their signals come to the daemon itself, which waits for them without a thread.
    ResourceType(name=HANDLE, create=_create_nothing, update=keep, delete=nothing),
    ResourceType(name=WAIT, create=_create_nothing, update=_refuse_change, delete=nothing),
    ResourceType(
        name="AWS::CloudFormation::Macro",
        create=_create_macro,
        update=_create_macro,
        delete=nothing,
        fixed=frozenset({"Name"}),
        required=("FunctionName", "Name"),
    ),
    ResourceType(name="AWS::CDK::Metadata", create=_create_nothing, update=keep, delete=nothing),
)
