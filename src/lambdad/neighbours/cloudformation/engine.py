"""Brings a stack to what its plan says, step by step, and back if a step fails.

Each step is on disk before it is taken and after, so that an operation goes on where it was when
the daemon stops in between. Which requests begin an operation is decided in `stacks`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.graph import dependencies
from lambdad.neighbours.cloudformation.importing import Importing
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.journal import Journal
from lambdad.neighbours.cloudformation.model import Held, Resource, Stack
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.removal import Removal
from lambdad.neighbours.cloudformation.scopes import base_scope, chosen, stack_scope
from lambdad.neighbours.cloudformation.types import TYPES, is_custom
from lambdad.neighbours.cloudformation.types.base import ResourceFailed
from lambdad.neighbours.cloudformation.walking import walk

_LOGGER = logging.getLogger(__name__)
_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)
Exports = Callable[[Stack], Mapping[str, str]]


class Engine:
    """Runs the operation of one stack at a time; many stacks at once."""

    def __init__(
        self,
        journal: Journal,
        provisioner: Provisioner,
        exports: Exports,
        check_exports: Callable[[Stack, list[dict[str, str]]], None],
    ) -> None:
        """`exports` are what a stack may import; `check_exports` refuses new ones that clash."""
        self._journal = journal
        self._provisioner = provisioner
        self._exports = exports
        self._check_exports = check_exports
        self._removal = Removal(journal, provisioner)
        self._importing = Importing(journal, provisioner)

    async def run(self, stack: Stack) -> None:
        """Finish the operation of a stack, from whatever phase it is in."""
        try:
            while stack.phase:
                await getattr(self, f"_{stack.phase}")(stack)
        except Exception as error:
            _LOGGER.exception("The operation on stack %s failed", stack.id)
            stack.phase = ""
            status = f"{stack.status.partition('_IN_PROGRESS')[0].partition('_COMPLETE')[0]}_FAILED"
            await self._journal.stack(stack, status, f"Internal Failure: {error}")

    async def _create(self, stack: Stack) -> None:
        failures = await self._apply(stack)
        if not failures:
            stack.phase = ""
            self._settle(stack)
            await self._journal.stack(stack, "CREATE_COMPLETE", also=True)
            return
        if stack.on_failure == "DO_NOTHING":
            stack.phase = ""
            await self._journal.stack(stack, "CREATE_FAILED", _blame(failures))
            return
        delete = stack.on_failure == "DELETE"
        stack.phase = "delete" if delete else "undo"
        await self._journal.stack(
            stack,
            "DELETE_IN_PROGRESS" if delete else "ROLLBACK_IN_PROGRESS",
            f"{_blame(failures)}. {'Delete' if delete else 'Rollback'} requested by user.",
        )

    async def _undo(self, stack: Stack) -> None:
        """Remove what a failed creation made."""
        well = await self._removal.remove(stack, list(stack.resources), created=True)
        stack.phase = ""
        await self._journal.stack(stack, "ROLLBACK_COMPLETE" if well else "ROLLBACK_FAILED")

    async def _delete(self, stack: Stack) -> None:
        names = list(stack.resources)
        well = await self._removal.remove(stack, names, retain=stack.retain)
        stack.phase = ""
        if well:
            stack.deleted_ms = self._journal.now_ms()
            await self._journal.stack(stack, "DELETE_COMPLETE")
            return
        failed = sorted(
            each.logical_id for each in stack.resources.values() if each.status == "DELETE_FAILED"
        )
        await self._journal.stack(
            stack,
            "DELETE_FAILED",
            f"The following resource(s) failed to delete: [{', '.join(failed)}]. ",
        )

    async def _update(self, stack: Stack) -> None:
        failures = await self._apply(stack)
        if not failures:
            stack.phase = "cleanup"
            await self._journal.stack(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", also=True)
        elif stack.on_failure == "DO_NOTHING":
            stack.phase = ""
            await self._journal.stack(stack, "UPDATE_FAILED", _blame(failures))
        else:
            stack.phase = "rollback"
            await self._journal.stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", _blame(failures))

    async def _cleanup(self, stack: Stack) -> None:
        """Remove what an update took out of the template or replaced."""
        await self._removal.remove_replaced(stack)
        wanted = chosen(stack.plan, base_scope(stack.plan, self._exports(stack)))
        await self._removal.remove(
            stack, [name for name in stack.resources if name not in wanted], lasting=False
        )
        stack.phase = ""
        self._settle(stack)
        await self._journal.stack(stack, "UPDATE_COMPLETE", also=True)

    async def _rollback(self, stack: Stack) -> None:
        """Give back to everything that an update changed what it was."""
        well = await walk(
            {name: frozenset(each.needs) for name, each in stack.resources.items()},
            lambda name: self._removal.restore(stack, stack.resources[name]),
        )
        if not well:
            stack.phase = ""
            await self._journal.stack(stack, "UPDATE_ROLLBACK_FAILED")
            return
        if stack.status != "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS":
            await self._journal.stack(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        fresh = [each.logical_id for each in stack.resources.values() if each.fresh]
        await self._removal.remove(stack, fresh, lasting=False)
        if stack.former is not None:
            stack.plan = stack.former
        stack.phase = ""
        self._settle(stack)
        await self._journal.stack(stack, "UPDATE_ROLLBACK_COMPLETE", also=True)

    async def _import(self, stack: Stack) -> None:
        """Take in what exists already."""
        failures: dict[str, str] = {}
        scope = stack_scope(stack, stack.plan, self._exports(stack))
        wanted = chosen(stack.plan, scope)
        needs = dependencies(wanted)

        async def act(name: str) -> bool:
            resource = stack.resources.get(name)
            if name not in stack.imports or (resource is not None and resource.held is not None):
                return True
            resource = stack.resources[name] = self._fresh(name, wanted[name])
            _describe(resource, wanted[name], sorted(needs[name]))
            try:
                await self._importing.take(stack, resource, wanted[name], scope)
            except (ResourceFailed, ValidationError) as error:
                failures[name] = str(error)
                await self._journal.resource(stack, resource, "IMPORT_FAILED", str(error))
            return name not in failures

        await walk(needs, act)
        if failures:
            stack.phase = "release"
            reason = f"The following resource(s) failed to import: [{', '.join(sorted(failures))}]."
            await self._journal.stack(stack, "IMPORT_ROLLBACK_IN_PROGRESS", reason)
            return
        stack.phase, stack.imports = "", {}
        self._settle(stack)
        await self._journal.stack(stack, "IMPORT_COMPLETE", also=True)

    async def _release(self, stack: Stack) -> None:
        """Give up what an import that failed took in."""
        await self._importing.give_up(stack)
        if stack.former is not None:
            stack.plan = stack.former
        stack.phase, stack.imports = "", {}
        self._settle(stack)
        await self._journal.stack(stack, "IMPORT_ROLLBACK_COMPLETE", also=True)

    def _settle(self, stack: Stack) -> None:
        """Forget what was kept for the way back."""
        stack.former = None
        for resource in stack.resources.values():
            resource.before, resource.fresh = None, False

    async def _apply(self, stack: Stack) -> dict[str, str]:
        """Make and change resources; returns why some failed, by logical id."""
        failures: dict[str, str] = {}
        try:
            scope = stack_scope(stack, stack.plan, self._exports(stack))
            wanted = chosen(stack.plan, scope)
            needs = dependencies(wanted)
        except ValidationError as error:
            return {"": error.message}

        async def act(name: str) -> bool:
            try:
                await self._bring(stack, name, wanted[name], scope, sorted(needs[name]))
            except (ResourceFailed, ValidationError) as error:
                failures[name] = str(error)
                left = error.left if isinstance(error, ResourceFailed) else ""
                await self._fail(stack, name, wanted[name], str(error), left)
            return name not in failures

        await walk(needs, act)
        if not failures:
            try:
                stack.outputs = await self._outputs(stack, scope)
            except (ValidationError, ResourceFailed) as error:
                failures[""] = str(error)
        return failures

    async def _outputs(self, stack: Stack, scope: Scope) -> list[dict[str, str]]:
        found = outputs_of(stack, scope)
        self._check_exports(stack, found)
        resolved: list[dict[str, str]] = await self._provisioner.resolved(stack, found)
        return resolved

    async def _fail(
        self, stack: Stack, name: str, definition: Mapping[str, Any], reason: str, left: str
    ) -> None:
        resource = stack.resources.get(name)
        if resource is None:
            resource = stack.resources[name] = self._fresh(name, definition)
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

    def _fresh(self, name: str, definition: Mapping[str, Any]) -> Resource:
        return Resource(
            logical_id=name,
            type=str(definition["Type"]),
            status="",
            changed_ms=self._journal.now_ms(),
            fresh=True,
        )

    async def _bring(
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
            resource = stack.resources[name] = self._fresh(name, definition)
        _describe(resource, definition, needs)
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
        if found is not None and found.replaces(changed):
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


def _describe(resource: Resource, definition: Mapping[str, Any], needs: list[str]) -> None:
    policy = definition.get("DeletionPolicy", "Delete")
    resource.keep = policy in ("Retain", "RetainExceptOnCreate", "Snapshot")
    resource.keep_replaced = definition.get("UpdateReplacePolicy", "Delete") != "Delete"
    resource.needs = needs
    resource.metadata = definition.get("Metadata")


def _differs(stack: Stack, resource: Resource, properties: Mapping[str, Any]) -> bool:
    if resource.held is None or resource.held.properties != properties:
        return True
    former = {} if stack.former is None else stack.former.tags
    return former != stack.plan.tags and not is_custom(resource.type) and stack.phase == "update"


def _blame(failures: Mapping[str, str]) -> str:
    named = sorted(name for name in failures if name)
    if not named:
        return failures[""]
    return f"The following resource(s) failed to create: [{', '.join(named)}]"
