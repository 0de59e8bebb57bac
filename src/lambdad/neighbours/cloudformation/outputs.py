"""The outputs of a stack. Pure."""

from __future__ import annotations

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.model import Stack


def outputs_of(stack: Stack, scope: Scope) -> list[dict[str, str]]:
    """Return a stack's outputs as DescribeStacks has them."""
    found = []
    for name, each in stack.plan.template.section("Outputs").items():
        if "Condition" in each and not scope.holds(each["Condition"]):
            continue
        value = evaluate(each["Value"], scope)
        if isinstance(value, dict | list):
            raise ValidationError(
                f"Template format error: The Value field of every Outputs member must evaluate to "
                f"a String. ({name})"
            )
        text = str(value).lower() if isinstance(value, bool) else str(value)
        output = {"OutputKey": name, "OutputValue": text}
        if "Description" in each:
            output["Description"] = str(each["Description"])
        if "Export" in each:
            output["ExportName"] = str(evaluate(each["Export"]["Name"], scope))
        found.append(output)
    return found
