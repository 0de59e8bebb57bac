"""Values as AWS's Java services print them in their messages.

Decides the print form of lists, maps, structures and sensitive values. Refuses to print more
than a message can carry.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lambdad.protocol.timestamps import format_timestamp

_LONGEST = 16_384
_REDACTED = "*** Sensitive Data Redacted ***"


def java_text(shape: Shape, value: Any) -> str:
    """Return a value's print form, cut off where it gets too long for a message.

    Lists print as `[a, b]`, maps as `{k=v}`, structures as `Name(member=value)`; sensitive
    values inside them are not shown.
    """
    text = _print(shape, value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _print(shape: Shape, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(shape, ListShape):
        return f"[{', '.join(_element(shape.member, each) for each in value)}]"
    if isinstance(shape, MapShape):
        entries = (f"{key}={_element(shape.value, each)}" for key, each in value.items())
        return f"{{{', '.join(entries)}}}"
    if isinstance(shape, StructureShape):
        members = (
            f"{name[:1].lower()}{name[1:]}={_element(member, value.get(name))}"
            for name, member in shape.members.items()
        )
        return f"{shape.name}({', '.join(members)})"
    return _scalar(value)


def _element(shape: Shape, value: Any) -> str:
    if value is not None and shape.metadata.get("sensitive"):
        return _REDACTED
    return _print(shape, value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return format_timestamp(value, "iso8601")
    return str(value)
