"""Uploads that are not complete, and their parts, as lists."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.s3 import checksums, upload_rows
from lambdad.neighbours.s3.listing import encoder
from lambdad.neighbours.s3.model import Bucket, moment
from lambdad.neighbours.s3.multipart import upload_of
from lambdad.neighbours.s3.service import Context, operation, owner, reach


@operation("ListParts")
async def list_parts(context: Context, params: Params) -> Result:
    """Return the parts that an upload has."""
    bucket = reach(context, params, "s3:ListMultipartUploadParts")
    upload = await upload_of(context, bucket, params)
    limit = min(params.get("MaxParts", 1_000), 1_000)
    after = int(params.get("PartNumberMarker") or 0)
    parts = await context.services.db.read(
        partial(upload_rows.parts, upload_row=upload.row, after=after, limit=limit + 1)
    )
    page = parts[:limit]
    return {
        "Bucket": bucket.name,
        "Key": upload.key,
        "UploadId": upload.upload_id,
        "PartNumberMarker": after,
        "NextPartNumberMarker": page[-1].number if page else after,
        "MaxParts": limit,
        "IsTruncated": len(parts) > limit,
        "StorageClass": upload.details.get("storage", "STANDARD"),
        "ChecksumAlgorithm": upload.details.get("algorithm"),
        "ChecksumType": upload.details["checksum_type"] if upload.details["algorithm"] else None,
        **_people(bucket),
        "Parts": [
            {
                "PartNumber": part.number,
                "LastModified": moment(part.modified_ms),
                "ETag": f'"{part.etag}"',
                "Size": part.size,
                **checksums.told(part.checksums),
            }
            for part in page
        ]
        or None,
    }


@operation("ListMultipartUploads")
async def list_multipart_uploads(context: Context, params: Params) -> Result:
    """Return the uploads that are not complete."""
    bucket = reach(context, params, "s3:ListBucketMultipartUploads")
    limit = min(params.get("MaxUploads", 1_000), 1_000)
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    after = (params.get("KeyMarker", ""), params.get("UploadIdMarker") or "\U0010ffff")
    after = ("", "") if not after[0] else after
    found = await context.services.db.read(
        partial(
            upload_rows.uploads, bucket_id=bucket.id, prefix=prefix, after=after, limit=limit + 1
        )
    )
    name = encoder(params)
    page, prefixes = [], []
    for upload in found[:limit]:
        place = upload.key.find(delimiter, len(prefix)) if delimiter else -1
        if place >= 0:
            prefixes.append(upload.key[: place + len(delimiter)])
        else:
            page.append(upload)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "Bucket": bucket.name,
        "KeyMarker": name(params.get("KeyMarker", "")),
        "UploadIdMarker": params.get("UploadIdMarker", ""),
        "NextKeyMarker": name(last.key) if last else None,
        "NextUploadIdMarker": last.upload_id if last else None,
        "Prefix": name(prefix),
        "Delimiter": name(delimiter) or None,
        "MaxUploads": limit,
        "EncodingType": params.get("EncodingType"),
        "IsTruncated": last is not None,
        "CommonPrefixes": [{"Prefix": name(each)} for each in dict.fromkeys(prefixes)] or None,
        "Uploads": [
            {
                "Key": name(upload.key),
                "UploadId": upload.upload_id,
                "Initiated": moment(upload.created_ms),
                "StorageClass": upload.details.get("storage", "STANDARD"),
                "ChecksumAlgorithm": upload.details.get("algorithm"),
                **_people(bucket),
            }
            for upload in page
        ]
        or None,
    }


def _people(bucket: Bucket) -> Mapping[str, Any]:
    return {"Owner": owner(bucket), "Initiator": owner(bucket)}
