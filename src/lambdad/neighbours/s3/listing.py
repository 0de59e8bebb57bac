"""Lists of a bucket's objects and their versions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote_plus

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.s3 import listing_rows
from lambdad.neighbours.s3.errors import S3Error, invalid_argument
from lambdad.neighbours.s3.listing_rows import Page, Wanted
from lambdad.neighbours.s3.model import Bucket, Version, moment
from lambdad.neighbours.s3.service import Context, operation, owner, reach

_PAGE = 1_000


def encoder(params: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what writes keys: as they are, or in the way of URLs, which XML can always carry."""
    if params.get("EncodingType") == "url":
        return partial(quote_plus, safe="/")
    return str


async def _page(
    context: Context, bucket: Bucket, params: Params, after: str, **more: Any
) -> tuple[Page, int]:
    limit = params.get("MaxKeys", _PAGE)
    if limit < 0:
        raise invalid_argument(
            "Argument maxKeys must be an integer between 0 and 2147483647", "maxKeys", limit
        )
    wanted = Wanted(
        bucket_id=bucket.id,
        prefix=params.get("Prefix", ""),
        delimiter=params.get("Delimiter", ""),
        after=after,
        limit=min(limit, _PAGE),
        **more,
    )
    page = await context.services.db.read(partial(listing_rows.listed, wanted=wanted))
    return page, min(limit, _PAGE)


def _object(version: Version, name: Callable[[str], str]) -> dict[str, Any]:
    found = version.details.get("checksums") or {}
    kind = version.details.get("checksum_type", "FULL_OBJECT")
    return {
        "Key": name(version.key),
        "LastModified": moment(version.modified_ms),
        "ETag": f'"{version.etag}"',
        "ChecksumAlgorithm": list(found) or None,
        "ChecksumType": kind if found else None,
        "Size": version.size,
        "StorageClass": version.details.get("storage", "STANDARD"),
    }


def _common(page: Page, params: Params, name: Callable[[str], str]) -> dict[str, Any]:
    delimiter = params.get("Delimiter")
    return {
        "Name": params["Bucket"],
        "Prefix": name(params.get("Prefix", "")),
        "Delimiter": name(delimiter) if delimiter else None,
        "EncodingType": params.get("EncodingType"),
        "IsTruncated": page.truncated,
        "CommonPrefixes": [{"Prefix": name(each)} for each in page.prefixes] or None,
    }


@operation("ListObjects")
async def list_objects(context: Context, params: Params) -> Result:
    """Return objects by key, in the first version of this operation."""
    bucket = reach(context, params, "s3:ListBucket")
    marker, name = params.get("Marker", ""), encoder(params)
    page, limit = await _page(context, bucket, params, marker)
    more = page.truncated and params.get("Delimiter")
    return {
        **_common(page, params, name),
        "Marker": name(marker),
        "NextMarker": name(page.last[0]) if more else None,
        "MaxKeys": limit,
        "Contents": [{**_object(each, name), "Owner": owner(bucket)} for each in page.versions]
        or None,
    }


@operation("ListObjectsV2")
async def list_objects_v2(context: Context, params: Params) -> Result:
    """Return objects by key."""
    bucket = reach(context, params, "s3:ListBucket")
    token, start, name = (
        params.get("ContinuationToken"),
        params.get("StartAfter", ""),
        encoder(params),
    )
    after = start if token is None else _of_token(token)
    page, limit = await _page(context, bucket, params, after)
    people = {"Owner": owner(bucket)} if params.get("FetchOwner") else {}
    return {
        **_common(page, params, name),
        "MaxKeys": limit,
        "KeyCount": len(page.versions) + len(page.prefixes),
        "ContinuationToken": token,
        "NextContinuationToken": _token(page.last[0]) if page.truncated else None,
        "StartAfter": name(start) if start else None,
        "Contents": [{**_object(each, name), **people} for each in page.versions] or None,
    }


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(b"1" + last.encode()).decode()


def _of_token(token: str) -> str:
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        if text[:1] == b"1":
            return text[1:].decode()
    except (binascii.Error, ValueError):
        pass
    raise S3Error(
        "InvalidArgument",
        "The continuation token provided is incorrect",
        ArgumentName="continuation-token",
    )


@operation("ListObjectVersions")
async def list_object_versions(context: Context, params: Params) -> Result:
    """Return all versions and delete markers, by key and from the newest to the oldest."""
    bucket = reach(context, params, "s3:ListBucketVersions")
    key_marker, id_marker = params.get("KeyMarker", ""), params.get("VersionIdMarker", "")
    if id_marker and not key_marker:
        raise invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            id_marker,
        )
    name = encoder(params)
    page, limit = await _page(
        context, bucket, params, key_marker, after_version=id_marker, versions=True
    )
    return {
        **_common(page, params, name),
        "KeyMarker": name(key_marker),
        "VersionIdMarker": id_marker,
        "NextKeyMarker": name(page.last[0]) if page.truncated else None,
        "NextVersionIdMarker": (page.last[1] or None) if page.truncated else None,
        "MaxKeys": limit,
        "Versions": [
            {**_object(each, name), **_version(bucket, each)}
            for each in page.versions
            if not each.marker
        ]
        or None,
        "DeleteMarkers": [
            {
                "Key": name(each.key),
                "LastModified": moment(each.modified_ms),
                **_version(bucket, each),
            }
            for each in page.versions
            if each.marker
        ]
        or None,
    }


def _version(bucket: Bucket, version: Version) -> dict[str, Any]:
    return {"VersionId": version.version_id, "IsLatest": version.latest, "Owner": owner(bucket)}
