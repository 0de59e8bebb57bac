"""Models and request validators."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
    not_found,
)
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

_NAME = re.compile(r"[A-Za-z0-9]+")
# Values that a flattened schema may have.
_FLAT_MAX = 20_000
_DRAFT = "http://json-schema.org/draft-04/schema#"
_NO_VALIDATOR = "Invalid Request Validator identifier specified"

_MODEL_RULES = Rules(
    shape=shape("Model"),
    paths={"/description": REPLACE, "/schema": REPLACE},
    lists_paths=True,
)
_VALIDATOR_RULES = Rules(
    shape=shape("RequestValidator"),
    paths={
        "/name": REPLACE,
        "/validateRequestParameters": REPLACE,
        "/validateRequestBody": REPLACE,
    },
    lists_paths=True,
)


def default_models(new_id: Callable[[], str]) -> dict[str, Document]:
    """Return the models that every new API has, by name."""
    empty = {"$schema": _DRAFT, "title": "Empty Schema", "type": "object"}
    error = {
        "$schema": _DRAFT,
        "title": "Error Schema",
        "type": "object",
        "properties": {"message": {"type": "string"}},
    }
    described = {
        "Empty": ("This is a default empty schema model", empty),
        "Error": ("This is a default error schema model", error),
    }
    return {
        name: {
            "id": new_id(),
            "name": name,
            "description": description,
            "schema": json.dumps(schema, indent=2),
            "contentType": "application/json",
        }
        for name, (description, schema) in described.items()
    }


def model_of(api: RestApi, name: str) -> Document:
    """Return a model of an API.

    Raises:
        NotFoundException: it has none of this name.
    """
    found = api.models.get(name)
    if found is None:
        raise NotFoundException(f"Invalid model name specified: {name}")
    return found


def _check_schema(schema: Any) -> None:
    wanted = BadRequestException(
        "Model schema must have at least 1 property or array items defined"
    )
    if not schema:
        raise wanted
    try:
        parsed = json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise BadRequestException(
            "Invalid model specified: Validation Result: warnings : [], "
            f"errors : [Invalid model schema specified. {error}]"
        ) from error
    if not parsed:
        raise wanted


@changes_api("CreateModel")
async def create_model(context: Context, params: Params, api: RestApi) -> Result:
    """Add a model."""
    name = params["name"]
    if not name:
        raise BadRequestException("Model name must be non-empty")
    if _NAME.fullmatch(name) is None:
        raise BadRequestException(f"Model name must be alphanumeric: {name}")
    if name in api.models:
        raise ConflictException("Model name already exists for this REST API")
    _check_schema(params.get("schema"))
    document = {"id": context.services.new_id(), **given(params, "restApiId")}
    await context.services.put(api, "models", name, document)
    return answered(document)


@of_api("GetModels")
async def get_models(context: Context, params: Params, api: RestApi) -> Result:
    """Return all models, a page at a time."""
    del context
    return listed(api.models.values(), params, by("name"))


@of_api("GetModel")
async def get_model(context: Context, params: Params, api: RestApi) -> Result:
    """Return a model; flattened, it has what it refers to in its own schema."""
    del context
    found = model_of(api, params["modelName"])
    if not params.get("flatten"):
        return answered(found)
    return {**found, "schema": json.dumps(_Flattening(api).flat(json.loads(found["schema"]), ()))}


class _Flattening:
    """Puts models in place of what refers to them. Mutable: how much it may still write."""

    def __init__(self, api: RestApi) -> None:
        self._models = api.models
        self._left = _FLAT_MAX

    def flat(self, schema: Any, within: tuple[str, ...]) -> Any:
        """Return a schema without references, but for those to what it stands in."""
        self._left -= 1
        if self._left < 0:
            raise BadRequestException("The model refers to too much to be flattened.")
        if isinstance(schema, list):
            return [self.flat(each, within) for each in schema]
        if not isinstance(schema, dict):
            return schema
        name = str(schema.get("$ref", "")).rpartition("/models/")[2]
        if name and name in self._models and name not in within:
            return self.flat(json.loads(self._models[name]["schema"]), (*within, name))
        return {key: self.flat(each, within) for key, each in schema.items()}


@of_api("GetModelTemplate")
async def get_model_template(context: Context, params: Params, api: RestApi) -> Result:
    """Return a mapping template that copies a model's properties."""
    del context
    schema = json.loads(model_of(api, params["modelName"])["schema"])
    lines = ["#set($inputRoot = $input.path('$'))", _template(schema, "$inputRoot")]
    return {"value": "\n".join(lines)}


def _template(schema: Any, place: str) -> str:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not properties:
        return "{ }"
    members = [
        f'  "{name}" : ' + _value(each, f"{place}.{name}") for name, each in properties.items()
    ]
    return "{\n" + ",\n".join(members) + "\n}"


def _value(schema: Any, place: str) -> str:
    return f'"{place}"' if schema.get("type") == "string" else place


@changes_api("UpdateModel", missing="Invalid model name specified")
async def update_model(context: Context, params: Params, api: RestApi) -> Result:
    """Change a model's schema or description."""
    name = params["modelName"]
    document = patched(model_of(api, name), params.get("patchOperations"), _MODEL_RULES)
    _check_schema(document.get("schema"))
    await context.services.put(api, "models", name, document)
    return answered(document)


@changes_api("DeleteModel")
async def delete_model(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a model that no method needs."""
    name = params["modelName"]
    model_of(api, name)
    for resource in api.resources.values():
        for verb, method in (resource.get("resourceMethods") or {}).items():
            place = f"{resource['path']}/{verb}"
            if name in (method.get("requestModels") or {}).values():
                raise ConflictException(
                    f"Cannot delete model '{name}', is referenced in method request: {place}"
                )
            for status, response in (method.get("methodResponses") or {}).items():
                if name in (response.get("responseModels") or {}).values():
                    raise ConflictException(
                        f"Cannot delete model '{name}', is referenced in method response: "
                        f"{place}/{status}"
                    )
    await context.services.take(api, "models", name)
    return {}


def _validator(api: RestApi, validator_id: str) -> Document:
    found = api.validators.get(validator_id)
    if found is None:
        raise not_found("Request Validator")
    return found


@changes_api("CreateRequestValidator")
async def create_request_validator(context: Context, params: Params, api: RestApi) -> Result:
    """Add a validator."""
    validator_id = context.services.new_id()
    document = {
        "id": validator_id,
        "validateRequestBody": False,
        "validateRequestParameters": False,
        **given(params, "restApiId"),
    }
    await context.services.put(api, "validators", validator_id, document)
    return answered(document)


@of_api("GetRequestValidators")
async def get_request_validators(context: Context, params: Params, api: RestApi) -> Result:
    """Return all validators, a page at a time."""
    del context
    return listed(api.validators.values(), params, by("id"))


@of_api("GetRequestValidator", missing=_NO_VALIDATOR)
async def get_request_validator(context: Context, params: Params, api: RestApi) -> Result:
    """Return a validator."""
    del context
    return answered(_validator(api, params["requestValidatorId"]))


@changes_api("UpdateRequestValidator", missing=_NO_VALIDATOR)
async def update_request_validator(context: Context, params: Params, api: RestApi) -> Result:
    """Change what a validator validates."""
    validator_id = params["requestValidatorId"]
    document = patched(
        _validator(api, validator_id), params.get("patchOperations"), _VALIDATOR_RULES
    )
    if not document.get("name"):
        raise BadRequestException("Request Validator name cannot be blank")
    await context.services.put(api, "validators", validator_id, document)
    return answered(document)


@changes_api("DeleteRequestValidator", missing=_NO_VALIDATOR)
async def delete_request_validator(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a validator that no method needs."""
    validator_id = params["requestValidatorId"]
    _validator(api, validator_id)
    for resource in api.resources.values():
        for verb, method in (resource.get("resourceMethods") or {}).items():
            if method.get("requestValidatorId") == validator_id:
                raise ConflictException(
                    f"Cannot delete request validator '{validator_id}', is referenced in method: "
                    f"{resource['path']}/{verb}"
                )
    await context.services.take(api, "validators", validator_id)
    return {}
