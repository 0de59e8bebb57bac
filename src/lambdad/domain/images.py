"""Container images: where they come from, what they say of themselves, how a function alters that.

Pure: nothing is fetched here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lambdad.domain.errors import LambdadError

# AWS: all layers of an image together, uncompressed.
UNPACKED_BYTES_MAX = 10 * 1024**3

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DOCKER_HUB = "registry-1.docker.io"


class ImageProblem(LambdadError):
    """An image that cannot be used.

    Attributes:
        message: cause and remedy.
        reason_code: what `StateReasonCode` says of it.
    """

    def __init__(self, message: str, *, reason_code: str = "InvalidImage") -> None:
        super().__init__(message)
        self.message = message
        self.reason_code = reason_code


class ImageAbsent(ImageProblem):
    """There is no such image."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason_code="ImageDeleted")


class ImageDenied(ImageProblem):
    """Whoever keeps the image does not give it, or lambdad's settings forbid to ask."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason_code="ImageAccessDenied")


class SourceKind(StrEnum):
    """Where an image lies."""

    REGISTRY = "registry"
    LAYOUT = "oci"
    ARCHIVE = "docker-archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A parsed `ImageUri`.

    Attributes:
        place: `host[:port]` of a registry, or the absolute path of a directory or a file.
        repository: within a registry; empty elsewhere.
        tag: None when a digest, or nothing, says which.
        digest: `sha256:` and 64 hex digits, or None.
    """

    kind: SourceKind
    place: str
    repository: str = ""
    tag: str | None = None
    digest: str | None = None

    def at(self, digest: str) -> str:
        """Return the URI that names the same image by content."""
        if self.kind is SourceKind.REGISTRY:
            return f"{self.place}/{self.repository}@{digest}"
        return f"{self.kind}:{self.place}@{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """Where the code of a function of `PackageType` Image comes from.

    Attributes:
        uri: as the caller gave it.
        resolved_uri: the same, by digest of the manifest for the function's architecture.
    """

    uri: str
    resolved_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """`ImageConfig` of a function: what replaces the image's own settings; None leaves them."""

    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    working_directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDescription:
    """What an image says of itself, as far as it counts for a function."""

    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, config: ImageConfig) -> tuple[str, ...]:
        """Return the command line that starts the function's process; empty when nothing says one.

        As with containers everywhere: another entry point leaves the image's command out.
        """
        entry_point = self.entry_point if config.entry_point is None else config.entry_point
        command = config.command
        if command is None:
            command = self.command if config.entry_point is None else ()
        return (*entry_point, *command)


def is_digest(text: str) -> bool:
    """Whether this is a digest of the one kind that is taken."""
    return _DIGEST.fullmatch(text) is not None


def parse_reference(uri: str) -> ImageReference | None:
    """Read `oci:/dir[:tag]`, `docker-archive:/file[:tag]` or `registry/repository[:tag]`.

    Each may end with `@sha256:...`. None when it is none of them.
    """
    name, _, digest = uri.partition("@")
    if "@" in uri and not is_digest(digest):
        return None
    for kind in (SourceKind.LAYOUT, SourceKind.ARCHIVE):
        if name.startswith(f"{kind}:"):
            return _local(kind, name[len(kind) + 1 :], digest or None)
    return _remote(name, digest or None)


def _local(kind: SourceKind, name: str, digest: str | None) -> ImageReference | None:
    directory, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    place = f"{directory}{slash}{last}"
    if not place.startswith("/") or "\0" in place or (colon and not tag):
        return None
    return ImageReference(kind=kind, place=place, tag=tag or None, digest=digest)


def _remote(name: str, digest: str | None) -> ImageReference | None:
    host, slash, repository = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        # Without a host it is Docker Hub's, whose own images are under `library`.
        host, repository = _DOCKER_HUB, name if slash else f"library/{name}"
    repository, colon, tag = repository.partition(":")
    if (
        not _HOST.fullmatch(host)
        or not _REPOSITORY.fullmatch(repository)
        or (colon and not _TAG.fullmatch(tag))
    ):
        return None
    if not tag and digest is None:
        tag = "latest"
    kind = SourceKind.REGISTRY
    return ImageReference(
        kind=kind, place=host, repository=repository, tag=tag or None, digest=digest
    )
