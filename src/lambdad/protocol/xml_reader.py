"""Parameters read from the XML body of a request.

Decides how elements become members, as a shape says. Refuses document types: no client sends one,
and entities are a way to fill the memory.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lambdad.protocol.bindings import wire_name
from lambdad.protocol.errors import MalformedRequest
from lambdad.protocol.values import Params, read_text

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class MalformedXml(MalformedRequest):
    """A body is no XML, or not of its shape: `MalformedXML`, 400."""

    def __init__(self) -> None:
        super().__init__(
            "The XML you provided was not well-formed or did not validate against our published "
            "schema"
        )
        self.code = "MalformedXML"


def read_xml(shape: StructureShape, body: bytes) -> Params:
    """Return the members of a structure; those whose elements are absent are absent.

    Raises:
        MalformedXml: the body is no XML.
    """
    if not body.strip():
        return {}
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise MalformedXml
    try:
        root = ET.fromstring(body)  # noqa: S314 - without a document type it has no entities
    except (ET.ParseError, ValueError, LookupError) as error:
        raise MalformedXml from error
    return _structure(shape, root)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _structure(shape: StructureShape, element: ET.Element) -> Params:
    children: dict[str, list[ET.Element]] = {}
    for child in element:
        children.setdefault(_local(child), []).append(child)
    params: Params = {}
    for name, member in shape.members.items():
        wire = wire_name(name, member)
        if member.serialization.get("xmlAttribute"):
            text = element.get(_XSI + wire.rpartition(":")[2], element.get(wire))
            if text is not None:
                params[name] = read_text(member, text)
            continue
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            wire = member.member.serialization.get("name", wire)
        found = children.get(wire)
        if found is not None:
            params[name] = _member(member, found)
    return params


def _member(shape: Shape, found: list[ET.Element]) -> Any:
    if isinstance(shape, ListShape):
        flattened = shape.serialization.get("flattened")
        elements = found if flattened else list(found[0])
        return [_value(shape.member, each) for each in elements]
    if isinstance(shape, MapShape):
        flattened = shape.serialization.get("flattened")
        return _map(shape, found if flattened else list(found[0]))
    return _value(shape, found[-1])


def _map(shape: MapShape, entries: list[ET.Element]) -> Params:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    read: Params = {}
    for entry in entries:
        parts = {_local(child): child for child in entry}
        if key_name not in parts or value_name not in parts:
            raise MalformedXml
        read[parts[key_name].text or ""] = _value(shape.value, parts[value_name])
    return read


def _value(shape: Shape, element: ET.Element) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, element)
    if isinstance(shape, ListShape | MapShape):
        return _member(shape, [element])
    try:
        return read_text(shape, element.text or "")
    except MalformedRequest as error:
        raise MalformedXml from error
