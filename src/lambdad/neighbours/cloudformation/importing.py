"""Import: what exists already becomes part of a stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.journal import Journal
from lambdad.neighbours.cloudformation.model import Held, Plan, Resource, Stack
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.types.adopting import IDENTIFIERS
from lambdad.neighbours.cloudformation.types.base import ResourceFailed

_REASON = "Resource import started."


def identified(asked: list[Mapping[str, Any]], plan: Plan, stack: Stack) -> dict[str, str]:
    """Return physical ids of what a request wants to import, by logical id.

    Raises:
        ValidationError: it cannot be imported into this stack with this template.
    """
    if not asked:
        raise ValidationError("You must specify ResourcesToImport for a change set of type IMPORT.")
    found: dict[str, str] = {}
    for each in asked:
        name, kind = each["LogicalResourceId"], each["ResourceType"]
        definition = plan.template.resources.get(name)
        if definition is None or definition["Type"] != kind:
            raise ValidationError(
                f"Resources [{name}] to import are not in the template, or have another type there."
            )
        if name in stack.resources:
            raise ValidationError(f"Resource {name} is already part of stack {stack.name}.")
        if "DeletionPolicy" not in definition:
            raise ValidationError(
                f"The following resources to import [{name}] must have DeletionPolicy attribute "
                "specified in the template."
            )
        if kind not in IDENTIFIERS:
            raise ValidationError(f"ResourceTypes [{kind}] are not supported for Import")
        identifier = each["ResourceIdentifier"]
        if list(identifier) != [IDENTIFIERS[kind]]:
            raise ValidationError(
                f"Invalid ResourceIdentifier for resource {name}: it has to have exactly "
                f"[{IDENTIFIERS[kind]}]."
            )
        found[name] = identifier[IDENTIFIERS[kind]]
    return found


def check_changes(changes: list[dict[str, Any]], imports: Mapping[str, str]) -> None:
    """Refuse a template that does more than to import.

    Raises:
        ValidationError: see there.
    """
    others = sorted(
        each["ResourceChange"]["LogicalResourceId"]
        for each in changes
        if each["ResourceChange"]["LogicalResourceId"] not in imports
    )
    if others:
        raise ValidationError(
            "As part of the import operation, you cannot modify or add or delete resources "
            f"[{', '.join(others)}]"
        )


def as_imports(changes: list[dict[str, Any]], imports: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return changes as DescribeChangeSet has them for an import."""
    return [
        {
            **each,
            "ResourceChange": {
                **each["ResourceChange"],
                "Action": "Import",
                "PhysicalResourceId": imports[each["ResourceChange"]["LogicalResourceId"]],
            },
        }
        for each in changes
    ]


class Importing:
    """Takes resources in, and gives them up again if one is not to be had."""

    def __init__(self, journal: Journal, provisioner: Provisioner) -> None:
        self._journal = journal
        self._provisioner = provisioner

    async def take(
        self, stack: Stack, resource: Resource, definition: Mapping[str, Any], scope: Scope
    ) -> None:
        """Make what exists a resource of the stack.

        Raises:
            ResourceFailed: it does not exist, or cannot be read.
            ValidationError: its properties cannot be evaluated.
        """
        physical_id = stack.imports[resource.logical_id]
        properties = evaluate(definition.get("Properties") or {}, scope)
        properties = await self._provisioner.resolved(stack, properties)
        held = Held(physical_id=physical_id, properties=properties, attributes={})
        await self._journal.resource(
            stack, resource, "IMPORT_IN_PROGRESS", _REASON, physical_id=physical_id
        )
        if await self._provisioner.read(stack, resource, held) is None:
            raise ResourceFailed(
                f"Resource of type '{resource.type}' with identifier '{physical_id}' was not found."
            )
        made = await self._provisioner.adopt(stack, resource, held)
        resource.held = Held(
            physical_id=physical_id, properties=properties, attributes=dict(made.attributes)
        )
        await self._journal.resource(
            stack, resource, "IMPORT_COMPLETE", "Resource import completed."
        )

    async def give_up(self, stack: Stack) -> None:
        """Forget what was taken in; it stays where it is."""
        for name in stack.imports:
            resource = stack.resources.get(name)
            if resource is not None:
                await self._journal.resource(stack, resource, "IMPORT_ROLLBACK_IN_PROGRESS")
                await self._journal.resource(
                    stack, resource, "IMPORT_ROLLBACK_COMPLETE", forget=True
                )
