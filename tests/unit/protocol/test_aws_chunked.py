"""Payloads in chunks: AWS's published example, and what was changed in it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.protocol.aws_chunked import MalformedChunks, is_chunked, payload_of
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import read_signature
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.protocol.sigv4_verification import signing_key, verify

# Amazon S3 API reference, "Transferring payload in multiple chunks".
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105
NOW_S = 1_369_353_600  # 20130524T000000Z
CHUNKS = (
    (65_536, b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1_024, b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)
EXAMPLE = HttpRequest(
    method="PUT",
    path="/examplebucket/chunkObject.txt",
    headers={
        "host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
        "aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;"
        "x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,"
        "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": "66824",
    },
    body=b"".join(
        b"%x;chunk-signature=%s\r\n%s\r\n" % (size, signature, b"a" * size)
        for size, signature in CHUNKS
    ),
)


def test_the_example_is_accepted() -> None:
    signature = read_signature(EXAMPLE)
    verify(EXAMPLE, signature, SECRET, now_s=NOW_S)
    assert is_chunked(EXAMPLE)
    assert payload_of(EXAMPLE, signature, SECRET).data == b"a" * 66_560


@pytest.mark.parametrize("place", [100, 65_536 + 300, 66_000])
def test_no_byte_of_the_payload_can_be_changed(place: int) -> None:
    body = EXAMPLE.body[:place] + b"b" + EXAMPLE.body[place + 1 :]
    with pytest.raises(SignatureRefused) as caught:
        payload_of(replace(EXAMPLE, body=body), read_signature(EXAMPLE), SECRET)
    assert caught.value.fault is Fault.CHUNK


def test_chunks_cannot_be_left_out() -> None:
    first = EXAMPLE.body[: 65_536 + 90]
    last = EXAMPLE.body[-86:]
    with pytest.raises((SignatureRefused, MalformedChunks)):
        payload_of(replace(EXAMPLE, body=first + last), read_signature(EXAMPLE), SECRET)
    with pytest.raises(MalformedChunks):
        payload_of(replace(EXAMPLE, body=first), read_signature(EXAMPLE), SECRET)


def test_chunks_without_signatures_are_refused_where_signed_ones_are_announced() -> None:
    body = b"1\r\na\r\n0\r\n\r\n"
    with pytest.raises(SignatureRefused):
        payload_of(replace(EXAMPLE, body=body), read_signature(EXAMPLE), SECRET)


def with_trailers(mode: str, body: bytes, length: int) -> HttpRequest:
    headers = {**EXAMPLE.headers, "x-amz-content-sha256": mode}
    headers["x-amz-decoded-content-length"] = str(length)
    return replace(EXAMPLE, headers=headers, body=body)


def test_trailers_are_read() -> None:
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    request = with_trailers("STREAMING-UNSIGNED-PAYLOAD-TRAILER", body, 5)
    payload = payload_of(request, read_signature(request), SECRET)
    assert (payload.data, payload.trailers) == (b"hello", {"x-amz-checksum-crc32": "NhCmhg=="})


def signed_chain(*parts: tuple[str, str]) -> list[str]:
    """Signatures of a chain, as the S3 API reference defines them."""
    signature = read_signature(EXAMPLE)
    key, last, made = signing_key(SECRET, signature), signature.value, []
    for kind, what in parts:
        text = f"{kind}\n{signature.timestamp}\n{signature.credential.scope}\n{last}\n{what}"
        last = hmac.new(key, text.encode(), "sha256").hexdigest()
        made.append(last)
    return made


@pytest.mark.parametrize("checksum", ["NhCmhg==", "another="])
def test_signed_trailers_cannot_be_changed(checksum: str) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    trailer = hashlib.sha256(b"x-amz-checksum-crc32:NhCmhg==\n").hexdigest()
    hello = hashlib.sha256(b"hello").hexdigest()
    one, end, trailers = signed_chain(
        ("AWS4-HMAC-SHA256-PAYLOAD", f"{empty}\n{hello}"),
        ("AWS4-HMAC-SHA256-PAYLOAD", f"{empty}\n{empty}"),
        ("AWS4-HMAC-SHA256-TRAILER", trailer),
    )
    body = (
        f"5;chunk-signature={one}\r\nhello\r\n0;chunk-signature={end}\r\n"
        f"x-amz-checksum-crc32:{checksum}\r\nx-amz-trailer-signature:{trailers}\r\n\r\n"
    ).encode()
    request = with_trailers("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", body, 5)
    if checksum == "NhCmhg==":
        assert payload_of(request, read_signature(request), SECRET).data == b"hello"
        return
    with pytest.raises(SignatureRefused):
        payload_of(request, read_signature(request), SECRET)


@given(st.binary(max_size=200))
def test_garbage_is_refused(body: bytes) -> None:
    request = with_trailers("STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"5\r\nhell" + body, 5)
    try:
        payload = payload_of(request, None, None)
    except MalformedChunks:
        return
    assert len(payload.data) == 5
