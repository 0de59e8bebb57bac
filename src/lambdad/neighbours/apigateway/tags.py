"""Tags of whatever has an ARN."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.api_keys import key_of
from lambdad.neighbours.apigateway.domain_names import domain_of
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.service import REST_APIS, Context, account_of
from lambdad.neighbours.apigateway.stages import stage_of
from lambdad.neighbours.apigateway.usage_plans import plan_of
from lambdad.triggers.rest_api.model import Account, Document, RestApi

_ARN = re.compile(
    r"arn:[a-z0-9-]+:apigateway:[a-z0-9-]*:[0-9]*:"
    r"/(?P<kind>restapis|apikeys|usageplans|domainnames)/(?P<id>[^/]+)"
    r"(?:/stages/(?P<stage>[^/]+))?"
)
_TAGS_MAX = 50


class _Tagged:
    """What has tags, and where it is stored."""

    def __init__(self, owner: RestApi | Account, kind: str, key: str, document: Document) -> None:
        self.owner, self.kind, self.key, self.document = owner, kind, key, document
        self.tags: Mapping[str, str] = document.get("tags") or {}


def _found(context: Context, resource_arn: str) -> _Tagged:
    named = _ARN.fullmatch(resource_arn)
    if named is None:
        raise BadRequestException("Invalid resource ARN specified in the request")
    kind, identifier, stage = named["kind"], named["id"], named["stage"]
    if kind == "restapis":
        api = context.services.find(context.account_id, context.region, identifier)
        if stage:
            return _Tagged(api, "stages", stage, stage_of(api, stage))
        return _Tagged(api, "api", api.api_id, api.document)
    account = account_of(context)
    if kind == "apikeys":
        return _Tagged(account, "api_keys", identifier, key_of(account, identifier))
    if kind == "usageplans":
        return _Tagged(account, "usage_plans", identifier, plan_of(account, identifier))
    return _Tagged(account, "domain_names", identifier, domain_of(account, identifier))


async def _put(context: Context, found: _Tagged, tags: Mapping[str, str]) -> None:
    document = {**found.document, "tags": dict(tags)}
    await context.services.put(found.owner, found.kind, found.key, document)


def _owner(found: _Tagged) -> str:
    owner = found.owner
    return owner.api_id if isinstance(owner, RestApi) else f"{owner.account_id}/{owner.region}"


@REST_APIS.operation("GetTags")
async def get(context: Context, params: Params) -> Result:
    """Return tags."""
    return {"tags": _found(context, params["resourceArn"]).tags}


@REST_APIS.operation("TagResource")
async def tag(context: Context, params: Params) -> Result:
    """Add tags."""
    owner = _owner(_found(context, params["resourceArn"]))
    async with context.services.lock(owner):
        found = _found(context, params["resourceArn"])
        tags = {**found.tags, **params["tags"]}
        if len(tags) > _TAGS_MAX:
            raise BadRequestException(f"The number of tags must not exceed {_TAGS_MAX}")
        await _put(context, found, tags)
    return {}


@REST_APIS.operation("UntagResource")
async def untag(context: Context, params: Params) -> Result:
    """Take tags away."""
    owner = _owner(_found(context, params["resourceArn"]))
    async with context.services.lock(owner):
        found = _found(context, params["resourceArn"])
        gone = set(params["tagKeys"])
        await _put(context, found, {k: v for k, v in found.tags.items() if k not in gone})
    return {}
