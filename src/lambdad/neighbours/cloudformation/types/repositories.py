"""AWS::ECR: repositories of container images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work

_SERVICE = "ecr"
_MUTABILITY = ("ImageTagMutability", "ImageTagMutabilityExclusionFilters")
_SETTINGS = ("EncryptionConfiguration", "ImageScanningConfiguration")


def _create(work: Work) -> Made:
    named = {"repositoryName": work.name}
    settings = {name: work.get(name) for name in _SETTINGS if work.get(name) is not None}
    work.create(
        _SERVICE, "CreateRepository", **named, **settings, **_mutability(work), tags=work.tag_list()
    )
    _put_policies(work, work.name)
    return _made(work, work.name)


def _update(work: Work) -> Made:
    named = {"repositoryName": work.physical_id}
    if work.changed(*_MUTABILITY):
        mutability = {"imageTagMutability": "MUTABLE", **_mutability(work)}
        work.call(_SERVICE, "PutImageTagMutability", **named, **mutability)
    if work.changed("ImageScanningConfiguration"):
        scanning = work.get("ImageScanningConfiguration") or {"scanOnPush": False}
        work.call(
            _SERVICE, "PutImageScanningConfiguration", **named, imageScanningConfiguration=scanning
        )
    _put_policies(work, work.physical_id)
    made = _made(work, work.physical_id)
    gone = work.tags(work.previous).keys() - work.tags().keys()
    arn = made.attributes["Arn"]
    if gone:
        work.call(_SERVICE, "UntagResource", resourceArn=arn, tagKeys=sorted(gone))
    if tags := work.tag_list():
        work.call(_SERVICE, "TagResource", resourceArn=arn, tags=tags)
    return made


def _delete(work: Work) -> None:
    force = str(work.get("EmptyOnDelete", False)).lower() == "true"
    work.remove(_SERVICE, "DeleteRepository", repositoryName=work.physical_id, force=force)


def _put_policies(work: Work, name: str) -> None:
    """Have the policies that the template has, and none that it no longer has."""
    lifecycle = (work.get("LifecyclePolicy") or {}).get("LifecyclePolicyText")
    if lifecycle:
        work.call(
            _SERVICE, "PutLifecyclePolicy", repositoryName=name, lifecyclePolicyText=lifecycle
        )
    elif work.previous.get("LifecyclePolicy"):
        work.remove(_SERVICE, "DeleteLifecyclePolicy", repositoryName=name)
    policy = work.get("RepositoryPolicyText")
    if policy:
        work.call(_SERVICE, "SetRepositoryPolicy", repositoryName=name, policyText=policy)
    elif work.previous.get("RepositoryPolicyText"):
        work.remove(_SERVICE, "DeleteRepositoryPolicy", repositoryName=name)


def _mutability(work: Work) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if work.get("ImageTagMutability"):
        found["imageTagMutability"] = work.get("ImageTagMutability")
    if filters := work.get("ImageTagMutabilityExclusionFilters"):
        # CloudFormation has longer names for what the API calls `filterType` and `filter`.
        found["imageTagMutabilityExclusionFilters"] = [_filter(each) for each in filters]
    return found


def _filter(given: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "ImageTagMutabilityExclusionFilter"
    return {"filterType": given[f"{prefix}Type"], "filter": given[f"{prefix}Value"]}


def _made(work: Work, name: str) -> Made:
    answer = work.call(_SERVICE, "DescribeRepositories", repositoryNames=[name])
    (found,) = answer["repositories"]
    attributes = {"Arn": found["repositoryArn"], "RepositoryUri": found["repositoryUri"]}
    return Made(physical_id=name, attributes=attributes)


TYPES = (
    ResourceType(
        name="AWS::ECR::Repository",
        create=_create,
        update=_update,
        delete=_delete,
        naming=Naming(property="RepositoryName", length=256, lower=True),
        fixed=frozenset({"EncryptionConfiguration"}),
        by_name=True,
    ),
)
