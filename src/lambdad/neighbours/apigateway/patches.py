"""Patch operations, as every Update operation takes them. Pure.

`/name` is a member, `/variables/colour` an entry of a map, `/binaryMediaTypes/image~1png` an
element of a list; values are texts and become what the service model says. Each kind of document
has a table of the paths that can be patched, and by which operations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from lambdad.neighbours.apigateway.errors import BadRequestException

Operation = Mapping[str, Any]

REPLACE = frozenset({"replace"})
EDIT = frozenset({"add", "replace", "remove"})
LIST = frozenset({"add", "remove"})
_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What of a document can be patched.

    Attributes:
        shape: of the document.
        paths: operations by path; `*` stands for any one part of a path.
        lists_paths: a refusal names the paths there are.
    """

    shape: StructureShape
    paths: Mapping[str, frozenset[str]]
    lists_paths: bool = False

    def check(self, operation: Operation) -> None:
        """Refuse what is not in the table.

        Raises:
            BadRequestException: the path or the operation on it.
        """
        op, path = operation.get("op"), operation.get("path")
        allowed = self._allowed(split(path)) if path else None
        if allowed is not None and op in allowed:
            return
        if self.lists_paths:
            raise self._refusal(op, path)
        if allowed is None:
            raise BadRequestException(f"Invalid patch path {path or 'null'}")
        if len(allowed) > 1 or "statusCode" in str(path):
            raise BadRequestException(f"Invalid patch path {path}")
        raise BadRequestException(
            f"Invalid patch operation specified. Must be one of: [{', '.join(sorted(allowed))}]"
        )

    def _refusal(self, op: str | None, path: str | None) -> BadRequestException:
        there = [each for each, ops in self.paths.items() if op in ops]
        hint = (
            f"Must be one of: [{', '.join(there)}]"
            if there
            else "Please choose supported operations"
        )
        return BadRequestException(f"Invalid patch path  '{path}' specified for op '{op}'. {hint}")

    def _allowed(self, parts: Sequence[str]) -> frozenset[str] | None:
        for pattern, operations in self.paths.items():
            wanted = pattern.removeprefix("/").split("/")
            if len(wanted) == len(parts) and all(
                each in (_ANY, part) for each, part in zip(wanted, parts, strict=True)
            ):
                return operations
        return None


def split(path: str) -> list[str]:
    """Return the parts of a path, decoded: `~1` is a slash in a part."""
    return [
        part.replace("~1", "/").replace("~0", "~") for part in path.removeprefix("/").split("/")
    ]


def patched(
    document: Mapping[str, Any], operations: Sequence[Operation] | None, rules: Rules
) -> dict[str, Any]:
    """Return a changed copy of a document.

    Raises:
        BadRequestException: a path, operation or value that the document does not take.
    """
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for operation in operations or ():
        rules.check(operation)
        apply(copy, operation, rules.shape)
    return copy


def apply(document: dict[str, Any], operation: Operation, shape: StructureShape) -> None:
    """Change a document in place, whatever the path."""
    op, parts, value = str(operation["op"]), split(operation["path"]), operation.get("value")
    if op == "copy":
        op, value = "replace", _read(document, split(operation.get("from") or ""))
    place: Any = document
    kind: Shape = shape
    for position, part in enumerate(parts[:-1]):
        kind = _member(kind, part)
        if isinstance(kind, ListShape):
            _change_element(place.setdefault(part, []), op, parts[position + 1 :], value)
            return
        place = place.setdefault(part, {})
    _change(place, op, parts[-1], value, _member(kind, parts[-1]))


def _member(kind: Shape, name: str) -> Shape:
    if isinstance(kind, MapShape):
        return kind.value
    if isinstance(kind, StructureShape) and name in kind.members:
        return kind.members[name]
    raise BadRequestException(f"Invalid patch path /{name}")


def _read(document: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        document = document.get(part) if isinstance(document, Mapping) else None
    return document


def _change(place: dict[str, Any], op: str, name: str, value: Any, kind: Shape) -> None:
    if isinstance(kind, ListShape):
        place[name] = _changed_list(list(place.get(name) or ()), op, value)
    elif op == "remove":
        place.pop(name, None)
    elif isinstance(kind, MapShape | StructureShape):
        place[name] = _parsed(name, value)
    else:
        place[name] = scalar(name, value, kind)


def _changed_list(held: list[Any], op: str, value: Any) -> list[Any]:
    values = [each.strip() for each in str(value or "").split(",") if each.strip()]
    if op == "replace":
        return values
    if op == "add":
        return held + [each for each in values if each not in held]
    return [each for each in held if each not in values] if values else []


def _change_element(held: list[Any], op: str, parts: Sequence[str], value: Any) -> None:
    name = "/".join(parts)
    at = int(name) if name.isdigit() and int(name) < len(held) else None
    if at is None and name in held:
        at = held.index(name)
    if op == "add":
        if name not in held:
            held.append(name)
    elif at is None:
        if op == "replace":
            held.append(name if value is None else split(value)[0])
    elif op == "remove":
        del held[at]
    else:
        # A value may be escaped as its path is.
        held[at] = str(value or name).replace("~1", "/")


def _parsed(name: str, value: Any) -> dict[str, Any]:
    """Return the object that a value is, as JSON or as it was copied."""
    try:
        found = json.loads(value) if isinstance(value, str) and value else value or {}
    except (ValueError, RecursionError) as error:
        raise BadRequestException(f"Invalid value for /{name}") from error
    if not isinstance(found, dict):
        raise BadRequestException(f"Invalid value for /{name}")
    return found


def scalar(name: str, value: Any, kind: Shape) -> Any:
    """Return a text as what a member is.

    Raises:
        BadRequestException: it is no number where one is wanted.
    """
    if kind.type_name == "boolean":
        return str(value).lower() == "true"
    try:
        if kind.type_name in ("integer", "long"):
            return int(value)
        if kind.type_name in ("double", "float"):
            return float(value)
    except (TypeError, ValueError) as error:
        raise BadRequestException(f"Invalid value for {name}: {value}") from error
    return None if value is None else str(value)
