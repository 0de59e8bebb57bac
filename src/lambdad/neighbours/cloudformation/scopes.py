"""What names mean in a stack: parameters, what was made, and what other stacks export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import Scope
from lambdad.neighbours.cloudformation.model import Held, Plan, Stack
from lambdad.neighbours.cloudformation.types import is_known

UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"


def pseudo(stack: Stack) -> dict[str, Any]:
    """Return the pseudo parameters of a stack."""
    china = stack.region.startswith("cn-")
    return {
        "AWS::AccountId": stack.account_id,
        "AWS::NotificationARNs": stack.notification_arns,
        "AWS::Partition": "aws-cn" if china else "aws",
        "AWS::Region": stack.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com.cn" if china else "amazonaws.com",
    }


def base_scope(plan: Plan, exports: Mapping[str, str]) -> Scope:
    """Return a scope where no resource is known."""

    def exported(name: str) -> str:
        if name not in exports:
            raise ValidationError(f"No export named {name} found.")
        return exports[name]

    return Scope(
        values=plan.values,
        mappings=plan.template.section("Mappings"),
        conditions=plan.template.section("Conditions"),
        exported=exported,
    )


def chosen(plan: Plan, scope: Scope) -> dict[str, Any]:
    """Return the resources of a template whose conditions hold."""
    return {
        name: each
        for name, each in plan.template.resources.items()
        if "Condition" not in each or scope.holds(each["Condition"])
    }


def stack_scope(
    stack: Stack,
    plan: Plan,
    exports: Mapping[str, str],
    *,
    unknown: Callable[[str], bool] = lambda _: False,
) -> Scope:
    """Return a scope of what a stack holds; what `unknown` says yes to has no value yet."""
    scope = base_scope(plan, exports)

    def held(name: str) -> Held:
        resource = stack.resources.get(name)
        if resource is None or resource.held is None:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{name}] in the "
                "Resources block of the template"
            )
        return resource.held

    def reference(name: str) -> Any:
        return UNKNOWN if unknown(name) else held(name).physical_id

    def attribute(name: str, wanted: str) -> Any:
        if unknown(name):
            return UNKNOWN
        attributes = held(name).attributes
        if not is_known(stack.resources[name].type):
            return f"{held(name).physical_id}.{wanted}"
        if wanted in attributes:
            return attributes[wanted]
        raise ValidationError(
            f"Template error: resource {name} does not support attribute type {wanted} in "
            "Fn::GetAtt"
        )

    scope.reference, scope.attribute = reference, attribute
    return scope
