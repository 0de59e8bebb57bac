"""Requests that are read in one pass are those that llhttp reads, in the same way."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.http1 import BadHttp, Http1Limits, RequestParser

LIMITS = Http1Limits(head_bytes=1_000, body_bytes=100, whole_bytes=50)
PLAIN = (
    b"POST /2015-03-31/functions/f/invocations?Qualifier=1 HTTP/1.1\r\n"
    b"Host: localhost:4566\r\n"
    b"x-Own-Header:  a b, c \r\n"
    b"Connection: keep-alive\r\n"
    b"Content-Length: 3\r\n\r\nabc"
)


def whole(data: bytes) -> HttpRequest | None:
    """Read in one pass what llhttp reads in the same way."""
    found = RequestParser(LIMITS).whole(data)
    if found is not None:
        parser = RequestParser(LIMITS)
        assert parser.feed(data) == [found]
        assert parser.keep_alive
        assert parser.idle
        (fed,) = RequestParser(LIMITS).feed(data)
        assert fed.head == found.head
    return found


def test_a_usual_request_is_read_in_one_pass() -> None:
    assert whole(PLAIN) == HttpRequest(
        method="POST",
        path="/2015-03-31/functions/f/invocations",
        query="Qualifier=1",
        headers={
            "host": "localhost:4566",
            "x-own-header": "a b, c",
            "connection": "keep-alive",
            "content-length": "3",
        },
        body=b"abc",
    )
    assert whole(b"GET / HTTP/1.1\r\n\r\n") is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"abc", b"ab"),
        (b"abc", b"abcd"),
        (b"POST", b"\r\nPOST"),
        (b"POST", b"CONNECT"),
        (b" /2015", b" http://host/2015"),
        (b"?Q", b"#Q"),
        (b"/f/", b"/ f/"),
        (b"/1.1", b"/1.0"),
        (b"-alive", b"-alive, upgrade"),
        (b"keep-alive", b"close"),
        (b"Own-Header:", b"Own Header:"),
        (b"x-Own-Header:", b":"),
        (b"x-Own-Header", b"Content-Length"),
        (b"x-Own-Header", b"Transfer-Encoding"),
        (b"x-Own-Header", b"Host"),
        (b"x-Own-Header", b"Expect"),
        (b"x-Own-Header", b"Upgrade"),
        (b"x-Own-Header: ", b"x-Own-Header\r\n"),
        (b"x-Own-Header: ", b" folded: "),
        (b"a b, c", b"a\nb"),
        (b"a b, c", b"a\0b"),
        (b"a b, c", b"\xe9"),
        (b"a b, c", b"x" * 1_000),
        (b": 3", b": 03"),
        (b": 3", b": +3"),
        (b": 3", b": 3,3"),
        (b": 3", b": \xb3"),
        (b": 3\r\n\r\nabc", b": 51\r\n\r\n" + b"x" * 51),
    ],
)
def test_whatever_is_less_usual_is_left_to_llhttp(old: bytes, new: bytes) -> None:
    data = PLAIN.replace(old, new)
    assert data != PLAIN
    assert RequestParser(LIMITS).whole(data) is None


def test_bytes_of_a_request_that_has_begun_are_no_request() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(PLAIN[:30])
    assert parser.whole(PLAIN) is None
    parser = RequestParser(LIMITS)
    parser.feed(PLAIN[:-3])
    assert parser.whole(PLAIN) is None
    assert [each.body for each in parser.feed(b"abc" + PLAIN)] == [b"abc", b"abc"]
    assert parser.whole(PLAIN) is not None


def test_nothing_is_read_behind_the_last_request() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(PLAIN.replace(b"keep-alive", b"close"))
    assert parser.whole(PLAIN) is None
    parser = RequestParser(LIMITS)
    with pytest.raises(BadHttp):
        parser.feed(b"\0")
    assert parser.whole(PLAIN) is None


PLACES = (0, 3, 4, 5, 16, 53, 63, 71, 72, 76, 77, 95, 98, 107, 108, 109, 116, 146, 163, 165, 167)


@pytest.mark.parametrize("place", PLACES)
def test_every_byte_is_read_as_llhttp_reads_it(place: int) -> None:
    for byte in range(256):
        whole(PLAIN[:place] + bytes((byte,)) + PLAIN[place + 1 :])
        whole(PLAIN[:place] + bytes((byte,)) + PLAIN[place:])


LINES = st.sampled_from(
    [
        b"Host: x",
        b"A:b",
        b"a: c \t",
        b"\xff: d",
        b"Content-Length: 3",
        b"Content-Length: 0",
        b"content-length: 3",
        b"Transfer-Encoding: chunked",
        b"Connection: keep-alive",
        b"Connection: Upgrade",
        b"Upgrade: h2c",
        b"X: " + b"y" * 600,
    ]
)


@settings(max_examples=300)
@given(
    st.sampled_from([b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"HEAD //%2e HTTP/1.1", b"G / X"]),
    st.lists(st.one_of(LINES, st.binary(max_size=10)), max_size=6),
    st.sampled_from([b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n"]),
)
@example(b"GET / HTTP/1.1", [b"A:b"], b"")
def test_whatever_comes_is_read_as_llhttp_reads_it(
    line: bytes, headers: list[bytes], body: bytes
) -> None:
    whole(b"\r\n".join([line, *headers]) + b"\r\n\r\n" + body)


MESSAGES = st.sampled_from(
    [
        PLAIN,
        PLAIN[:-3] + b"xyz",
        PLAIN.replace(b"a b, c ", b"a b,\tc "),
        PLAIN.replace(b": 3\r\n\r\nabc", b": 30\r\n\r\nab"),
        PLAIN.replace(b": 3\r\n\r\nabc", b": 3\r\n0\r\n\r\n"),
        PLAIN.replace(b"Connection: keep-alive", b"Connection: close     "),
        PLAIN.replace(b"/f/", b"/g/"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n\r\n",
        b"\r\n",
    ]
)


@settings(max_examples=300)
@given(st.lists(MESSAGES, max_size=6))
def test_what_came_before_on_a_connection_changes_nothing(messages: list[bytes]) -> None:
    """A head that comes again is not read again."""
    mixed, fed = RequestParser(LIMITS), RequestParser(LIMITS)
    for data in messages:
        found = mixed.whole(data)
        read = answer(mixed, data) if found is None else [found]
        assert read == answer(fed, data)
        assert mixed.keep_alive == fed.keep_alive


def answer(parser: RequestParser, data: bytes) -> list[HttpRequest] | int:
    try:
        return parser.feed(data)
    except BadHttp as bad:
        return bad.status


def test_a_head_of_very_many_headers_is_left_to_llhttp() -> None:
    limits = Http1Limits(head_bytes=100_000, body_bytes=0)
    for count, read in ((64, True), (65, False)):
        lines = b"".join(b"a%d:\r\n" % number for number in range(count))
        found = RequestParser(limits).whole(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
        assert (found is not None) == read
    long = b"GET / HTTP/1.1\r\nA: " + b"b" * 5_000 + b"\r\n\r\n"
    assert RequestParser(limits).whole(long) is None
