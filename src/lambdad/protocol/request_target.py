"""What an HTTP request line asks for. Pure."""

from __future__ import annotations

import re


def split_target(target: bytes) -> tuple[str, str] | None:
    """Return raw path and query of an origin-form or absolute-form target, else None."""
    text = target.decode("latin-1")
    if text[:1] not in ("/", "*"):  # absolute form, as sent to a proxy
        _, separator, rest = text.partition("://")
        authority_end = re.search(r"[/?#]|$", rest)
        if not separator or authority_end is None:
            return None
        text = rest[authority_end.start() :]
        if text[:1] != "/":
            text = f"/{text}"
    if "#" in text:
        text = text.partition("#")[0]
    path, _, query = text.partition("?")
    return path, query
