"""Where the members of an operation's input and output travel: path, query, headers or body.

Decides this once for each operation, from the service model. Refuses to know values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from botocore.model import OperationModel, Shape, StructureShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A member and its name on the wire."""

    name: str
    wire_name: str
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """The members of one structure, sorted by where they travel.

    Attributes:
        prefixes: maps that take all headers whose names begin with `wire_name`.
        status: name of the member that is the HTTP status.
        payload: the member that is the whole body.
        body: members of the body's document; empty if there is a payload.
    """

    uri: tuple[Bound, ...] = ()
    query: tuple[Bound, ...] = ()
    headers: tuple[Bound, ...] = ()
    prefixes: tuple[Bound, ...] = ()
    status: str | None = None
    payload: Bound | None = None
    body: tuple[Bound, ...] = ()


@cache
def input_bindings(operation: OperationModel) -> Bindings:
    """Return where the members of the operation's input travel."""
    return shape_bindings(operation.input_shape)


@cache
def output_bindings(operation: OperationModel) -> Bindings:
    """Return where the members of the operation's output travel."""
    return shape_bindings(operation.output_shape)


@cache
def shape_bindings(shape: StructureShape | None) -> Bindings:
    """Return where the members of an input, output or error structure travel."""
    if shape is None:
        return Bindings()
    payload_name = shape.serialization.get("payload")
    found: dict[str, list[Bound]] = {}
    payload = status = None
    for name, member in shape.members.items():
        location = member.serialization.get("location", "body")
        bound = Bound(name=name, wire_name=wire_name(name, member), shape=member)
        if name == payload_name:
            payload = bound
        elif location == "statusCode":
            status = name
        elif location != "body" or payload_name is None:
            found.setdefault(location, []).append(bound)
    return Bindings(
        uri=tuple(found.get("uri", ())),
        query=tuple(found.get("querystring", ())),
        headers=tuple(found.get("header", ())),
        prefixes=tuple(found.get("headers", ())),
        status=status,
        payload=payload,
        body=tuple(found.get("body", ())),
    )


def wire_name(name: str, shape: Shape) -> str:
    """Return the name that a member has on the wire."""
    serialized: str = shape.serialization.get("name", name)
    return serialized
