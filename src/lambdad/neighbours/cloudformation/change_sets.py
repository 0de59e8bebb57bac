"""Change sets: what an update or creation would do, and doing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation.comparing import changes_nothing, changes_of
from lambdad.neighbours.cloudformation.errors import (
    AlreadyExistsException,
    ChangeSetNotFoundException,
    InvalidChangeSetStatusException,
    ValidationError,
)
from lambdad.neighbours.cloudformation.importing import as_imports, check_changes, identified
from lambdad.neighbours.cloudformation.model import ChangeSet, Plan, Stack
from lambdad.neighbours.cloudformation.parameters import shown
from lambdad.neighbours.cloudformation.service import (
    CLOUDFORMATION,
    Context,
    moment,
    owner_of,
    pairs,
    stack_of,
)
from lambdad.neighbours.cloudformation.stacks import (
    SOON_S,
    begin_update,
    check_updatable,
    new_stack,
    on_failure,
    planned,
)
from lambdad.neighbours.cloudformation.triggers import checked_triggers

_NOTHING = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)
_REVIEW = "REVIEW_IN_PROGRESS"
_PAGE = 100


@CLOUDFORMATION.operation("CreateChangeSet", lenient=("ResourcesToImport",))
async def create_change_set(context: Context, params: Params) -> Result:
    """Find out what a request would change; the answer is ready with the call."""
    services, kind = context.services, params.get("ChangeSetType") or "UPDATE"
    # ImportExistingResources, which CDK always sends when it bootstraps, is not heeded: what is
    # there already fails to be created, and says so.
    stack, plan = await _stack_and_plan(context, params, kind)
    exports = services.exports_of(stack)
    for each in services.change_sets(stack):
        if each.name == params["ChangeSetName"]:
            raise AlreadyExistsException(
                f"ChangeSet {params['ChangeSetName']} cannot be created due to a mismatch with "
                "existing attribute Template"
            )
    changes = await services.off_loop(lambda: changes_of(stack, plan, exports))
    triggers = params.get("RollbackConfiguration")
    imports: dict[str, str] = {}
    if kind == "IMPORT":
        imports = identified(params.get("ResourcesToImport") or [], plan, stack)
        services.check_free(stack, imports)
        check_changes(changes, imports)
        changes = as_imports(changes, imports)
    empty = kind == "UPDATE" and changes_nothing(stack, plan, changes, exports)
    change_set = ChangeSet(
        id=f"arn:aws:cloudformation:{context.region}:{context.account_id}:changeSet/"
        f"{params['ChangeSetName']}/{uuid4()}",
        name=params["ChangeSetName"],
        stack_id=stack.id,
        kind=kind,
        status="FAILED" if empty else "CREATE_COMPLETE",
        execution_status="UNAVAILABLE" if empty else "AVAILABLE",
        reason=_NOTHING if empty else "",
        created_ms=services.journal.now_ms(),
        plan=plan,
        changes=changes,
        description=params.get("Description"),
        on_failure=params.get("OnStackFailure") or "ROLLBACK",
        notification_arns=list(params.get("NotificationARNs") or ()),
        role_arn=params.get("RoleARN"),
        imports=imports,
        rollback=None if triggers is None else checked_triggers(triggers),
    )
    await services.put_change_set(change_set)
    return {"Id": change_set.id, "StackId": stack.id}


async def _stack_and_plan(context: Context, params: Params, kind: str) -> tuple[Stack, Plan]:
    services, name = context.services, params["StackName"]
    stack = services.get(owner_of(context), name)
    if kind == "CREATE" or (kind == "IMPORT" and (stack is None or stack.status == _REVIEW)):
        if stack is not None and stack.status != _REVIEW:
            raise ValidationError(
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{params['ChangeSetName']}]."
            )
        new = stack is None
        stack = stack or new_stack(context, name, params, _REVIEW)
        plan = await planned(context, params, stack)
        if new:
            stack.reason = "User Initiated"
            await services.add(stack)
        return stack, plan
    if stack is None or stack.status == _REVIEW:
        raise ValidationError(f"Stack [{name}] does not exist")
    check_updatable(stack)
    return stack, await planned(context, params, stack, former=stack.plan)


@CLOUDFORMATION.operation("DescribeChangeSet")
async def describe_change_set(context: Context, params: Params) -> Result:
    """Return a change set with a page of its changes."""
    change_set = _found(context, params)
    token = params.get("NextToken")
    start = int(token) if token and token.isdecimal() else 0
    end = start + _PAGE
    texts = shown(change_set.plan.template, change_set.plan.parameters)
    return {
        **_summary(context, change_set),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in texts.items()
        ],
        "NotificationARNs": change_set.notification_arns,
        "Capabilities": change_set.plan.capabilities,
        "Tags": pairs(change_set.plan.tags),
        "RollbackConfiguration": change_set.rollback,
        "Changes": change_set.changes[start:end],
        "NextToken": str(end) if len(change_set.changes) > end else None,
        "OnStackFailure": change_set.on_failure,
    }


def _found(context: Context, params: Params) -> ChangeSet:
    return context.services.change_set(
        owner_of(context), params["ChangeSetName"], params.get("StackName")
    )


def _summary(context: Context, change_set: ChangeSet) -> Mapping[str, Any]:
    stack = context.services.find(owner_of(context), change_set.stack_id)
    return {
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": change_set.description,
        "CreationTime": moment(change_set.created_ms),
        "Status": change_set.status,
        "StatusReason": change_set.reason or None,
        "ExecutionStatus": change_set.execution_status,
        "IncludeNestedStacks": False,
    }


@CLOUDFORMATION.operation("ListChangeSets")
async def list_change_sets(context: Context, params: Params) -> Result:
    """Return the change sets of a stack."""
    found = context.services.change_sets(stack_of(context, params))
    return {"Summaries": [_summary(context, each) for each in found]}


@CLOUDFORMATION.operation("ExecuteChangeSet")
async def execute_change_set(context: Context, params: Params) -> Result:
    """Do what a change set says; the others of its stack are void then."""
    services, change_set = context.services, _found(context, params)
    if change_set.execution_status != "AVAILABLE":
        raise InvalidChangeSetStatusException(
            f"ChangeSet [{change_set.id}] cannot be executed in its current status of "
            f"[{change_set.status}]"
        )
    stack = services.find(owner_of(context), change_set.stack_id)
    failure = change_set.on_failure
    if params.get("DisableRollback"):
        failure = on_failure(params)
    stack.token = params.get("ClientRequestToken") or ""
    stack.change_set_id = change_set.id
    stack.drop_created = bool(params.get("RetainExceptOnCreate"))
    if change_set.rollback is not None:
        stack.rollback = change_set.rollback
    if stack.status == _REVIEW and change_set.kind == "IMPORT":
        stack.plan, stack.phase, stack.imports = change_set.plan, "import", change_set.imports
        await services.journal.stack(stack, "IMPORT_IN_PROGRESS", "User Initiated")
        services.begin(stack)
    elif stack.status == _REVIEW:
        stack.plan, stack.on_failure, stack.phase = change_set.plan, failure, "create"
        await services.journal.stack(stack, "CREATE_IN_PROGRESS", "User Initiated")
        services.begin(stack)
    elif change_set.kind == "IMPORT":
        check_updatable(stack)
        stack.former, stack.plan, stack.phase = stack.plan, change_set.plan, "import"
        stack.imports = dict(change_set.imports)
        await services.journal.stack(stack, "IMPORT_IN_PROGRESS", "User Initiated")
        services.begin(stack)
    else:
        await begin_update(context, stack, change_set.plan, failure)
    await services.forget_change_sets(
        [each for each in services.change_sets(stack) if each is not change_set]
    )
    change_set.execution_status = "EXECUTE_COMPLETE"
    await services.put_change_set(change_set)
    await services.settle(stack, SOON_S)
    return {}


@CLOUDFORMATION.operation("DeleteChangeSet")
async def delete_change_set(context: Context, params: Params) -> Result:
    """Forget a change set; of a stack that is there, it need not exist."""
    services, stack_name = context.services, params.get("StackName")
    try:
        found = [_found(context, params)]
    except ChangeSetNotFoundException:
        if not stack_name or services.get(owner_of(context), stack_name) is None:
            raise
        found = []
    await services.forget_change_sets(found)
    return {}
