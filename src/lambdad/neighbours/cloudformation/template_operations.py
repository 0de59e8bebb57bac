"""Templates: returning, checking and summing them up."""

from __future__ import annotations

import json
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation.errors import (
    ValidationError,
    no_stack,
)
from lambdad.neighbours.cloudformation.planning import needed_capabilities, template_text
from lambdad.neighbours.cloudformation.service import (
    CLOUDFORMATION,
    Context,
    calls_of,
    owner_of,
    stack_of,
)
from lambdad.neighbours.cloudformation.template import Template, checked
from lambdad.neighbours.cloudformation.template_text import read_template
from lambdad.neighbours.cloudformation.transforms import SERVERLESS
from lambdad.neighbours.cloudformation.types.adopting import IDENTIFIERS


@CLOUDFORMATION.operation("GetTemplate")
async def get_template(context: Context, params: Params) -> Result:
    """Return a stack's or change set's template."""
    if params.get("ChangeSetName"):
        plan = context.services.change_set(
            owner_of(context), params["ChangeSetName"], params.get("StackName")
        ).plan
    elif params.get("StackName"):
        plan = stack_of(context, params).plan
    else:
        raise no_stack("")
    processed = params.get("TemplateStage") == "Processed"
    body: Any = plan.text
    if processed:
        body = json.dumps(plan.document) if plan.template.document else plan.text
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


async def _template(context: Context, params: Params) -> Template:
    calls = calls_of(context)

    def read() -> Template:
        text = template_text(params, calls)
        if text is None:
            raise ValidationError("Either Template URL or Template Body must be specified.")
        template = Template(read_template(text))
        return checked(template.document, transformed=not template.is_rewritten)

    found: Template = await context.services.off_loop(read)
    return found


def _flag(value: Any) -> bool:
    return str(value).lower() == "true"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _capabilities(template: Template) -> dict[str, Any]:
    needed = needed_capabilities(template.definitions, rewritten=template.is_rewritten)
    if SERVERLESS in template.transforms:
        needed = sorted({*needed, "CAPABILITY_IAM"})
    names = ", ".join(
        sorted(
            {
                each["Type"]
                for each in template.definitions.values()
                if each["Type"].startswith("AWS::IAM::")
            }
        )
    )
    return {
        "Capabilities": needed,
        "CapabilitiesReason": (
            f"The following resource(s) require capabilities: [{names}]" if names else None
        ),
        "DeclaredTransforms": template.transforms,
    }


@CLOUDFORMATION.operation("ValidateTemplate")
async def validate_template(context: Context, params: Params) -> Result:
    """Check the form of a template, and nothing more."""
    template = await _template(context, params)
    return {
        "Description": template.description,
        "Parameters": [
            {
                "ParameterKey": name,
                "DefaultValue": _text(each["Default"]) if "Default" in each else None,
                "NoEcho": _flag(each.get("NoEcho")),
                "Description": each.get("Description"),
            }
            for name, each in template.section("Parameters").items()
        ],
        **_capabilities(template),
    }


def _identifiers(template: Template) -> list[dict[str, Any]]:
    """Return what names the resources that can be imported."""
    names: dict[str, list[str]] = {}
    for logical_id, each in template.definitions.items():
        if each["Type"] in IDENTIFIERS:
            names.setdefault(each["Type"], []).append(logical_id)
    return [
        {
            "ResourceType": kind,
            "LogicalResourceIds": found,
            "ResourceIdentifiers": [IDENTIFIERS[kind]],
        }
        for kind, found in sorted(names.items())
    ]


@CLOUDFORMATION.operation("GetTemplateSummary")
async def get_template_summary(context: Context, params: Params) -> Result:
    """Return what a template needs and has."""
    if params.get("StackName"):
        template = Template(read_template(stack_of(context, params).plan.text))
    else:
        template = await _template(context, params)
    return {
        "Parameters": [
            {
                "ParameterKey": name,
                "DefaultValue": _text(each["Default"]) if "Default" in each else None,
                "ParameterType": each.get("Type"),
                "NoEcho": _flag(each.get("NoEcho")),
                "Description": each.get("Description"),
                "ParameterConstraints": {
                    "AllowedValues": [_text(one) for one in each.get("AllowedValues") or ()]
                },
            }
            for name, each in template.section("Parameters").items()
        ],
        "Description": template.description,
        "ResourceTypes": sorted({each["Type"] for each in template.definitions.values()}),
        "Version": _text(template.document.get("AWSTemplateFormatVersion", "2010-09-09")),
        "ResourceIdentifierSummaries": _identifiers(template),
        **_capabilities(template),
    }
