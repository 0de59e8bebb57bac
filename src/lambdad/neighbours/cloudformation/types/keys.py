"""AWS::KMS, as far as bootstrapping tools make it."""

from __future__ import annotations

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import Made, ResourceType, Work

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
)
