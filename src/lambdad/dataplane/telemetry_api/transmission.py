"""One connection to a subscriber's listener: batches go out, as HTTP requests or as lines.

The listener is the guest's and hostile: answers are bounded, and nothing in them is believed but
the status.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence

from lambdad.dataplane.telemetry_api.subscription import Destination

Connect = Callable[[int], Awaitable[socket.socket]]

_HEAD_BYTES_MAX = 32 * 1024
_BODY_BYTES_MAX = 1024 * 1024
_INTERIM_MAX = 8
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])\b")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_NO_BODY = (204, 304)


class NotDelivered(Exception):
    """The subscriber did not take a batch.

    Attributes:
        stale: the connection had served before, so that a new one may do.
        refused: it was there, and answered with an error.
    """

    def __init__(self, message: str, *, stale: bool = False, refused: bool = False) -> None:
        super().__init__(message)
        self.stale = stale
        self.refused = refused


class Transmission:
    """Mutable: the connection, which is made when it is needed and kept as long as it serves."""

    def __init__(self, destination: Destination, connect: Connect) -> None:
        self._destination = destination
        self._connect = connect
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, batch: Sequence[bytes]) -> None:
        """Deliver a batch; with TCP nobody can know whether it was taken.

        Raises:
            NotDelivered: and it may be tried again.
        """
        stale = self._streams is not None
        try:
            if self._streams is None:
                connection = await self._connect(self._destination.port)
                self._streams = await asyncio.open_connection(
                    sock=connection, limit=_HEAD_BYTES_MAX
                )
            reader, writer = self._streams
            if self._destination.protocol == "TCP":
                writer.writelines((*_lines(batch),))
                await writer.drain()
                return
            writer.write(_request(self._destination, b"[" + b",".join(batch) + b"]"))
            await writer.drain()
            status = await self._answer(reader)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise NotDelivered(str(error), stale=stale) from error
        except asyncio.CancelledError:
            self.close()
            raise
        if status >= 400:
            raise NotDelivered(f"the subscriber answered {status}", refused=True)

    def close(self) -> None:
        """End the connection; may be called twice."""
        if self._streams is not None:
            # What it has not taken by now it will not take.
            self._streams[1].transport.abort()
            self._streams = None

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        """Return the status; closes the connection when it cannot be used again."""
        for _ in range(_INTERIM_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
            line = _STATUS_LINE.match(head)
            if line is None:
                raise ValueError("the answer is no HTTP")
            status = int(line[2])
            if status < 200:
                continue
            length = _CONTENT_LENGTH.search(head)
            if status in _NO_BODY:
                size = 0
            elif length is None or _TRANSFER_ENCODING.search(head):
                # Where such a body ends is not worth knowing.
                self.close()
                return status
            else:
                size = int(length[1])
            if size > _BODY_BYTES_MAX or line[1] == b"0" or _CLOSE.search(head):
                self.close()
                return status
            await reader.readexactly(size)
            return status
        raise ValueError("the answer has no end")


def _lines(batch: Sequence[bytes]) -> list[bytes]:
    return [record + b"\n" for record in batch]


def _request(destination: Destination, body: bytes) -> bytes:
    head = (
        f"{destination.method} {destination.target} HTTP/1.1\r\n"
        f"Host: sandbox.localdomain:{destination.port}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )
    return head.encode() + body
