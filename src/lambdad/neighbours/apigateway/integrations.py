"""Integrations of methods: what answers them, and how its answers become theirs."""

from __future__ import annotations

import re
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    NotFoundException,
    not_found,
    refused,
)
from lambdad.neighbours.apigateway.patches import EDIT, Rules, patched
from lambdad.neighbours.apigateway.resources import NO_RESOURCE, method_of, put_method
from lambdad.neighbours.apigateway.service import (
    Context,
    changes_api,
    given,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

TIMEOUT_MS = 29_000
_TIMEOUT_MIN_MS = 50
_AWS = ("AWS", "AWS_PROXY")
_HTTP = ("HTTP", "HTTP_PROXY")
_TYPES = (*_HTTP, *_AWS, "MOCK")
_PASSTHROUGH = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
_ARN = re.compile(r"arn:[a-z0-9-]+:apigateway:[a-z0-9-]*:[^:]+:.+")
_PROXY = re.compile(r"arn:[^:]+:apigateway:[^:]*:(?:lambda|firehose|[^:]*\.lambda):.+")
_LAMBDA = re.compile(r"arn:[^:]+:apigateway:[^:]*:lambda:path/.+")
_VARIABLE = "${stageVariables."

_RULES = Rules(
    shape=shape("Integration"),
    paths={
        "/cacheKeyParameters": EDIT,
        "/cacheKeyParameters/*": EDIT,
        "/cacheNamespace": EDIT,
        "/connectionId": EDIT,
        "/connectionType": EDIT,
        "/contentHandling": EDIT,
        "/credentials": EDIT,
        "/httpMethod": EDIT,
        "/passthroughBehavior": EDIT,
        "/requestParameters/*": EDIT,
        "/requestTemplates/*": EDIT,
        "/responseTransferMode": EDIT,
        "/timeoutInMillis": EDIT,
        "/tlsConfig": EDIT,
        "/tlsConfig/insecureSkipVerification": EDIT,
        "/type": EDIT,
        "/uri": EDIT,
    },
)
_RESPONSE_RULES = Rules(
    shape=shape("IntegrationResponse"),
    paths={
        "/contentHandling": EDIT,
        "/responseParameters/*": EDIT,
        "/responseTemplates/*": EDIT,
        "/selectionPattern": EDIT,
    },
)


def with_defaults(members: Document, resource_id: str) -> dict[str, Any]:
    """Return an integration with the members that nobody has to give."""
    internet = {"connectionType": "INTERNET"} if members.get("type") in _HTTP else {}
    return {
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": TIMEOUT_MS,
        "cacheNamespace": resource_id,
        "cacheKeyParameters": [],
        **internet,
        **members,
    }


def check(integration: Document) -> None:
    """Refuse an integration that could not be called.

    Raises:
        BadRequestException: see there.
    """
    kind, uri = integration.get("type"), str(integration.get("uri") or "")
    if kind not in _TYPES:
        raise BadRequestException(f"Invalid type specified. Valid options are {','.join(_TYPES)}")
    if integration.get("connectionType") == "VPC_LINK":
        raise refused("VPC links are", "Use a connection of type INTERNET.")
    if kind != "MOCK" and not integration.get("httpMethod"):
        raise BadRequestException("Enumeration value for HttpMethod must be non-empty")
    if kind in _AWS:
        _check_aws(kind, uri, integration)
    http = uri.startswith(("http://", "https://")) or _VARIABLE in uri
    if kind in _HTTP and not http:
        raise BadRequestException("Invalid HTTP endpoint specified for URI")
    if not _TIMEOUT_MIN_MS <= int(integration["timeoutInMillis"]) <= TIMEOUT_MS:
        raise BadRequestException(
            f"Timeout should be between {_TIMEOUT_MIN_MS} ms and {TIMEOUT_MS} ms"
        )
    if integration["passthroughBehavior"] not in _PASSTHROUGH:
        raise BadRequestException(
            f"Invalid passthroughBehavior specified. Valid options are {','.join(_PASSTHROUGH)}"
        )


def _check_aws(kind: str, uri: str, integration: Document) -> None:
    if not uri.startswith("arn:"):
        raise BadRequestException("Invalid ARN specified in the request")
    if _ARN.fullmatch(uri) is None or not uri.split(":", 5)[5].startswith(("path", "action")):
        raise BadRequestException("AWS ARN for integration must contain path or action")
    if kind == "AWS_PROXY" and _PROXY.fullmatch(uri) is None:
        raise BadRequestException(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and "
            "Firehose stream invocations."
        )
    if _LAMBDA.fullmatch(uri) is None and not integration.get("credentials"):
        raise BadRequestException("Role ARN must be specified for AWS integrations")


def _integration(api: RestApi, params: Params) -> Document:
    method = method_of(api, params["resourceId"], params["httpMethod"])
    found: Document | None = method.get("methodIntegration")
    if found is None:
        raise not_found("Integration")
    return found


async def _store(
    context: Context, api: RestApi, params: Params, integration: Document | None
) -> None:
    resource_id, verb = params["resourceId"], params["httpMethod"]
    method = dict(method_of(api, resource_id, verb))
    method.pop("methodIntegration", None)
    if integration is not None:
        method["methodIntegration"] = integration
    await put_method(context, api, resource_id, verb, method)


@changes_api("PutIntegration", missing=NO_RESOURCE)
async def put(context: Context, params: Params, api: RestApi) -> Result:
    """Say what answers a method."""
    method_of(api, params["resourceId"], params["httpMethod"])
    own = ("restApiId", "resourceId", "httpMethod", "integrationHttpMethod")
    members = given(params, *own)
    if params.get("integrationHttpMethod"):
        members["httpMethod"] = params["integrationHttpMethod"]
    document = with_defaults(members, params["resourceId"])
    check(document)
    document = {name: value for name, value in document.items() if value not in ("", {})}
    await _store(context, api, params, document)
    return document


@of_api("GetIntegration", missing=NO_RESOURCE)
async def get(context: Context, params: Params, api: RestApi) -> Result:
    """Return what answers a method."""
    del context
    return _integration(api, params)


@changes_api("UpdateIntegration", missing=NO_RESOURCE)
async def update(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of an integration."""
    document = patched(_integration(api, params), params.get("patchOperations"), _RULES)
    document = {name: value for name, value in document.items() if value not in ("", {}, None)}
    document = with_defaults(document, params["resourceId"])
    check(document)
    await _store(context, api, params, document)
    return document


@changes_api("DeleteIntegration", missing=NO_RESOURCE)
async def delete(context: Context, params: Params, api: RestApi) -> Result:
    """Take away what answers a method."""
    _integration(api, params)
    await _store(context, api, params, None)
    return {}


# --- Responses ------------------------------------------------------------------------------


def _response(api: RestApi, params: Params) -> Document:
    responses = _integration(api, params).get("integrationResponses") or {}
    found: Document | None = responses.get(params["statusCode"])
    if found is None:
        raise NotFoundException("Invalid Response status code specified")
    return found


async def _put_response(
    context: Context, api: RestApi, params: Params, document: Document | None
) -> None:
    status, integration = params["statusCode"], dict(_integration(api, params))
    before = integration.pop("integrationResponses", None) or {}
    responses = {key: each for key, each in before.items() if key != status}
    if document is not None:
        responses[status] = document
    if responses:
        integration["integrationResponses"] = dict(sorted(responses.items()))
    await _store(context, api, params, integration)


def _check_response(api: RestApi, params: Params, document: Document) -> None:
    method = method_of(api, params["resourceId"], params["httpMethod"])
    declared = (method.get("methodResponses") or {}).get(params["statusCode"])
    if declared is None:
        raise NotFoundException("Invalid Response status code specified")
    headers = declared.get("responseParameters") or {}
    for name in document.get("responseParameters") or {}:
        if name not in headers:
            raise BadRequestException("Invalid mapping expression parameter specified: " + name)


@changes_api("PutIntegrationResponse", missing=NO_RESOURCE)
async def put_response(context: Context, params: Params, api: RestApi) -> Result:
    """Say how answers of an integration become a response of its method."""
    document = given(params, "restApiId", "resourceId", "httpMethod")
    document = {name: value for name, value in document.items() if value != {}}
    _integration(api, params)
    _check_response(api, params, document)
    await _put_response(context, api, params, document)
    return document


@of_api("GetIntegrationResponse", missing=NO_RESOURCE)
async def get_response(context: Context, params: Params, api: RestApi) -> Result:
    """Return how answers of an integration become a response."""
    del context
    return _response(api, params)


@changes_api("UpdateIntegrationResponse", missing=NO_RESOURCE)
async def update_response(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of an integration's response."""
    document = patched(_response(api, params), params.get("patchOperations"), _RESPONSE_RULES)
    document = {name: value for name, value in document.items() if value not in ({}, None)}
    _check_response(api, params, document)
    await _put_response(context, api, params, document)
    return document


@changes_api("DeleteIntegrationResponse", missing=NO_RESOURCE)
async def delete_response(context: Context, params: Params, api: RestApi) -> Result:
    """Take a response of an integration away."""
    _response(api, params)
    await _put_response(context, api, params, None)
    return {}
