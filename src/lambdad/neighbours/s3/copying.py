"""Copies: of whole objects without touching their bytes, of ranges as parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.s3 import checksums, conditions, details, events
from lambdad.neighbours.s3.errors import invalid_argument, invalid_request
from lambdad.neighbours.s3.model import Bucket, Part, Segment, Stored, Version
from lambdad.neighbours.s3.object_rows import Change
from lambdad.neighbours.s3.objects import find
from lambdad.neighbours.s3.service import Context, about, operation, reach
from lambdad.neighbours.s3.versions import new_version_id, told
from lambdad.storage.uploads import UploadWriter

_COPY_MAX = 5 * 1024**3


@operation("CopyObject")
async def copy_object(context: Context, params: Params) -> Result:
    """Store an object that has the bytes of another one."""
    source_bucket, source, segments = await source_of(context, params)
    bucket = reach(context, params, "s3:PutObject")
    conditions.check_source(params, source)
    if source.size > _COPY_MAX:
        raise invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy "
            "source: 5368709120"
        )
    own = _details(bucket, source, params)
    _check_self(bucket, source_bucket, source, params)
    version = await _copy(context, bucket, params, source=source, segments=segments, own=own)
    result = {
        "ETag": f'"{version.etag}"',
        "LastModified": version.modified,
        **checksums.told(own["checksums"], own.get("checksum_type", checksums.FULL_OBJECT)),
    }
    return {
        "CopyObjectResult": result,
        "CopySourceVersionId": told(source_bucket, source.version_id),
        "VersionId": told(bucket, version.version_id),
        **own["encryption"],
    }


async def source_of(
    context: Context, params: Mapping[str, Any]
) -> tuple[Bucket, Version, list[Segment]]:
    """Return the object that is to be copied, which the caller may read.

    Raises:
        S3Error: it is not named rightly, or there is none.
    """
    path, _, query = params["CopySource"].partition("?")
    name, separator, key = unquote(path).removeprefix("/").partition("/")
    if not separator or not key:
        raise invalid_argument(
            "Invalid copy source object key", "x-amz-copy-source", params["CopySource"]
        )
    version_id = (parse_qs(query).get("versionId") or [None])[0]
    wanted = {
        "Bucket": name,
        "Key": key,
        "VersionId": version_id,
        "ExpectedBucketOwner": params.get("ExpectedSourceBucketOwner"),
    }
    action = "s3:GetObject" if version_id is None else "s3:GetObjectVersion"
    bucket = reach(context, wanted, action)
    version, segments = await find(context, bucket, wanted)
    return bucket, version, segments


def _details(bucket: Bucket, source: Version, params: Params) -> dict[str, Any]:
    """Return the details of the copy: of the source, or of the request if it says so."""
    asked = details.of_request(bucket, params)
    own = {**source.details, "encryption": asked["encryption"]}
    own.pop("acl", None)
    own.pop("storage", None)
    own |= {name: asked[name] for name in ("storage", "acl") if name in asked}
    if details.directive(params, "MetadataDirective"):
        own |= {"headers": asked["headers"], "metadata": asked["metadata"]}
    if details.directive(params, "TaggingDirective"):
        own["tags"] = asked.get("tags", {})
    own.setdefault("checksums", {})
    return own


def _check_self(bucket: Bucket, source_bucket: Bucket, source: Version, params: Params) -> None:
    same = bucket is source_bucket and source.key == params["Key"] and source.latest
    changes = ("StorageClass", "ServerSideEncryption", "WebsiteRedirectLocation")
    if (
        same
        and not details.directive(params, "MetadataDirective")
        and not any(params.get(name) for name in changes)
    ):
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes."
        )


async def _copy(
    context: Context,
    bucket: Bucket,
    params: Params,
    *,
    source: Version,
    segments: Sequence[Segment],
    own: Mapping[str, Any],
) -> Version:
    stored: Stored | None = None
    parts: list[Part] = []
    if source.body_id is not None:
        stored = Stored(size=source.size, body_id=source.body_id)
    else:
        parts = [
            Part(
                number=each.number,
                size=each.size,
                etag="",
                modified_ms=0,
                body_id=each.body_id,
                checksums=each.checksums,
            )
            for each in segments
        ]
    return await context.services.put(
        Change(
            bucket_id=bucket.id,
            key=params["Key"],
            version_id=new_version_id(bucket),
            modified_ms=context.services.now_ms(),
            size=source.size,
            etag=source.etag,
            details=own,
            stored=stored,
            parts=parts,
            check=conditions.check_write(params),
            notify=events.notifier(bucket, "ObjectCreated:Copy", about(context)),
        )
    )


@asynccontextmanager
async def extract(
    context: Context, version: Version, segments: Sequence[Segment], start: int, length: int
) -> AsyncIterator[tuple[Stored, str, dict[str, str]]]:
    """Put a range of an object where a part of it can be; with MD5 and checksum."""
    bodies = context.services.bodies
    whole = version.body_id is not None and (start, length) == (0, version.size)
    algorithm = checksums.DEFAULT
    if whole and "-" not in version.etag and algorithm in version.details.get("checksums", {}):
        found = {algorithm: version.details["checksums"][algorithm]}
        yield Stored(size=length, body_id=version.body_id), version.etag, found
        return
    writer = UploadWriter(bodies.incoming)
    try:
        async for piece in bodies.pieces(segments, start, length):
            await asyncio.to_thread(writer.write, piece)
        upload = await asyncio.to_thread(writer.finish)
        md5, found = await checksums.checked(upload, {})
        async with bodies.placed(upload) as stored:
            yield stored, md5, found
    finally:
        writer.discard()
