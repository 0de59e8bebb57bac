"""What a mapping may show at a broker, and how it may belong to a consumer group. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambdad.controlplane.event_sources import kafka_config
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.event_source_mappings import KAFKA, SourceKind

_VPC = frozenset({"VPC_SUBNET", "VPC_SECURITY_GROUP"})
_CERTIFICATES = frozenset({"CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE"})
_SCRAM = frozenset({"SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"})
_LOGINS = _SCRAM | {"BASIC_AUTH"}
_TYPES: Mapping[SourceKind, frozenset[str]] = {
    SourceKind.MSK: _CERTIFICATES | {"SASL_SCRAM_512_AUTH"},
    SourceKind.SELF_MANAGED_KAFKA: _LOGINS | _CERTIFICATES | _VPC,
    SourceKind.MQ: frozenset({"BASIC_AUTH", "VIRTUAL_HOST"}),
}
_SECRET = re.compile(r"arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:.+")


def check_access(kind: SourceKind, settings: Mapping[str, Any]) -> None:
    """Refuse what this kind of source cannot be shown, or what is not enough.

    Raises:
        InvalidParameterValueException: see the texts.
    """
    seen: set[str] = set()
    for given in settings.get("SourceAccessConfigurations") or ():
        name, uri = given.get("Type"), given.get("URI") or ""
        if name not in _TYPES[kind]:
            raise InvalidParameterValueException(
                f"SourceAccessConfigurations of type {name} are not valid for this event source."
            )
        if name in seen and name not in _VPC:
            raise InvalidParameterValueException(
                f"SourceAccessConfigurations has more than one of type {name}."
            )
        if name in _LOGINS | _CERTIFICATES and not _SECRET.fullmatch(uri):
            raise InvalidParameterValueException(
                f"The URI of a SourceAccessConfiguration of type {name} must be the ARN of a "
                "secret."
            )
        seen.add(name)
    if len(seen & _LOGINS) > 1:
        raise InvalidParameterValueException(
            "SourceAccessConfigurations has more than one name and password."
        )
    if kind is SourceKind.MQ and "BASIC_AUTH" not in seen:
        raise InvalidParameterValueException(
            "SourceAccessConfigurations must have one of type BASIC_AUTH for this event source."
        )
    if kind in KAFKA:
        _check_schemas(kind, settings)


def check_group(kind: SourceKind, current: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Refuse another consumer group than the one that a mapping was made with.

    Raises:
        InvalidParameterValueException: it is another.
    """
    if kind not in KAFKA:
        return
    groups = [
        (settings.get(kafka_config(kind)) or {}).get("ConsumerGroupId")
        for settings in (current, changed)
    ]
    if groups[0] != groups[1]:
        raise InvalidParameterValueException("ConsumerGroupId cannot be changed.")


def _check_schemas(kind: SourceKind, settings: Mapping[str, Any]) -> None:
    if not (settings.get(kafka_config(kind)) or {}).get("SchemaRegistryConfig"):
        return
    if not settings.get("ProvisionedPollerConfig"):
        raise InvalidParameterValueException(
            "SchemaRegistryConfig is only available for Provisioned Mode. To configure Schema "
            "Registry, please enable Provisioned Mode by specifying MinimumPollers in "
            "ProvisionedPollerConfig."
        )
    raise InvalidParameterValueException(
        "Schema registries are not asked by this version of lambdad: leave SchemaRegistryConfig "
        "out, and decode keys and values in the function."
    )
