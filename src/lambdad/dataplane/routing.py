"""From what the caller named to the function version that runs."""

from __future__ import annotations

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import ResourceConflictException, ResourceNotFoundException
from lambdad.domain.functions import Function, State
from lambdad.storage.base import FunctionStore


def route(functions: FunctionStore, key: FunctionKey, qualifier: str | None) -> Function:
    """Choose the version to run.

    Raises:
        ResourceNotFoundException: there is no such function or version.
        ResourceConflictException: the version cannot run yet or any more.
    """
    function = functions.get(key, qualifier or LATEST)
    if function is None:
        raise ResourceNotFoundException(f"Function not found: {key.arn(qualifier)}", Type="User")
    if function.status.state is not State.ACTIVE:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. The function is currently in the "
            f"following state: {function.status.state}",
            Type="User",
        )
    return function
