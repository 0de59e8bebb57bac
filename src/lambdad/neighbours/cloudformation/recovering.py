"""Operations on operations: taking one back, giving one up, and telling one to go on."""

from __future__ import annotations

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.model import Stack
from lambdad.neighbours.cloudformation.service import CLOUDFORMATION, Context, stack_of
from lambdad.neighbours.cloudformation.signals import signal_key

_CANCELLED = "Resource update cancelled"


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


@CLOUDFORMATION.operation("RollbackStack")
async def rollback_stack(context: Context, params: Params) -> Result:
    """Take back a creation or update that failed and was left as it is."""
    stack = stack_of(context, params)
    if stack.busy or stack.status not in ("CREATE_FAILED", "UPDATE_FAILED"):
        raise ValidationError(
            f"Stack [{stack.name}] is in {stack.status} state and cannot be rolled back."
        )
    stack.token = params.get("ClientRequestToken") or ""
    stack.drop_created = bool(params.get("RetainExceptOnCreate"))
    created = stack.status == "CREATE_FAILED"
    stack.phase = "undo" if created else "rollback"
    status = "ROLLBACK_IN_PROGRESS" if created else "UPDATE_ROLLBACK_IN_PROGRESS"
    await context.services.journal.stack(stack, status, "User Initiated")
    context.services.begin(stack)
    return {"StackId": stack.id}


@CLOUDFORMATION.operation("CancelUpdateStack")
async def cancel_update_stack(context: Context, params: Params) -> Result:
    """Stop an update and take it back."""
    stack = stack_of(context, params)
    if stack.status != "UPDATE_IN_PROGRESS":
        raise ValidationError(
            f"CancelUpdateStack cannot be called from current stack status: {stack.status}"
        )
    _take_back(stack)
    context.services.stops.stop(stack, _CANCELLED)
    await context.services.journal.stack(stack)
    return {}


def _take_back(stack: Stack) -> None:
    """Whatever the update was to do if it failed: who cancels it wants it undone."""
    stack.on_failure = "ROLLBACK"


@CLOUDFORMATION.operation("SignalResource")
async def signal_resource(context: Context, params: Params) -> Result:
    """Tell a resource that waits by its creation policy that something went well, or did not."""
    stack, name = stack_of(context, params), params["LogicalResourceId"]
    resource = stack.resources.get(name)
    if resource is None:
        raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
    if resource.status != "CREATE_IN_PROGRESS":
        raise ValidationError(
            f"Resource {name} is in {resource.status} state and cannot be signaled"
        )
    signal = {
        "id": params["UniqueId"],
        "status": params["Status"],
        "data": "",
        "reason": f"Received {params['Status']} signal with UniqueId {params['UniqueId']}",
    }
    await context.services.signals.put(signal_key(stack, resource), signal)
    return {}
