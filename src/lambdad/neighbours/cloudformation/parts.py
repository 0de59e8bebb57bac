"""All stacks and change sets of this daemon: which there are, and what goes on in them.

Mutable: both by id, on the event loop alone and together with the database.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Self

from lambdad.neighbours.cloudformation import rows
from lambdad.neighbours.cloudformation.calls import AwsApi
from lambdad.neighbours.cloudformation.custom import CustomResources
from lambdad.neighbours.cloudformation.engine import Engine
from lambdad.neighbours.cloudformation.errors import (
    ValidationError,
    no_change_set,
    no_stack,
)
from lambdad.neighbours.cloudformation.intrinsics import evaluate
from lambdad.neighbours.cloudformation.journal import STACK, Journal
from lambdad.neighbours.cloudformation.model import ChangeSet, Owner, Stack
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.scopes import stack_scope
from lambdad.neighbours.cloudformation.signals import Signals
from lambdad.neighbours.cloudformation.stopping import Stops
from lambdad.neighbours.hosting import Setup, SpawnTask
from lambdad.storage.database import Database


class Stacks:
    """What CloudFormation's operations call."""

    def __init__(self, db: Database, setup: Setup) -> None:
        self.db = db
        self.journal = Journal(db, setup.clock)
        self.custom = CustomResources(db, setup.endpoint_url)
        self.api = AwsApi(setup.endpoint_url, setup.access_key)
        self.lenient = setup.stacks.unknown_types == "warn"
        self.signals = Signals(db, setup.clock, setup.endpoint_url)
        self.stops = Stops()
        self.provisioner = Provisioner(
            self.api, self.custom, self.signals, self.stops, lenient=self.lenient
        )
        self._engine = Engine(
            self.journal, self.provisioner, self.exports_of, self._check_exports, self.stops
        )
        self._spawn: SpawnTask = setup.spawn
        self._stacks: dict[str, Stack] = {}
        self._names: dict[tuple[Owner, str], Stack] = {}
        self._change_sets: dict[str, ChangeSet] = {}
        self._running: dict[str, asyncio.Event] = {}

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database, load everything and go on with what was interrupted."""
        db = setup.database()
        await db.open()
        stacks = cls(db, setup)
        found, change_sets = await db.read(rows.load)
        for stack in found:
            stacks._know(stack)
        stacks._change_sets = {each.id: each for each in change_sets}
        for stack in found:
            if stack.busy:
                stacks.begin(stack)
            # Whoever asked for it can ask again.
            for each in stack.detections:
                if each["status"] == "DETECTION_IN_PROGRESS":
                    each |= {"status": "DETECTION_FAILED", "reason": "The daemon was restarted."}
        return stacks

    def drain(self) -> None:
        """Answer whoever waits; operations go on after the next start."""
        for each in self._running.values():
            each.set()

    async def close(self) -> None:
        """Begin no more calls, then close the database."""
        self.provisioner.close()
        await self.db.close()

    def spawn(self, task: Coroutine[Any, Any, None]) -> None:
        """Run something in the background."""
        self._spawn(task)

    def begin(self, stack: Stack) -> None:
        """Run the operation of a stack in the background.

        One that was begun while the former one's end was written goes on in that one's task.
        """
        if stack.id in self._running:
            return
        self._running[stack.id] = asyncio.Event()
        self._spawn(self._run(stack))

    async def _run(self, stack: Stack) -> None:
        try:
            await self._engine.run(stack)
        finally:
            self._running.pop(stack.id).set()

    async def settle(self, stack: Stack, seconds: float) -> None:
        """Wait until the operation of a stack has ended, but not longer than that."""
        running = self._running.get(stack.id)
        if running is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await running.wait()

    def _know(self, stack: Stack) -> None:
        self._stacks[stack.id] = stack
        if not stack.deleted:
            self._names[stack.owner, stack.name] = stack

    async def add(self, stack: Stack) -> None:
        """Take in a new stack, with its event."""
        self._know(stack)
        await self.journal.stack(stack, stack.status, stack.reason)

    def find(self, owner: Owner, name: str) -> Stack:
        """Return a stack by name or id; a deleted one by its id alone.

        Raises:
            ValidationError: there is none.
        """
        found = self.get(owner, name)
        if found is None:
            raise no_stack(name)
        return found

    def get(self, owner: Owner, name: str) -> Stack | None:
        """Return a stack by name or id, or None."""
        if name.startswith("arn:"):
            stack = self._stacks.get(name)
            return stack if stack is not None and stack.owner == owner else None
        stack = self._names.get((owner, name))
        return None if stack is None or stack.deleted else stack

    def all(self, owner: Owner) -> list[Stack]:
        """Return an account's stacks in a region, newest first, deleted ones too."""
        found = [each for each in self._stacks.values() if each.owner == owner]
        return sorted(found, key=lambda each: -each.created_ms)

    def parents(self, owner: Owner) -> dict[str, Stack]:
        """Return for each nested stack, by its id, the stack that it is a resource of."""
        return {
            each.physical_id: stack
            for stack in self._stacks.values()
            if stack.owner == owner and not stack.deleted
            for each in stack.resources.values()
            if each.type == STACK
        }

    def exports(self, owner: Owner) -> dict[str, tuple[Stack, str]]:
        """Return stack and value of every export by its name."""
        return {
            output["ExportName"]: (stack, output["OutputValue"])
            for stack in self._stacks.values()
            if stack.owner == owner and not stack.deleted
            for output in stack.outputs
            if "ExportName" in output
        }

    def exports_of(self, stack: Stack) -> Mapping[str, str]:
        """Return what a stack may import."""
        return {name: value for name, (_, value) in self.exports(stack.owner).items()}

    def macros_of(self, stack: Stack) -> Mapping[str, str]:
        """Return the functions of the macros in a stack's account, by name."""
        return {
            str(each.held.properties["Name"]): str(each.held.properties["FunctionName"])
            for other in self._stacks.values()
            if other.owner == stack.owner and not other.deleted
            for each in other.resources.values()
            if each.type == "AWS::CloudFormation::Macro" and each.held is not None
        }

    def importers(self, owner: Owner, name: str) -> list[str]:
        """Return names of the stacks that import an export."""
        return [
            stack.name
            for stack in self.all(owner)
            if not stack.deleted and name in imported(stack.plan.document, stack, self)
        ]

    def _check_exports(self, stack: Stack, outputs: list[dict[str, str]]) -> None:
        others = self.exports(stack.owner)
        kept = {each["ExportName"]: each["OutputValue"] for each in outputs if "ExportName" in each}
        for name in kept:
            if name in others and others[name][0] is not stack:
                raise ValidationError(
                    f"Export with name {name} is already exported by stack {others[name][0].name}."
                    f" Rule : Exports must be unique."
                )
        for name, (owner, value) in others.items():
            if owner is stack and kept.get(name) != value:
                self.check_unused(stack, name, "updated" if name in kept else "deleted")

    def check_unused(self, stack: Stack, name: str, verb: str = "deleted") -> None:
        """Refuse to touch an export that others import.

        Raises:
            ValidationError: see there.
        """
        users = self.importers(stack.owner, name)
        if users:
            raise ValidationError(
                f"Export {name} cannot be {verb} as it is in use by {', '.join(users)}"
            )

    def check_free(self, stack: Stack, imports: Mapping[str, str]) -> None:
        """Refuse to import what a stack has already.

        Raises:
            ValidationError: see there.
        """
        for other in self._stacks.values():
            if other.owner == stack.owner and not other.deleted:
                for each in other.resources.values():
                    if each.physical_id and each.physical_id in imports.values():
                        raise ValidationError(
                            f"Resource {each.physical_id} already belongs to stack {other.id}"
                        )

    def change_sets(self, stack: Stack) -> list[ChangeSet]:
        """Return the change sets of a stack, oldest first."""
        found = [each for each in self._change_sets.values() if each.stack_id == stack.id]
        return sorted(found, key=lambda each: each.created_ms)

    def change_set(self, owner: Owner, name: str, stack_name: str | None) -> ChangeSet:
        """Return a change set by ARN, or by its name and that of its stack.

        Raises:
            ChangeSetNotFoundException: there is none.
            ValidationError: no stack is named.
        """
        if name.startswith("arn:"):
            found = self._change_sets.get(name)
            if found is None:
                raise no_change_set(name)
            return found
        if not stack_name:
            raise ValidationError(
                "StackName must be specified if ChangeSetName is not specified as an ARN."
            )
        stack = self.get(owner, stack_name)
        if stack is None:
            raise (
                no_change_set(name)
                if stack_name.startswith("arn:")
                else ValidationError(f"Stack [{stack_name}] does not exist")
            )
        for each in self.change_sets(stack):
            if each.name == name:
                return each
        raise no_change_set(name)

    async def put_change_set(self, change_set: ChangeSet) -> None:
        """Store a change set."""
        self._change_sets[change_set.id] = change_set
        body = json.dumps(asdict(change_set))
        await self.db.write(partial(rows.put_change_set, change_set_id=change_set.id, body=body))

    async def forget_change_sets(self, change_sets: list[ChangeSet]) -> None:
        """Remove change sets."""
        ids = [each.id for each in change_sets]
        await self.db.write(partial(rows.remove_change_sets, ids=ids))
        for each in ids:
            self._change_sets.pop(each, None)

    async def off_loop(self, function: Callable[[], Any]) -> Any:
        """Run what reads and plans, in a thread."""
        return await self.provisioner.plan(function)


def imported(document: Any, stack: Stack, stacks: Stacks) -> set[str]:
    """Return the names of exports that a template imports."""
    scope = stack_scope(stack, stack.plan, stacks.exports_of(stack))
    found, pending = set(), [document]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
        elif isinstance(each, dict):
            if "Fn::ImportValue" in each:
                try:
                    found.add(str(evaluate(each["Fn::ImportValue"], scope)))
                except ValidationError:
                    continue  # of a resource that is not there: it imports nothing now
            pending += each.values()
    return found
