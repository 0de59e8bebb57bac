"""What changed moto's state, in the order in which it did, on disk.

A line of JSON for each request that succeeded, flushed to the medium before its answer goes out; a
line that a crash cut off was never answered and is dropped. Moto keeps nothing itself: the state
is what these requests lead to, with the same identifiers, because each is run with a seed made of
its number.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request, as moto got it.

    Attributes:
        number: of the request; its seed depends on it.
        time_s: when it ran, in seconds since the epoch.
    """

    number: int
    time_s: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Journal:
    """One file. Mutable: its end, and the last number given out."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._entries, whole = self._load(path)
        os.ftruncate(self._descriptor, whole)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        if whole == 0:
            self._secret = secrets.token_hex(32)
            self._write({"secret": self._secret})
        self.last_number = self._entries[-1].number if self._entries else 0

    def replay(self) -> Iterator[Entry]:
        """Return what was written before, once."""
        entries, self._entries = self._entries, []
        yield from entries

    def seed(self, number: int) -> int:
        """Return the seed of a request: nobody can guess it who cannot read the file."""
        text = f"{self._secret}:{number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    def append(self, entry: Entry) -> None:
        """Write an entry; it is on the medium when this returns."""
        self._write(
            {
                "number": entry.number,
                "time_s": entry.time_s,
                "method": entry.method,
                "path": entry.path,
                "query": entry.query,
                "headers": entry.headers,
                "body": base64.b64encode(entry.body).decode(),
            }
        )

    def _write(self, document: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(document).encode() + b"\n")
        os.fdatasync(self._descriptor)

    def _load(self, path: Path) -> tuple[list[Entry], int]:
        """Return the entries, and how many bytes are whole lines."""
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].splitlines()
        if lines:
            self._secret = str(json.loads(lines[0])["secret"])
        documents = (json.loads(line) for line in lines[1:])
        return [
            Entry(**{**document, "body": base64.b64decode(document["body"])})
            for document in documents
        ], whole
