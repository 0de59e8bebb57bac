"""Images on disk: `<root>/layers/<diff id>` and `<root>/roots/<digest of the manifest>`.

A layer is unpacked once for all images that have it; a root is made of hard links to layers, beside
a document with what the image says of itself. Each appears by one rename after all of it was
verified and has reached the disk. Decides which local places may be read.

Who makes something holds a lock that others may share; who removes holds it alone: a command beside
the daemon may fetch, too.

Mutable state: descriptions that were read, and what is being made.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lambdad.config.sections import ImagesConfig
from lambdad.domain.errors import HostUnfit
from lambdad.domain.images import (
    UNPACKED_BYTES_MAX,
    ImageDenied,
    ImageDescription,
    ImageProblem,
    ImageReference,
    SourceKind,
    parse_reference,
)
from lambdad.images import manifest
from lambdad.images.base import DOCUMENT_BYTES_MAX, BlobSource, Owner, OwnImages
from lambdad.images.layer import unpack
from lambdad.images.local import ArchiveSource, LayoutSource
from lambdad.images.manifest import Image
from lambdad.images.registry import RegistrySource, logins
from lambdad.images.root import lay
from lambdad.images.streams import limited

_STAGE = ".making-"
_DOCUMENT = "image.json"
_TREE = "tree"
# Unpacking is bound by the processor.
_AT_ONCE = 2


class ImageStore:
    """Used from one event loop; blocking work is done in threads."""

    def __init__(self, root: Path, config: ImagesConfig, own: OwnImages | None = None) -> None:
        """`own` knows the images that need not be fetched from anywhere else."""
        self._layers = root.absolute() / "layers"
        self._roots = root.absolute() / "roots"
        self._pins = root.absolute() / "pinned.json"
        self._config = config
        self._own = own
        self._descriptions: dict[str, ImageDescription] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._makers: Counter[str] = Counter()
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def resolve(
        self, uri: str, architecture: str, owner: Owner | None = None
    ) -> tuple[str, str]:
        """Ask which image a URI names now, for an owner's function or for lambdad itself.

        Returns its digest, 64 hex digits, and the URI that names it by that.

        Raises:
            ImageProblem: the URI makes no sense, or there is no such image.
        """
        reference, source = await self._source(self._reference(uri), owner)
        found = await asyncio.to_thread(
            manifest.choose, source.manifest, reference.digest, architecture
        )
        return found.digest.partition(":")[2], reference.at(found.digest)

    async def ensure(self, uri: str, architecture: str) -> str:
        """Have the image of a resolved URI on disk, fetched if need be; returns its digest.

        Raises:
            ImageProblem: it cannot be had, or is none that may be used.
            HostUnfit: the disk is full or failed; nothing is left of the image.
        """
        digest = uri.rpartition(":")[2]
        # A look at a directory is far cheaper than a thread, and nearly every call ends here.
        if digest in self._descriptions or (self._roots / digest).is_dir():
            return digest
        async with self._maker(digest):
            reference, source = await self._source(self._reference(uri), None)
            await asyncio.to_thread(self._make, reference, source, digest, architecture)
        return digest

    def tree(self, digest: str) -> Path:
        """Root directory of an image that is on disk. Read-only by convention."""
        return self._roots / digest / _TREE

    def description(self, digest: str) -> ImageDescription:
        """What an image that is on disk says of itself."""
        found = self._descriptions.get(digest)
        if found is None:
            document = self._document(digest)["description"]
            found = self._descriptions[digest] = ImageDescription(
                entry_point=tuple(document["entry_point"]),
                command=tuple(document["command"]),
                working_directory=document["working_directory"],
                environment=document["environment"],
            )
        return found

    def pin(self, name: str, digest: str) -> None:
        """Keep an image under a name, whether a function has it or not."""
        pinned = {**self.pinned(), name: digest}
        self._pins.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._pins.with_suffix(".new")
        new.write_text(json.dumps(pinned, indent=1))
        new.replace(self._pins)

    def pinned(self) -> Mapping[str, str]:
        """Return the digests of images that are kept, by name."""
        try:
            pinned: Mapping[str, str] = json.loads(self._pins.read_text())
        except FileNotFoundError:
            return {}
        return pinned

    def has(self, digest: str) -> bool:
        """Whether an image is on disk."""
        return (self._roots / digest).is_dir()

    async def collect(self, used: frozenset[str]) -> int:
        """Remove images that are neither pinned nor in `used`, and layers of none of the others.

        Returns how many images went; 0 while images are being made, by another process perhaps.
        """
        return await asyncio.to_thread(self._collect, used)

    def _collect(self, used: frozenset[str]) -> int:
        if not self._roots.parent.is_dir():
            return 0
        with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB) as locked:
            if not locked:
                return 0
            kept = used | frozenset(self.pinned().values())
            unused = [path for path in _entries(self._roots) if path.name not in kept]
            roots = [path.name for path in _entries(self._roots) if path.name in kept]
            layers = {layer for root in roots for layer in self._document(root)["layers"]}
            trash = self._roots.parent / f"{_STAGE}{secrets.token_hex(8)}"
            trash.mkdir()
            for path in unused:
                self._descriptions.pop(path.name, None)
                path.rename(trash / f"root-{path.name}")
            for path in _entries(self._layers):
                if path.name not in layers:
                    path.rename(trash / f"layer-{path.name}")
            for path in _entries(self._roots.parent):
                if path.name.startswith(_STAGE):
                    shutil.rmtree(path)
            return len(unused)

    @contextmanager
    def _lock(self, kind: int) -> Iterator[bool]:
        """Hold the lock that makers share; False when it is not to be had at once."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._roots.parent / "lock", flags, 0o600)
        try:
            try:
                fcntl.flock(descriptor, kind)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def _maker(self, digest: str) -> AsyncIterator[None]:
        self._makers[digest] += 1
        lock = self._locks.setdefault(digest, asyncio.Lock())
        try:
            async with lock, self._free:
                yield
        finally:
            self._makers[digest] -= 1
            if not self._makers[digest]:
                del self._makers[digest], self._locks[digest]

    def _reference(self, uri: str) -> ImageReference:
        reference = parse_reference(uri)
        if reference is None:
            raise ImageProblem(
                f"{uri!r} names no image. Give registry/repository:tag, oci:/directory:tag or "
                "docker-archive:/file."
            )
        if reference.kind is not SourceKind.REGISTRY:
            self._check_place(reference)
        return reference

    def _check_place(self, reference: ImageReference) -> None:
        """SECURITY: whoever may call the API must not read this host's files by it."""
        place = Path(os.path.realpath(reference.place))
        allowed = [Path(os.path.realpath(directory)) for directory in self._config.local]
        if not any(place.is_relative_to(directory) for directory in allowed):
            raise ImageDenied(
                f"Images below {place.parent} may not be used. Name the directory in images.local "
                "of the configuration."
            )

    async def _source(
        self, reference: ImageReference, owner: Owner | None
    ) -> tuple[ImageReference, BlobSource]:
        """Return where an image is, and its name, which may be another one for what is here."""
        found = None if self._own is None else await self._own.find(reference, owner)
        return found or (reference, self._elsewhere(reference))

    def _elsewhere(self, reference: ImageReference) -> BlobSource:
        if reference.kind is SourceKind.LAYOUT:
            return LayoutSource(reference)
        if reference.kind is SourceKind.ARCHIVE:
            return ArchiveSource(reference)
        users = logins(self._config.docker_config)
        return RegistrySource(reference, self._config.plain_http, users)

    def _make(
        self, reference: ImageReference, source: BlobSource, digest: str, architecture: str
    ) -> None:
        if (self._roots / digest).is_dir():
            return
        found = manifest.choose(source.manifest, reference.digest, architecture)
        with source.blob(found.config_digest) as blob:
            config = limited(blob, DOCUMENT_BYTES_MAX)
        image = manifest.with_config(found, config, architecture)
        with _explained(self._roots.parent):
            self._roots.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _explained(self._roots.parent), self._lock(fcntl.LOCK_SH):
            self._make_layers(source, image)
            self._appear(self._roots / digest, lambda stage: self._fill(image, stage))

    def _make_layers(self, source: BlobSource, image: Image) -> None:
        budget = UNPACKED_BYTES_MAX
        for layer in image.layers:
            place = self._layers / layer.diff_id.partition(":")[2]
            if not place.is_dir():

                def fill(stage: Path, layer: manifest.Blob = layer, budget: int = budget) -> None:
                    with source.blob(layer.digest) as blob:
                        size = unpack(blob, layer, stage / _TREE, budget)
                    (stage / "size").write_text(str(size))

                self._appear(place, fill)
            budget -= int((place / "size").read_text())
            if budget < 0:
                raise manifest.too_large()

    def _fill(self, image: Image, stage: Path) -> None:
        digests = [layer.diff_id.partition(":")[2] for layer in image.layers]
        lay([self._layers / digest / _TREE for digest in digests], stage / _TREE)
        document = {"layers": digests, "description": asdict(image.description)}
        (stage / _DOCUMENT).write_text(json.dumps(document))

    def _appear(self, target: Path, fill: Callable[[Path], None]) -> None:
        """Make a directory that is whole or not there at all."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stage = self._roots.parent / f"{_STAGE}{secrets.token_hex(8)}"
        stage.mkdir(mode=0o755)
        try:
            fill(stage)
            _sync_file_system(stage)
            try:
                stage.rename(target)
            except OSError as error:
                # Another image with the same layer was faster.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        finally:
            if stage.exists():
                shutil.rmtree(stage)

    def _document(self, digest: str) -> Mapping[str, Any]:
        document: Mapping[str, Any] = json.loads((self._roots / digest / _DOCUMENT).read_text())
        return document


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _sync_file_system(place: Path) -> None:
    """Flush what was written: at once is far faster than each of many thousands of files."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "the disk cannot be flushed")
    finally:
        os.close(descriptor)


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostUnfit(
                f"No space is left for images below {root}.",
                "Free space on its file system and try again.",
            ) from error
        raise HostUnfit(
            f"Images cannot be stored below {root}: {error.strerror or error}.",
            "Make it writable for the user that runs lambdad; look at the kernel log.",
        ) from error
