"""Bodies of answers, compressed for who takes them so, as `minimumCompressionSize` says. Pure."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace

from lambdad.protocol.http import HttpResponse
from lambdad.triggers.rest_api.calls import Call

# AWS does not say; more costs time and saves little.
_LEVEL = 6


def compressed(response: HttpResponse, call: Call) -> HttpResponse:
    """Return a response with its body compressed, if the API and the caller want that."""
    least = call.snapshot.document.get("minimumCompressionSize")
    if least is None or response.pieces is not None or len(response.body) < max(int(least), 1):
        return response
    if any(name.lower() == "content-encoding" for name in response.headers):
        return response
    coding = _coding(call.header("accept-encoding") or "")
    if coding is None:
        return response
    body = (
        gzip.compress(response.body, _LEVEL, mtime=0)
        if coding == "gzip"
        else zlib.compress(response.body, _LEVEL)
    )
    return replace(response, headers={**response.headers, "content-encoding": coding}, body=body)


def _coding(accepted: str) -> str | None:
    """Return the coding that a client takes, gzip rather than deflate; None where it takes none."""
    taken = set()
    for each in accepted.lower().split(","):
        name, _, weight = each.strip().partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0"):
            taken.add(name.strip())
    if "gzip" in taken or "*" in taken:
        return "gzip"
    return "deflate" if "deflate" in taken else None
