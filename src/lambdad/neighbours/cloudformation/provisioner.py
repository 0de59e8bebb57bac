"""Does one thing to one resource, off the event loop, and says how it ended.

Knows types and their calls; what has to be done, and in which order, is the engine's business.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from botocore.exceptions import WaiterError

from lambdad.neighbours.cloudformation.calls import AwsApi, CallFailed, Calls
from lambdad.neighbours.cloudformation.custom import CustomResources
from lambdad.neighbours.cloudformation.model import Held, Resource, Stack
from lambdad.neighbours.cloudformation.schemas import problem_of
from lambdad.neighbours.cloudformation.signals import (
    Signals,
    creation_policy,
    signal_key,
    token_of,
)
from lambdad.neighbours.cloudformation.stopping import Stops
from lambdad.neighbours.cloudformation.types import TYPES, is_custom
from lambdad.neighbours.cloudformation.types.adopting import ADOPTED
from lambdad.neighbours.cloudformation.types.base import (
    Made,
    ResourceFailed,
    ResourceType,
    Work,
)
from lambdad.neighbours.cloudformation.types.own import HANDLE, WAIT
from lambdad.neighbours.cloudformation.types.reading import READERS

T = TypeVar("T")
_THREADS = 24
_DYNAMIC = re.compile(r"\{\{resolve:(ssm-secure|ssm|secretsmanager):([^{}]+)\}\}")


class Provisioner:
    """See the module."""

    def __init__(
        self,
        api: AwsApi,
        custom: CustomResources,
        signals: Signals,
        stops: Stops,
        *,
        lenient: bool = False,
    ) -> None:
        """`lenient` makes nothing of types that are not known, instead of failing."""
        self._api = api
        self._custom = custom
        self._signals = signals
        self._stops = stops
        self._lenient = lenient
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudformation")

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, function: Callable[[], T]) -> T:
        """Run what blocks.

        Raises:
            ResourceFailed: a call of the API failed.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        except (CallFailed, WaiterError) as error:
            raise ResourceFailed(str(error)) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResourceFailed(
                f"Properties validation failed: {type(error).__name__}: {error}"
            ) from error

    async def plan(self, function: Callable[[], T]) -> T:
        """Run what blocks, and let its errors through."""
        return await asyncio.to_thread(function)

    def calls(self, stack: Stack) -> Calls:
        """Return the API as a stack's account calls it."""
        return Calls(self._api, stack.account_id, stack.region)

    async def create(self, stack: Stack, resource: Resource, *, attempted: bool) -> Made:
        """Make a resource of its pending properties."""
        work = self._work(stack, resource, resource.pending or {}, None, attempted=attempted)
        if is_custom(resource.type):
            stopped = self._stops.event(stack)
            return await self._custom.request("Create", resource.type, work, self.run, stopped)
        if resource.type == HANDLE:
            return Made(physical_id=self._signals.url(resource.token))
        if resource.type == WAIT:
            await self.run(lambda: _check(TYPES[WAIT], work))
            return await self._wait(stack, resource, work)
        found = TYPES.get(resource.type)
        if found is None:
            if self._lenient:
                return Made(
                    physical_id=work.name,
                    note=f"Nothing was made: lambdad does not know the type {resource.type}.",
                )
            raise ResourceFailed(f"Unrecognized resource type: {resource.type}")
        await self.run(lambda: _check(found, work))
        try:
            return await self.run(lambda: found.create(work))
        except ResourceFailed as error:
            cause = error.__cause__
            if found.by_name and not (isinstance(cause, CallFailed) and cause.exists):
                error.left = work.name
            raise

    async def _wait(self, stack: Stack, resource: Resource, work: Work) -> Made:
        """Wait for the signals that a wait condition, or its creation policy, asks for."""
        policy = creation_policy(stack, resource.logical_id)
        handle = work.get("Handle")
        made = await self._signals.wait(
            token_of(str(handle)) if handle else signal_key(stack, resource),
            count=int(work.get("Count") or policy.count),
            timeout_s=float(work.get("Timeout") or policy.timeout_s),
            began_ms=resource.changed_ms,
            stopped=self._stops.event(stack),
        )
        return Made(physical_id=work.name, attributes=made.attributes)

    async def update(
        self, stack: Stack, resource: Resource, held: Held, properties: Mapping[str, Any]
    ) -> Made:
        """Change what is held so that it has other properties."""
        work = self._work(stack, resource, properties, held, attempted=False)
        if is_custom(resource.type):
            # What takes a change back is not stopped.
            stopped = self._stops.event(stack) if stack.phase == "update" else None
            return await self._custom.request("Update", resource.type, work, self.run, stopped)
        found = TYPES.get(resource.type)
        if found is None or found.update is None:
            return Made(physical_id=held.physical_id, attributes=held.attributes)
        update = found.update
        await self.run(lambda: _check(found, work))
        return await self.run(lambda: update(work))

    async def delete(self, stack: Stack, resource: Resource, held: Held, token: str) -> None:
        """Remove what is held."""
        work = self._work(stack, resource, held.properties, held, attempted=False, token=token)
        if is_custom(resource.type):
            await self._custom.request("Delete", resource.type, work, self.run)
            return
        found = TYPES.get(resource.type)
        if found is not None:
            await self.run(lambda: found.delete(work))

    async def read(self, stack: Stack, resource: Resource, held: Held) -> Mapping[str, Any] | None:
        """Return the properties that a resource has now, or None if it is gone.

        Its type has to be one of `types.reading.READERS`.

        Raises:
            ResourceFailed: they cannot be read.
        """
        work = self._work(stack, resource, held.properties, held, attempted=False)
        try:
            return await self.run(lambda: READERS[resource.type](work))
        except ResourceFailed as error:
            cause = error.__cause__
            if isinstance(cause, CallFailed) and cause.gone:
                return None
            raise

    async def adopt(self, stack: Stack, resource: Resource, held: Held) -> Made:
        """Return what there is already as if it had been made; nothing is changed."""
        adopted = ADOPTED.get(resource.type)
        if adopted is None:
            return await self.update(stack, resource, held, held.properties)
        work = self._work(stack, resource, held.properties, held, attempted=False)
        return await self.run(lambda: adopted(work))

    async def resolved(self, stack: Stack, properties: Any) -> Any:
        """Return properties with dynamic references replaced by what they stand for."""
        if not _mentions(properties):
            return properties
        calls = self.calls(stack)
        return await self.run(lambda: _resolve(properties, calls))

    def _work(
        self,
        stack: Stack,
        resource: Resource,
        properties: Mapping[str, Any],
        held: Held | None,
        *,
        attempted: bool,
        token: str | None = None,
    ) -> Work:
        token = resource.token if token is None else token
        found = TYPES.get(resource.type, TYPES["AWS::CDK::Metadata"])
        return Work(
            calls=self.calls(stack),
            stack_name=stack.name,
            stack_id=stack.id,
            stack_tags=stack.plan.tags,
            logical_id=resource.logical_id,
            properties=properties,
            previous={} if held is None else held.properties,
            physical_id="" if held is None else held.physical_id,
            token=token,
            attempted=attempted,
            name=found.named(stack.name, resource.logical_id, properties, token),
        )


def _check(found: ResourceType, work: Work) -> None:
    """Refuse properties before anything is called: what is there already stays untouched."""
    missing = [each for each in found.required if work.get(each) is None]
    if missing:
        raise ResourceFailed(f"Property {missing[0]} cannot be empty.")
    problem = problem_of(found.name, work.properties)
    if problem is not None:
        raise ResourceFailed(problem)


def _mentions(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_mentions, value.values()))
    if isinstance(value, list):
        return any(map(_mentions, value))
    return isinstance(value, str) and "{{resolve:" in value


def _resolve(value: Any, calls: Calls) -> Any:
    if isinstance(value, dict):
        return {name: _resolve(each, calls) for name, each in value.items()}
    if isinstance(value, list):
        return [_resolve(each, calls) for each in value]
    if not isinstance(value, str):
        return value
    return _DYNAMIC.sub(lambda match: _looked_up(match[1], match[2], calls), value)


def _looked_up(kind: str, what: str, calls: Calls) -> str:
    if kind != "secretsmanager":
        params = {"Name": what, "WithDecryption": kind == "ssm-secure"}
        return str(calls.call("ssm", "GetParameter", params)["Parameter"]["Value"])
    # An ARN has colons itself: six before the name's end.
    parts = what.split(":")
    size = 7 if what.startswith("arn:") else 1
    secret, rest = ":".join(parts[:size]), [*parts[size:], "", "", "", ""]
    _, key, stage, version = rest[:4]
    params = {
        "SecretId": secret,
        **({"VersionStage": stage} if stage else {}),
        **({"VersionId": version} if version else {}),
    }
    text = str(calls.call("secretsmanager", "GetSecretValue", params)["SecretString"])
    if not key:
        return text
    return str(json.loads(text)[key])
