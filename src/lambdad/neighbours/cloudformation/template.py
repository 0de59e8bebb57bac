"""What a template says: its sections, and whether they fit together. Pure.

Decides what no template may be, in CloudFormation's words. Nothing is evaluated here but what
depends on nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import VARIABLE

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
}
PSEUDO = {
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
}
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")
_TYPE = re.compile(r"[A-Za-z0-9]+::[A-Za-z0-9@_-]+(::[A-Za-z0-9@_-]+)*")
_RESOURCES_MAX = 500
_DESCRIPTION_MAX = 1_024
_ATTRIBUTES = {
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
    "Version",
}
_POLICIES = {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}


@dataclass(frozen=True, slots=True)
class Template:
    """A template whose sections have the right form. `document` is all of it."""

    document: Mapping[str, Any]

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a section by name, empty if it is not there."""
        return self.document.get(name) or {}

    @property
    def resources(self) -> Mapping[str, Any]:
        """Resources by logical id."""
        return self.section("Resources")

    @property
    def description(self) -> str | None:
        """What it says of itself."""
        return self.document.get("Description")

    @property
    def transforms(self) -> list[str]:
        """Names of the transforms that it declares."""
        found = self.document.get("Transform") or []
        names = found if isinstance(found, list) else [found]
        return [each if isinstance(each, str) else str(each.get("Name")) for each in names]


def checked(document: Mapping[str, Any], *, transformed: bool = True) -> Template:
    """Return a template whose form and references are sound.

    `transformed` says that no transform has work left, so references can be looked up.

    Raises:
        ValidationError: with CloudFormation's text.
    """
    unknown = sorted(set(document) - SECTIONS)
    if unknown:
        raise ValidationError(f"Invalid template property or properties [{', '.join(unknown)}]")
    _check_nulls(document)
    template = Template(document)
    for name in ("Conditions", "Mappings", "Metadata", "Outputs", "Parameters", "Resources"):
        if not isinstance(document.get(name, {}), dict):
            raise ValidationError(
                f"Template format error: {name} section must be an object of members."
            )
    text = document.get("Description", "")
    if not isinstance(text, str) or len(text.encode()) > _DESCRIPTION_MAX:
        raise ValidationError(
            "Template format error: Description must be a string of at most 1024 bytes."
        )
    if not template.resources:
        raise ValidationError(
            "Template format error: At least one Resources member must be defined."
        )
    if len(template.resources) > _RESOURCES_MAX:
        raise ValidationError(
            f"Template format error: Number of resources, {len(template.resources)}, is greater "
            f"than maximum allowed, {_RESOURCES_MAX}"
        )
    for logical_id, resource in template.resources.items():
        _check_resource(logical_id, resource)
    for name, output in template.section("Outputs").items():
        _check_output(name, output)
    if transformed:
        _check_references(template)
    return template


def _check_nulls(document: Mapping[str, Any]) -> None:
    pending: list[tuple[str, Any]] = [("", dict(document))]
    while pending:
        path, value = pending.pop()
        if value is None:
            raise ValidationError(f"[{path}] 'null' values are not allowed in templates")
        if isinstance(value, dict):
            pending += [(f"{path}/{name}", each) for name, each in value.items()]
        elif isinstance(value, list):
            pending += [(f"{path}/{index}", each) for index, each in enumerate(value)]


def _check_resource(logical_id: str, resource: Any) -> None:
    if not _LOGICAL_ID.fullmatch(logical_id):
        raise ValidationError(
            f"Template format error: Resource name {logical_id} is non alphanumeric."
        )
    where = f"Template format error: [/Resources/{logical_id}]"
    if not isinstance(resource, dict):
        raise ValidationError(f"{where} Every Resources member must be an object.")
    kind = resource.get("Type")
    if kind is None:
        raise ValidationError(f"{where} Every Resources object must contain a Type member.")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise ValidationError(f"Template format error: Unrecognized resource types: [{kind}]")
    if kind.startswith("AWS::Serverless::"):
        return
    unknown = sorted(set(resource) - _ATTRIBUTES)
    if unknown:
        raise ValidationError(f"Invalid template resource property '{unknown[0]}'")
    if not isinstance(resource.get("Properties", {}), dict):
        raise ValidationError(f"{where} Properties must be an object.")
    for name in ("DeletionPolicy", "UpdateReplacePolicy"):
        policy = resource.get(name, "Delete")
        if isinstance(policy, str) and policy not in _POLICIES:
            raise ValidationError(
                f"Template error: Unrecognized {name} {policy} for resource {logical_id}"
            )


def _check_output(name: str, output: Any) -> None:
    if not _LOGICAL_ID.fullmatch(name):
        raise ValidationError(f"Template format error: Output name {name} is non alphanumeric.")
    if not isinstance(output, dict) or "Value" not in output:
        raise ValidationError(
            f"Template format error: Every Outputs member must contain a Value object ({name})."
        )
    export = output.get("Export")
    if export is not None and not (isinstance(export, dict) and "Name" in export):
        raise ValidationError(
            f"Template format error: Export of output {name} must contain a Name."
        )


def _check_references(template: Template) -> None:
    known = set(template.resources) | set(template.section("Parameters")) | PSEUDO
    for section, where in (
        (template.resources, "Resources"),
        (template.section("Outputs"), "Outputs"),
    ):
        for name, part in section.items():
            found = set(references(part))
            missing = sorted(each for each in found if each not in known)
            if missing:
                raise ValidationError(
                    f"Template format error: Unresolved resource dependencies "
                    f"[{', '.join(missing)}] in the {where} block of the template"
                )
            condition = part.get("Condition")
            if isinstance(condition, str) and condition not in template.section("Conditions"):
                raise ValidationError(
                    f"Template format error: Unresolved condition dependency {condition} in the "
                    f"{where} block of the template"
                )
            for other in depends_on(part):
                if other not in template.resources:
                    raise ValidationError(
                        f"Template format error: Unresolved resource dependencies [{other}] in "
                        f"the {where} block of the template"
                    )
                if other == name:
                    raise ValidationError(f"Circular dependency between resources: [{name}]")
    for part in template.section("Conditions").values():
        known_here = set(template.section("Parameters")) | PSEUDO
        missing = sorted(each for each in references(part) if each not in known_here)
        if missing:
            raise ValidationError(
                f"Template format error: Unresolved dependencies [{', '.join(missing)}]. Cannot "
                "reference resources in the Conditions block of the template"
            )


def depends_on(resource: Mapping[str, Any]) -> list[str]:
    """Return what a resource names in DependsOn."""
    found = resource.get("DependsOn") or []
    return [found] if isinstance(found, str) else list(found)


def references(value: Any) -> Iterator[str]:
    """Yield every name that `Ref`, `Fn::GetAtt` and `Fn::Sub` in a value mention."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
        elif isinstance(each, dict):
            if len(each) == 1:
                [(name, argument)] = each.items()
                yield from _mentioned(name, argument)
            pending += each.values()


def _mentioned(function: str, argument: Any) -> Iterator[str]:
    if function == "Ref" and isinstance(argument, str):
        yield argument
    elif function == "Fn::GetAtt":
        if isinstance(argument, str):
            yield argument.partition(".")[0]
        elif isinstance(argument, list) and argument and isinstance(argument[0], str):
            yield argument[0]
    elif function == "Fn::Sub":
        given: Any = ()
        if isinstance(argument, list) and len(argument) == 2:
            argument, given = argument
        if isinstance(argument, str):
            for match in VARIABLE.finditer(argument):
                name = match[2].strip()
                if not match[1] and name not in given:
                    yield name if name.startswith("AWS::") else name.partition(".")[0]
