"""What a mapping shows at a broker: names, passwords and certificates, from Secrets Manager.

Decides which secrets are read and what stands in them; refuses to know how a broker is spoken to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.base import AwsApi, AwsRefused, AwsUnreachable, Problem

# What lends secrets is started when it is first asked for something.
_WAIT_S = 60.0
_MECHANISMS = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A name and a password; `mechanism` is SASL's name of how they are shown."""

    mechanism: str
    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A client's own certificate and key, PEM."""

    certificate: str
    private_key: str
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """All that a mapping's `SourceAccessConfigurations` come to.

    Attributes:
        root_ca: PEM, in place of the authorities that this host trusts; None for those.
    """

    login: Login | None = None
    certificate: Certificate | None = None
    root_ca: str | None = None
    virtual_host: str = "/"


async def read_access(mapping: EventSourceMapping, api: AwsApi) -> Access:
    """Read what a mapping shows at its broker.

    Raises:
        Problem: a secret cannot be read, or lacks something.
    """
    found: dict[str, Any] = {}
    for given in mapping.settings.get("SourceAccessConfigurations") or ():
        kind, uri = given["Type"], given["URI"]
        if kind == "VIRTUAL_HOST":
            found["virtual_host"] = uri
        elif kind in _MECHANISMS:
            secret = await _secret(api, uri)
            found["login"] = Login(
                mechanism=_MECHANISMS[kind],
                username=_text(secret, uri, "username"),
                password=_text(secret, uri, "password"),
            )
        elif kind == "CLIENT_CERTIFICATE_TLS_AUTH":
            secret = await _secret(api, uri)
            found["certificate"] = Certificate(
                certificate=_text(secret, uri, "certificate"),
                private_key=_text(secret, uri, "privateKey"),
                password=secret.get("privateKeyPassword"),
            )
        elif kind == "SERVER_ROOT_CA_CERTIFICATE":
            found["root_ca"] = _text(await _secret(api, uri), uri, "certificate")
    return Access(**found)


async def _secret(api: AwsApi, arn: str) -> Mapping[str, Any]:
    parts = arn.split(":")
    region = parts[3] if len(parts) > 3 else ""
    try:
        answer = await api.call(
            "secretsmanager", region, "GetSecretValue", {"SecretId": arn}, timeout_s=_WAIT_S
        )
    except (AwsRefused, AwsUnreachable) as error:
        raise Problem(f"Cannot access secret manager value {arn}. {error}") from error
    try:
        secret = json.loads(answer.get("SecretString") or "")
    except ValueError as error:
        raise Problem(f"The value of secret {arn} is not JSON.") from error
    if not isinstance(secret, dict):
        raise Problem(f"The value of secret {arn} is not a JSON object.")
    return secret


def _text(secret: Mapping[str, Any], arn: str, name: str) -> str:
    value = secret.get(name)
    if not isinstance(value, str):
        raise Problem(f"Secret {arn} has no {name}.")
    return value
