"""Resources: the tree of an API's paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
    not_found,
)
from lambdad.neighbours.apigateway.parts import Change
from lambdad.neighbours.apigateway.patches import REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import (
    Context,
    answered,
    by,
    changes_api,
    listed,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

NO_RESOURCE = "Invalid Resource identifier specified"
_PART = re.compile(r"[a-zA-Z0-9._\-:]+|\{[a-zA-Z0-9._\-:]+\+?\}")
_RULES = Rules(
    shape=shape("Resource"), paths={"/parentId": REPLACE, "/pathPart": REPLACE}, lists_paths=True
)


def resource_of(api: RestApi, resource_id: str) -> Document:
    """Return a resource of an API.

    Raises:
        NotFoundException: it has none of this identifier.
    """
    found = api.resources.get(resource_id)
    if found is None:
        raise NotFoundException(NO_RESOURCE)
    return found


def joined(parent_path: str, part: str) -> str:
    """Return the path of a resource below another one."""
    return f"{parent_path.rstrip('/')}/{part}"


def check_part(part: str | None) -> None:
    """Refuse what cannot be a part of a path.

    Raises:
        BadRequestException: see there.
    """
    if _PART.fullmatch(part or "") is None:
        raise BadRequestException(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and "
            "curly braces at the beginning and the end."
        )


def _check_place(api: RestApi, parent: Document, part: str, own_id: str = "") -> None:
    """Refuse a place where there is another resource, or where there can be none."""
    check_part(part)
    if str(parent.get("pathPart", "")).endswith("+}"):
        raise BadRequestException(
            f"Cannot create a child of a resource with a greedy path variable: {parent['pathPart']}"
        )
    for sibling in api.resources.values():
        if sibling.get("parentId") != parent["id"] or sibling["id"] == own_id:
            continue
        if sibling["pathPart"] == part:
            raise ConflictException(
                f"Another resource with the same parent already has this name: {part}"
            )
        if part.startswith("{") and sibling["pathPart"].startswith("{"):
            raise BadRequestException(
                f"A sibling ({sibling['pathPart']}) of this resource already has a variable path "
                "part -- only one is allowed"
            )


def _below(api: RestApi, resource_id: str) -> Iterable[Document]:
    """Yield a resource and all below it, parents first."""
    yield api.resources[resource_id]
    for each in api.resources.values():
        if each.get("parentId") == resource_id:
            yield from _below(api, each["id"])


@changes_api("CreateResource", missing=NO_RESOURCE)
async def create_resource(context: Context, params: Params, api: RestApi) -> Result:
    """Add a resource below another one."""
    parent, part = resource_of(api, params["parentId"]), params["pathPart"]
    _check_place(api, parent, part)
    resource_id = context.services.new_id()
    document = {
        "id": resource_id,
        "parentId": parent["id"],
        "pathPart": part,
        "path": joined(parent["path"], part),
    }
    await context.services.put(api, "resources", resource_id, document)
    return answered(document)


@of_api("GetResources")
async def get_resources(context: Context, params: Params, api: RestApi) -> Result:
    """Return all resources, a page at a time, with their methods if these are asked for."""
    del context
    answer = listed(api.resources.values(), params, by("path"))
    return {**answer, "items": [_shown(each, params) for each in answer["items"]]}


@of_api("GetResource", missing=NO_RESOURCE)
async def get_resource(context: Context, params: Params, api: RestApi) -> Result:
    """Return a resource."""
    del context
    return _shown(resource_of(api, params["resourceId"]), params)


def _shown(document: Document, params: Params) -> dict[str, Any]:
    found = answered(document)
    methods: Mapping[str, Document] = found.pop("resourceMethods", None) or {}
    if methods:
        whole = "methods" in (params.get("embed") or ())
        found["resourceMethods"] = {
            verb: method if whole else {} for verb, method in methods.items()
        }
    return found


@changes_api("UpdateResource", missing=NO_RESOURCE)
async def update_resource(context: Context, params: Params, api: RestApi) -> Result:
    """Move or rename a resource, and with it all below it."""
    resource_id = params["resourceId"]
    document = patched(resource_of(api, resource_id), params.get("patchOperations"), _RULES)
    if "parentId" not in document:
        raise BadRequestException("Root resource cannot be updated.")
    parent = resource_of(api, document["parentId"])
    if any(each["id"] == parent["id"] for each in _below(api, resource_id)):
        raise BadRequestException("Resources cannot be cyclical.")
    _check_place(api, parent, document["pathPart"], resource_id)
    paths = {parent["id"]: parent["path"]}
    changes = []
    for each in _below(api, resource_id):
        moved = document if each["id"] == resource_id else dict(each)
        moved["path"] = paths[each["id"]] = joined(paths[moved["parentId"]], moved["pathPart"])
        changes.append(Change("resources", each["id"], moved))
    await context.services.apply(api, changes)
    return _shown(document, params)


@changes_api("DeleteResource", missing=NO_RESOURCE)
async def delete_resource(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a resource and all below it."""
    found = resource_of(api, params["resourceId"])
    if "parentId" not in found:
        raise BadRequestException("Root resource cannot be deleted.")
    gone = [Change("resources", each["id"], None) for each in _below(api, found["id"])]
    await context.services.apply(api, gone)
    return {}


def method_of(api: RestApi, resource_id: str, verb: str) -> Document:
    """Return a method of a resource.

    Raises:
        NotFoundException: no such resource, or no such method of it.
    """
    methods = resource_of(api, resource_id).get("resourceMethods") or {}
    if verb not in methods:
        raise not_found("Method")
    found: Document = methods[verb]
    return found


async def put_method(
    context: Context, api: RestApi, resource_id: str, verb: str, document: Document | None
) -> None:
    """Store a method of a resource, or forget it."""
    resource = resource_of(api, resource_id)
    methods = {
        key: each for key, each in (resource.get("resourceMethods") or {}).items() if key != verb
    }
    if document is not None:
        methods[verb] = document
    changed = {**resource, "resourceMethods": dict(sorted(methods.items()))}
    await context.services.put(api, "resources", resource_id, changed)
