"""What the control plane needs done by others, as protocols wired up in `lambdad.server`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from lambdad.domain.arns import FunctionKey
from lambdad.domain.concurrency import ProvisionedState
from lambdad.domain.functions import Function


class VersionObserver(Protocol):
    """Told of changes after they are durable; implemented by the data plane."""

    def version_changed(self, function: Function) -> None:
        """A version is new, or its update begins or ends.

        What serves from now on is `function.serving`: idle environments of anything else are stale.
        """
        ...

    def version_deleted(self, function: Function) -> None:
        """A published version is gone: so are its environments once their work is done."""
        ...

    def function_deleted(self, function: Function) -> None:
        """The function is gone: so are its environments once their work is done."""
        ...

    def aliases_changed(self, key: FunctionKey) -> None:
        """An alias of the function is new, points elsewhere or is gone."""
        ...


class ConcurrencyObserver(Protocol):
    """Told of changes after they are durable; implemented by the data plane."""

    def reservation_changed(self, key: FunctionKey, limit: int | None) -> None:
        """So much concurrency is reserved for a function from now on; None: none is."""
        ...

    def provisioned_changed(self, key: FunctionKey) -> None:
        """The provisioned concurrency of a function's versions or aliases is another."""
        ...

    def provisioned_states(self, key: FunctionKey) -> Mapping[str, ProvisionedState]:
        """How far the provisioned concurrency of a function has come, by qualifier."""
        ...


class RuntimeCatalogue(Protocol):
    """Which runtimes can be had."""

    def known(self, identifier: str) -> bool:
        """Whether AWS has such an identifier and lambdad can serve it on a fitting host."""
        ...

    def unavailable(self, identifier: str) -> str | None:
        """None when this host serves the identifier, else cause and remedy in one sentence."""
        ...


class ObjectSource(Protocol):
    """Where `Code.S3Bucket` and `Code.S3Key` are read from."""

    async def read(self, bucket: str, key: str, version: str | None, account_id: str) -> bytes:
        """Return an object's bytes, if the account may read it.

        Raises:
            InvalidParameterValueException: with AWS's text, when it cannot be read.
        """
        ...


class ImageCatalogue(Protocol):
    """Where container images are looked up."""

    async def resolve(
        self, uri: str, architecture: str, owner: tuple[str, str] | None = None
    ) -> tuple[str, str]:
        """Return the digest, 64 hex digits, of the image that a URI names, and a URI with it.

        `owner` is account and region of the function.

        Raises:
            ImageProblem: there is no such image, or it may not be had.
        """
        ...


class VersionPreparer(Protocol):
    """What has to be done before a version may run; without one nothing has."""

    def concerns(self, function: Function) -> bool:
        """Whether there is anything to do for this version."""
        ...

    async def prepare(self, function: Function) -> Mapping[str, Any]:
        """Make the version ready; may take long and may be cancelled and begun anew.

        Returns:
            Members in wire form that the version has from now on.

        Raises:
            VersionFailed: it cannot be made ready, with what becomes the state's reason.
            LambdadError: the same; its text becomes the reason.
        """
        ...
