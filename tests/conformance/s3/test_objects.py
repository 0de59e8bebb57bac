"""Objects: what is stored comes back, with all that was said of it."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess

LARGE = bytes(range(256)) * 4096 * 3  # 3 MiB


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_what_is_stored_comes_back(s3: Any, bucket: str, body: bytes) -> None:
    stored = s3.put_object(Bucket=bucket, Key="dir/a b+ü.txt", Body=body)
    found = s3.get_object(Bucket=bucket, Key="dir/a b+ü.txt")
    assert found["Body"].read() == body
    assert found["ContentLength"] == len(body)
    assert (
        found["ETag"]
        == stored["ETag"]
        == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    )
    head = s3.head_object(Bucket=bucket, Key="dir/a b+ü.txt")
    assert (head["ContentLength"], head["ETag"]) == (len(body), found["ETag"])
    assert head["ContentType"] == "binary/octet-stream"
    assert head["ServerSideEncryption"] == "AES256"


def test_headers_and_metadata_are_kept(s3: Any, bucket: str) -> None:
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    said = {
        "CacheControl": "max-age=5",
        "ContentDisposition": 'attachment; filename="x"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain",
        "Metadata": {"who": "me"},
        "StorageClass": "STANDARD_IA",
        "WebsiteRedirectLocation": "/other",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=moment, Tagging="a=1&b=2", **said)
    found = s3.get_object(Bucket=bucket, Key="k")
    assert {name: found[name] for name in said} == said
    assert found["Expires"] == moment
    assert found["TagCount"] == 2
    other = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/html")
    assert other["ContentType"] == "text/html"


def test_ranges(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE)
    for wanted, first, last in [
        ("bytes=0-9", 0, 9),
        ("bytes=1000000-2000000", 1_000_000, 2_000_000),
        ("bytes=-5", len(LARGE) - 5, len(LARGE) - 1),
        (f"bytes={len(LARGE) - 2}-", len(LARGE) - 2, len(LARGE) - 1),
    ]:
        found = s3.get_object(Bucket=bucket, Key="k", Range=wanted)
        assert found["Body"].read() == LARGE[first : last + 1]
        assert found["ContentRange"] == f"bytes {first}-{last}/{len(LARGE)}"
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    beyond = f"bytes={len(LARGE)}-"
    assert refusal(lambda: s3.get_object(Bucket=bucket, Key="k", Range=beyond)) == (
        416,
        "InvalidRange",
    )


def test_conditions_of_reads(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    moment = s3.head_object(Bucket=bucket, Key="k")["LastModified"]

    def get(**conditions: Any) -> tuple[int, str]:
        return refusal(lambda: s3.get_object(Bucket=bucket, Key="k", **conditions))

    assert get(IfMatch='"other"') == (412, "PreconditionFailed")
    assert get(IfNoneMatch=etag) == (304, "304")
    assert get(IfModifiedSince=moment) == (304, "304")
    assert get(IfUnmodifiedSince=moment - timedelta(seconds=1)) == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, IfNoneMatch='"other"')


def test_conditions_of_writes(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]

    def put(**conditions: str) -> tuple[int, str]:
        return refusal(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"2", **conditions))

    assert put(IfNoneMatch="*") == (412, "PreconditionFailed")
    assert put(IfMatch='"other"') == (412, "PreconditionFailed")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    missing = refusal(lambda: s3.put_object(Bucket=bucket, Key="none", IfMatch=etag))
    assert missing == (404, "NoSuchKey")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


@pytest.mark.parametrize(
    ("algorithm", "of_nine_digits"),
    [
        ("CRC32", "cbf43926"),
        ("CRC32C", "e3069283"),
        ("CRC64NVME", "ae8b14860a799888"),
        ("SHA1", hashlib.sha1(b"123456789", usedforsecurity=False).hexdigest()),
        ("SHA256", hashlib.sha256(b"123456789").hexdigest()),
    ],
)
def test_checksums_are_checked_and_kept(
    s3: Any, bucket: str, algorithm: str, of_nine_digits: str
) -> None:
    member = f"Checksum{algorithm}"
    given = {member: base64.b64encode(bytes.fromhex(of_nine_digits)).decode()}
    stored = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **given)
    assert stored[member] == given[member]
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[member] == stored[member]
    assert head["ChecksumType"] == "FULL_OBJECT"
    # botocore judges what it reads by it
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read()
    wrong = {member: base64.b64encode(bytes(len(base64.b64decode(stored[member])))).decode()}
    assert refusal(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", **wrong)) == (
        400,
        "BadDigest",
    )


def test_a_wrong_md5_is_refused(s3: Any, bucket: str) -> None:
    other = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    for text, code in ((other, "BadDigest"), ("bm8=", "InvalidDigest")):
        refused = refusal(
            lambda text=text: s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=text)
        )
        assert refused == (400, code)
    assert refusal(lambda: s3.get_object(Bucket=bucket, Key="k")) == (404, "NoSuchKey")


def test_copies(s3: Any, bucket: str) -> None:
    for key, body in (("small", b"x"), ("large", LARGE)):
        s3.put_object(
            Bucket=bucket, Key=key, Body=body, Metadata={"a": "1"}, Tagging="t=1", ContentType="a/b"
        )
        source = {"Bucket": bucket, "Key": key}
        copied = s3.copy_object(Bucket=bucket, Key=f"{key} 2", CopySource=source)
        s3.delete_object(Bucket=bucket, Key=key)
        found = s3.get_object(Bucket=bucket, Key=f"{key} 2")
        assert found["Body"].read() == body
        assert copied["CopyObjectResult"]["ETag"] == found["ETag"]
        assert (found["Metadata"], found["ContentType"], found["TagCount"]) == (
            {"a": "1"},
            "a/b",
            1,
        )
    source = {"Bucket": bucket, "Key": "small 2"}
    assert refusal(lambda: s3.copy_object(Bucket=bucket, Key="small 2", CopySource=source)) == (
        400,
        "InvalidRequest",
    )
    s3.copy_object(
        Bucket=bucket,
        Key="small 2",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
    )
    assert s3.head_object(Bucket=bucket, Key="small 2")["Metadata"] == {"b": "2"}
    etag = s3.head_object(Bucket=bucket, Key="small 2")["ETag"]
    refused = refusal(
        lambda: s3.copy_object(
            Bucket=bucket, Key="z", CopySource=source, CopySourceIfNoneMatch=etag
        )
    )
    assert refused == (412, "PreconditionFailed")


def test_deleting(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_object(Bucket=bucket, Key="a")
    wanted = {"Objects": [{"Key": "b"}, {"Key": "c"}, {"Key": "none"}]}
    deleted = s3.delete_objects(Bucket=bucket, Delete=wanted)
    assert [each["Key"] for each in deleted["Deleted"]] == ["b", "c", "none"]
    assert "Errors" not in deleted
    assert refusal(lambda: s3.head_object(Bucket=bucket, Key="b")) == (404, "404")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tags_and_access_lists(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    tags = [{"Key": "a", "Value": "1"}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL", "READ"]
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 1
    twice = {"TagSet": [*tags, *tags]}
    assert refusal(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=twice)) == (
        400,
        "InvalidTag",
    )


def test_attributes(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumAlgorithm="SHA256")
    found = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"]
    )
    digest = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    assert found["ETag"] == hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    assert found["Checksum"] == {"ChecksumSHA256": digest, "ChecksumType": "FULL_OBJECT"}
    assert (found["ObjectSize"], found["StorageClass"]) == (1, "STANDARD")


def test_what_is_not_served_says_so(s3: Any, bucket: str) -> None:
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    s3.meta.events.unregister("before-parameter-build.s3.PutObject")
    assert refusal(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", **key))[1] in (
        "NotImplemented",
    )
    query = {
        "Expression": "SELECT 1",
        "ExpressionType": "SQL",
        "InputSerialization": {"JSON": {"Type": "LINES"}},
        "OutputSerialization": {"JSON": {}},
    }
    refused = refusal(lambda: s3.select_object_content(Bucket=bucket, Key="k", **query))
    assert refused == (400, "InvalidArgument")


def test_others_may_not_see_what_is_not_theirs(s3: Any, stranger: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="open", Body=b"y", ACL="public-read")
    denied = (403, "AccessDenied")
    assert refusal(lambda: stranger.get_object(Bucket=bucket, Key="k")) == denied
    assert refusal(lambda: stranger.put_object(Bucket=bucket, Key="k", Body=b"z")) == denied
    assert refusal(lambda: stranger.list_objects_v2(Bucket=bucket)) == denied
    assert stranger.get_object(Bucket=bucket, Key="open")["Body"].read() == b"y"
    assert refusal(lambda: stranger.get_object(Bucket=bucket, Key="none")) == denied


def test_a_large_upload_streams(s3: Any, daemon: DaemonProcess, bucket: str) -> None:
    """The daemon needs far less memory for it than it is large."""

    def peak_bytes() -> int:
        with open(f"/proc/{daemon.pid}/status") as status:  # noqa: PTH123
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))

    size = 192 * 1024 * 1024
    s3.put_object(Bucket=bucket, Key="warm", Body=LARGE)
    s3.get_object(Bucket=bucket, Key="warm")["Body"].read()
    before = peak_bytes()
    s3.put_object(Bucket=bucket, Key="k", Body=_Pattern(size), ContentLength=size)
    found = s3.get_object(Bucket=bucket, Key="k")
    assert sum(len(piece) for piece in found["Body"].iter_chunks(1 << 20)) == size
    assert peak_bytes() - before < size // 3


class _Pattern(io.RawIOBase):
    """So many bytes that need no memory."""

    def __init__(self, size: int) -> None:
        self._size, self._place = size, 0

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._place
        count = left if size < 0 else min(size, left)
        self._place += count
        return bytes(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = {0: offset, 1: self._place + offset, 2: self._size + offset}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def __len__(self) -> int:
        return self._size
