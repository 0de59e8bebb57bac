"""Settings of buckets that are kept as they were sent, and read back as they were kept.

What a setting does, if it does anything here, is the business of whoever looks it up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.api.dispatch import Answer, Params, Result
from lambdad.authz.conditions import problem_of
from lambdad.authz.policies import listed, statements_of
from lambdad.neighbours.s3 import details
from lambdad.neighbours.s3.errors import S3Error, invalid_argument, malformed_xml
from lambdad.neighbours.s3.model import Bucket
from lambdad.neighbours.s3.service import Context, operation, reach, reach_own

_POLICY_BYTES_MAX = 20 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One of them.

    Attributes:
        name: in the bucket's settings, and of the member where an answer has it as a whole.
        suffix: of the operations' names: `BucketTagging` of `PutBucketTagging`.
        member: of the request that has it.
        missing: code and text of the error when it is not set; None answers with `default`.
        whole: answers have it in a member, not its members in their place.
        deleted: suffix of the operation that deletes it, if there is one.
        beside: request members beside the document, with their defaults; they belong to the
            setting, and every answer has them.
    """

    name: str
    suffix: str
    member: str
    missing: tuple[str, str] | None = None
    default: Mapping[str, Any] | None = None
    whole: str | None = None
    deleted: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Mapping[str, Any]], None] | None = None


def _check_tags(document: Mapping[str, Any]) -> None:
    details.tags_of_set(document.get("TagSet", ()), bucket=True)


def _check_versioning(document: Mapping[str, Any]) -> None:
    if document.get("Status") not in ("Enabled", "Suspended"):
        raise malformed_xml()


def _check_rules(document: Mapping[str, Any]) -> None:
    rules = document.get("Rules") or document.get("CORSRules")
    if not rules:
        raise malformed_xml()
    for rule in rules:
        days = (rule.get("Expiration") or {}).get("Days")
        if days is not None and days < 1:
            raise invalid_argument(
                "'Days' for Expiration action must be a positive integer", "Days", days
            )


_OPEN_TO_NOBODY = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
_AES = [
    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
]

SETTINGS = (
    Setting(
        name="Versioning",
        suffix="BucketVersioning",
        member="VersioningConfiguration",
        default={},
        check=_check_versioning,
    ),
    Setting(
        name="Tagging",
        suffix="BucketTagging",
        member="Tagging",
        missing=("NoSuchTagSet", "The TagSet does not exist"),
        deleted="BucketTagging",
        check=_check_tags,
    ),
    Setting(
        name="Cors",
        suffix="BucketCors",
        member="CORSConfiguration",
        missing=("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        deleted="BucketCors",
        check=_check_rules,
    ),
    Setting(
        name="Lifecycle",
        suffix="BucketLifecycleConfiguration",
        member="LifecycleConfiguration",
        missing=("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        deleted="BucketLifecycle",
        beside={"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"},
        check=_check_rules,
    ),
    Setting(
        name="Encryption",
        suffix="BucketEncryption",
        member="ServerSideEncryptionConfiguration",
        default={"Rules": _AES},
        whole="ServerSideEncryptionConfiguration",
        deleted="BucketEncryption",
        check=_check_rules,
    ),
    Setting(
        name="PublicAccessBlock",
        suffix="PublicAccessBlock",
        member="PublicAccessBlockConfiguration",
        default=_OPEN_TO_NOBODY,
        missing=(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
        whole="PublicAccessBlockConfiguration",
        deleted="PublicAccessBlock",
    ),
    Setting(
        name="OwnershipControls",
        suffix="BucketOwnershipControls",
        member="OwnershipControls",
        default={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        missing=(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ),
        whole="OwnershipControls",
        deleted="BucketOwnershipControls",
    ),
    Setting(
        name="Accelerate",
        suffix="BucketAccelerateConfiguration",
        member="AccelerateConfiguration",
        default={},
    ),
    Setting(name="Logging", suffix="BucketLogging", member="BucketLoggingStatus", default={}),
    Setting(
        name="RequestPayment",
        suffix="BucketRequestPayment",
        member="RequestPaymentConfiguration",
        default={"Payer": "BucketOwner"},
    ),
    Setting(
        name="Website",
        suffix="BucketWebsite",
        member="WebsiteConfiguration",
        missing=(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        deleted="BucketWebsite",
    ),
)


def _read(setting: Setting, bucket: Bucket) -> Mapping[str, Any]:
    """Return a setting's document; what was deleted is None in the settings."""
    value = bucket.settings.get(setting.name)
    if value is None and setting.default is not None and setting.name not in bucket.settings:
        value = setting.default
    if value is None and setting.missing is not None:
        code, text = setting.missing
        raise S3Error(code, text, BucketName=bucket.name)
    return value or {}


def _register(setting: Setting) -> None:
    @operation(f"Put{setting.suffix}")
    async def put(context: Context, params: Params) -> Result:
        bucket = reach(context, params, f"s3:Put{setting.suffix}")
        document = params.get(setting.member)
        if document is None:
            raise malformed_xml()
        if setting.check is not None:
            setting.check(document)
        beside = {name: params.get(name, value) for name, value in setting.beside.items()}
        await context.services.configure(bucket, setting.name, {**document, **beside})
        return beside

    @operation(f"Get{setting.suffix}")
    async def get(context: Context, params: Params) -> Result:
        bucket = reach(context, params, f"s3:Get{setting.suffix}")
        document = _read(setting, bucket)
        return {setting.whole: document} if setting.whole else document

    if setting.deleted is None:
        return

    @operation(f"Delete{setting.deleted}")
    async def delete(context: Context, params: Params) -> Answer:
        bucket = reach(context, params, f"s3:Put{setting.suffix}")
        if setting.name in bucket.settings or setting.default is not None:
            # A default that has an error of its own for nothing is gone for good.
            gone = bool(setting.default) and setting.missing is not None
            await context.services.forget(bucket, setting.name, for_good=gone)
        return _NO_CONTENT


_NO_CONTENT = Answer(result={}, headers={}, status=204)
for _each in SETTINGS:
    _register(_each)


@operation("GetBucketReplication")
async def get_bucket_replication(context: Context, params: Params) -> Result:
    """Tell that nothing is replicated."""
    bucket = reach(context, params, "s3:GetReplicationConfiguration")
    raise S3Error(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
        BucketName=bucket.name,
    )


@operation("GetObjectLockConfiguration")
async def get_object_lock_configuration(context: Context, params: Params) -> Result:
    """Tell that nothing is locked."""
    bucket = reach(context, params, "s3:GetBucketObjectLockConfiguration")
    raise S3Error(
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
        BucketName=bucket.name,
    )


@operation("PutBucketPolicy")
async def put_bucket_policy(context: Context, params: Params) -> Answer:
    """Store a policy, which then decides about requests."""
    bucket, text = reach_own(context, params), params["Policy"]
    document = _policy(bucket, text)
    await context.services.configure(bucket, "Policy", {"Text": text, "Document": document})
    return _NO_CONTENT


def _policy(bucket: Bucket, text: str) -> Mapping[str, Any]:
    """Return the document of a policy.

    Raises:
        S3Error: it is none, or has something that would not be understood: `MalformedPolicy`.
    """
    if len(text.encode()) > _POLICY_BYTES_MAX:
        raise S3Error("PolicyTooLarge", "Policy exceeds the maximum allowed document size.")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _malformed("Policies must be valid JSON and the first byte must be '{'") from error
    if not isinstance(document, dict) or not document.get("Statement"):
        raise _malformed("Missing required field Statement")
    for statement in statements_of(document):
        _check_statement(bucket, statement)
    return document


def _check_statement(bucket: Bucket, statement: Any) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Invalid effect")
    for element in ("Principal", "Action", "Resource"):
        if (element in statement) == (f"Not{element}" in statement):
            raise _malformed(f"Missing required field {element}")
    for resource in listed(statement.get("Resource", statement.get("NotResource"))):
        if not resource.startswith(bucket.arn) and resource != "*":
            raise _malformed("Policy has invalid resource")
    if problem_of(statement.get("Condition", {})):
        raise _malformed("Policy has an invalid condition key or operator")


def _malformed(text: str) -> S3Error:
    return S3Error("MalformedPolicy", text)


@operation("GetBucketPolicy")
async def get_bucket_policy(context: Context, params: Params) -> Result:
    """Return the policy as it was sent."""
    bucket = reach_own(context, params)
    policy = bucket.settings.get("Policy")
    if policy is None:
        raise S3Error(
            "NoSuchBucketPolicy", "The bucket policy does not exist", BucketName=bucket.name
        )
    return {"Policy": policy["Text"]}


@operation("GetBucketPolicyStatus")
async def get_bucket_policy_status(context: Context, params: Params) -> Result:
    """Tell whether a policy lets everybody in."""
    bucket = reach_own(context, params)
    policy = bucket.settings.get("Policy")
    if policy is None:
        raise S3Error(
            "NoSuchBucketPolicy", "The bucket policy does not exist", BucketName=bucket.name
        )
    public = any(
        statement["Effect"] == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and not statement.get("Condition")
        for statement in statements_of(policy["Document"])
    )
    return {"PolicyStatus": {"IsPublic": public}}


@operation("DeleteBucketPolicy")
async def delete_bucket_policy(context: Context, params: Params) -> Answer:
    """Forget the policy."""
    await context.services.forget(reach_own(context, params), "Policy")
    return _NO_CONTENT
