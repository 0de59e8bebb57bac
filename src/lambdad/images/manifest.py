"""Image manifests: which image of several, which layers, what the configuration says. Pure.

Everything read here was written by strangers: nothing is believed but digests that were compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.domain.images import UNPACKED_BYTES_MAX, ImageDescription, ImageProblem, is_digest

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LAYERS_MAX = 127  # Docker's own
_DEPTH_MAX = 3
_MACHINES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A layer: its content as it is transferred, and as it is when uncompressed.

    Attributes:
        digest: of what is transferred.
        diff_id: of the tar archive within.
    """

    digest: str
    diff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image for one machine; `layers` from the lowest to the uppermost."""

    digest: str
    config_digest: str
    layer_digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest with its configuration read."""

    manifest: Manifest
    layers: tuple[Blob, ...]
    description: ImageDescription


def digest_of(content: bytes) -> str:
    """Return the digest by which content is named."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def choose(read: Callable[[str | None], bytes], digest: str | None, architecture: str) -> Manifest:
    """Return the manifest for an architecture (`x86_64`, `arm64`), through indexes if need be.

    Raises:
        ImageProblem: there is none, or what `read` gives is not what was asked for.
    """
    for _ in range(_DEPTH_MAX):
        content = read(digest)
        found = digest_of(content)
        if digest is not None and found != digest:
            raise ImageProblem(f"The manifest {digest} has the content of {found}.")
        document = json_object(content)
        if "manifests" not in document:
            return _manifest(document, found)
        digest = _for_machine(document, architecture)
    raise ImageProblem("The image's indexes lead to indexes without end.")


def with_config(manifest: Manifest, config: bytes, architecture: str) -> Image:
    """Read the configuration.

    Raises:
        ImageProblem: it is not the manifest's, for another machine, or makes no sense.
    """
    if digest_of(config) != manifest.config_digest:
        raise ImageProblem("The image's configuration is not the one that its manifest names.")
    document = json_object(config)
    machine = document.get("architecture")
    if machine and machine != _MACHINES.get(architecture, architecture):
        raise ImageProblem(
            f"The image is for {machine}, the function for {architecture}. Build it for that "
            "architecture, or configure the function with the image's.",
        )
    diff_ids = _strings(_mapping(document.get("rootfs")).get("diff_ids"))
    if len(diff_ids) != len(manifest.layer_digests) or not all(map(is_digest, diff_ids)):
        raise ImageProblem("The image's configuration does not fit the layers of its manifest.")
    layers = tuple(
        Blob(digest=digest, diff_id=diff_id)
        for digest, diff_id in zip(manifest.layer_digests, diff_ids, strict=True)
    )
    own = _mapping(document.get("config"))
    return Image(manifest=manifest, layers=layers, description=_description(own))


def json_object(content: bytes) -> Mapping[str, Any]:
    """Parse a document; raises `ImageProblem` when it is no JSON object."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImageProblem("A document of the image is not JSON.") from error
    if not isinstance(document, dict):
        raise ImageProblem("A document of the image is not a JSON object.")
    return document


def _manifest(document: Mapping[str, Any], digest: str) -> Manifest:
    if document.get("schemaVersion") != 2:
        raise ImageProblem("The image's manifest has a schema other than 2. Push the image anew.")
    config = _mapping(document.get("config"))
    layers = document.get("layers")
    if not isinstance(layers, list) or not 0 < len(layers) <= LAYERS_MAX:
        raise ImageProblem(f"The image must have 1 to {LAYERS_MAX} layers.")
    described = [_mapping(layer) for layer in layers]
    sizes = [layer.get("size") for layer in described]
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ImageProblem("The image's manifest does not say how large its layers are.")
    if sum(size for size in sizes if isinstance(size, int)) > UNPACKED_BYTES_MAX:
        raise too_large()
    return Manifest(
        digest=digest,
        config_digest=_digest(config),
        layer_digests=tuple(map(_digest, described)),
    )


def _for_machine(index: Mapping[str, Any], architecture: str) -> str:
    wanted = _MACHINES.get(architecture, architecture)
    listed = index["manifests"]
    entries = [_mapping(entry) for entry in listed] if isinstance(listed, list) else []
    offered = []
    for entry in entries:
        platform = _mapping(entry.get("platform"))
        machine, system = platform.get("architecture"), platform.get("os", "linux")
        # An index with one image need not say what it is for; its configuration will.
        if (machine == wanted and system == "linux") or (len(entries) == 1 and not machine):
            return _digest(entry)
        offered.append(f"{system}/{machine}")
    raise ImageProblem(
        f"The image is not there for linux/{wanted}, only for {', '.join(offered) or 'nothing'}. "
        "Build it for that architecture, or choose another one for the function."
    )


def _description(config: Mapping[str, Any]) -> ImageDescription:
    variables = {}
    for variable in _strings(config.get("Env")):
        name, equals, value = variable.partition("=")
        if name and equals and "\0" not in variable:
            variables[name] = value
    working_directory = config.get("WorkingDir")
    return ImageDescription(
        entry_point=_strings(config.get("Entrypoint")),
        command=_strings(config.get("Cmd")),
        working_directory=working_directory if isinstance(working_directory, str) else "",
        environment=variables,
    )


def too_large() -> ImageProblem:
    """What is said of an image beyond AWS's limit."""
    gib = UNPACKED_BYTES_MAX // 1024**3
    return ImageProblem(f"The image is larger than {gib} GB uncompressed. Make it smaller.")


def _digest(descriptor: Mapping[str, Any]) -> str:
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not is_digest(digest):
        raise ImageProblem(f"The image names content by {digest!r}, which is no SHA-256 digest.")
    return digest


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> tuple[str, ...]:
    items: Sequence[object] = value if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str))
