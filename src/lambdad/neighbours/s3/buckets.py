"""Buckets: creating, finding and deleting them."""

from __future__ import annotations

import ipaddress
import re

from lambdad.api.dispatch import Answer, Params, Result
from lambdad.neighbours.s3.errors import S3Error
from lambdad.neighbours.s3.model import Bucket, moment
from lambdad.neighbours.s3.service import Context, operation, owner_id, reach

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_USUAL_REGION = "us-east-1"
_PAGE = 10_000


def _check_name(name: str) -> None:
    fits = _NAME.fullmatch(name) and ".." not in name and not name.startswith("xn--")
    if fits:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return
    raise S3Error("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)


@operation("CreateBucket")
async def create_bucket(context: Context, params: Params) -> Result:
    """Create a bucket; the owner may do so again in us-east-1."""
    name, configuration = params["Bucket"], params.get("CreateBucketConfiguration") or {}
    _check_name(name)
    region = configuration.get("LocationConstraint") or context.region
    if region == "EU":
        region = "eu-west-1"
    if context.region not in (region, _USUAL_REGION):
        raise S3Error(
            "IllegalLocationConstraintException",
            f"The {region} location constraint is incompatible for the region specific endpoint "
            "this request was sent to.",
        )
    bucket = Bucket(
        id=0,
        name=name,
        account_id=context.account_id,
        region=region,
        created_ms=context.services.now_ms(),
        settings=_first_settings(params),
    )
    existing = await context.services.create(bucket)
    if existing is not bucket:
        _refuse_existing(context, existing)
    return {"Location": f"/{name}", "BucketArn": bucket.arn}


def _first_settings(params: Params) -> dict[str, object]:
    settings: dict[str, object] = {}
    tags = (params.get("CreateBucketConfiguration") or {}).get("Tags")
    if tags:
        settings["Tagging"] = {"TagSet": tags}
    if params.get("ACL"):
        settings["Acl"] = {"canned": params["ACL"]}
    if params.get("ObjectOwnership"):
        rules = [{"ObjectOwnership": params["ObjectOwnership"]}]
        settings["OwnershipControls"] = {"Rules": rules}
    if params.get("ObjectLockEnabledForBucket"):
        raise S3Error("NotImplemented", "lambdad does not lock objects.")
    return settings


def _refuse_existing(context: Context, existing: Bucket) -> None:
    if existing.account_id != context.account_id:
        raise S3Error(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all "
            "users of the system. Please select a different name and try again.",
            BucketName=existing.name,
        )
    if existing.region != _USUAL_REGION:
        raise S3Error(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            BucketName=existing.name,
        )


@operation("DeleteBucket")
async def delete_bucket(context: Context, params: Params) -> Answer:
    """Delete a bucket that is empty."""
    await context.services.delete(reach(context, params, "s3:DeleteBucket"))
    return Answer(result={}, headers={}, status=204)


@operation("HeadBucket")
async def head_bucket(context: Context, params: Params) -> Result:
    """Tell whether a bucket is there and the caller may see into it."""
    bucket = reach(context, params, "s3:ListBucket")
    return {"BucketRegion": bucket.region, "BucketArn": bucket.arn, "AccessPointAlias": False}


@operation("GetBucketLocation")
async def get_bucket_location(context: Context, params: Params) -> Result:
    """Return a bucket's region, which is nothing for us-east-1."""
    bucket = reach(context, params, "s3:GetBucketLocation")
    return {"LocationConstraint": None if bucket.region == _USUAL_REGION else bucket.region}


@operation("ListBuckets")
async def list_buckets(context: Context, params: Params) -> Result:
    """Return the caller's buckets, by name."""
    prefix, region = params.get("Prefix") or "", params.get("BucketRegion")
    after, limit = params.get("ContinuationToken") or "", params.get("MaxBuckets") or _PAGE
    found = [
        bucket
        for bucket in context.services.all()
        if bucket.account_id == context.account_id
        and bucket.name.startswith(prefix)
        and bucket.name > after
        and region in (None, bucket.region)
    ]
    page = found[:limit]
    return {
        "Buckets": [
            {
                "Name": bucket.name,
                "CreationDate": moment(bucket.created_ms),
                "BucketRegion": bucket.region,
                "BucketArn": bucket.arn,
            }
            for bucket in page
        ],
        "Owner": {"ID": owner_id(context.account_id), "DisplayName": context.account_id},
        "Prefix": params.get("Prefix"),
        "ContinuationToken": page[-1].name if len(found) > limit else None,
    }
