"""AWS::S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, text_of
from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work


def _bucket(work: Work, name: str) -> Made:
    region = work.calls.region
    return Made(
        physical_id=name,
        attributes={
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{region}.amazonaws.com",
        },
    )


def _filter(each: Mapping[str, Any]) -> dict[str, Any]:
    rules = ((each.get("Filter") or {}).get("S3Key") or {}).get("Rules")
    return {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}


def _notifications(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, target, wanted in (
        ("LambdaConfigurations", "Function", "LambdaFunction"),
        ("QueueConfigurations", "Queue", "Queue"),
        ("TopicConfigurations", "Topic", "Topic"),
    ):
        if config.get(name):
            found[f"{wanted}Configurations"] = [
                {f"{wanted}Arn": each[target], "Events": [each["Event"]], **_filter(each)}
                for each in config[name]
            ]
    events = config.get("EventBridgeConfiguration")
    if events is not None and text_of(events.get("EventBridgeEnabled", True)) == "true":
        found["EventBridgeConfiguration"] = {}
    return found


def _lifecycle(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"Rules": [_lifecycle_rule(rule) for rule in config.get("Rules", ())]}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    found = {"ID": rule.get("Id"), "Status": rule["Status"]}
    found["Filter"] = {"Prefix": rule.get("Prefix", "")}
    expiration = {
        name: rule[given]
        for name, given in (
            ("Days", "ExpirationInDays"),
            ("Date", "ExpirationDate"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if given in rule
    }
    if expiration:
        found["Expiration"] = expiration
    if "NoncurrentVersionExpirationInDays" in rule:
        found["NoncurrentVersionExpiration"] = {
            "NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]
        }
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in rule:
            found[name] = rule[name]
    if transitions := rule.get("Transitions"):
        found["Transitions"] = [
            {"Days": each.get("TransitionInDays"), "StorageClass": each["StorageClass"]}
            for each in transitions
        ]
    return found


def _cors(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "CORSRules": [
            {
                **rule,
                "ID": rule.get("Id"),
                "MaxAgeSeconds": rule.get("MaxAge"),
                "ExposeHeaders": rule.get("ExposedHeaders"),
            }
            for rule in config.get("CorsRules", ())
        ]
    }


def _encryption(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Rules": [
            {
                **each,
                "ApplyServerSideEncryptionByDefault": each.get("ServerSideEncryptionByDefault"),
            }
            for each in config.get("ServerSideEncryptionConfiguration", ())
        ]
    }


def _website(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"RedirectAllRequestsTo": config.get("RedirectAllRequestsTo")}
    if "IndexDocument" in config:
        found["IndexDocument"] = {"Suffix": config["IndexDocument"]}
    if "ErrorDocument" in config:
        found["ErrorDocument"] = {"Key": config["ErrorDocument"]}
    return found


def _as_is(config: Mapping[str, Any]) -> dict[str, Any]:
    return dict(config)


# Property, operation that sets it, its parameter, form, operation that takes it away or what is
# set instead. Notifications are last: their targets look at nothing else.
_PARTS: tuple[tuple[str, str, str, Any, str | dict[str, Any]], ...] = (
    (
        "VersioningConfiguration",
        "PutBucketVersioning",
        "VersioningConfiguration",
        _as_is,
        {"Status": "Suspended"},
    ),
    (
        "BucketEncryption",
        "PutBucketEncryption",
        "ServerSideEncryptionConfiguration",
        _encryption,
        "DeleteBucketEncryption",
    ),
    ("CorsConfiguration", "PutBucketCors", "CORSConfiguration", _cors, "DeleteBucketCors"),
    (
        "LifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "LifecycleConfiguration",
        _lifecycle,
        "DeleteBucketLifecycle",
    ),
    (
        "OwnershipControls",
        "PutBucketOwnershipControls",
        "OwnershipControls",
        _as_is,
        "DeleteBucketOwnershipControls",
    ),
    (
        "PublicAccessBlockConfiguration",
        "PutPublicAccessBlock",
        "PublicAccessBlockConfiguration",
        _as_is,
        "DeletePublicAccessBlock",
    ),
    (
        "WebsiteConfiguration",
        "PutBucketWebsite",
        "WebsiteConfiguration",
        _website,
        "DeleteBucketWebsite",
    ),
    (
        "NotificationConfiguration",
        "PutBucketNotificationConfiguration",
        "NotificationConfiguration",
        _notifications,
        {},
    ),
)


def _set_parts(work: Work, name: str) -> None:
    for given, operation, parameter, form, otherwise in _PARTS:
        if not work.changed(given):
            continue
        config = work.get(given)
        if config is not None:
            work.call("s3", operation, Bucket=name, **{parameter: form(config)})
        elif isinstance(otherwise, str):
            work.remove("s3", otherwise, Bucket=name)
        else:
            work.call("s3", operation, Bucket=name, **{parameter: otherwise})
    before = work.tags(work.previous) if work.previous else {}
    if work.tags() != before:
        if work.tags():
            work.call("s3", "PutBucketTagging", Bucket=name, Tagging={"TagSet": work.tag_list()})
        else:
            work.remove("s3", "DeleteBucketTagging", Bucket=name)


def _create_bucket(work: Work) -> Made:
    region = work.calls.region
    where = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    if not work.attempted:
        _refuse_existing_bucket(work)
    work.create(
        "s3",
        "CreateBucket",
        Bucket=work.name,
        **where,
        ObjectLockEnabledForBucket=work.get("ObjectLockEnabled", False),
    )
    _set_parts(work, work.name)
    return _bucket(work, work.name)


def _refuse_existing_bucket(work: Work) -> None:
    """In us-east-1 CreateBucket answers well for a bucket that is one's own already."""
    try:
        work.call("s3", "HeadBucket", Bucket=work.name)
    except CallFailed:
        return
    raise CallFailed("BucketAlreadyOwnedByYou", f"{work.name} already exists")


def _update_bucket(work: Work) -> Made:
    _set_parts(work, work.physical_id)
    return _bucket(work, work.physical_id)


def _delete_bucket(work: Work) -> None:
    work.remove("s3", "DeleteBucket", Bucket=work.physical_id)


def _put_bucket_policy(work: Work) -> Made:
    work.call(
        "s3",
        "PutBucketPolicy",
        Bucket=work.get("Bucket"),
        Policy=text_of(work.get("PolicyDocument")),
    )
    return Made(physical_id=work.physical_id or str(work.get("Bucket")))


def _delete_bucket_policy(work: Work) -> None:
    work.remove("s3", "DeleteBucketPolicy", Bucket=work.get("Bucket"))


TYPES = (
    ResourceType(
        name="AWS::S3::Bucket",
        by_name=True,
        create=_create_bucket,
        update=_update_bucket,
        delete=_delete_bucket,
        naming=Naming(property="BucketName", length=63, lower=True),
        fixed=frozenset({"ObjectLockEnabled"}),
    ),
    ResourceType(
        name="AWS::S3::BucketPolicy",
        create=_put_bucket_policy,
        update=_put_bucket_policy,
        delete=_delete_bucket_policy,
        fixed=frozenset({"Bucket"}),
        required=("Bucket", "PolicyDocument"),
    ),
)
