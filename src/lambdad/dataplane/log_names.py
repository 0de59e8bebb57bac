"""What is named in logs: streams, and the versions of runtimes."""

from __future__ import annotations

import hashlib
import os

from lambdad.domain.clock import Clock
from lambdad.domain.functions import Function


def stream_name(function: Function, clock: Clock) -> str:
    """Name a stream; in a group of several functions its name says whose it is."""
    name = function.key.name
    owner = "" if function.logging.log_group == f"/aws/lambda/{name}" else name
    now = clock.now()
    day = f"{now.year}/{now.month:02}/{now.day:02}"
    return f"{day}/{owner}[{function.version}]{os.urandom(16).hex()}"


def runtime_version(function: Function) -> tuple[str, str]:
    """Return the version of a function's runtime as AWS prints it, and an ARN for it."""
    digest = hashlib.sha256(function.runtime.encode()).hexdigest()
    arn = f"arn:aws:lambda:{function.key.region}::runtime:{digest}"
    return _printed(function.runtime), arn


def _printed(identifier: str) -> str:
    """`python3.12` as AWS prints it: `python:3.12`; ours has no patch counter."""
    for family in ("python", "nodejs", "java", "dotnet", "ruby", "provided"):
        rest = identifier.removeprefix(family)
        if rest != identifier:
            return f"{family}:{rest.removeprefix('.').removesuffix('.x')}"
    return identifier
