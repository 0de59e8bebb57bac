"""The text of a template, YAML or JSON, read into plain values. Pure.

Built from the parser's events without recursion, so that neither nesting nor aliases can make more
of a text than it is long. What a template may say is decided in `template`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from lambdad.neighbours.cloudformation.errors import ValidationError

# Deeper than any function or policy nests.
_DEPTH_MAX = 100
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_DIGITS_MAX = 40
_NULLS = ("", "~", "null", "Null", "NULL")
_WORDS: dict[str, Any] = {**_BOOLEANS, **dict.fromkeys(_NULLS)}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNTAGGED = {"Ref": "Ref", "Condition": "Condition", "Rain": "Rain"}


def read_template(text: str) -> dict[str, Any]:
    """Return a template as it was written, short forms of functions made long.

    Raises:
        ValidationError: with CloudFormation's text, when it is no template.
    """
    value = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    if not isinstance(value, dict):
        raise ValidationError("Template format error: unsupported structure.")
    return value


def _json(text: str) -> Any:
    """Read JSON; what only looks like it, flow mappings of YAML, is tried as that."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        try:
            return _yaml(text)
        except ValidationError:
            raise ValidationError(
                "Template format error: JSON not well-formed. "
                f"(line {error.lineno}, column {error.colno})"
            ) from error
    check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValidationError(f"Template format error: duplicate key '{key}'.")
        found[key] = value
    return found


def check_depth(value: Any) -> None:
    """Refuse what nests too deep to be worked on.

    Raises:
        ValidationError: see there.
    """
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEPTH_MAX:
            raise _too_deep()
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]


def _too_deep() -> ValidationError:
    return ValidationError(f"Template format error: it nests deeper than {_DEPTH_MAX} levels.")


def _yaml(text: str) -> Any:
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValidationError(f"Template format error: YAML not well-formed.{where}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValidationError("Template format error: YAML not well-formed.") from error


class _Builder:
    """Makes values of events. Mutable: what is open."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._root: Any = None

    def build(self, text: str) -> Any:
        """Return the value of a document."""
        documents = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise ValidationError("Template format error: unsupported structure.")
            elif isinstance(event, yaml.AliasEvent):
                raise ValidationError(
                    "Template format error: YAML aliases are not allowed in CloudFormation "
                    "templates"
                )
            elif isinstance(event, yaml.ScalarEvent):
                self._add(_scalar(event), event)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                opened = self._open.pop()
                self._add(_tagged(opened.tag, opened.value), event)
        return self._root

    def _begin(self, event: Any) -> None:
        if len(self._open) >= _DEPTH_MAX:
            raise _too_deep()
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(value, event.tag))

    def _add(self, value: Any, event: Any) -> None:
        if not self._open:
            self._root = value
            return
        parent = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif not parent.has_key:
            if isinstance(value, dict | list):
                raise ValidationError("Template format error: unsupported structure.")
            key = event.value
            if key in parent.value:
                raise ValidationError(f"Template format error: duplicate key '{key}'.")
            parent.key, parent.has_key = key, True
        else:
            parent.value[parent.key] = value
            parent.has_key = False


class _Open:
    """A mapping or sequence whose end was not seen yet."""

    __slots__ = ("has_key", "key", "tag", "value")

    def __init__(self, value: Any, tag: str | None) -> None:
        self.value = value
        self.tag = tag
        self.key = ""
        self.has_key = False


def _scalar(event: Any) -> Any:
    if event.tag is not None and event.tag.startswith("!") and event.tag != "!":
        return _tagged(event.tag, event.value)
    text: str = event.value
    if not event.implicit[0] or event.tag == "tag:yaml.org,2002:str":
        return text
    return _WORDS[text] if text in _WORDS else _number(text)


def _number(text: str) -> Any:
    """Return a short number; an account id with a leading zero stays text."""
    if len(text) > _DIGITS_MAX:
        return text
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _tagged(tag: str | None, value: Any) -> Any:
    """Return a function's long form: `!GetAtt A.B` is `{"Fn::GetAtt": ["A", "B"]}`."""
    if tag is None or not tag.startswith("!") or tag == "!":
        return value
    name = tag[1:]
    if name == "GetAtt" and isinstance(value, str):
        logical_id, _, attribute = value.partition(".")
        return {"Fn::GetAtt": [logical_id, attribute]}
    return {_UNTAGGED.get(name) or f"Fn::{name}": value}
