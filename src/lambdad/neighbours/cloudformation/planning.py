"""Makes plans of requests: reads template and parameters, applies transforms, checks everything.

Blocks: call it off the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, Calls
from lambdad.neighbours.cloudformation.errors import (
    InsufficientCapabilitiesException,
    ValidationError,
)
from lambdad.neighbours.cloudformation.fetching import fetched
from lambdad.neighbours.cloudformation.graph import dependencies
from lambdad.neighbours.cloudformation.macros import Macros
from lambdad.neighbours.cloudformation.model import Plan, Stack
from lambdad.neighbours.cloudformation.parameters import resolve_parameters
from lambdad.neighbours.cloudformation.rules import check_rules
from lambdad.neighbours.cloudformation.scopes import base_scope, chosen, pseudo
from lambdad.neighbours.cloudformation.template import Template, checked
from lambdad.neighbours.cloudformation.template_text import read_template
from lambdad.neighbours.cloudformation.transforms import transformed
from lambdad.neighbours.cloudformation.types import TYPES, is_known

_BODY_MAX = 51_200


def template_text(params: Mapping[str, Any], calls: Calls) -> str | None:
    """Return the text of a request's template, from S3 if it is there; None if it has none.

    Raises:
        ValidationError: it is too large or cannot be read.
    """
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if body and url:
        raise ValidationError("Specify only one of TemplateBody or TemplateURL.")
    if body:
        if len(body.encode()) > _BODY_MAX:
            raise ValidationError(
                "1 validation error detected: Value at 'templateBody' failed to satisfy "
                f"constraint: Member must have length less than or equal to {_BODY_MAX}"
            )
        return str(body)
    return fetched(str(url), calls) if url else None


def make_plan(
    text: str,
    params: Mapping[str, Any],
    stack: Stack,
    calls: Calls,
    *,
    exports: Mapping[str, str],
    macros: Mapping[str, str],
    lenient: bool = False,
    former: Plan | None = None,
) -> Plan:
    """Return what a request wants a stack to be.

    `macros` are the functions of the account's macros by name; `lenient` lets types pass that are
    not known.

    Raises:
        ValidationError: with CloudFormation's text.
        InsufficientCapabilitiesException: it makes what was not acknowledged.
    """
    template = checked(read_template(text), transformed=False)
    given = given_parameters(params, former)
    texts, values = resolve_parameters(template, given, stored=lambda name: _ssm_value(calls, name))
    values |= pseudo(stack)
    applied = Macros(calls, macros, values, template.section("Mappings"))
    document = dict(transformed(template, values, applied, region=stack.region))
    whole = checked(document)
    plan = Plan(
        text=text,
        document=document,
        parameters=texts,
        values=values,
        tags=_tags(params, former),
        capabilities=list(params.get("Capabilities") or ()),
    )
    scope = base_scope(plan, exports)
    check_rules(whole.section("Rules"), scope)
    wanted = chosen(plan, scope)
    dependencies(wanted)
    _check_types(whole, lenient=lenient)
    direct = "ChangeSetName" not in params
    _check_capabilities(wanted, plan.capabilities, rewritten=direct and template.is_rewritten)
    return plan


def given_parameters(params: Mapping[str, Any], former: Plan | None) -> dict[str, str]:
    """Return parameters of a request, with UsePreviousValue looked up."""
    found: dict[str, str] = {}
    for each in params.get("Parameters") or ():
        name = each["ParameterKey"]
        if each.get("UsePreviousValue"):
            if former is None or name not in former.parameters:
                raise ValidationError(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as "
                    "true for a parameter key not in the previous template"
                )
            found[name] = former.parameters[name]
        else:
            found[name] = each.get("ParameterValue") or ""
    return found


def _tags(params: Mapping[str, Any], former: Plan | None) -> dict[str, str]:
    tags = params.get("Tags")
    if tags is None:
        return {} if former is None else dict(former.tags)
    return {each["Key"]: each["Value"] for each in tags}


def _ssm_value(calls: Calls, name: str) -> Any:
    try:
        return calls.call("ssm", "GetParameter", {"Name": name})["Parameter"]["Value"]
    except CallFailed as error:
        if error.gone:
            return None
        raise ValidationError(str(error)) from error


def _check_types(template: Template, *, lenient: bool) -> None:
    unknown = sorted(
        {each["Type"] for each in template.resources.values() if not is_known(each["Type"])}
    )
    if unknown and not lenient:
        raise ValidationError(
            f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
        )


def _check_capabilities(wanted: Mapping[str, Any], given: list[str], *, rewritten: bool) -> None:
    needed = needed_capabilities(wanted, rewritten=rewritten)
    missing = [each for each in needed if each not in given]
    if "CAPABILITY_NAMED_IAM" in given:
        missing = [each for each in missing if each != "CAPABILITY_IAM"]
    if missing:
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{', '.join(missing)}]")


def needed_capabilities(wanted: Mapping[str, Any], *, rewritten: bool) -> list[str]:
    """Return what callers have to acknowledge for these resources.

    `rewritten` says that transforms made them, and nobody looks at them before they are deployed.
    """
    found = set()
    for each in wanted.values():
        known = TYPES.get(each["Type"])
        if known is not None and (needed := known.capability(each.get("Properties") or {})):
            found.add(needed)
    if "CAPABILITY_NAMED_IAM" in found:
        found.discard("CAPABILITY_IAM")
    if rewritten:
        found.add("CAPABILITY_AUTO_EXPAND")
    return sorted(found)
