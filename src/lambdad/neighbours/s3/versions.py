"""Ids of versions. Pure but for chance."""

from __future__ import annotations

import secrets

from lambdad.neighbours.s3.model import NULL, Bucket


def new_version_id(bucket: Bucket) -> str:
    """Return the id of a new version: without versioning there is only `null`."""
    return secrets.token_urlsafe(24) if bucket.versioning == "Enabled" else NULL


def told(bucket: Bucket, version_id: str) -> str | None:
    """Return the id as results have it: none where there never was versioning."""
    return None if bucket.versioning is None else version_id
