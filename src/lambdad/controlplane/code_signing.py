"""Code signing configurations and which function has which.

Decides whether a package may be deployed under a configuration. lambdad cannot verify signatures:
every package counts as unsigned, so `Warn` lets all of them pass and `Enforce` none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lambdad.controlplane import configuration, validation
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target, not_found
from lambdad.domain.arns import FunctionKey
from lambdad.domain.clock import Clock, lambda_timestamp
from lambdad.domain.code_signing import (
    CODE_SIGNING_CONFIG_KIND,
    FUNCTION_CODE_SIGNING_KIND,
    CodeSigningConfig,
    choice_key,
    config_key,
    from_resource,
    new_config_id,
    to_resource,
)
from lambdad.domain.errors import (
    CodeSigningConfigNotFoundException,
    CodeVerificationFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambdad.domain.resources import Resource
from lambdad.storage.base import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSigningChange:
    """What the caller configures; None leaves what is, or its default on creation.

    Attributes:
        tags: counted on creation only.
    """

    description: str | None = None
    publishers: tuple[str, ...] | None = None
    policy: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPage:
    """A page of configurations; `more` when others follow behind the last one."""

    configs: Sequence[CodeSigningConfig]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPage:
    """A page of functions; `more` when others follow behind the last one."""

    functions: Sequence[FunctionKey]
    more: bool


class CodeSigning:
    """The configurations of all accounts and regions."""

    def __init__(self, engine: Engine, *, locks: FunctionLocks, clock: Clock) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock

    async def create(
        self, account_id: str, region: str, change: CodeSigningChange
    ) -> CodeSigningConfig:
        """Store a new configuration.

        Raises:
            InvalidParameterValueException: too many tags.
        """
        validation.check_tag_count(change.tags)
        config = CodeSigningConfig(
            account_id=account_id,
            region=region,
            config_id=new_config_id(),
            description=change.description or "",
            publishers=change.publishers or (),
            policy=change.policy or "Warn",
            last_modified=lambda_timestamp(self._clock.now()),
            tags=dict(change.tags),
            revision=configuration.new_revision(),
        )
        await self._engine.resources.insert(to_resource(config))
        return config

    def get(self, account_id: str, region: str, arn: str) -> CodeSigningConfig:
        """Return a configuration of this account and region.

        Raises:
            ResourceNotFoundException: there is none.
        """
        config = self._find(account_id, region, arn)
        if config is None:
            raise ResourceNotFoundException(
                f"The Lambda code signing configuration {arn} can not be found."
            )
        return config

    async def update(
        self, account_id: str, region: str, arn: str, change: CodeSigningChange
    ) -> CodeSigningConfig:
        """Change the members that are given; a change of nothing leaves the date.

        Raises:
            ResourceNotFoundException: there is none.
        """
        current = self.get(account_id, region, arn)
        given = {
            "description": change.description,
            "publishers": change.publishers,
            "policy": change.policy,
        }
        members = {name: value for name, value in given.items() if value is not None}
        if not members:
            return current
        changed = replace(
            current,
            **members,  # type: ignore[arg-type]
            last_modified=lambda_timestamp(self._clock.now()),
            revision=configuration.new_revision(),
        )
        await self._engine.resources.put(to_resource(changed))
        return changed

    async def delete(self, account_id: str, region: str, arn: str) -> None:
        """Remove a configuration that no function has.

        Raises:
            ResourceNotFoundException: there is none.
            ResourceConflictException: a function has it.
        """
        config = self.get(account_id, region, arn)
        if self._choices(config):
            raise ResourceConflictException(
                f"The code signing configuration {arn} cannot be deleted because functions use "
                "it. Remove it from them first."
            )
        await self._engine.resources.delete(config_key(arn))

    def list(self, account_id: str, region: str, *, after: str | None, limit: int) -> ConfigPage:
        """Return up to `limit` configurations by id behind `after`."""
        found = self._engine.resources.list(
            CODE_SIGNING_CONFIG_KIND, account_id, region, after=after, limit=limit + 1
        )
        configs = [from_resource(resource) for resource in found[:limit]]
        return ConfigPage(configs=configs, more=len(found) > limit)

    def functions(
        self, account_id: str, region: str, arn: str, *, after: str | None, limit: int
    ) -> FunctionPage:
        """Return up to `limit` functions that have a configuration, by name behind `after`.

        Raises:
            ResourceNotFoundException: there is no such configuration.
        """
        choices = self._choices(self.get(account_id, region, arn), after)
        keys = [
            FunctionKey(account_id=account_id, region=region, name=choice.key.name)
            for choice in choices[:limit]
        ]
        return FunctionPage(functions=keys, more=len(choices) > limit)

    async def retag(
        self,
        account_id: str,
        region: str,
        arn: str,
        *,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> None:
        """Add or overwrite tags, and remove some.

        Raises:
            ResourceNotFoundException: there is no such configuration.
            InvalidParameterValueException: too many tags.
        """
        current = self.get(account_id, region, arn)
        merged = {**current.tags, **(add or {})}
        tags = {name: value for name, value in merged.items() if name not in remove}
        validation.check_tag_count(tags)
        await self._engine.resources.put(to_resource(replace(current, tags=tags)))

    def chosen(self, target: Target) -> str | None:
        """Return the ARN of a function's configuration, or None.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        self._check_function(target)
        choice = self._engine.resources.get(choice_key(target.key))
        return None if choice is None else str(choice.document["arn"])

    async def choose(self, target: Target, arn: str) -> None:
        """Give a function a configuration; packages that are deployed already stay.

        Raises:
            CodeSigningConfigNotFoundException: there is no such configuration.
            ResourceNotFoundException: there is no such function.
        """
        async with self._locks.of(target.key):
            self._required(target.key, arn)
            self._check_function(target)
            await self._engine.resources.put(
                Resource(
                    key=choice_key(target.key),
                    function=target.key.name,
                    revision=configuration.new_revision(),
                    document={"arn": arn},
                )
            )

    async def unchoose(self, target: Target) -> None:
        """Take its configuration from a function; having none is no error.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        async with self._locks.of(target.key):
            self._check_function(target)
            await self._engine.resources.delete(choice_key(target.key))

    def check_deployable(self, target: Target, arn: str | None = None) -> None:
        """Refuse a package under the configuration `arn`, or under that which the function has.

        Raises:
            CodeSigningConfigNotFoundException: there is no such configuration.
            CodeVerificationFailedException: it takes signed packages only.
        """
        if arn is None:
            choice = self._engine.resources.get(choice_key(target.key))
            if choice is None:
                return
            arn = str(choice.document["arn"])
        if self._required(target.key, arn).policy == "Enforce":
            raise CodeVerificationFailedException(
                "Lambda cannot deploy the function. The function or layer might be signed using a "
                "signature that the client is not configured to accept. Check the provided "
                f"signature for {target.key.name}. lambdad cannot verify signatures and counts "
                "every package as unsigned: set UntrustedArtifactOnDeployment to Warn."
            )

    def _find(self, account_id: str, region: str, arn: str) -> CodeSigningConfig | None:
        key = config_key(arn)
        if (key.account_id, key.region) != (account_id, region):
            return None
        resource = self._engine.resources.get(key)
        return None if resource is None else from_resource(resource)

    def _required(self, function: FunctionKey, arn: str) -> CodeSigningConfig:
        config = self._find(function.account_id, function.region, arn)
        if config is None:
            raise CodeSigningConfigNotFoundException(
                "The code signing configuration cannot be found. Check that the provided "
                f"configuration is not deleted: {arn}."
            )
        return config

    def _choices(self, config: CodeSigningConfig, after: str | None = None) -> Sequence[Resource]:
        choices = self._engine.resources.list(
            FUNCTION_CODE_SIGNING_KIND, config.account_id, config.region, after=after
        )
        return [choice for choice in choices if choice.document["arn"] == config.arn]

    def _check_function(self, target: Target) -> None:
        if self._engine.functions.get(target.key) is None:
            raise not_found(replace(target, qualifier=None))
