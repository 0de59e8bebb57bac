"""Repositories, their settings, policies and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.ecr.access import check_policy
from lambdad.neighbours.ecr.errors import (
    LifecyclePolicyNotFoundException,
    LimitExceededException,
    RepositoryAlreadyExistsException,
    RepositoryNotEmptyException,
    RepositoryPolicyNotFoundException,
    no_repository,
)
from lambdad.neighbours.ecr.model import Repository, is_name
from lambdad.neighbours.ecr.service import (
    ECR,
    Context,
    find,
    invalid,
    named,
    paged,
    reach,
    reach_own,
    registry_host,
)

REPOSITORIES_MAX = 100_000
_TAGS_MAX = 50
_SETTINGS = (
    "encryptionConfiguration",
    "imageScanningConfiguration",
    "imageTagMutability",
    "imageTagMutabilityExclusionFilters",
)
_DEFAULTS: Mapping[str, Any] = {
    "encryptionConfiguration": {"encryptionType": "AES256"},
    "imageScanningConfiguration": {"scanOnPush": False},
    "imageTagMutability": "MUTABLE",
}


@ECR.operation("CreateRepository")
async def create_repository(context: Context, params: Params) -> Result:
    """Make a repository."""
    name = params["repositoryName"]
    if not is_name(name):
        raise invalid("repositoryName", "must satisfy regular expression of repository names")
    if params.get("registryId") not in (None, context.account_id):
        raise invalid("registryId", "repositories are made in the caller's own registry")
    _check_filters(params)
    if len(context.services.of(context.account_id, context.region)) >= REPOSITORIES_MAX:
        raise LimitExceededException(
            f"The registry with id '{context.account_id}' already has the maximum allowed number "
            "of repositories which is '100000'."
        )
    repository = Repository(
        account_id=context.account_id,
        region=context.region,
        name=name,
        created_ms=context.services.now_ms(),
        tags=_tags(params),
        settings={**_DEFAULTS, **{each: params[each] for each in _SETTINGS if each in params}},
    )
    if not await context.services.create(repository):
        raise RepositoryAlreadyExistsException(
            f"The repository with name '{name}' already exists in the registry with id "
            f"'{context.account_id}'"
        )
    return {"repository": told(context, repository)}


@ECR.operation("DescribeRepositories")
async def describe_repositories(context: Context, params: Params) -> Result:
    """Return repositories, all of the account or those that are named."""
    names = params.get("repositoryNames")
    if names is not None:
        found = [
            reach(context, {**params, "repositoryName": name}, "DescribeRepositories")
            for name in names
        ]
        return {"repositories": [told(context, each) for each in found]}
    if params.get("registryId") not in (None, context.account_id):
        return {"repositories": []}
    own = context.services.of(context.account_id, context.region)
    found, token = paged(params, own, lambda each: each.name)
    return {"repositories": [told(context, each) for each in found], "nextToken": token}


@ECR.operation("DeleteRepository")
async def delete_repository(context: Context, params: Params) -> Result:
    """Delete a repository, with its images if the caller insists."""
    repository = reach(context, params, "DeleteRepository")
    if not await context.services.remove(repository, force=bool(params.get("force"))):
        raise RepositoryNotEmptyException(
            f"The repository with name '{repository.name}' in registry with id "
            f"'{repository.account_id}' cannot be deleted because it still contains images"
        )
    return {"repository": told(context, repository)}


@ECR.operation("PutImageTagMutability")
async def put_image_tag_mutability(context: Context, params: Params) -> Result:
    """Say whether tags may move to other images."""
    _check_filters(params)
    repository = reach(context, params, "PutImageTagMutability")
    given = {name: params[name] for name in _SETTINGS if name in params}
    if "imageTagMutabilityExclusionFilters" not in params:
        given["imageTagMutabilityExclusionFilters"] = []
    await _set(context, repository, given)
    return {**named(repository), **given}


@ECR.operation("PutImageScanningConfiguration")
async def put_image_scanning_configuration(context: Context, params: Params) -> Result:
    """Keep whether images are to be scanned; here nothing scans them."""
    repository = reach(context, params, "PutImageScanningConfiguration")
    given = {"imageScanningConfiguration": params["imageScanningConfiguration"]}
    await _set(context, repository, given)
    return {**named(repository), **given}


@ECR.operation("SetRepositoryPolicy")
async def set_repository_policy(context: Context, params: Params) -> Result:
    """Say who else may do what."""
    repository = reach_own(context, params, "SetRepositoryPolicy")
    check_policy(params["policyText"])
    await _set(context, repository, {"policy": params["policyText"]})
    return {**named(repository), "policyText": params["policyText"]}


@ECR.operation("GetRepositoryPolicy")
async def get_repository_policy(context: Context, params: Params) -> Result:
    """Return the policy."""
    repository = reach_own(context, params, "GetRepositoryPolicy")
    return {**named(repository), "policyText": _policy(repository)}


@ECR.operation("DeleteRepositoryPolicy")
async def delete_repository_policy(context: Context, params: Params) -> Result:
    """Delete the policy."""
    repository = reach_own(context, params, "DeleteRepositoryPolicy")
    text = _policy(repository)
    await _set(context, repository, {"policy": None})
    return {**named(repository), "policyText": text}


@ECR.operation("PutLifecyclePolicy")
async def put_lifecycle_policy(context: Context, params: Params) -> Result:
    """Keep a lifecycle policy; here nothing expires by it."""
    repository = reach(context, params, "PutLifecyclePolicy")
    text = params["lifecyclePolicyText"]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("LifecyclePolicyText", "Lifecycle policy validation failure") from error
    rules = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rules, list) or not rules:
        raise invalid(
            "LifecyclePolicyText",
            "Lifecycle policy validation failure: object has missing required properties "
            '(["rules"])',
        )
    await _set(context, repository, {"lifecycle": text})
    return {**named(repository), "lifecyclePolicyText": text}


@ECR.operation("GetLifecyclePolicy")
async def get_lifecycle_policy(context: Context, params: Params) -> Result:
    """Return the lifecycle policy."""
    repository = reach(context, params, "GetLifecyclePolicy")
    return {**named(repository), "lifecyclePolicyText": _lifecycle(repository)}


@ECR.operation("DeleteLifecyclePolicy")
async def delete_lifecycle_policy(context: Context, params: Params) -> Result:
    """Delete the lifecycle policy."""
    repository = reach(context, params, "DeleteLifecyclePolicy")
    text = _lifecycle(repository)
    await _set(context, repository, {"lifecycle": None})
    return {**named(repository), "lifecyclePolicyText": text}


@ECR.operation("ListTagsForResource")
async def list_tags_for_resource(context: Context, params: Params) -> Result:
    """Return the tags of a repository."""
    tags = _tagged(context, params).tags
    return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@ECR.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to a repository, or give some another value."""
    added = _tags(params)
    await context.services.change(
        _tagged(context, params), lambda each: replace(each, tags=_few({**each.tags, **added}))
    )
    return {}


@ECR.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags from a repository."""
    gone = set(params["tagKeys"])
    await context.services.change(
        _tagged(context, params),
        lambda each: replace(
            each, tags={key: value for key, value in each.tags.items() if key not in gone}
        ),
    )
    return {}


def told(context: Context, repository: Repository) -> Mapping[str, Any]:
    """Return a repository as operations answer it."""
    host = registry_host(context.base_url, repository.account_id, repository.region)
    settings = {name: repository.settings.get(name) for name in _SETTINGS}
    return {
        **named(repository),
        "repositoryArn": repository.arn,
        "repositoryUri": f"{host}/{repository.name}",
        "createdAt": datetime.fromtimestamp(repository.created_ms / 1_000, UTC),
        **{name: value for name, value in settings.items() if value},
    }


async def _set(context: Context, repository: Repository, given: Mapping[str, Any]) -> None:
    def change(current: Repository) -> Repository:
        both = {**current.settings, **given}
        return replace(current, settings={k: v for k, v in both.items() if v is not None})

    await context.services.change(repository, change)


def _policy(repository: Repository) -> str:
    text = repository.settings.get("policy")
    if text is None:
        raise RepositoryPolicyNotFoundException(
            "Repository policy does not exist for the repository with name "
            f"'{repository.name}' in the registry with id '{repository.account_id}'"
        )
    return str(text)


def _lifecycle(repository: Repository) -> str:
    text = repository.settings.get("lifecycle")
    if text is None:
        raise LifecyclePolicyNotFoundException(
            "Lifecycle policy does not exist for the repository with name "
            f"'{repository.name}' in the registry with id '{repository.account_id}'"
        )
    return str(text)


def _check_filters(params: Params) -> None:
    excluding = str(params.get("imageTagMutability", "")).endswith("_WITH_EXCLUSION")
    if excluding != bool(params.get("imageTagMutabilityExclusionFilters")):
        raise invalid(
            "imageTagMutabilityExclusionFilters",
            "there are filters if and only if the mutability is one with exclusion",
        )


def _tagged(context: Context, params: Params) -> Repository:
    arn = params["resourceArn"]
    prefix, _, name = arn.partition(":repository/")
    if prefix != f"arn:aws:ecr:{context.region}:{context.account_id}" or not name:
        raise no_repository(context.account_id, name or arn)
    return find(context, {"repositoryName": name})


def _tags(params: Params) -> dict[str, str]:
    return _few({each["Key"]: each["Value"] for each in params.get("tags") or ()})


def _few(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _TAGS_MAX:
        raise invalid("tags", f"Member must have length less than or equal to {_TAGS_MAX}")
    return tags
