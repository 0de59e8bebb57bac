"""Values on the wire, read as the types of their shapes.

Decides what counts as a value of a type. Wrong types are refused with AWS's
`SerializationException`, members that the model does not have are ignored, and null is absent.
Refuses to know constraints, which are the validator's.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lambdad.protocol.bindings import wire_name
from lambdad.protocol.errors import MalformedRequest
from lambdad.protocol.timestamps import from_epoch, parse_timestamp

Params = dict[str, Any]

_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_BITS = {"integer": 32, "long": 64}
_TARGETS = {
    "string": "a String",
    "character": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "boolean": "a Boolean",
    "blob": "a Blob",
    "timestamp": "a Timestamp",
}


# --- JSON -----------------------------------------------------------------------------------


def read_json(shape: Shape, value: object) -> Any:
    """Return a decoded JSON value as the shape's type; null stays None.

    Raises:
        MalformedRequest: the value is of another type.
    """
    if value is None:
        return None
    return _JSON_READERS[shape.type_name](shape, value)


def read_json_members(members: Mapping[str, tuple[str, Shape]], document: object) -> Params:
    """Return the members of a JSON object, by `wire name -> (name, shape)`.

    Raises:
        MalformedRequest: the document is no object or a member is of another type.
    """
    if not isinstance(document, dict):
        raise MalformedRequest("Unexpected token: a structure was expected")
    params: Params = {}
    for key, raw in document.items():
        member = members.get(key)
        if member is not None and raw is not None:
            params[member[0]] = read_json(member[1], raw)
    return params


def _wrong(shape: Shape, value: object) -> MalformedRequest:
    return MalformedRequest(f"{_token(value)} can not be converted to {_TARGETS[shape.type_name]}")


def _token(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    if isinstance(value, int | float):
        return "NUMBER_VALUE"
    return "START_OBJECT" if isinstance(value, dict) else "START_ARRAY"


def _json_structure(shape: Shape, value: object) -> Params:
    if not isinstance(shape, StructureShape) or not isinstance(value, dict):
        raise MalformedRequest(f"Unexpected {_token(value)}: a structure was expected")
    members = {wire_name(name, member): (name, member) for name, member in shape.members.items()}
    return read_json_members(members, value)


def _json_list(shape: Shape, value: object) -> list[Any]:
    if not isinstance(shape, ListShape) or not isinstance(value, list):
        raise MalformedRequest(f"Unexpected {_token(value)}: a list was expected")
    return [read_json(shape.member, each) for each in value]


def _json_map(shape: Shape, value: object) -> Params:
    if not isinstance(shape, MapShape) or not isinstance(value, dict):
        raise MalformedRequest(f"Unexpected {_token(value)}: a map was expected")
    return {
        _json_string(shape.key, key): read_json(shape.value, each) for key, each in value.items()
    }


def _json_string(shape: Shape, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(shape, value)
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise MalformedRequest("A String must not contain half of a surrogate pair")
    return value


def _json_integer(shape: Shape, value: object) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise _wrong(shape, value)
    return _within_bits(shape, value)


def _within_bits(shape: Shape, value: int) -> int:
    limit = 1 << (_BITS[shape.type_name] - 1)
    if not -limit <= value < limit:
        raise MalformedRequest(f"A number is out of the range of {_TARGETS[shape.type_name]}")
    return value


def _json_float(shape: Shape, value: object) -> float:
    if type(value) is not int and type(value) is not float:
        raise _wrong(shape, value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise MalformedRequest(f"A number is out of the range of {_TARGETS[shape.type_name]}")
    return number


def _json_boolean(shape: Shape, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(shape, value)
    return value


def _json_blob(shape: Shape, value: object) -> bytes:
    if not isinstance(value, str):
        raise _wrong(shape, value)
    return decode_blob(value)


def _json_timestamp(shape: Shape, value: object) -> datetime:
    if isinstance(value, str):
        return _text_timestamp(shape, value)
    number = _json_float(shape, value)
    try:
        return from_epoch(number)
    except ValueError as error:
        raise _wrong(shape, value) from error


_JSON_READERS: dict[str, Callable[[Shape, object], Any]] = {
    "structure": _json_structure,
    "list": _json_list,
    "map": _json_map,
    "string": _json_string,
    "character": _json_string,
    "integer": _json_integer,
    "long": _json_integer,
    "float": _json_float,
    "double": _json_float,
    "boolean": _json_boolean,
    "blob": _json_blob,
    "timestamp": _json_timestamp,
}


# --- text: path, query, headers, forms ------------------------------------------------------


def read_text(shape: Shape, text: str) -> Any:
    """Return a parameter's text as the shape's scalar type.

    Raises:
        MalformedRequest: the text is no such value.
    """
    if shape.type_name == "string":
        return text
    return _TEXT_READERS[shape.type_name](shape, text)


def _text_integer(shape: Shape, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise _wrong(shape, text)
    return _within_bits(shape, int(text))


def _text_float(shape: Shape, text: str) -> float:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(shape, text)
    return number


def _text_boolean(shape: Shape, text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise _wrong(shape, text)
    return lowered == "true"


def _text_timestamp(shape: Shape, text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise _wrong(shape, text) from error


def decode_blob(text: str) -> bytes:
    """Return the bytes of standard base64.

    Raises:
        MalformedRequest: the text is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest("STRING_VALUE is not base64: it can not be a Blob") from error


_TEXT_READERS: dict[str, Callable[[Shape, str], Any]] = {
    "character": lambda _, text: text,
    "integer": _text_integer,
    "long": _text_integer,
    "float": _text_float,
    "double": _text_float,
    "boolean": _text_boolean,
    "timestamp": _text_timestamp,
    "blob": lambda _, text: decode_blob(text),
}
