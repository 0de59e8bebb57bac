"""What the functions of templates evaluate to. Pure: values in, values out.

What a name stands for is asked of a :class:`Scope`; when it is known is the caller's business.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.cloudformation.cidr import subnets
from lambdad.neighbours.cloudformation.errors import ValidationError

VARIABLE = re.compile(r"\$\{(!?)([^${}]*)\}")


class NoValue:
    """What `AWS::NoValue` is: its place is left out."""


NO_VALUE = NoValue()


def _nothing(name: str) -> Any:
    raise ValidationError(f"Template format error: Unresolved dependencies [{name}].")


@dataclass(slots=True, kw_only=True)
class Scope:
    """What names in a template stand for.

    Attributes:
        values: of parameters and pseudo parameters; lists for parameters of list types.
        conditions: the template's, unevaluated; `decided` holds those that were asked for.
        reference: value of `Ref` for a resource.
        attribute: value of `Fn::GetAtt` for a resource.
        exported: value of an export by its name.
        zones: availability zones of a region.
    """

    values: Mapping[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    reference: Callable[[str], Any] = _nothing
    attribute: Callable[[str, str], Any] = lambda name, _: _nothing(name)
    exported: Callable[[str], Any] = _nothing
    zones: Callable[[str], list[str]] = lambda region: [f"{region}{each}" for each in "abc"]
    decided: dict[str, bool | None] = field(default_factory=dict)

    def holds(self, name: Any) -> bool:
        """Whether a condition of the template holds.

        Raises:
            ValidationError: there is no such condition, or it depends on itself.
        """
        if not isinstance(name, str) or name not in self.conditions:
            raise ValidationError(
                f"Template format error: Unresolved condition dependency {name} in the Conditions "
                "block of the template"
            )
        if name in self.decided:
            known = self.decided[name]
            if known is None:
                raise ValidationError(
                    f"Template error: Found circular condition dependency: {name}"
                )
            return known
        self.decided[name] = None
        found = self.decided[name] = truth(evaluate(self.conditions[name], self))
        return found


def evaluate(value: Any, scope: Scope) -> Any:
    """Return a value with every function in it evaluated.

    Raises:
        ValidationError: with CloudFormation's text, when a function cannot be.
    """
    if isinstance(value, list):
        found = [evaluate(each, scope) for each in value]
        return [each for each in found if each is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    call = function_of(value)
    if call is not None:
        return _FUNCTIONS[call[0]](call[1], scope)
    pairs = ((name, evaluate(each, scope)) for name, each in value.items())
    return {name: each for name, each in pairs if each is not NO_VALUE}


def function_of(value: Any) -> tuple[str, Any] | None:
    """Return name and argument if a value is the call of a function."""
    if isinstance(value, dict) and len(value) == 1:
        [(name, argument)] = value.items()
        if name in _FUNCTIONS and (name != "Condition" or isinstance(argument, str)):
            return name, argument
        if name.startswith("Fn::"):
            raise ValidationError(f"Template error: {name} is not a supported function.")
    return None


def truth(value: Any) -> bool:
    """Return a condition's value as a boolean."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValidationError(
        "Template format error: Conditions can only be boolean operations on parameters and other "
        "conditions"
    )


def text_of(value: Any, where: str) -> str:
    """Return what stands in a string for a value.

    Raises:
        ValidationError: it is a list or an object.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict | NoValue):
        raise ValidationError(f"Template error: every {where} object must have a String value.")
    return str(value)


def _ref(argument: Any, scope: Scope) -> Any:
    if argument == "AWS::NoValue":
        return NO_VALUE
    if not isinstance(argument, str):
        raise ValidationError(
            "Template format error: every Ref object must have a single String value."
        )
    return scope.values[argument] if argument in scope.values else scope.reference(argument)


def _get_att(argument: Any, scope: Scope) -> Any:
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    if not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str)):
        raise ValidationError(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the "
            "resource name and the resource attribute"
        )
    attribute = evaluate(argument[1], scope)
    return scope.attribute(argument[0], text_of(attribute, "Fn::GetAtt"))


def _sub(argument: Any, scope: Scope) -> Any:
    given: dict[str, Any] = {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
        argument, names = argument
        given = {name: evaluate(each, scope) for name, each in names.items()}
    if not isinstance(argument, str):
        raise ValidationError(
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected "
            "arguments. Specify a string as first argument, and an optional second argument to "
            "specify a mapping of values to replace in the string"
        )

    def replaced(match: re.Match[str]) -> str:
        literal, name = match[1], match[2].strip()
        if literal:
            return "${" + match[2] + "}"
        if name in given:
            return text_of(given[name], "Fn::Sub")
        if name in scope.values or "." not in name:
            return _joined(_ref(name, scope))
        return text_of(_get_att(name, scope), "Fn::Sub")

    return VARIABLE.sub(replaced, argument)


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(text_of(each, "Fn::Sub") for each in value)
    return "" if value is NO_VALUE else text_of(value, "Fn::Sub")


def _join(argument: Any, scope: Scope) -> Any:
    problem = ValidationError(
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
        "(2) a list of strings to be joined or a function that returns a list of strings (such as "
        "Fn::GetAZs) to be joined."
    )
    if not (isinstance(argument, list) and len(argument) == 2):
        raise problem
    delimiter, parts = evaluate(argument[0], scope), evaluate(argument[1], scope)
    if not isinstance(delimiter, str) or not isinstance(parts, list):
        raise problem
    flat = [text_of(each, "Fn::Join") for each in parts]
    return delimiter.join(flat)


def _select(argument: Any, scope: Scope) -> Any:
    if not (isinstance(argument, list) and len(argument) == 2):
        raise ValidationError(
            "Template error: every Fn::Select object requires two non-empty parameters, the index "
            "and the list of objects."
        )
    index, parts = evaluate(argument[0], scope), evaluate(argument[1], scope)
    try:
        number = int(index)
    except (TypeError, ValueError):
        raise ValidationError(
            "Template error: Fn::Select requires a numeric index as its first parameter."
        ) from None
    if not isinstance(parts, list):
        raise ValidationError(
            "Template error: Fn::Select requires a list argument with two "
            "elements: an integer index and a list"
        )
    if not 0 <= number < len(parts):
        raise ValidationError(
            f"Template error: Fn::Select cannot select nonexistent value at index {number}"
        )
    return parts[number]


def _split(argument: Any, scope: Scope) -> Any:
    found = evaluate(argument, scope)
    if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], str) and found[0]):
        raise ValidationError(
            "Template error: every Fn::Split object requires two parameters, (1) a string "
            "delimiter and (2) a string to be split or a function that returns a string to be "
            "split."
        )
    return text_of(found[1], "Fn::Split").split(found[0])


def _if(argument: Any, scope: Scope) -> Any:
    if not (isinstance(argument, list) and len(argument) == 3 and isinstance(argument[0], str)):
        raise ValidationError(
            "Template error: Fn::If requires a list argument with three elements: a condition name "
            "and two values."
        )
    return evaluate(argument[1] if scope.holds(argument[0]) else argument[2], scope)


def _equals(argument: Any, scope: Scope) -> Any:
    if not (isinstance(argument, list) and len(argument) == 2):
        raise ValidationError(
            "Template error: every Fn::Equals object requires a list of 2 string parameters."
        )
    left, right = (evaluate(each, scope) for each in argument)
    if isinstance(left, dict | list) or isinstance(right, dict | list):
        return bool(left == right)
    return text_of(left, "Fn::Equals") == text_of(right, "Fn::Equals")


def _terms(name: str, argument: Any, least: int, most: int) -> list[Any]:
    if not isinstance(argument, list) or not least <= len(argument) <= most:
        wanted = "1 boolean parameter" if most == 1 else f"at least {least} and at most {most}"
        raise ValidationError(
            f"Template error: every {name} object requires a list of {wanted}"
            f"{'' if most == 1 else ' boolean parameters'}."
        )
    return argument


def _and(argument: Any, scope: Scope) -> Any:
    terms = _terms("Fn::And", argument, 2, 10)
    found = [truth(evaluate(each, scope)) for each in terms]
    return all(found)


def _or(argument: Any, scope: Scope) -> Any:
    terms = _terms("Fn::Or", argument, 2, 10)
    found = [truth(evaluate(each, scope)) for each in terms]
    return any(found)


def _not(argument: Any, scope: Scope) -> Any:
    return not truth(evaluate(_terms("Fn::Not", argument, 1, 1)[0], scope))


def _contains(argument: Any, scope: Scope) -> Any:
    found = evaluate(argument, scope)
    if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], list)):
        raise ValidationError(
            "Template error: every Fn::Contains object requires a list of strings and a string."
        )
    return found[1] in found[0]


def _find_in_map(argument: Any, scope: Scope) -> Any:
    if not (isinstance(argument, list) and len(argument) in (3, 4)):
        raise ValidationError(
            "Template error: every Fn::FindInMap object requires three parameters, the map name, "
            "map key and the attribute for return value"
        )
    keys = [text_of(evaluate(each, scope), "Fn::FindInMap") for each in argument[:3]]
    found: Any = scope.mappings
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            if len(argument) == 4 and isinstance(argument[3], dict):
                return evaluate(argument[3].get("DefaultValue"), scope)
            raise ValidationError(f"Template error: Unable to get mapping for {'::'.join(keys)}")
        found = found[key]
    return found


def _import_value(argument: Any, scope: Scope) -> Any:
    return scope.exported(text_of(evaluate(argument, scope), "Fn::ImportValue"))


def _base64(argument: Any, scope: Scope) -> Any:
    text = text_of(evaluate(argument, scope), "Fn::Base64")
    return base64.b64encode(text.encode()).decode()


def _cidr(argument: Any, scope: Scope) -> Any:
    return subnets(evaluate(argument, scope))


def _get_azs(argument: Any, scope: Scope) -> Any:
    region = evaluate(argument, scope)
    return scope.zones(text_of(region, "Fn::GetAZs") or str(scope.values.get("AWS::Region", "")))


def _length(argument: Any, scope: Scope) -> Any:
    found = evaluate(argument, scope)
    if not isinstance(found, list):
        raise ValidationError("Template error: Fn::Length requires a list.")
    return len(found)


def _to_json_string(argument: Any, scope: Scope) -> Any:
    return json.dumps(evaluate(argument, scope), separators=(",", ":"))


def _condition(argument: Any, scope: Scope) -> Any:
    return scope.holds(argument)


_FUNCTIONS: Mapping[str, Callable[[Any, Scope], Any]] = {
    "Condition": _condition,
    "Fn::And": _and,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::Contains": _contains,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Not": _not,
    "Fn::Or": _or,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json_string,
    "Ref": _ref,
}
SUPPORTED = sorted(_FUNCTIONS)


def unsupported(value: Any) -> str | None:
    """Return the name of a function in a value that there is not, or None."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
        elif isinstance(each, dict):
            for name in each:
                if name.startswith("Fn::") and name not in _FUNCTIONS:
                    return str(name)
            pending += each.values()
    return None
