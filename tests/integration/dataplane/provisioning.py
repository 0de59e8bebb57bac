"""Provisioned concurrency of a data plane: how tests ask for it, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lambdad.domain.aliases import Alias, to_resource
from lambdad.domain.concurrency import (
    ProvisionedConfig,
    ProvisionedState,
    ProvisionedStatus,
    provisioned_key,
)
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]


INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


async def echo(guest: FakeGuest) -> None:
    guest.print("initialised " + guest.environment["AWS_LAMBDA_INITIALIZATION_TYPE"])
    while True:
        request_id, payload = await guest.next()
        await guest.respond(request_id, payload)


class Gate:
    """A program that keeps its requests until it is opened."""

    def __init__(self) -> None:
        self.arrived = asyncio.Semaphore(0)
        self.open = asyncio.Event()

    async def __call__(self, guest: FakeGuest) -> None:
        while True:
            request_id, _ = await guest.next()
            self.arrived.release()
            await self.open.wait()
            kind = guest.environment["AWS_LAMBDA_INITIALIZATION_TYPE"]
            await guest.respond(request_id, f'"{kind}"'.encode())


def publish(plane: Any, *versions: str) -> None:
    for version in versions:
        plane.shelf.versions[version] = a_function(version=version)


async def provision(plane: Any, qualifier: str, number: int) -> None:
    config = ProvisionedConfig(
        key=FUNCTION_KEY, qualifier=qualifier, requested=number, last_modified="", revision="r"
    )
    await plane.resources.put(config.resource)
    plane.invoker.provisioned_changed(FUNCTION_KEY)


async def unprovision(plane: Any, qualifier: str) -> None:
    await plane.resources.delete(provisioned_key(FUNCTION_KEY, qualifier))
    plane.invoker.provisioned_changed(FUNCTION_KEY)


async def point(plane: Any, name: str, version: str, **weights: float) -> None:
    by_version = {key.removeprefix("v"): weight for key, weight in weights.items()}
    alias = Alias(function=FUNCTION_KEY, name=name, version=version, weights=by_version)
    await plane.resources.put(to_resource(alias))
    plane.invoker.provisioned_changed(FUNCTION_KEY)


def state(plane: Any, qualifier: str) -> ProvisionedState:
    return plane.invoker.provisioned_states(FUNCTION_KEY)[qualifier]


async def until(plane: Any, qualifier: str, status: ProvisionedStatus) -> ProvisionedState:
    """Give the loop turns until the status is reached."""
    for _ in range(100_000):
        if (found := state(plane, qualifier)).status is status:
            return found
        await asyncio.sleep(0)
    raise AssertionError(state(plane, qualifier))


async def ready(plane: Any, qualifier: str) -> ProvisionedState:
    return await until(plane, qualifier, ProvisionedStatus.READY)


def alive(plane: Any) -> int:
    return sum(not sandbox.destroyed for sandbox in plane.backend.sandboxes)
