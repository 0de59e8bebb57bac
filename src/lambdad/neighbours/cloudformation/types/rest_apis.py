"""AWS::ApiGateway: REST APIs, their tree of resources, and what deploys them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, text_of
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.template_text import read_template
from lambdad.neighbours.cloudformation.types.base import (
    Made,
    Naming,
    ResourceFailed,
    ResourceType,
    Work,
)
from lambdad.neighbours.cloudformation.types.rest_api_calls import (
    SERVICE,
    arn_of,
    escaped,
    listed,
    made_before,
    marked,
    patches,
    retag,
)

# Properties of an API, by the path of their patch; lists and maps are apart.
_API_PATHS = {
    "ApiKeySourceType": "/apiKeySource",
    "Description": "/description",
    "DisableExecuteApiEndpoint": "/disableExecuteApiEndpoint",
    "EndpointAccessMode": "/endpointAccessMode",
    "MinimumCompressionSize": "/minimumCompressionSize",
    "Name": "/name",
    "Policy": "/policy",
    "SecurityPolicy": "/securityPolicy",
    "Version": "/version",
}
# As they are where the template does not say.
_API_DEFAULTS = {
    "ApiKeySourceType": "HEADER",
    "DisableExecuteApiEndpoint": "false",
    "MinimumCompressionSize": "",
}


# --- APIs -----------------------------------------------------------------------------------


def _api(work: Work, api_id: str) -> Made:
    found = work.call(SERVICE, "GetRestApi", RestApiId=api_id)
    attributes = {"RestApiId": api_id, "RootResourceId": found["rootResourceId"]}
    return Made(physical_id=api_id, attributes=attributes)


def _create_api(work: Work) -> Made:
    if (made := made_before(work, "GetRestApis")) is not None:
        _change_api(work, made)
        return _api(work, made)
    document = _document(work)
    if document is None:
        params = work.without("ApiKeySourceType", "Body", "BodyS3Location", "Mode", "Parameters")
        params.update(Name=work.get("Name") or work.logical_id, Tags=marked(work))
        params["BinaryMediaTypes"] = _media_types(work.properties)
        if work.get("ApiKeySourceType"):
            params["ApiKeySource"] = work.get("ApiKeySourceType")
        return _api(work, work.call(SERVICE, "CreateRestApi", **params)["id"])
    api_id = str(work.call(SERVICE, "ImportRestApi", **_import(work, document))["id"])
    try:
        work.call(
            SERVICE,
            "TagResource",
            ResourceArn=arn_of(work, f"/restapis/{api_id}"),
            Tags=marked(work),
        )
        _change_api(work, api_id)
    except CallFailed as error:
        raise ResourceFailed(str(error), left=api_id) from error
    return _api(work, api_id)


def _update_api(work: Work) -> Made:
    if work.changed("Body", "BodyS3Location", "Parameters") and (document := _document(work)):
        mode = work.get("Mode") or "overwrite"
        params = _import(work, document)
        work.call(SERVICE, "PutRestApi", RestApiId=work.physical_id, Mode=mode, **params)
    _change_api(work, work.physical_id)
    return _api(work, work.physical_id)


def _document(work: Work) -> bytes | None:
    """Return the OpenAPI document of an API, named after it if it has no title."""
    body, location = work.get("Body"), work.get("BodyS3Location")
    if location:
        named = {"Bucket": location.get("Bucket"), "Key": location.get("Key")}
        if location.get("Version"):
            named["VersionId"] = location["Version"]
        body = work.call("s3", "GetObject", **named)["Body"].read().decode("utf-8", "replace")
    if not body:
        return None
    try:
        whole = read_template(body) if isinstance(body, str) else dict(body)
    except ValidationError as error:
        raise ResourceFailed(f"The document of the API cannot be read: {error}") from error
    title = work.get("Name") or work.logical_id
    whole["info"] = {"title": title, **(whole.get("info") or {})}
    return json.dumps(whole, default=str).encode()


def _import(work: Work, document: bytes) -> dict[str, Any]:
    params: dict[str, Any] = {"Body": document, "Parameters": dict(work.get("Parameters") or {})}
    if work.get("FailOnWarnings") is not None:
        params["FailOnWarnings"] = work.get("FailOnWarnings")
    return params


def _change_api(work: Work, api_id: str) -> None:
    """Change what the template says of an API beside its document."""
    changes = patches(work, _API_PATHS, _API_DEFAULTS)
    named = work.get("Name") or (work.previous and not work.get("Body") and work.logical_id)
    changes = [each for each in changes if each["path"] != "/name" or named]
    for each in changes:
        if each["path"] == "/name":
            each.update(op="replace", value=str(named))
    kinds = (work.get("EndpointConfiguration") or {}).get("Types")
    if work.changed("EndpointConfiguration") and kinds:
        path = "/endpointConfiguration/types/0"
        changes.append({"op": "replace", "path": path, "value": text_of(kinds[0])})
    before, after = _media_types(work.previous), _media_types(work.properties)
    for op, gone in (("remove", set(before) - set(after)), ("add", set(after) - set(before))):
        changes += [
            {"op": op, "path": f"/binaryMediaTypes/{escaped(each)}"} for each in sorted(gone)
        ]
    if changes:
        work.call(SERVICE, "UpdateRestApi", RestApiId=api_id, PatchOperations=changes)
    retag(work, arn_of(work, f"/restapis/{api_id}"))


def _media_types(properties: Mapping[str, Any]) -> list[str]:
    """Return an API's binary media types; templates may write their slash as in patches."""
    return [str(each).replace("~1", "/") for each in properties.get("BinaryMediaTypes") or ()]


def _delete_api(work: Work) -> None:
    work.remove(SERVICE, "DeleteRestApi", RestApiId=work.physical_id)


# --- Resources and methods ------------------------------------------------------------------


def _create_resource(work: Work) -> Made:
    made = work.create(SERVICE, "CreateResource", **work.properties)
    if made is None:
        there = listed(work, "GetResources", RestApiId=work.get("RestApiId"))
        made = next(dict(each) for each in there if _is_at(work, each))
    return Made(physical_id=made["id"], attributes={"ResourceId": made["id"]})


def _is_at(work: Work, resource: Mapping[str, Any]) -> bool:
    place = (resource.get("parentId"), resource.get("pathPart"))
    return place == (work.get("ParentId"), work.get("PathPart"))


def _delete_resource(work: Work) -> None:
    named = {"RestApiId": work.get("RestApiId"), "ResourceId": work.physical_id}
    work.remove(SERVICE, "DeleteResource", **named)


def _where(work: Work) -> dict[str, Any]:
    return {
        "RestApiId": work.get("RestApiId"),
        "ResourceId": work.get("ResourceId"),
        "HttpMethod": str(work.get("HttpMethod")).upper(),
    }


def _create_method(work: Work) -> Made:
    if work.attempted:
        _delete_method(work)
    where = _where(work)
    name = "|".join(str(each) for each in where.values())
    try:
        _make_method(work, where)
    except CallFailed as error:
        left = "" if error.exists else name
        raise ResourceFailed(str(error), left=left) from error
    return Made(physical_id=name)


def _make_method(work: Work, where: Mapping[str, Any]) -> None:
    apart = ("Integration", "MethodResponses", "HttpMethod", "RestApiId", "ResourceId")
    kind = str(work.get("AuthorizationType") or "NONE")
    given = {**work.without(*apart), "AuthorizationType": kind}
    work.call(SERVICE, "PutMethod", **given, **where)
    for response in work.get("MethodResponses") or ():
        work.call(SERVICE, "PutMethodResponse", **response, **where)
    integration = work.get("Integration")
    if not integration:
        return
    members = {name: each for name, each in integration.items() if name != "IntegrationResponses"}
    work.call(SERVICE, "PutIntegration", **members, **where)
    for response in integration.get("IntegrationResponses") or ():
        work.call(SERVICE, "PutIntegrationResponse", **{"StatusCode": "200", **response}, **where)


def _update_method(work: Work) -> Made:
    """Make it again: what is deployed has a copy, so nobody sees it missing."""
    _delete_method(work)
    _make_method(work, _where(work))
    return Made(physical_id=work.physical_id)


def _delete_method(work: Work) -> None:
    work.remove(SERVICE, "DeleteMethod", **_where(work))


# --- Parts with an identifier of their own --------------------------------------------------


def part(
    name: str,
    identifier: str,
    paths: Mapping[str, str],
    *,
    fixed: Sequence[str] = (),
    attribute: str,
    values: Callable[[Work], dict[str, Any]] = lambda work: dict(work.properties),
) -> ResourceType:
    """Return the type of a part of an API that is changed by patches of its properties."""

    def create(work: Work) -> Made:
        given = values(work)
        made = work.create(SERVICE, f"Create{name}", **given)
        if made is None:
            there = listed(work, f"Get{name}s", RestApiId=work.get("RestApiId"))
            made = next(dict(each) for each in there if each["name"] == given["Name"])
        return Made(physical_id=made["id"], attributes={attribute: made["id"]})

    def named(work: Work) -> dict[str, Any]:
        return {"RestApiId": work.get("RestApiId"), identifier: work.physical_id}

    def update(work: Work) -> Made:
        changes = patches(work, paths, {})
        for each in changes:
            if isinstance(work.get("ProviderARNs"), list) and each["path"] == "/providerARNs":
                each["value"] = ",".join(work.get("ProviderARNs"))
        if changes:
            work.call(SERVICE, f"Update{name}", **named(work), PatchOperations=changes)
        return Made(physical_id=work.physical_id, attributes={attribute: work.physical_id})

    def delete(work: Work) -> None:
        work.remove(SERVICE, f"Delete{name}", **named(work))

    return ResourceType(
        name=f"AWS::ApiGateway::{name}",
        create=create,
        update=update,
        delete=delete,
        fixed=frozenset({"RestApiId", *fixed}),
        required=("RestApiId",),
    )


def _validator(work: Work) -> dict[str, Any]:
    return {**work.properties, "Name": work.get("Name") or work.logical_id}


def _model_name(work: Work) -> str:
    """Return a model's name, which has letters and digits only."""
    return str(work.get("Name") or re.sub(r"[^A-Za-z0-9]", "", work.name))


def _schema(work: Work) -> str:
    schema = work.get("Schema")
    return schema if isinstance(schema, str) else json.dumps(schema or {})


def _create_model(work: Work) -> Made:
    name = _model_name(work)
    given = {"ContentType": "application/json", **work.properties, "Schema": _schema(work)}
    work.create(SERVICE, "CreateModel", **{**given, "Name": name})
    return Made(physical_id=name)


def _update_model(work: Work) -> Made:
    named = {"RestApiId": work.get("RestApiId"), "ModelName": work.physical_id}
    changes = [
        {"op": "replace", "path": "/schema", "value": _schema(work)},
        {"op": "replace", "path": "/description", "value": str(work.get("Description") or "")},
    ]
    work.call(SERVICE, "UpdateModel", **named, PatchOperations=changes)
    return Made(physical_id=work.physical_id)


def _delete_model(work: Work) -> None:
    named = {"RestApiId": work.get("RestApiId"), "ModelName": work.physical_id}
    work.remove(SERVICE, "DeleteModel", **named)


def _put_response(work: Work) -> Made:
    work.call(SERVICE, "PutGatewayResponse", **work.properties)
    name = f"{work.get('RestApiId')}|{work.get('ResponseType')}"
    return Made(physical_id=name, attributes={"Id": name})


def _delete_response(work: Work) -> None:
    named = {"RestApiId": work.get("RestApiId"), "ResponseType": work.get("ResponseType")}
    work.remove(SERVICE, "DeleteGatewayResponse", **named)


TYPES = (
    ResourceType(
        name="AWS::ApiGateway::RestApi",
        create=_create_api,
        update=_update_api,
        delete=_delete_api,
        fixed=frozenset({"CloneFrom"}),
    ),
    ResourceType(
        name="AWS::ApiGateway::Resource",
        create=_create_resource,
        delete=_delete_resource,
        required=("RestApiId", "ParentId", "PathPart"),
    ),
    ResourceType(
        name="AWS::ApiGateway::Method",
        create=_create_method,
        update=_update_method,
        delete=_delete_method,
        fixed=frozenset({"RestApiId", "ResourceId", "HttpMethod"}),
        required=("RestApiId", "ResourceId", "HttpMethod"),
    ),
    ResourceType(
        name="AWS::ApiGateway::Model",
        create=_create_model,
        update=_update_model,
        delete=_delete_model,
        fixed=frozenset({"RestApiId", "ContentType"}),
        naming=Naming(property="Name"),
        required=("RestApiId",),
    ),
    ResourceType(
        name="AWS::ApiGateway::GatewayResponse",
        create=_put_response,
        update=_put_response,
        delete=_delete_response,
        fixed=frozenset({"RestApiId", "ResponseType"}),
        required=("RestApiId", "ResponseType"),
    ),
    part(
        "RequestValidator",
        "RequestValidatorId",
        {
            "ValidateRequestBody": "/validateRequestBody",
            "ValidateRequestParameters": "/validateRequestParameters",
        },
        fixed=("Name",),
        attribute="RequestValidatorId",
        values=_validator,
    ),
    part(
        "Authorizer",
        "AuthorizerId",
        {
            "AuthType": "/authType",
            "AuthorizerCredentials": "/authorizerCredentials",
            "AuthorizerResultTtlInSeconds": "/authorizerResultTtlInSeconds",
            "AuthorizerUri": "/authorizerUri",
            "IdentitySource": "/identitySource",
            "IdentityValidationExpression": "/identityValidationExpression",
            "Name": "/name",
            "ProviderARNs": "/providerARNs",
            "Type": "/type",
        },
        attribute="AuthorizerId",
    ),
)
