"""Objects that come in parts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.s3 import checksums, conditions, copying, details, events, upload_rows
from lambdad.neighbours.s3.errors import S3Error, invalid_argument, invalid_request, malformed_xml
from lambdad.neighbours.s3.model import Bucket, MultipartUpload, Part
from lambdad.neighbours.s3.object_rows import Change
from lambdad.neighbours.s3.service import Context, about, operation, reach
from lambdad.neighbours.s3.versions import new_version_id, told

_PART_BYTES_MIN = 5 * 1024 * 1024
_PARTS_MAX = 10_000
_OBJECT_BYTES_MAX = 50 * 1024**4
_COMPOSITE_ONLY = ("SHA1", "SHA256", "SHA512", "MD5")


@operation("CreateMultipartUpload")
async def create_multipart_upload(context: Context, params: Params) -> Result:
    """Begin an object."""
    bucket = reach(context, params, "s3:PutObject")
    own = details.of_request(bucket, params)
    algorithm = params.get("ChecksumAlgorithm")
    kind = params.get("ChecksumType")
    if kind is not None and algorithm is None:
        raise invalid_request(
            "The x-amz-checksum-type header can only be used with the "
            "x-amz-checksum-algorithm header."
        )
    if kind == checksums.FULL_OBJECT and algorithm in _COMPOSITE_ONLY:
        raise invalid_request(
            f"The FULL_OBJECT checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm."
        )
    usual = checksums.FULL_OBJECT if algorithm in (None, "CRC64NVME") else checksums.COMPOSITE
    own["algorithm"], own["checksum_type"] = algorithm, kind or usual
    upload_id = secrets.token_urlsafe(48)
    await context.services.db.write(
        partial(
            upload_rows.begin,
            bucket_id=bucket.id,
            key=params["Key"],
            upload_id=upload_id,
            created_ms=context.services.now_ms(),
            details=own,
        )
    )
    return {
        "Bucket": bucket.name,
        "Key": params["Key"],
        "UploadId": upload_id,
        "ChecksumAlgorithm": algorithm,
        "ChecksumType": own["checksum_type"] if algorithm else None,
        **own["encryption"],
    }


async def upload_of(context: Context, bucket: Bucket, params: Params) -> MultipartUpload:
    """Return the upload that a request names.

    Raises:
        S3Error: there is none: `NoSuchUpload`.
    """
    return await context.services.db.read(
        partial(
            upload_rows.find,
            bucket_id=bucket.id,
            key=params["Key"],
            upload_id=params["UploadId"],
        )
    )


@operation("UploadPart")
async def upload_part(context: Context, params: Params) -> Result:
    """Store a part."""
    bucket = reach(context, params, "s3:PutObject")
    _check_number(params["PartNumber"])
    upload = await upload_of(context, bucket, params)
    content = params.get("Body") or b""
    usual = upload.details.get("algorithm") or checksums.DEFAULT
    md5, found = await checksums.checked(content, params, otherwise=usual)
    async with context.services.bodies.placed(content) as stored:
        await context.services.db.write(
            partial(
                upload_rows.put_part,
                upload=upload,
                number=params["PartNumber"],
                stored=stored,
                etag=md5,
                checksums=found,
                now_ms=context.services.now_ms(),
            )
        )
    return {"ETag": f'"{md5}"', **checksums.told(found), **upload.details["encryption"]}


@operation("UploadPartCopy")
async def upload_part_copy(context: Context, params: Params) -> Result:
    """Store a part that is a range of an object."""
    bucket = reach(context, params, "s3:PutObject")
    _check_number(params["PartNumber"])
    upload = await upload_of(context, bucket, params)
    source_bucket, source, segments = await copying.source_of(context, params)
    conditions.check_source(params, source)
    chosen = conditions.byte_range(params.get("CopySourceRange"), source.size)
    start, length = chosen or (0, source.size)
    now_ms = context.services.now_ms()
    async with copying.extract(context, source, segments, start, length) as (stored, md5, found):
        await context.services.db.write(
            partial(
                upload_rows.put_part,
                upload=upload,
                number=params["PartNumber"],
                stored=stored,
                etag=md5,
                checksums=found,
                now_ms=now_ms,
            )
        )
    modified = context.services.clock.now().replace(microsecond=0)
    return {
        "CopyPartResult": {"ETag": f'"{md5}"', "LastModified": modified, **checksums.told(found)},
        "CopySourceVersionId": told(source_bucket, source.version_id),
        **upload.details["encryption"],
    }


def _check_number(number: int) -> None:
    if not 1 <= number <= _PARTS_MAX:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive", "partNumber", number
        )


@operation("CompleteMultipartUpload")
async def complete_multipart_upload(context: Context, params: Params) -> Result:
    """Make an object of the parts."""
    bucket = reach(context, params, "s3:PutObject")
    upload = await upload_of(context, bucket, params)
    wanted = (params.get("MultipartUpload") or {}).get("Parts") or []
    if not wanted:
        raise malformed_xml()
    there = {
        part.number: part
        for part in await context.services.db.read(
            partial(upload_rows.parts, upload_row=upload.row)
        )
    }
    if not there:
        # Somebody else may have completed it meanwhile.
        await upload_of(context, bucket, params)
    parts = _chosen(wanted, there)
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    own = _details(upload, parts, params)
    version = await context.services.put(
        Change(
            bucket_id=bucket.id,
            key=upload.key,
            version_id=new_version_id(bucket),
            modified_ms=context.services.now_ms(),
            size=sum(part.size for part in parts),
            etag=etag,
            details=own,
            parts=parts,
            upload_row=upload.row,
            check=conditions.check_write(params),
            notify=events.notifier(bucket, "ObjectCreated:CompleteMultipartUpload", about(context)),
        )
    )
    return {
        "Location": f"{context.base_url}/{bucket.name}/{quote(upload.key)}",
        "Bucket": bucket.name,
        "Key": upload.key,
        "ETag": f'"{etag}"',
        "VersionId": told(bucket, version.version_id),
        **checksums.told(own["checksums"], own["checksum_type"]),
        **own["encryption"],
    }


def _chosen(wanted: Sequence[Mapping[str, Any]], there: Mapping[int, Part]) -> list[Part]:
    """Return the parts that an object is made of.

    Raises:
        S3Error: they are not in order, not those that were stored, or too small.
    """
    parts: list[Part] = []
    for each in wanted:
        number = each.get("PartNumber", 0)
        if parts and number <= parts[-1].number:
            raise S3Error(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part "
                "number.",
            )
        part = there.get(number)
        given = checksums.given(each)
        if (
            part is None
            or each.get("ETag", "").strip('"') != part.etag
            or any(part.checksums.get(name, value) != value for name, value in given.items())
        ):
            raise S3Error(
                "InvalidPart",
                "One or more of the specified parts could not be found.  The part may not have "
                "been uploaded, or the specified entity tag may not match the part's entity tag.",
                PartNumber=str(number),
                ETag=each.get("ETag", "").strip('"'),
            )
        parts.append(part)
    for part in parts[:-1]:
        if part.size < _PART_BYTES_MIN:
            raise S3Error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=str(part.size),
                MinSizeAllowed=str(_PART_BYTES_MIN),
                PartNumber=str(part.number),
                ETag=part.etag,
            )
    if sum(part.size for part in parts) > _OBJECT_BYTES_MAX:
        raise S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    return parts


def _details(upload: MultipartUpload, parts: Sequence[Part], params: Params) -> dict[str, Any]:
    """Return the details of the whole, whose checksum must be what the request says."""
    own = dict(upload.details)
    algorithm = own.pop("algorithm", None) or checksums.DEFAULT
    kind = own["checksum_type"]
    size = sum(part.size for part in parts)
    if params.get("MpuObjectSize") not in (None, size):
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {params['MpuObjectSize']} does not "
            f"match what was computed: {size}"
        )
    sums = [(part.size, part.checksums.get(algorithm, "")) for part in parts]
    found = checksums.of_parts(algorithm, kind, sums)
    own["checksums"] = {algorithm: found} if found is not None else {}
    for name, value in checksums.given(params).items():
        if own["checksums"].get(name, value) not in (value, f"{value}-{len(parts)}"):
            raise S3Error(
                "BadDigest",
                f"The {name} you specified did not match the calculated checksum.",
            )
    return own


@operation("AbortMultipartUpload")
async def abort_multipart_upload(context: Context, params: Params) -> Result:
    """Forget an object that was begun."""
    bucket = reach(context, params, "s3:AbortMultipartUpload")
    await context.services.db.write(
        partial(
            upload_rows.abort,
            bucket_id=bucket.id,
            key=params["Key"],
            upload_id=params["UploadId"],
        )
    )
    return {}
