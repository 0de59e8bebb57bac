"""Objects: storing, reading, asking for and removing them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from lambdad.api.dispatch import Answer, Params, Result
from lambdad.neighbours.s3 import checksums, conditions, details, events, object_rows
from lambdad.neighbours.s3.access import PUBLIC
from lambdad.neighbours.s3.errors import (
    S3Error,
    access_denied,
    invalid_argument,
    invalid_request,
    malformed_xml,
    no_key,
    no_version,
)
from lambdad.neighbours.s3.model import NULL, Bucket, Segment, Version
from lambdad.neighbours.s3.object_rows import Change, Removal
from lambdad.neighbours.s3.service import Context, about, allowed, operation, reach
from lambdad.neighbours.s3.versions import new_version_id, told

_DELETE_MAX = 1_000
# All of it is in memory anyway.
_WHOLE_BYTES = 256 * 1024


@operation("PutObject")
async def put_object(context: Context, params: Params) -> Result:
    """Store an object."""
    bucket = reach(context, params, "s3:PutObject")
    if params.get("WriteOffsetBytes") is not None:
        raise S3Error("NotImplemented", "Only directory buckets can be appended to.")
    return await store(context, bucket, params, "ObjectCreated:Put")


async def store(context: Context, bucket: Bucket, params: Mapping[str, Any], kind: str) -> Result:
    """Store an object that came with a request; `kind` is the event that it is."""
    content = params.get("Body") or b""
    md5, found = await checksums.checked(content, params)
    own = {**details.of_request(bucket, params), "checksums": found}
    async with context.services.bodies.placed(content) as stored:
        version = await context.services.put(
            Change(
                bucket_id=bucket.id,
                key=params["Key"],
                version_id=new_version_id(bucket),
                modified_ms=context.services.now_ms(),
                size=stored.size,
                etag=md5,
                details=own,
                stored=stored,
                check=conditions.check_write(params),
                notify=events.notifier(bucket, kind, about(context)),
            )
        )
    return {
        "ETag": f'"{md5}"',
        "VersionId": told(bucket, version.version_id),
        **checksums.told(found, checksums.FULL_OBJECT),
        **own["encryption"],
    }


async def find(
    context: Context, bucket: Bucket, params: Mapping[str, Any]
) -> tuple[Version, list[Segment]]:
    """Return the object or version that a request names, and where its bytes are.

    Raises:
        S3Error: there is none, or it is a delete marker.
    """
    key, version_id = params["Key"], params.get("VersionId")
    found = await context.services.db.read(
        partial(object_rows.find_with_bytes, bucket_id=bucket.id, key=key, version_id=version_id)
    )
    if found is None:
        if version_id is not None:
            raise no_version(key, version_id)
        raise no_key(key)
    if found[0].marker:
        if version_id is None:
            raise no_key(key)
        raise S3Error(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            Method="GET",
            ResourceType="DeleteMarker",
        )
    return found


@operation("GetObject")
async def get_object(context: Context, params: Params) -> Answer:
    """Return an object, or a range of it."""
    bucket, version, parts = await _wanted(context, params)
    if conditions.is_unmodified(params, version):
        return _unmodified(bucket, version)
    result, headers, chosen = _told(bucket, version, parts, params)
    start, length = (0, version.size) if chosen is None else chosen
    status = None if chosen is None else 206
    pieces = context.services.bodies.pieces(parts, start, length)
    if length > _WHOLE_BYTES or any(part.data is None for part in parts):
        return Answer(result=result, headers=headers, pieces=pieces, length=length, status=status)
    body = b"".join([piece async for piece in pieces])
    return Answer(result={**result, "Body": body}, headers=headers, status=status)


@operation("HeadObject")
async def head_object(context: Context, params: Params) -> Answer:
    """Return what is told of an object."""
    bucket, version, parts = await _wanted(context, params)
    if conditions.is_unmodified(params, version):
        return _unmodified(bucket, version)
    result, headers, chosen = _told(bucket, version, parts, params)
    length = version.size if chosen is None else chosen[1]
    status = None if chosen is None else 206
    return Answer(result=result, headers=headers, length=length, status=status)


async def _wanted(context: Context, params: Params) -> tuple[Bucket, Version, list[Segment]]:
    """Return an object that the caller may read: by the bucket's policy, or its own access list."""
    bucket = context.services.find(params["Bucket"])
    action = "s3:GetObject" if params.get("VersionId") is None else "s3:GetObjectVersion"
    if allowed(context, bucket, action, params):
        reach(context, params, action)
        return bucket, *await find(context, bucket, params)
    try:
        version, parts = await find(context, bucket, params)
    except S3Error as missing:
        raise access_denied() from missing
    if version.details.get("acl") not in PUBLIC:
        raise access_denied()
    return bucket, version, parts


def _unmodified(bucket: Bucket, version: Version) -> Answer:
    headers = {"ETag": f'"{version.etag}"'}
    if (version_id := told(bucket, version.version_id)) is not None:
        headers["x-amz-version-id"] = version_id
    return Answer(result={"LastModified": version.modified}, headers=headers, status=304)


def _told(
    bucket: Bucket, version: Version, parts: list[Segment], params: Params
) -> tuple[dict[str, Any], dict[str, str], tuple[int, int] | None]:
    """Return members, further headers, and start and length if not all is wanted."""
    result, headers = details.members(bucket, version, params)
    chosen = conditions.byte_range(params.get("Range"), version.size)
    number = params.get("PartNumber")
    if number is not None:
        if params.get("Range"):
            raise invalid_request("Cannot specify both Range header and partNumber query parameter")
        chosen = _part(parts, number)
        result["PartsCount"] = len(parts) if parts and parts[0].number else None
    if chosen is not None:
        last = chosen[0] + chosen[1] - 1
        headers["Content-Range"] = f"bytes {chosen[0]}-{last}/{version.size}"
    elif params.get("ChecksumMode") == "ENABLED":
        kind = version.details.get("checksum_type", checksums.FULL_OBJECT)
        result |= checksums.told(version.details.get("checksums", {}), kind)
    return result, headers, chosen


def _part(parts: list[Segment], number: int) -> tuple[int, int]:
    wanted = [part for part in parts if number in (part.number or 1,)]
    if not wanted or not 1 <= number <= 10_000:
        raise S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable")
    return wanted[0].start, wanted[0].size


@operation("DeleteObject")
async def delete_object(context: Context, params: Params) -> Result:
    """Remove an object, or one version of it; with versioning, the former leaves a marker."""
    named = params.get("VersionId")
    action = "s3:DeleteObject" if named is None else "s3:DeleteObjectVersion"
    bucket = reach(context, params, action)
    marker, version_id = await delete(context, bucket, params)
    return {"DeleteMarker": marker or None, "VersionId": version_id}


async def delete(
    context: Context, bucket: Bucket, params: Mapping[str, Any]
) -> tuple[bool, str | None]:
    """Remove what a request names; whether a marker is left or gone, and the version's id."""
    key, named = params["Key"], params.get("VersionId")
    check = conditions.check_write(params)
    if named is None and bucket.versioning is not None:
        kind = "ObjectRemoved:DeleteMarkerCreated"
        version = await context.services.put(
            Change(
                bucket_id=bucket.id,
                key=key,
                version_id=new_version_id(bucket),
                modified_ms=context.services.now_ms(),
                size=0,
                etag="",
                details={},
                marker=True,
                check=check,
                notify=events.notifier(bucket, kind, about(context)),
            )
        )
        return True, version.version_id
    gone = await context.services.remove(
        Removal(
            bucket_id=bucket.id,
            key=key,
            version_id=named or NULL,
            check=check,
            notify=events.notifier(bucket, "ObjectRemoved:Delete", about(context)),
        )
    )
    return gone is not None and gone.marker, named


@operation("DeleteObjects")
async def delete_objects(context: Context, params: Params) -> Result:
    """Remove up to a thousand objects or versions."""
    bucket = context.services.find(params["Bucket"])
    wanted = params["Delete"].get("Objects") or []
    if not 1 <= len(wanted) <= _DELETE_MAX:
        raise malformed_xml()
    outcomes = await asyncio.gather(
        *(_delete_one(context, bucket, {**params, **each}) for each in wanted)
    )
    deleted = [each for each in outcomes if "Code" not in each]
    failed = [each for each in outcomes if "Code" in each]
    quiet = params["Delete"].get("Quiet")
    return {"Deleted": None if quiet else deleted, "Errors": failed or None}


async def _delete_one(
    context: Context, bucket: Bucket, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the entry of one key, which is an error if it has a code."""
    named = params.get("VersionId")
    entry: dict[str, Any] = {"Key": params["Key"], "VersionId": named}
    wanted = {**params, "IfMatch": params.get("ETag")}
    try:
        reach(context, params, "s3:DeleteObject" if named is None else "s3:DeleteObjectVersion")
        marker, version_id = await delete(context, bucket, wanted)
    except S3Error as error:
        return {**entry, "Code": error.code, "Message": error.message}
    if marker:
        entry |= {"DeleteMarker": True, "DeleteMarkerVersionId": version_id}
    return entry


@operation("SelectObjectContent")
async def select_object_content(context: Context, params: Params) -> Result:
    """Refuse: AWS itself gives it to nobody new."""
    raise invalid_argument(
        "lambdad does not run SQL on objects: AWS has closed S3 Select to new customers. Read the "
        "object and filter it.",
        "ExpressionType",
        params.get("ExpressionType"),
    )
