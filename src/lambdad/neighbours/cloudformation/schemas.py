"""What properties resources of a type have, after the schemas that AWS publishes.

They come with `cfn-lint`, an optional package, of which nothing but these files is read, when a
type is first looked up; without it properties are checked by the services alone. Forms are judged
here, not values: which numbers and names are allowed is for each service to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_REGION = "us-east-1"
_KEPT = 200
_SCALARS = {"string": "String", "integer": "Integer", "number": "Number", "boolean": "Boolean"}
_CHOICES = ("oneOf", "anyOf", "allOf", "if")


@lru_cache(1)
def _directory() -> Path | None:
    """Return where the schemas are; the package itself is not imported."""
    spec = find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        return None
    found = Path(spec.submodule_search_locations[0]) / "data" / "schemas"
    return found if (found / "providers" / f"{_REGION}.json").is_file() else None


@lru_cache(1)
def _files() -> Mapping[str, str]:
    directory = _directory()
    if directory is None:
        return {}
    found: dict[str, str] = json.loads((directory / "providers" / f"{_REGION}.json").read_text())
    return found


@lru_cache(_KEPT)
def schema_of(name: str) -> Mapping[str, Any] | None:
    """Return the schema of a type, or None if there is none here."""
    directory, file = _directory(), _files().get(name)
    if directory is None or not isinstance(file, str):
        return None
    path = directory / "resources" / f"{file}.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
    return found


def problem_of(name: str, properties: Mapping[str, Any]) -> str | None:
    """Return what is wrong with evaluated properties of a type, in CloudFormation's words."""
    schema = schema_of(name)
    if schema is None:
        return None
    read_only = {
        each.removeprefix("/properties/") for each in schema.get("readOnlyProperties") or ()
    }
    for each in properties:
        if each in read_only:
            return f"Encountered unsupported property {each}"
    return next(_Check(schema).value("", properties, schema), None)


class _Check:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions = schema.get("definitions") or {}

    def value(self, name: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the value of a property."""
        schema = self._followed(schema)
        kinds = _kinds(schema)
        if not kinds:
            return
        if isinstance(value, dict):
            if "object" not in kinds:
                yield _wrong(name, kinds, self._items(schema))
                return
            yield from self._members(value, schema)
        elif isinstance(value, list):
            if "array" not in kinds:
                yield _wrong(name, kinds, self._items(schema))
                return
            items = schema.get("items")
            for each in value:
                if not isinstance(items, dict):
                    break
                yield from self.value(name, each, items)
        elif not _fits(value, kinds):
            yield _wrong(name, kinds, self._items(schema))

    def _followed(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(10):
            target = schema.get("$ref")
            if not isinstance(target, str):
                break
            schema = self._definitions.get(target.rpartition("/")[2]) or {}
        return schema

    def _items(self, schema: Mapping[str, Any]) -> str:
        """Return of what a list is to be made, if that is one kind of scalar."""
        items = schema.get("items")
        kinds = _kinds(self._followed(items)) if isinstance(items, dict) else set()
        return _SCALARS.get(next(iter(kinds)), "") if len(kinds) == 1 else ""

    def _members(self, value: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
        known = schema.get("properties") or {}
        closed = schema.get("additionalProperties") is False and not any(
            each in schema for each in (*_CHOICES, "patternProperties")
        )
        maps = list((schema.get("patternProperties") or {}).values())
        # Choices at the top of a type are between properties that are all declared there.
        if "typeName" in schema:
            closed = schema.get("additionalProperties") is False
        for name, each in value.items():
            if name in known:
                yield from self.value(name, each, known[name])
            elif len(maps) == 1:
                yield from self.value(name, each, maps[0])
            elif closed:
                yield f"Encountered unsupported property {name}"
        for name in schema.get("required") or ():
            if name not in value and "default" not in (known.get(name) or {}):
                yield f"Property {name} cannot be empty."


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type")
    if kinds is None:
        return {"object"} if "properties" in schema else set()
    return set(kinds) if isinstance(kinds, list) else {kinds}


def _fits(value: Any, kinds: set[str]) -> bool:
    """Whether a scalar is one of these kinds, or the text of one."""
    text = str(value).lower()
    # Policies and the like may be given as JSON in text.
    if "string" in kinds or ("object" in kinds and text.lstrip().startswith("{")):
        return True
    if "boolean" in kinds and text in ("true", "false"):
        return True
    if isinstance(value, bool) or not kinds & {"integer", "number"}:
        return False
    try:
        number = float(text)
    except ValueError:
        return False
    return "number" in kinds or number.is_integer()


def _wrong(name: str, kinds: set[str], items: str) -> str:
    if "array" in kinds:
        wanted = f"of type List of {items}" if items else "of type List"
    elif kinds & set(_SCALARS):
        wanted = f"of type {next(text for kind, text in _SCALARS.items() if kind in kinds)}"
    else:
        wanted = "an object"
    return f"Value of property {name} must be {wanted}"
