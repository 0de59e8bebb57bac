"""Operations on functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lambdad.api import code_location
from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_ import shapes
from lambdad.api.lambda_.service import (
    LAMBDA,
    marker_of,
    name_of,
    page_size,
    target_of,
    version_behind,
)
from lambdad.controlplane.functions import CodeUpdate, NewFunction
from lambdad.domain import limits
from lambdad.domain.errors import (
    InvalidParameterValueException,
    NotImplementedException,
    RequestEntityTooLargeException,
)
from lambdad.domain.functions import Function, PackageType
from lambdad.protocol.http import HttpRequest

# Members that change what a function is. To accept and ignore one would deploy something else.
_UNSUPPORTED = (
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "PublishTo",
    "RuntimeConfig",
)


def _check_create_size(request: HttpRequest) -> None:
    _check_size(request, "CreateFunction")


def _check_update_size(request: HttpRequest) -> None:
    _check_size(request, "UpdateFunctionCode")


@LAMBDA.operation("CreateFunction", lenient=("Runtime",), check=_check_create_size)
async def create_function(context: RequestContext, params: Params) -> Result:
    """Create a function from a zip package or a container image."""
    target = target_of(context, params, "CreateFunction")
    _refuse_unsupported("CreateFunction", params)
    signing = context.services.attachments.code_signing
    if signing_arn := params.get("CodeSigningConfigArn"):
        signing.check_deployable(target, signing_arn)
    new = NewFunction(
        configuration=shapes.configuration_change(
            params, account_id=context.account_id, region=context.region
        ),
        source=shapes.code_source(params["Code"]),
        package_type=PackageType(params.get("PackageType", PackageType.ZIP)),
        architectures=tuple(params.get("Architectures") or ("x86_64",)),
        tags=params.get("Tags") or {},
        publish=bool(params.get("Publish")),
    )
    function = await context.services.functions.create(target, new)
    if signing_arn:
        await signing.choose(target, signing_arn)
    # AWS quirk: the answer has the number of a published version and an ARN without it.
    return shapes.function_configuration(function, arn=function.key.arn())


@LAMBDA.operation("GetFunction")
async def get_function(context: RequestContext, params: Params) -> Result:
    """Return configuration, a link to the package, and tags and a reservation if there are."""
    target = target_of(context, params, "GetFunction")
    function = await context.services.functions.get(target)
    answer: dict[str, Any] = {
        "Configuration": shapes.function_configuration(function, arn=target.arn),
        "Code": _code(context, function),
    }
    if tags := context.services.functions.tags(target):
        answer["Tags"] = dict(tags)
    reserved = context.services.attachments.account_concurrency.reserved(target.key)
    if reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return answer


@LAMBDA.operation("GetFunctionConfiguration")
async def get_function_configuration(context: RequestContext, params: Params) -> Result:
    """Return the configuration of a version."""
    target = target_of(context, params, "GetFunctionConfiguration")
    function = await context.services.functions.get(target)
    return shapes.function_configuration(function, arn=target.arn)


@LAMBDA.operation("UpdateFunctionCode", check=_check_update_size)
async def update_function_code(context: RequestContext, params: Params) -> Result:
    """Give a function another package or image."""
    target = target_of(context, params, "UpdateFunctionCode")
    _refuse_unsupported("UpdateFunctionCode", params)
    context.services.attachments.code_signing.check_deployable(target)
    architectures = params.get("Architectures")
    update = CodeUpdate(
        source=shapes.code_source(params),
        architectures=tuple(architectures) if architectures else None,
        revision_id=params.get("RevisionId"),
        dry_run=bool(params.get("DryRun")),
        publish=bool(params.get("Publish")),
    )
    function = await context.services.functions.update_code(target, update)
    return shapes.function_configuration(function)


@LAMBDA.operation("UpdateFunctionConfiguration", lenient=("Runtime",))
async def update_function_configuration(context: RequestContext, params: Params) -> Result:
    """Change what a function is configured to; members that are left out stay."""
    target = target_of(context, params, "UpdateFunctionConfiguration")
    _refuse_unsupported("UpdateFunctionConfiguration", params)
    change = shapes.configuration_change(
        params, account_id=context.account_id, region=context.region
    )
    function = await context.services.functions.update_configuration(
        target, change, revision_id=params.get("RevisionId")
    )
    return shapes.function_configuration(function)


@LAMBDA.operation("DeleteFunction")
async def delete_function(context: RequestContext, params: Params) -> Result:
    """Delete a function with everything of it, or one version."""
    await context.services.functions.delete(target_of(context, params, "DeleteFunction"))
    return {"StatusCode": 204}


@LAMBDA.operation("ListFunctions")
async def list_functions(context: RequestContext, params: Params) -> Result:
    """List functions by name, with all their versions if asked for, at most 50 at a time."""
    every_version = params.get("FunctionVersion") == "ALL"
    master = params.get("MasterRegion")
    if master and not every_version:
        raise InvalidParameterValueException(
            "FunctionVersion must be ALL when MasterRegion is specified."
        )
    if master not in (None, "", "ALL"):
        return {"Functions": []}  # only replicas of Lambda@Edge have one; there are none here
    if every_version:
        return _every_version(context, params)
    page = context.services.functions.listing.functions(
        context.account_id,
        context.region,
        after=name_of(params.get("Marker")),
        limit=page_size(params, limits.LIST_FUNCTIONS_PAGE_MAX),
    )
    answer: dict[str, Any] = {
        "Functions": [shapes.listed_configuration(function) for function in page.functions]
    }
    if page.more:
        answer["NextMarker"] = marker_of(page.functions[-1].key.name)
    return answer


def _every_version(context: RequestContext, params: Params) -> Result:
    after = name_of(params.get("Marker"))
    page = context.services.functions.listing.versions(
        context.account_id,
        context.region,
        after=None if after is None else version_behind(after),
        limit=page_size(params, limits.LIST_FUNCTIONS_PAGE_MAX),
    )
    answer: dict[str, Any] = {
        "Functions": [shapes.listed_version(function) for function in page.functions]
    }
    if page.more:
        last = page.functions[-1]
        answer["NextMarker"] = marker_of(f"{last.key.name}:{last.version}")
    return answer


def _code(context: RequestContext, function: Function) -> dict[str, Any]:
    if (image := function.code.image) is not None:
        uris = {"ImageUri": image.uri, "ResolvedImageUri": image.resolved_uri}
        return {"RepositoryType": "ECR", **uris}
    if function.code.folder is not None:
        return {"RepositoryType": "S3", "Location": Path(function.code.folder).as_uri()}
    return {"RepositoryType": "S3", "Location": _code_location(context, function)}


def _code_location(context: RequestContext, function: Function) -> str:
    return code_location.sign(
        context.services.code_location_key,
        base_url=context.base_url,
        key=function.key,
        digest=function.code.digest,
        now_s=context.services.clock.time(),
    )


def _refuse_unsupported(operation: str, params: Params) -> None:
    given = [name for name in _UNSUPPORTED if params.get(name)]
    if given:
        raise NotImplementedException(
            f"{operation} with {', '.join(given)} is not implemented by lambdad yet. Leave it out."
        )


def _check_size(request: HttpRequest, operation: str) -> None:
    if len(request.body) > limits.CREATE_FUNCTION_REQUEST_BYTES_MAX:
        raise RequestEntityTooLargeException(
            f"Request must be smaller than {limits.CREATE_FUNCTION_REQUEST_BYTES_MAX} bytes for "
            f"the {operation} operation"
        )
