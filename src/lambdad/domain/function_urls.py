"""A function URL: the configuration of an HTTP endpoint for a function or one of its aliases. Pure.

Decides how it is stored as a resource. Under which host name it is served is the server's to say.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

FUNCTION_URL_KIND = "function-url"

_URL_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_URL_ID_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrl:
    """The URL of a function or of an alias.

    Attributes:
        alias: whose URL it is; None for the function's own.
        url_id: first label of its host name; random, unique among all accounts and regions.
        auth_type: `NONE` or `AWS_IAM`.
        invoke_mode: `BUFFERED` or `RESPONSE_STREAM`.
        cors: in wire form as it was given, or None.
        created: as on the wire, `2022-07-07T15:19:41.225854Z`.
        modified: likewise.
    """

    function: FunctionKey
    alias: str | None
    url_id: str
    auth_type: str
    invoke_mode: str = "BUFFERED"
    cors: Mapping[str, Any] | None = None
    created: str
    modified: str
    revision: str = ""

    @property
    def function_arn(self) -> str:
        """What the URL invokes."""
        return self.function.arn(self.alias)


def new_url_id() -> str:
    """A random id that may be a label of a host name."""
    return "".join(secrets.choice(_URL_ID_ALPHABET) for _ in range(_URL_ID_LENGTH))


def function_url_key(function: FunctionKey, alias: str | None) -> ResourceKey:
    """Return the key under which a URL is stored; the function's own sorts before its aliases'."""
    return ResourceKey(
        kind=FUNCTION_URL_KIND,
        account_id=function.account_id,
        region=function.region,
        name=f"{function.name}:{alias or LATEST}",
    )


def to_resource(url: FunctionUrl) -> Resource:
    """Return a URL as it is stored."""
    return Resource(
        key=function_url_key(url.function, url.alias),
        function=url.function.name,
        revision=url.revision,
        document={
            "url_id": url.url_id,
            "auth_type": url.auth_type,
            "invoke_mode": url.invoke_mode,
            "cors": None if url.cors is None else dict(url.cors),
            "created": url.created,
            "modified": url.modified,
        },
    )


def from_resource(resource: Resource) -> FunctionUrl:
    """Return the URL that a stored resource describes."""
    key = resource.key
    name, _, qualifier = key.name.partition(":")
    return FunctionUrl(
        function=FunctionKey(account_id=key.account_id, region=key.region, name=name),
        alias=None if qualifier == LATEST else qualifier,
        revision=resource.revision,
        **resource.document,
    )
