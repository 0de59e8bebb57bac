"""Creating, updating and deleting stacks, and what protects them."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation.comparing import changes_nothing, changes_of
from lambdad.neighbours.cloudformation.errors import (
    AlreadyExistsException,
    ValidationError,
)
from lambdad.neighbours.cloudformation.model import Plan, Stack
from lambdad.neighbours.cloudformation.planning import make_plan, template_text
from lambdad.neighbours.cloudformation.service import (
    CLOUDFORMATION,
    Context,
    calls_of,
    owner_of,
    stack_of,
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_UPDATABLE = {
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
}


def new_stack(context: Context, name: str, params: Params, status: str) -> Stack:
    """Return a stack that is not stored yet.

    Raises:
        ValidationError: it cannot have that name.
    """
    if not _NAME.fullmatch(name):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            "[a-zA-Z][-a-zA-Z0-9]*"
        )
    stack_id = (
        f"arn:aws:cloudformation:{context.region}:{context.account_id}:stack/{name}/{uuid4()}"
    )
    return Stack(
        id=stack_id,
        name=name,
        account_id=context.account_id,
        region=context.region,
        status=status,
        created_ms=context.services.journal.now_ms(),
        plan=Plan(text="", document={}),
        notification_arns=list(params.get("NotificationARNs") or ()),
        role_arn=params.get("RoleARN"),
        termination_protection=bool(params.get("EnableTerminationProtection")),
        timeout_minutes=params.get("TimeoutInMinutes"),
        policy=params.get("StackPolicyBody"),
        token=params.get("ClientRequestToken") or "",
    )


async def planned(
    context: Context, params: Params, stack: Stack, *, former: Plan | None = None
) -> Plan:
    """Return what a request wants a stack to be; see `planning.make_plan`."""
    calls, services = calls_of(context), context.services
    exports, macros = services.exports_of(stack), services.macros_of(stack)

    def plan() -> Plan:
        text = template_text(params, calls)
        if text is None and params.get("UsePreviousTemplate") and former is not None:
            text = former.text
        if text is None:
            raise ValidationError("Either Template URL or Template Body must be specified.")
        return make_plan(
            text,
            params,
            stack,
            calls,
            exports=exports,
            macros=macros,
            lenient=services.lenient,
            former=former,
        )

    found: Plan = await services.off_loop(plan)
    return found


def on_failure(params: Params) -> str:
    """Return what is to be done when the operation fails."""
    if params.get("DisableRollback"):
        if params.get("OnFailure"):
            raise ValidationError("You can specify either OnFailure or DisableRollback, not both.")
        return "DO_NOTHING"
    return str(params.get("OnFailure") or "ROLLBACK")


@CLOUDFORMATION.operation("CreateStack")
async def create_stack(context: Context, params: Params) -> Result:
    """Begin to create a stack."""
    name, services = params["StackName"], context.services
    refuse_existing(context, name)
    stack = new_stack(context, name, params, "CREATE_IN_PROGRESS")
    stack.on_failure = on_failure(params)
    stack.plan = await planned(context, params, stack)
    refuse_existing(context, name)
    stack.phase, stack.reason = "create", "User Initiated"
    await services.add(stack)
    services.begin(stack)
    return {"StackId": stack.id}


def refuse_existing(context: Context, name: str) -> None:
    """Refuse a name that a stack has.

    Raises:
        AlreadyExistsException: see there.
    """
    if context.services.get(owner_of(context), name) is not None:
        raise AlreadyExistsException(f"Stack [{name}] already exists")


def check_updatable(stack: Stack) -> None:
    """Refuse to update a stack that is not in the state for it.

    Raises:
        ValidationError: see there.
    """
    if stack.status not in _UPDATABLE or stack.busy:
        raise ValidationError(
            f"Stack:{stack.id} is in {stack.status} state and can not be updated."
        )


async def begin_update(context: Context, stack: Stack, plan: Plan, failure: str) -> None:
    """Begin to make a stack what a plan says."""
    check_updatable(stack)
    stack.former, stack.plan = stack.plan, plan
    stack.on_failure, stack.phase = failure, "update"
    stack.updated_ms = context.services.journal.now_ms()
    await context.services.journal.stack(stack, "UPDATE_IN_PROGRESS", "User Initiated")
    context.services.begin(stack)


@CLOUDFORMATION.operation("UpdateStack")
async def update_stack(context: Context, params: Params) -> Result:
    """Begin to update a stack."""
    stack, services = context.services.get(owner_of(context), params["StackName"]), context.services
    if stack is None or stack.deleted:
        raise ValidationError(f"Stack [{params['StackName']}] does not exist")
    check_updatable(stack)
    plan = await planned(context, params, stack, former=stack.plan)
    exports = services.exports_of(stack)
    changes = await services.off_loop(lambda: changes_of(stack, plan, exports))
    if changes_nothing(stack, plan, changes, exports):
        raise ValidationError("No updates are to be performed.")
    stack.token = params.get("ClientRequestToken") or ""
    if params.get("StackPolicyBody"):
        stack.policy = params["StackPolicyBody"]
    await begin_update(context, stack, plan, on_failure(params))
    return {"StackId": stack.id}


@CLOUDFORMATION.operation("DeleteStack")
async def delete_stack(context: Context, params: Params) -> Result:
    """Begin to delete a stack; one that is not there is well."""
    services = context.services
    stack = services.get(owner_of(context), params["StackName"])
    if stack is None or stack.deleted or stack.phase == "delete":
        return {}
    if stack.termination_protection:
        raise ValidationError(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    if stack.busy:
        raise ValidationError(
            f"Stack:{stack.id} is in {stack.status} state and can not be deleted."
        )
    for output in stack.outputs:
        if "ExportName" in output:
            services.check_unused(stack, output["ExportName"])
    stack.retain = list(params.get("RetainResources") or ())
    stack.token = params.get("ClientRequestToken") or ""
    stack.phase = "delete"
    await services.journal.stack(stack, "DELETE_IN_PROGRESS", "User Initiated")
    await services.forget_change_sets(services.change_sets(stack))
    services.begin(stack)
    return {}


@CLOUDFORMATION.operation("ContinueUpdateRollback")
async def continue_update_rollback(context: Context, params: Params) -> Result:
    """Try again to roll back an update."""
    stack = stack_of(context, params)
    if stack.status != "UPDATE_ROLLBACK_FAILED":
        raise ValidationError(
            f"Stack [{stack.id}] is in {stack.status} state and can not be continued to roll back."
        )
    for name in params.get("ResourcesToSkip") or ():
        if name in stack.resources:
            stack.resources[name].before = None
    stack.phase = "rollback"
    await context.services.journal.stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    context.services.begin(stack)
    return {}


@CLOUDFORMATION.operation("UpdateTerminationProtection")
async def update_termination_protection(context: Context, params: Params) -> Result:
    """Say whether a stack can be deleted."""
    stack = stack_of(context, params)
    stack.termination_protection = bool(params["EnableTerminationProtection"])
    await context.services.journal.stack(stack)
    return {"StackId": stack.id}


@CLOUDFORMATION.operation("SetStackPolicy")
async def set_stack_policy(context: Context, params: Params) -> Result:
    """Store a stack's policy."""
    stack = stack_of(context, params)
    stack.policy = params.get("StackPolicyBody")
    await context.services.journal.stack(stack)
    return {}


@CLOUDFORMATION.operation("GetStackPolicy")
async def get_stack_policy(context: Context, params: Params) -> Result:
    """Return a stack's policy."""
    found: dict[str, Any] = {"StackPolicyBody": stack_of(context, params).policy}
    return found
