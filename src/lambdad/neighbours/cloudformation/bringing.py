"""Makes, changes and replaces one resource, so that it is what the template says.

Each step is on disk before it is taken and after; what an earlier process may have done already is
found by the step's token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.journal import Journal
from lambdad.neighbours.cloudformation.model import Held, Resource, Stack
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.stack_policies import check_allowed
from lambdad.neighbours.cloudformation.types import TYPES, is_custom
from lambdad.neighbours.cloudformation.types.base import ResourceFailed

_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)


class Bringing:
    """See the module."""

    def __init__(self, journal: Journal, provisioner: Provisioner) -> None:
        self._journal = journal
        self._provisioner = provisioner

    async def fail(
        self, stack: Stack, name: str, definition: Mapping[str, Any], reason: str, left: str
    ) -> None:
        """Note that a resource could not be made or changed; `left` may be there all the same."""
        resource = stack.resources.get(name)
        if resource is None:
            resource = stack.resources[name] = self.fresh(name, definition)
        made = resource.held is not None and not resource.fresh
        if resource.held is None:
            resource.fresh = True
            if left:
                resource.held = Held(
                    physical_id=left, properties=resource.pending or {}, attributes={}
                )
        resource.pending = None
        status = "UPDATE_FAILED" if made else "CREATE_FAILED"
        await self._journal.resource(stack, resource, status, reason)

    def fresh(self, name: str, definition: Mapping[str, Any]) -> Resource:
        """Return a resource that nothing was made of yet."""
        return Resource(
            logical_id=name,
            type=str(definition["Type"]),
            status="",
            changed_ms=self._journal.now_ms(),
            fresh=True,
        )

    async def bring(
        self,
        stack: Stack,
        name: str,
        definition: Mapping[str, Any],
        scope: Scope,
        needs: list[str],
    ) -> None:
        """Make one resource what the template says."""
        resource = stack.resources.get(name)
        resumed = resource is not None and resource.pending is not None
        properties = evaluate(definition.get("Properties") or {}, scope)
        properties = await self._provisioner.resolved(stack, properties)
        if resource is None or resource.type != definition["Type"]:
            if resource is not None:
                raise ValidationError(
                    f"Update of resource type is not permitted. The new template modifies resource "
                    f"type of the following resources: [{name}]"
                )
            resource = stack.resources[name] = self.fresh(name, definition)
        describe(resource, definition, needs)
        if resource.held is None:
            await self._make(stack, resource, properties, resumed=resumed)
            return
        if resource.pending is None and not _differs(stack, resource, properties):
            return
        changed = {
            key
            for key in {*properties, *resource.held.properties}
            if properties.get(key) != resource.held.properties.get(key)
        }
        found = TYPES.get(resource.type)
        if is_custom(resource.type):
            changed -= {"ServiceTimeout"}
        replaced = found is not None and found.replaces(changed)
        check_allowed(stack, resource, "Replace" if replaced else "Modify")
        if replaced:
            await self._replace(stack, resource, properties, resumed=resumed)
        else:
            await self._change(stack, resource, properties)

    async def _make(
        self, stack: Stack, resource: Resource, properties: dict[str, Any], *, resumed: bool
    ) -> None:
        resource.pending = properties
        if not resumed:
            resource.token = str(uuid4())
            resource.fresh = True
            await self._journal.resource(stack, resource, "CREATE_IN_PROGRESS")
        made = await self._provisioner.create(stack, resource, attempted=resumed)
        resource.held = Held(
            physical_id=made.physical_id, properties=properties, attributes=dict(made.attributes)
        )
        resource.pending = None
        await self._journal.resource(stack, resource, "CREATE_COMPLETE", made.note)

    async def _replace(
        self, stack: Stack, resource: Resource, properties: dict[str, Any], *, resumed: bool
    ) -> None:
        held = resource.held
        assert held is not None  # noqa: S101 - said by the caller
        found = TYPES[resource.type]
        if (
            found.naming is not None
            and (given := properties.get(found.naming.property))
            and (given == held.physical_id)
        ):
            raise ResourceFailed(
                "CloudFormation cannot update a stack when a custom-named resource requires "
                f"replacing. Rename {given} and update the stack again."
            )
        resource.pending = properties
        resource.before = resource.before or held
        if not resumed:
            resource.token = str(uuid4())
            await self._journal.resource(stack, resource, "UPDATE_IN_PROGRESS", _REPLACING)
        made = await self._provisioner.create(stack, resource, attempted=resumed)
        resource.held = Held(
            physical_id=made.physical_id, properties=properties, attributes=dict(made.attributes)
        )
        resource.pending = resource.drift = None
        await self._journal.resource(stack, resource, "UPDATE_COMPLETE")

    async def _change(self, stack: Stack, resource: Resource, properties: dict[str, Any]) -> None:
        held = resource.held
        assert held is not None  # noqa: S101 - said by the caller
        if resource.pending is None:
            resource.pending, resource.token = properties, str(uuid4())
            resource.before = resource.before or held
            await self._journal.resource(stack, resource, "UPDATE_IN_PROGRESS")
        made = await self._provisioner.update(stack, resource, held, properties)
        resource.held = Held(
            physical_id=made.physical_id,
            properties=properties,
            attributes=dict(made.attributes) or held.attributes,
        )
        resource.pending = resource.drift = None
        await self._journal.resource(stack, resource, "UPDATE_COMPLETE")


def describe(resource: Resource, definition: Mapping[str, Any], needs: list[str]) -> None:
    """Note what the template says of a resource besides its properties."""
    policy = definition.get("DeletionPolicy", "Delete")
    resource.keep = policy in ("Retain", "RetainExceptOnCreate", "Snapshot")
    resource.keep_created = policy == "Retain"
    resource.keep_replaced = definition.get("UpdateReplacePolicy", "Delete") != "Delete"
    resource.needs = needs
    resource.metadata = definition.get("Metadata")


def _differs(stack: Stack, resource: Resource, properties: Mapping[str, Any]) -> bool:
    if resource.held is None or resource.held.properties != properties:
        return True
    former = {} if stack.former is None else stack.former.tags
    return former != stack.plan.tags and not is_custom(resource.type) and stack.phase == "update"
