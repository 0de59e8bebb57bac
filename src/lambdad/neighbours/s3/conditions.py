"""Conditions and ranges of requests for objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.s3.errors import S3Error, no_key, precondition_failed
from lambdad.neighbours.s3.model import Version
from lambdad.neighbours.s3.object_rows import Check

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)


def etag_matches(condition: str, etag: str) -> bool:
    """Whether `If-Match` or `If-None-Match` names an object."""
    names = (each.strip().removeprefix("W/").strip('"') for each in condition.split(","))
    return any(name in ("*", etag) for name in names)


def is_unmodified(params: Mapping[str, Any], version: Version) -> bool:
    """Whether the caller has the object already; conditions that fail are refused.

    Raises:
        S3Error: the object is not the one that the caller means: `PreconditionFailed`.
    """
    match, none_match = params.get("IfMatch"), params.get("IfNoneMatch")
    since, until = params.get("IfModifiedSince"), params.get("IfUnmodifiedSince")
    if match is not None:
        if not etag_matches(match, version.etag):
            raise precondition_failed("If-Match")
    elif until is not None and version.modified > until:
        raise precondition_failed("If-Unmodified-Since")
    if none_match is not None:
        return etag_matches(none_match, version.etag)
    return since is not None and version.modified <= since


def check_source(params: Mapping[str, Any], version: Version) -> None:
    """Refuse to copy an object that is not the one that the caller means."""
    conditions = {
        name: params.get(f"CopySource{name}")
        for name in ("IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince")
    }
    if is_unmodified(conditions, version):
        raise precondition_failed("x-amz-copy-source-If-None-Match")


def check_write(params: Mapping[str, Any]) -> Check | None:
    """Return what tells whether the object that is there may be replaced, or removed."""
    match, none_match = params.get("IfMatch"), params.get("IfNoneMatch")
    if match is None and none_match is None:
        return None
    key = params["Key"]

    def check(current: Version | None) -> None:
        if none_match is not None and current is not None:
            raise precondition_failed("If-None-Match")
        if match is not None and current is None:
            raise no_key(key)
        if match is not None and current is not None and not etag_matches(match, current.etag):
            raise precondition_failed("If-Match")

    return check


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return start and length of the wanted bytes; None for all of them.

    What cannot be understood is ignored, as HTTP says.

    Raises:
        S3Error: the object has no such bytes: `InvalidRange`.
    """
    match = _RANGE.fullmatch(text) if text else None
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        start, end = size - length, size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise S3Error(
            "InvalidRange",
            "The requested range is not satisfiable",
            RangeRequested=text or "",
            ActualObjectSize=str(size),
        )
    return start, end - start
