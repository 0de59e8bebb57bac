"""`AWS::LanguageExtensions`: what the functions of templates may do beyond where they always can.

Loops are unrolled and policies of deletion evaluated here, once, with parameters alone; the
further functions (`Fn::Length`, `Fn::ToJsonString`, a default in `Fn::FindInMap`) are evaluated
like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.for_each import expanded
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate

_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


def extended(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document that needs no extensions any more.

    `values` are of parameters and pseudo parameters.

    Raises:
        ValidationError: with CloudFormation's text.
    """
    scope = Scope(
        values=values,
        mappings=document.get("Mappings") or {},
        conditions=document.get("Conditions") or {},
    )
    found = expanded(document, lambda value: evaluate(value, scope))
    scope = Scope(
        values=values,
        mappings=found.get("Mappings") or {},
        conditions=found.get("Conditions") or {},
    )
    for name, resource in (found.get("Resources") or {}).items():
        if isinstance(resource, dict):
            found["Resources"][name] = _with_policies(name, resource, scope)
    return found


def _with_policies(name: str, resource: dict[str, Any], scope: Scope) -> dict[str, Any]:
    resource = dict(resource)
    for policy in _POLICIES:
        if isinstance(resource.get(policy), dict):
            value = evaluate(resource[policy], scope)
            if not isinstance(value, str):
                raise ValidationError(
                    f"Transform AWS::LanguageExtensions failed with: {policy} of resource {name} "
                    "does not resolve to a string"
                )
            resource[policy] = value
    return resource
