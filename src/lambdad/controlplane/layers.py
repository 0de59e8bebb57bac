"""Layers: publish, read, list, delete.

Decides which number a version gets and who may see it. Who else may use it stands in
`layer_policies`, how functions use it in `layer_attachments`. Wire forms are unknown here.

Kinds of resources: `layer` (name: the layer's; keeps the last number), `layer-version` and
`layer-policy` (name: `layer:0000000001`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lambdad.controlplane import code
from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import new_revision
from lambdad.controlplane.ports import ObjectSource
from lambdad.controlplane.uploads import Uploads
from lambdad.domain.clock import Clock, lambda_timestamp
from lambdad.domain.errors import (
    InvalidParameterValueException,
    NotImplementedException,
    ResourceNotFoundException,
)
from lambdad.domain.functions import Code
from lambdad.domain.layers import LayerKey
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import DeleteResource, Engine, PackageStore, PutResource

LAYER_KIND = "layer"
VERSION_KIND = "layer-version"
POLICY_KIND = "layer-policy"

_SCAN_PAGE = 51


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLayerVersion:
    """What `PublishLayerVersion` asks for."""

    source: CodeSource
    description: str = ""
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    license_info: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """A published version of a layer.

    Attributes:
        created: as on the wire, `2025-11-24T22:54:31.123+0000`.
    """

    key: LayerKey
    version: int
    code: Code
    description: str
    created: str
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    license_info: str | None

    @property
    def arn(self) -> str:
        """The layer's ARN with the number."""
        return self.key.arn(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFilter:
    """Which versions a listing shows: None shows all; a version must name what is asked for."""

    runtime: str | None = None
    architecture: str | None = None

    def matches(self, version: LayerVersion) -> bool:
        """Whether a version is shown."""
        return (self.runtime is None or self.runtime in version.runtimes) and (
            self.architecture is None or self.architecture in version.architectures
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPage:
    """A page of versions; `more` when others follow behind the last one."""

    versions: Sequence[LayerVersion]
    more: bool


class Layers:
    """The layers of all accounts and regions.

    Attributes:
        changing: held by whoever changes a layer, from reading to writing.
    """

    def __init__(
        self,
        engine: Engine,
        packages: PackageStore,
        *,
        clock: Clock,
        uploads: Uploads,
        objects: ObjectSource | None = None,
    ) -> None:
        self.changing = asyncio.Lock()
        self._engine = engine
        self._resources = engine.resources
        self._packages = packages
        self._clock = clock
        self._uploads = uploads
        self._objects = objects

    async def publish(self, key: LayerKey, new: NewLayerVersion) -> LayerVersion:
        """Store the layer's next version; numbers begin at 1 and are never used again.

        Raises:
            ServiceException: the content is not acceptable; nothing was stored.
        """
        _check_content(new.source)
        async with self._uploads.pending():
            source = replace(new.source, account_id=key.account_id)
            stored = await code.store(source, packages=self._packages, objects=self._objects)
            async with self.changing:
                counter = self._resources.get(_layer_key(key))
                number = 1 if counter is None else int(counter.document["last_version"]) + 1
                published = LayerVersion(
                    key=key,
                    version=number,
                    code=stored,
                    description=new.description,
                    created=lambda_timestamp(self._clock.now()),
                    runtimes=new.runtimes,
                    architectures=new.architectures,
                    license_info=new.license_info,
                )
                await self._engine.apply(
                    PutResource(resource=_resource(_layer_key(key), {"last_version": number})),
                    PutResource(resource=_resource(version_key(key, number), _document(published))),
                )
        return published

    def get(self, key: LayerKey, version: int) -> LayerVersion | None:
        """Return a version, or None."""
        resource = self._resources.get(version_key(key, version))
        return None if resource is None else _layer_version(key, version, resource.document)

    def find(self, key: LayerKey, version: int) -> LayerVersion:
        """Return a version.

        Raises:
            ResourceNotFoundException: there is none of this number.
            InvalidParameterValueException: the number is none of a version.
        """
        _check_number(version)
        found = self.get(key, version)
        if found is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return found

    async def delete(self, key: LayerKey, version: int) -> None:
        """Remove a version and its policy; functions that use it keep it. None is no error.

        Raises:
            InvalidParameterValueException: the number is none of a version.
        """
        _check_number(version)
        async with self.changing:
            await self._engine.apply(
                DeleteResource(key=version_key(key, version)),
                DeleteResource(key=policy_key(key, version)),
            )

    def latest(
        self, account_id: str, region: str, wanted: LayerFilter, *, after: str | None, limit: int
    ) -> LayerPage:
        """Return the newest matching version of up to `limit` layers by name, behind `after`."""
        found: list[LayerVersion] = []
        for key in self._layers(account_id, region, after):
            newest = next(self._newest_first(key, wanted), None)
            if newest is not None:
                found.append(newest)
            if len(found) > limit:
                break
        return LayerPage(versions=found[:limit], more=len(found) > limit)

    def versions(
        self, key: LayerKey, wanted: LayerFilter, *, before: int | None, limit: int
    ) -> LayerPage:
        """Return up to `limit` matching versions of a layer, newest first, older than `before`."""
        found: list[LayerVersion] = []
        for version in self._newest_first(key, wanted):
            if before is None or version.version < before:
                found.append(version)
            if len(found) > limit:
                break
        return LayerPage(versions=found[:limit], more=len(found) > limit)

    def digests(self) -> frozenset[str]:
        """Return the packages of all versions of all accounts and regions."""
        return frozenset(
            resource.document["code"]["digest"] for resource in self._resources.all(VERSION_KIND)
        )

    def code_bytes(self, account_id: str, region: str) -> int:
        """Return how much an account has stored in the layers of a region."""
        return sum(
            resource.document["code"]["size_bytes"]
            for resource in self._resources.list(VERSION_KIND, account_id, region)
        )

    def _layers(self, account_id: str, region: str, after: str | None) -> Iterator[LayerKey]:
        while page := self._resources.list(
            LAYER_KIND, account_id, region, after=after, limit=_SCAN_PAGE
        ):
            for resource in page:
                yield LayerKey(account_id=account_id, region=region, name=resource.key.name)
            after = page[-1].key.name

    def _newest_first(self, key: LayerKey, wanted: LayerFilter) -> Iterator[LayerVersion]:
        prefix = f"{key.name}:"
        stored = self._resources.list(VERSION_KIND, key.account_id, key.region, prefix=prefix)
        for resource in reversed(stored):
            number = int(resource.key.name.removeprefix(prefix))
            version = _layer_version(key, number, resource.document)
            if wanted.matches(version):
                yield version


def version_key(key: LayerKey, version: int) -> ResourceKey:
    """Where a version is stored; names sort as the numbers do."""
    return _key(VERSION_KIND, key, f"{key.name}:{version:010}")


def policy_key(key: LayerKey, version: int) -> ResourceKey:
    """Where the policy of a version is stored."""
    return _key(POLICY_KIND, key, f"{key.name}:{version:010}")


def _layer_key(key: LayerKey) -> ResourceKey:
    return _key(LAYER_KIND, key, key.name)


def _key(kind: str, key: LayerKey, name: str) -> ResourceKey:
    return ResourceKey(kind=kind, account_id=key.account_id, region=key.region, name=name)


def _resource(key: ResourceKey, document: Mapping[str, Any]) -> Resource:
    return Resource(key=key, function=None, revision=new_revision(), document=document)


def _document(version: LayerVersion) -> Mapping[str, Any]:
    return {
        "code": asdict(version.code),
        "description": version.description,
        "created": version.created,
        "runtimes": list(version.runtimes),
        "architectures": list(version.architectures),
        "license_info": version.license_info,
    }


def _layer_version(key: LayerKey, version: int, document: Mapping[str, Any]) -> LayerVersion:
    return LayerVersion(
        key=key,
        version=version,
        code=Code(**document["code"]),
        description=document["description"],
        created=document["created"],
        runtimes=tuple(document["runtimes"]),
        architectures=tuple(document["architectures"]),
        license_info=document["license_info"],
    )


def _check_number(version: int) -> None:
    if version < 1:
        raise InvalidParameterValueException("Layer Version Cannot be less than 1")


def _check_content(source: CodeSource) -> None:
    from_s3 = source.s3_bucket is not None or source.s3_key is not None
    if source.zip_file is not None and (from_s3 or source.s3_version is not None):
        raise InvalidParameterValueException(
            "Please do not provide other LayerVersionContent parameters when providing a ZipFile."
        )
    if source.zip_file is None and not from_s3:
        raise InvalidParameterValueException("Please provide a source for layer content.")
    if from_s3 and (source.s3_bucket is None or source.s3_key is None):
        raise InvalidParameterValueException(
            "Please provide both S3Bucket and S3Key: one of them is missing."
        )
    if source.unsupported:
        raise NotImplementedException(
            f"lambdad does not support {', '.join(source.unsupported)} for layer content yet. "
            "Leave it out."
        )
