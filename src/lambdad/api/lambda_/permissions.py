"""Operations on resource policies of functions."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, named_target, target_of
from lambdad.authz.policy_documents import Grant, text_of
from lambdad.controlplane.permissions import Permissions, Policy
from lambdad.controlplane.references import Target
from lambdad.domain.errors import ResourceNotFoundException


@LAMBDA.operation("AddPermission")
async def add_permission(context: RequestContext, params: Params) -> Result:
    """Add a statement to the policy of a function, version or alias."""
    target = target_of(context, params, "AddPermission")
    grant = Grant(
        statement_id=params["StatementId"],
        action=params["Action"],
        principal=params["Principal"],
        source_arn=params.get("SourceArn"),
        source_account=params.get("SourceAccount"),
        organization_id=params.get("PrincipalOrgID"),
        event_source_token=params.get("EventSourceToken"),
        url_auth_type=params.get("FunctionUrlAuthType"),
        via_function_url=params.get("InvokedViaFunctionUrl"),
    )
    statement = await _permissions(context).add(target, grant, revision_id=params.get("RevisionId"))
    return {"Statement": text_of(statement)}


@LAMBDA.operation("RemovePermission")
async def remove_permission(context: RequestContext, params: Params) -> Result:
    """Remove a statement from the policy of a function, version or alias."""
    target = target_of(context, params, "RemovePermission")
    await _permissions(context).remove(
        target, params["StatementId"], revision_id=params.get("RevisionId")
    )
    return {}


@LAMBDA.operation("GetPolicy")
async def get_policy(context: RequestContext, params: Params) -> Result:
    """Return the policy of a function, version or alias."""
    target = target_of(context, params, "GetPolicy")
    return _shape(await _permissions(context).get(target))


@LAMBDA.operation("PutResourcePolicy")
async def put_resource_policy(context: RequestContext, params: Params) -> Result:
    """Replace the whole policy."""
    target = _target(context, params, "PutResourcePolicy")
    policy = await _permissions(context).put(
        target, params["Policy"], revision_id=params.get("RevisionId")
    )
    return _shape(policy)


@LAMBDA.operation("GetResourcePolicy")
async def get_resource_policy(context: RequestContext, params: Params) -> Result:
    """Return the whole policy."""
    target = _target(context, params, "GetResourcePolicy")
    return _shape(await _permissions(context).get(target))


@LAMBDA.operation("DeleteResourcePolicy")
async def delete_resource_policy(context: RequestContext, params: Params) -> Result:
    """Remove the whole policy."""
    target = _target(context, params, "DeleteResourcePolicy")
    await _permissions(context).delete(target, revision_id=params.get("RevisionId"))
    return {}


def _permissions(context: RequestContext) -> Permissions:
    return context.services.functions.permissions


def _target(context: RequestContext, params: Params, action: str) -> Target:
    arn = params["ResourceArn"]
    if ":function:" not in arn:
        # The model also has runtimes here; none of those is anybody's to share.
        raise ResourceNotFoundException("The resource you requested does not exist.")
    return named_target(context, arn, action)


def _shape(policy: Policy) -> Result:
    return {"Policy": text_of(policy.document), "RevisionId": policy.revision_id}
