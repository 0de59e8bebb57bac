"""Function names, ARNs and qualifiers: how a caller may name a function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LATEST = "$LATEST"
PARTITION = "aws"

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:"
    r"(?P<name>[a-zA-Z0-9-_.]+)(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
# Longer texts are no names: not worth to be remembered.
_SHORT = 256
_PARTIAL = re.compile(
    r"((?P<account>\d{12}):)?(function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]+)(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionKey:
    """The identity of a function: account, region and name."""

    account_id: str
    region: str
    name: str

    def arn(self, qualifier: str | None = None) -> str:
        """The function's ARN, qualified when a qualifier is given."""
        base = f"arn:{PARTITION}:lambda:{self.region}:{self.account_id}:function:{self.name}"
        return base if qualifier is None else f"{base}:{qualifier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReference:
    """What a caller wrote where a function is named; parts it left out are None."""

    name: str
    account_id: str | None
    region: str | None
    qualifier: str | None


@lru_cache(maxsize=8_192)
def _parse_short(text: str) -> FunctionReference | None:
    return _parse(text)


def parse_function_reference(text: str) -> FunctionReference | None:
    """Read `name`, `account:function:name`, or a full ARN, each with an optional qualifier.

    None when the text is none of these.
    """
    return _parse_short(text) if len(text) <= _SHORT else _parse(text)


def _parse(text: str) -> FunctionReference | None:
    match = _ARN.fullmatch(text) if text.startswith("arn:") else _PARTIAL.fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    return FunctionReference(
        name=parts["name"],
        account_id=parts["account"],
        region=parts.get("region"),
        qualifier=parts["qualifier"],
    )
