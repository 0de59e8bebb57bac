"""What Lambda authorizers answer: identities with policies, kept for a while.

Decides what an answer of format 1.0 means and whether its policy lets a request through. When an
authorizer is asked, and what a refusal looks like, is its front door's business.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lambdad.authz.conditions import holds, lowered, problem_of, text_matches
from lambdad.authz.policies import Decision, listed
from lambdad.domain.clock import Clock

INVOKE = "execute-api:Invoke"
_CACHED_MAX = 10_000
_T = TypeVar("_T")


class InvalidResult(Exception):
    """An authorizer's answer is none; API Gateway answers with its configuration error, a 500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaResult:
    """Who a caller is and what they may do.

    Attributes:
        statements: of the policy document.
        context: what integrations are told, scalars by name.
        usage_key: of the usage plan's client, where APIs take it from the authorizer.
    """

    principal_id: str
    statements: tuple[Mapping[str, Any], ...]
    context: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    usage_key: str | None = None

    def decide(self, method_arn: str, conditions: Mapping[str, str] | None = None) -> Decision:
        """Return what the policy says about calling a method; `conditions` are condition keys."""
        context = lowered(conditions or {})
        decision = Decision.SILENT
        for statement in self.statements:
            if not _applies(statement, method_arn, context):
                continue
            if statement["Effect"].lower() == "deny":
                return Decision.DENIED
            decision = Decision.ALLOWED
        return decision


def parse_result(payload: bytes) -> LambdaResult:
    """Return what an authorizer answered.

    Raises:
        InvalidResult: it lacks principal or policy, or these cannot be read.
    """
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidResult("the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise InvalidResult("the answer is no object")
    principal_id = answer.get("principalId")
    if not isinstance(principal_id, str) or not principal_id:
        raise InvalidResult("principalId is missing")
    document = answer.get("policyDocument")
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError as error:
            raise InvalidResult("policyDocument is no JSON") from error
    if not isinstance(document, dict):
        raise InvalidResult("policyDocument is missing")
    usage_key = answer.get("usageIdentifierKey")
    return LambdaResult(
        principal_id=principal_id,
        statements=_statements(document),
        context=_context(answer.get("context")),
        usage_key=usage_key if isinstance(usage_key, str) else None,
    )


def _statements(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    given = document.get("Statement")
    statements = given if isinstance(given, list) else [given]
    for statement in statements:
        if not isinstance(statement, dict):
            raise InvalidResult("a statement is no object")
        effect = statement.get("Effect")
        if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
            raise InvalidResult("a statement's effect is neither Allow nor Deny")
        for element in ("Action", "Resource"):
            if element not in statement and f"Not{element}" not in statement:
                raise InvalidResult(f"a statement has no {element}")
        if problem := problem_of(statement.get("Condition", {})):
            raise InvalidResult(problem)
    return tuple(statements)


def _context(given: object) -> dict[str, str | int | float | bool | None]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidResult("context is no object")
    for name, value in given.items():
        if isinstance(value, dict | list):
            raise InvalidResult(f"{name} of the context is neither text, number nor boolean")
    return given


def _applies(statement: Mapping[str, Any], method_arn: str, context: Any) -> bool:
    return (
        _names(statement, "Action", INVOKE, ignore_case=True)
        and _names(statement, "Resource", method_arn)
        and holds(statement.get("Condition", {}), context)
    )


def _names(
    statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False
) -> bool:
    wanted = element in statement
    patterns = listed(statement[element] if wanted else statement[f"Not{element}"])
    if ignore_case:
        patterns, value = [pattern.lower() for pattern in patterns], value.lower()
    # A wildcard reaches over the colons of an ARN here, unlike in policies of IAM.
    return wanted is any(text_matches(pattern, value) for pattern in patterns)


class ResultCache(Generic[_T]):
    """Answers of authorizers, each for as long as its authorizer says.

    What is asked for least lately goes when there are too many.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, _T]] = OrderedDict()

    def get(self, key: Hashable) -> _T | None:
        """Return an answer that is still good."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock.monotonic():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Hashable, value: _T, ttl_s: float) -> None:
        """Keep an answer for so long; not at all where that is nothing."""
        if ttl_s <= 0:
            return
        self._entries[key] = (self._clock.monotonic() + ttl_s, value)
        self._entries.move_to_end(key)
        if len(self._entries) > _CACHED_MAX:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, as FlushStageAuthorizersCache does."""
        self._entries.clear()
