"""What runs in a container image, as the runtime of a function.

Decides the command line, the variables and the directory; an image is its own root.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from lambdad.domain.functions import Function
from lambdad.domain.images import ImageConfig, ImageDescription
from lambdad.runtimes.base import Runtime

IDENTIFIER = "Image"
# What programs are looked for in when the image does not say.
_VARIABLES = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class RuntimeFinder(Protocol):
    """Finds what serves a runtime identifier; `lambdad.runtimes.catalogue.Catalogue`."""

    def find(self, identifier: str) -> Runtime:
        """Return the runtime or raise `HostUnfit`."""
        ...


class Images(Protocol):
    """Images on disk; `lambdad.images.store.ImageStore`."""

    async def ensure(self, uri: str, architecture: str) -> str:
        """Have an image on disk; returns its digest. Raises `LambdadError`."""
        ...

    def tree(self, digest: str) -> Path:
        """Root directory of an image that is on disk."""
        ...

    def description(self, digest: str) -> ImageDescription:
        """What an image that is on disk says of itself."""
        ...


async def runtime_in(images: Images, function: Function) -> Runtime:
    """Return what a function of `PackageType` Image runs; fetches the image if it is not there.

    Raises:
        LambdadError: it cannot be had.
    """
    assert function.code.image is not None  # noqa: S101 - asked by whoever calls
    digest = await images.ensure(function.code.image.resolved_uri, function.architectures[0])
    description = images.description(digest)
    config = function.image_config or ImageConfig()
    return Runtime(
        identifier=IDENTIFIER,
        version="",
        source=function.code.image.resolved_uri,
        argv=description.argv(config),
        mounts=(),
        environment=variables(description),
        root=images.tree(digest),
        directory=config.working_directory or description.working_directory or "/",
    )


def variables(description: ImageDescription) -> Mapping[str, str]:
    """Return the variables of an image, and what every program needs beside them."""
    return {**_VARIABLES, **description.environment}
