"""Signatures: what AWS's own signers made is accepted, and nothing that was changed since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import (
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import read_signature
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.protocol.sigv4_verification import verify
from lambdad.testing.clients import to_http_request

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's example
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

SIGNERS: dict[str, tuple[Callable[..., Any], str]] = {
    "header": (SigV4Auth, "lambda"),
    "query": (SigV4QueryAuth, "sts"),
    "s3-header": (S3SigV4Auth, "s3"),
    "s3-query": (S3SigV4QueryAuth, "s3"),
}


def signed(
    kind: str = "header",
    *,
    method: str = "POST",
    path: str = "/2015-03-31/functions/hello/invocations",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
    token: str | None = None,
    at: datetime = NOW,
    https: bool = False,
) -> HttpRequest:
    """A request as botocore signs and sends it."""
    signer, service = SIGNERS[kind]
    request = AWSRequest(
        method=method,
        url=f"http{'s' if https else ''}://localhost:4566{path}{'?' if query else ''}{query}",
        headers=headers or {},
        data=b"" if kind.endswith("query") else body,  # its fields would become parameters
    )
    credentials = Credentials("AKIDEXAMPLE", SECRET, token)
    with patch("botocore.auth.get_current_datetime", return_value=at.replace(tzinfo=None)):
        signer(credentials, service, "eu-west-1").add_auth(request)
    return to_http_request(request.prepare())


def check(request: HttpRequest, *, secret: str = SECRET, now: datetime = NOW) -> None:
    verify(request, read_signature(request), secret, now_s=now.timestamp())


def fault_of(request: HttpRequest, *, secret: str = SECRET, now: datetime = NOW) -> Fault:
    with pytest.raises(SignatureRefused) as caught:
        check(request, secret=secret, now=now)
    return caught.value.fault


kinds = st.sampled_from(sorted(SIGNERS))
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
paths = st.lists(names.filter(lambda name: name not in (".", "..")), max_size=4).map(
    lambda parts: "/" + "/".join(quote(part, safe="~") for part in parts)
)
# botocore's presigner keeps one value of a repeated parameter, and none that looks like its own.
queries = st.dictionaries(names.filter(lambda name: not name.startswith("X-Amz")), names).map(
    lambda pairs: "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs.items()
    )
)
plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
headers = st.dictionaries(
    st.sampled_from(["X-Amz-Invocation-Type", "X-Own", "Content-Type"]), plain
)


@given(kinds, paths, queries, headers, st.data())
def test_what_botocore_signed_is_accepted(
    kind: str, path: str, query: str, headers: dict[str, str], data: st.DataObject
) -> None:
    body = data.draw(st.binary(max_size=64))
    token = data.draw(st.none() | st.just("to/ken+="))
    check(signed(kind, path=path, query=query, headers=headers, body=body, token=token))


def changed(request: HttpRequest, part: str) -> HttpRequest:
    """The request with one part of it another."""
    if part in NEW_HEADERS:
        return replace(request, headers={**request.headers, **NEW_HEADERS[part]})
    others: dict[str, dict[str, Any]] = {
        "method": {"method": "PUT"},
        "path": {"path": request.path + "x"},
        "query": {"query": f"{request.query}&a=1" if request.query else "a=1"},
        "body": {"body": request.body + b" "},
    }
    return replace(request, **others[part])


NEW_HEADERS = {
    "host": {"host": "elsewhere"},
    "header": {"x-own": "2"},
    "new header": {"x-amz-new": "1"},
    "token": {"x-amz-security-token": "another"},
}
PARTS = ["method", "path", "query", "body", "host", "header", "new header", "token"]


@pytest.mark.parametrize("kind", sorted(SIGNERS))
@pytest.mark.parametrize("part", PARTS)
def test_nothing_that_is_signed_can_be_changed(kind: str, part: str) -> None:
    request = signed(kind, headers={"X-Own": "1"}, token="token")
    check(request)
    if kind == "s3-query" and part == "body":
        check(changed(request, part))  # S3: the address says nothing of the body
        return
    assert fault_of(changed(request, part)) in (
        Fault.MISMATCH,
        Fault.PAYLOAD,
        Fault.NOT_SIGNED_HEADER,
    )


@given(kinds, st.data())
def test_no_letter_of_the_signed_head_can_be_changed(kind: str, data: st.DataObject) -> None:
    request = signed(kind, query="b=2&a=1", headers={"X-Own": "one  two"})
    text = request.headers.get("authorization") or request.query
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    other = f"{text[:place]}{letter}{text[place + 1 :]}"
    if "authorization" in request.headers:
        tampered = replace(request, headers={**request.headers, "authorization": other})
    else:
        tampered = replace(request, query=other)
    try:
        check(tampered)
    except SignatureRefused:
        return
    # What is left is the same claim in other words: a separator, a letter's case, the access key
    # (which chooses the secret and is in no signature).
    before, after = read_signature(request), read_signature(tampered)
    same = replace(before, credential=replace(before.credential, access_key="any"))
    assert replace(after, credential=replace(after.credential, access_key="any")) == same
    assert before.value == after.value


@pytest.mark.parametrize("kind", sorted(SIGNERS))
def test_another_secret_is_refused(kind: str) -> None:
    assert fault_of(signed(kind), secret=SECRET[:-1]) is Fault.MISMATCH


@pytest.mark.parametrize("kind", ["header", "s3-header"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clock_may_be_a_quarter_of_an_hour_wrong(kind: str, sign: int) -> None:
    check(signed(kind), now=NOW + sign * timedelta(minutes=15))
    late = NOW + sign * timedelta(minutes=15, seconds=1)
    assert fault_of(signed(kind), now=late) is Fault.OUT_OF_TIME


def test_an_old_signature_is_told_by_how_much() -> None:
    with pytest.raises(SignatureRefused) as caught:
        check(signed(), now=NOW + timedelta(minutes=20))
    assert caught.value.text == (
        "Signature expired: 20260304T050607Z is now earlier than 20260304T051107Z "
        "(20260304T052607Z - 15 min.)"
    )


@pytest.mark.parametrize("kind", ["query", "s3-query"])
def test_a_presigned_address_lasts_as_long_as_it_says(kind: str) -> None:
    check(signed(kind), now=NOW + timedelta(seconds=3600))
    assert fault_of(signed(kind), now=NOW + timedelta(seconds=3601)) is Fault.URL_EXPIRED
    assert fault_of(signed(kind), now=NOW - timedelta(minutes=16)) is Fault.OUT_OF_TIME


@pytest.mark.parametrize("expires", ["0", "604801", "x", "-1", "99999999999"])
def test_a_presigned_address_lasts_a_week_at_most(expires: str) -> None:
    request = signed("s3-query")
    query = request.query.replace("X-Amz-Expires=3600", f"X-Amz-Expires={expires}")
    assert fault_of(replace(request, query=query)) is Fault.INCOMPLETE


def test_the_day_of_the_scope_must_be_that_of_the_signature() -> None:
    request = signed(at=NOW)
    date = {**request.headers, "x-amz-date": "20260305T000000Z"}
    assert fault_of(replace(request, headers=date), now=NOW) is Fault.SCOPE


def test_s3_takes_a_payload_that_was_not_signed_and_lambda_does_not() -> None:
    request = signed("s3-header", https=True, headers={"Content-MD5": "x"})
    unsigned = {**request.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    assert fault_of(replace(request, headers=unsigned)) is Fault.MISMATCH  # it was signed another
    request = signed("header", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert fault_of(request) is Fault.MISMATCH


def test_s3_says_that_the_payload_is_not_the_one_announced() -> None:
    assert fault_of(replace(signed("s3-header"), body=b"other")) is Fault.PAYLOAD


def test_a_path_may_be_sent_less_encoded_than_signed() -> None:
    arn = "arn:aws:lambda:eu-west-1:000000000000:function:hello"
    request = signed(path=f"/2015-03-31/functions/{quote(arn, safe='')}/invocations")
    check(replace(request, path=request.path.replace("%3A", ":")))


def test_dots_in_a_path_mean_what_they_say() -> None:
    check(signed(path="/a/./b//../c/"))
    check(signed("s3-header", path="/bucket//a/../b/"))
    assert fault_of(replace(signed(path="/a/./b"), path="/a/c/../d")) is Fault.MISMATCH


def test_a_date_header_serves_as_well() -> None:
    check(signed(headers={"Date": "any"}))


@pytest.mark.parametrize("name", ["Credential", "SignedHeaders", "Signature"])
def test_what_is_missing_in_the_header_is_named(name: str) -> None:
    request = signed()
    authorization = request.headers["authorization"].replace(f"{name}=", "X=")
    with pytest.raises(SignatureRefused) as caught:
        check(replace(request, headers={**request.headers, "authorization": authorization}))
    assert caught.value.fault is Fault.INCOMPLETE
    assert f"Authorization header requires '{name}' parameter." in (caught.value.text or "")


def test_a_request_without_credentials_says_so() -> None:
    assert fault_of(HttpRequest(method="GET", path="/")) is Fault.MISSING


@settings(max_examples=300)
@given(st.text(st.characters(max_codepoint=255), max_size=200), st.text(max_size=80))
def test_no_header_or_query_brings_the_reader_down(authorization: str, query: str) -> None:
    for fields in (
        {"authorization": authorization},
        {"authorization": f"AWS4-HMAC-SHA256 {query}"},
    ):
        with pytest.raises(SignatureRefused):
            check(HttpRequest(method="GET", path="/", query=query, headers=fields))
    with pytest.raises(SignatureRefused):
        check(HttpRequest(method="GET", path="/", query=f"X-Amz-Signature={query}"))


@pytest.mark.parametrize(
    ("protocol", "fault", "code", "status"),
    [
        ("rest-json", Fault.MISMATCH, "InvalidSignatureException", 403),
        ("json", Fault.OUT_OF_TIME, "InvalidSignatureException", 403),
        ("rest-json", Fault.MISSING, "MissingAuthenticationTokenException", 403),
        ("rest-json", Fault.UNKNOWN_KEY, "UnrecognizedClientException", 403),
        ("rest-json", Fault.EXPIRED_TOKEN, "ExpiredTokenException", 403),
        ("query", Fault.MISMATCH, "SignatureDoesNotMatch", 403),
        ("query", Fault.UNKNOWN_KEY, "InvalidClientTokenId", 403),
        ("query", Fault.EXPIRED_TOKEN, "ExpiredToken", 403),
        ("s3", Fault.UNKNOWN_KEY, "InvalidAccessKeyId", 403),
        ("s3", Fault.URL_EXPIRED, "AccessDenied", 403),
        ("s3", Fault.OUT_OF_TIME, "RequestTimeTooSkewed", 403),
    ],
)
def test_each_protocol_has_its_names(protocol: str, fault: Fault, code: str, status: int) -> None:
    error = SignatureRefused(fault).as_error(protocol)
    assert (error.code, error.status) == (code, status)
