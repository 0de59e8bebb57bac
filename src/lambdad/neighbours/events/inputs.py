"""What a target gets of an event: all of it, a part, a constant, or a text made of parts. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_MISSING: Any = object()
_PATH = re.compile(r"\$(?:\.[^.\[\]\s]+|\[(?:\d+|\*|'[^']*')\])*")
_STEP = re.compile(r"\.([^.\[\]\s]+)|\[(?:(\d+)|(\*)|'([^']*)')\]")
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9._-]+)>")
# A JSON string, or what is between strings.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[^"]+|"', re.DOTALL)

Event = Mapping[str, Any]


def is_path(text: str) -> bool:
    """Whether a text is a path into an event."""
    return _PATH.fullmatch(text) is not None


def at_path(path: str, event: Any) -> Any:
    """Return what is at a path in an event, or :data:`_MISSING`."""
    value = event
    for name, index, every, quoted in _STEP.findall(path[1:]):
        if every:
            continue
        if index:
            fits = isinstance(value, list) and int(index) < len(value)
            value = value[int(index)] if fits else _MISSING
        elif isinstance(value, Mapping):
            value = value.get(name or quoted, _MISSING)
        else:
            value = _MISSING
    return value


def text_at(path: str, event: Event) -> str | None:
    """Return what is at a path as a text, None for nothing."""
    value = at_path(path, event)
    if value is _MISSING:
        return None
    return value if isinstance(value, str) else compact(value)


def compact(value: Any) -> str:
    """Return JSON as EventBridge writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def render(
    target: Mapping[str, Any], event: Event, *, rule_arn: str, rule_name: str, ingested: str
) -> str:
    """Return the payload for a target, which is mostly, but not always, JSON."""
    if (constant := target.get("Input")) is not None:
        return str(constant)
    if (path := target.get("InputPath")) is not None:
        value = at_path(path, event)
        return "{}" if value is _MISSING else compact(value)
    transformer = target.get("InputTransformer")
    if transformer is None:
        return compact(event)
    values = {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": ingested,
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        found = at_path(path, event)
        if found is not _MISSING:
            values[name] = found
    return fill(transformer["InputTemplate"], values)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a template: as JSON, and without their quotes where they stand in a string.

    What has no value leaves nothing in a string, and an empty string elsewhere. A template that
    would be no JSON is text, into which values go bare.
    """
    if not _is_json(template):
        return _PLACEHOLDER.sub(lambda match: _bare(values.get(match[1], "")), template)
    return "".join(
        _PLACEHOLDER.sub(lambda match: _quoted(values.get(match[1], "")), piece)
        if piece.startswith('"')
        else _PLACEHOLDER.sub(lambda match: compact(values.get(match[1], "")), piece)
        for piece in _PIECE.findall(template)
    )


def placeholders(template: str) -> set[str]:
    """Return the names that a template has placeholders for."""
    return set(_PLACEHOLDER.findall(template))


def _is_json(template: str) -> bool:
    numbered = "".join(
        piece if piece.startswith('"') else _PLACEHOLDER.sub("0", piece)
        for piece in _PIECE.findall(template)
    )
    try:
        json.loads(numbered)
    except ValueError:
        return False
    return True


def _bare(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return compact(value)[1:-1]
    return compact(value).replace('"', "")
