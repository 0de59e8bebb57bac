"""Brings a stack to what its plan says, step by step, and back if a step fails.

Each step is on disk before it is taken and after, so that an operation goes on where it was when
the daemon stops in between. Which requests begin an operation is decided in `stacks`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lambdad.neighbours.cloudformation.bringing import Bringing, describe
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.graph import dependencies
from lambdad.neighbours.cloudformation.importing import Importing
from lambdad.neighbours.cloudformation.intrinsics import Scope
from lambdad.neighbours.cloudformation.journal import Journal
from lambdad.neighbours.cloudformation.model import Stack
from lambdad.neighbours.cloudformation.outputs import outputs_of
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.removal import Removal
from lambdad.neighbours.cloudformation.scopes import base_scope, chosen, stack_scope
from lambdad.neighbours.cloudformation.stack_policies import check_allowed
from lambdad.neighbours.cloudformation.stopping import Stops
from lambdad.neighbours.cloudformation.triggers import breach
from lambdad.neighbours.cloudformation.types.base import ResourceFailed
from lambdad.neighbours.cloudformation.walking import walk

_LOGGER = logging.getLogger(__name__)
Exports = Callable[[Stack], Mapping[str, str]]


class Engine:
    """Runs the operation of one stack at a time; many stacks at once."""

    def __init__(
        self,
        journal: Journal,
        provisioner: Provisioner,
        exports: Exports,
        check_exports: Callable[[Stack, list[dict[str, str]]], None],
        stops: Stops,
    ) -> None:
        """`exports` are what a stack may import; `check_exports` refuses new ones that clash."""
        self._journal = journal
        self._provisioner = provisioner
        self._exports = exports
        self._check_exports = check_exports
        self._removal = Removal(journal, provisioner)
        self._bringing = Bringing(journal, provisioner)
        self._importing = Importing(journal, provisioner)
        self._stops = stops

    async def run(self, stack: Stack) -> None:
        """Finish the operation of a stack, from whatever phase it is in."""
        # An operation that begins while the end of this one is written is run here, too.
        while stack.phase:
            try:
                await getattr(self, f"_{stack.phase}")(stack)
            except Exception as error:
                _LOGGER.exception("The operation on stack %s failed", stack.id)
                stack.phase = ""
                begun = stack.status.partition("_IN_PROGRESS")[0].partition("_COMPLETE")[0]
                await self._journal.stack(stack, f"{begun}_FAILED", f"Internal Failure: {error}")

    async def _create(self, stack: Stack) -> None:
        with self._limited(stack):
            failures = await self._apply(stack)
        if not failures:
            stack.phase = ""
            self._settle(stack)
            await self._journal.stack(stack, "CREATE_COMPLETE", also=True)
            return
        if stack.on_failure == "DO_NOTHING":
            stack.phase = ""
            self._stops.over(stack)
            await self._journal.stack(stack, "CREATE_FAILED", _blame(stack, failures))
            return
        self._stops.over(stack)
        delete = stack.on_failure == "DELETE"
        stack.phase = "delete" if delete else "undo"
        await self._journal.stack(
            stack,
            "DELETE_IN_PROGRESS" if delete else "ROLLBACK_IN_PROGRESS",
            f"{_blame(stack, failures)}. {'Delete' if delete else 'Rollback'} requested by user.",
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
            self._stops.over(stack)
            await self._journal.stack(stack, "UPDATE_FAILED", _blame(stack, failures))
        else:
            stack.phase = "rollback"
            self._stops.over(stack)
            reason = _blame(stack, failures)
            await self._journal.stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)

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
            resource = stack.resources[name] = self._bringing.fresh(name, wanted[name])
            describe(resource, wanted[name], sorted(needs[name]))
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
        self._stops.over(stack)
        stack.former = stack.policy_during = stack.monitor_until_ms = None
        for resource in stack.resources.values():
            resource.before, resource.fresh = None, False

    @contextmanager
    def _limited(self, stack: Stack) -> Iterator[None]:
        """Stop the creation of a stack when its TimeoutInMinutes have passed."""
        if stack.timeout_minutes is None:
            yield
            return
        left = (
            stack.created_ms / 1_000 + stack.timeout_minutes * 60 - self._journal.now_ms() / 1_000
        )
        timer = asyncio.get_running_loop().call_later(
            max(left, 0),
            self._stops.stop,
            stack,
            "Stack creation time exceeded the specified timeout",
        )
        try:
            yield
        finally:
            timer.cancel()

    async def _apply(self, stack: Stack) -> dict[str, str]:
        """Make and change resources; returns why some failed, by logical id."""
        failures: dict[str, str] = {}
        try:
            scope = stack_scope(stack, stack.plan, self._exports(stack))
            wanted = chosen(stack.plan, scope)
            needs = dependencies(wanted)
        except ValidationError as error:
            return {"": error.message}

        denied = self._denied_removals(stack, wanted)
        if denied:
            return denied

        async def act(name: str) -> bool:
            if stack.stop:
                failures[""] = stack.stop
                return False
            try:
                await self._bringing.bring(stack, name, wanted[name], scope, sorted(needs[name]))
            except (ResourceFailed, ValidationError) as error:
                failures[name] = str(error)
                left = error.left if isinstance(error, ResourceFailed) else ""
                await self._bringing.fail(stack, name, wanted[name], str(error), left)
            return name not in failures

        await walk(needs, act)
        if not failures:
            stopped = self._stops.event(stack)
            problem = await breach(stack, self._journal, self._provisioner, stopped)
            if problem is not None:
                return {"": problem}
            try:
                stack.outputs = await self._outputs(stack, scope)
            except (ValidationError, ResourceFailed) as error:
                failures[""] = str(error)
        return failures

    def _denied_removals(self, stack: Stack, wanted: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, resource in stack.resources.items():
            if name not in wanted:
                try:
                    check_allowed(stack, resource, "Delete")
                except ResourceFailed as error:
                    found[name] = str(error)
        return found

    async def _outputs(self, stack: Stack, scope: Scope) -> list[dict[str, str]]:
        found = outputs_of(stack, scope)
        self._check_exports(stack, found)
        resolved: list[dict[str, str]] = await self._provisioner.resolved(stack, found)
        return resolved


def _blame(stack: Stack, failures: Mapping[str, str]) -> str:
    named = sorted(name for name in failures if name)
    if not named:
        return failures[""]
    created, updated = (
        [name for name in named if (name in stack.resources and not _is_new(stack, name)) is there]
        for there in (False, True)
    )
    parts = [
        f"The following resource(s) failed to {verb}: [{', '.join(names)}]"
        for verb, names in (("create", created), ("update", updated))
        if names
    ]
    return ". ".join(parts)


def _is_new(stack: Stack, name: str) -> bool:
    return stack.resources[name].fresh or stack.resources[name].held is None
