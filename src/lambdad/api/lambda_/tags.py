"""Tags of Lambda resources. Functions have them; other kinds of resources do not exist yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA
from lambdad.controlplane import references
from lambdad.controlplane.references import Target
from lambdad.domain.errors import (
    InvalidParameterValueException,
    LambdadError,
    ResourceNotFoundException,
)


@LAMBDA.operation("ListTags")
async def list_tags(context: RequestContext, params: Params) -> Result:
    """Return a function's tags."""
    target = _target(context, params["Resource"], "ListTags")
    return {"Tags": dict(context.services.functions.find(target).tags)}


@LAMBDA.operation("TagResource")
async def tag_resource(context: RequestContext, params: Params) -> Result:
    """Add tags to a function or overwrite them."""
    target = _target(context, params["Resource"], "TagResource")
    if not params["Tags"]:
        raise InvalidParameterValueException(
            "An error occurred and the request cannot be processed."
        )
    await context.services.functions.tag(target, params["Tags"])
    return {}


@LAMBDA.operation("UntagResource")
async def untag_resource(context: RequestContext, params: Params) -> Result:
    """Remove tags from a function."""
    target = _target(context, params["Resource"], "UntagResource")
    await context.services.functions.untag(target, params["TagKeys"])
    return {}


def _target(context: RequestContext, arn: str, action: str) -> Target:
    if ":function:" not in arn:
        raise _absent(arn)
    target = references.resolve(
        arn, account_id=context.account_id, region=context.region, action=action
    )
    if target.qualifier is not None:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function "
            "ARN."
        )
    return target


def _absent(arn: str) -> LambdadError:
    """Say that a taggable resource other than a function does not exist."""
    if ":code-signing-config:" in arn:
        return ResourceNotFoundException(
            f"The Lambda code signing configuration {arn} can not be found."
        )
    if ":capacity-provider:" in arn:
        return ResourceNotFoundException(f"Capacity provider not found: {arn}")
    if ":event-source-mapping:" in arn:
        return ResourceNotFoundException(f"Event source mapping not found: {arn}")
    return ResourceNotFoundException("The resource you requested does not exist.")
