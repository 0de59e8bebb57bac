"""Documentation parts and versions, which are stored and not served."""

from __future__ import annotations

from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import ConflictException, not_found
from lambdad.neighbours.apigateway.patches import REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import (
    Context,
    answered,
    by,
    changes_api,
    given,
    listed,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

PART = "part:"
VERSION = "version:"
_NO_PART = "Invalid Documentation part identifier specified"
_PART_RULES = Rules(
    shape=shape("DocumentationPart"), paths={"/properties": REPLACE}, lists_paths=True
)
_VERSION_RULES = Rules(
    shape=shape("DocumentationVersion"), paths={"/description": REPLACE}, lists_paths=True
)


def _held(api: RestApi, prefix: str) -> list[Document]:
    return [each for key, each in api.documentation.items() if key.startswith(prefix)]


def _part(api: RestApi, part_id: str) -> Document:
    found = api.documentation.get(PART + part_id)
    if found is None:
        raise not_found("Documentation part")
    return found


def _version(api: RestApi, name: str) -> Document:
    found = api.documentation.get(VERSION + name)
    if found is None:
        raise not_found("Documentation version")
    return found


@changes_api("CreateDocumentationPart")
async def create_part(context: Context, params: Params, api: RestApi) -> Result:
    """Describe a part of an API."""
    if any(each["location"] == params["location"] for each in _held(api, PART)):
        raise ConflictException("Documentation part already exists for the specified location")
    part_id = context.services.new_id()
    document = {"id": part_id, **given(params, "restApiId")}
    await context.services.put(api, "documentation", PART + part_id, document)
    return document


@of_api("GetDocumentationParts")
async def get_parts(context: Context, params: Params, api: RestApi) -> Result:
    """Return descriptions, of one type, path or name if wanted."""
    del context
    wanted = {"type": params.get("type"), "path": params.get("path")}
    found = [
        each
        for each in _held(api, PART)
        if all(value in (None, each["location"].get(name)) for name, value in wanted.items())
        and (params.get("nameQuery") or "") in each["location"].get("name", "")
    ]
    return listed(found, params, by("id"))


@of_api("GetDocumentationPart", missing=_NO_PART)
async def get_part(context: Context, params: Params, api: RestApi) -> Result:
    """Return a description."""
    del context
    return _part(api, params["documentationPartId"])


@changes_api("UpdateDocumentationPart", missing=_NO_PART)
async def update_part(context: Context, params: Params, api: RestApi) -> Result:
    """Change a description."""
    part_id = params["documentationPartId"]
    document = patched(_part(api, part_id), params.get("patchOperations"), _PART_RULES)
    await context.services.put(api, "documentation", PART + part_id, document)
    return document


@changes_api("DeleteDocumentationPart")
async def delete_part(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a description."""
    _part(api, params["documentationPartId"])
    await context.services.take(api, "documentation", PART + params["documentationPartId"])
    return {}


@changes_api("CreateDocumentationVersion")
async def create_version(context: Context, params: Params, api: RestApi) -> Result:
    """Name the descriptions as they are."""
    name = params["documentationVersion"]
    if VERSION + name in api.documentation:
        raise ConflictException("Documentation version already exists")
    described: dict[str, Any] = given(params, "restApiId", "documentationVersion", "stageName")
    document = {"version": name, "createdDate": context.services.now(), **described}
    await context.services.put(api, "documentation", VERSION + name, document)
    return answered(document)


@of_api("GetDocumentationVersions")
async def get_versions(context: Context, params: Params, api: RestApi) -> Result:
    """Return all versions, a page at a time."""
    del context
    return listed(_held(api, VERSION), params, by("version"))


@of_api("GetDocumentationVersion")
async def get_version(context: Context, params: Params, api: RestApi) -> Result:
    """Return a version."""
    del context
    return answered(_version(api, params["documentationVersion"]))


@changes_api("UpdateDocumentationVersion")
async def update_version(context: Context, params: Params, api: RestApi) -> Result:
    """Change a version's description."""
    name = params["documentationVersion"]
    document = patched(_version(api, name), params.get("patchOperations"), _VERSION_RULES)
    await context.services.put(api, "documentation", VERSION + name, document)
    return answered(document)


@changes_api("DeleteDocumentationVersion")
async def delete_version(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a version."""
    _version(api, params["documentationVersion"])
    key = VERSION + params["documentationVersion"]
    await context.services.take(api, "documentation", key)
    return {}
