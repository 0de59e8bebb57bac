"""From what the caller named to the function version that runs. Pure: memory reads and a draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lambdad.domain import snapstart
from lambdad.domain.aliases import alias_key, from_resource, names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import ResourceNotFoundException
from lambdad.domain.functions import Function, State
from lambdad.domain.resources import Resource, ResourceKey

# Uniform numbers in [0, 1), one for each request through an alias with two versions.
Draw = Callable[[], float]


class FunctionReader(Protocol):
    """What routing reads of a `FunctionStore`."""

    @property
    def changes(self) -> int:
        """How many changes of functions and resources there were."""
        ...

    def get(self, key: FunctionKey, version: str = LATEST) -> Function | None:
        """Return the stored version, or None."""
        ...

    def runtimes(self) -> frozenset[tuple[str, int]]:
        """Return the runtimes of all functions, with their memory in MiB."""
        ...


class ResourceReader(Protocol):
    """What routing reads of a `ResourceStore`."""

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource, or None."""
        ...


def route(
    functions: FunctionReader,
    resources: ResourceReader,
    key: FunctionKey,
    qualifier: str | None,
    *,
    draw: Draw,
) -> Function:
    """Choose the version to run, as it is in service: an update does not count until it is done.

    Raises:
        ResourceNotFoundException: there is no such function, version or alias.
        ResourceConflictException, SnapStartNotReadyException: the version cannot run yet or any
            more.
    """
    version = qualifier or LATEST
    if qualifier is not None and names_alias(qualifier):
        version = _behind_alias(functions, resources, key, qualifier, draw)
    function = functions.get(key, version)
    if function is None:
        raise ResourceNotFoundException(f"Function not found: {key.arn(qualifier)}", Type="User")
    serving = function.serving
    if serving.status.state is not State.ACTIVE:
        raise snapstart.not_in_service(serving, Type="User")
    return serving


def _behind_alias(
    functions: FunctionReader, resources: ResourceReader, key: FunctionKey, name: str, draw: Draw
) -> str:
    resource = resources.get(alias_key(key, name))
    if resource is None:
        if functions.get(key) is None:
            raise ResourceNotFoundException(f"Function not found: {key.arn(name)}", Type="User")
        raise ResourceNotFoundException(f"Cannot find alias arn: {key.arn(name)}", Type="User")
    alias = from_resource(key, resource)
    return alias.choose(draw()) if alias.weights else alias.version


def is_drawn(resources: ResourceReader, key: FunctionKey, qualifier: str) -> bool:
    """Whether a qualifier is an alias that has two versions."""
    resource = resources.get(alias_key(key, qualifier)) if names_alias(qualifier) else None
    return resource is not None and bool(from_resource(key, resource).weights)
