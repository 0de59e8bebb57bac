"""Parameters of a template: what they may be, and what they are.

Values of SSM parameters are asked for by a callback, since another service has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.allowed_patterns import matches
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.template import Template

_SSM = re.compile(r"AWS::SSM::Parameter::Value<(?P<type>.+)>")
_LIST = re.compile(r"List<(.+)>|CommaDelimitedList")
_TYPES = re.compile(
    r"String|Number|CommaDelimitedList|List<Number>|List<String>|AWS::SSM::Parameter::Name"
    r"|AWS::SSM::Parameter::Value<.+>|(?:List<)?AWS::[A-Za-z0-9]+::[A-Za-z0-9:]+>?"
)
HIDDEN = "****"


def resolve_parameters(
    template: Template,
    given: Mapping[str, str],
    *,
    stored: Callable[[str], Any],
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return parameters as text, for answers, and what `Ref` of each gives.

    `stored` returns the value of an SSM parameter.

    Raises:
        ValidationError: with CloudFormation's text.
    """
    declared = template.section("Parameters")
    surplus = sorted(set(given) - set(declared))
    if surplus:
        raise ValidationError(f"Parameters: [{', '.join(surplus)}] do not exist in the template")
    for name, each in declared.items():
        _check_declaration(name, each)
    missing = sorted(
        name for name, each in declared.items() if name not in given and "Default" not in each
    )
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    texts, values = {}, {}
    for name, each in declared.items():
        text = given[name] if name in given else _text(each["Default"])
        texts[name] = text
        values[name] = _value(name, each, text, stored)
    return texts, values


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def _check_declaration(name: str, each: Any) -> None:
    if not isinstance(each, dict) or "Type" not in each:
        raise ValidationError(
            f"Template format error: Every Parameters object must contain a Type member. ({name})"
        )
    if not isinstance(each["Type"], str) or not _TYPES.fullmatch(each["Type"]):
        raise ValidationError(f"Template format error: Unrecognized parameter type: {each['Type']}")
    if not isinstance(each.get("AllowedValues", []), list):
        raise ValidationError(
            f"Template format error: AllowedValues of parameter {name} must be a list."
        )
    for limit in ("MinLength", "MaxLength", "MinValue", "MaxValue"):
        if limit in each and not _is_number(each[limit]):
            raise ValidationError(
                f"Template format error: {limit} of parameter {name} must be a number."
            )
    if not isinstance(each.get("AllowedPattern", ""), str):
        raise ValidationError(
            f"Template format error: Every AllowedPattern member must be a string. ({name})"
        )
    if isinstance(each.get("Default"), dict | list):
        raise ValidationError(
            f"Template format error: Every Default member must be a string. ({name})"
        )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def _value(name: str, declared: Mapping[str, Any], text: str, stored: Callable[[str], Any]) -> Any:
    kind: str = declared["Type"]
    is_list = _LIST.fullmatch(kind) is not None
    parts = [each.strip() for each in text.split(",")] if is_list and text else [text]
    for each in parts:
        _check_value(name, declared, each, number="Number" in kind)
    ssm = _SSM.fullmatch(kind)
    if ssm is None:
        return ([] if not text else parts) if is_list else text
    found = stored(text)
    if found is None:
        raise ValidationError(f"Parameters: [{text}] cannot be found by SSM for parameter {name}.")
    if _LIST.fullmatch(ssm["type"]):
        return [each.strip() for each in str(found).split(",")]
    return str(found)


def _check_value(name: str, declared: Mapping[str, Any], text: str, *, number: bool) -> None:
    problem = _problem(declared, text, number=number)
    if problem is None:
        return
    description = declared.get("ConstraintDescription")
    if description:
        raise ValidationError(f"Parameter '{name}' failed to satisfy constraint: {description}")
    raise ValidationError(f"Parameter '{name}' {problem}")


def _problem(declared: Mapping[str, Any], text: str, *, number: bool) -> str | None:
    allowed = declared.get("AllowedValues")
    if allowed is not None and text not in [_text(each) for each in allowed]:
        return f"must be one of AllowedValues [{', '.join(_text(each) for each in allowed)}]"
    if number:
        return _number_problem(declared, text)
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not matches(str(pattern), text):
        return f"must match pattern {pattern}"
    if len(text) < float(declared.get("MinLength", 0)):
        return f"must contain at least {declared['MinLength']} characters"
    if "MaxLength" in declared and len(text) > float(declared["MaxLength"]):
        return f"must contain at most {declared['MaxLength']} characters"
    return None


def _number_problem(declared: Mapping[str, Any], text: str) -> str | None:
    try:
        value = float(text)
    except ValueError:
        return "must be a number"
    if "MinValue" in declared and value < float(declared["MinValue"]):
        return f"must be a number not less than {declared['MinValue']}"
    if "MaxValue" in declared and value > float(declared["MaxValue"]):
        return f"must be a number not greater than {declared['MaxValue']}"
    return None


def shown(template: Template, texts: Mapping[str, str]) -> dict[str, str]:
    """Return parameters as answers show them: those with NoEcho hidden."""
    declared = template.section("Parameters")
    return {
        name: HIDDEN if str(declared[name].get("NoEcho", "")).lower() == "true" else text
        for name, text in texts.items()
        if name in declared
    }
