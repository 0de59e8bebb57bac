"""Which bodies are bytes and which are text, as an API's `binaryMediaTypes` say. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.triggers.rest_api.model import Document

TO_BINARY, TO_TEXT = "CONVERT_TO_BINARY", "CONVERT_TO_TEXT"
JSON = "application/json"


def is_binary(api: Document, media_type: str | None) -> bool:
    """Whether a body of this type, the first of an `Accept` header perhaps, is binary."""
    kinds: Sequence[str] = api.get("binaryMediaTypes") or ()
    if not kinds:
        return False
    named = bare(media_type)
    # `*/*` takes in what names no type, too.
    return any(_matches(kind.replace("~1", "/").lower(), named) for kind in kinds)


def bare(media_type: str | None) -> str:
    """Return a media type alone: without parameters, and the first one of several."""
    return (media_type or "").partition(",")[0].partition(";")[0].strip().lower()


def _matches(kind: str, named: str) -> bool:
    if kind in ("*/*", named):
        return True
    return kind.endswith("/*") and named.startswith(kind[:-1])


def template_for(templates: Mapping[str, Any], media_type: str | None) -> str | None:
    """Return the name of the template for a media type, or None."""
    wanted = bare(media_type) or JSON
    return next((name for name in templates if bare(name) == wanted), None)


def to_text(body: bytes, *, binary: bool, handling: str | None) -> str:
    """Return a body as templates and functions get it: binary ones as Base64."""
    if handling == TO_TEXT or (binary and handling is None):
        return base64.b64encode(body).decode()
    return body.decode("utf-8", "replace")


def to_bytes(body: str, *, handling: str | None) -> bytes:
    """Return a text as it is sent: decoded, if it is Base64 that stands for binary.

    Raises:
        ValueError: it should be Base64 and is not.
    """
    if handling != TO_BINARY:
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("the body is no Base64") from error
