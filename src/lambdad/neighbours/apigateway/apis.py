"""REST APIs themselves."""

from __future__ import annotations

import json
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import BadRequestException, NotFoundException
from lambdad.neighbours.apigateway.models import default_models
from lambdad.neighbours.apigateway.patches import EDIT, LIST, REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import (
    REST_APIS,
    Context,
    answered,
    changes_api,
    given,
    listed,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

_SIZE = "minimumCompressionSize"
_COMPRESSION_MAX = 10_485_760
_KEY_SOURCES = ("HEADER", "AUTHORIZER")
_ENDPOINTS = ("REGIONAL", "EDGE", "PRIVATE")

_RULES = Rules(
    shape=shape("RestApi"),
    paths={
        "/apiKeySource": REPLACE,
        "/binaryMediaTypes/*": EDIT,
        "/description": EDIT,
        "/disableExecuteApiEndpoint": REPLACE,
        "/endpointAccessMode": REPLACE,
        "/endpointConfiguration/ipAddressType": REPLACE,
        "/endpointConfiguration/types/*": EDIT,
        "/endpointConfiguration/vpcEndpointIds": LIST,
        "/minimumCompressionSize": REPLACE,
        "/name": REPLACE,
        "/policy": EDIT,
        "/securityPolicy": REPLACE,
        "/version": EDIT,
    },
)


def new_api(context: Context, members: Document) -> RestApi:
    """Return an API with its root resource and nothing else.

    Raises:
        BadRequestException: members that cannot be.
    """
    apis = context.services
    root = apis.new_id(10)
    document = {
        "id": apis.new_id(10),
        "createdDate": apis.now(),
        "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": False,
        "rootResourceId": root,
        **members,
        "endpointConfiguration": endpoint_configuration(members.get("endpointConfiguration")),
    }
    if not document.get("binaryMediaTypes"):
        document.pop("binaryMediaTypes", None)
    check(document)
    return RestApi(
        account_id=context.account_id,
        region=context.region,
        document=document,
        resources={root: {"id": root, "path": "/"}},
    )


def endpoint_configuration(members: Document | None) -> dict[str, Any]:
    """Return what says where an API's address is, complete."""
    found = {"types": ["EDGE"], **(members or {})}
    private = "PRIVATE" in found["types"]
    return {
        **found,
        "ipAddressType": found.get("ipAddressType") or ("dualstack" if private else "ipv4"),
    }


def check(document: Document) -> None:
    """Refuse members of an API that cannot be.

    Raises:
        BadRequestException: see there.
    """
    if not document.get("name"):
        raise BadRequestException("Name cannot be an empty string")
    if document.get("description") == "":
        raise BadRequestException("Description cannot be an empty string")
    if not 0 <= (document.get("minimumCompressionSize") or 0) <= _COMPRESSION_MAX:
        raise compression_refused()
    if document.get("apiKeySource") not in _KEY_SOURCES:
        raise BadRequestException(
            f"1 validation error detected: Value '{document.get('apiKeySource')}' at "
            "'createRestApiInput.apiKeySource' failed to satisfy constraint: Member must satisfy "
            "enum value set: [AUTHORIZER, HEADER]"
        )
    types = document["endpointConfiguration"]["types"]
    if len(types) != 1 or types[0] not in _ENDPOINTS:
        raise BadRequestException(
            "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE"
        )
    if document.get("policy"):
        try:
            json.loads(document["policy"])
        except ValueError as error:
            raise BadRequestException("Invalid policy document") from error


def compression_refused() -> BadRequestException:
    """What is answered where the size from which answers are compressed is none."""
    return BadRequestException(
        f"Invalid minimum compression size, must be between 0 and {_COMPRESSION_MAX}"
    )


def shown(document: Document) -> dict[str, Any]:
    """Return an API as operations answer it: its policy is text that was escaped once more."""
    found = answered(document)
    if found.get("policy"):
        found["policy"] = json.dumps(found["policy"])[1:-1]
    return found


@REST_APIS.operation("CreateRestApi")
async def create_rest_api(context: Context, params: Params) -> Result:
    """Make an API, empty or as a copy of another one."""
    cloned = params.get("cloneFrom")
    members = given(params, "cloneFrom")
    if cloned:
        try:
            other = context.services.find(context.account_id, context.region, cloned)
        except NotFoundException as error:
            raise BadRequestException("Invalid Rest API Id specified") from error
        api = _copy(context, other, members)
    else:
        api = new_api(context, members)
        api.models.update(default_models(context.services.new_id))
    await context.services.create(api)
    return shown(api.document)


def _copy(context: Context, other: RestApi, members: Document) -> RestApi:
    unique = ("id", "createdDate", "tags", "name")
    inherited = {name: each for name, each in other.document.items() if name not in unique}
    api = new_api(context, {**inherited, **members})
    api.resources = dict(other.resources)
    for kind in ("models", "validators", "authorizers", "gateway_responses", "documentation"):
        setattr(api, kind, dict(getattr(other, kind)))
    return api


@of_api("GetRestApi")
async def get_rest_api(context: Context, params: Params, api: RestApi) -> Result:
    """Return an API."""
    del context, params
    return shown(api.document)


@REST_APIS.operation("GetRestApis")
async def get_rest_apis(context: Context, params: Params) -> Result:
    """Return all APIs, a page at a time, the oldest first."""
    found = [api.document for api in context.services.of(context.account_id, context.region)]
    answer = listed(found, params, lambda each: f"{each['createdDate']} {each['id']}")
    return {**answer, "items": [_escaped(each) for each in answer["items"]]}


def _escaped(document: dict[str, Any]) -> dict[str, Any]:
    policy = document.get("policy")
    return {**document, "policy": json.dumps(policy)[1:-1]} if policy else document


@changes_api("UpdateRestApi")
async def update_rest_api(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of an API."""
    document: dict[str, Any] = dict(api.document)
    for operation in params.get("patchOperations") or ():
        if _sets_no_size(operation):
            document.pop(_SIZE, None)
        else:
            document = patched(document, [operation], _RULES)
    document = {name: value for name, value in document.items() if value not in (None, "", [])}
    check({"name": "", **document})
    await context.services.put_api(api, document)
    return {"tags": {}, **shown(api.document)}


def _sets_no_size(operation: Document) -> bool:
    """Whether an operation lets nothing be compressed; refuses a size that is none."""
    if operation.get("path") != f"/{_SIZE}" or operation.get("op") != "replace":
        return False
    value = operation.get("value")
    if value in (None, "", "null"):
        return True
    try:
        int(str(value))
    except ValueError as error:
        raise compression_refused() from error
    return False


@changes_api("DeleteRestApi")
async def delete_rest_api(context: Context, params: Params, api: RestApi) -> Result:
    """Forget an API with all that belongs to it."""
    del params
    mappings = context.services.directory.account(context.account_id, context.region).base_paths
    if any(
        each["restApiId"] == api.api_id for paths in mappings.values() for each in paths.values()
    ):
        raise BadRequestException(
            "Cannot delete a REST API that has base path mappings. Delete the mappings first."
        )
    await context.services.remove(api)
    return {}
