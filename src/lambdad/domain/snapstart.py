"""SnapStart: which versions ask to be restored from a snapshot, and what cannot be. Pure.

Whether a snapshot can be made on this host, and of this code, only the data plane can find out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambdad.domain import limits
from lambdad.domain.arns import LATEST
from lambdad.domain.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ServiceException,
    SnapStartNotReadyException,
)
from lambdad.domain.functions import Function, State

MEMBER = "SnapStart"
APPLY_ON = "PublishedVersions"

# AWS developer guide: Java 11, Python 3.12 and .NET 8, and what is later.
_FIRST_VERSIONS = {"java": 11, "python3.": 12, "dotnet": 8}
_RUNTIME = re.compile(r"(java|python3\.|dotnet)(\d+)(\.al2023)?")


def wanted(function: Function) -> bool:
    """Whether versions of this function are to be restored from snapshots once published."""
    return bool(function.echoed.get(MEMBER, {}).get("ApplyOn") == APPLY_ON)


def applies(function: Function) -> bool:
    """Whether this very version is."""
    return function.version != LATEST and wanted(function)


def optimised(function: Function) -> bool:
    """Whether a snapshot of this version has been made."""
    return bool(function.echoed.get(MEMBER, {}).get("OptimizationStatus") == "On")


def member(*, on: bool) -> Mapping[str, Any]:
    """Return the `SnapStart` of a version of which there is a snapshot, or is none."""
    return {"ApplyOn": APPLY_ON, "OptimizationStatus": "On" if on else "Off"}


def check(function: Function) -> None:
    """Refuse SnapStart for a function that cannot have it.

    Raises:
        InvalidParameterValueException: it wants SnapStart and cannot.
    """
    if not wanted(function):
        return
    if not supports(function.runtime):
        raise InvalidParameterValueException(
            f"{function.runtime} is not supported for SnapStart enabled functions."
        )
    if function.ephemeral_storage_mb > limits.EPHEMERAL_STORAGE_MB_DEFAULT:
        raise InvalidParameterValueException(
            "SnapStart is not supported for functions with ephemeral storage greater than 512 MB."
        )
    if function.echoed.get("FileSystemConfigs"):
        raise InvalidParameterValueException(
            "SnapStart is not supported for functions with FileSystemConfigs."
        )


def refuse(function: Function, feature: str) -> None:
    """Refuse to combine a version that is restored from snapshots with a feature.

    Raises:
        InvalidParameterValueException: the version is one.
    """
    if applies(function):
        raise InvalidParameterValueException(
            f"{feature} is not supported for SnapStart enabled functions."
        )


def not_in_service(function: Function, **members: str) -> ServiceException:
    """Return the error of an invocation of a version that is not in service."""
    if function.status.state is State.PENDING and applies(function):
        return SnapStartNotReadyException(
            "Lambda is initializing your function. It will be ready to invoke once your function "
            "state becomes ACTIVE.",
            **members,
        )
    return ResourceConflictException(
        "The operation cannot be performed at this time. The function is currently in the "
        f"following state: {function.status.state}",
        **members,
    )


def supports(runtime: str) -> bool:
    """Whether AWS restores functions of a runtime from snapshots."""
    match = _RUNTIME.fullmatch(runtime)
    return match is not None and int(match[2]) >= _FIRST_VERSIONS[match[1]]
