"""Amazon S3: where its operations register, how they find a bucket, and who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Answer, Handler, Params, Result, Service
from lambdad.neighbours.s3.access import may
from lambdad.neighbours.s3.errors import S3Error, access_denied
from lambdad.neighbours.s3.events import About
from lambdad.neighbours.s3.model import Bucket
from lambdad.neighbours.s3.parts import Buckets

Context = ServiceContext[Buckets]
Operation = Callable[[Context, Params], Awaitable[Result | Answer]]

S3 = Service[Buckets]("s3", invalid="InvalidArgument")

_KEY_BYTES_MAX = 1_024
# What policies may ask of a request.
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
    """Whether the caller may."""
    conditions = {
        name: str(params[member]) for name, member in _CONDITIONS.items() if member in params
    }
    return may(
        bucket,
        context.caller.principal,
        action,
        params.get("Key"),
        now=context.services.clock.now(),
        conditions=conditions,
    )


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
