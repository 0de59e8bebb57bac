"""Values of results, written as their shapes say.

Decides the JSON and text forms of each type. Refuses members that a shape does not have.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lambdad.protocol.bindings import wire_name
from lambdad.protocol.timestamps import format_timestamp, to_epoch


def check_members(shape: StructureShape | None, result: Mapping[str, Any]) -> None:
    """Refuse members that the shape does not have.

    Raises:
        ValueError: with the name of the first such member.
    """
    members = shape.members if shape is not None else {}
    for name in result:
        if name not in members:
            owner = shape.name if shape is not None else "an operation without output"
            raise ValueError(f"{name} is no member of {owner}")


def json_value(shape: Shape, value: Any) -> Any:
    """Return what `json.dumps` takes; structure members that are None are left out.

    Raises:
        ValueError: a structure has no such member, or a timestamp is naive.
    """
    if isinstance(shape, StructureShape):
        check_members(shape, value)
        members = shape.members
        return {
            wire_name(name, members[name]): json_value(members[name], each)
            for name, each in value.items()
            if each is not None
        }
    if isinstance(shape, ListShape):
        return [json_value(shape.member, each) for each in value]
    if isinstance(shape, MapShape):
        return {key: json_value(shape.value, each) for key, each in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        form = shape.serialization.get("timestampFormat", "unixtimestamp")
        return to_epoch(value) if form == "unixtimestamp" else format_timestamp(value, form)
    return value


def scalar_text(shape: Shape, value: Any, timestamps: str) -> str:
    """Return the text of a scalar, or of a list of them for a header.

    `timestamps` is the form that timestamps have here unless their shape says otherwise.

    Raises:
        ValueError: a timestamp is naive.
    """
    if isinstance(shape, ListShape):
        return ",".join(scalar_text(shape.member, each, timestamps) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return format_timestamp(value, shape.serialization.get("timestampFormat", timestamps))
    return str(value)
