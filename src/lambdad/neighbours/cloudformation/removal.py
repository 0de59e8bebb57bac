"""Removes what a stack made, users before what they use, and takes changes back."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from lambdad.neighbours.cloudformation.graph import reversed_needs
from lambdad.neighbours.cloudformation.journal import Journal
from lambdad.neighbours.cloudformation.model import Held, Resource, Stack
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.types.base import ResourceFailed
from lambdad.neighbours.cloudformation.walking import walk

_FUNCTION = "AWS::Lambda::Function"
_LOG_GROUP = "AWS::Logs::LogGroup"


class Removal:
    """See the module."""

    def __init__(self, journal: Journal, provisioner: Provisioner) -> None:
        self._journal = journal
        self._provisioner = provisioner

    async def remove(
        self,
        stack: Stack,
        names: Sequence[str],
        *,
        retain: Sequence[str] = (),
        created: bool = False,
        lasting: bool = True,
    ) -> bool:
        """Remove resources; whether all went.

        `retain` stay, and what is kept by its policy. What the operation itself made goes, unless
        its policy is `Retain`; `created` says that it made all. Unless `lasting`, what cannot be
        removed is forgotten.
        """
        needs = {name: frozenset(stack.resources[name].needs) & frozenset(names) for name in names}

        async def act(name: str) -> bool:
            resource = stack.resources[name]
            undone = created or resource.fresh
            if undone:
                kept = resource.keep_created and not stack.drop_created and resource.is_complete
            else:
                kept = name in retain or resource.keep
            await self._remove(stack, resource, kept=kept, lasting=lasting)
            return True

        await walk(reversed_needs(needs), act)
        return not lasting or not any(
            each.status == "DELETE_FAILED" for each in stack.resources.values()
        )

    async def _remove(self, stack: Stack, resource: Resource, *, kept: bool, lasting: bool) -> None:
        held = resource.held
        if held is None:
            held = await self._unfinished(stack, resource)
        if held is None:
            if resource.status.startswith("CREATE_"):
                await self._journal.resource(stack, resource, "DELETE_COMPLETE", forget=True)
            return
        if kept:
            await self._journal.resource(stack, resource, "DELETE_SKIPPED", forget=True)
            return
        resource.held = held
        if resource.status != "DELETE_IN_PROGRESS":
            resource.token = str(uuid4())
            await self._journal.resource(stack, resource, "DELETE_IN_PROGRESS")
        try:
            await self._provisioner.delete(stack, resource, held, resource.token)
        except ResourceFailed as error:
            await self._journal.resource(
                stack, resource, "DELETE_FAILED", str(error), forget=not lasting
            )
            return
        await self._journal.resource(stack, resource, "DELETE_COMPLETE", forget=True)

    async def _unfinished(self, stack: Stack, resource: Resource) -> Held | None:
        """Return what a creation that did not come to its end may have left."""
        if resource.pending is None:
            return None
        try:
            made = await self._provisioner.create(stack, resource, attempted=True)
        except ResourceFailed:
            return None
        return Held(
            physical_id=made.physical_id,
            properties=resource.pending,
            attributes=dict(made.attributes),
        )

    async def remove_replaced(self, stack: Stack) -> None:
        """Remove what was replaced, and forget it even if that fails."""
        needs = {name: frozenset(each.needs) for name, each in stack.resources.items()}

        async def act(name: str) -> bool:
            resource = stack.resources[name]
            old = resource.before
            if old is None or not resource.replaced:
                return True
            await self._remove_old(stack, resource, old, kept=resource.keep_replaced)
            resource.before = None
            await self._journal.resource(stack, resource, "UPDATE_COMPLETE")
            return True

        await walk(reversed_needs(needs), act)

    async def _remove_old(self, stack: Stack, resource: Resource, old: Held, *, kept: bool) -> None:
        if kept:
            await self._journal.resource(
                stack, resource, "DELETE_SKIPPED", physical_id=old.physical_id
            )
            return
        token = str(uuid4())
        await self._journal.resource(
            stack, resource, "DELETE_IN_PROGRESS", physical_id=old.physical_id
        )
        try:
            await self._provisioner.delete(stack, resource, old, token)
        except ResourceFailed as error:
            await self._journal.resource(
                stack, resource, "DELETE_FAILED", str(error), physical_id=old.physical_id
            )
        else:
            await self._journal.resource(
                stack, resource, "DELETE_COMPLETE", physical_id=old.physical_id
            )

    async def restore(self, stack: Stack, resource: Resource) -> bool:
        """Give a resource back what it was before the operation; whether that went well."""
        before, now = resource.before, resource.held
        if before is None:
            return True
        try:
            if now is not None and now.physical_id != before.physical_id:
                resource.held, resource.before, resource.pending = before, None, None
                await self._remove_old(stack, resource, now, kept=False)
            elif now is not None:
                resource.token = str(uuid4())
                await self._journal.resource(stack, resource, "UPDATE_IN_PROGRESS")
                attempted = resource.pending if resource.pending is not None else now.properties
                current = Held(
                    physical_id=now.physical_id,
                    attributes=now.attributes,
                    properties={**now.properties, **attempted},
                )
                await self._provisioner.update(stack, resource, current, before.properties)
        except ResourceFailed as error:
            await self._journal.resource(stack, resource, "UPDATE_FAILED", str(error))
            return False
        resource.held, resource.before, resource.pending = before, None, None
        await self._journal.resource(stack, resource, "UPDATE_COMPLETE")
        return True


def _needs(stack: Stack, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return what needs what among these; users are removed before what they use.

    Every function is taken for a user of every log group, since one that ends still writes: its
    group would be there again.
    """
    groups = frozenset(name for name in names if stack.resources[name].type == _LOG_GROUP)
    here = frozenset(names)
    return {
        name: frozenset()
        if name in groups
        else (frozenset(stack.resources[name].needs) & here)
        | (groups if stack.resources[name].type == _FUNCTION else frozenset())
        for name in names
    }
