"""Which request bodies go into files: S3's objects and layers of images, when they are not small.

Knows how such uploads look before their body has come, and nothing of what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lambdad.neighbours.registry_hosts import BLOB_UPLOADS, address_of
from lambdad.neighbours.services import belongs_to_s3
from lambdad.protocol.http import HttpRequest
from lambdad.storage.uploads import Spool, Uploads

# Smaller bodies are in memory, and within the budgets of that.
SMALL_BYTES = 256 * 1024
_LENGTHS = ("x-amz-decoded-content-length", "content-length")


class ObjectUploads:
    """See `connections.Receive`."""

    def __init__(self, objects: Path | None, layers: Path | None) -> None:
        """Where either kind goes; None where the service is somebody else's."""
        self._objects = None if objects is None else Uploads(objects)
        self._layers = None if layers is None else Uploads(layers)
        for uploads in (self._objects, self._layers):
            if uploads is not None:
                uploads.clear()

    def __call__(self, method: str, path: str, headers: Mapping[str, str]) -> Spool | None:
        """Return where the body of a request goes, if it is such a one."""
        if method not in ("PUT", "PATCH", "POST") or not _is_large(headers):
            return None
        if self._layers is not None and address_of(path, headers) is not None:
            return self._layers.spool() if BLOB_UPLOADS in path else None
        if method != "PUT" or self._objects is None:
            return None
        request = HttpRequest(method=method, path=path, headers=headers)
        return self._objects.spool() if belongs_to_s3(request) else None

    def close(self) -> None:
        """Finish the writes that were begun."""
        for uploads in (self._objects, self._layers):
            if uploads is not None:
                uploads.close()


def _is_large(headers: Mapping[str, str]) -> bool:
    for name in _LENGTHS:
        length = headers.get(name, "").strip()
        if length.isascii() and length.isdigit():
            return int(length) > SMALL_BYTES
    return "transfer-encoding" in headers
