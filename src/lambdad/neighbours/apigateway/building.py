"""A described API becomes one with identifiers, new or in place of one that is there. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.apigateway.authorizers import check as check_authorizer
from lambdad.neighbours.apigateway.authorizers import with_defaults as authorizer_defaults
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.gateway_responses import STATUSES, customised
from lambdad.neighbours.apigateway.integrations import check as check_integration
from lambdad.neighbours.apigateway.integrations import with_defaults
from lambdad.neighbours.apigateway.openapi import Described
from lambdad.neighbours.apigateway.resources import check_part, joined
from lambdad.triggers.rest_api.model import Document, RestApi

_MODELS = "https://apigateway.amazonaws.com/restapis/{}/models/{}"
_LOCAL = ("#/definitions/", "#/components/schemas/")

NewId = Callable[[], str]


def built(base: RestApi, described: Described, new_id: NewId, *, merge: bool) -> RestApi:
    """Return an API with what is described.

    What `base` has under the same path or name keeps its identifier; merged, it also keeps what is
    not described.

    Raises:
        BadRequestException: with all errors of a document.
    """
    api = RestApi(account_id=base.account_id, region=base.region, document=dict(base.document))
    api.documentation, api.deployments = dict(base.documentation), dict(base.deployments)
    api.stages = dict(base.stages)
    if merge:
        api.models, api.validators = dict(base.models), dict(base.validators)
        api.authorizers = dict(base.authorizers)
        api.gateway_responses = dict(base.gateway_responses)
        api.resources = dict(base.resources)
    else:
        root = base.document["rootResourceId"]
        api.resources = {root: {"id": root, "path": "/"}}
    errors: list[str] = []
    _add_models(api, base, described, new_id)
    _add_named(api.validators, base.validators, described.validators, new_id)
    _add_authorizers(api, base, described, new_id, errors)
    for kind, response in described.gateway_responses.items():
        if kind in STATUSES:
            api.gateway_responses[kind] = customised(kind, response)
        else:
            errors.append(f"Invalid gateway response type '{kind}'")
    _add_resources(api, base, described, new_id, errors)
    if errors:
        raise BadRequestException("Errors found during import:\n\t" + "\n\t".join(errors))
    return api


def _add_models(api: RestApi, base: RestApi, described: Described, new_id: NewId) -> None:
    for name, model in described.models.items():
        kept = base.models.get(name) or {}
        schema = json.dumps(_global(model["schema"], api.api_id), indent=2)
        api.models[name] = {**model, "id": kept.get("id") or new_id(), "schema": schema}


def _global(schema: Any, api_id: str) -> Any:
    """Return a schema whose references lead to models of an API."""
    if isinstance(schema, list):
        return [_global(each, api_id) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: _global(each, api_id) for name, each in schema.items()}
    ref = found.get("$ref")
    if isinstance(ref, str) and ref.startswith(_LOCAL):
        found["$ref"] = _MODELS.format(api_id, ref.rpartition("/")[2])
    return found


def _ids(documents: Mapping[str, Document]) -> dict[str, str]:
    return {str(each["name"]): identifier for identifier, each in documents.items()}


def _add_named(
    target: dict[str, Document],
    before: Mapping[str, Document],
    described: Mapping[str, Document],
    new_id: NewId,
) -> None:
    ids = _ids(before)
    for name, document in described.items():
        identifier = ids.get(name) or new_id()
        target[identifier] = {"id": identifier, **document}


def _add_authorizers(
    api: RestApi, base: RestApi, described: Described, new_id: NewId, errors: list[str]
) -> None:
    whole: dict[str, Document] = {}
    for name, document in described.authorizers.items():
        try:
            whole[name] = authorizer_defaults(document)
            check_authorizer(whole[name])
        except BadRequestException as error:
            errors.append(f"Unable to create authorizer '{name}': {error.message}")
    _add_named(api.authorizers, base.authorizers, whole, new_id)


def _add_resources(
    api: RestApi, base: RestApi, described: Described, new_id: NewId, errors: list[str]
) -> None:
    ids = {str(each["path"]): identifier for identifier, each in base.resources.items()}
    there = {str(each["path"]): identifier for identifier, each in api.resources.items()}
    named = _Names(api)
    for path, methods in described.methods.items():
        try:
            resource_id = _resource(api, path, there, ids, new_id)
        except BadRequestException as error:
            errors.append(f"Unable to create resource at path '{path}': {error.message}")
            continue
        resource = dict(api.resources[resource_id])
        held = dict(resource.get("resourceMethods") or {})
        for verb, method in methods.items():
            try:
                held[verb] = named.method(method, resource_id)
            except BadRequestException as error:
                errors.append(
                    f"Unable to put integration on '{verb}' for resource at path '{path}': "
                    f"{error.message}"
                )
        if held:
            resource["resourceMethods"] = dict(sorted(held.items()))
        api.resources[resource_id] = resource


def _resource(
    api: RestApi, path: str, there: dict[str, str], ids: Mapping[str, str], new_id: NewId
) -> str:
    """Return the resource of a path, made with all above it if need be."""
    place, parent = "/", there["/"]
    for part in (each for each in path.split("/") if each):
        place = joined(place, part)
        if place not in there:
            check_part(part)
            identifier = ids.get(place) or new_id()
            api.resources[identifier] = {
                "id": identifier,
                "parentId": parent,
                "pathPart": part,
                "path": place,
            }
            there[place] = identifier
        parent = there[place]
    return parent


class _Names:
    """What methods of a document name, by the identifiers that it has in an API."""

    def __init__(self, api: RestApi) -> None:
        self._authorizers = _ids(api.authorizers)
        self._validators = _ids(api.validators)

    def method(self, described: Document, resource_id: str) -> Document:
        """Return a method with identifiers in place of names.

        Raises:
            BadRequestException: it names what is not there, or cannot be integrated so.
        """
        found: dict[str, Any] = dict(described)
        if "authorizerId" in found:
            found["authorizerId"] = self._named(self._authorizers, found, "authorizerId")
        if "requestValidatorId" in found:
            found["requestValidatorId"] = self._named(self._validators, found, "requestValidatorId")
        if "methodIntegration" in found:
            integration = with_defaults(found["methodIntegration"], resource_id)
            check_integration(integration)
            found["methodIntegration"] = integration
        return found

    @staticmethod
    def _named(names: Mapping[str, str], found: Mapping[str, Any], member: str) -> str:
        identifier = names.get(str(found[member]))
        if identifier is None:
            raise BadRequestException(f"'{found[member]}' is not defined in the document")
        return identifier
