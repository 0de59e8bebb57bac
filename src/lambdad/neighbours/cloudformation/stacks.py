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
from lambdad.neighbours.cloudformation.fetching import fetched
from lambdad.neighbours.cloudformation.model import Plan, Stack
from lambdad.neighbours.cloudformation.planning import make_plan, template_text
from lambdad.neighbours.cloudformation.service import (
    CLOUDFORMATION,
    Context,
    calls_of,
    owner_of,
    stack_of,
)
from lambdad.neighbours.cloudformation.stack_policies import checked_policy
from lambdad.neighbours.cloudformation.triggers import checked_triggers

# Clients look at once and then after half a minute: what is done soon is done at the first look.
SOON_S = 5.0
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
        rollback=checked_triggers(params.get("RollbackConfiguration")),
        drop_created=bool(params.get("RetainExceptOnCreate")),
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
    stack.policy = await policy_of(context, params, "StackPolicy")
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
    # After an update that failed and was not taken back, what was before that one counts.
    stack.former, stack.plan = stack.former or stack.plan, plan
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
    stack.policy = await policy_of(context, params, "StackPolicy") or stack.policy
    stack.policy_during = await policy_of(context, params, "StackPolicyDuringUpdate")
    stack.drop_created = bool(params.get("RetainExceptOnCreate"))
    if params.get("RollbackConfiguration") is not None:
        stack.rollback = checked_triggers(params["RollbackConfiguration"])
    await begin_update(context, stack, plan, on_failure(params))
    return {"StackId": stack.id}


@CLOUDFORMATION.operation("DeleteStack")
async def delete_stack(context: Context, params: Params) -> Result:
    """Begin to delete a stack; one that is not there is well."""
    services = context.services
    stack = services.get(owner_of(context), params["StackName"])
    if stack is None or stack.deleted or stack.phase == "delete":
        return {}
    root, parents = stack, services.parents(stack.owner)
    while root.id in parents:
        root = parents[root.id]
    if root.termination_protection:
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
    await services.settle(stack, SOON_S)
    return {}


@CLOUDFORMATION.operation("UpdateTerminationProtection")
async def update_termination_protection(context: Context, params: Params) -> Result:
    """Say whether a stack can be deleted."""
    stack = stack_of(context, params)
    if stack.id in context.services.parents(stack.owner):
        raise ValidationError(
            f"Termination protection cannot be set on nested stack [{stack.name}]: set it on its "
            "root stack."
        )
    stack.termination_protection = bool(params["EnableTerminationProtection"])
    await context.services.journal.stack(stack)
    return {"StackId": stack.id}


@CLOUDFORMATION.operation("SetStackPolicy")
async def set_stack_policy(context: Context, params: Params) -> Result:
    """Store a stack's policy."""
    stack = stack_of(context, params)
    policy = await policy_of(context, params, "StackPolicy")
    if policy is None:
        raise ValidationError("Either Stack Policy URL or Stack Policy Body must be specified.")
    stack.policy = policy
    await context.services.journal.stack(stack)
    return {}


async def policy_of(context: Context, params: Params, name: str) -> str | None:
    """Return the policy of a request, which may be in S3; None if it has none.

    Raises:
        ValidationError: it cannot be applied.
    """
    body, url = params.get(f"{name}Body"), params.get(f"{name}URL")
    if body and url:
        raise ValidationError("You cannot specify both policy body and policy URL.")
    if url:
        calls = calls_of(context)
        body = await context.services.off_loop(lambda: fetched(url, calls))
    return checked_policy(body) if body else None


@CLOUDFORMATION.operation("GetStackPolicy")
async def get_stack_policy(context: Context, params: Params) -> Result:
    """Return a stack's policy."""
    found: dict[str, Any] = {"StackPolicyBody": stack_of(context, params).policy}
    return found
