"""AWS::KMS and AWS::ECR, as far as bootstrapping tools make them."""

from __future__ import annotations

from typing import Any

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work

_PENDING_DAYS = 30


def _key(work: Work, key_id: str) -> Made:
    return Made(
        physical_id=key_id,
        attributes={"Arn": work.arn("kms", f"key/{key_id}"), "KeyId": key_id},
    )


def _create_key(work: Work) -> Made:
    spec = {
        name: work.get(name)
        for name in ("Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin")
        if work.get(name) is not None
    }
    tags = [{"TagKey": name, "TagValue": value} for name, value in work.tags().items()]
    policy = work.get("KeyPolicy")
    if policy is not None:
        spec["Policy"] = text_of(policy)
    key_id = work.call("kms", "CreateKey", **spec, Tags=tags)["KeyMetadata"]["KeyId"]
    _set_key(work, key_id)
    return _key(work, key_id)


def _set_key(work: Work, key_id: str) -> None:
    if work.changed("EnableKeyRotation"):
        turn = "Enable" if work.get("EnableKeyRotation") else "Disable"
        work.call("kms", f"{turn}KeyRotation", KeyId=key_id)
    if work.changed("Enabled"):
        work.call("kms", "EnableKey" if work.get("Enabled", True) else "DisableKey", KeyId=key_id)


def _update_key(work: Work) -> Made:
    key_id = work.physical_id
    if work.changed("Description"):
        text = work.get("Description", "")
        work.call("kms", "UpdateKeyDescription", KeyId=key_id, Description=text)
    if work.changed("KeyPolicy") and work.get("KeyPolicy") is not None:
        policy = text_of(work.get("KeyPolicy"))
        work.call("kms", "PutKeyPolicy", KeyId=key_id, PolicyName="default", Policy=policy)
    _set_key(work, key_id)
    return _key(work, key_id)


def _delete_key(work: Work) -> None:
    days = work.get("PendingWindowInDays", _PENDING_DAYS)
    work.remove("kms", "ScheduleKeyDeletion", KeyId=work.physical_id, PendingWindowInDays=days)


def _create_alias(work: Work) -> Made:
    name, key = work.get("AliasName"), work.get("TargetKeyId")
    work.create("kms", "CreateAlias", AliasName=name, TargetKeyId=key)
    return Made(physical_id=name)


def _update_alias(work: Work) -> Made:
    key = work.get("TargetKeyId")
    work.call("kms", "UpdateAlias", AliasName=work.physical_id, TargetKeyId=key)
    return Made(physical_id=work.physical_id)


def _delete_alias(work: Work) -> None:
    work.remove("kms", "DeleteAlias", AliasName=work.physical_id)


def _create_repository(work: Work) -> Made:
    settings = {
        "imageTagMutability": work.get("ImageTagMutability"),
        "imageScanningConfiguration": _lower(work.get("ImageScanningConfiguration")),
        "encryptionConfiguration": _lower(work.get("EncryptionConfiguration")),
    }
    work.create(
        "ecr",
        "CreateRepository",
        repositoryName=work.name,
        tags=work.tag_list(),
        **{name: value for name, value in settings.items() if value is not None},
    )
    _set_repository_policies(work, work.name)
    return _repository(work, work.name)


def _lower(properties: Any) -> Any:
    """Return properties under the names that the API has for them."""
    if properties is None:
        return None
    return {name[0].lower() + name[1:]: value for name, value in properties.items()}


def _repository(work: Work, name: str) -> Made:
    [found] = work.call("ecr", "DescribeRepositories", repositoryNames=[name])["repositories"]
    attributes = {"Arn": found["repositoryArn"], "RepositoryUri": found["repositoryUri"]}
    return Made(physical_id=name, attributes=attributes)


def _set_repository_policies(work: Work, name: str) -> None:
    if work.changed("RepositoryPolicyText"):
        policy = work.get("RepositoryPolicyText")
        if policy is None:
            work.remove("ecr", "DeleteRepositoryPolicy", repositoryName=name)
        else:
            text = text_of(policy)
            work.call("ecr", "SetRepositoryPolicy", repositoryName=name, policyText=text)
    if work.changed("LifecyclePolicy"):
        rules = (work.get("LifecyclePolicy") or {}).get("LifecyclePolicyText")
        if rules is None:
            work.remove("ecr", "DeleteLifecyclePolicy", repositoryName=name)
        else:
            work.call("ecr", "PutLifecyclePolicy", repositoryName=name, lifecyclePolicyText=rules)


def _update_repository(work: Work) -> Made:
    name = work.physical_id
    if work.changed("ImageTagMutability"):
        mutability = work.get("ImageTagMutability", "MUTABLE")
        work.call(
            "ecr",
            "PutImageTagMutability",
            repositoryName=name,
            imageTagMutability=mutability,
        )
    if work.changed("ImageScanningConfiguration"):
        scanning = _lower(work.get("ImageScanningConfiguration")) or {"scanOnPush": False}
        work.call(
            "ecr",
            "PutImageScanningConfiguration",
            repositoryName=name,
            imageScanningConfiguration=scanning,
        )
    _set_repository_policies(work, name)
    return _repository(work, name)


def _delete_repository(work: Work) -> None:
    force = bool(work.get("EmptyOnDelete"))
    work.remove("ecr", "DeleteRepository", repositoryName=work.physical_id, force=force)


TYPES = (
    ResourceType(
        name="AWS::KMS::Key",
        create=_create_key,
        update=_update_key,
        delete=_delete_key,
        fixed=frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"}),
    ),
    ResourceType(
        name="AWS::KMS::Alias",
        create=_create_alias,
        update=_update_alias,
        delete=_delete_alias,
        fixed=frozenset({"AliasName"}),
        required=("AliasName", "TargetKeyId"),
        by_name=True,
    ),
    ResourceType(
        name="AWS::ECR::Repository",
        create=_create_repository,
        update=_update_repository,
        delete=_delete_repository,
        naming=Naming(property="RepositoryName", lower=True),
        fixed=frozenset({"EncryptionConfiguration"}),
        by_name=True,
    ),
)
