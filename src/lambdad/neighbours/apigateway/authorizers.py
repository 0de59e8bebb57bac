"""Authorizers: who decides whether a method may be called."""

from __future__ import annotations

from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    not_found,
    refused,
)
from lambdad.neighbours.apigateway.patches import EDIT, REPLACE, Rules, patched
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

_TYPES = ("TOKEN", "REQUEST", "COGNITO_USER_POOLS")
_TTL_S = 300
_TTL_MAX_S = 3_600
_NO_AUTHORIZER = "Invalid Authorizer identifier specified"
DEFAULT_SOURCE = "method.request.header.Authorization"

_RULES = Rules(
    shape=shape("Authorizer"),
    paths={
        "/authType": REPLACE,
        "/authorizerCredentials": EDIT,
        "/authorizerResultTtlInSeconds": REPLACE,
        "/authorizerUri": REPLACE,
        "/identitySource": EDIT,
        "/identityValidationExpression": EDIT,
        "/name": REPLACE,
        "/providerARNs": EDIT,
        "/providerARNs/*": EDIT,
        "/type": REPLACE,
    },
)


def check(document: Document) -> None:
    """Refuse an authorizer that could not decide.

    Raises:
        BadRequestException: see there.
    """
    kind = document.get("type")
    if kind not in _TYPES:
        raise refused(f"Authorizers of type {kind} are", f"Use one of {', '.join(_TYPES)}.")
    if not document.get("name"):
        raise BadRequestException("Authorizer name cannot be blank")
    if kind == "COGNITO_USER_POOLS":
        if not document.get("providerARNs"):
            raise BadRequestException("Invalid provider ARNs: at least one user pool is needed")
    elif not str(document.get("authorizerUri", "")).startswith("arn:"):
        raise BadRequestException("Invalid Authorizer URI specified")
    ttl_s = document.get("authorizerResultTtlInSeconds", _TTL_S)
    if not 0 <= ttl_s <= _TTL_MAX_S:
        raise BadRequestException(f"Authorizer result TTL must be between 0 and {_TTL_MAX_S}")
    if kind == "REQUEST" and ttl_s and not document.get("identitySource"):
        raise BadRequestException(
            "Identity source must be specified for REQUEST authorizers whose results are cached"
        )


def with_defaults(document: Document) -> dict[str, Any]:
    """Return an authorizer with the members that nobody has to give."""
    cognito = document["type"] == "COGNITO_USER_POOLS"
    source = {} if document["type"] == "REQUEST" else {"identitySource": DEFAULT_SOURCE}
    return {
        "authType": "cognito_user_pools" if cognito else "custom",
        "authorizerResultTtlInSeconds": _TTL_S,
        **source,
        **document,
    }


def _authorizer(api: RestApi, authorizer_id: str) -> Document:
    found = api.authorizers.get(authorizer_id)
    if found is None:
        raise not_found("Authorizer")
    return found


@changes_api("CreateAuthorizer")
async def create(context: Context, params: Params, api: RestApi) -> Result:
    """Add an authorizer."""
    authorizer_id = context.services.new_id()
    document = {"id": authorizer_id, **with_defaults(given(params, "restApiId"))}
    check(document)
    if any(each["name"] == document["name"] for each in api.authorizers.values()):
        raise ConflictException(
            "Authorizer name must be unique. Authorizer with the same name already exists"
        )
    await context.services.put(api, "authorizers", authorizer_id, document)
    return answered(document)


@of_api("GetAuthorizers")
async def get_all(context: Context, params: Params, api: RestApi) -> Result:
    """Return all authorizers, a page at a time."""
    del context
    return listed(api.authorizers.values(), params, by("id"))


@of_api("GetAuthorizer", missing=_NO_AUTHORIZER)
async def get(context: Context, params: Params, api: RestApi) -> Result:
    """Return an authorizer."""
    del context
    return answered(_authorizer(api, params["authorizerId"]))


@changes_api("UpdateAuthorizer", missing=_NO_AUTHORIZER)
async def update(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of an authorizer."""
    authorizer_id = params["authorizerId"]
    document = patched(_authorizer(api, authorizer_id), params.get("patchOperations"), _RULES)
    document = {name: value for name, value in document.items() if value not in (None, "", [])}
    check(document)
    await context.services.put(api, "authorizers", authorizer_id, document)
    return answered(document)


@changes_api("DeleteAuthorizer", missing=_NO_AUTHORIZER)
async def delete(context: Context, params: Params, api: RestApi) -> Result:
    """Forget an authorizer that no method needs."""
    authorizer_id = params["authorizerId"]
    _authorizer(api, authorizer_id)
    for resource in api.resources.values():
        for verb, method in (resource.get("resourceMethods") or {}).items():
            if method.get("authorizerId") == authorizer_id:
                raise ConflictException(
                    f"Cannot delete authorizer '{authorizer_id}', is referenced in method: "
                    f"{resource['path']}/{verb}"
                )
    await context.services.take(api, "authorizers", authorizer_id)
    return {}
