"""Encoded responses: framing, and that no header can break out of its line."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.protocol.http import HttpResponse
from lambdad.protocol.http1 import encode_response


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def read_back(data: bytes, method: str = "GET") -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(_Socket(data), method=method)  # type: ignore[arg-type]
    response.begin()
    return response


def test_a_response_is_framed_by_its_length() -> None:
    response = HttpResponse(status=200, headers={"X-A": "b"}, body=b"hello")
    assert encode_response(response, keep_alive=True) == (
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"
    )


def test_closing_is_announced() -> None:
    data = encode_response(HttpResponse(status=404), keep_alive=False)
    assert data == b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_head_gets_the_length_but_no_body() -> None:
    data = encode_response(HttpResponse(status=200, body=b"abc"), keep_alive=True, head_only=True)
    assert data.endswith(b"Content-Length: 3\r\n\r\n")


def test_no_content_has_neither_length_nor_body() -> None:
    data = encode_response(HttpResponse(status=204, body=b"abc"), keep_alive=True)
    assert data == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_framing_headers_of_the_response_are_ignored() -> None:
    headers = {"content-length": "99", "Transfer-Encoding": "chunked", "CONNECTION": "close"}
    data = encode_response(HttpResponse(status=200, headers=headers, body=b"x"), keep_alive=True)
    assert data == b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"


@pytest.mark.parametrize("name", ["A B", "A\r\nB", "", "A:", "Ä", "A\n"])
def test_what_is_no_header_name_is_a_programming_error(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        encode_response(HttpResponse(status=200, headers={name: "x"}), keep_alive=True)


@given(st.dictionaries(st.sampled_from(["A", "B", "Content-Type"]), st.text()), st.binary())
def test_no_header_value_can_end_its_line(headers: dict[str, str], body: bytes) -> None:
    data = encode_response(HttpResponse(status=200, headers=headers, body=body), keep_alive=True)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert rest == body
    assert len(head.split(b"\r\n")) == 2 + len(headers)
    assert not any(byte < 32 and byte != 9 for byte in head.replace(b"\r\n", b""))
    assert read_back(data).read() == body
