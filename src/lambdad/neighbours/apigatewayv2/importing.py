"""APIs made of OpenAPI documents, made anew of them, and written as such."""

from __future__ import annotations

import json
from typing import Any

import yaml

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.apis import new_api
from lambdad.neighbours.apigatewayv2.checks import check_authorizer, check_integration, check_route
from lambdad.neighbours.apigatewayv2.errors import BadRequestException
from lambdad.neighbours.apigatewayv2.members import with_defaults
from lambdad.neighbours.apigatewayv2.openapi import Imported, document_of, read_document
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, answered, api_of
from lambdad.triggers.http_api.model import Api

_REPLACED = ("route", "integration", "authorizer")


@HTTP_APIS.operation("ImportApi")
async def import_api(context: Context, params: Params) -> Result:
    """Make an API of a document."""
    imported = _read(params)
    api = Api(context.account_id, context.region, {**new_api(context, "HTTP"), **imported.api})
    plan = _plan(context, api, imported)
    await context.services.put(api, _noted(dict(api.document), imported))
    await _store(context, api, plan)
    return answered(api.document)


@HTTP_APIS.operation("ReimportApi")
async def reimport_api(context: Context, params: Params) -> Result:
    """Put what a document describes in place of all that an API has, stages aside."""
    api = api_of(context, params)
    if api.protocol != "HTTP":
        raise BadRequestException("Only HTTP APIs can be imported")
    imported = _read(params)
    fresh = Api(context.account_id, context.region, api.document)
    plan = _plan(context, fresh, imported)
    gone = {kind: list(api.parts[kind]) for kind in _REPLACED}
    kept = {k: v for k, v in api.document.items() if k not in ("CorsConfiguration", "Description")}
    tags = {**api.document.get("Tags", {}), **imported.api.get("Tags", {})}
    document = _noted({**kept, **imported.api, "Tags": tags}, imported)
    await context.services.put(api, document)
    await _store(context, api, plan)
    for kind, identifiers in gone.items():
        for identifier in identifiers:
            await context.services.remove_part(api, kind, identifier)
    return answered(api.document)


@HTTP_APIS.operation("ExportApi")
async def export_api(context: Context, params: Params) -> Result:
    """Return an API's document, as a stage serves it if one is named."""
    api = api_of(context, params)
    if api.protocol != "HTTP" or params["Specification"] != "OAS30":
        raise BadRequestException("Only HTTP APIs can be exported, as OAS30")
    stage = params.get("StageName")
    if stage:
        context.services.part(api, "stage", stage)
    extensions = params.get("IncludeExtensions", True)
    document = document_of(api, stage or None, extensions=bool(extensions))
    if params["OutputType"].upper() == "YAML":
        return {"body": yaml.safe_dump(document, sort_keys=False).encode()}
    return {"body": json.dumps(document, indent=2).encode()}


def _read(params: Params) -> Imported:
    # Imported once somebody has such a document: the package is large.
    from lambdad.neighbours.cloudformation.errors import ValidationError  # noqa: PLC0415
    from lambdad.neighbours.cloudformation.template_text import read_template  # noqa: PLC0415

    try:
        document = read_template(params["Body"])
    except ValidationError as error:
        raise BadRequestException(f"Unable to parse API definition: {error.message}") from error
    imported = read_document(document)
    if imported.warnings and params.get("FailOnWarnings"):
        raise BadRequestException("Warnings found during import: " + "; ".join(imported.warnings))
    return imported


def _noted(document: dict[str, Any], imported: Imported) -> dict[str, Any]:
    return {**document, "ImportInfo": [], "Warnings": imported.warnings}


def _plan(context: Context, api: Api, imported: Imported) -> list[tuple[str, str, dict[str, Any]]]:
    """Return kind, identifier and document of every part, all of them checked.

    `api` is a draft that nobody else sees: parts are put into it so that others can name them.
    """
    plan: list[tuple[str, str, dict[str, Any]]] = []

    def add(kind: str, document: dict[str, Any]) -> str:
        identifier = context.services.new_id(7)
        document[f"{kind.capitalize()}Id"] = identifier
        plan.append((kind, identifier, document))
        api.parts[kind][identifier] = document
        return identifier

    authorizers: dict[str, str] = {}
    for name, given in imported.authorizers.items():
        check_authorizer(api, given)
        authorizers[name] = add("authorizer", dict(given))
    for each in imported.routes:
        route = dict(each.route)
        if each.integration is not None:
            integration = with_defaults("Integration", api, each.integration)
            check_integration(api, integration)
            route["Target"] = f"integrations/{add('integration', integration)}"
        if each.authorizer is not None:
            route["AuthorizerId"] = authorizers[each.authorizer]
        document = with_defaults("Route", api, route)
        check_route(api, {**document, "RouteId": ""})
        add("route", document)
    return plan


async def _store(context: Context, api: Api, plan: list[tuple[str, str, dict[str, Any]]]) -> None:
    for kind, identifier, document in plan:
        await context.services.put_part(api, kind, identifier, document)
