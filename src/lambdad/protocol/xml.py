"""XML as the query protocol's responses have it.

Decides element names and escaping. Refuses characters that XML 1.0 cannot carry: they become
U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lambdad.protocol.bindings import wire_name
from lambdad.protocol.outputs import check_members, scalar_text

_IMPOSSIBLE = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xD;"})


def escape(text: str) -> str:
    """Return text that can stand in an element or an attribute."""
    return _IMPOSSIBLE.sub("\ufffd", text).translate(_ESCAPES)


class XmlWriter:
    """Writes one document, element by element."""

    def __init__(self, *, declaration: bool = False) -> None:
        self._out: list[str] = [_DECLARATION] if declaration else []

    def finish(self) -> bytes:
        """Return the document in UTF-8."""
        return "".join(self._out).encode("utf-8")

    @contextmanager
    def element(self, name: str, metadata: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Open an element, in the namespace of the service if its metadata is given."""
        namespace = (metadata or {}).get("xmlNamespace")
        attribute = f' xmlns="{escape(namespace)}"' if namespace else ""
        self._out.append(f"<{name}{attribute}>")
        yield
        self._out.append(f"</{name}>")

    def text(self, name: str, text: str) -> None:
        """Write an element that holds text alone."""
        self._out.append(f"<{name}>{escape(text)}</{name}>")

    def characters(self, text: str) -> None:
        """Write text into the element that is open."""
        self._out.append(escape(text))

    def member(self, name: str, shape: Shape, value: Any) -> None:
        """Write one member of a structure under its name on the wire."""
        self._value(name, shape, value)

    def members(self, shape: StructureShape, value: Mapping[str, Any]) -> None:
        """Write the members of a structure, in the model's order.

        Raises:
            ValueError: the structure has no such member, or a timestamp is naive.
        """
        check_members(shape, value)
        for name, member in shape.members.items():
            if value.get(name) is not None and not member.serialization.get("xmlAttribute"):
                self._value(wire_name(name, member), member, value[name])

    def _value(self, name: str, shape: Shape, value: Any) -> None:
        flattened = bool(shape.serialization.get("flattened"))
        if isinstance(shape, StructureShape):
            self._out.append(f"<{name}{_attributes(shape, value)}>")
            self.members(shape, value)
            self._out.append(f"</{name}>")
        elif isinstance(shape, ListShape):
            self._list(name, shape, value, flattened=flattened)
        elif isinstance(shape, MapShape):
            self._map(name, shape, value, flattened=flattened)
        else:
            self.text(name, scalar_text(shape, value, "iso8601"))

    def _list(self, name: str, shape: ListShape, value: list[Any], *, flattened: bool) -> None:
        if flattened:
            for each in value:
                self._value(shape.member.serialization.get("name", name), shape.member, each)
            return
        with self.element(name):
            for each in value:
                self._value(shape.member.serialization.get("name", "member"), shape.member, each)

    def _map(
        self, name: str, shape: MapShape, value: Mapping[str, Any], *, flattened: bool
    ) -> None:
        if flattened:
            for key, each in value.items():
                self._entry(name, shape, key, each)
            return
        with self.element(name):
            for key, each in value.items():
                self._entry("entry", shape, key, each)

    def _entry(self, name: str, shape: MapShape, key: str, value: Any) -> None:
        with self.element(name):
            self.text(shape.key.serialization.get("name", "key"), key)
            self._value(shape.value.serialization.get("name", "value"), shape.value, value)


def _attributes(shape: StructureShape, value: Mapping[str, Any]) -> str:
    """Return the members that are attributes, `xsi:type` of a grantee for one."""
    written = [
        f' xmlns:xsi="{_XSI}" {wire_name(name, member)}="{escape(value[name])}"'
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute") and value.get(name) is not None
    ]
    return "".join(written)
