"""Buckets, objects and their parts as values. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NULL = "null"
"""The version id of what was stored without versioning."""

_TIME = "$time"


@dataclass(slots=True, eq=False)
class Bucket:
    """A bucket. Mutable: its settings, after the database has changed.

    Attributes:
        settings: by the name of the setting, as the request had it: `Versioning`, `Tagging` ...
    """

    id: int
    name: str
    account_id: str
    region: str
    created_ms: int
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """ARNs of buckets name neither account nor region."""
        return f"arn:aws:s3:::{self.name}"

    @property
    def versioning(self) -> str | None:
        """`Enabled`, `Suspended`, or None if it never was enabled."""
        status: str | None = self.settings.get("Versioning", {}).get("Status")
        return status


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Bytes that are on their way into the database.

    Attributes:
        digest: SHA-256 of the file that has them; None if `data` has them.
        body_id: of bytes that are in the database already, to be shared.
    """

    size: int
    digest: str | None = None
    data: bytes | None = None
    body_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Some of an object's bytes: those of a part, or all of them.

    Attributes:
        number: of the part; 0 for an object that was not made of parts.
        start: where it begins in the object.
        data: the bytes, if they stand in the database.
        digest: SHA-256 of the file that has them, if they do not.
        checksums: of a part, by algorithm.
    """

    number: int
    start: int
    size: int
    body_id: int
    data: bytes | None = None
    digest: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An object, one of its versions, or a delete marker.

    Attributes:
        row: grows with every change to any object.
        etag: without quotes.
        details: headers, metadata, tags and so on; see `details`.
    """

    row: int
    bucket_id: int
    key: str
    version_id: str
    latest: bool
    marker: bool
    modified_ms: int
    size: int
    etag: str
    body_id: int | None
    details: Mapping[str, Any]

    @property
    def modified(self) -> datetime:
        """When it was stored, in whole seconds as HTTP has it."""
        return moment(self.modified_ms // 1_000 * 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipartUpload:
    """An object that comes in parts."""

    row: int
    bucket_id: int
    key: str
    upload_id: str
    created_ms: int
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an upload that is not complete."""

    number: int
    size: int
    etag: str
    modified_ms: int
    body_id: int
    checksums: Mapping[str, str]


def moment(milliseconds: int) -> datetime:
    """Return a time for a result."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


def to_text(document: Mapping[str, Any]) -> str:
    """Return parameters as JSON; times are kept."""
    return json.dumps(document, separators=(",", ":"), default=_time)


def from_text(text: str) -> dict[str, Any]:
    """Return what :func:`to_text` was given."""
    document: dict[str, Any] = json.loads(text, object_hook=_from_time)
    return document


def _time(value: object) -> Mapping[str, str]:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _from_time(document: dict[str, Any]) -> Any:
    text = document.get(_TIME)
    return (
        datetime.fromisoformat(text) if isinstance(text, str) and len(document) == 1 else document
    )
