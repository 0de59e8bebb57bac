"""Rules of a template: what its parameters have to be together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate, truth


def check_rules(rules: Mapping[str, Any], scope: Scope) -> None:
    """Refuse parameters that an assertion speaks against.

    Raises:
        ValidationError: with what the template says of it.
    """
    for name, rule in rules.items():
        if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list):
            raise ValidationError(
                f"Template format error: Rule {name} must be an object with a list of Assertions."
            )
        if "RuleCondition" in rule and not truth(evaluate(rule["RuleCondition"], scope)):
            continue
        for each in rule["Assertions"]:
            if not isinstance(each, dict) or "Assert" not in each:
                raise ValidationError(
                    f"Template format error: Every assertion of rule {name} must have an Assert."
                )
            if not truth(evaluate(each["Assert"], scope)):
                said = each.get("AssertDescription", "")
                raise ValidationError(f"Rule {name} was not met by the parameters. {said}".strip())
