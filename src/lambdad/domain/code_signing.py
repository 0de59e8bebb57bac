"""Code signing configurations: whose signatures a function's packages must bear. Pure.

Decides how they, and the choice of a function, are stored as resources.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambdad.domain.arns import PARTITION, FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

CODE_SIGNING_CONFIG_KIND = "code-signing-config"
FUNCTION_CODE_SIGNING_KIND = "function-code-signing"

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSigningConfig:
    """A configuration.

    Attributes:
        config_id: `csc-` and 17 letters or digits.
        publishers: ARNs of signing profile versions.
        policy: `Warn` or `Enforce`, for packages that nobody trusted has signed.
        last_modified: as on the wire, `2025-11-24T22:54:31.123+0000`.
    """

    account_id: str
    region: str
    config_id: str
    description: str
    publishers: tuple[str, ...]
    policy: str
    last_modified: str
    tags: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return (
            f"arn:{PARTITION}:lambda:{self.region}:{self.account_id}"
            f":code-signing-config:{self.config_id}"
        )


def new_config_id() -> str:
    """A random id."""
    return "csc-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def config_key(arn: str) -> ResourceKey:
    """Return the key under which the configuration of this ARN is stored."""
    region, account_id, _, config_id = arn.split(":")[3:7]
    return ResourceKey(
        kind=CODE_SIGNING_CONFIG_KIND, account_id=account_id, region=region, name=config_id
    )


def to_resource(config: CodeSigningConfig) -> Resource:
    """Return a configuration as it is stored."""
    return Resource(
        key=config_key(config.arn),
        function=None,
        revision=config.revision,
        document={
            "description": config.description,
            "publishers": list(config.publishers),
            "policy": config.policy,
            "last_modified": config.last_modified,
            "tags": dict(config.tags),
        },
    )


def from_resource(resource: Resource) -> CodeSigningConfig:
    """Return the configuration that a stored resource describes."""
    key, document = resource.key, resource.document
    return CodeSigningConfig(
        account_id=key.account_id,
        region=key.region,
        config_id=key.name,
        description=document["description"],
        publishers=tuple(document["publishers"]),
        policy=document["policy"],
        last_modified=document["last_modified"],
        tags=document["tags"],
        revision=resource.revision,
    )


def choice_key(function: FunctionKey) -> ResourceKey:
    """Return the key under which a function's choice of a configuration is stored."""
    return ResourceKey(
        kind=FUNCTION_CODE_SIGNING_KIND,
        account_id=function.account_id,
        region=function.region,
        name=function.name,
    )
