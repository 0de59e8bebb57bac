"""Stack policies: what an update may do to which resource. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.model import Resource, Stack
from lambdad.neighbours.cloudformation.types.base import ResourceFailed

_SIZE_MAX = 16_384
_PREFIX = "LogicalResourceId/"
_ACTIONS = {"Update:*", "Update:Modify", "Update:Replace", "Update:Delete"}
_EFFECTS = ("Allow", "Deny")
_OPERATORS = ("StringEquals", "StringLike")


def checked_policy(text: str) -> str:
    """Return the text of a policy that can be applied.

    Raises:
        ValidationError: it cannot be.
    """
    if len(text.encode()) > _SIZE_MAX:
        raise ValidationError(f"Error validating stack policy: longer than {_SIZE_MAX} bytes")
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationError("Error validating stack policy: Invalid stack policy") from None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    if not isinstance(statements, list):
        raise ValidationError("Error validating stack policy: Statement has to be a list")
    for each in statements:
        problem = _problem(each)
        if problem:
            raise ValidationError(f"Error validating stack policy: {problem}")
    return text


def _problem(statement: Any) -> str | None:
    if not isinstance(statement, dict):
        return "every statement has to be an object"
    actions = _several(statement.get("Action", statement.get("NotAction")))
    resources = _several(statement.get("Resource", statement.get("NotResource")))
    sound = {
        "Effect has to be Allow or Deny": statement.get("Effect") in _EFFECTS,
        "Unknown policy action": bool(actions) and all(each in _ACTIONS for each in actions),
        "Resource has to be * or begin with LogicalResourceId/": bool(resources)
        and all(
            isinstance(each, str) and (each == "*" or each.startswith(_PREFIX))
            for each in resources
        ),
        "Principal has to be *": statement.get("Principal") in ("*", {"AWS": "*"}),
        "Condition can compare ResourceType by StringEquals or StringLike": _is_condition(
            statement.get("Condition", {})
        ),
    }
    return next((problem for problem, well in sound.items() if not well), None)


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and all(
        operator in _OPERATORS and isinstance(tested, dict) and set(tested) <= {"ResourceType"}
        for operator, tested in value.items()
    )


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def check_allowed(stack: Stack, resource: Resource, action: str) -> None:
    """Refuse to `Modify`, `Replace` or `Delete` what the policy protects; only in an update.

    Raises:
        ResourceFailed: see there.
    """
    text = stack.policy_during or stack.policy
    if text is None or stack.phase != "update":
        return
    allowed, name = False, f"{_PREFIX}{resource.logical_id}"
    for number, statement in _matching(json.loads(text), resource, f"Update:{action}"):
        if statement["Effect"] == "Deny":
            raise ResourceFailed(
                f"Action denied by stack policy: Statement [#{number}] does not allow "
                f"[{_shown(statement)}] for resource [{name}]"
            )
        allowed = True
    if not allowed:
        raise ResourceFailed(
            f"Action not allowed by stack policy: no statement allows [Update:{action}] for "
            f"resource [{name}]"
        )


def _shown(statement: Mapping[str, Any]) -> str:
    return ", ".join(_several(statement.get("Action", statement.get("NotAction"))))


def _matching(
    policy: Mapping[str, Any], resource: Resource, action: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    name = f"{_PREFIX}{resource.logical_id}"
    for number, each in enumerate(policy["Statement"], 1):
        actions = _several(each.get("Action", each.get("NotAction")))
        named = _several(each.get("Resource", each.get("NotResource")))
        if (
            any(one in (action, "Update:*") for one in actions) == ("Action" in each)
            and any(_like(one, name) for one in named) == ("Resource" in each)
            and _holds(each.get("Condition") or {}, resource.type)
        ):
            yield number, each


def _holds(conditions: Mapping[str, Any], kind: str) -> bool:
    return all(
        any(
            one == kind if operator == "StringEquals" else _like(one, kind)
            for one in _several(names)
        )
        for operator, tested in conditions.items()
        for names in tested.values()
    )


def _like(pattern: Any, text: str) -> bool:
    return fnmatchcase(text, str(pattern).replace("[", "[[]"))
