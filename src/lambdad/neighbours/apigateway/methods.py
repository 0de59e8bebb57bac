"""Methods of resources, and the responses that they declare."""

from __future__ import annotations

from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from lambdad.neighbours.apigateway.patches import EDIT, LIST, REPLACE, Rules, patched
from lambdad.neighbours.apigateway.resources import (
    NO_RESOURCE,
    method_of,
    put_method,
    resource_of,
)
from lambdad.neighbours.apigateway.service import (
    Context,
    answered,
    changes_api,
    given,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
AUTHORIZED = ("CUSTOM", "COGNITO_USER_POOLS")
_TYPES = ("NONE", "AWS_IAM", *AUTHORIZED)

_RULES = Rules(
    shape=shape("Method"),
    paths={
        "/apiKeyRequired": REPLACE,
        "/authorizationScopes": LIST,
        "/authorizationType": REPLACE,
        "/authorizerId": REPLACE,
        "/operationName": REPLACE,
        "/requestModels/*": EDIT,
        "/requestParameters/*": EDIT,
        "/requestValidatorId": REPLACE,
    },
)
_RESPONSE_RULES = Rules(
    shape=shape("MethodResponse"),
    paths={"/responseModels/*": EDIT, "/responseParameters/*": EDIT},
)


def _check(api: RestApi, method: Document) -> None:
    """Refuse a method that names what is not there."""
    if method.get("authorizationType") not in _TYPES:
        raise BadRequestException(
            f"Invalid authorization type specified. Valid options are {','.join(_TYPES)}"
        )
    if method["authorizationType"] in AUTHORIZED and (
        method.get("authorizerId") not in api.authorizers
    ):
        raise BadRequestException(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or "
            "COGNITO_USER_POOLS requires a valid authorizer."
        )
    validator = method.get("requestValidatorId")
    if validator and validator not in api.validators:
        raise BadRequestException("Invalid Request Validator identifier specified")
    for name in (method.get("requestModels") or {}).values():
        check_model(api, name)
    names = [each.split(".")[-1] for each in method.get("requestParameters") or {}]
    if len(names) != len(set(names)):
        raise BadRequestException(
            "Parameter names must be unique across querystring, header and path"
        )


def check_model(api: RestApi, name: str) -> None:
    """Refuse a model that is not there.

    Raises:
        BadRequestException: see there.
    """
    if name not in api.models:
        raise BadRequestException(f"Invalid model identifier specified: {name}")


def _without_blanks(method: dict[str, Any]) -> dict[str, Any]:
    """Return a method without what says nothing; only some types have an authorizer."""
    if method.get("authorizationType") not in AUTHORIZED:
        method.pop("authorizerId", None)
    return {name: value for name, value in method.items() if value not in ("", None, {}, [])}


@changes_api("PutMethod", missing=NO_RESOURCE)
async def put(context: Context, params: Params, api: RestApi) -> Result:
    """Add a method to a resource."""
    resource, verb = resource_of(api, params["resourceId"]), params["httpMethod"]
    if verb not in VERBS:
        raise BadRequestException(
            f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}"
        )
    document = {
        "apiKeyRequired": False,
        **given(params, "restApiId", "resourceId"),
    }
    document = _without_blanks(document)
    _check(api, document)
    if verb in (resource.get("resourceMethods") or {}):
        raise ConflictException("Method already exists for this resource")
    await put_method(context, api, resource["id"], verb, document)
    return document


@of_api("GetMethod", missing=NO_RESOURCE)
async def get(context: Context, params: Params, api: RestApi) -> Result:
    """Return a method with its integration."""
    del context
    return answered(method_of(api, params["resourceId"], params["httpMethod"]))


@changes_api("UpdateMethod", missing=NO_RESOURCE)
async def update(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of a method."""
    resource_id, verb = params["resourceId"], params["httpMethod"]
    method = method_of(api, resource_id, verb)
    document = _without_blanks(patched(method, params.get("patchOperations"), _RULES))
    _check(api, document)
    await put_method(context, api, resource_id, verb, document)
    return document


@changes_api("DeleteMethod", missing=NO_RESOURCE)
async def delete(context: Context, params: Params, api: RestApi) -> Result:
    """Take a method of a resource away."""
    resource_id, verb = params["resourceId"], params["httpMethod"]
    method_of(api, resource_id, verb)
    await put_method(context, api, resource_id, verb, None)
    return {}


# --- Responses ------------------------------------------------------------------------------


def _response(method: Document, status: str) -> Document:
    found: Document | None = (method.get("methodResponses") or {}).get(status)
    if found is None:
        raise NotFoundException("Invalid Response status code specified")
    return found


async def _put_response(
    context: Context, api: RestApi, params: Params, document: Document | None
) -> None:
    resource_id, verb, status = params["resourceId"], params["httpMethod"], params["statusCode"]
    method = method_of(api, resource_id, verb)
    responses = {
        key: each for key, each in (method.get("methodResponses") or {}).items() if key != status
    }
    if document is not None:
        responses[status] = document
    changed = {**method, "methodResponses": dict(sorted(responses.items()))}
    if not responses:
        del changed["methodResponses"]
    await put_method(context, api, resource_id, verb, changed)


@changes_api("PutMethodResponse", missing=NO_RESOURCE)
async def put_response(context: Context, params: Params, api: RestApi) -> Result:
    """Declare a response of a method."""
    method = method_of(api, params["resourceId"], params["httpMethod"])
    if params["statusCode"] in (method.get("methodResponses") or {}):
        raise ConflictException("Response already exists for this resource")
    document = {
        name: value
        for name, value in given(params, "restApiId", "resourceId", "httpMethod").items()
        if value not in ("", {})
    }
    for name in document.get("responseModels", {}).values():
        check_model(api, name)
    await _put_response(context, api, params, document)
    return document


@of_api("GetMethodResponse", missing=NO_RESOURCE)
async def get_response(context: Context, params: Params, api: RestApi) -> Result:
    """Return a declared response."""
    del context
    method = method_of(api, params["resourceId"], params["httpMethod"])
    return _response(method, params["statusCode"])


@changes_api("UpdateMethodResponse", missing=NO_RESOURCE)
async def update_response(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of a declared response."""
    method = method_of(api, params["resourceId"], params["httpMethod"])
    found = _response(method, params["statusCode"])
    document = patched(found, params.get("patchOperations"), _RESPONSE_RULES)
    document = {name: value for name, value in document.items() if value != {}}
    for name in (document.get("responseModels") or {}).values():
        check_model(api, name)
    await _put_response(context, api, params, document)
    return document


@changes_api("DeleteMethodResponse", missing=NO_RESOURCE)
async def delete_response(context: Context, params: Params, api: RestApi) -> Result:
    """Take a declared response away."""
    _response(method_of(api, params["resourceId"], params["httpMethod"]), params["statusCode"])
    await _put_response(context, api, params, None)
    return {}
