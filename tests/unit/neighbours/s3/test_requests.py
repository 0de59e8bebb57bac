"""Hosts, ranges and conditions, as requests write them."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.neighbours.s3.conditions import byte_range, etag_matches
from lambdad.neighbours.s3.errors import S3Error
from lambdad.neighbours.s3.events import wants
from lambdad.neighbours.s3.hosts import path_style
from lambdad.protocol.http import HttpRequest


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("b.s3.localhost:4566", "/b/k"),
        ("a.dotted.name.s3.eu-west-1.amazonaws.com", "/a.dotted.name/k"),
        ("b.s3-us-west-2.amazonaws.com", "/b/k"),
        ("b.localhost:4566", "/b/k"),
        ("s3.localhost:4566", "/k"),
        ("s3.us-east-1.amazonaws.com", "/k"),
        ("s3-us-west-2.amazonaws.com", "/k"),
        ("s3.eu-west-1.localhost", "/k"),
        ("localhost:4566", "/k"),
        ("127.0.0.1:4566", "/k"),
    ],
)
def test_buckets_in_hosts(host: str, path: str) -> None:
    request = HttpRequest(method="GET", path="/k", headers={"host": host})
    assert path_style(request).path == path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=5-", (5, 5)),
        ("bytes=-3", (7, 3)),
        ("bytes=-30", (0, 10)),
        ("bytes=8-100", (8, 2)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
        (None, None),
    ],
)
def test_ranges_of_ten_bytes(text: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(text, 10) == expected


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_ranges_that_are_not_there(text: str) -> None:
    with pytest.raises(S3Error, match="not satisfiable"):
        byte_range(text, 10)


def test_etags() -> None:
    assert etag_matches('"a", W/"b"', "b")
    assert etag_matches("*", "x")
    assert not etag_matches('"a"', "b")


@pytest.mark.parametrize(
    ("events", "kind", "expected"),
    [
        (["s3:ObjectCreated:*"], "ObjectCreated:Copy", True),
        (["s3:ObjectCreated:Put"], "ObjectCreated:Copy", False),
        (["s3:ObjectRemoved:*"], "ObjectRemoved:DeleteMarkerCreated", True),
        (["s3:ObjectRemoved:*"], "LifecycleExpiration:Delete", False),
    ],
)
def test_which_events_are_wanted(events: list[str], kind: str, *, expected: bool) -> None:
    assert wants({"Events": events}, kind, "any") is expected


def test_filters_are_of_prefix_and_suffix() -> None:
    rules = [{"Name": "Prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]
    wanted: dict[str, Any] = {
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    assert wants(wanted, "ObjectCreated:Put", "in/a.jpg")
    assert not wants(wanted, "ObjectCreated:Put", "a.jpg")
    assert not wants(wanted, "ObjectCreated:Put", "in/a.png")
