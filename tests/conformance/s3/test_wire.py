"""The ways to say the same: hosts, presigned addresses, forms, pages, chunks, the AWS CLI."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess

BODY = bytes(range(256)) * 2_000  # 512 kB: more than what is kept in memory


@pytest.fixture
def raw(daemon: DaemonProcess) -> Any:
    """Send a request as it is; returns status, headers in lower case, and body."""

    def send(
        method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(daemon.endpoint_url).netloc)
        with closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return response.status, found, response.read()

    return send


@pytest.mark.parametrize(
    "host",
    [
        "{}.s3.localhost:4566",
        "{}.localhost:4566",
        "{}.s3.amazonaws.com",
        "{}.s3.eu-west-1.amazonaws.com",
        "{}.s3.localhost.localstack.cloud:4566",
    ],
)
def test_the_bucket_may_stand_in_the_host(s3: Any, raw: Any, bucket: str, host: str) -> None:
    scope = "Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Host": host.format(bucket), "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    assert raw("PUT", "/a%20b", BODY, headers)[0] == 200
    assert s3.get_object(Bucket=bucket, Key="a b")["Body"].read() == BODY
    status, _, listed = raw("GET", "/?list-type=2", b"", headers)
    assert status == 200
    assert b"<Key>a b</Key>" in listed


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_addresses(daemon: DaemonProcess, raw: Any, bucket: str, version: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=daemon.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(signature_version=version),
    )
    params = {"Bucket": bucket, "Key": "k/1"}

    def path(operation: str) -> str:
        parts = urlsplit(client.generate_presigned_url(operation, Params=params))
        return f"{parts.path}?{parts.query}"

    assert raw("PUT", path("put_object"), BODY)[0] == 200
    status, headers, body = raw("GET", path("get_object"))
    assert (status, body) == (200, BODY)
    assert headers["content-length"] == str(len(BODY))
    status, headers, body = raw("HEAD", path("head_object"))
    assert (status, headers["content-length"], body) == (200, str(len(BODY)), b"")


def test_forms(s3: Any, raw: Any, bucket: str) -> None:
    post = s3.generate_presigned_post(
        bucket,
        "dir/${filename}",
        Fields={"success_action_status": "201", "x-amz-meta-a": "1"},
        Conditions=[
            {"success_action_status": "201"},
            {"x-amz-meta-a": "1"},
            ["content-length-range", 1, 10],
        ],
    )

    def send(content: bytes, **more: str) -> tuple[int, bytes]:
        lines = b"".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in {**post["fields"], **more}.items()
        )
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        status, _, body = raw(
            "POST", f"/{bucket}", lines + head + content + b"\r\n--b--\r\n", headers
        )
        return status, body

    status, body = send(b"content")
    assert status == 201
    assert b"<Key>dir/x.txt</Key>" in body
    found = s3.get_object(Bucket=bucket, Key="dir/x.txt")
    assert (found["Body"].read(), found["Metadata"]) == (b"content", {"a": "1"})
    assert b"EntityTooLarge" in send(b"more than ten bytes")[1]
    assert b"Policy Condition failed" in send(b"x", **{"x-amz-meta-a": "2"})[1]
    assert b"Extra input fields" in send(b"x", **{"x-amz-meta-b": "2"})[1]


def test_pages_of_other_origins(s3: Any, raw: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    rule = {
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedHeaders": ["x-amz-*", "content-type"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    asked = {
        "Origin": "https://a.example.com",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "Content-Type, X-Amz-Date",
    }
    status, headers, _ = raw("OPTIONS", f"/{bucket}/k", b"", asked)
    assert status == 200
    assert headers["access-control-allow-origin"] == "https://a.example.com"
    assert headers["access-control-allow-headers"] == "content-type, x-amz-date"
    assert headers["access-control-max-age"] == "60"
    refused = raw("OPTIONS", f"/{bucket}/k", b"", {**asked, "Origin": "https://other.org"})
    assert refused[0] == 403
    assert b"AccessForbidden" in refused[2]
    _, headers, body = raw("GET", f"/{bucket}/k", b"", {"Origin": "https://a.example.com"})
    assert (body, headers["access-control-expose-headers"]) == (b"x", "ETag")
    _, headers, _ = raw("GET", f"/{bucket}/k", b"", {"Origin": "https://other.org"})
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("body", [b"123456789", b"123456789" * 100_000], ids=["small", "large"])
def test_chunks_with_trailers(s3: Any, raw: Any, bucket: str, body: bytes) -> None:
    checksum = s3.put_object(Bucket=bucket, Key="other", Body=body)["ChecksumCRC32"]
    scope = "Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 {scope}",
        "Content-Encoding": "gzip,aws-chunked",
        "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length": str(len(body)),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }

    def send(trailer: str, key: str) -> int:
        half = len(body) // 2
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(each), each) for each in (body[:half], body[half:])
        )
        sent = chunks + b"0\r\nx-amz-checksum-crc32:" + trailer.encode() + b"\r\n\r\n"
        status: int = raw("PUT", f"/{bucket}/{key}", sent, headers)[0]
        return status

    assert send(checksum, "k") == 200
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (found["Body"].read(), found["ContentEncoding"]) == (body, "gzip")
    assert found["ChecksumCRC32"] == checksum
    assert send("AAAAAA==", "wrong") == 400


def test_errors_are_s3s(s3: Any, raw: Any, bucket: str) -> None:
    status, headers, body = raw("GET", f"/{bucket}/none")
    assert status == 404
    assert headers["content-type"] == "application/xml"
    assert b"<Code>NoSuchKey</Code>" in body
    assert b"<Key>none</Key>" in body
    assert headers["x-amz-request-id"].encode() in body
    assert raw("PATCH", f"/{bucket}/none")[0] == 405
    assert b"<Code>MalformedXML</Code>" in raw("POST", f"/{bucket}?delete", b"<x>")[2]


@pytest.mark.slow
def test_the_aws_cli_copies_and_synchronises(
    daemon: DaemonProcess, bucket: str, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "sub/b ü.bin").write_bytes(BODY * 20)

    def aws(*arguments: str) -> str:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        program = Path(sys.executable).parent / "aws"
        done = subprocess.run(
            [program, "--endpoint-url", daemon.endpoint_url, "s3", *arguments],
            check=False,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    aws("sync", str(source), f"s3://{bucket}/dir")
    assert aws("sync", str(source), f"s3://{bucket}/dir") == ""
    aws("mv", f"s3://{bucket}/dir/a.txt", f"s3://{bucket}/dir/c.txt")
    aws("cp", "--recursive", f"s3://{bucket}/dir", str(target))
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == ["b ü.bin", "c.txt"]
    assert (target / "sub/b ü.bin").read_bytes() == BODY * 20
    aws("rm", "--recursive", f"s3://{bucket}")
    assert aws("ls", f"s3://{bucket}") == ""


def test_an_upload_that_breaks_off_leaves_nothing(
    s3: Any, daemon: DaemonProcess, bucket: str
) -> None:
    incoming = daemon.data_dir / "neighbours/s3/incoming"
    address = urlsplit(daemon.endpoint_url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 9000000\r\n"
        connection.sendall(head.encode() + b"\r\n" + bytes(1_000_000))
        assert within_a_minute(lambda: any(incoming.iterdir()))
    assert within_a_minute(lambda: not any(incoming.iterdir()))
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def within_a_minute(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            return False
    return True
