"""Whether a policy that a caller wrote is one, and whom it lets in. Pure.

Decides what `PutResourcePolicy` takes: more than `AddPermission` can say, but nothing that
`policies` would ignore.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.authz.conditions import arn_matches, problem_of
from lambdad.authz.policies import Document, Statement, action_matches, listed, statements_of
from lambdad.authz.policy_documents import ACCOUNT, IDENTITY, SERVICE, VERSION
from lambdad.domain.errors import InvalidParameterValueException

_VERSIONS = (VERSION, "2008-10-17")
_INVOKING = ("lambda:InvokeFunction", "lambda:InvokeFunctionUrl")
_ACTION = re.compile(r"\*|lambda:[A-Za-z*?]+", re.ASCII)
_MEMBERS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_RESTRICTING = {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
}


def parse_document(text: str, resource: str) -> Document:
    """Return the policy that a caller wrote for the resource of this ARN.

    Raises:
        InvalidParameterValueException: it is no policy, or speaks of another resource.
    """
    try:
        document = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is not JSON: {error}.") from error
    if not isinstance(document, dict) or not document.keys() <= {"Version", "Id", "Statement"}:
        raise _invalid("it must be an object of Version, Id and Statement.")
    if document.get("Version", VERSION) not in _VERSIONS:
        raise _invalid(f"Version must be one of {', '.join(_VERSIONS)}.")
    if not isinstance(document.get("Id", ""), str):
        raise _invalid("Id must be a string.")
    statements = statements_of(document)
    if not statements:
        raise _invalid("a statement is needed.")
    for statement in statements:
        for problem in _problems(statement, resource):
            raise _invalid(problem)
    ids = [statement["Sid"] for statement in statements if "Sid" in statement]
    if len(set(ids)) != len(ids):
        raise _invalid("statement ids must be unique.")
    return document


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def is_public(statement: Statement) -> bool:
    """Whether a statement lets everybody do more than invoke.

    A condition that is tied to an account, an organisation, a source or an address ends that.
    """
    if statement["Effect"] != "Allow" or not _means_everybody(statement.get("Principal")):
        return False
    if _is_restricted(statement.get("Condition", {})):
        return False
    actions = listed(statement["Action"]) if "Action" in statement else ["*"]
    return not all(
        any(action_matches(action, invoking) and "*" not in action for invoking in _INVOKING)
        for action in actions
    )


def _means_everybody(principal: object) -> bool:
    if isinstance(principal, Mapping):
        return "*" in listed(principal.get("AWS", []))
    return principal == "*"


def _is_restricted(condition: Mapping[str, Any]) -> bool:
    return any(
        key.lower() in _RESTRICTING and all(value.strip("*?") for value in listed(wanted))
        for operator, keys in condition.items()
        if "Not" not in operator and operator != "Null" and not operator.endswith("IfExists")
        for key, wanted in keys.items()
    )


def _problems(statement: object, resource: str) -> Iterator[str]:
    """Yield what is wrong with a statement; after the first, the rest may not make sense."""
    if not isinstance(statement, dict):
        yield "each statement must be an object."
        return
    for unknown in sorted(statement.keys() - _MEMBERS):
        yield f"a statement has no element {unknown}."
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield "Effect must be Allow or Deny."
    if not isinstance(statement.get("Sid", ""), str):
        yield "Sid must be a string."
    for element in ("Principal", "Action", "Resource"):
        if (element in statement) == (f"Not{element}" in statement):
            yield f"each statement needs one of {element} and Not{element}."
    if statement["Effect"] == "Allow" and "NotPrincipal" in statement:
        yield "NotPrincipal cannot be used with Allow."
    if not _is_principal(statement.get("Principal", statement.get("NotPrincipal"))):
        yield "Principal must be *, or AWS accounts and identities, or Services."
    yield from _problems_of_actions(statement)
    yield from _problems_of_resources(statement, resource)
    if problem := problem_of(statement.get("Condition", {})):
        yield problem


def _is_principal(element: object) -> bool:
    if not isinstance(element, dict):
        return element == "*"
    if not element or not element.keys() <= {"AWS", "Service"}:
        return False
    accounts, services = listed(element.get("AWS", [])), listed(element.get("Service", []))
    if not accounts and not services:
        return False
    return all(
        name == "*" or ACCOUNT.fullmatch(name) or IDENTITY.fullmatch(name) for name in accounts
    ) and all(SERVICE.fullmatch(name) for name in services)


def _problems_of_actions(statement: Statement) -> Iterator[str]:
    actions = listed(statement.get("Action", statement.get("NotAction")))
    if not actions:
        yield "an action is needed."
    for action in actions:
        if not _ACTION.fullmatch(action):
            yield f"{action} is no action of Lambda."


def _problems_of_resources(statement: Statement, resource: str) -> Iterator[str]:
    """Refuse what is neither the resource, nor a version or alias of it."""
    patterns = listed(statement.get("Resource", statement.get("NotResource")))
    if not patterns:
        yield "a resource is needed."
    for pattern in patterns:
        own = arn_matches(pattern, resource) or arn_matches(pattern, f"{resource}:1")
        if not own and not pattern.startswith(f"{resource}:"):
            yield f"Resource {pattern} is not {resource}."


def _invalid(problem: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(f"The provided policy is invalid: {problem}")
