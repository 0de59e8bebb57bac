"""Repositories, and what their manifests say. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lambdad.domain.images import ImageProblem, is_digest
from lambdad.images.manifest import INDEXES, MANIFESTS, digest_of, json_object

MANIFEST_BYTES_MAX = 4 * 1024 * 1024
PARTS_MAX = 4_200
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
NAME = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII
)
NAME_LENGTH_MAX = 256
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository.

    Attributes:
        settings: what CreateRepository took and later operations changed, by its name in the
            service model; `policy` and `lifecycle` are texts.
    """

    account_id: str
    region: str
    name: str
    created_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Of the repository."""
        return f"arn:aws:ecr:{self.region}:{self.account_id}:repository/{self.name}"

    @property
    def key(self) -> str:
        """Unique among all repositories."""
        return f"{self.account_id}/{self.region}/{self.name}"

    def may_move(self, tag: str) -> bool:
        """Whether a tag may be given to another image."""
        mutability = str(self.settings.get("imageTagMutability", "MUTABLE"))
        filters = self.settings.get("imageTagMutabilityExclusionFilters") or ()
        excluded = mutability.endswith("_WITH_EXCLUSION") and any(
            fnmatch.fnmatchcase(tag, str(each["filter"])) for each in filters
        )
        return mutability.startswith("MUTABLE") != excluded

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest that was looked through.

    Attributes:
        blobs: configuration and layers that have to be in the repository.
        images: which have to be, too, where it is a list.
        subject: digest of the image that it says something about, or None.
    """

    body: bytes
    digest: str
    media_type: str
    artifact_type: str | None
    subject: str | None
    blobs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def read_manifest(body: bytes, media_type: str | None) -> Manifest:
    """Look through a manifest; `media_type` counts where it does not tell its own.

    Raises:
        ImageProblem: it is none, or of a kind that is not kept.
    """
    if len(body) > MANIFEST_BYTES_MAX:
        raise ImageProblem(f"A manifest may have {MANIFEST_BYTES_MAX} bytes.")
    try:
        document = json_object(body)
    except RecursionError as error:
        raise ImageProblem("The manifest nests too deep.") from error
    kind = document.get("mediaType") or media_type or MANIFESTS[0]
    if kind not in (*INDEXES, *MANIFESTS) or document.get("schemaVersion") != 2:
        raise ImageProblem(f"Manifests of the type {str(kind)[:200]!r} are not kept here.")
    subject = document.get("subject")
    config = document.get("config")
    artifact = document.get("artifactType")
    if artifact is None and isinstance(config, dict):
        artifact = config.get("mediaType")
    index = kind in INDEXES
    return Manifest(
        body=body,
        digest=digest_of(body),
        media_type=str(kind),
        artifact_type=_media_type(artifact),
        subject=None if subject is None else _digest(subject),
        images=_digests(document, "manifests") if index else (),
        blobs=() if index else tuple(dict.fromkeys((_digest(config), *_layers(document)))),
    )


def _layers(document: Mapping[str, Any]) -> tuple[str, ...]:
    return _digests(document, "layers")


def _digests(document: Mapping[str, Any], member: str) -> tuple[str, ...]:
    listed = document.get(member)
    if not isinstance(listed, list) or len(listed) > PARTS_MAX:
        raise ImageProblem(f"{member} of a manifest must be a list of {PARTS_MAX} at most.")
    # What may not be distributed lies elsewhere.
    return tuple(dict.fromkeys(_digest(each) for each in listed if not _is_foreign(each)))


def _is_foreign(descriptor: object) -> bool:
    if not isinstance(descriptor, dict) or not descriptor.get("urls"):
        return False
    kind = str(descriptor.get("mediaType"))
    return "foreign" in kind or "nondistributable" in kind


def _digest(descriptor: object) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not is_digest(digest):
        raise ImageProblem("A manifest must name what it consists of by SHA-256 digests.")
    return digest


def _media_type(value: object) -> str | None:
    return value if isinstance(value, str) and _MEDIA_TYPE.fullmatch(value) else None


def is_name(name: str) -> bool:
    """Whether a repository can have this name."""
    return 2 <= len(name) <= NAME_LENGTH_MAX and NAME.fullmatch(name) is not None
