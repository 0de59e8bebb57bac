"""Buckets in the host's name, moved into the path. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from lambdad.protocol.http import HttpRequest

# `bucket.s3.localhost:4566`, `bucket.s3.eu-west-1.amazonaws.com`, `bucket.s3-eu-west-1.…`, and what
# SDKs make of the endpoint `http://localhost:4566`: `bucket.localhost:4566`.
_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]*?)\.(?:s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-\d)?\."
    r"(?:amazonaws\.com(?:\.cn)?|localhost(?:\.[a-z.]+)?)|localhost)(?::\d+)?"
)


def path_style(request: HttpRequest) -> HttpRequest:
    """Return a request whose path begins with the bucket."""
    host = request.headers.get("host", "").lower()
    match = _HOST.fullmatch(host)
    if (
        match is None
        or match["bucket"] == "s3"
        or re.fullmatch(r"s3[.-][a-z0-9-]+", match["bucket"])
    ):
        return request
    return replace(request, path=f"/{match['bucket']}{request.path}")
