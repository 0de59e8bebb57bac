"""What lifecycle rules say that is to go: objects, old versions, unfinished uploads.

Transitions to other storage classes are stored and not followed: all classes are the same disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from lambdad.neighbours.s3 import events, listing_rows, upload_rows
from lambdad.neighbours.s3.errors import S3Error, precondition_failed
from lambdad.neighbours.s3.listing_rows import Wanted
from lambdad.neighbours.s3.model import Bucket, Version
from lambdad.neighbours.s3.object_rows import Change, Removal
from lambdad.neighbours.s3.versions import new_version_id

if TYPE_CHECKING:
    from lambdad.neighbours.s3.parts import Buckets

_DAY_MS = 24 * 3600 * 1_000
_PAGE = 500


async def expire(buckets: Buckets, bucket: Bucket) -> None:
    """Follow the rules of a bucket's lifecycle."""
    for rule in bucket.settings.get("Lifecycle", {}).get("Rules", ()):
        if rule["Status"] != "Enabled":
            continue
        await _abort_uploads(buckets, bucket, rule)
        if not rule.keys() & {"Expiration", "NoncurrentVersionExpiration"}:
            continue
        after, after_version, more = "", "", True
        while more:
            wanted = Wanted(
                bucket_id=bucket.id,
                prefix=_prefix(rule),
                delimiter="",
                after=after,
                after_version=after_version,
                limit=_PAGE,
                versions=True,
            )
            page = await buckets.db.read(partial(listing_rows.listed, wanted=wanted))
            for version in list(expired(page.versions, rule, buckets.now_ms())):
                with contextlib.suppress(S3Error):  # it has changed, and is looked at again
                    await _end(buckets, bucket, version)
            (after, after_version), more = page.last, page.truncated


def _prefix(rule: Mapping[str, Any]) -> str:
    filter_ = rule.get("Filter", {})
    prefix = rule.get("Prefix") or filter_.get("Prefix") or filter_.get("And", {}).get("Prefix")
    return str(prefix or "")


def _fits(version: Version, rule: Mapping[str, Any]) -> bool:
    filter_ = rule.get("Filter", {})
    both = {**filter_, **filter_.get("And", {})}
    tags = [*both.get("Tags", ()), *([both["Tag"]] if "Tag" in both else ())]
    own = version.details.get("tags", {})
    return (
        all(own.get(tag["Key"]) == tag["Value"] for tag in tags)
        and version.size > both.get("ObjectSizeGreaterThan", -1)
        and version.size < both.get("ObjectSizeLessThan", version.size + 1)
    )


def expired(versions: Sequence[Version], rule: Mapping[str, Any], now_ms: int) -> Iterator[Version]:
    """Yield what is to go of a page, newest version of a key first."""
    expiration, older = rule.get("Expiration", {}), rule.get("NoncurrentVersionExpiration", {})
    newer: Version | None = None
    behind = 0
    for version in versions:
        if newer is None or newer.key != version.key:
            newer, behind = None, 0
        if version.latest and not version.marker and _fits(version, rule):
            days, date = expiration.get("Days"), expiration.get("Date")
            if (days is not None and now_ms >= _midnight(version.modified_ms + days * _DAY_MS)) or (
                isinstance(date, datetime) and now_ms >= date.timestamp() * 1_000
            ):
                yield version
        elif not version.latest and newer is not None and "NoncurrentDays" in older:
            behind += 1
            due_ms = _midnight(newer.modified_ms + older["NoncurrentDays"] * _DAY_MS)
            kept = older.get("NewerNoncurrentVersions", 0)
            if now_ms >= due_ms and behind > kept and _fits(version, rule):
                yield version
        newer = version


def _midnight(moment_ms: int) -> int:
    """AWS counts from the next midnight UTC on."""
    return -(-moment_ms // _DAY_MS) * _DAY_MS


async def _end(buckets: Buckets, bucket: Bucket, version: Version) -> None:
    def unchanged(current: Version | None) -> None:
        # What was stored meanwhile has not expired.
        if version.latest and (current is None or current.row != version.row):
            raise precondition_failed("Lifecycle")

    about = events.About.lifecycle(buckets.now_ms())
    if version.latest and bucket.versioning is not None:
        kind = "LifecycleExpiration:DeleteMarkerCreated"
        await buckets.put(
            Change(
                bucket_id=bucket.id,
                key=version.key,
                version_id=new_version_id(bucket),
                modified_ms=buckets.now_ms(),
                size=0,
                etag="",
                details={},
                marker=True,
                check=unchanged,
                notify=events.notifier(bucket, kind, about),
            )
        )
        return
    await buckets.remove(
        Removal(
            bucket_id=bucket.id,
            key=version.key,
            version_id=version.version_id,
            check=unchanged,
            notify=events.notifier(bucket, "LifecycleExpiration:Delete", about),
        )
    )


async def _abort_uploads(buckets: Buckets, bucket: Bucket, rule: Mapping[str, Any]) -> None:
    days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
    if days is None:
        return
    before_ms = buckets.now_ms() - days * _DAY_MS
    job = partial(
        upload_rows.begun_before, bucket_id=bucket.id, prefix=_prefix(rule), before_ms=before_ms
    )
    for upload in await buckets.db.read(job):
        await buckets.db.write(
            partial(
                upload_rows.abort,
                bucket_id=bucket.id,
                key=upload.key,
                upload_id=upload.upload_id,
            )
        )
