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
from lambdad.neighbours.cloudformation.intrinsics import SUPPORTED, VARIABLE, unsupported

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
_AT_MOST = {"Resources": 500, "Parameters": 200, "Mappings": 200, "Outputs": 200}
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
_OBJECTS = ("Conditions", "Mappings", "Metadata", "Outputs", "Parameters", "Resources", "Rules")
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
    def definitions(self) -> Mapping[str, Any]:
        """Resources but for those that transforms have yet to make."""
        return {
            name: each
            for name, each in self.resources.items()
            if isinstance(each, dict) and isinstance(each.get("Type"), str)
        }

    @property
    def description(self) -> str | None:
        """What it says of itself."""
        return self.document.get("Description")

    @property
    def transforms(self) -> list[Any]:
        """Names of the transforms that it declares."""
        found = self.document.get("Transform") or []
        names = found if isinstance(found, list) else [found]
        return [each.get("Name") if isinstance(each, dict) else each for each in names]

    @property
    def has_snippets(self) -> bool:
        """Whether `Fn::Transform` stands anywhere in it."""
        pending: list[Any] = [self.document]
        while pending:
            each = pending.pop()
            if isinstance(each, list):
                pending += each
            elif isinstance(each, dict):
                if "Fn::Transform" in each:
                    return True
                pending += each.values()
        return False

    @property
    def is_rewritten(self) -> bool:
        """Whether transforms make another template of it."""
        return bool(self.transforms) or self.has_snippets


def checked(document: Mapping[str, Any], *, transformed: bool = True) -> Template:
    """Return a template whose form and references are sound.

    `transformed` says that no transform has work left, so references can be looked up.

    Raises:
        ValidationError: with CloudFormation's text.
    """
    unknown = sorted(set(document) - SECTIONS - (set() if transformed else {"Fn::Transform"}))
    if unknown:
        raise ValidationError(f"Invalid template property or properties [{', '.join(unknown)}]")
    _check_nulls(document)
    template = Template(document)
    for name in _OBJECTS:
        if not isinstance(document.get(name, {}), dict):
            raise ValidationError(
                f"Template format error: {name} section must be an object of members."
            )
    _check_head(template)
    raw = not transformed and template.is_rewritten
    _check_numbers(template, raw=raw)
    for logical_id, resource in template.resources.items():
        if not (raw and logical_id.startswith("Fn::")):
            _check_resource(logical_id, resource, raw=raw)
    for name, output in template.section("Outputs").items():
        if not (raw and name.startswith("Fn::")):
            _check_output(name, output)
    if transformed:
        _check_functions(template)
        _check_references(template)
    return template


def _check_numbers(template: Template, *, raw: bool) -> None:
    if not template.resources and not raw:
        raise ValidationError(
            "Template format error: At least one Resources member must be defined."
        )
    for section, most in _AT_MOST.items():
        number = len(template.section(section))
        if number > most:
            raise ValidationError(
                f"Template format error: Number of {section.lower()}, {number}, is greater than "
                f"maximum allowed, {most}"
            )


def _check_head(template: Template) -> None:
    document = template.document
    text = document.get("Description", "")
    if not isinstance(text, str) or len(text.encode()) > _DESCRIPTION_MAX:
        raise ValidationError(
            "Template format error: Description must be a string of at most 1024 bytes."
        )
    if not isinstance(document.get("Transform", []), str | list | dict) or not all(
        isinstance(each, str) for each in template.transforms
    ):
        raise ValidationError("Template format error: Transform must be a name or a list of names.")


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


def _check_resource(logical_id: str, resource: Any, *, raw: bool) -> None:
    if not _LOGICAL_ID.fullmatch(logical_id):
        raise ValidationError(
            f"Template format error: Resource name {logical_id} is non alphanumeric."
        )
    where = f"Template format error: [/Resources/{logical_id}]"
    if not isinstance(resource, dict):
        raise ValidationError(f"{where} Every Resources member must be an object.")
    if raw and "Fn::Transform" in resource:
        return
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
    _check_attributes(logical_id, resource, raw=raw)


def _check_attributes(logical_id: str, resource: Mapping[str, Any], *, raw: bool) -> None:
    names = resource.get("DependsOn", [])
    if not isinstance(names, str) and not (
        isinstance(names, list) and all(isinstance(each, str) for each in names)
    ):
        raise ValidationError(
            f"Template format error: DependsOn of resource {logical_id} must be a string or list "
            "of strings."
        )
    _check_condition(resource, f"resource {logical_id}")
    if not isinstance(resource.get("Properties", {}), dict):
        raise ValidationError(
            f"Template format error: [/Resources/{logical_id}] Properties must be an object."
        )
    for name in ("DeletionPolicy", "UpdateReplacePolicy"):
        policy = resource.get(name, "Delete")
        if not isinstance(policy, str) and not raw:
            raise ValidationError(f"Template format error: Every {name} member must be a string.")
        if isinstance(policy, str) and policy not in _POLICIES:
            raise ValidationError(
                f"Template error: Unrecognized {name} {policy} for resource {logical_id}"
            )


def _check_condition(part: Mapping[str, Any], where: str) -> None:
    if not isinstance(part.get("Condition", ""), str):
        raise ValidationError(
            f"Template format error: Every Condition member must be a string. ({where})"
        )


def _check_output(name: str, output: Any) -> None:
    if not _LOGICAL_ID.fullmatch(name):
        raise ValidationError(f"Template format error: Output name {name} is non alphanumeric.")
    if not isinstance(output, dict) or "Value" not in output:
        raise ValidationError(
            f"Template format error: Every Outputs member must contain a Value object ({name})."
        )
    _check_condition(output, f"output {name}")
    export = output.get("Export")
    if export is not None and not (isinstance(export, dict) and "Name" in export):
        raise ValidationError(
            f"Template format error: Export of output {name} must contain a Name."
        )


def _check_functions(template: Template) -> None:
    for section in ("Conditions", "Outputs", "Resources"):
        found = unsupported(list(template.section(section).values()))
        if found is not None:
            raise ValidationError(
                f"Template error: Encountered unsupported function: {found} Supported functions "
                f"are: [{', '.join(SUPPORTED)}]"
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
        if isinstance(argument, str) and isinstance(given, dict | tuple):
            for match in VARIABLE.finditer(argument):
                name = match[2].strip()
                if not match[1] and name not in given:
                    yield name if name.startswith("AWS::") else name.partition(".")[0]
