"""What lifecycle rules let go, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdad.neighbours.s3.expiry import expired
from lambdad.neighbours.s3.model import Version

DAY_MS = 24 * 3600 * 1_000
# Noon, so that the next midnight is half a day away.
NOON_MS = int(datetime(2026, 5, 5, 12, tzinfo=UTC).timestamp()) * 1_000


def version(key: str, row: int, **more: Any) -> Version:
    members: dict[str, Any] = {
        "row": row,
        "bucket_id": 1,
        "key": key,
        "version_id": f"v{row}",
        "latest": True,
        "marker": False,
        "modified_ms": NOON_MS,
        "size": 10,
        "etag": "",
        "body_id": None,
        "details": {},
        **more,
    }
    return Version(**members)


def gone(rule: dict[str, Any], versions: list[Version], days: float) -> list[int]:
    now_ms = NOON_MS + int(days * DAY_MS)
    return [each.row for each in expired(versions, rule, now_ms)]


def test_objects_expire_at_the_midnight_after_their_days() -> None:
    rule = {"Expiration": {"Days": 2}}
    assert gone(rule, [version("a", 1)], 2.4) == []
    assert gone(rule, [version("a", 1)], 2.5) == [1]
    assert gone(rule, [version("a", 1, marker=True)], 9) == []


def test_a_date_ends_all_at_once() -> None:
    rule = {"Expiration": {"Date": datetime(2026, 5, 7, tzinfo=UTC)}}
    assert gone(rule, [version("a", 1)], 1) == []
    assert gone(rule, [version("a", 1)], 1.5) == [1]


def test_filters_are_of_tags_and_sizes() -> None:
    both = {"Tags": [{"Key": "t", "Value": "1"}], "ObjectSizeGreaterThan": 5}
    rule = {"Expiration": {"Days": 1}, "Filter": {"And": both}}
    versions = [
        version("a", 1, details={"tags": {"t": "1"}}),
        version("b", 2, details={"tags": {"t": "2"}}),
        version("c", 3, details={"tags": {"t": "1"}}, size=5),
    ]
    assert gone(rule, versions, 9) == [1]


def test_old_versions_go_by_the_age_of_what_replaced_them() -> None:
    rule = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}}
    versions = [
        version("a", 3),
        version("a", 2, latest=False),
        version("a", 1, latest=False, modified_ms=0),
    ]
    assert gone(rule, versions, 1.4) == []
    assert gone(rule, versions, 1.5) == [1]
