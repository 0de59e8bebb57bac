"""Code signing configurations, and which function has which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, target_of
from lambdad.api.lambda_.tags import TAGGED
from lambdad.controlplane.code_signing import CodeSigningChange
from lambdad.domain.code_signing import CodeSigningConfig

_PAGE_MAX = 50


@LAMBDA.operation("CreateCodeSigningConfig")
async def create_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Create a configuration."""
    config = await context.services.attachments.code_signing.create(
        context.account_id, context.region, _change(params)
    )
    return {"CodeSigningConfig": _config(config)}


@LAMBDA.operation("GetCodeSigningConfig")
async def get_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Return a configuration."""
    config = context.services.attachments.code_signing.get(
        context.account_id, context.region, params["CodeSigningConfigArn"]
    )
    return {"CodeSigningConfig": _config(config)}


@LAMBDA.operation("UpdateCodeSigningConfig")
async def update_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Change a configuration; members that are left out stay."""
    config = await context.services.attachments.code_signing.update(
        context.account_id, context.region, params["CodeSigningConfigArn"], _change(params)
    )
    return {"CodeSigningConfig": _config(config)}


@LAMBDA.operation("DeleteCodeSigningConfig")
async def delete_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Delete a configuration that no function has."""
    await context.services.attachments.code_signing.delete(
        context.account_id, context.region, params["CodeSigningConfigArn"]
    )
    return {}


@LAMBDA.operation("ListCodeSigningConfigs")
async def list_code_signing_configs(context: RequestContext, params: Params) -> Result:
    """List the configurations of the account."""
    page = context.services.attachments.code_signing.list(
        context.account_id,
        context.region,
        after=name_of(params.get("Marker")),
        limit=params.get("MaxItems") or _PAGE_MAX,
    )
    answer: dict[str, Any] = {"CodeSigningConfigs": [_config(config) for config in page.configs]}
    if page.more:
        answer["NextMarker"] = marker_of(page.configs[-1].config_id)
    return answer


@LAMBDA.operation("ListFunctionsByCodeSigningConfig")
async def list_functions_by_code_signing_config(context: RequestContext, params: Params) -> Result:
    """List the functions that have a configuration."""
    page = context.services.attachments.code_signing.functions(
        context.account_id,
        context.region,
        params["CodeSigningConfigArn"],
        after=name_of(params.get("Marker")),
        limit=params.get("MaxItems") or _PAGE_MAX,
    )
    answer: dict[str, Any] = {"FunctionArns": [key.arn() for key in page.functions]}
    if page.more:
        answer["NextMarker"] = marker_of(page.functions[-1].name)
    return answer


@LAMBDA.operation("PutFunctionCodeSigningConfig")
async def put_function_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Give a function a configuration."""
    target = target_of(context, params, "PutFunctionCodeSigningConfig")
    arn = params["CodeSigningConfigArn"]
    await context.services.attachments.code_signing.choose(target, arn)
    return {"CodeSigningConfigArn": arn, "FunctionName": target.key.name}


@LAMBDA.operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Return the configuration of a function; AWS answers `{}` without one."""
    target = target_of(context, params, "GetFunctionCodeSigningConfig")
    arn = context.services.attachments.code_signing.chosen(target)
    return {} if arn is None else {"CodeSigningConfigArn": arn, "FunctionName": target.key.name}


@LAMBDA.operation("DeleteFunctionCodeSigningConfig")
async def delete_function_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Take its configuration from a function."""
    target = target_of(context, params, "DeleteFunctionCodeSigningConfig")
    await context.services.attachments.code_signing.unchoose(target)
    return {}


def _change(params: Params) -> CodeSigningChange:
    publishers = params.get("AllowedPublishers")
    policies = params.get("CodeSigningPolicies") or {}
    return CodeSigningChange(
        description=params.get("Description"),
        publishers=None if publishers is None else tuple(publishers["SigningProfileVersionArns"]),
        policy=policies.get("UntrustedArtifactOnDeployment"),
        tags=params.get("Tags") or {},
    )


def _config(config: CodeSigningConfig) -> dict[str, Any]:
    return {
        "CodeSigningConfigId": config.config_id,
        "CodeSigningConfigArn": config.arn,
        "Description": config.description,
        "AllowedPublishers": {"SigningProfileVersionArns": list(config.publishers)},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": config.policy},
        "LastModified": config.last_modified,
    }


class CodeSigningTags:
    """Tags of configurations."""

    async def tags(self, context: RequestContext, arn: str) -> Mapping[str, str]:
        """Return the tags."""
        code_signing = context.services.attachments.code_signing
        return code_signing.get(context.account_id, context.region, arn).tags

    async def tag(self, context: RequestContext, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags or overwrite them."""
        code_signing = context.services.attachments.code_signing
        await code_signing.retag(context.account_id, context.region, arn, add=tags)

    async def untag(self, context: RequestContext, arn: str, names: Sequence[str]) -> None:
        """Remove tags."""
        code_signing = context.services.attachments.code_signing
        await code_signing.retag(context.account_id, context.region, arn, remove=names)


TAGGED["code-signing-config"] = CodeSigningTags()
