"""Which request bodies go into files: those of objects for S3, when they are not small.

Knows how S3's uploads look before their body has come, and nothing of what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambdad.neighbours.services import belongs_to_s3
from lambdad.protocol.http import HttpRequest
from lambdad.storage.uploads import Spool, Uploads

# Smaller bodies are in memory, and within the budgets of that.
SMALL_BYTES = 256 * 1024
_LENGTHS = ("x-amz-decoded-content-length", "content-length")


class ObjectUploads:
    """See `connections.Receive`."""

    def __init__(self, directory: Path) -> None:
        self._uploads = Uploads(directory)
        self._uploads.clear()

    def __call__(self, method: str, path: str, headers: Mapping[str, str]) -> Spool | None:
        """Return where the body of a request goes, if it is an object's."""
        if method != "PUT" or not _is_large(headers):
            return None
        request = HttpRequest(method=method, path=path, headers=headers)
        return self._uploads.spool() if belongs_to_s3(request) else None

    def close(self) -> None:
        """Finish the writes that were begun."""
        self._uploads.close()


def _is_large(headers: Mapping[str, str]) -> bool:
    for name in _LENGTHS:
        length = headers.get(name, "").strip()
        if length.isascii() and length.isdigit():
            return int(length) > SMALL_BYTES
    return "transfer-encoding" in headers
