"""What is told of objects beside their bytes: tags, access lists, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Answer, Params, Result
from lambdad.neighbours.s3 import checksums, details, events
from lambdad.neighbours.s3.errors import malformed_xml
from lambdad.neighbours.s3.model import Bucket, Segment, Version
from lambdad.neighbours.s3.objects import find
from lambdad.neighbours.s3.service import Context, about, operation, owner, reach
from lambdad.neighbours.s3.versions import told

_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
_KNOWN_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_CANNED = {
    "public-read": [(_EVERYBODY, "READ")],
    "public-read-write": [(_EVERYBODY, "READ"), (_EVERYBODY, "WRITE")],
    "authenticated-read": [(_KNOWN_USERS, "READ")],
}


@operation("GetObjectTagging")
async def get_object_tagging(context: Context, params: Params) -> Result:
    """Return an object's tags."""
    bucket = reach(context, params, "s3:GetObjectTagging")
    version, _ = await find(context, bucket, params)
    tags = version.details.get("tags", {})
    return {"TagSet": details.tag_set(tags), "VersionId": told(bucket, version.version_id)}


@operation("PutObjectTagging")
async def put_object_tagging(context: Context, params: Params) -> Result:
    """Give an object these tags and no others."""
    bucket = reach(context, params, "s3:PutObjectTagging")
    tags = details.tags_of_set(params["Tagging"].get("TagSet") or ())
    version = await _change(context, bucket, params, {"tags": tags}, "ObjectTagging:Put")
    return {"VersionId": told(bucket, version.version_id)}


@operation("DeleteObjectTagging")
async def delete_object_tagging(context: Context, params: Params) -> Answer:
    """Take an object's tags away."""
    bucket = reach(context, params, "s3:DeleteObjectTagging")
    version = await _change(context, bucket, params, {"tags": {}}, "ObjectTagging:Delete")
    result = {"VersionId": told(bucket, version.version_id)}
    return Answer(result=result, headers={}, status=204)


async def _change(
    context: Context, bucket: Bucket, params: Params, new: Mapping[str, Any], kind: str
) -> Version:
    return await context.services.change_details(
        bucket,
        params,
        lambda version: {**version.details, **new},
        events.notifier(bucket, kind, about(context)),
    )


@operation("GetObjectAcl")
async def get_object_acl(context: Context, params: Params) -> Result:
    """Return who may read an object beside its owner."""
    bucket = reach(context, params, "s3:GetObjectAcl")
    version, _ = await find(context, bucket, params)
    return _acl(bucket, {"canned": version.details.get("acl"), **version.details.get("grants", {})})


@operation("PutObjectAcl")
async def put_object_acl(context: Context, params: Params) -> Result:
    """Store who may read an object beside its owner."""
    bucket = reach(context, params, "s3:PutObjectAcl")
    new = _acl_of_request(params)
    changed = {
        "acl": new.get("canned"),
        "grants": {"Grants": new["Grants"]} if "Grants" in new else {},
    }
    await _change(context, bucket, params, changed, "ObjectAcl:Put")
    return {}


@operation("GetBucketAcl")
async def get_bucket_acl(context: Context, params: Params) -> Result:
    """Return who may list a bucket beside its owner."""
    bucket = reach(context, params, "s3:GetBucketAcl")
    return _acl(bucket, bucket.settings.get("Acl", {}))


@operation("PutBucketAcl")
async def put_bucket_acl(context: Context, params: Params) -> Result:
    """Store who may list a bucket beside its owner."""
    bucket = reach(context, params, "s3:PutBucketAcl")
    await context.services.configure(bucket, "Acl", _acl_of_request(params))
    return {}


def _acl_of_request(params: Params) -> dict[str, Any]:
    """Return a canned access list, or the grants; those in headers are not taken apart."""
    if params.get("ACL"):
        return {"canned": params["ACL"]}
    policy = params.get("AccessControlPolicy")
    if policy and policy.get("Grants") is not None:
        grants = policy["Grants"]
        public = any(
            grant.get("Grantee", {}).get("URI") == _EVERYBODY
            and grant.get("Permission") in ("READ", "FULL_CONTROL")
            for grant in grants
        )
        return {"Grants": grants, "canned": "public-read" if public else None}
    if any(name.startswith("Grant") for name in params):
        return {"canned": "private"}
    raise malformed_xml()


def _acl(bucket: Bucket, kept: Mapping[str, Any]) -> Result:
    own = {"Grantee": {**owner(bucket), "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    groups = [
        {"Grantee": {"URI": uri, "Type": "Group"}, "Permission": permission}
        for uri, permission in _CANNED.get(kept.get("canned") or "", ())
    ]
    return {"Owner": owner(bucket), "Grants": kept.get("Grants") or [own, *groups]}


@operation("GetObjectAttributes")
async def get_object_attributes(context: Context, params: Params) -> Result:
    """Return what is asked for of an object."""
    bucket = reach(context, params, "s3:GetObjectAttributes")
    version, segments = await find(context, bucket, params)
    kind = version.details.get("checksum_type", checksums.FULL_OBJECT)
    found = checksums.told(version.details.get("checksums") or {}, kind)
    known = {
        "ETag": version.etag,
        "Checksum": found or None,
        "ObjectSize": version.size,
        "StorageClass": version.details.get("storage", "STANDARD"),
        "ObjectParts": _parts(segments, params),
    }
    wanted = params["ObjectAttributes"]
    return {
        "LastModified": version.modified,
        "VersionId": told(bucket, version.version_id),
        **{name: value for name, value in known.items() if name in wanted},
    }


def _parts(segments: list[Segment], params: Params) -> dict[str, Any] | None:
    if not segments or not segments[0].number:
        return None
    limit, after = params.get("MaxParts", 1_000), int(params.get("PartNumberMarker") or 0)
    later = [part for part in segments if part.number > after]
    page = later[:limit]
    return {
        "TotalPartsCount": len(segments),
        "PartNumberMarker": after,
        "NextPartNumberMarker": page[-1].number if page else after,
        "MaxParts": limit,
        "IsTruncated": len(later) > len(page),
        "Parts": [
            {"PartNumber": part.number, "Size": part.size, **checksums.told(part.checksums)}
            for part in page
        ],
    }
