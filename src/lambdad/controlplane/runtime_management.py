"""When the runtime of a version is updated: stored and read back, per version.

A host has one build of a runtime, its own: which one runs is decided by what is installed there.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdad.controlplane import configuration
from lambdad.controlplane.existence import exists
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target, not_found
from lambdad.domain.arns import LATEST
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import Engine

RUNTIME_MANAGEMENT_KIND = "runtime-management"

_MANUAL = "Manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeManagement:
    """The configuration of a version.

    Attributes:
        update_on: `Auto`, `FunctionUpdate` or `Manual`.
        version_arn: of the runtime, with `Manual` only.
    """

    update_on: str = "Auto"
    version_arn: str | None = None


class RuntimeManagementConfigs:
    """The configurations of all functions, by version."""

    def __init__(self, engine: Engine, *, locks: FunctionLocks) -> None:
        self._engine = engine
        self._locks = locks

    def get(self, target: Target) -> RuntimeManagement:
        """Return the configuration of a version, `$LATEST` without a qualifier.

        Raises:
            ResourceNotFoundException: there is no such function or version.
        """
        self._check(target)
        resource = self._engine.resources.get(_key(target))
        return RuntimeManagement() if resource is None else RuntimeManagement(**resource.document)

    async def put(self, target: Target, config: RuntimeManagement) -> None:
        """Set the configuration of a version.

        Raises:
            ResourceNotFoundException: there is no such function or version.
            InvalidParameterValueException: the ARN is missing or too much.
        """
        async with self._locks.of(target.key):
            self._check(target)
            if config.update_on == _MANUAL and not config.version_arn:
                raise InvalidParameterValueException(
                    "RuntimeVersionArn is required when UpdateRuntimeOn is Manual."
                )
            if config.update_on != _MANUAL and config.version_arn:
                raise InvalidParameterValueException(
                    "RuntimeVersionArn can be specified only when UpdateRuntimeOn is Manual."
                )
            await self._engine.resources.put(
                Resource(
                    key=_key(target),
                    function=target.key.name,
                    revision=configuration.new_revision(),
                    document={"update_on": config.update_on, "version_arn": config.version_arn},
                )
            )

    def _check(self, target: Target) -> None:
        if not exists(self._engine, target.key, target.qualifier):
            raise not_found(target)


def _key(target: Target) -> ResourceKey:
    return ResourceKey(
        kind=RUNTIME_MANAGEMENT_KIND,
        account_id=target.key.account_id,
        region=target.key.region,
        name=f"{target.key.name}:{target.qualifier or LATEST}",
    )
