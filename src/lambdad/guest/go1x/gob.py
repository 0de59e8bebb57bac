"""Go's gob encoding, as far as `net/rpc` and Lambda's messages need it.

Structures go out as dictionaries with a description of their fields, and come in as dictionaries;
members that have Go's zero value are left out by both sides.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence, Set, Tuple

BOOL, INT, UINT, BYTES, STRING = 1, 2, 3, 5, 6
_WIRE_TYPE, _COMMON, _SLICE, _STRUCT, _FIELD, _FIELDS = 16, 18, 19, 20, 21, 22

# Name of a member and its type: a number above, or that of another structure.
Fields = Sequence[Tuple[str, int]]

# The descriptions of descriptions, which both sides know. Members of WireType that no message of
# ours has (arrays, maps, own encodings) keep their places.
_KNOWN: Dict[int, Fields] = {
    _WIRE_TYPE: (("Array", _COMMON), ("Slice", _SLICE), ("Struct", _STRUCT)),
    _COMMON: (("Name", STRING), ("Id", INT)),
    _SLICE: (("Common", _COMMON), ("Elem", INT)),
    _STRUCT: (("Common", _COMMON), ("Fields", _FIELDS)),
    _FIELD: (("Name", STRING), ("Id", INT)),
}


class Encoder:
    """Writes messages, each type's description before its first value."""

    def __init__(self, types: Dict[int, Tuple[str, Fields]]) -> None:
        self._types = types
        self._described: Set[int] = set()

    def message(self, type_id: int, value: Dict[str, Any]) -> bytes:
        """Return the bytes of a value of a type, with descriptions that are new."""
        content = self._descriptions(type_id)
        return content + _framed(_int(type_id) + self._struct(type_id, value))

    def _descriptions(self, type_id: int) -> bytes:
        if type_id in self._described:
            return b""
        self._described.add(type_id)
        name, fields = self._types[type_id]
        described = _uint(1) + _bytes(name.encode()) + _uint(1) + _int(type_id) + b"\0"
        members = b"".join(
            _uint(1) + _bytes(field.encode()) + _uint(1) + _int(kind) + b"\0"
            for field, kind in fields
        )
        # The third member of WireType is a structure: its common part, then its fields.
        body = _uint(3) + _uint(1) + described + _uint(1) + _uint(len(fields)) + members
        content = _framed(_int(-type_id) + body + b"\0\0")
        nested = [kind for _, kind in fields if kind in self._types]
        return content + b"".join(map(self._descriptions, nested))

    def _struct(self, type_id: int, value: Dict[str, Any]) -> bytes:
        content = b""
        last = -1
        for index, (name, kind) in enumerate(self._types[type_id][1]):
            member = value.get(name)
            if member:
                content += _uint(index - last) + self._value(kind, member)
                last = index
        return content + b"\0"

    def _value(self, kind: int, value: Any) -> bytes:
        if kind in self._types:
            return self._struct(kind, value)
        if kind == INT:
            return _int(value)
        if kind in (UINT, BOOL):
            return _uint(int(value))
        return _bytes(value.encode() if kind == STRING else value)


class Decoder:
    """Reads messages. `read` gives exactly so many bytes or raises `EOFError`."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._structs: Dict[int, Fields] = dict(_KNOWN)
        self._slices: Dict[int, int] = {_FIELDS: _FIELD}

    def message(self) -> Dict[str, Any]:
        """Return the next value, after the descriptions before it."""
        while True:
            data = _Data(self._read(self._stream_uint()))
            type_id = data.int()
            if type_id > 0:
                return self._struct(type_id, data)
            self._describe(-type_id, self._struct(_WIRE_TYPE, data))

    def _stream_uint(self) -> int:
        first = self._read(1)
        if first[0] < 0x80:
            return first[0]
        return int.from_bytes(self._read(0x100 - first[0]), "big")

    def _describe(self, type_id: int, wire: Dict[str, Any]) -> None:
        if "Slice" in wire:
            self._slices[type_id] = wire["Slice"]["Elem"]
        else:
            fields = wire.get("Struct", {}).get("Fields", [])
            self._structs[type_id] = [(field["Name"], field["Id"]) for field in fields]

    def _struct(self, type_id: int, data: "_Data") -> Dict[str, Any]:
        fields = self._structs[type_id]
        value: Dict[str, Any] = {}
        index = -1
        while True:
            step = data.uint()
            if step == 0:
                return value
            index += step
            name, kind = fields[index]
            value[name] = self._value(kind, data)

    def _value(self, kind: int, data: "_Data") -> Any:
        if kind in self._structs:
            return self._struct(kind, data)
        if kind in self._slices:
            return [self._value(self._slices[kind], data) for _ in range(data.uint())]
        if kind == INT:
            return data.int()
        if kind in (UINT, BOOL):
            return data.uint()
        content = data.take(data.uint())
        return content.decode(errors="replace") if kind == STRING else content


class _Data:
    """The bytes of one message, taken from the front."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._content[self._at - size : self._at]

    def uint(self) -> int:
        first = self.take(1)[0]
        if first < 0x80:
            return first
        return int.from_bytes(self.take(0x100 - first), "big")

    def int(self) -> int:
        number = self.uint()
        return ~(number >> 1) if number & 1 else number >> 1


def _uint(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    size = (number.bit_length() + 7) // 8
    return bytes([0x100 - size]) + number.to_bytes(size, "big")


def _int(number: int) -> bytes:
    return _uint((~number << 1) | 1 if number < 0 else number << 1)


def _bytes(content: bytes) -> bytes:
    return _uint(len(content)) + content


def _framed(content: bytes) -> bytes:
    return _uint(len(content)) + content
