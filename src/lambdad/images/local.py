"""Images in files of this host: OCI layout directories and the archives of `docker save`."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from lambdad.domain.images import ImageAbsent, ImageProblem, ImageReference
from lambdad.images.base import DOCUMENT_BYTES_MAX
from lambdad.images.manifest import MANIFESTS, json_object
from lambdad.images.streams import decompressed, limited

_TAG_OF_LAYOUT = "org.opencontainers.image.ref.name"
_BLOCK_BYTES = 1024 * 1024


class LayoutSource:
    """An OCI layout directory; see `BlobSource`."""

    def __init__(self, reference: ImageReference) -> None:
        self._place = Path(reference.place)
        self._tag = reference.tag

    def manifest(self, digest: str | None) -> bytes:
        """See `BlobSource`."""
        if digest is None:
            digest = self._named()
        with self.blob(digest) as blob:
            return limited(blob, DOCUMENT_BYTES_MAX)

    @contextmanager
    def blob(self, digest: str) -> Iterator[BinaryIO]:
        """See `BlobSource`."""
        with _opened(self._place / "blobs" / digest.replace(":", "/", 1)) as file:
            yield file

    def _named(self) -> str:
        with _opened(self._place / "index.json") as file:
            listed = json_object(limited(file, DOCUMENT_BYTES_MAX)).get("manifests")
        entries = [entry for entry in listed or () if isinstance(entry, dict)]
        if self._tag is not None:
            entries = [entry for entry in entries if _tag_of(entry) == self._tag]
        digests = {entry.get("digest") for entry in entries}
        if len(digests) != 1:
            found = "no image" if not digests else "several images"
            name = f" of the tag {self._tag}" if self._tag else ""
            raise ImageAbsent(
                f"{self._place} has {found}{name}. Name one by its tag: oci:{self._place}:tag."
            )
        return str(digests.pop())


class ArchiveSource:
    """What `docker save` writes, uncompressed; see `BlobSource`.

    It holds no manifest, so one is made of the digests of what it does hold: layers are named by
    their uncompressed content.
    """

    def __init__(self, reference: ImageReference) -> None:
        self._place = Path(reference.place)
        self._tag = reference.tag
        self._members: dict[str, str] = {}

    def manifest(self, digest: str | None) -> bytes:
        """See `BlobSource`."""
        del digest  # whoever asks compares what comes
        with _opened(self._place) as file, _archive(file) as archive:
            entry = self._entry(archive)
            config_name = str(entry.get("Config"))
            with _member(archive, config_name) as member:
                config = limited(member, DOCUMENT_BYTES_MAX)
            names = entry.get("Layers")
            layers = [str(name) for name in names] if isinstance(names, list) else []
            described = [_Member(archive, name) for name in layers]
        config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        self._members = {config_digest: config_name}
        self._members.update((member.digest, member.name) for member in described)
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFESTS[0],
            "config": {"digest": config_digest, "size": len(config)},
            "layers": [{"digest": member.digest, "size": member.size} for member in described],
        }
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    @contextmanager
    def blob(self, digest: str) -> Iterator[BinaryIO]:
        """See `BlobSource`; valid after :meth:`manifest`."""
        if digest not in self._members:
            self.manifest(None)
        if digest not in self._members:
            raise ImageAbsent(f"{self._place} does not contain {digest} any more.")
        with (
            _opened(self._place) as file,
            _archive(file) as archive,
            _member(archive, self._members[digest]) as member,
        ):
            yield member

    def _entry(self, archive: tarfile.TarFile) -> Mapping[str, Any]:
        with _member(archive, "manifest.json") as member:
            content = limited(member, DOCUMENT_BYTES_MAX)
        listed = json_object(b'{"images":' + content + b"}").get("images")
        entries = [entry for entry in listed or () if isinstance(entry, dict)]
        if self._tag is not None:
            entries = [
                entry
                for entry in entries
                if any(str(name).endswith(f":{self._tag}") for name in entry.get("RepoTags") or ())
            ]
        if len(entries) != 1:
            raise ImageAbsent(f"{self._place} has {len(entries)} images. Name one by its tag.")
        return entries[0]


class _Member:
    """A layer in an archive: its digest and size when uncompressed."""

    def __init__(self, archive: tarfile.TarFile, name: str) -> None:
        self.name = name
        self.size = 0
        content = hashlib.sha256()
        with _member(archive, name) as member:
            stream = decompressed(member)
            while block := stream.read(_BLOCK_BYTES):
                content.update(block)
                self.size += len(block)
        self.digest = f"sha256:{content.hexdigest()}"


def _tag_of(entry: Mapping[str, Any]) -> object:
    annotations = entry.get("annotations")
    return annotations.get(_TAG_OF_LAYOUT) if isinstance(annotations, dict) else None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ImageAbsent(f"{path} cannot be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        yield file


@contextmanager
def _archive(file: BinaryIO) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise ImageProblem(
            f"{file.name} is no archive of `docker save`: {error}. Is it compressed?"
        ) from error


@contextmanager
def _member(archive: tarfile.TarFile, name: str) -> Iterator[BinaryIO]:
    try:
        member = archive.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise ImageProblem(f"The archive has no {name}: it is no archive of `docker save`.")
    with member:
        yield cast("BinaryIO", member)
