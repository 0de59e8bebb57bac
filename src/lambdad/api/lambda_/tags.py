"""Tags of Lambda resources.

Functions have theirs here; another kind of resource registers with `TAGGED` under the name that its
ARNs have for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, named_target
from lambdad.controlplane.references import Target
from lambdad.domain.errors import (
    InvalidParameterValueException,
    LambdadError,
    ResourceNotFoundException,
)


class Tagged(Protocol):
    """A kind of resource that has tags; every method raises ResourceNotFoundException.

    ARNs are well formed, but may be of another account or region: that is not found either.
    """

    async def tags(self, context: RequestContext, arn: str) -> Mapping[str, str]:
        """Return the tags."""
        ...

    async def tag(self, context: RequestContext, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags or overwrite them; refuses too many."""
        ...

    async def untag(self, context: RequestContext, arn: str, names: Sequence[str]) -> None:
        """Remove tags; names that are not there are no error."""
        ...


class FunctionTags:
    """Tags of functions; versions and aliases have none."""

    async def tags(self, context: RequestContext, arn: str) -> Mapping[str, str]:
        """Return the tags."""
        return context.services.functions.find(_function(context, arn, "ListTags")).tags

    async def tag(self, context: RequestContext, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags or overwrite them."""
        await context.services.functions.tag(_function(context, arn, "TagResource"), tags)

    async def untag(self, context: RequestContext, arn: str, names: Sequence[str]) -> None:
        """Remove tags."""
        await context.services.functions.untag(_function(context, arn, "UntagResource"), names)


# By the sixth part of their ARNs.
TAGGED: dict[str, Tagged] = {"function": FunctionTags()}


@LAMBDA.operation("ListTags")
async def list_tags(context: RequestContext, params: Params) -> Result:
    """Return a resource's tags."""
    arn = params["Resource"]
    return {"Tags": dict(await _tagged(arn).tags(context, arn))}


@LAMBDA.operation("TagResource")
async def tag_resource(context: RequestContext, params: Params) -> Result:
    """Add tags to a resource or overwrite them."""
    arn = params["Resource"]
    kind = _tagged(arn)
    if not params["Tags"]:
        raise InvalidParameterValueException(
            "An error occurred and the request cannot be processed."
        )
    await kind.tag(context, arn, params["Tags"])
    return {}


@LAMBDA.operation("UntagResource")
async def untag_resource(context: RequestContext, params: Params) -> Result:
    """Remove tags from a resource."""
    arn = params["Resource"]
    await _tagged(arn).untag(context, arn, params["TagKeys"])
    return {}


def _tagged(arn: str) -> Tagged:
    kind = TAGGED.get(arn.split(":")[5])
    if kind is None:
        raise _absent(arn)
    return kind


def _function(context: RequestContext, arn: str, action: str) -> Target:
    target = named_target(context, arn, action)
    if target.qualifier is not None:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function "
            "ARN."
        )
    return target


def _absent(arn: str) -> LambdadError:
    """Say that there is no such resource, of a kind of which there can be none yet."""
    if ":capacity-provider:" in arn:
        return ResourceNotFoundException(f"Capacity provider not found: {arn}")
    return ResourceNotFoundException("The resource you requested does not exist.")
