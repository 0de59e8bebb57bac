"""Amazon S3: where its operations register, how they find a bucket, and who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Answer, Handler, Params, Result, Service
from lambdad.authz.policies import Decision, Request, evaluate
from lambdad.neighbours.s3.errors import S3Error, access_denied
from lambdad.neighbours.s3.events import About
from lambdad.neighbours.s3.model import Bucket
from lambdad.neighbours.s3.parts import Buckets

Context = ServiceContext[Buckets]
Operation = Callable[[Context, Params], Awaitable[Result | Answer]]

S3 = Service[Buckets]("s3", invalid="InvalidArgument")

_KEY_BYTES_MAX = 1_024
# What AWS would know of a request; it is never in clear there.
_CONDITIONS = {
    "s3:prefix": "Prefix",
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:versionid": "VersionId",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-storage-class": "StorageClass",
}
_CANNED_READERS = ("public-read", "public-read-write", "authenticated-read")


def operation(name: str, *, lenient: Sequence[str] = ()) -> Callable[[Operation], Handler[Buckets]]:
    """Register an operation; a key that no object can have is refused first."""

    def register(handler: Operation) -> Handler[Buckets]:
        @S3.operation(name, lenient=lenient)
        @wraps(handler)
        async def checked(context: Context, params: Params) -> Result | Answer:
            key = params.get("Key")
            if isinstance(key, str) and len(key.encode("utf-8", "replace")) > _KEY_BYTES_MAX:
                raise S3Error(
                    "KeyTooLongError",
                    "Your key is too long",
                    Size=str(len(key.encode())),
                    MaxSizeAllowed=str(_KEY_BYTES_MAX),
                )
            return await handler(context, params)

        return checked

    return register


def reach(context: Context, params: Params, action: str) -> Bucket:
    """Return the bucket of a request whose caller may do this in it.

    Raises:
        S3Error: there is none, or they may not.
    """
    bucket = context.services.find(params["Bucket"])
    expected = params.get("ExpectedBucketOwner")
    if expected is not None and expected != bucket.account_id:
        raise access_denied()
    if not allowed(context, bucket, action, params):
        raise access_denied()
    return bucket


def reach_own(context: Context, params: Params) -> Bucket:
    """Return a bucket whose policy or existence is at stake, which is its owner's business."""
    bucket = context.services.find(params["Bucket"])
    expected = params.get("ExpectedBucketOwner")
    if bucket.account_id != context.account_id or expected not in (None, bucket.account_id):
        raise access_denied()
    return bucket


def allowed(context: Context, bucket: Bucket, action: str, params: Mapping[str, Any]) -> bool:
    """Whether the caller may: the owner unless the policy denies it, others if something allows."""
    own = context.account_id == bucket.account_id
    policy = bucket.settings.get("Policy")
    decision = Decision.SILENT
    if policy is not None:
        key = params.get("Key")
        conditions = {
            name: str(params[member]) for name, member in _CONDITIONS.items() if member in params
        }
        now = context.services.clock.now()
        request = Request(
            principal=context.caller.principal,
            action=action,
            resource=bucket.arn if key is None else f"{bucket.arn}/{key}",
            context={
                "aws:SecureTransport": "true",
                "aws:SourceIp": "127.0.0.1",
                "aws:CurrentTime": now.isoformat(),
                "aws:EpochTime": str(int(now.timestamp())),
                **conditions,
            },
        )
        decision = evaluate([policy["Document"]], request)
    if decision is not Decision.SILENT:
        return decision is Decision.ALLOWED
    canned = bucket.settings.get("Acl", {}).get("canned")
    public = (action == "s3:ListBucket" and canned in _CANNED_READERS) or (
        action in ("s3:PutObject", "s3:DeleteObject") and canned == "public-read-write"
    )
    return own or public


def about(context: Context) -> About:
    """Return what notifications tell of the request."""
    caller = context.caller
    return About(
        principal=f"AWS:{caller.user_id}",
        requester=caller.account_id,
        request_id=context.request_id,
        moment_ms=context.services.now_ms(),
    )


def owner_id(account_id: str) -> str:
    """Return an account's canonical user id."""
    return f"{int(account_id):064x}" if account_id.isdigit() else account_id


def owner(bucket: Bucket) -> Mapping[str, str]:
    """Return the owner of a bucket and all that is in it."""
    return {"ID": owner_id(bucket.account_id), "DisplayName": bucket.account_id}
