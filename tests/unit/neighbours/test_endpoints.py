"""Requests that are handed on to AWS are signed by the daemon, those to others are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.endpoints import Aws, Endpoint
from lambdad.neighbours.forwarding import ForwardingFailed, forward
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import parse_credential

CLIENTS = HttpRequest(
    method="POST",
    path="/a%20b",
    query="X-Amz-Signature=0&X-Amz-Credential=client&Action=x",
    headers={
        "host": "localhost:4566",
        "authorization": "AWS4-HMAC-SHA256 Credential=client/1/r/sqs/aws4_request",
        "x-amz-date": "20200101T000000Z",
        "x-amz-target": "AmazonSQS.ListQueues",
    },
    body=b"{}",
)


def test_aws_gets_the_daemons_signature_and_nothing_of_the_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "daemon")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    signed = Aws("sqs")._sign(CLIENTS, "sqs.eu-west-1.amazonaws.com", "eu-west-1")
    credential = parse_credential(signed)
    assert credential is not None
    assert (credential.access_key, credential.region, credential.service) == (
        "daemon",
        "eu-west-1",
        "sqs",
    )
    assert signed.query == "Action=x"
    assert signed.headers["host"] == "sqs.eu-west-1.amazonaws.com"
    assert signed.headers["x-amz-target"] == "AmazonSQS.ListQueues"
    assert signed.headers["x-amz-date"] != "20200101T000000Z"
    assert "client" not in str(signed)


def test_what_is_no_address_is_refused_with_a_remedy() -> None:
    with pytest.raises(HostUnfit, match="is no address of a service"):
        Endpoint("ftp://x")


async def answered(
    respond: Callable[[bytes], bytes], request: HttpRequest = CLIENTS
) -> tuple[int, bytes, bytes]:
    """Forward a request to a server that answers so; returns status, body and what it got."""
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(respond(bytes(got)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        response = await forward(request, lambda: asyncio.open_connection("127.0.0.1", port))
        body = response.body
        if response.pieces is not None:
            body = b"".join([piece async for piece in response.pieces])
    return response.status, body, bytes(got)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi"),
        (b"HTTP/1.1 201 Created\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n", b""),
    ],
    ids=["length", "chunks", "close", "interim"],
)
async def test_an_answer_comes_back_however_it_is_framed(answer: bytes, body: bytes) -> None:
    status, found, got = await answered(lambda _: answer)
    assert (status, found) == (201, body)
    assert got.startswith(b"POST /a%20b?X-Amz-Signature=0")
    assert b"\r\nhost: localhost:4566\r\n" in got


@pytest.mark.parametrize(
    "head", [b"Content-Length: 5\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab"]
)
async def test_an_answer_that_breaks_off_is_a_failure(head: bytes) -> None:
    with pytest.raises(ForwardingFailed):
        await answered(lambda _: b"HTTP/1.1 200 OK\r\n" + head)
