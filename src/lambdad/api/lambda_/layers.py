"""Operations on layers and on the policies of their versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api import code_location
from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_ import shapes
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, page_size
from lambdad.authz.policy_documents import Grant, text_of
from lambdad.controlplane.layers import LayerFilter, LayerVersion, NewLayerVersion
from lambdad.domain import limits
from lambdad.domain.errors import (
    InvalidParameterValueException,
    RequestEntityTooLargeException,
    ResourceNotFoundException,
)
from lambdad.domain.layers import LayerKey, parse_layer_arn
from lambdad.protocol.http import HttpRequest


def _check_size(request: HttpRequest) -> None:
    if len(request.body) > limits.CREATE_FUNCTION_REQUEST_BYTES_MAX:
        raise RequestEntityTooLargeException(
            f"Request must be smaller than {limits.CREATE_FUNCTION_REQUEST_BYTES_MAX} bytes for "
            "the PublishLayerVersion operation"
        )


@LAMBDA.operation("PublishLayerVersion", check=_check_size)
async def publish_layer_version(context: RequestContext, params: Params) -> Result:
    """Make a layer's next version from a zip package."""
    key = _allowed(context, params["LayerName"], None, "PublishLayerVersion")
    new = NewLayerVersion(
        source=shapes.code_source(params["Content"]),
        description=params.get("Description") or "",
        runtimes=tuple(params.get("CompatibleRuntimes") or ()),
        architectures=tuple(params.get("CompatibleArchitectures") or ()),
        license_info=params.get("LicenseInfo"),
    )
    return _with_content(context, await context.services.functions.layers.publish(key, new))


@LAMBDA.operation("GetLayerVersion")
async def get_layer_version(context: RequestContext, params: Params) -> Result:
    """Return a version and a link to its content."""
    return _found(context, params["LayerName"], params["VersionNumber"])


@LAMBDA.operation("GetLayerVersionByArn")
async def get_layer_version_by_arn(context: RequestContext, params: Params) -> Result:
    """Return a version and a link to its content."""
    layer, _, version = params["Arn"].rpartition(":")
    if parse_layer_arn(layer) is None:  # AWS's own layers
        raise ResourceNotFoundException("The resource you requested does not exist.")
    return _found(context, layer, int(version))


@LAMBDA.operation("DeleteLayerVersion")
async def delete_layer_version(context: RequestContext, params: Params) -> Result:
    """Delete a version; functions that use it keep it."""
    version = params["VersionNumber"]
    key = _allowed(context, params["LayerName"], version, "DeleteLayerVersion")
    await context.services.functions.layers.delete(key, version)
    return {}


@LAMBDA.operation("ListLayers")
async def list_layers(context: RequestContext, params: Params) -> Result:
    """List the layers that have a matching version, each with its newest, by name."""
    page = context.services.functions.layers.latest(
        context.account_id,
        context.region,
        _filter(params),
        after=name_of(params.get("Marker")),
        limit=page_size(params, limits.LIST_LAYERS_PAGE_MAX),
    )
    answer: dict[str, Any] = {
        "Layers": [
            {
                "LayerName": version.key.name,
                "LayerArn": version.key.arn(),
                "LatestMatchingVersion": _listed(version),
            }
            for version in page.versions
        ]
    }
    if page.more:
        answer["NextMarker"] = marker_of(page.versions[-1].key.name)
    return answer


@LAMBDA.operation("ListLayerVersions")
async def list_layer_versions(context: RequestContext, params: Params) -> Result:
    """List the matching versions of a layer, newest first; none when it does not exist."""
    key = _allowed(context, params["LayerName"], None, "ListLayerVersions")
    page = context.services.functions.layers.versions(
        key,
        _filter(params),
        before=_version_behind(params.get("Marker")),
        limit=page_size(params, limits.LIST_LAYERS_PAGE_MAX),
    )
    answer: dict[str, Any] = {"LayerVersions": [_listed(version) for version in page.versions]}
    if page.more:
        answer["NextMarker"] = marker_of(str(page.versions[-1].version))
    return answer


@LAMBDA.operation("AddLayerVersionPermission")
async def add_layer_version_permission(context: RequestContext, params: Params) -> Result:
    """Let another account, an organisation or everybody use a version."""
    version = params["VersionNumber"]
    key = _allowed(context, params["LayerName"], version, "AddLayerVersionPermission")
    grant = Grant(
        statement_id=params["StatementId"],
        action=params["Action"],
        principal=params["Principal"],
        organization_id=params.get("OrganizationId"),
    )
    statement, revision_id = await context.services.functions.layer_policies.add(
        key, version, grant, revision_id=params.get("RevisionId")
    )
    return {"Statement": text_of(statement), "RevisionId": revision_id}


@LAMBDA.operation("RemoveLayerVersionPermission")
async def remove_layer_version_permission(context: RequestContext, params: Params) -> Result:
    """Take a permission back."""
    version = params["VersionNumber"]
    key = _allowed(context, params["LayerName"], version, "RemoveLayerVersionPermission")
    await context.services.functions.layer_policies.remove(
        key, version, params["StatementId"], revision_id=params.get("RevisionId")
    )
    return {}


@LAMBDA.operation("GetLayerVersionPolicy")
async def get_layer_version_policy(context: RequestContext, params: Params) -> Result:
    """Return the policy of a version."""
    version = params["VersionNumber"]
    key = _allowed(context, params["LayerName"], version, "GetLayerVersionPolicy")
    policy = context.services.functions.layer_policies.get(key, version)
    return {"Policy": text_of(policy.document), "RevisionId": policy.revision_id}


def _allowed(context: RequestContext, layer: str, version: int | None, action: str) -> LayerKey:
    """Return the layer that a name or an ARN names, if the caller may do this with it.

    Raises:
        ResourceNotFoundException: the ARN is another region's.
        AccessDeniedException: it is another account's.
    """
    reference = parse_layer_arn(layer)
    if reference is None:
        return LayerKey(account_id=context.account_id, region=context.region, name=layer)
    key = reference.key
    if key.region != context.region:
        raise ResourceNotFoundException(
            f"Layers from '{key.region}' are not reachable in this region ('{context.region}')"
        )
    context.services.functions.layer_policies.check_access(
        context.account_id, key, version, action=action
    )
    return key


def _found(context: RequestContext, layer: str, version: int) -> Result:
    key = _allowed(context, layer, version, "GetLayerVersion")
    return _with_content(context, context.services.functions.layers.find(key, version))


def _filter(params: Params) -> LayerFilter:
    return LayerFilter(
        runtime=params.get("CompatibleRuntime"), architecture=params.get("CompatibleArchitecture")
    )


def _version_behind(marker: str | None) -> int | None:
    text = name_of(marker)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidParameterValueException("The provided Marker is invalid.")
    return int(text)


def _with_content(context: RequestContext, version: LayerVersion) -> Result:
    location = code_location.sign(
        context.services.code_location_key,
        base_url=context.base_url,
        key=version.key,
        digest=version.code.digest,
        now_s=context.services.clock.time(),
    )
    return {
        **_listed(version),
        "LayerArn": version.key.arn(),
        "Content": {
            "Location": location,
            "CodeSha256": version.code.sha256,
            "CodeSize": version.code.size_bytes,
        },
    }


def _listed(version: LayerVersion) -> Mapping[str, Any]:
    wire: dict[str, Any] = {
        "LayerVersionArn": version.arn,
        "Version": version.version,
        "Description": version.description,
        "CreatedDate": version.created,
    }
    if version.runtimes:
        wire["CompatibleRuntimes"] = list(version.runtimes)
    if version.architectures:
        wire["CompatibleArchitectures"] = list(version.architectures)
    if version.license_info is not None:
        wire["LicenseInfo"] = version.license_info
    return wire
