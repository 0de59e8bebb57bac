"""Objects that come in parts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024
PARTS = [bytes([number + 1]) * (5 * MIB + number) for number in range(2)] + [b"end"]
WHOLE = b"".join(PARTS)


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def begun(s3: Any, bucket: str, **said: Any) -> dict[str, str]:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", **said)
    return {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}


def sent(s3: Any, upload: dict[str, str], **said: Any) -> list[dict[str, Any]]:
    found = []
    for number, body in enumerate(PARTS, 1):
        part = s3.upload_part(**upload, PartNumber=number, Body=body, **said)
        sums = {name: part[name] for name in part if name.startswith("Checksum")}
        found.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    return found


def test_parts_become_one_object(s3: Any, bucket: str) -> None:
    upload = begun(s3, bucket, Metadata={"a": "1"}, ContentType="a/b")
    parts = sent(s3, upload)
    assert [part["Size"] for part in s3.list_parts(**upload)["Parts"]] == list(map(len, PARTS))
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [each["UploadId"] for each in listed] == [upload["UploadId"]]
    assert refusal(lambda: s3.get_object(Bucket=bucket, Key="k")) == (404, "NoSuchKey")
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in PARTS)
    assert done["ETag"] == f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-3"'
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == WHOLE
    assert (found["Metadata"], found["ContentType"]) == ({"a": "1"}, "a/b")
    across = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={5 * MIB - 3}-{10 * MIB + 3}")
    assert across["Body"].read() == WHOLE[5 * MIB - 3 : 10 * MIB + 4]
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (PARTS[1], 3)
    wanted = ["ObjectParts", "ObjectSize"]
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert (told["ObjectParts"]["TotalPartsCount"], told["ObjectSize"]) == (3, len(WHOLE))
    assert refusal(lambda: s3.list_parts(**upload)) == (404, "NoSuchUpload")
    s3.copy_object(Bucket=bucket, Key="k2", CopySource={"Bucket": bucket, "Key": "k"})
    s3.delete_object(Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="k2")["Body"].read() == WHOLE


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE")],
)
def test_checksums_of_the_whole(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    upload = begun(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = sent(s3, upload, ChecksumAlgorithm=algorithm)
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    member = f"Checksum{algorithm}"
    if kind == "FULL_OBJECT":
        assert done[member] == s3.put_object(
            Bucket=bucket, Key="whole", Body=WHOLE, ChecksumAlgorithm=algorithm
        ).get(member)
    else:
        assert done[member].endswith("-3")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[member], head["ChecksumType"]) == (done[member], kind)


def test_what_cannot_be_put_together(s3: Any, bucket: str) -> None:
    upload = begun(s3, bucket)
    one = s3.upload_part(**upload, PartNumber=1, Body=b"small")["ETag"]
    two = s3.upload_part(**upload, PartNumber=2, Body=b"small, too")["ETag"]

    def complete(*parts: tuple[int, str]) -> tuple[int, str]:
        wanted = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return refusal(
            lambda: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": wanted})
        )

    assert complete((1, one), (2, two)) == (400, "EntityTooSmall")
    assert complete((2, two), (1, one)) == (400, "InvalidPartOrder")
    assert complete((1, two)) == (400, "InvalidPart")
    assert complete((3, two)) == (400, "InvalidPart")
    assert complete() == (400, "MalformedXML")
    assert refusal(lambda: s3.upload_part(**upload, PartNumber=10_001, Body=b"x"))[1] == (
        "InvalidArgument"
    )
    s3.abort_multipart_upload(**upload)
    assert refusal(lambda: s3.abort_multipart_upload(**upload)) == (404, "NoSuchUpload")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_can_be_copied(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=WHOLE)
    upload = begun(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    parts = []
    for number, wanted in enumerate((f"bytes=0-{6 * MIB - 1}", f"bytes={6 * MIB}-{7 * MIB}"), 1):
        copied = s3.upload_part_copy(
            **upload, PartNumber=number, CopySource=source, CopySourceRange=wanted
        )["CopyPartResult"]
        parts.append({"PartNumber": number, "ETag": copied["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == WHOLE[: 7 * MIB + 1]


def test_one_of_two_who_complete_at_once_wins(s3: Any, bucket: str) -> None:
    upload = begun(s3, bucket)
    parts = sent(s3, upload)
    outcomes: list[str] = []

    def complete() -> None:
        try:
            s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            outcomes.append("done")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=complete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["NoSuchUpload"] * 3 + ["done"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == WHOLE


def test_the_sdk_uploads_and_downloads_large_files(s3: Any, bucket: str, tmp_path: Any) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(WHOLE)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(source), bucket, "k", Config=config)
    s3.download_file(bucket, "k", str(target), Config=config)
    assert target.read_bytes() == WHOLE
