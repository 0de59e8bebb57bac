"""Lists and versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

KEYS = ["a", "a/1", "a/2", "a/b/3", "b", "c/", "c/x y+z", "c/ü", "d\u2028e"]


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    for key in reversed(KEYS):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def test_keys_come_in_order(s3: Any, filled: str) -> None:
    found = s3.list_objects_v2(Bucket=filled)
    assert [each["Key"] for each in found["Contents"]] == sorted(KEYS, key=str.encode)
    assert (found["KeyCount"], found["IsTruncated"], found["MaxKeys"]) == (9, False, 1000)
    assert {each["Size"] for each in found["Contents"]} == {len(key.encode()) for key in KEYS}


@pytest.mark.parametrize(
    ("prefix", "keys", "prefixes"),
    [
        ("", ["a", "b", "d\u2028e"], ["a/", "c/"]),
        ("a/", ["a/1", "a/2"], ["a/b/"]),
        ("c", [], ["c/"]),
        ("c/", ["c/", "c/x y+z", "c/ü"], []),
        ("none", [], []),
    ],
)
@pytest.mark.parametrize("page", [1, 2, 1000])
@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
def test_delimiters_roll_up(
    s3: Any,
    filled: str,
    *,
    operation: str,
    page: int,
    prefix: str,
    keys: list[str],
    prefixes: list[str],
) -> None:
    pages = s3.get_paginator(operation).paginate(
        Bucket=filled, Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": page}
    )
    found = list(pages)
    assert [each["Key"] for one in found for each in one.get("Contents", ())] == keys
    assert [each["Prefix"] for one in found for each in one.get("CommonPrefixes", ())] == prefixes
    assert len(found) == max(1, -(-(len(keys) + len(prefixes)) // page))


def test_start_after_and_wrong_tokens(s3: Any, filled: str) -> None:
    found = s3.list_objects_v2(Bucket=filled, StartAfter="a/2", MaxKeys=2)
    assert [each["Key"] for each in found["Contents"]] == ["a/b/3", "b"]
    assert refusal(lambda: s3.list_objects_v2(Bucket=filled, ContinuationToken="!"))[1] == (
        "InvalidArgument"
    )
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=0)["KeyCount"] == 0


def test_versions(s3: Any, versioned: str) -> None:
    ids = [
        s3.put_object(Bucket=versioned, Key="k", Body=str(number).encode())["VersionId"]
        for number in range(3)
    ]
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"]
    with pytest.raises(ClientError) as missing:
        s3.get_object(Bucket=versioned, Key="k")
    assert missing.value.response["Error"]["Code"] == "NoSuchKey"
    old = s3.get_object(Bucket=versioned, Key="k", VersionId=ids[0])
    assert (old["Body"].read(), old["VersionId"]) == (b"0", ids[0])
    found = s3.list_object_versions(Bucket=versioned)
    assert [each["VersionId"] for each in found["Versions"]] == ids[::-1]
    (listed,) = found["DeleteMarkers"]
    assert (listed["VersionId"], listed["IsLatest"]) == (marker["VersionId"], True)
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert refusal(
        lambda: s3.get_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    ) == (405, "MethodNotAllowed")
    undone = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert undone["DeleteMarker"]
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"2"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[2])
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"
    assert refusal(lambda: s3.get_object(Bucket=versioned, Key="k", VersionId=ids[2])) == (
        404,
        "NoSuchVersion",
    )
    assert refusal(lambda: s3.delete_bucket(Bucket=versioned)) == (409, "BucketNotEmpty")


def test_versions_in_pages(s3: Any, versioned: str) -> None:
    stored = [
        (key, s3.put_object(Bucket=versioned, Key=key, Body=b"x")["VersionId"])
        for key in ("a", "b", "c/1", "c/2")
        for _ in range(3)
    ]
    wanted = [pair for key in ("a", "b", "c/1", "c/2") for pair in stored[::-1] if pair[0] == key]
    for size in (1, 2, 5, 1000):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=versioned, PaginationConfig={"PageSize": size}
        )
        found = [(each["Key"], each["VersionId"]) for page in pages for each in page["Versions"]]
        assert found == wanted
    rolled = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [each["Prefix"] for each in rolled["CommonPrefixes"]] == ["c/"]
    assert len(rolled["Versions"]) == 6


def test_suspended_versioning_replaces_the_version_null(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(each["VersionId"], each["IsLatest"]) for each in listed] == [
        ("null", True),
        (kept, False),
    ]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"after"
