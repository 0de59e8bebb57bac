"""Sends random requests to the APIs inside the sandbox: plausible, mutated, in pieces, unfinished.

The same seed gives the same requests.
"""

# ruff: noqa: S311

import json
import random
import socket
import time
import uuid

RUNTIME = ("127.0.0.1", 9001)
METHODS = [
    "GET",
    "POST",
    "PUT",
    "PUT",
    "POST",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "get",
    "",
    "\0",
]
PATHS = [
    "/2018-06-01/runtime/invocation/next",
    "/2018-06-01/runtime/invocation/{id}/response",
    "/2018-06-01/runtime/invocation/{id}/error",
    "/2018-06-01/runtime/invocation/{other}/response",
    "/2018-06-01/runtime/init/error",
    "/2018-06-01/runtime/restore/next",
    "/2018-06-01/ping",
    "/2020-01-01/extension/register",
    "/2020-01-01/extension/event/next",
    "/2020-01-01/extension/init/error",
    "/2020-01-01/extension/exit/error",
    "/2022-07-01/telemetry",
    "/2022-07-01/telemetry/../telemetry",
    "/2020-08-15/logs",
    "*",
    "http://169.254.169.254/latest",
    "/" + "a" * 9000,
]
HEADERS = [
    "Lambda-Extension-Name",
    "Lambda-Extension-Identifier",
    "Lambda-Extension-Accept-Feature",
    "Lambda-Extension-Function-Error-Type",
    "Lambda-Runtime-Function-Error-Type",
    "Lambda-Runtime-Function-Response-Mode",
    "Lambda-Runtime-Function-XRay-Error-Cause",
    "Content-Type",
    "Transfer-Encoding",
    "Content-Length",
    "Connection",
    "Expect",
    "Trailer",
    "Upgrade",
    "Host",
]
VALUES = [
    "",
    "watch",
    "Function.Error",
    "Extension.Crash",
    "streaming",
    "chunked",
    "gzip, chunked",
    "close",
    "keep-alive",
    "100-continue",
    "application/json",
    "application/vnd.awslambda.http-integration-response",
    "-1",
    "18446744073709551616",
    "0x10",
    "x" * 20_000,
    "\xff\xfe",
]
JSON = [
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "INVOKE",
    "SHUTDOWN",
    "platform",
    "HTTP",
    "http://sandbox.localdomain:8080/x",
    "http://127.0.0.1:4566/",
    "x" * 5000,
    "\ud800",
]
NAMES = [
    "events",
    "schemaVersion",
    "types",
    "destination",
    "buffering",
    "protocol",
    "URI",
    "port",
    "maxItems",
    "timeoutMs",
    "configurationKeys",
    "errorMessage",
]


def document(dice, depth=0):
    """Random JSON, of names that the APIs know."""
    kind = dice.random()
    if depth > 3 or kind < 0.4:
        return dice.choice(JSON)
    if kind < 0.7:
        return [document(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice(NAMES): document(dice, depth + 1) for _ in range(dice.randrange(6))}


def body(dice):
    kind = dice.random()
    if kind < 0.5:
        return json.dumps(document(dice)).encode("utf-8", "surrogatepass")
    if kind < 0.6:
        return b"[" * dice.randrange(200_000)
    if kind < 0.65:
        return bytes(dice.randrange(1 << 20))
    return dice.randbytes(dice.randrange(300))


def request(dice, own_id):
    """One request, or something like one."""
    path = dice.choice(PATHS).format(id=own_id, other=uuid.UUID(int=dice.getrandbits(128)))
    lines = [f"{dice.choice(METHODS)} {path} HTTP/1.{dice.choice('1111019')}"]
    for _ in range(dice.randrange(6)):
        value = str(uuid.UUID(int=dice.getrandbits(128)))
        value = value if dice.random() < 0.2 else dice.choice(VALUES)
        lines.append(f"{dice.choice(HEADERS)}: {value}")
    content = body(dice)
    if dice.random() < 0.8:
        lines.append(f"Content-Length: {len(content) + dice.choice((0, 0, 0, 0, 1, -1, 1000))}")
    whole = bytearray("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)
    if dice.random() < 0.3:
        for _ in range(dice.randrange(1, 9)):
            whole[dice.randrange(len(whole))] = dice.randrange(256)
    return bytes(whole)


def apis(context, seed, number, seconds=8):
    """Send so many, on a few connections at once, for so long at most; how many went out."""
    dice = random.Random(seed)
    end_at = time.monotonic() + seconds
    kept = []
    sent = 0
    while sent < number and time.monotonic() < end_at:
        if not kept or (len(kept) < 12 and dice.random() < 0.3):
            connection = socket.create_connection(RUNTIME, timeout=2)
            connection.setblocking(False)
            kept.append(connection)
        connection = dice.choice(kept)
        data = request(dice, context.aws_request_id)
        if dice.random() < 0.2:
            # The rest of it comes behind what others say, or never.
            data = data[: dice.randrange(len(data))]
        sent += 1
        try:
            connection.send(data)
            if dice.random() < 0.7:
                connection.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            kept.remove(connection)
            connection.close()
    for connection in kept:
        connection.close()
    return sent
