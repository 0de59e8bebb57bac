"""Container images between creation and service, and base images in the place of runtimes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambdad.dataplane.image_runtimes import variables
from lambdad.domain.environments import LAYER_ROOT, TASK_ROOT
from lambdad.domain.functions import Function
from lambdad.domain.images import ImageProblem
from lambdad.images.store import ImageStore
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.pulled import image_of

_BOOTSTRAP = "/var/runtime/bootstrap"
_PREFIX = "runtime "


class PulledImages:
    """See `PulledRuntimes`: base images that are kept under the identifier that they serve."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def find(self, identifier: str) -> Runtime | None:
        """See `PulledRuntimes`."""
        digest = self._images.pinned().get(_PREFIX + identifier)
        if digest is None or not self._images.has(digest):
            return None
        provided = identifier.startswith("provided")
        tag = (image_of(identifier) or "").rpartition(":")[2]
        entrypoints = (f"{TASK_ROOT}/bootstrap", f"{LAYER_ROOT}/bootstrap")
        return Runtime(
            identifier=identifier,
            version="" if provided else tag,
            source=f"base image sha256:{digest[:12]}",
            argv=() if provided else (_BOOTSTRAP,),
            entrypoints=entrypoints if provided else (),
            mounts=(),
            environment=variables(self._images.description(digest)),
            root=self._images.tree(digest),
        )


async def pull_runtime(images: ImageStore, identifier: str, uri: str, architecture: str) -> str:
    """Fetch the base image of a runtime and keep it; returns its URI by digest.

    Raises:
        LambdadError: it cannot be had, or is no base image.
    """
    digest, resolved = await images.resolve(uri, architecture)
    await images.ensure(resolved, architecture)
    if not identifier.startswith("provided") and not _has_bootstrap(images.tree(digest)):
        raise ImageProblem(f"{uri} is no base image of AWS: it has no {_BOOTSTRAP}.")
    images.pin(_PREFIX + identifier, digest)
    return resolved


def _has_bootstrap(tree: Path) -> bool:
    return os.path.lexists(tree / _BOOTSTRAP.lstrip("/"))


class ImagePreparer:
    """See `VersionPreparer`: a version that is an image is ready when that is here."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def concerns(self, function: Function) -> bool:
        """Whether it is an image."""
        return function.code.image is not None

    async def prepare(self, function: Function) -> Mapping[str, Any]:
        """Fetch and unpack the image; raises `LambdadError`."""
        if (image := function.code.image) is not None:
            await self._images.ensure(image.resolved_uri, function.architectures[0])
        return {}
