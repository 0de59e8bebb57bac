"""What the HTTP/1.1 parser takes, what it refuses, and that its cutting is no matter."""

from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.http1 import BadHttp, Http1Limits, RequestParser

LIMITS = Http1Limits(head_bytes=1_000, body_bytes=100)
SPLITS = st.lists(st.integers(0, 3_000), max_size=12)


def feed_all(
    pieces: list[bytes], limits: Http1Limits = LIMITS
) -> tuple[list[HttpRequest], int | None, bool]:
    """Return all requests, the status of the refusal if any, and whether the connection stays."""
    parser = RequestParser(limits)
    requests: list[HttpRequest] = []
    try:
        for piece in pieces:
            requests += parser.feed(piece)
    except BadHttp as bad:
        return requests + bad.requests, bad.status, False
    return requests, None, parser.keep_alive


def cut(data: bytes, positions: list[int]) -> list[bytes]:
    bounds = [0, *sorted(p for p in positions if p <= len(data)), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


def request_bytes(head: str, body: bytes = b"") -> bytes:
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


def status_of(data: bytes) -> int | None:
    return feed_all([data])[1]


def test_a_request_is_returned_whole() -> None:
    data = request_bytes(
        "POST /a%2Fb?c=d&e HTTP/1.1\nHost: x\nX-Amz-Date:  now \nContent-Length: 3", b"abc"
    )
    requests, refused, keep_alive = feed_all([data])
    assert requests == [
        HttpRequest(
            method="POST",
            path="/a%2Fb",
            query="c=d&e",
            headers={"host": "x", "x-amz-date": "now", "content-length": "3"},
            body=b"abc",
        )
    ]
    assert refused is None
    assert keep_alive


def test_repeated_headers_are_joined() -> None:
    requests, _, _ = feed_all([request_bytes("GET / HTTP/1.1\nX-A: 1\nx-a: 2")])
    assert requests[0].headers == {"x-a": "1,2"}


def test_chunked_bodies_are_decoded_and_their_trailers_dropped() -> None:
    chunks = b"3;x=y\r\nabc\r\n2\r\n\r\n\r\n0\r\nHost: evil\r\n\r\n"
    data = request_bytes("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", chunks)
    requests, refused, _ = feed_all([data + request_bytes("GET /next HTTP/1.1")])
    assert refused is None
    assert [(r.path, r.body) for r in requests] == [("/", b"abc\r\n"), ("/next", b"")]
    assert requests[0].headers["host"] == "x"


def test_pipelined_requests_come_in_order() -> None:
    data = b"".join(request_bytes(f"GET /{n} HTTP/1.1") for n in range(200))
    requests, _, keep_alive = feed_all([data])
    assert [r.path for r in requests] == [f"/{n}" for n in range(200)]
    assert keep_alive


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        ("GET / HTTP/1.1", True),
        ("GET / HTTP/1.1\nConnection: close", False),
        ("GET / HTTP/1.0", False),
        ("GET / HTTP/1.0\nConnection: keep-alive", True),
    ],
)
def test_keep_alive_follows_version_and_connection_header(head: str, keep_alive: bool) -> None:
    requests, refused, kept = feed_all([request_bytes(head) + b"GET /dropped"])
    assert kept is keep_alive
    assert refused is None
    assert len(requests) == 1


def test_an_offered_upgrade_is_ignored_and_the_body_still_read() -> None:
    """Java's HTTP client offers h2c with every request, bodies included."""
    offer = "HTTP/1.1\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: A"
    data = (
        request_bytes(f"POST /1 {offer}\nContent-Length: 3", b"abc")
        + request_bytes(f"POST /2 {offer}\nTransfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n")
        + request_bytes(f"GET /3 {offer}")
        + request_bytes("GET /4 HTTP/1.1")
    )
    requests, refused, keep_alive = feed_all([data])
    assert refused is None
    assert keep_alive
    assert [(r.path, r.body) for r in requests] == [
        ("/1", b"abc"),
        ("/2", b"x"),
        ("/3", b""),
        ("/4", b""),
    ]
    assert all("http2-settings" in r.headers for r in requests[:3])


def test_absolute_form_gives_the_path() -> None:
    data = request_bytes("GET http://lambda:4566/2015-03-31/functions?x=1 HTTP/1.1")
    request = feed_all([data])[0][0]
    assert (request.path, request.query) == ("/2015-03-31/functions", "x=1")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (request_bytes("GET / HTTP/1.1\nA: b\0c"), 400),
        (request_bytes("GET / HTTP/1.1\nA : b"), 400),
        (request_bytes("GET / HTTP/1.1\nA: b\n folded"), 400),
        (b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
        (request_bytes("CONNECT a:1 HTTP/1.1"), 405),
        (request_bytes("POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked"), 501),
        (request_bytes("POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 1"), 400),
        (request_bytes("POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 1"), 400),
        (request_bytes("POST / HTTP/1.1\nContent-Length: -1"), 400),
        (request_bytes("POST / HTTP/1.1\nContent-Length: 101"), 413),
        (request_bytes("POST / HTTP/1.1\nContent-Length: 9\nExpect: 200-maybe"), 417),
        (request_bytes("GET / HTTP/1.1\nA: " + "b" * 1_000), 431),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 1_000, 431),
        (request_bytes("POST / HTTP/1.1\nTransfer-Encoding: chunked", b"ZZ\r\n"), 400),
        (
            request_bytes("POST / HTTP/1.1\nTransfer-Encoding: chunked", b"65\r\n" + b"x" * 101),
            413,
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_fitting_status(data: bytes, status: int) -> None:
    assert status_of(data) == status


def test_too_many_headers_are_refused() -> None:
    limits = Http1Limits(head_bytes=1_000_000, body_bytes=0)
    data = b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 1_001 + b"\r\n"
    assert feed_all([data], limits)[1] == 431


def test_requests_before_a_refused_one_are_not_lost() -> None:
    parser = RequestParser(LIMITS)
    with pytest.raises(BadHttp) as refused:
        parser.feed(request_bytes("GET /good HTTP/1.1") + b"\0")
    assert [r.path for r in refused.value.requests] == ["/good"]
    with pytest.raises(BadHttp):
        parser.feed(request_bytes("GET /later HTTP/1.1"))


def test_an_oversized_body_is_refused_before_it_is_sent() -> None:
    parser = RequestParser(LIMITS)
    with pytest.raises(BadHttp) as refused:
        parser.feed(request_bytes("POST / HTTP/1.1\nContent-Length: 101\nExpect: 100-continue"))
    assert refused.value.status == 413
    assert not parser.wants_continue


def test_the_limit_may_depend_on_the_head() -> None:
    seen = []

    def on_head(method: str, path: str, headers: object) -> Http1Limits | None:
        seen.append((method, path))
        return Http1Limits(head_bytes=0, body_bytes=5) if path == "/small" else None

    parser = RequestParser(LIMITS, on_head)
    assert len(parser.feed(request_bytes("PUT /big HTTP/1.1\nContent-Length: 6", b"123456"))) == 1
    with pytest.raises(BadHttp) as refused:
        parser.feed(request_bytes("PUT /small HTTP/1.1\nContent-Length: 6"))
    assert refused.value.status == 413
    assert seen == [("PUT", "/big"), ("PUT", "/small")]


def test_a_waiting_client_is_told_of_once() -> None:
    parser = RequestParser(LIMITS)
    head = request_bytes("PUT / HTTP/1.1\nContent-Length: 2\nExpect: 100-continue")
    assert parser.feed(head) == []
    assert parser.wants_continue
    assert parser.feed(b"a") == []
    assert not parser.wants_continue
    assert parser.feed(b"b")[0].body == b"ab"
    assert len(parser.feed(head + b"ab")) == 1
    assert not parser.wants_continue


def test_idle_tells_whether_a_request_has_begun() -> None:
    parser = RequestParser(LIMITS)
    assert parser.idle
    parser.feed(b"\r\nG")
    assert not parser.idle
    parser.feed(b"ET / HTTP/1.1\r\n\r\n")
    assert parser.idle


def test_endless_chunk_extensions_are_refused() -> None:
    pieces = [request_bytes("POST / HTTP/1.1\nTransfer-Encoding: chunked"), b"1;"]
    assert feed_all(pieces + [b"x" * 100] * 12)[1] == 413


def test_a_body_in_single_bytes_costs_no_more_memory_than_the_body() -> None:
    limits = Http1Limits(head_bytes=1_000, body_bytes=100_000)
    parser = RequestParser(limits)
    parser.feed(request_bytes("POST / HTTP/1.1\nContent-Length: 100000"))
    for _ in range(99_999):
        parser.feed(b"x")
    assert sys.getsizeof(parser._body) < 150_000
    assert parser.feed(b"x")[0].body == b"x" * 100_000


@pytest.mark.parametrize("position", range(1, 80))
def test_a_chunked_message_ends_where_it_ends_wherever_it_is_cut(position: int) -> None:
    data = request_bytes(
        "POST /1 HTTP/1.1\nTransfer-Encoding: chunked", b"4\r\n\r\n\r\n\r\n0\r\n\r\n"
    ) + request_bytes("GET /2 HTTP/1.1")
    requests, refused, _ = feed_all(cut(data, [position]))
    assert refused is None
    assert [(r.path, r.body) for r in requests] == [("/1", b"\r\n\r\n"), ("/2", b"")]


FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.1\r\n",
        b"Host: x\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 200\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Upgrade: h2c\r\nConnection: upgrade\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nA: b\r\n\r\n",
        b"\0",
        b"CONNECT ",
        b"1;" + b"e" * 300,
        b"X: " + b"y" * 600,
    ]
)


def comparable(outcome: tuple[list[HttpRequest], int | None, bool]) -> object:
    requests, status, keep_alive = outcome
    # Where one piece holds both, too large and malformed, either may be found first.
    return requests, 400 if status == 413 else status, keep_alive


@settings(max_examples=300)
@given(st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=25).map(b"".join), SPLITS)
@example(
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", [60]
)
def test_the_cutting_of_the_bytes_changes_nothing(data: bytes, positions: list[int]) -> None:
    whole = comparable(feed_all([data]))
    assert comparable(feed_all(cut(data, positions))) == whole
    assert comparable(feed_all([data[i : i + 1] for i in range(len(data))])) == whole


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_arbitrary_bytes_are_refused_or_waited_for(pieces: list[bytes]) -> None:
    requests, _, _ = feed_all(pieces)
    assert all(len(r.body) <= LIMITS.body_bytes for r in requests)


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"/[a-zA-Z0-9%/._~:-]{0,30}", fullmatch=True),
            st.binary(max_size=100),
            st.booleans(),
        ),
        max_size=5,
    ),
    SPLITS,
)
def test_what_was_sent_is_what_is_read(
    sent: list[tuple[str, bytes, bool]], positions: list[int]
) -> None:
    data = b""
    for path, body, chunked in sent:
        if chunked:
            framed = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
            data += request_bytes(f"POST {path} HTTP/1.1\nTransfer-Encoding: chunked", framed)
        else:
            data += request_bytes(f"POST {path} HTTP/1.1\nContent-Length: {len(body)}", body)
    requests, refused, _ = feed_all(cut(data, positions))
    assert refused is None
    assert [(r.path, r.body) for r in requests] == [(path, body) for path, body, _ in sent]


def test_a_body_with_a_sink_is_given_away_piece_by_piece() -> None:
    pieces: list[bytes] = []
    limits = Http1Limits(head_bytes=1000, body_bytes=100, sink=pieces.append)
    parser = RequestParser(LIMITS, on_head=lambda *_: limits)
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert parser.feed(head + b"3\r\nabc\r\n") == []
    assert pieces == [b"abc"]
    trailer = b"Lambda-Runtime-Function-Error-Type: Function.Broken\r\nOther: x\r\n"
    (request,) = parser.feed(b"2\r\nde\r\n0\r\n" + trailer + b"\r\n")
    assert b"".join(pieces) == b"abcde"
    assert request.body == b""
    assert request.headers["lambda-runtime-function-error-type"] == "Function.Broken"
    assert "other" not in request.headers


def test_a_body_with_a_sink_is_still_limited() -> None:
    limits = Http1Limits(head_bytes=1000, body_bytes=4, sink=lambda _: None)
    parser = RequestParser(LIMITS, on_head=lambda *_: limits)
    parser.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    with pytest.raises(BadHttp) as bad:
        parser.feed(b"3\r\nabc\r\n")
    assert bad.value.status == 413


def test_trailers_behind_a_sink_are_limited() -> None:
    limits = Http1Limits(head_bytes=1000, body_bytes=10**9, sink=lambda _: None)
    parser = RequestParser(LIMITS, on_head=lambda *_: limits)
    parser.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
    flood = b"Lambda-Runtime-Function-Error-Body: " + b"x" * 100
    with pytest.raises(BadHttp):
        any(parser.feed(flood) for _ in range(100))
