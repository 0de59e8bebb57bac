"""A function version: its configuration, its code and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lambdad.domain import limits
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.images import ImageConfig, ImageSource
from lambdad.domain.layers import merged_digest


class State(StrEnum):
    """`State` of a function version."""

    PENDING = "Pending"
    ACTIVE = "Active"
    INACTIVE = "Inactive"
    FAILED = "Failed"


class UpdateStatus(StrEnum):
    """`LastUpdateStatus` of a function version."""

    IN_PROGRESS = "InProgress"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"


class PackageType(StrEnum):
    """`PackageType` of a function."""

    ZIP = "Zip"
    IMAGE = "Image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A function's code: a zip package by content, an image by content, or a directory.

    Attributes:
        sha256: base64 of the SHA-256 of the zip, as in `CodeSha256`; of an image in hex.
        size_bytes: of the zip, as in `CodeSize`.
        digest: hex of the same SHA-256: the key of the package or the image in storage.
        image: where it comes from, if it is an image.
        folder: directory of this host, if it is that: what is in it changes.
    """

    sha256: str
    size_bytes: int
    digest: str
    image: ImageSource | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """Where and how the function logs."""

    log_group: str
    log_format: str = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`State*` and `LastUpdate*` of a function version."""

    state: State
    state_reason: str | None = None
    state_reason_code: str | None = None
    last_update: UpdateStatus | None = None
    last_update_reason: str | None = None
    last_update_reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One version of a function, `$LATEST` included, as the control plane stores it.

    Attributes:
        environment: configured variables; None when the caller never gave an Environment.
        layers: ARNs of layer versions; what comes later lies over what comes before.
        layer_packages: their content, in the same order: it outlives the layer versions.
        revision_id: changes at every change of state or configuration.
        last_modified: as on the wire, `2025-11-24T22:54:31.123+0000`.
        echoed: members that are stored and read back but have no behaviour here yet, in wire
            form (`VpcConfig`, `DeadLetterConfig`, ...).
        image_config: what replaces an image's own settings; None when the caller gave none.
        tags: of the function; kept with `$LATEST` only.
        in_service: what serves instead of this row, because its update is not done or has failed;
            None when it serves itself. Its own `in_service` is None.
    """

    key: FunctionKey
    version: str = LATEST
    runtime: str
    handler: str
    role: str
    code: Code
    description: str = ""
    timeout_s: int = limits.TIMEOUT_S_DEFAULT
    memory_mb: int = limits.MEMORY_MB_DEFAULT
    ephemeral_storage_mb: int = limits.EPHEMERAL_STORAGE_MB_DEFAULT
    environment: Mapping[str, str] | None = None
    architectures: tuple[str, ...] = ("x86_64",)
    layers: tuple[str, ...] = ()
    layer_packages: tuple[Code, ...] = ()
    tracing_mode: str = "PassThrough"
    logging: LoggingConfig
    status: Status
    revision_id: str
    last_modified: str
    echoed: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    in_service: Function | None = None
    image_config: ImageConfig | None = None

    @property
    def package_type(self) -> PackageType:
        """Whether it is a zip package or a container image."""
        return PackageType.ZIP if self.code.image is None else PackageType.IMAGE

    @property
    def serving(self) -> Function:
        """What invocations run: this, or what it has not replaced yet."""
        return self.in_service or self

    @property
    def arn(self) -> str:
        """Unqualified for `$LATEST`, with the number for a published version."""
        return self.key.arn(None if self.version == LATEST else self.version)

    @property
    def layer_tree(self) -> str | None:
        """Key in package storage of what its layers make together; None without layers."""
        if not self.layer_packages:
            return None
        return merged_digest([package.digest for package in self.layer_packages])

    @property
    def packages(self) -> frozenset[str]:
        """Keys of everything in package storage that it needs, or that what serves for it needs."""
        packages = frozenset(package.digest for package in self.layer_packages)
        if self.code.image is None and self.code.folder is None:
            packages |= {self.code.digest}
        if self.layer_tree is not None:
            packages |= {self.layer_tree}
        return packages if self.in_service is None else packages | self.in_service.packages

    @property
    def images(self) -> frozenset[str]:
        """Digests of images that it needs, or that what serves for it needs."""
        images = frozenset(() if self.code.image is None else (self.code.digest,))
        return images if self.in_service is None else images | self.in_service.images
