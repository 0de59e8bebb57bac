"""How code is packaged: what goes with which `PackageType`, and how code is taken in.

What is inside a zip is the package store's to judge, what is in an image the image store's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lambdad.controlplane import code
from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.ports import ImageCatalogue, ObjectSource
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.functions import Code, PackageType
from lambdad.domain.images import ImageAbsent, ImageDenied, ImageProblem, ImageSource
from lambdad.storage.base import PackageStore

HOT_RELOAD_BUCKET = "hot-reload"


def check_new(change: ConfigurationChange, package_type: PackageType) -> None:
    """Refuse a creation without what the package type needs, or with what it cannot have.

    Raises:
        InvalidParameterValueException: as said.
    """
    if package_type is PackageType.ZIP and not (change.runtime and change.handler):
        raise InvalidParameterValueException(
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
    check_change(change, package_type)


def check_change(change: ConfigurationChange, package_type: PackageType) -> None:
    """Refuse what a function of this package type cannot be configured to.

    Raises:
        InvalidParameterValueException: as said.
    """
    if package_type is PackageType.ZIP:
        if change.image_config is not None:
            raise InvalidParameterValueException(
                "ImageConfig is not supported for functions with PackageType Zip."
            )
        return
    if change.runtime or change.handler or change.layers:
        raise InvalidParameterValueException(
            "Please don't provide Handler or Runtime or Layer when the intended function "
            "PackageType is Image."
        )
    if (change.echoed.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        raise InvalidParameterValueException(
            "SnapStart is not supported for functions with PackageType Image."
        )


def check_source(source: CodeSource, package_type: PackageType, *, verb: str) -> None:
    """Refuse a source that is missing, contradicts itself or is another package type's.

    Raises:
        ServiceException: as said; `verb` is `creating` or `updating`.
    """
    if package_type is PackageType.ZIP:
        code.check_source(source, verb=verb)
        return
    zipped = (source.zip_file, source.s3_bucket, source.s3_key, source.s3_version)
    if source.image_uri is None or any(member is not None for member in zipped):
        raise InvalidParameterValueException(
            f"Please provide ImageUri when {verb} a function with packageType Image."
        )


class CodeIntake:
    """Takes code in, wherever it is.

    `images` is None where none can be had; `hot_reload` allows directories of this host.
    """

    def __init__(
        self,
        packages: PackageStore,
        objects: ObjectSource | None,
        images: ImageCatalogue | None,
        *,
        hot_reload: bool,
    ) -> None:
        self._packages = packages
        self._objects = objects
        self._images = images
        self._hot_reload = hot_reload

    async def take(
        self, key: FunctionKey, source: CodeSource, architectures: Sequence[str]
    ) -> Code:
        """Return a function's code that is durable, or, of an image, that was there at this moment.

        Raises:
            ServiceException: it is not there, or cannot be taken.
        """
        if source.image_uri is not None:
            return await self._image(key, source.image_uri, architectures[0])
        if source.s3_bucket == HOT_RELOAD_BUCKET:
            return self._folder(source.s3_key or "")
        source = replace(source, account_id=key.account_id)
        return await code.store(source, packages=self._packages, objects=self._objects)

    async def _image(self, key: FunctionKey, uri: str, architecture: str) -> Code:
        if self._images is None:
            raise InvalidParameterValueException("This lambdad keeps no container images.")
        try:
            owner = (key.account_id, key.region)
            digest, resolved = await self._images.resolve(uri, architecture, owner)
        except ImageProblem as problem:
            raise InvalidParameterValueException(_refusal(uri, problem)) from problem
        # AWS quirk: of an image the digest is in hex, and the size is none.
        image = ImageSource(uri=uri, resolved_uri=resolved)
        return Code(sha256=digest, size_bytes=0, digest=digest, image=image)

    def _folder(self, key: str) -> Code:
        # SECURITY: else whoever may call the API could read this host's files by a function.
        if not self._hot_reload:
            raise InvalidParameterValueException(
                f"The bucket {HOT_RELOAD_BUCKET} stands for directories of this host, which "
                "lambdad may not show to functions. Start it with development.hot_reload = true."
            )
        folder = Path(key)
        if not folder.is_absolute() or ".." in folder.parts or not folder.is_dir():
            raise InvalidParameterValueException(
                f"S3Key must be the absolute path of a directory of lambdad's host; {key!r} is not."
            )
        digest = hashlib.sha256(f"hot-reload {folder}".encode()).digest()
        sha256 = base64.b64encode(digest).decode("ascii")
        return Code(sha256=sha256, size_bytes=0, digest=digest.hex(), folder=str(folder))


def _refusal(uri: str, problem: ImageProblem) -> str:
    if isinstance(problem, ImageAbsent):
        words = f"Source image {uri} does not exist. Provide a valid source image."
    elif isinstance(problem, ImageDenied):
        words = f"Lambda does not have permission to access the image {uri}."
    else:
        words = f"Source image {uri} is not valid. Provide a valid source image."
    return f"{words} {problem.message}"
